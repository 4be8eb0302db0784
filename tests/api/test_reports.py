"""Reports and exposure over HTTP: who sees what, and that figures add up."""

from typing import Any

import pytest

from tests.service import Client, Json, People, a_name, an_id, market_body

OVER_UNDER = [{"selection_id": "over", "name": "o"}, {"selection_id": "under", "name": "u"}]
SIDES = [{"selection_id": "home", "name": "h"}, {"selection_id": "away", "name": "a"}]
QUOTED = "2024-01-01T10:00:00Z"


def _settle(operator: Client, market: str, home: int, away: int) -> int:
    score = {"score": {"home": home, "away": away}}
    operator.post(f"/v1/markets/{market}/result", score).ok(202)
    operator.settled(market)
    position: int = operator.get(f"/v1/markets/{market}").ok()["position"]
    return position


def _some_results(people: People) -> tuple[Client, str, int]:
    """A trader who won 150 and lost 50 and 30, by account and position."""
    trader, operator = people.trader(), people.operator
    opened = trader.post(
        "/v1/accounts", {"currency": "GBP", "name": "x", "held_at": "Blue Bet"}
    ).ok(201)
    account = opened["account_id"]
    trader.deposit(account, 1_000).ok(201)
    last = 0
    for stakes, score in (((100, 50), (1, 0)), ((30,), (0, 1))):
        market = operator.market()
        for stake, selection in zip(stakes, ("home", "away"), strict=False):
            trader.bet(account, market, stake, selection_id=selection).ok(201)
        last = _settle(operator, market, *score)
    return trader, account, last


def test_performance_is_read_by_what_is_asked(people: People) -> None:
    trader, account, last = _some_results(people)
    (row,) = trader.get("/v1/reports/performance", by="account", after=last).ok()["items"]
    assert row["group"] | {"account_id": account} == row["group"]
    figures = {name: row[name] for name in ("bets", "won", "lost", "void", "part_won")}
    assert figures == {"bets": 3, "won": 1, "lost": 2, "void": 0, "part_won": 0}
    assert (row["turnover_minor"], row["return_minor"], row["profit_minor"]) == (180, 250, 70)
    assert (row["yield"], row["win_rate"]) == (0.388889, 0.333333)
    assert (row["average_odds"], row["clv"], row["clv_bets"]) == (2.5, None, 0)
    several = trader.get("/v1/reports/performance?by=sport&by=bookmaker&by=market_type").ok()
    (row,) = several["items"]
    shown = {name: value for name, value in row["group"].items() if value is not None}
    assert shown == {"sport": "football", "bookmaker": "Blue Bet", "market_type": "1X2"}
    for by in ("owner", "competition", "kind", "day"):
        (row,) = trader.get("/v1/reports/performance", by=by).ok()["items"]
        assert (row["bets"], row["profit_minor"]) == (3, 70)
    assert trader.get("/v1/reports/performance", sport="chess").ok()["items"] == []
    assert trader.get("/v1/reports/performance", from_="2999-01-01").ok()["items"] == []
    assert trader.get("/v1/reports/performance", to="2000-01-01").ok()["items"] == []


def test_reports_come_in_pages(people: People) -> None:
    trader, _, last = _some_results(people)
    everybody = people.auditor.get(
        "/v1/reports/performance?by=owner&by=account", limit=500, after=last
    ).ok()["items"]
    assert people.auditor.pages("/v1/reports/performance?by=owner&by=account", 1) == everybody
    cursor = trader.get("/v1/reports/curve", interval="bet", limit=2).ok()["next_cursor"]
    rest = trader.get("/v1/reports/curve", interval="bet", limit=2, cursor=cursor).ok()
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)
    page = trader.get("/v1/reports/performance?by=owner&by=account", cursor=cursor)
    page.problem(422, "invalid_input")


def test_the_curve_shows_running_profit_and_drawdown(people: People) -> None:
    trader, account, last = _some_results(people)
    by_bet = trader.get("/v1/reports/curve", account_id=account, interval="bet", after=last).ok()
    assert sorted(each["profit_minor"] for each in by_bet["items"]) == [-50, -30, 150]
    running = [each["running_minor"] for each in by_bet["items"]]
    assert running[-1] == 70
    (total,) = by_bet["totals"]
    assert (total["currency"], total["points"], total["profit_minor"]) == ("GBP", 3, 70)
    assert total["peak_minor"] == max(0, *running)
    assert total["max_drawdown_minor"] == max(e["drawdown_minor"] for e in by_bet["items"]) > 0
    (day,) = trader.get("/v1/reports/curve", after=last).ok()["items"]
    assert (day["bets"], day["running_minor"], day["bet_id"]) == (3, 70, None)


