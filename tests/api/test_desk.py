"""What operators do: withdrawals, markets, results, settlement, prices."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.service import Client, Json, People, a_name, an_id, bet_body, market_body

Head = Callable[[], int]


def _balances(client: Client, account: str, after: int) -> tuple[int, int]:
    shown = client.get(f"/v1/accounts/{account}", after=after).ok()
    return shown["available_minor"], shown["in_play_minor"]


# ---- withdrawals


def test_a_withdrawal_is_held_then_completed_or_rejected(trader: Client, operator: Client) -> None:
    account = trader.account(1_000)
    path, body = f"/v1/accounts/{account}/withdrawals", {"amount_minor": 300, "method": "bank"}
    held = [trader.post(path, body).ok(201) for _ in range(3)]
    assert [each["available_minor"] for each in held] == [700, 400, 100]
    assert {each["status"] for each in held} == {"pending"}
    trader.post(path, body).problem(422, "insufficient_funds")
    done = operator.post(f"/v1/withdrawals/{held[0]['transfer_id']}/complete").ok()
    assert (done["status"], done["available_minor"]) == ("completed", 100)
    assert _balances(trader, account, done["position"]) == (100, 600)
    rejected = operator.post(f"/v1/withdrawals/{held[1]['transfer_id']}/reject").ok()
    assert (rejected["status"], rejected["available_minor"]) == ("rejected", 400)
    assert _balances(trader, account, rejected["position"]) == (400, 300)
    for each in held[:2]:
        for step in ("complete", "reject"):
            again = operator.post(f"/v1/withdrawals/{each['transfer_id']}/{step}")
            again.problem(409, "withdrawal_not_pending")


def test_only_withdrawals_are_completed(trader: Client, operator: Client, head: Head) -> None:
    account = trader.account(100)
    deposit = trader.deposit(account, 1).ok(201)["transfer_id"]
    before = head()
    for unknown in (deposit, account, an_id()):
        path = f"/v1/withdrawals/{unknown}/complete"
        operator.post(path).problem(404, "withdrawal_not_found")
    trader.post(f"/v1/withdrawals/{deposit}/complete").problem(403, "forbidden")
    assert head() == before


def test_an_account_has_a_most(trader: Client, head: Head) -> None:
    account = trader.account()
    for _ in range(9):
        trader.deposit(account, 10**15).ok(201)
    before = head()
    trader.deposit(account, 10**15).problem(422, "limit_exceeded")
    assert head() == before


# ---- markets


def test_a_market_goes_its_way_and_no_other(operator: Client, head: Head) -> None:
    market = operator.market()

    def step(name: str) -> Any:
        return operator.post(f"/v1/markets/{market}/{name}")

    step("resume").problem(409, "market_state_conflict")
    assert step("suspend").ok()["status"] == "suspended"
    step("suspend").problem(409, "market_state_conflict")
    assert step("resume").ok()["status"] == "open"
    step("suspend").ok()
    assert step("close").ok()["status"] == "closed"
    before = head()
    for name in ("suspend", "resume", "close"):
        step(name).problem(409, "market_state_conflict")
    assert head() == before
    result = {"score": {"home": 0, "away": 0}}
    assert operator.post(f"/v1/markets/{market}/result", result).ok(202)["status"] == "resulted"
    operator.settled(market)
    before = head()
    for name in ("suspend", "resume", "close"):
        step(name).problem(409, "market_state_conflict")
    declared = operator.post(f"/v1/markets/{market}/result", result)
    declared.problem(409, "result_already_declared")
    assert head() == before


def test_a_market_settles_with_a_result_while_it_is_open(trader: Client, operator: Client) -> None:
    account, market = trader.account(100), operator.market()
    trader.bet(account, market, 100, odds=3).ok(201)
    operator.post(f"/v1/markets/{market}/result", {"score": {"home": 1, "away": 0}}).ok(202)
    trader.bet(account, market, 1).problem(422, "market_not_open")
    operator.settled(market)


# ---- results and settlement


def _declare(operator: Client, market: str, result: Json) -> Json:
    operator.post(f"/v1/markets/{market}/result", result).ok(202)
    return operator.settled(market)


def _returns(trader: Client, operator: Client, market: str, bets: list[Json]) -> dict[str, Any]:
    last = operator.get(f"/v1/markets/{market}").ok()["position"]
    shown = [trader.get(f"/v1/bets/{bet['bet_id']}", after=last).ok() for bet in bets]
    return {bet["legs"][0]["selection_id"]: (bet["status"], bet["return_minor"]) for bet in shown}


@pytest.mark.parametrize(
    ("market_type", "line", "sides", "score", "expected"),
    [
        ("1X2", None, ("home", "draw", "away"), (2, 1), {"home": ("won", 25), "draw": ("lost", 0), "away": ("lost", 0)}),
        ("1X2", None, ("home", "draw", "away"), (1, 1), {"home": ("lost", 0), "draw": ("won", 25), "away": ("lost", 0)}),
        ("OU", 2.5, ("over", "under"), (2, 1), {"over": ("won", 25), "under": ("lost", 0)}),
        ("OU", 3, ("over", "under"), (2, 1), {"over": ("void", 10), "under": ("void", 10)}),
        ("OU", 2.75, ("over", "under"), (2, 1), {"over": ("part_won", 18), "under": ("part_won", 5)}),
        ("BTTS", None, ("yes", "no"), (2, 1), {"yes": ("won", 25), "no": ("lost", 0)}),
        ("BTTS", None, ("yes", "no"), (2, 0), {"yes": ("lost", 0), "no": ("won", 25)}),
    ],
)  # fmt: skip
def test_a_score_settles_every_bet(
    trader: Client,
    operator: Client,
    market_type: str,
    line: float | None,
    sides: tuple[str, ...],
    score: tuple[int, int],
    expected: dict[str, Any],
) -> None:
    account = trader.account(1_000)
    selections = [{"selection_id": side, "name": side} for side in sides]
    market = operator.market(type=market_type, line=line, selections=selections)
    bets = [trader.bet(account, market, 10, selection_id=side).ok(201) for side in sides]
    done = _declare(operator, market, {"score": dict(zip(("home", "away"), score, strict=True))})
    assert _returns(trader, operator, market, bets) == expected
    returned = sum(amount for _, amount in expected.values())
    total = {"currency": "EUR", "bets": len(sides), "stake_minor": 10 * len(sides)}
    assert done["totals"] == [total | {"return_minor": returned}]
    last = operator.get(f"/v1/markets/{market}").ok()["position"]
    assert _balances(trader, account, last) == (1_000 - 10 * len(sides) + returned, 0)


def test_results_by_selection(trader: Client, operator: Client) -> None:
    account = trader.account(1_000)
    words = ["won", "lost", "void", "push", "half_won", "half_lost"]
    selections = [{"selection_id": word, "name": word} for word in [*words, "dead"]]
    market = operator.market(type="CS", selections=selections)
    bets = [trader.bet(account, market, 10, selection_id=word).ok(201) for word in [*words, "dead"]]
    results: list[Json] = [{"selection_id": word, "result": word} for word in words]
    tie = {"selection_id": "dead", "result": "won", "dead_heat": {"tied": 2, "places": 1}}
    _declare(operator, market, {"results": [*results, tie]})
    assert _returns(trader, operator, market, bets) == {
        "won": ("won", 25),
        "lost": ("lost", 0),
        "void": ("void", 10),
        "push": ("void", 10),
        "half_won": ("part_won", 18),
        "half_lost": ("part_won", 5),
        "dead": ("part_won", 13),
    }


def test_a_score_that_decides_nothing_is_refused(operator: Client, head: Head) -> None:
    score = {"score": {"home": 1, "away": 0}}
    cs = operator.market(type="CS")
    nameless = operator.market(selections=[{"selection_id": "zz", "name": "somebody"}])
    before = head()
    for market in (cs, nameless):
        refused = operator.post(f"/v1/markets/{market}/result", score)
        refused.problem(422, "result_not_derivable")
    assert head() == before


def test_settlement_shows_its_progress(people: People) -> None:
    operator, market = people.operator, people.operator.market()
    path = f"/v1/markets/{market}/settlement"
    traders = {code: people.trader() for code in ("EUR", "GBP")}
    last = 0
    for code, trader in traders.items():
        account = trader.account(10_000, code)
        bets = [bet_body(account, market, 2, odds=3)] * 700
        last = trader.post("/v1/bets/batch", {"bets": bets}).ok()["position"]
    shown = operator.get(path, after=last).ok()
    assert (shown["status"], shown["completed"], shown["progress"]) == ("open", False, 0)
    assert (shown["open_bets"], shown["settled_bets"], shown["totals"]) == (1_400, 0, [])
    operator.post(f"/v1/markets/{market}/result", {"score": {"home": 3, "away": 0}}).ok(202)
    seen = 0.0
    while seen < 1:
        shown = operator.get(path).ok()
        assert shown["progress"] >= seen
        assert shown["open_bets"] + shown["settled_bets"] == 1_400
        seen = shown["progress"]
        if seen < 1:
            assert not shown["completed"]
    shown = operator.settled(market)
    assert (shown["status"], shown["open_bets"], shown["settled_bets"]) == ("settled", 0, 1_400)
    total = {"bets": 700, "stake_minor": 1_400, "return_minor": 4_200}
    assert shown["totals"] == [{"currency": code} | total for code in ("EUR", "GBP")]


def test_a_market_without_bets_settles(operator: Client) -> None:
    market = operator.market()
    done = _declare(operator, market, {"score": {"home": 0, "away": 0}})
    assert (done["progress"], done["totals"]) == (1, [])


# ---- exposure


def test_exposure_is_what_the_house_wins_or_loses_by_outcome(
    people: People, operator: Client
) -> None:
    market, last = operator.market(), 0
    for code, stake in (("EUR", 100), ("GBP", 7)):
        trader = people.trader()
        account = trader.account(10_000, code)
        for selection, odds in (("home", 2.5), ("home", 3), ("draw", 4)):
            placed = trader.bet(account, market, stake, selection_id=selection, odds=odds)
            last = placed.ok(201)["position"]
    shown = operator.get(f"/v1/markets/{market}/exposure", after=last).ok()
    euros, pounds = shown["currencies"]
    assert (euros["currency"], euros["bets"], euros["stake_minor"]) == ("EUR", 3, 300)
    profits = {each["selection_id"]: each["house_profit_minor"] for each in euros["outcomes"]}
    assert profits == {"home": 300 - 550, "draw": 300 - 400, "away": 300}
    assert euros["worst_case_minor"] == -250
    assert (pounds["currency"], pounds["stake_minor"]) == ("GBP", 21)
    assert people.auditor.get(f"/v1/markets/{market}/exposure").ok() == shown


# ---- prices


def _quote(market: str | None, odds: float, **more: Any) -> dict[str, Any]:
    quote = {"bookmaker": "B", "selection_id": "home", "odds": odds, "at": "2024-01-01T10:00:00Z"}
    return quote | ({"market_id": market} if market else {}) | more


def test_the_latest_price_is_the_latest_by_its_own_time(operator: Client) -> None:
    market = operator.market()
    for odds, hour in ((2, 10), (3, 12), (4, 11)):
        quote = _quote(market, odds, at=f"2024-01-01T{hour}:00:00Z")
        last = operator.post("/v1/odds", {"quotes": [quote]}).ok(201)["position"]
        operator.get(f"/v1/markets/{market}/odds", after=last).ok()
    shown = operator.get(f"/v1/markets/{market}/odds").ok()
    assert shown["next_cursor"] is None
    assert [(each["bookmaker"], each["odds"]) for each in shown["items"]] == [("B", 3)]
    path = f"/v1/markets/{market}/odds/history"
    assert [each["odds"] for each in operator.get(path).ok()["items"]] == [2, 4, 3]
    assert [each["odds"] for each in operator.pages(path, 1)] == [2, 4, 3]
    half = {"from_": "2024-01-01T11:00:00Z", "to": "2024-01-01T12:00:00Z"}
    assert [each["odds"] for each in operator.get(path, **half).ok()["items"]] == [4]


def test_quotes_find_their_market_by_fixture_type_and_line(operator: Client) -> None:
    fixture = market_body()["fixture"] | {"fixture_id": an_id()}
    sides = [{"selection_id": "over", "name": "o"}, {"selection_id": "under", "name": "u"}]
    ids = {}
    last = 0
    for line in (2.5, 3.5):
        body = market_body(fixture=fixture, type="OU", line=line, selections=sides)
        opened = operator.post("/v1/markets", body).ok(201)
        ids[line], last = opened["market_id"], opened["position"]
    operator.get("/v1/markets", after=last).ok()
    name = {"fixture_id": fixture["fixture_id"], "type": "OU", "selection_id": "over"}
    quotes = [_quote(None, 2 + line / 10, **name, line=line) for line in ids]
    done = operator.post("/v1/odds", {"quotes": quotes}).ok(201)
    assert (done["snapshots"], done["quotes"]) == (2, 2)
    for line, market in ids.items():
        items = operator.get(f"/v1/markets/{market}/odds", after=done["position"]).ok()["items"]
        assert [each["odds"] for each in items] == [2 + line / 10]
    for wrong in ({"line": 4.5}, {"line": None}, {"type": "AH"}, {"fixture_id": an_id()}):
        quote = _quote(None, 2, **(name | {"line": 2.5} | wrong))
        operator.post("/v1/odds", {"quotes": [quote]}).problem(404, "market_not_found")


def test_a_house_market_holds_bets_to_its_price(trader: Client, operator: Client) -> None:
    account, market = trader.account(1_000), operator.market(pricing="house")
    trader.bet(account, market, odds=1.5).problem(422, "price_changed")
    operator.post("/v1/odds", {"quotes": [_quote(market, 2, bookmaker="house")]}).ok(201)
    trader.bet(account, market, odds=2.001).problem(422, "price_changed")
    assert trader.bet(account, market, odds=2).ok(201)["potential_return_minor"] == 200
    assert trader.bet(account, market, odds=1.9).ok(201)["potential_return_minor"] == 190
    later = _quote(market, 1.8, bookmaker="house", at="2024-01-01T11:00:00Z")
    operator.post("/v1/odds", {"quotes": [later]}).ok(201)
    trader.bet(account, market, odds=1.9).problem(422, "price_changed")


def test_daily_totals(people: People) -> None:
    trader, operator, sport = people.trader(), people.operator, a_name("sport")
    body = market_body()
    body["fixture"]["sport"] = sport
    market = operator.post("/v1/markets", body).ok(201)["market_id"]
    account = trader.account(1_000)
    trader.bet(account, market, 100, odds=3).ok(201)
    trader.bet(account, market, 50, selection_id="away").ok(201)
    _declare(operator, market, {"score": {"home": 1, "away": 0}})
    last = operator.get(f"/v1/markets/{market}").ok()["position"]
    rows = people.auditor.pages("/v1/reports/betting-totals", 2, after=last)
    (row,) = [each for each in rows if each["sport"] == sport]
    assert (row["bets"], row["stake_minor"], row["settled_bets"]) == (2, 150, 2)
    assert (row["returned_minor"], row["result_minor"]) == (300, -150)
    later = {"from_": "2999-01-01"}
    assert people.auditor.get("/v1/reports/betting-totals", **later).ok()["items"] == []
