"""The handler `value` of `fairbook handle`: prices held against the active models, value signals."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec

from adapters.artefacts import ArtefactFolder
from adapters.nats.connection import cancelled, connected
from adapters.nats.consumer import DurableConsumer
from adapters.nats.live import NatsLive
from adapters.nats.outlet import ValueSignalOutlet
from adapters.nats.progress import KeptPrices
from adapters.nats.publisher import Publisher
from adapters.nats.streams import ODDS, SIGNALS_SECONDS, ensure_streams
from adapters.postgres.leadership import STANDBY_SECONDS, Leadership
from adapters.postgres.reader import Reader
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger, utc_now
from application.log import LogUnavailable
from application.prices.ports import KeptPrice
from application.value.handler import ValueHandler
from application.value.models import ActiveModel
from application.value.ports import ValueStart
from application.value.signals import value_change_of
from domain.commands.value import ValueChange
from domain.value import ValueRules
from fairbook.prices import shown, thresholds_of
from fairbook.settings import Settings
from read_models import models, prices, value_signals

_log = logging.getLogger("fairbook.value")


def rules_of(settings: Settings) -> ValueRules:
    """Give the rules that the environment says."""
    said = settings.value
    return ValueRules(
        min_value=said.min_value,
        bound=said.bound,
        fraction=float(said.kelly),
        cap=float(said.cap),
        market_cap=float(said.market_cap),
    )


async def handle_value(settings: Settings) -> None:
    """Work as the leader, or wait to become it; raises when a server goes away."""
    database_url, nats_url = settings.require_database_url(), settings.require_nats_url()
    async with contextlib.AsyncExitStack() as stack:
        lead = Leadership(database_url, "value")
        stack.push_async_callback(lead.release)
        await lead.won()
        nats = await stack.enter_async_context(connected(nats_url, "value"))
        await ensure_streams(nats.jetstream, settings.streams)
        ledger = await stack.enter_async_context(Ledger(ledger_environment(database_url)))
        reader = Reader(database_url, pool_size=1)
        stack.push_async_callback(reader.close)
        await reader.open()
        publisher = await stack.enter_async_context(Publisher(nats_url, settings.streams, "value"))
        facts = await stack.enter_async_context(NatsLive(nats_url))
        while True:
            async with DurableConsumer(
                nats_url, settings.streams, stream=ODDS, durable="value", filter_subject="odds.>"
            ) as inbox:
                handler = ValueHandler(
                    ledger,
                    rules_of(settings),
                    thresholds_of(settings),
                    ArtefactFolder(settings.artefacts),
                    inbox,
                    facts,
                    KeptPrices(nats),
                    ValueSignalOutlet(publisher, nats),
                    _Known(reader),
                    utc_now,
                )
                working = asyncio.create_task(handler.run(), name="value")
                try:
                    while not working.done():
                        if not await lead.held():
                            raise LogUnavailable("another process has taken the lead")
                        await asyncio.wait([working], timeout=STANDBY_SECONDS)
                    _log.info("begins anew: %s", working.result())
                finally:
                    if not working.done():
                        await cancelled(working)
                    elif not working.cancelled():
                        working.exception()  # asked for: when a stop comes in the same moment, nobody else does


class _Known:
    """What the handler asks of the views, and of the log."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def start(self) -> ValueStart:
        """Wait until the views show all that the ledger holds now, and give it."""
        position = await shown(self._reader, "models", "prices", "value_signals", "markets")
        active = [
            ActiveModel(row.model_id, row.kind, row.scope, row.artefact, row.data.until)
            for row in await models.active(self._reader)
        ]
        sequence = await value_signals.last_sequence(self._reader)
        rows = await prices.of_live_markets(self._reader) if active else []
        return ValueStart(
            position=position,
            models=active,
            prices=[msgspec.convert(row, KeptPrice, from_attributes=True) for row in rows],
            signals=await value_signals.open_signals(self._reader),
            sequence=sequence,
            closed=await value_signals.closed_at(self._reader, sequence),
        )

    async def changes(self, after: int) -> AsyncIterator[tuple[ValueChange, int]]:
        """Give what became of value signals after a position."""
        if not after and not await value_signals.last_sequence(self._reader):
            return  # nothing was ever found: no need to read the whole log for it
        # What is older than anything that the stream keeps was told long ago, and is no news.
        oldest = utc_now() - timedelta(seconds=SIGNALS_SECONDS)
        async for recorded in self._reader.events(after, None, sys.maxsize):
            change = value_change_of(recorded)
            if change and recorded.at >= oldest:
                yield change, recorded.position
