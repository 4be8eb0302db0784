"""The handler `prices` of `fairbook handle`: board, snapshots, arbitrages, signals."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from adapters.linear_programme import HighsSolver
from adapters.nats.connection import cancelled, connected
from adapters.nats.consumer import DurableConsumer
from adapters.nats.live import NatsLive
from adapters.nats.outlet import PriceOutlet
from adapters.nats.publisher import Publisher
from adapters.nats.streams import ODDS, SIGNALS_SECONDS, ensure_streams
from adapters.postgres.leadership import STANDBY_SECONDS, Leadership
from adapters.postgres.reader import Reader
from adapters.postgres.settings import ledger_environment
from adapters.valkey.board import ValkeyBoard
from application.detection.engine import Engine
from application.detection.thresholds import Thresholds
from application.ledger import Ledger, utc_now
from application.log import LogUnavailable
from application.prices.handler import PriceHandler
from application.prices.ports import KeptPrice, Start
from application.prices.signals import change_of
from domain.commands.arbitrage import ArbitrageChange
from fairbook.settings import Settings, SettingsError
from read_models import arbitrages, prices

VIEWS_SECONDS: Final = 30.0

_log = logging.getLogger("fairbook.prices")


def thresholds_of(settings: Settings) -> Thresholds:
    """Read what an arbitrage must be worth, and what is special about bookmakers, from the operator's TOML file.

    Raises SettingsError when the file says something that fairbook cannot use.
    """
    said = Thresholds()
    if file := settings.arbitrage_file:
        try:
            said = msgspec.toml.decode(file.read_bytes(), type=Thresholds)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"FAIRBOOK_ARBITRAGE: {file} cannot be used: {error}. docs/arbitrage.md shows what it may say."
            ) from error
    return replace(said, max_ages=settings.quote_max_ages)


async def handle_prices(settings: Settings) -> None:
    """Work as the leader, or wait to become it; raises when a server goes away."""
    database_url, nats_url = settings.require_database_url(), settings.require_nats_url()
    async with contextlib.AsyncExitStack() as stack:
        lead = Leadership(database_url, "prices")
        stack.push_async_callback(lead.release)
        await lead.won()
        nats = await stack.enter_async_context(connected(nats_url, "prices"))
        await ensure_streams(nats.jetstream, settings.streams)
        ledger = await stack.enter_async_context(Ledger(ledger_environment(database_url)))
        reader = Reader(database_url, pool_size=1)
        stack.push_async_callback(reader.close)
        await reader.open()
        inbox = await stack.enter_async_context(
            DurableConsumer(
                nats_url, settings.streams, stream=ODDS, durable="prices", filter_subject="odds.>"
            )
        )
        publisher = await stack.enter_async_context(
            Publisher(nats_url, settings.streams, "signals")
        )
        facts = await stack.enter_async_context(NatsLive(nats_url))
        board = None
        if settings.redis_url:
            board = await stack.enter_async_context(ValkeyBoard(settings.redis_url))
        handler = PriceHandler(
            ledger,
            Engine(thresholds_of(settings), HighsSolver()),
            inbox,
            facts,
            PriceOutlet(publisher, nats),
            _Known(reader),
            board,
            lambda bookmaker: timedelta(seconds=settings.quote_max_ages.seconds(bookmaker)),
            utc_now,
        )
        working = asyncio.create_task(handler.run(), name="prices")
        try:
            while await lead.held():
                await asyncio.wait([working], timeout=STANDBY_SECONDS)
                if working.done():
                    working.result()
                    _log.info("most markets on the board are over: it is made anew")
                    return
        finally:
            if not working.done():
                await cancelled(working)
            elif not working.cancelled():
                working.exception()  # asked for: when a stop comes in the same moment, nobody else does
    raise LogUnavailable("another process has taken the lead")


async def shown(reader: Reader, *views: str) -> int:
    """Wait until views show all that the ledger holds now, and give its position; raises LogUnavailable."""
    position = await reader.head()
    for view in views:
        if not await reader.wait_for(view, position, VIEWS_SECONDS):
            raise LogUnavailable(
                f"the view {view} is not up to date; is `fairbook project` running?"
            )
    return position


class _Known:
    """What the handler asks of the views, and of the log."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def start(self) -> Start:
        """Wait until the views show all that the ledger holds now, and give it."""
        position = await shown(self._reader, "prices", "arbitrages", "markets")
        rows = await prices.of_live_markets(self._reader)
        return Start(
            position=position,
            prices=[msgspec.convert(row, KeptPrice, from_attributes=True) for row in rows],
            opportunities=await arbitrages.open_opportunities(self._reader),
            sequence=await arbitrages.last_sequence(self._reader),
        )

    async def arbitrages(self, after: int) -> AsyncIterator[tuple[ArbitrageChange, int]]:
        """Give what became of opportunities after a position."""
        if not after and not await arbitrages.last_sequence(self._reader):
            return  # nothing was ever found: no need to read the whole log for it
        # What is older than anything that the stream keeps was told long ago, and is no news.
        oldest = utc_now() - timedelta(seconds=SIGNALS_SECONDS)
        async for recorded in self._reader.events(after, None, sys.maxsize):
            change = change_of(recorded)
            if change and recorded.at >= oldest:
                yield change, recorded.position
