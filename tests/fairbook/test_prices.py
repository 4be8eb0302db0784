"""The handler `prices` beside a running service: what comes in by NATS or HTTP is seen, kept, compared and told."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from adapters.embedded import EmbeddedServers
from adapters.nats.publisher import Publisher
from domain.quotes import (
    LEDGER_FEED,
    QuoteLine,
    QuoteMessage,
    decode_message,
    encode_message,
    subject_of,
)
from fairbook.prices import thresholds_of
from fairbook.settings import Settings, SettingsError
from tests.adapters.nats.server import LIMITS, NatsServer, stored, streams
from tests.conftest import open_temporary_folder
from tests.fairbook.handlers import a_handle_process, environment
from tests.service import Client, Json, People, Service, a_name, a_service, an_id, until

THRESHOLDS = """
min_margin = 0.001
max_outlay_minor = 50_000
[bookmakers.exchange]
commission = 0.02
"""


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    folder = open_temporary_folder()
    with EmbeddedServers(folder / "nats", print, only=("nats",), environment={}) as servers:
        yield NatsServer(servers, folder / "nats")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def service(
    servers: EmbeddedServers, nats: NatsServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("prices")
    (folder / "arbitrage.toml").write_text(THRESHOLDS)
    with a_service(folder, servers, NATS_URL=nats.url) as running:
        variables = environment(
            running.database_url,
            nats.url,
            FAIRBOOK_ARBITRAGE=str(folder / "arbitrage.toml"),
            FAIRBOOK_QUOTE_MAX_AGE="default=60,hasty=4",
            REDIS_URL=servers.urls.redis,
        )
        with a_handle_process("outbox", "prices", **variables):
            yield running


@pytest.fixture(scope="module")
def people(service: Service) -> Iterator[People]:
    people = People(service.url)
    yield people
    people.close()


@pytest.fixture
def operator(people: People) -> Client:
    return people.operator


class Market:
    """A new 1X2 market, and prices for it."""

    def __init__(self, operator: Client, **members: Any) -> None:
        self.operator = operator
        self.market_id = operator.market(**members)
        until(lambda: operator.get(f"/v1/markets/{self.market_id}").status == 200)
        shown = operator.get(f"/v1/markets/{self.market_id}").ok()
        self.fixture_id = shown["fixture"]["fixture_id"]

    def message(
        self, bookmaker: str, *, seconds_ago: float = 0, **odds: str | None
    ) -> QuoteMessage:
        return QuoteMessage(
            bookmaker=bookmaker,
            fixture_id=UUID(self.fixture_id),
            market_id=UUID(self.market_id),
            at=datetime.now(UTC) - timedelta(seconds=seconds_ago),
            quotes=tuple(
                QuoteLine(selection, None if price is None else Decimal(price))
                for selection, price in odds.items()
            ),
            feed="test",
        )

    def arbitrages(self, **query: Any) -> list[Json]:
        return self.operator.pages("/v1/arbitrage", limit=100, fixture_id=self.fixture_id, **query)

    def prices(self) -> dict[tuple[str, str], float]:
        shown = self.operator.get(f"/v1/markets/{self.market_id}/odds").ok()["items"]
        return {(each["bookmaker"], each["selection_id"]): each["odds"] for each in shown}


@pytest.fixture
def market(operator: Client) -> Market:
    return Market(operator)


@asynccontextmanager
async def a_publisher(nats: NatsServer) -> AsyncIterator[Publisher]:
    async with Publisher(nats.url, LIMITS, "test") as publisher:
        yield publisher


async def publish(nats: NatsServer, *messages: QuoteMessage) -> None:
    async with a_publisher(nats) as publisher:
        for message in messages:
            await publisher.publish(subject_of(message), encode_message(message), a_name())
        await publisher.flush()


def publish_now(nats: NatsServer, *messages: QuoteMessage) -> None:
    asyncio.run(publish(nats, *messages))


def open_arbitrage(nats: NatsServer, market: Market) -> Json:
    """Have an arbitrage found: 1/2.5 + 1/3.6 + 1/3.2 = 0.99."""
    publish_now(
        nats,
        market.message("alpha", home="2.5", draw="3.2", away="2.9"),
        market.message("beta", home="2.4", draw="3.6", away="2.8"),
        market.message("gamma", home="2.3", draw="3.1", away="3.2"),
    )
    until(lambda: len(market.arbitrages(active=True)) == 1)
    (found,) = market.arbitrages(active=True)
    return found


def test_an_arbitrage_is_found_shown_and_signalled(nats: NatsServer, market: Market) -> None:
    found = open_arbitrage(nats, market)
    assert (found["kind"], found["status"]) == ("n_way", "open")
    assert {leg["bookmaker"] for leg in found["legs"]} == {"alpha", "beta", "gamma"}
    assert sum(leg["stake_minor"] for leg in found["legs"]) == found["outlay_minor"] <= 50_000
    for leg in found["legs"]:
        paid = round(leg["stake_minor"] * leg["odds"])
        assert paid - found["outlay_minor"] >= found["guaranteed_profit_minor"] > 0

    async def signals() -> list[Json]:
        async with streams(nats.url) as jetstream:
            told = [msgspec.json.decode(each.data) for each in await stored(jetstream, "SIGNALS")]
        return [each for each in told if each["opportunity_id"] == found["opportunity_id"]]

    until(lambda: len(asyncio.run(signals())) == 1)
    (told,) = asyncio.run(signals())
    assert (told["status"], told["position"]) == ("open", found["position"])
    assert told["opportunity"]["guaranteed_profit_minor"] == found["guaranteed_profit_minor"]


def test_prices_of_the_first_half_are_compared_among_themselves(
    nats: NatsServer, market: Market, operator: Client
) -> None:
    fixture = operator.get(f"/v1/markets/{market.market_id}").ok()["fixture"]
    named = ("fixture_id", "sport", "competition", "name", "starts_at", "home", "away")
    half = Market(operator, period="first_half", fixture={name: fixture[name] for name in named})
    publish_now(
        nats,
        market.message("alpha", home="2.5", draw="3.2", away="2.9"),
        half.message("beta", home="3.1", draw="3.6", away="3.2"),
        half.message("gamma", away="3.3", home="1.9"),
        half.message("delta", draw="3.7"),
    )
    until(lambda: len(half.arbitrages(active=True)) == 1)
    (found,) = half.arbitrages()
    assert {leg["market_id"] for leg in found["legs"]} == {half.market_id}
    publish_now(nats, half.message("beta", home="2.0"))
    until(lambda: not half.arbitrages(active=True))
    assert len(half.arbitrages()) == 1


def test_it_ends_when_a_price_moves(nats: NatsServer, market: Market) -> None:
    found = open_arbitrage(nats, market)
    publish_now(nats, market.message("beta", draw="3.2"))
    until(lambda: not market.arbitrages(active=True))
    (ended,) = market.arbitrages(active=False)
    assert ended["opportunity_id"] == found["opportunity_id"]
    assert (ended["status"], ended["end_reason"]) == ("closed", "price_moved")


def test_it_ends_when_a_price_is_withdrawn(nats: NatsServer, market: Market) -> None:
    open_arbitrage(nats, market)
    publish_now(nats, market.message("gamma", away=None))
    until(lambda: not market.arbitrages(active=True))
    until(lambda: ("gamma", "away") not in market.prices())


def test_it_ends_when_its_market_takes_no_bets(
    nats: NatsServer, market: Market, operator: Client
) -> None:
    open_arbitrage(nats, market)
    operator.post(f"/v1/markets/{market.market_id}/suspend").ok()
    until(lambda: not market.arbitrages(active=True))
    assert market.arbitrages(active=False)[0]["end_reason"] == "not_open"
    operator.post(f"/v1/markets/{market.market_id}/resume").ok()
    until(lambda: len(market.arbitrages(active=True)) == 1)


def test_it_ends_when_nobody_repeats_a_price(nats: NatsServer, market: Market) -> None:
    publish_now(
        nats,
        market.message("alpha", home="2.5", draw="3.2", away="2.9"),
        market.message("beta", home="2.4", draw="3.6", away="2.8"),
        market.message("hasty", home="2.3", draw="3.1", away="3.2"),
    )
    # They are 4 seconds old then.
    until(lambda: len(market.arbitrages(active=False)) == 1, 30)
    assert market.arbitrages(active=False)[0]["end_reason"] == "expired"


def test_it_ends_also_when_the_price_stream_was_made_anew(nats: NatsServer, market: Market) -> None:
    async def make_it_anew() -> None:
        async with streams(nats.url) as jetstream:
            await jetstream.delete_stream("ODDS")

    found = open_arbitrage(nats, market)
    asyncio.run(make_it_anew())
    publish_now(nats, market.message("beta", draw="3.2"))
    until(lambda: not market.arbitrages(active=True))
    (ended,) = market.arbitrages()
    assert (ended["opportunity_id"], ended["status"]) == (found["opportunity_id"], "closed")


def is_kept(market: Market, bookmaker: str) -> bool:
    """Tell whether the log has a price of a bookmaker."""
    history = market.operator.get(
        f"/v1/markets/{market.market_id}/odds/history", bookmaker=bookmaker
    )
    return bool(history.ok()["items"])


@pytest.mark.parametrize("late", [{"home": "2.4"}, {}, {"draw": None}])
def test_a_message_that_says_nothing_new_disturbs_nobody(
    nats: NatsServer, market: Market, operator: Client, late: dict[str, str | None]
) -> None:
    other = Market(operator)
    publish_now(nats, market.message("alpha", home="2.5"))
    until(lambda: is_kept(market, "alpha"))
    publish_now(nats, market.message("alpha", seconds_ago=10, **late))
    publish_now(nats, other.message("alpha", home="2.6"))
    until(lambda: is_kept(other, "alpha"))
    assert market.prices() == {("alpha", "home"): 2.5}


@pytest.mark.parametrize("bookmaker", ["a\0b", "", "a\nb", "a" * 101])
def test_a_bookmaker_that_has_no_name_is_a_dead_letter(
    nats: NatsServer, market: Market, bookmaker: str
) -> None:
    named = market.message(bookmaker, home="9.5")
    publish_now(nats, named, market.message("beta", home="2.6"))
    until(lambda: is_kept(market, "beta"))

    async def dead_letters() -> list[bytes]:
        async with streams(nats.url) as jetstream:
            return [each.data for each in await stored(jetstream, "DEAD")]

    until(lambda: encode_message(named) in asyncio.run(dead_letters()))
    assert market.prices() == {("beta", "home"): 2.6}


def test_an_exchange_keeps_its_commission(nats: NatsServer, market: Market) -> None:
    # Backed at 2.2 and laid at 2.18, there would be a profit but for the 2% on the lay's winnings.
    publish_now(nats, market.message("alpha", home="2.2"))
    lay = msgspec.structs.replace(
        market.message("exchange"), quotes=(QuoteLine("home", Decimal("2.18"), "lay"),)
    )
    publish_now(nats, lay)
    better = msgspec.structs.replace(
        market.message("exchange"), quotes=(QuoteLine("home", Decimal("2.12"), "lay"),)
    )
    publish_now(nats, better)
    until(lambda: len(market.arbitrages(active=True)) == 1)
    (found,) = market.arbitrages(active=True)
    assert found["kind"] == "back_lay"
    assert {leg["side"]: leg["odds"] for leg in found["legs"]} == {"back": 2.2, "lay": 2.12}


def test_prices_posted_over_http_are_compared_too(
    nats: NatsServer, market: Market, operator: Client
) -> None:
    publish_now(
        nats,
        market.message("alpha", home="2.5", draw="3.2", away="2.9"),
        market.message("beta", home="2.4", draw="3.6", away="2.8"),
    )
    quote = {
        "bookmaker": "Gamma Bet",
        "market_id": market.market_id,
        "selection_id": "away",
        "odds": 3.2,
        "at": datetime.now(UTC).isoformat(),
    }
    posted = operator.post("/v1/odds", {"quotes": [quote]}).ok(201)
    until(lambda: len(market.arbitrages(active=True)) == 1)
    (found,) = market.arbitrages(active=True)
    assert "Gamma Bet" in {leg["bookmaker"] for leg in found["legs"]}
    # What the ledger had already is not kept a second time.
    history = operator.pages(
        f"/v1/markets/{market.market_id}/odds/history", limit=100, bookmaker="Gamma Bet"
    )
    assert [each["position"] for each in history] == [posted["position"]]


def test_a_price_that_is_only_repeated_is_kept_once(
    nats: NatsServer, market: Market, operator: Client
) -> None:
    publish_now(nats, *(market.message("alpha", seconds_ago=n, home="2.5") for n in (3, 2, 1)))
    publish_now(nats, market.message("alpha", home="2.6"))
    path = f"/v1/markets/{market.market_id}/odds/history"
    until(lambda: len(operator.pages(path, limit=100)) == 2)
    assert [each["odds"] for each in operator.pages(path, limit=100)] == [2.5, 2.6]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"market_id": UUID(int=(4 << 76) + 99)}, "market_not_found"),
        ({"fixture_id": UUID(int=(4 << 76) + 98)}, "is not of fixture"),
        ({"at": datetime(2100, 1, 1, tzinfo=UTC)}, "future"),
        ({"quotes": (QuoteLine("home", Decimal("0.5")),)}, "odds must be above 1"),
        ({"quotes": (QuoteLine("home", Decimal("1e9")),)}, "odds must be above 1"),
        ({"quotes": (QuoteLine("home", Decimal("2.0001")),)}, "3 decimals"),
        ({"quotes": (QuoteLine("nobody", Decimal(2)),)}, "no selection"),
    ],
    ids=["no such market", "another fixture", "future", "0.5", "1e9", "4 decimals", "a stranger"],
)
def test_what_cannot_be_meant_is_kept_apart_with_the_reason(
    nats: NatsServer, market: Market, change: dict[str, Any], reason: str
) -> None:
    wrong = msgspec.structs.replace(market.message("alpha", home="2.5"), **change)

    async def letters() -> list[str]:
        async with streams(nats.url) as jetstream:
            return [
                (each.header or {})["Fairbook-Reason"] for each in await stored(jetstream, "DEAD")
            ]

    before = len(asyncio.run(letters()))
    publish_now(nats, wrong, market.message("beta", home="2.0"))
    until(lambda: len(asyncio.run(letters())) == before + 1)
    assert reason in asyncio.run(letters())[-1]
    until(lambda: market.prices() == {("beta", "home"): 2.0})


@pytest.mark.parametrize(
    "payload", [b"", b"junk", b"\xff\xfe", b"[]", b"{}", b'{"odds": NaN}', b"[" * 100_000]
)
def test_what_is_no_message_harms_nobody(nats: NatsServer, market: Market, payload: bytes) -> None:
    async def send() -> int:
        async with streams(nats.url) as jetstream:
            before = len(await stored(jetstream, "DEAD"))
            await jetstream.publish(f"odds.x.{an_id()}.{market.market_id}", payload)
            return before

    async def letters() -> int:
        async with streams(nats.url) as jetstream:
            return len(await stored(jetstream, "DEAD"))

    before = asyncio.run(send())
    until(lambda: asyncio.run(letters()) == before + 1)
    publish_now(nats, market.message("alpha", home="2.5"))
    until(lambda: market.prices() == {("alpha", "home"): 2.5})


def test_a_market_that_was_quoted_before_it_opened_takes_posted_prices_at_once(
    nats: NatsServer, operator: Client, market: Market
) -> None:
    market_id = an_id()
    early = msgspec.structs.replace(
        market.message("alpha", home="2.5"), market_id=UUID(market_id), fixture_id=UUID(an_id())
    )

    async def letters() -> list[bytes]:
        async with streams(nats.url) as jetstream:
            return [each.data for each in await stored(jetstream, "DEAD")]

    publish_now(nats, early)
    until(lambda: encode_message(early) in asyncio.run(letters()))
    operator.market(market_id=market_id)
    posted = {
        "bookmaker": "alpha",
        "market_id": market_id,
        "selection_id": "home",
        "odds": 2.5,
        "at": datetime.now(UTC).isoformat(),
    }
    operator.post("/v1/odds", {"quotes": [posted]}).ok(201)

    async def published() -> list[QuoteMessage]:
        async with streams(nats.url) as jetstream:
            every = await stored(jetstream, "ODDS")
        return [
            decode_message(each.data)
            for each in every
            if each.subject.endswith(market_id) and each.data != encode_message(early)
        ]

    until(lambda: [each.feed for each in asyncio.run(published())] == [LEDGER_FEED])


def test_a_market_that_is_over_is_forgotten_and_a_late_price_harms_nobody(
    nats: NatsServer, operator: Client, market: Market
) -> None:
    publish_now(nats, market.message("alpha", home="2.5"))
    until(lambda: market.prices() == {("alpha", "home"): 2.5})
    operator.post(f"/v1/markets/{market.market_id}/close").ok()
    operator.post(f"/v1/markets/{market.market_id}/result", {"score": {"home": 1, "away": 0}}).ok(
        202
    )
    publish_now(nats, market.message("alpha", seconds_ago=30, home="2.4"))
    other = Market(operator)
    publish_now(nats, other.message("alpha", home="2.6"))
    until(lambda: other.prices() == {("alpha", "home"): 2.6})
    assert market.prices() == {("alpha", "home"): 2.5}


# ---- the operator's file


def settings(**variables: str) -> Settings:
    return Settings.from_environment(variables)


def test_without_a_file_the_usual_thresholds_hold() -> None:
    thresholds = thresholds_of(settings(FAIRBOOK_QUOTE_MAX_AGE="betfair=3"))
    assert thresholds.min_margin == 0
    assert thresholds.max_ages.seconds("betfair") == 3


def test_the_file_says_what_an_arbitrage_must_be_worth(tmp_path: Path) -> None:
    file = tmp_path / "arbitrage.toml"
    file.write_text(THRESHOLDS)
    thresholds = thresholds_of(settings(FAIRBOOK_ARBITRAGE=str(file)))
    assert thresholds.min_margin == Decimal("0.001")
    assert thresholds.terms("exchange").commission == Decimal("0.02")
    assert thresholds.terms("alpha").commission == 0


@pytest.mark.parametrize(
    "text", ["min_margn = 1", "min_margin = 'x'", "= 1", "[bookmakers.x]\ncommision = 0.1"]
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str) -> None:
    file = tmp_path / "arbitrage.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"arbitrage\.toml cannot be used"):
        thresholds_of(settings(FAIRBOOK_ARBITRAGE=str(file)))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match="FAIRBOOK_ARBITRAGE"):
        settings(FAIRBOOK_ARBITRAGE="/nowhere/arbitrage.toml")