def test_traders_see_their_own_reports_alone(people: People) -> None:
    trader, account, last = _some_results(people)
    mallory = people.trader()
    for query in ({}, {"owner": trader.user}, {"account_id": account}):
        shown = mallory.get("/v1/reports/performance", after=last, **query).ok()
        assert shown == {"items": [], "next_cursor": None}
        curve = mallory.get("/v1/reports/curve", interval="bet", after=last, **query).ok()
        assert (curve["items"], curve["totals"]) == ([], [])
    for reader in (people.auditor, people.operator):
        (row,) = reader.get("/v1/reports/performance", owner=trader.user, by="owner").ok()["items"]
        assert (row["group"]["owner"], row["profit_minor"]) == (trader.user, 70)
        assert reader.get("/v1/reports/curve", owner=trader.user).ok()["totals"]
    people.auditor.get("/v1/reports/curve", interval="bet").problem(422, "invalid_input")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("by", "colour"),
        ("from", "yesterday"),
        ("to", "2024-13-01"),
        ("account_id", "x"),
    ],
)
def test_a_bad_question_names_its_field(people: People, name: str, value: str) -> None:
    answer = people.auditor.ask("GET", f"/v1/reports/performance?{name}={value}")
    assert answer.status in {400, 422}, answer
    assert name in answer.fields


# ---- exposure


def _exposure(reader: Client, address: str, **query: Any) -> Json:
    (currency,) = reader.get(address, **query).ok()["currencies"]
    return currency


def test_a_market_with_a_line_shows_its_exposure_in_each_state(people: People) -> None:
    trader, operator = people.trader(), people.operator
    account = trader.account(10_000)
    market = operator.market(type="AH", line=-0.25, selections=SIDES)
    trader.bet(account, market, 100, odds=2).ok(201)
    last = trader.bet(account, market, 60, odds=3, selection_id="away").ok(201)["position"]
    shown = _exposure(operator, f"/v1/markets/{market}/exposure", after=last)
    # Home −0.25: a draw loses half of it, and wins half of the other side.
    profits = {each["state"]: each["profit_minor"] for each in shown["states"]}
    assert profits == {"home": 160 - 200, "draw": 160 - 50 - (30 + 90), "away": 160 - 180}
    assert (shown["worst_case_minor"], shown["best_case_minor"]) == (-40, -10)
    least = {each["selection_id"]: each["house_profit_minor"] for each in shown["outcomes"]}
    assert least == {"home": -40, "away": -20}
    assert shown["expected_profit_minor"] is None


def test_a_fixture_is_exposed_over_all_of_its_markets(people: People) -> None:
    trader, operator = people.trader(), people.operator
    account, fixture_id = trader.account(10_000), an_id()
    fixture = market_body()["fixture"] | {"fixture_id": fixture_id}
    result = operator.market(fixture=fixture)
    totals = operator.market(fixture=fixture, type="OU", line=2.5, selections=OVER_UNDER)
    place = operator.market(fixture=fixture, type="PLACE")
    trader.bet(account, result, 100, odds=3).ok(201)
    trader.bet(account, totals, 100, odds=2, selection_id="over").ok(201)
    last = trader.bet(account, place, 10, odds=5).ok(201)["position"]
    quotes = [
        {"bookmaker": "b", "market_id": market, "selection_id": name, "odds": odds, "at": QUOTED}
        for market, name, odds in (
            (result, "home", 2),
            (result, "draw", 4),
            (result, "away", 4),
            (totals, "over", 1.9),
        )
    ]
    last = operator.post("/v1/odds", {"quotes": quotes}).ok(201)["position"]
    shown = _exposure(operator, f"/v1/fixtures/{fixture_id}/exposure", after=last)
    assert (shown["bets"], shown["stake_minor"], shown["joint"]) == (3, 210, True)
    assert (shown["worst_case_minor"], shown["best_case_minor"]) == (200 - 300 - 200, 200)
    # A home win pays 300 with probability one half; of the total, one price says nothing.
    assert (shown["expected_profit_minor"], shown["expected_bets"]) == (100 - 150, 1)
    assert shown["left_out"] == {"bets": 1, "stake_minor": 10, "potential_return_minor": 50}
    assert shown["worst_case_with_others_minor"] == -300 - 40
    assert shown["states"][0]["profit_minor"] == -300
    assert [part["market_id"] for part in shown["markets"]] == sorted([result, totals, place])
    assert {state["profit_minor"] for state in shown["states"]} == {-300, -100, 0, 200}
    operator.get(f"/v1/fixtures/{an_id()}/exposure").problem(404, "fixture_not_found")


