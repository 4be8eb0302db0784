"""Prices and arbitrages over HTTP: sides, withdrawals, staleness, series, closing-line value, the live board."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from adapters.embedded import EmbeddedServers
from adapters.valkey.board import ValkeyBoard
from domain.actors import PRICE_HANDLER
from domain.commands.arbitrage import ArbitrageChange, RecordArbitrages
from domain.events.odds import Quote
from domain.ids import derived_id
from tests.api.goldens import Golden
from tests.application.desk import a_desk
from tests.builders import opportunity
from tests.service import Client, Json, People, Service, an_id, market_body


def quote(market: str, odds: float, hour: int = 10, **more: Any) -> dict[str, Any]:
    at = f"2024-01-01T{hour:02}:00:00Z"
    body = {"bookmaker": "b", "market_id": market, "selection_id": "home", "odds": odds, "at": at}
    return body | more


def record(operator: Client, *quotes: dict[str, Any]) -> int:
    position: int = operator.post("/v1/odds", {"quotes": list(quotes)}).ok(201)["position"]
    return position


def board(client: Client, market: str, after: int | None = None) -> Json:
    query = {} if after is None else {"after": after}
    return client.get(f"/v1/markets/{market}/odds", **query).ok()


# ---- prices


def test_backs_and_lays_are_prices_apart(operator: Client) -> None:
    market = operator.market()
    now = datetime.now(UTC).isoformat()
    last = record(
        operator,
        quote(market, 2.5, at=now),
        quote(market, 2.52, side="lay", at=now),
        quote(market, 2.6, bookmaker="c", at=now),
    )
    shown = board(operator, market, last)
    assert [(p["bookmaker"], p["side"], p["odds"]) for p in shown["items"]] == [
        ("b", "back", 2.5),
        ("b", "lay", 2.52),
        ("c", "back", 2.6),
    ]
    assert [(b["side"], b["bookmaker"], b["odds"]) for b in shown["best"]] == [
        ("back", "c", 2.6),
        ("lay", "b", 2.52),
    ]
    assert all(0 <= p["age_seconds"] < 60 and not p["stale"] for p in shown["items"])


def test_a_withdrawn_price_is_gone_and_an_older_quote_does_not_bring_it_back(
    operator: Client,
) -> None:
    market = operator.market()
    record(operator, quote(market, 2.5, 10))
    last = record(operator, quote(market, 2.5, 12, withdrawn=True))
    assert board(operator, market, last)["items"] == []
    last = record(operator, quote(market, 2.4, 11))
    assert board(operator, market, last)["items"] == []
    path = f"/v1/markets/{market}/odds/history"
    history = operator.get(path, after=last).ok()["items"]
    assert [(q["odds"], q["withdrawn"]) for q in history] == [
        (2.5, False),
        (2.4, False),
        (2.5, True),
    ]


def test_a_market_is_found_by_its_fixture_as_soon_as_it_is_open(operator: Client) -> None:
    for _ in range(20):
        opened = operator.post("/v1/markets", market_body()).ok(201)
        named = quote("", 2.5) | {"fixture_id": opened["fixture_id"], "type": "1X2"}
        del named["market_id"]
        last = record(operator, named)
        assert len(board(operator, opened["market_id"], last)["items"]) == 1


def test_a_price_of_a_fixture_is_none_of_its_first_half(operator: Client) -> None:
    half = operator.post("/v1/markets", market_body(period="first_half")).ok(201)
    fixture = market_body()["fixture"] | {"fixture_id": half["fixture_id"]}
    named = quote("", 2.5) | {"fixture_id": half["fixture_id"], "type": "1X2"}
    del named["market_id"]
    operator.post("/v1/odds", {"quotes": [named]}).problem(404, "market_not_found")
    whole = operator.market(fixture=fixture)
    last = record(operator, named)
    assert len(board(operator, whole, last)["items"]) == 1
    assert board(operator, half["market_id"], last)["items"] == []


def test_a_withdrawn_house_price_takes_no_bet(trader: Client, operator: Client) -> None:
    account, market = trader.account(1_000), operator.market(pricing="house")
    record(operator, quote(market, 2, 10, bookmaker="house"))
    trader.bet(account, market, odds=2).ok(201)
    record(operator, quote(market, 2, 12, bookmaker="house", withdrawn=True))
    trader.bet(account, market, odds=1.5).problem(422, "price_changed")
    record(operator, quote(market, 2, 11, bookmaker="house"))
    trader.bet(account, market, odds=1.5).problem(422, "price_changed")


def test_a_side_is_back_or_lay(operator: Client) -> None:
    body = {"quotes": [quote(operator.market(), 2, side="both")]}
    assert operator.post("/v1/odds", body).problem(400)["errors"][0]["field"] == "quotes[0].side"


def test_history_is_filtered_by_bookmaker_selection_and_side(operator: Client) -> None:
    market = operator.market()
    last = record(
        operator,
        quote(market, 2.1, 10),
        quote(market, 2.2, 11, bookmaker="c"),
        quote(market, 2.3, 12, selection_id="away"),
        quote(market, 2.4, 13, side="lay"),
    )
    path = f"/v1/markets/{market}/odds/history"

    def odds(**query: Any) -> list[float]:
        return [q["odds"] for q in operator.get(path, after=last, **query).ok()["items"]]

    assert odds(bookmaker="c") == [2.2]
    assert odds(selection_id="home") == [2.1, 2.2, 2.4]
    assert odds(side="lay") == [2.4]
    assert odds(bookmaker="b", selection_id="home", side="back") == [2.1]
    assert odds(bookmaker="nobody") == []
    operator.get(path, side="both").problem(400)
    operator.get(path, bookmaker="").problem(400)


def test_a_series_has_open_high_low_and_close_of_every_interval(operator: Client) -> None:
    market = operator.market()
    minutes = [(0, 2.5), (10, 2.8), (20, 2.1), (30, 2.4), (60, 3.0), (185, 3.5), (186, 9.0)]
    quotes = [
        quote(market, odds, at=f"2024-01-01T{10 + m // 60}:{m % 60:02}:00Z", withdrawn=m == 186)
        for m, odds in minutes
    ]
    other = quote(market, 4, 10, bookmaker="a")
    last = record(operator, *reversed(quotes), other)
    path = f"/v1/markets/{market}/odds/series"
    answer = operator.get(path, after=last, interval=3600)
    assert b'"open":2.5,"high":2.8,"low":2.1,"close":2.4,' in answer.content
    rows = answer.ok()["items"]
    shown = [
        (r["bookmaker"], r["start"][11:13], r["open"], r["high"], r["low"], r["close"], r["quotes"])
        for r in rows
    ]
    assert shown == [
        ("a", "10", 4, 4, 4, 4, 1),
        ("b", "10", 2.5, 2.8, 2.1, 2.4, 4),
        ("b", "11", 3, 3, 3, 3, 1),
        ("b", "13", 3.5, 3.5, 3.5, 3.5, 1),
    ]
    for limit in (1, 2, 3, 500):
        assert operator.pages(path, limit, interval=3600) == rows
    assert operator.get(path, interval=3600, bookmaker="a").ok()["items"] == rows[:1]
    half = {"from_": "2024-01-01T10:15:00Z", "to": "2024-01-01T11:00:00Z"}
    (part,) = operator.get(path, interval=3600, **half).ok()["items"]
    assert (part["open"], part["close"], part["quotes"]) == (2.1, 2.4, 2)
    assert len(operator.get(path).ok()["items"]) == 7
    for wrong in (0, -1, 86_401, "x"):
        problem = operator.get(path, interval=wrong).problem(400)
        assert [each["field"] for each in problem["errors"]] == ["interval"]
    operator.get(f"/v1/markets/{an_id()}/odds/series").problem(404, "market_not_found")


# ---- the live board


def test_prices_that_are_younger_than_the_log_are_shown_from_valkey(
    servers: EmbeddedServers, operator: Client
) -> None:
    market = operator.market()
    last = record(operator, quote(market, 2.5, 10), quote(market, 2.6, 10, bookmaker="c"))
    at = datetime.now(UTC) - timedelta(seconds=1)

    async def put(*quotes: Quote) -> None:
        async with ValkeyBoard(servers.urls.redis) as cache:
            await cache.put({UUID(market): quotes})

    assert len(board(operator, market, last)["items"]) == 2
    asyncio.run(put(Quote("b", "home", Decimal("2.4"), at), Quote("d", "home", Decimal(3), at)))
    shown = board(operator, market)["items"]
    assert [(p["bookmaker"], p["odds"], p["position"]) for p in shown] == [
        ("b", 2.4, None),
        ("c", 2.6, last),
        ("d", 3, None),
    ]
    # Whoever names a position wants what the log says.
    assert [p["odds"] for p in board(operator, market, last)["items"]] == [2.5, 2.6]
    asyncio.run(put(Quote("b", "home", Decimal("2.4"), at, withdrawn=True)))
    assert [p["odds"] for p in board(operator, market)["items"]] == [2.6, 3]


def test_a_live_price_makes_no_market(servers: EmbeddedServers, operator: Client) -> None:
    market = an_id()

    async def put() -> None:
        async with ValkeyBoard(servers.urls.redis) as cache:
            await cache.put({UUID(market): [Quote("b", "home", Decimal(2), datetime.now(UTC))]})

    asyncio.run(put())
    operator.get(f"/v1/markets/{market}/odds").problem(404, "market_not_found")


# ---- closing prices


def test_a_bet_has_a_closing_line_value_once_its_market_is_closed(people: People) -> None:
    trader, operator = people.trader(), people.operator
    golden = Golden(trader.user, "olga", "aud")
    market = operator.market()
    body = {"currency": "EUR", "name": "x", "held_at": "Betfair"}
    account = trader.post("/v1/accounts", body).ok(201)["account_id"]
    trader.deposit(account, 1_000).ok(201)
    bet = trader.bet(account, market, 100, odds=2.5).ok(201)
    path = f"/v1/markets/{market}/odds/closing"
    closing = operator.get(path, after=bet["position"]).ok()
    assert closing == {"items": [], "lines": []}
    record(
        operator,
        quote(market, 2.4, bookmaker="betfair"),
        quote(market, 2.2, bookmaker="pinnacle", closing=True),
        quote(market, 3.3, bookmaker="pinnacle", selection_id="draw"),
        quote(market, 3.5, bookmaker="pinnacle", selection_id="away"),
    )
    leg = trader.get(f"/v1/bets/{bet['bet_id']}", after=bet["position"]).ok()["legs"][0]
    assert (leg["clv"], leg["clv_fair"], leg["closing_odds"]) == (None, None, None)
    last = operator.post(f"/v1/markets/{market}/close").ok()["position"]
    golden.check("odds_closing", trader.get(path, after=last))
    shown = golden.check("bet_closed", trader.get(f"/v1/bets/{bet['bet_id']}", after=last))
    assert (shown["legs"][0]["closing_bookmaker"], shown["legs"][0]["clv"]) == ("betfair", 0.041667)
    (listed,) = trader.get("/v1/bets", market_id=market, after=last).ok()["items"]
    assert listed == shown
    operator.get(f"/v1/markets/{an_id()}/odds/closing").problem(404, "market_not_found")


# ---- arbitrages


FIXTURE = an_id()
ONE, TWO = (derived_id(f"arbitrage:{FIXTURE}:{n}") for n in (1, 2))


@pytest.fixture(scope="module")
def recorded(service: Service) -> int:
    """What the price handler has recorded, as a process beside the API: one open, one closed. Gives the position."""
    one = opportunity(10, "0.0123", fixture_id=UUID(FIXTURE))
    two = opportunity(11, "0.2", fixture_id=UUID(FIXTURE), kind="middle")
    changes = (
        ArbitrageChange(ONE, 10, opportunity=one),
        ArbitrageChange(TWO, 11, opportunity=two),
        ArbitrageChange(TWO, 12, ended="price_moved"),
    )

    async def tell() -> int:
        async with a_desk(service.database_url) as desk:
            done = await desk.ask(RecordArbitrages(changes=changes), PRICE_HANDLER)
        return int(done["position"])

    return asyncio.run(tell())


def test_arbitrages_are_listed_and_read(people: People, recorded: int) -> None:
    trader = people.trader()
    golden = Golden(trader.user)
    listed = trader.get("/v1/arbitrage", after=recorded, fixture_id=FIXTURE)
    golden.check("arbitrages", listed)
    golden.check("arbitrage", trader.get(f"/v1/arbitrage/{TWO}"))

    def found(**query: Any) -> list[Json]:
        items = trader.get("/v1/arbitrage", fixture_id=FIXTURE, **query).ok()["items"]
        return [UUID(each["opportunity_id"]) for each in items]

    assert found() == [TWO, ONE]
    assert found(active="true") == [ONE]
    assert found(active="false") == [TWO]
    assert found(min_margin="0.1") == [TWO]
    assert found(min_margin="0.0123") == [TWO, ONE]
    assert found(kind="two_way") == [ONE]
    assert trader.get("/v1/arbitrage", fixture_id=an_id()).ok()["items"] == []
    pages = trader.pages("/v1/arbitrage", 1, fixture_id=FIXTURE)
    assert [UUID(each["opportunity_id"]) for each in pages] == [TWO, ONE]


def test_statistics_of_arbitrages_by_day_and_kind(trader: Client, recorded: int) -> None:
    path = "/v1/arbitrage/statistics"
    days = trader.get(path, after=recorded).ok()["items"]
    of_kind = {day["kind"]: day for day in days}
    assert of_kind["middle"]["closed"] >= 1
    assert of_kind["middle"]["median_seconds"] >= 0
    assert of_kind["two_way"]["opportunities"] >= 1
    assert [(d["day"], d["kind"]) for d in trader.pages(path, 1)] == [
        (d["day"], d["kind"]) for d in days
    ]
    assert trader.get(path, to="2001-01-01T00:00:00Z").ok()["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"min_margin": "nan"}, "min_margin"),
        ({"min_margin": "x"}, "min_margin"),
        ({"min_margin": "1e999999999"}, "min_margin"),
        ({"active": "perhaps"}, "active"),
        ({"kind": "three_way"}, "kind"),
        ({"fixture_id": "x"}, "fixture_id"),
        ({"cursor": "x"}, "cursor"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(
    trader: Client, query: dict[str, str], field: str
) -> None:
    refused = trader.get("/v1/arbitrage", **query)
    assert refused.status in {400, 422}, refused
    assert refused.fields == {field}


def test_an_unknown_arbitrage_does_not_exist(trader: Client) -> None:
    trader.get(f"/v1/arbitrage/{an_id()}").problem(404, "opportunity_not_found")
