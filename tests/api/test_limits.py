"""Limits over HTTP: set, changed, refused by name, and never exceeded together, not through two processes either."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.service import Answer, Client, People, Service, bet_body, token, until

LIMIT = {"limits": {"max_liability_minor": 10_000}}


def liability(client: Client, market: str) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(f"/v1/markets/{market}/liability").ok()
    return shown


def in_euros(client: Client, market: str) -> tuple[int, int, int]:
    """Open bets, what they may cost, and what is left of the limit."""
    (euros,) = liability(client, market)["currencies"]
    assert euros["currency"] == "EUR"
    return euros["open_bets"], euros["liability_minor"], euros["left_minor"]


def change(operator: Client, market: str, **limits: int) -> Answer:
    return operator.post(f"/v1/markets/{market}/limits", limits)


# ---- a market's liability


def test_bets_are_taken_until_the_limit_and_the_refusal_says_what_is_left(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(100_000), operator.market(**LIMIT)
    trader.bet(account, market, 6_000, odds=2.5).ok(201)
    assert in_euros(operator, market) == (1, 9_000, 1_000)
    refused = trader.bet(account, market, 1_000, odds=2.5).problem(422, "limit_exceeded")
    assert (refused["limit"], refused["limit_minor"]) == ("max_liability_minor", 10_000)
    assert refused["left_minor"] == 1_000
    trader.bet(account, market, 1_000, odds=2.0).ok(201)
    trader.bet(account, market, 1, odds=2.0).problem(422, "limit_exceeded")
    # What loses where home wins makes room for more on home.
    trader.bet(account, market, 500, odds=3.0, selection_id="away").ok(201)
    trader.bet(account, market, 500, odds=2.0).ok(201)
    assert in_euros(operator, market) == (4, 10_000, 0)


def test_the_liability_is_what_exposure_says_of_the_worst_case(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(100_000), operator.market(**LIMIT)
    other = operator.market()
    legs = [
        {"market_id": market, "selection_id": "draw", "odds": 3.5},
        {"market_id": other, "selection_id": "home", "odds": 2.0},
    ]
    lay = bet_body(account, market, 700, odds=4.0, selection_id="draw") | {"side": "lay"}
    double = {"account_id": account, "kind": "accumulator", "legs": legs, "stake_minor": 300}
    trader.bet(account, market, 900, odds=2.75).ok(201)
    trader.post("/v1/bets", lay).ok(201)
    last = trader.post("/v1/bets", double).ok(201)["position"]
    exposure = operator.get(f"/v1/markets/{market}/exposure", after=last).ok()["currencies"][0]
    _, minor, _ = in_euros(operator, market)
    assert minor == -exposure["worst_case_with_others_minor"] > 0


@pytest.mark.parametrize("way", ["void", "result", "rolled back"])
def test_what_ends_is_let_go(trader: Client, operator: Client, way: str) -> None:
    account, market = trader.account(100_000), operator.market(**LIMIT)
    bets = [trader.bet(account, market, 1_000).ok(201)["bet_id"] for _ in range(3)]
    assert in_euros(operator, market) == (3, 4_500, 5_500)
    if way == "void":
        for bet in bets:
            operator.post(f"/v1/bets/{bet}/void", {"reason": "by mistake"}).ok()
        trader.bet(account, market, 6_666).ok(201)
        assert in_euros(operator, market) == (1, 9_999, 1)
        return
    score = {"score": {"home": 1, "away": 0}}
    operator.post(f"/v1/markets/{market}/result", score).ok(202)
    operator.settled(market)
    assert liability(operator, market)["currencies"] == []
    if way == "rolled back":
        operator.ask("DELETE", f"/v1/markets/{market}/result").ok(202)
        until(lambda: liability(operator, market)["currencies"], seconds=60)
        assert in_euros(operator, market) == (3, 4_500, 5_500)


def test_each_currency_has_the_limit_for_itself(trader: Client, operator: Client) -> None:
    market = operator.market(**LIMIT)
    for currency in ("EUR", "GBP"):
        account = trader.account(100_000, currency)
        trader.bet(account, market, 10_000, odds=2.0).ok(201)
        trader.bet(account, market, 1, odds=2.0).problem(422, "limit_exceeded")
    shown = liability(operator, market)["currencies"]
    assert [each["currency"] for each in shown] == ["EUR", "GBP"]
    assert {each["left_minor"] for each in shown} == {0}


def test_bets_of_a_batch_meet_the_limit_one_by_one_or_together(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(100_000), operator.market(**LIMIT)
    bets = [bet_body(account, market, 3_000, odds=2.5) for _ in range(3)]
    body = {"bets": bets, "atomic": True}
    trader.post("/v1/bets/batch", body).problem(422, "batch_refused")
    assert liability(operator, market)["currencies"] == []
    results = trader.post("/v1/bets/batch", {"bets": bets}).ok()["results"]
    assert [each.get("status") for each in results] == ["open", "open", None]
    assert results[2]["error"]["limit"] == "max_liability_minor"
    assert results[2]["error"]["left_minor"] == 1_000


def test_a_refusal_that_is_given_again_still_names_the_limit(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(100_000), operator.market(**LIMIT)
    first, again = (trader.bet(account, market, 9_000, key="over") for _ in range(2))
    assert again.is_replayed
    assert first.problem(422, "limit_exceeded") == again.problem(422, "limit_exceeded")
    assert again.json["left_minor"] == 10_000


# ---- changing a market's limits


def test_limits_are_changed_and_asked_again_change_nothing(
    trader: Client, operator: Client
) -> None:
    account = trader.account(100_000)
    market = operator.market(limits={"max_payout_minor": 50_000, "max_liability_minor": 10_000})
    trader.bet(account, market, 4_000, odds=2.5).ok(201)
    lower = {"min_stake_minor": 2, "max_stake_minor": 500, "max_liability_minor": 5_000}
    changed = change(operator, market, **lower).ok()
    assert changed["status"] == "open"
    shown = operator.get(f"/v1/markets/{market}", after=changed["position"]).ok()
    expected = {
        **lower,
        "max_payout_minor": 50_000,
        "max_return_minor": None,
        "min_return_minor": None,
    }
    assert shown["limits"] == expected == liability(operator, market)["limits"]
    assert change(operator, market, **lower).ok()["position"] >= changed["position"]
    events = operator.get(f"/v1/markets/{market}").ok()
    assert events["position"] == changed["position"]
    assert in_euros(operator, market) == (1, 6_000, 0)
    # Above the limit by now, so only what costs nothing more is taken.
    trader.bet(account, market, 10, odds=2.5).problem(422, "limit_exceeded")
    trader.bet(account, market, 10, odds=2.5, selection_id="away").ok(201)
    refused = trader.bet(account, market, 501, selection_id="away").problem(422, "limit_exceeded")
    assert (refused["limit"], refused["limit_minor"]) == ("max_stake_minor", 500)
    change(operator, market).ok()
    trader.bet(account, market, 10_000, odds=2.5).ok(201)


def test_a_limit_on_liability_begins_on_a_suspended_market_with_what_is_open(
    trader: Client, operator: Client
) -> None:
    account, market, other = trader.account(100_000), operator.market(), operator.market()
    double = {
        "account_id": account,
        "kind": "accumulator",
        "legs": [
            {"market_id": other, "selection_id": "home", "odds": 2.0},
            {"market_id": market, "selection_id": "home", "odds": 2.0},
        ],
        "stake_minor": 100,
    }
    trader.bet(account, market, 1_000, odds=2.0).ok(201)
    gone = trader.bet(account, market, 5_000, odds=2.0).ok(201)["bet_id"]
    trader.post("/v1/bets", double).ok(201)
    operator.post(f"/v1/bets/{gone}/void", {"reason": "by mistake"}).ok()
    limit = {"max_liability_minor": 2_000}
    problem = change(operator, market, **limit).problem(409, "market_state_conflict")
    assert "suspend" in problem["detail"]
    operator.post(f"/v1/markets/{market}/suspend").ok()
    change(operator, market, **limit).ok()
    operator.post(f"/v1/markets/{market}/resume").ok()
    assert in_euros(operator, market) == (2, 1_300, 700)
    trader.bet(account, market, 701, odds=2.0).problem(422, "limit_exceeded")
    trader.bet(account, market, 700, odds=2.0).ok(201)
    # Lifted, nothing is followed; set again, everything is counted anew.
    change(operator, market).ok()
    trader.bet(account, market, 9_000, odds=2.0).ok(201)
    assert liability(operator, market)["currencies"] == []
    operator.post(f"/v1/markets/{market}/suspend").ok()
    change(operator, market, **limit).ok()
    assert in_euros(operator, market) == (4, 11_000, 0)


def test_a_change_of_limits_sent_again_under_its_key_takes_effect_once(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(100_000), operator.market()
    operator.post(f"/v1/markets/{market}/suspend").ok()
    body = {"max_liability_minor": 2_000}
    path = f"/v1/markets/{market}/limits"
    first = operator.post(path, body, key=f"limits-{market}").ok()
    operator.post(f"/v1/markets/{market}/resume").ok()
    trader.bet(account, market, 100).ok(201)
    again = operator.post(path, body, key=f"limits-{market}")
    assert again.is_replayed
    assert again.ok() == first
    other = operator.post(path, {"max_liability_minor": 2_001}, key=f"limits-{market}")
    other.problem(422, "idempotency_key_reused")


def test_limits_are_of_markets_that_take_bets(operator: Client) -> None:
    market = operator.market(**LIMIT)
    operator.post(f"/v1/markets/{market}/close").ok()
    change(operator, market, max_liability_minor=5).problem(409, "market_state_conflict")
    change(operator, "00000000-0000-4000-8000-000000000000").problem(404, "market_not_found")
    for bad in (0, -1, 1.5, "1", 10**15 + 1, True):
        for name in ("max_liability_minor", "max_stake_minor", "max_return_minor"):
            answer = operator.post(f"/v1/markets/{market}/limits", {name: bad})
            assert name in answer.problem(400)["detail"]
    operator.post(f"/v1/markets/{market}/limits", {"max_payout_minor": 5}).problem(400)
    operator.post(f"/v1/markets/{market}/limits", {"seen": None}).problem(400)


def test_starting_prices_need_a_cap_on_payouts(trader: Client, operator: Client) -> None:
    account = trader.account(10_000)
    runners = [{"selection_id": each, "name": each} for each in ("ada", "bob")]
    limits = {"max_liability_minor": 10_000}
    open_ended = operator.market(type="WIN", selections=runners, limits=limits)
    capped = operator.market(
        type="WIN", selections=runners, limits=limits | {"max_payout_minor": 4_000}
    )

    def back(market: str) -> Answer:
        legs = [{"market_id": market, "selection_id": "ada", "odds": "SP"}]
        body = {"account_id": account, "legs": legs, "stake_minor": 1_000}
        return trader.post("/v1/bets", body)

    assert back(open_ended).problem(422, "limit_exceeded")["limit"] == "max_liability_minor"
    back(capped).ok(201)
    assert in_euros(operator, capped) == (1, 3_000, 7_000)


# ---- accounts


def test_what_an_account_has_at_risk_is_limited(trader: Client, operator: Client) -> None:
    market = operator.market()
    body = {"currency": "EUR", "name": "main", "limits": {"max_in_play_minor": 1_000}}
    account = trader.post("/v1/accounts", body).ok(201)["account_id"]
    trader.deposit(account, 10_000).ok(201)
    lay = bet_body(account, market, 400, odds=2.5) | {"side": "lay"}
    trader.post("/v1/bets", lay).ok(201)  # holds 600
    withdrawal = {"amount_minor": 5_000, "method": "bank"}
    trader.post(f"/v1/accounts/{account}/withdrawals", withdrawal).ok(201)
    refused = trader.bet(account, market, 401).problem(422, "limit_exceeded")
    assert (refused["limit"], refused["limit_minor"]) == ("max_in_play_minor", 1_000)
    assert refused["left_minor"] == 400
    last = trader.bet(account, market, 400).ok(201)
    operator.post(f"/v1/bets/{last['bet_id']}/void", {"reason": "by mistake"}).ok()
    done = trader.bet(account, market, 400).ok(201)
    shown = trader.get(f"/v1/accounts/{account}", after=done["position"]).ok()
    assert shown["limits"] == {"max_in_play_minor": 1_000, "max_profit_minor": None}
    assert shown["in_play_minor"] == 6_000


def test_what_an_account_may_win_is_limited_and_changed_by_operators(
    trader: Client, operator: Client
) -> None:
    account, market = trader.account(10_000), operator.market()
    path, body = f"/v1/accounts/{account}/limits", {"max_profit_minor": 2_000}
    trader.post(path, body).problem(403, "forbidden")
    done = operator.post(path, body).ok()
    assert operator.post(path, body).ok()["position"] >= done["position"]
    shown = trader.get(f"/v1/accounts/{account}", after=done["position"]).ok()
    assert shown["limits"]["max_profit_minor"] == 2_000
    assert shown["position"] == done["position"]
    trader.bet(account, market, 1_000, odds=2.5).ok(201)
    operator.post(f"/v1/accounts/{account}/bonus", {"amount_minor": 900, "reason": "hello"}).ok(201)
    free = bet_body(account, market, 501, odds=2.0) | {"free": True}
    refused = trader.post("/v1/bets", free).problem(422, "limit_exceeded")
    assert (refused["limit"], refused["left_minor"]) == ("max_profit_minor", 500)
    trader.post("/v1/bets", free | {"stake_minor": 500}).ok(201)
    sp = bet_body(account, market, 1) | {
        "legs": [{"market_id": market, "selection_id": "home", "odds": "SP"}]
    }
    assert trader.post("/v1/bets", sp).problem(422)["limit"] == "max_profit_minor"
    kinds = [each["kind"] for each in trader.get(f"/v1/accounts/{account}/statement").ok()["items"]]
    assert "limits_changed" not in kinds
    lifted = operator.post(path, {}).ok()
    shown = trader.get(f"/v1/accounts/{account}", after=lifted["position"]).ok()
    assert shown["limits"] == {"max_in_play_minor": None, "max_profit_minor": None}
    trader.bet(account, market, 1_000, odds=9.0).ok(201)
    for bad in (0, -1, 1.5, "1", 10**15 + 1):
        assert (
            "max_profit_minor"
            in operator.post(path, {"max_profit_minor": bad}).problem(400)["detail"]
        )
    operator.post("/v1/accounts/00000000-0000-4000-8000-000000000000/limits", body).problem(404)


# ---- many at once


@pytest.fixture
def second_api(service: Service, tmp_path: Path) -> Iterator[Service]:
    """Another API process on the same ledger."""
    second = Service(tmp_path, service.environment)
    second.start_api()
    try:
        second.wait_ready()
        yield second
    finally:
        second.stop()


@dataclasses.dataclass(frozen=True)
class Gambler:
    """Somebody who bets over one process as often as may be."""

    client: Client
    account: str

    def bet(self, market: str, times: int) -> int:
        """Place bets of 100 at 2.5, void none, and count those that were taken."""
        answers = [self.client.bet(self.account, market, 100) for _ in range(times)]
        for answer in answers:
            if answer.status != 201:
                assert answer.problem(422)["limit"] in {"max_liability_minor", "max_in_play_minor"}
        return sum(answer.status == 201 for answer in answers)


def test_two_processes_never_exceed_a_limit_together(
    service: Service, second_api: Service, people: People
) -> None:
    market = people.operator.market(**LIMIT)  # room for 66 such bets
    trader = people.trader()
    account = trader.account(1_000_000)
    limits = {"max_in_play_minor": 5_000}  # and for 50 of them of this account
    people.operator.post(f"/v1/accounts/{account}/limits", limits).ok()
    bearer = token("trader", trader.user)
    clients = [Client(each.url, bearer) for each in (service, second_api) for _ in range(4)]
    other = people.trader()
    rich = other.account(1_000_000)
    others = [Client(each.url, token("trader", other.user)) for each in (service, second_api)]
    gamblers = [Gambler(each, account) for each in clients] + [
        Gambler(each, rich) for each in others
    ]
    with ThreadPoolExecutor(len(gamblers)) as pool:
        taken = list(pool.map(lambda each: each.bet(market, 20), gamblers))
    assert sum(taken) == 66, taken
    assert sum(taken[: len(clients)]) <= 50
    assert in_euros(people.operator, market) == (66, 9_900, 100)
    for client in (*clients, *others):
        client.close()