def test_a_first_half_is_not_compared_with_the_whole(people: People) -> None:
    trader, operator = people.trader(), people.operator
    account, fixture_id = trader.account(10_000), an_id()
    fixture = market_body()["fixture"] | {"fixture_id": fixture_id}
    whole, half = (
        operator.market(fixture=fixture),
        operator.market(fixture=fixture, period="first_half"),
    )
    trader.bet(account, whole, 100, odds=3).ok(201)
    last = trader.bet(account, half, 100, odds=2, selection_id="away").ok(201)["position"]
    shown = _exposure(operator, f"/v1/fixtures/{fixture_id}/exposure", after=last)
    # One side may lead at half time, and the other win.
    assert (shown["joint"], shown["worst_case_minor"], shown["best_case_minor"]) == (
        False,
        -300,
        200,
    )
    own = trader.get(f"/v1/accounts/{account}/exposure", after=last).ok()
    assert (own["worst_case_minor"], own["best_case_minor"]) == (-200, 300)


def test_what_no_state_holds_is_bounded(people: People) -> None:
    trader, operator = people.trader(), people.operator
    account, market, other = trader.account(10_000), operator.market(), operator.market()
    trader.bet(account, market, 100, odds=3).ok(201)
    legs = [
        {"market_id": each, "selection_id": "away", "odds": odds}
        for each, odds in ((market, 2), (other, 2.5))
    ]
    body = {"account_id": account, "kind": "accumulator", "legs": legs, "stake_minor": 10}
    trader.post("/v1/bets", body).ok(201)
    lay = {"account_id": account, "side": "lay", "legs": [legs[0]], "stake_minor": 40}
    trader.post("/v1/bets", lay).ok(201)
    body = {"account_id": account, "legs": [legs[0] | {"odds": "SP"}], "stake_minor": 7}
    last = trader.post("/v1/bets", body).ok(201)["position"]
    shown = _exposure(operator, f"/v1/markets/{market}/exposure", after=last)
    # A lay of 40 at 2 stakes 40 to win 40 unless the away side wins.
    profits = {each["state"]: each["profit_minor"] for each in shown["states"]}
    assert profits == {"home": 140 - 300 - 80, "draw": 140 - 80, "away": 140}
    others = shown["others"]
    assert (others["bets"], others["stake_minor"]) == (2, 17)
    bound = others["potential_return_minor"] - others["stake_minor"]
    assert others["potential_return_minor"] >= 50
    assert shown["worst_case_with_others_minor"] == shown["worst_case_minor"] - bound
    (away,) = [each for each in shown["outcomes"] if each["selection_id"] == "away"]
    lays = (away["lay_bets"], away["lay_stake_minor"], away["lay_potential_return_minor"])
    assert lays == (1, 40, 80)
    own = trader.get(f"/v1/accounts/{account}/exposure", after=last).ok()
    assert (own["bets"], own["open_stake_minor"]) == (4, 157)
    assert own["worst_case_minor"] == -140 - 17
    for each in (market, other):
        last = _settle(operator, each, 0, 1)
    shown = _exposure(operator, f"/v1/markets/{market}/exposure", after=last)
    assert (shown["bets"], shown["others"]["bets"]) in {(0, 1), (0, 0)}


def test_an_account_is_exposed_over_its_open_bets(people: People) -> None:
    trader, operator = people.trader(), people.operator
    account, market = trader.account(10_000), operator.market()
    other = operator.market()
    for selection in ("home", "draw", "away"):
        trader.bet(account, market, 100, odds=2.5, selection_id=selection).ok(201)
    last = trader.bet(account, other, 40, odds=3).ok(201)["position"]
    shown = trader.get(f"/v1/accounts/{account}/exposure", after=last).ok()
    assert shown == {
        "account_id": account,
        "currency": "EUR",
        "bets": 4,
        "open_stake_minor": 340,
        "potential_return_minor": 3 * 250 + 120,
        "worst_case_minor": -50 - 40,
        "best_case_minor": -50 + 80,
    }
    assert people.auditor.get(f"/v1/accounts/{account}/exposure").ok() == shown
    stranger = people.trader(a_name())
    stranger.get(f"/v1/accounts/{account}/exposure").problem(404, "account_not_found")
    last = _settle(operator, market, 0, 0)
    last = max(last, _settle(operator, other, 0, 0))
    shown = trader.get(f"/v1/accounts/{account}/exposure", after=last).ok()
    assert (shown["bets"], shown["worst_case_minor"], shown["best_case_minor"]) == (0, 0, 0)
