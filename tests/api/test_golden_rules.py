"""Every route's answer, word by word: races, results corrected and taken back, and what is done to bets by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.goldens import Golden
from tests.api.test_settlement_rules import leg, place, race, results, settled
from tests.service import Client, People, a_name, market_body

LONG_AGO = "2024-01-01T{}:00Z"


@pytest.fixture
def golden(trader: Client) -> Golden:
    return Golden(trader.user, "olga", "oscar")


def test_a_race_that_is_corrected(golden: Golden, trader: Client, operator: Client) -> None:
    account, market = trader.account(10_000), race(operator, "Derby")
    path = f"/v1/markets/{market}"
    at_start = place(trader, account, leg(market, "SP"), kind="each_way")
    place(trader, account, leg(market, 3), stake=1_000)
    out = {"selection_id": "y", "odds": 5, "at": "2030-01-01T10:00:00Z"}
    golden.check("runner_withdrawn_ahead", operator.post(f"{path}/withdrawals", out))
    out = {"selection_id": "y", "odds": 5}
    golden.check("runner_withdrawn", operator.post(f"{path}/withdrawals", out))
    golden.check("runner_withdrawn_already", operator.post(f"{path}/withdrawals", out))
    mistake = {"selection_id": "z", "reason": "the wrong number"}
    golden.check("runner_not_withdrawn", operator.post(f"{path}/reinstatements", mistake))
    settled(operator, market)
    partial = {"results": [{"selection_id": "z", "result": "lost"}], "partial": True}
    golden.check("result_of_some", operator.post(f"{path}/result", partial))
    settled(operator, market, 2)
    prices = [{"selection_id": "x", "odds": 4}]
    tie = results("won", "void", "won", starting_prices=prices)
    for each in (tie["results"][0], tie["results"][2]):
        each["dead_heat"] = {"tied": 2, "places": 1}
    golden.check("result_with_a_dead_heat", operator.post(f"{path}/result", tie))
    settled(operator, market, 3)
    last = golden.check("market_of_a_race", operator.get(path))["position"]
    golden.check("bet_each_way", trader.get(f"/v1/bets/{at_start['bet_id']}", after=last))
    golden.check("settlement_of_a_race", operator.get(f"{path}/settlement", after=last))
    rolled = operator.ask("DELETE", f"{path}/result?reason=an+objection")
    golden.check("result_rolled_back", rolled)
    settled(operator, market, 4)
    golden.check("result_rolled_back_already", operator.ask("DELETE", f"{path}/result"))
    mistake = {"selection_id": "y", "reason": "the wrong number"}
    golden.check("runner_reinstated", operator.post(f"{path}/reinstatements", mistake))
    settled(operator, market, 5)
    abandoned = {"reason": "fog", "rule": "void_undecided"}
    golden.check("market_abandoned", operator.post(f"{path}/abandon", abandoned))
    golden.check("market_abandoned_already", operator.post(f"{path}/abandon", abandoned))
    settled(operator, market, 6)
    last = golden.check("market_of_an_abandoned_race", operator.get(path))["position"]
    fixture = operator.get(path).json["fixture"]["fixture_id"]
    golden.check("markets", trader.get("/v1/markets", fixture_id=fixture, after=last))
    golden.check("statement_of_a_race", trader.get(f"/v1/accounts/{account}/statement", after=last))
    other = race(operator, "Oaks")
    voided = operator.post(f"/v1/markets/{other}/void", {"reason": "listed twice"})
    golden.check("market_voided", voided)


def test_what_is_done_to_bets_by_hand(
    golden: Golden, trader: Client, operator: Client, people: People
) -> None:
    account, market = trader.account(10_000), race(operator)
    grant = {"amount_minor": 500, "reason": "welcome"}
    golden.check("bonus_granted", operator.post(f"/v1/accounts/{account}/bonus", grant))
    bets = [place(trader, account, leg(market, 6), stake=1_000) for _ in range(3)]
    free = place(trader, account, leg(market), free=True)
    cashed, repriced, voided = (f"/v1/bets/{bet['bet_id']}" for bet in bets)
    last = free["position"]
    golden.check("cash_out_without_a_price", trader.get(f"{cashed}/cash-out", after=last))
    price = {"bookmaker": "pinnacle", "market_id": market, "selection_id": "x", "odds": 2.25}
    now = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="microseconds")
    quoted = operator.post("/v1/odds", {"quotes": [price | {"at": now}]}).ok(201)["position"]
    offered = trader.get(f"{cashed}/cash-out", share="0.4", after=quoted)
    golden.check("cash_out_offered", offered)
    key = a_name("cash-out")
    asked = {"offer_minor": 1_014, "share": 0.4}
    golden.check("cash_out_below_what_was_asked", trader.post(f"{cashed}/cash-out", asked))
    asked = {"offer_minor": 1_013, "share": 0.4}
    golden.check("cashed_out_in_part", trader.post(f"{cashed}/cash-out", asked, key=key))
    last = golden.check(
        "cashed_out", trader.post(f"{cashed}/cash-out", {"offer_minor": 1_520}, key=a_name("rest"))
    )["position"]
    golden.check("bet_cashed_out", trader.get(cashed, after=last))
    reason = {"reason": "placed twice"}
    golden.check("bet_voided", operator.post(f"{voided}/void", reason))
    golden.check("bet_voided_already", operator.post(f"{voided}/void", reason))
    error = {"selection_id": "x", "odds": 2, "reason": "evens, not 5/1"}
    proposed = golden.check("repricing_proposed", operator.post(f"{repriced}/reprice", error))
    this = {"repricing_id": proposed["repricing_id"]}
    golden.check("repricing_by_one", operator.post(f"{repriced}/reprice/approve", this))
    second = people.client("operator", "oscar")
    approved = second.post(f"{repriced}/reprice/approve", this)
    golden.check("repricing_approved", approved)
    error = error | {"odds": 3, "reason": "2/1 after all"}
    this = {"repricing_id": second.post(f"{repriced}/reprice", error).ok(201)["repricing_id"]}
    rejected = operator.post(f"{repriced}/reprice/reject", this | {"reason": "it was evens"})
    last = golden.check("repricing_rejected", rejected)["position"]
    golden.check("bet_repriced", trader.get(repriced, after=last))
    golden.check("bet_free", trader.get(f"/v1/bets/{free['bet_id']}", after=last))
    golden.check("statement_by_hand", trader.get(f"/v1/accounts/{account}/statement", after=last))


def test_limits_prices_and_exposure(golden: Golden, trader: Client, operator: Client) -> None:
    account, market = trader.account(10_000), operator.market()
    path = f"/v1/markets/{market}"
    trader.bet(account, market, 1_000, odds=3).ok(201)
    limits = {"max_liability_minor": 2_500}
    golden.check("market_limits_of_an_open_market", operator.post(f"{path}/limits", limits))
    operator.post(f"{path}/suspend", {}).ok()
    golden.check("market_limits", operator.post(f"{path}/limits", limits))
    operator.post(f"{path}/resume").ok()
    golden.check("liability", operator.get(f"{path}/liability"))
    golden.check("limit_exceeded", trader.bet(account, market, 1_000, odds=3))
    limits = {"max_in_play_minor": 1_500}
    golden.check("account_limits", operator.post(f"/v1/accounts/{account}/limits", limits))
    quotes = [
        {
            "bookmaker": "Pinnacle",
            "market_id": market,
            "selection_id": "home",
            "odds": odds,
            "at": LONG_AGO.format(at),
        }
        for at, odds in (("10:00", 2.4), ("10:00", 2.5), ("10:01", 2.3))
    ]
    last = operator.post("/v1/odds", {"quotes": quotes}).ok(201)["position"]
    series = trader.get(f"{path}/odds/series", interval=60, after=last)
    golden.check("odds_series", series)
    fixture = operator.get(path).json["fixture"]
    listed = operator.get("/v1/fixtures", sport=fixture["sport"], after=last, limit=500).ok()
    assert fixture["fixture_id"] in [each["fixture_id"] for each in listed["items"]]


def test_an_arbitrage_is_solved(golden: Golden, trader: Client) -> None:
    back = {"type": "1X2", "selection_id": "home"}
    body = {
        "total_stake_minor": 100_000,
        "step_minor": 100,
        "currency": "EUR",
        "bets": [
            back | {"bookmaker": "a", "odds": 2.5},
            back | {"bookmaker": "b", "odds": 4.0, "selection_id": "draw"},
            {"bookmaker": "c", "odds": 2.35, "type": "AH", "line": 0, "selection_id": "away"},
            back | {"bookmaker": "x", "odds": 2.4, "side": "lay", "commission": 0.05},
        ],
    }
    golden.check("arbitrage_solved", trader.post("/v1/arbitrage/solve", body))
    golden.check("arbitrage_unsolvable", trader.post("/v1/arbitrage/solve", body | {"bets": []}))


def test_a_market_that_cannot_be(golden: Golden, operator: Client) -> None:
    body = market_body(type="WIN", period="first_half")
    golden.check("market_invalid", operator.post("/v1/markets", body))
