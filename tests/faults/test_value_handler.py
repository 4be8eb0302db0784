"""The value handler under fire: whatever dies and when, the ledger holds what an undisturbed run would have found."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from adapters.embedded import EmbeddedServers
from application.detection.thresholds import Thresholds
from application.value.engine import ValueEngine
from domain.board import MarketDescription
from domain.commands.market import FixtureBody, OpenMarket, SelectionBody
from domain.events.market import MarketType
from domain.events.value import ValueChanged, ValueClosed, ValueDetected
from domain.freshness import MaxAges
from domain.quotes import QuoteMessage, decode_message
from domain.value import ValueRules, price_market
from tests.adapters.nats.server import NatsServer, stored, streams
from tests.application.desk import Desk, a_desk, read_log
from tests.application.value.desk import TEAMS, goals_model
from tests.builders import OPERATOR
from tests.conftest import open_temporary_folder
from tests.fairbook.handlers import HandleProcess, a_handle_process, environment
from tests.faults.price_stage import KINDS, PATIENCE_SECONDS, prices, projecting, publish
from tests.service import a_database
from tests.value_models import activate

MESSAGES = 300
KILLS = 3
STARTS = datetime(2040, 1, 1, tzinfo=UTC)
LONG = 100_000
FIXTURES = [
    (UUID(int=(4 << 76) + 60), TEAMS[:2]),
    (UUID(int=(4 << 76) + 61), (TEAMS[3], TEAMS[2])),
]

Told = tuple[str, str, int]


@pytest.fixture(scope="module")
def own_nats() -> Iterator[NatsServer]:
    folder = open_temporary_folder()
    with EmbeddedServers(folder / "nats", print, only=("nats",), environment={}) as servers:
        yield NatsServer(servers, folder / "nats")
    shutil.rmtree(folder)


async def open_one(
    desk: Desk, fixture_id: UUID, sides: tuple[str, ...], kind: MarketType
) -> MarketDescription:
    fixture = FixtureBody(
        fixture_id=fixture_id,
        sport="football",
        competition="Cup",
        name=" v ".join(sides),
        starts_at=STARTS,
        home=sides[0],
        away=sides[1],
    )
    line = Decimal("2.5") if kind == "OU" else None
    selections = [SelectionBody(selection_id=each, name=each) for each in KINDS[kind]]
    command = OpenMarket(
        fixture=fixture, type=kind, line=line, selections=selections, pricing="external"
    )
    opened = await desk.ask(command, OPERATOR)
    return MarketDescription(UUID(opened["market_id"]), fixture_id, kind, line, KINDS[kind])


def undisturbed(
    markets: list[MarketDescription], messages: list[QuoteMessage], model_id: UUID, first: int
) -> list[Told]:
    engine = ValueEngine(ValueRules(), Thresholds(max_ages=MaxAges(LONG)))
    for fixture_id, sides in FIXTURES:
        chances = goals_model().chances([(sides[0], sides[1])])
        for each in markets:
            if each.fixture_id == fixture_id:
                engine.describe(each, STARTS, price_market(chances, each, model_id))
    told = []
    for sequence, message in enumerate(messages, first):
        for change in engine.apply(message, sequence, message.at):
            word = change.ended or str(change.signal and change.signal.expected_value)
            told.append((str(change.signal_id), word, change.sequence))
    return told


def recorded(database_url: str) -> tuple[list[Told], list[int]]:
    told, positions = [], []
    for each in read_log(database_url).events:
        match each.event:
            case ValueDetected(signal=shape) | ValueChanged(signal=shape):
                told.append((str(each.stream_id), str(shape.expected_value), shape.sequence))
            case ValueClosed(reason=reason, sequence=sequence):
                told.append((str(each.stream_id), reason, sequence))
            case _:
                continue
        positions.append(each.position)
    return told, positions


async def value_signals(nats_url: str) -> list[dict[str, Any]]:
    async with streams(nats_url) as jetstream:
        every = await stored(jetstream, "SIGNALS")
    return [
        msgspec.json.decode(each.data)
        for each in every
        if each.subject.startswith("signals.value.")
    ]


@pytest.mark.anyio
async def test_the_handler_is_killed_again_and_again(
    servers: EmbeddedServers, own_nats: NatsServer, tmp_path: Path
) -> None:
    rng = random.Random(7)
    with a_database(servers.urls.database) as database_url, projecting(database_url):
        async with a_desk(database_url) as desk:
            markets = [
                await open_one(desk, fixture_id, sides, kind)
                for fixture_id, sides in FIXTURES
                for kind in KINDS
            ]
            model_id = await activate(desk, tmp_path, goals_model(), "Cup")
        variables = environment(
            database_url,
            own_nats.url,
            FAIRBOOK_QUOTE_MAX_AGE=f"default={LONG}",
            FAIRBOOK_ARTEFACTS=str(tmp_path),
        )
        with a_handle_process("outbox", "prices", "value", **variables) as handlers:
            kills = sorted(rng.sample(range(50, MESSAGES), KILLS))
            await publish(
                own_nats.url, prices(markets, 3)[:MESSAGES], disturbing(handlers, kills, rng)
            )
            async with streams(own_nats.url) as jetstream:
                held = await stored(jetstream, "ODDS")
            messages = [decode_message(each.data) for each in held]
            assert len(messages) == MESSAGES
            first = held[0].metadata.sequence.stream
            expected = undisturbed(markets, messages, model_id, first)
            assert len(expected) > 50
            give_up = asyncio.get_running_loop().time() + PATIENCE_SECONDS
            while (found := recorded(database_url))[0] != expected:
                assert asyncio.get_running_loop().time() < give_up, (found[0], expected)
                await asyncio.sleep(0.5)
            while len(signals := await value_signals(own_nats.url)) < len(found[1]):
                assert asyncio.get_running_loop().time() < give_up + PATIENCE_SECONDS
                await asyncio.sleep(0.2)
            assert [each["position"] for each in signals] == found[1]
            assert handlers.is_running


def disturbing(handlers: HandleProcess, kills: list[int], rng: random.Random) -> Any:
    async def disturb(number: int) -> None:
        if number in kills:
            handlers.kill()
            await asyncio.sleep(rng.uniform(0, 0.5))
            handlers.start()
            await asyncio.sleep(rng.uniform(0.5, 1.5))

    return disturb
