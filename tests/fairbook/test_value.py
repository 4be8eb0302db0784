"""The handler `value` beside a running service: prices, models and markets change, and what it says follows."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

from adapters.embedded import EmbeddedServers
from adapters.nats.publisher import Publisher
from domain.prediction.goals_model import GoalsModel
from domain.quotes import QuoteLine, QuoteMessage, encode_message, subject_of
from fairbook.settings import Settings, SettingsError
from fairbook.value import rules_of
from tests.adapters.nats.server import LIMITS, NatsServer, stored, streams
from tests.application.desk import a_desk
from tests.application.value.desk import TEAMS, goals_model
from tests.conftest import open_temporary_folder
from tests.fairbook.handlers import HandleProcess, a_handle_process, environment
from tests.service import Client, Json, People, Service, a_name, a_service, an_id, until
from tests.value_models import activate

SCOPE = "Cup"
TEST_SECONDS = 30


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    folder = open_temporary_folder()
    with EmbeddedServers(folder / "nats", print, only=("nats",), environment={}) as servers:
        yield NatsServer(servers, folder / "nats")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("value")


@pytest.fixture(scope="module")
def service(servers: EmbeddedServers, nats: NatsServer, folder: Path) -> Iterator[Service]:
    with a_service(folder, servers, NATS_URL=nats.url) as running:
        yield running


@pytest.fixture(scope="module")
def handlers(service: Service, nats: NatsServer, folder: Path) -> Iterator[HandleProcess]:
    variables = environment(
        service.database_url,
        nats.url,
        FAIRBOOK_ARTEFACTS=str(folder),
        FAIRBOOK_QUOTE_MAX_AGE="default=60",
    )
    with a_handle_process("outbox", "prices", "value", **variables) as running:
        yield running


@pytest.fixture(scope="module")
def operator(service: Service) -> Iterator[Client]:
    people = People(service.url)
    yield people.operator
    people.close()


def a_market(operator: Client, **fixture: Any) -> tuple[str, str]:
    """A 1X2 market of a match that the model knows; gives the fixture and the market."""
    fixture_id, market_id = an_id(), an_id()
    body = {
        "market_id": market_id,
        "fixture": {
            "fixture_id": fixture_id,
            "sport": "football",
            "competition": SCOPE,
            "name": "a match",
            "starts_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            "home": TEAMS[0],
            "away": TEAMS[1],
            **fixture,
        },
        "type": "1X2",
        "selections": [{"selection_id": each, "name": each} for each in ("home", "draw", "away")],
        "pricing": "external",
    }
    operator.post("/v1/markets", body).ok(201)
    return fixture_id, market_id


def publish(nats: NatsServer, *messages: tuple[str, bytes]) -> None:
    async def send() -> None:
        async with Publisher(nats.url, LIMITS, "test") as publisher:
            for subject, body in messages:
                await publisher.publish(subject, body, a_name())
            await publisher.flush()

    asyncio.run(send())


def a_price(market: tuple[str, str], **odds: str) -> tuple[str, bytes]:
    message = QuoteMessage(
        bookmaker="alpha",
        fixture_id=UUID(market[0]),
        market_id=UUID(market[1]),
        at=datetime.now(UTC),
        quotes=tuple(QuoteLine(each, Decimal(price)) for each, price in odds.items()),
    )
    return subject_of(message), encode_message(message)


def signals(operator: Client, market: tuple[str, str], **query: Any) -> list[Json]:
    return operator.pages("/v1/value-signals", limit=100, market_id=market[1], **query)


def has_prices(operator: Client, market: tuple[str, str]) -> bool:
    shown = operator.get(f"/v1/markets/{market[1]}/odds")
    return shown.status != 404 and shown.ok()["items"] != []  # a view may not show the market yet


def a_model(service: Service, folder: Path, home_goals: float = 0.1) -> str:
    """Let a model speak from now on, for which home sides score so many more goals (logs)."""
    known = goals_model()
    draws = known.draws + np.eye(known.draws.shape[1])[1] * home_goals
    model = GoalsModel(known.teams, draws, datetime.now(UTC) - timedelta(days=1))

    async def registered() -> UUID:
        async with a_desk(service.database_url) as desk:
            return await activate(desk, folder, model, SCOPE)

    return str(asyncio.run(registered()))


def test_it_idles_until_a_model_is_active_then_follows_prices_models_and_markets_and_names_a_lost_one(
    service: Service,
    handlers: HandleProcess,
    nats: NatsServer,
    operator: Client,
    folder: Path,
    tmp_path: Path,
) -> None:
    # No model: prices come, nothing is told.
    market = a_market(operator)
    publish(nats, a_price(market, home="4.0"))
    until(lambda: has_prices(operator, market), TEST_SECONDS)
    assert signals(operator, market) == []

    # One speaks: the price that is there is a value.
    first = a_model(service, folder)
    until(lambda: len(signals(operator, market, active=True)) == 1, TEST_SECONDS)
    (opened,) = signals(operator, market)
    assert (opened["model_id"], opened["odds"], opened["bookmaker"]) == (first, 4, "alpha")

    # Another one speaks: it finds the same price worth more.
    second = a_model(service, folder, 0.3)
    until(lambda: signals(operator, market)[0]["model_id"] == second, TEST_SECONDS)
    (changed,) = signals(operator, market)
    assert changed["signal_id"] == opened["signal_id"]
    assert changed["expected_value"] > opened["expected_value"]

    # For a third one it is none any more.
    a_model(service, folder, -2.5)
    until(lambda: signals(operator, market, active=False) != [], TEST_SECONDS)
    assert signals(operator, market)[0]["end_reason"] == "prediction_changed"

    # Messages that nobody can use harm nobody, and are kept once, by the price handler.
    a_model(service, folder, 0.1001)
    other = a_market(operator)
    subject, good = a_price(other, home="4.0")
    letters = len(dead_letters(nats))
    publish(nats, (subject, b"junk"), a_price((an_id(), other[1]), home="4.0"), (subject, good))
    until(lambda: len(signals(operator, other, active=True)) == 1, TEST_SECONDS)
    until(lambda: len(dead_letters(nats)) == letters + 2, TEST_SECONDS)

    # The market takes no bets for a while, then it does.
    operator.post(f"/v1/markets/{other[1]}/suspend").ok()
    until(lambda: signals(operator, other, active=True) == [], TEST_SECONDS)
    assert signals(operator, other)[0]["end_reason"] == "not_open"
    operator.post(f"/v1/markets/{other[1]}/resume").ok()
    until(lambda: len(signals(operator, other, active=True)) == 1, TEST_SECONDS)

    # Of sides, competitions and matches that the model does not know, it says nothing.
    strangers = [
        a_market(operator, home="Nowhere"),
        a_market(operator, competition="League"),
        a_market(operator, starts_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat()),
    ]
    last = a_market(operator)
    publish(nats, *(a_price(each, home="9.0") for each in (*strangers, last)))
    until(lambda: len(signals(operator, last)) == 1, TEST_SECONDS)
    assert [signals(operator, each) for each in strangers] == [[], [], []]

    # One speaks whose file is not where this machine looks: what was open is closed, nothing is told.
    lost = a_model(service, tmp_path, 0.2)
    until(lambda: operator.pages("/v1/value-signals", limit=100, active=True) == [], TEST_SECONDS)
    unseen = a_market(operator)
    publish(nats, a_price(unseen, home="9.0"))
    until(lambda: has_prices(operator, unseen), TEST_SECONDS)
    assert signals(operator, unseen) == []

    # Every event went out once, in the order of the ledger.
    positions = [
        msgspec.json.decode(each.data)["position"]
        for each in messages(nats, "SIGNALS")
        if each.subject.startswith("signals.value.")
    ]
    assert positions == sorted(set(positions))
    number, said = handlers.stop()
    assert number == 0
    # At the beginning, and once the only one was lost.
    assert said.count("no football model is active") == 2
    assert re.search(rf"{lost}.* cannot be used.*FAIRBOOK_ARTEFACTS", said), said
    assert "Traceback" not in said


def messages(nats: NatsServer, stream: str) -> list[Any]:
    async def read() -> list[Any]:
        async with streams(nats.url) as jetstream:
            return await stored(jetstream, stream)

    return asyncio.run(read())


def dead_letters(nats: NatsServer) -> list[Any]:
    return messages(nats, "DEAD")


# ---- settings


def test_the_environment_says_what_a_value_is() -> None:
    usual = rules_of(Settings.from_environment({}))
    assert (usual.min_value, usual.bound, usual.fraction) == (Decimal("0.03"), "mean", 0.25)
    usual.check()
    said = rules_of(
        Settings.from_environment(
            {
                "FAIRBOOK_VALUE_MIN": "0.1",
                "FAIRBOOK_VALUE_BOUND": "low",
                "FAIRBOOK_VALUE_KELLY": "1",
                "FAIRBOOK_VALUE_CAP": "0.5",
                "FAIRBOOK_VALUE_MARKET_CAP": "1",
            }
        )
    )
    assert (said.min_value, said.bound, said.fraction) == (Decimal("0.1"), "low", 1.0)
    assert (said.cap, said.market_cap) == (0.5, 1.0)
    said.check()


@pytest.mark.parametrize("value", ["0", "-0.1", "1.5", "nan", "much", "0.00001"])
@pytest.mark.parametrize("name", ["MIN", "KELLY", "CAP", "MARKET_CAP"])
def test_a_share_that_is_none_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"FAIRBOOK_VALUE_{name}"):
        Settings.from_environment({f"FAIRBOOK_VALUE_{name}": value})


def test_a_bound_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="mean or low"):
        Settings.from_environment({"FAIRBOOK_VALUE_BOUND": "high"})
