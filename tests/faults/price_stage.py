"""Prices that wander, the handlers as a process, and what an undisturbed run would have found."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
import psycopg

from adapters.embedded import EmbeddedServers
from adapters.linear_programme import HighsSolver
from adapters.nats.publisher import Publisher
from application.detection.engine import Engine
from application.detection.thresholds import Thresholds
from application.prices.snapshots import Snapshots
from domain.board import MarketDescription
from domain.commands.market import FixtureBody, OpenMarket, SelectionBody
from domain.events.arbitrage import ArbitrageChanged, ArbitrageClosed, ArbitrageDetected
from domain.events.market import MarketType
from domain.events.odds import OddsSnapshotTaken
from domain.quotes import QuoteMessage, decode_message, encode_message, subject_of
from tests.adapters.nats.server import LIMITS, NatsServer, stored, streams
from tests.application.desk import Desk, Log, a_desk, read_log
from tests.application.detection.desk import wandering
from tests.builders import OPERATOR
from tests.fairbook.handlers import HandleProcess, a_handle_process, environment
from tests.service import CHECKOUT, a_database

KINDS: dict[MarketType, tuple[str, ...]] = {
    "1X2": ("home", "draw", "away"),
    "OU": ("over", "under"),
    "DNB": ("home", "away"),
}
BOOKMAKERS = ("alpha", "beta", "gamma", "delta", "exchange")
FIXTURES = 4
MESSAGES = 800
KILLS = 5
PATIENCE_SECONDS = 60.0


@contextmanager
def projecting(database_url: str) -> Iterator[None]:
    command = [sys.executable, "-m", "fairbook", "project"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env={"DATABASE_URL": database_url}, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()


@asynccontextmanager
async def a_stage(
    servers: EmbeddedServers, nats: NatsServer
) -> AsyncIterator[tuple[str, list[MarketDescription], HandleProcess]]:
    """Markets, a worker for the views, and the handlers as a process."""
    with a_database(servers.urls.database) as database_url, projecting(database_url):
        async with a_desk(database_url) as desk:
            markets = [
                await open_one(desk, fixture, kind)
                for fixture in (UUID(int=(4 << 76) + n) for n in range(1, FIXTURES + 1))
                for kind in KINDS
            ]
        variables = environment(database_url, nats.url, FAIRBOOK_QUOTE_MAX_AGE="default=100000")
        with a_handle_process("outbox", "prices", **variables) as handlers:
            yield database_url, markets, handlers


async def open_one(desk: Desk, fixture_id: UUID, kind: MarketType) -> MarketDescription:
    line = Decimal("2.5") if kind == "OU" else None
    command = OpenMarket(
        fixture=FixtureBody(
            fixture_id=fixture_id,
            sport="football",
            competition="Cup",
            name="A v B",
            starts_at=datetime(2030, 1, 1, tzinfo=UTC),
        ),
        type=kind,
        line=line,
        selections=[SelectionBody(selection_id=each, name=each) for each in KINDS[kind]],
        pricing="external",
    )
    opened = await desk.ask(command, OPERATOR)
    return MarketDescription(UUID(opened["market_id"]), fixture_id, kind, line, KINDS[kind])


def prices(markets: list[MarketDescription], seed: int) -> list[QuoteMessage]:
    """Prices of the last seconds, a hundred a second."""
    begin = datetime.now(UTC) - timedelta(seconds=MESSAGES / 100)
    return wandering(
        markets,
        BOOKMAKERS,
        MESSAGES,
        seed,
        lambda number: begin + timedelta(milliseconds=10 * number),
    )


async def publish(
    nats_url: str, messages: list[QuoteMessage], disturb: Callable[[int], Awaitable[None]]
) -> None:
    async with Publisher(nats_url, LIMITS, "test") as publisher:
        for number, message in enumerate(messages):
            await publisher.publish(subject_of(message), encode_message(message), f"m{number}")
            if number % 10 == 0:
                await asyncio.sleep(0.02)
            await disturb(number)
        await publisher.flush()


# ---- what an undisturbed run finds


class Expected(msgspec.Struct):
    changes: list[tuple[UUID, str, int]]
    quotes: Counter[tuple[UUID, str, str, datetime, Decimal, bool]]


def undisturbed(
    markets: list[MarketDescription], messages: list[QuoteMessage], first: int
) -> Expected:
    engine = Engine(Thresholds(), HighsSolver())
    for market in markets:
        engine.describe(market)
    snapshots = Snapshots(lambda _: timedelta(days=1))
    changes = []
    for sequence, message in enumerate(messages, first):
        for change in engine.apply(message, sequence, message.at):
            word = "closed" if change.opportunity is None else "open"
            changes.append((change.opportunity_id, word, change.sequence))
        snapshots.add(message)
    quotes = Counter(
        (body.market_id, body.bookmaker, body.selection_id, body.at, body.odds, body.withdrawn)
        for body in snapshots.take().bodies
    )
    return Expected(changes, quotes)


def found(log: Log) -> Expected:
    changes = []
    for recorded in log.events:
        match recorded.event:
            case ArbitrageDetected(opportunity=shape) | ArbitrageChanged(opportunity=shape):
                changes.append((recorded.stream_id, "open", shape.sequence))
            case ArbitrageClosed(sequence=sequence):
                changes.append((recorded.stream_id, "closed", sequence))
            case _:
                pass
    quotes = Counter(
        (event.market_id, each.bookmaker, each.selection_id, each.at, each.odds, each.withdrawn)
        for recorded in log.of(OddsSnapshotTaken)
        if isinstance(event := recorded.event, OddsSnapshotTaken)
        for each in event.quotes
    )
    return Expected(changes, quotes)


def log_head(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT coalesce(max(notification_id), 0) FROM ledger_events"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def check_all_is_there(
    database_url: str, nats_url: str, markets: list[MarketDescription]
) -> None:
    async with streams(nats_url) as jetstream:
        held = await stored(jetstream, "ODDS")
    messages = [decode_message(each.data) for each in held]
    assert len(messages) == MESSAGES
    expected = undisturbed(markets, messages, held[0].metadata.sequence.stream)
    assert len(expected.changes) > 100
    give_up = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    log = read_log(database_url)
    seen = log_head(database_url)
    while (here := found(log)) != expected and asyncio.get_running_loop().time() < give_up:
        await asyncio.sleep(0.5)
        # The log is folded as a whole: only once nothing was added since the last look.
        before, seen = seen, log_head(database_url)
        if seen == before or asyncio.get_running_loop().time() >= give_up:
            log = read_log(database_url)
    assert here.quotes - expected.quotes == Counter()
    assert expected.quotes - here.quotes == Counter()
    assert here.changes == expected.changes
    positions = [
        recorded.position
        for recorded in log.events
        if recorded.event.topic.startswith("arbitrage.")
    ]
    async with streams(nats_url) as jetstream:
        while len(signals := await stored(jetstream, "SIGNALS")) < len(positions):
            assert asyncio.get_running_loop().time() < give_up + PATIENCE_SECONDS
            await asyncio.sleep(0.2)
    assert [msgspec.json.decode(each.data)["position"] for each in signals] == positions
