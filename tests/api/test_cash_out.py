"""Cashing bets out over HTTP."""

from datetime import UTC, datetime, timedelta

from tests.api.test_settlement_rules import bet_after, funds, leg, place, race, results, settled
from tests.service import Client, Json, a_name


def quote(operator: Client, market: str, odds: float, ago_seconds: float = 0) -> int:
    """Post a price for runner x, and give the position of its snapshot."""
    at = (datetime.now(UTC) - timedelta(seconds=ago_seconds)).isoformat()
    price = {"bookmaker": "pinnacle", "market_id": market, "selection_id": "x"}
    body = {"quotes": [price | {"odds": odds, "at": at}]}
    position: int = operator.post("/v1/odds", body).ok(201)["position"]
    return position


def placed_at_six(trader: Client, operator: Client) -> tuple[str, str, Json]:
    account, market = trader.account(1_000), race(operator)
    return account, market, place(trader, account, leg(market, 6), stake=1_000)


def test_a_bet_is_cashed_out_at_the_prices_of_now(trader: Client, operator: Client) -> None:
    account, market, placed = placed_at_six(trader, operator)
    path = f"/v1/bets/{placed['bet_id']}/cash-out"
    offered = trader.get(path, after=quote(operator, market, 2.25)).ok()
    assert (offered["offer_minor"], offered["margin"]) == (2_533, 0.05)
    assert offered["prices"][0]["odds"] == 2.25
    key = a_name("cash-out")
    taken = trader.post(path, {"offer_minor": 2_533}, key=key).ok()
    assert (taken["status"], taken["available_minor"]) == ("cashed_out", 2_533)
    quote(operator, market, 2)
    assert trader.post(path, {"offer_minor": 2_533}, key=key).ok() == taken
    trader.post(path, {"offer_minor": 1}).problem(409, "bet_state_conflict")
    operator.post(f"/v1/markets/{market}/result", results("won")).ok(202)
    settled(operator, market)
    shown = bet_after(trader, operator, market, placed)
    assert (shown["status"], shown["return_minor"]) == ("cashed_out", 2_533)
    assert shown["legs"][0]["result"] is None
    view = funds(trader, account, operator, market)
    assert (view["available_minor"], view["in_play_minor"]) == (2_533, 0)
    exposed = operator.get(f"/v1/markets/{market}/exposure").ok()
    assert sum(each["bets"] for each in exposed["currencies"]) == 0


def test_a_bet_is_cashed_out_right_after_it_was_placed(trader: Client, operator: Client) -> None:
    account, market = trader.account(20_000), race(operator)
    seen = quote(operator, market, 3)
    trader.get(f"/v1/markets/{market}/odds", after=seen).ok()
    for _ in range(20):
        placed = place(trader, account, leg(market, 6), stake=1_000)
        path = f"/v1/bets/{placed['bet_id']}/cash-out"
        assert trader.get(path).ok()["offer_minor"] == 1_900
        assert trader.post(path, {"offer_minor": 1_900}).ok()["status"] == "cashed_out"


def test_parts_are_cashed_out_until_the_result_settles_the_rest(
    trader: Client, operator: Client
) -> None:
    account, market, placed = placed_at_six(trader, operator)
    bet = f"/v1/bets/{placed['bet_id']}"
    path = f"{bet}/cash-out"
    offered = trader.get(path, share="0.4", after=quote(operator, market, 2.25)).ok()
    assert (offered["stake_minor"], offered["offer_minor"]) == (400, 1_013)
    key = a_name("part")
    taken = trader.post(path, {"offer_minor": 1_013, "share": 0.4}, key=key).ok()
    assert (taken["status"], taken["return_minor"]) == ("open", 1_013)
    assert (taken["stake_minor"], taken["open_stake_minor"]) == (400, 600)
    assert trader.post(path, {"offer_minor": 1_013, "share": 0.40}, key=key).ok() == taken
    other = trader.post(path, {"offer_minor": 1_013, "share": 0.5}, key=key)
    other.problem(422, "idempotency_key_reused")
    last = trader.post(path, {"offer_minor": 760, "share": 0.5}).ok()["position"]
    shown = trader.get(bet, after=last).ok()
    assert (shown["status"], shown["return_minor"]) == ("open", None)
    assert (shown["open_stake_minor"], shown["potential_return_minor"]) == (300, 1_800)
    parts = [(part["stake_minor"], part["return_minor"]) for part in shown["parts"]]
    assert parts == [(400, 1_013), (300, 760)]
    view = trader.get(f"/v1/accounts/{account}", after=last).ok()
    assert (view["available_minor"], view["in_play_minor"]) == (1_773, 300)
    [exposed] = operator.get(f"/v1/markets/{market}/exposure", after=last).ok()["currencies"]
    assert (exposed["bets"], exposed["stake_minor"]) == (1, 300)
    operator.post(f"/v1/markets/{market}/result", results("won")).ok(202)
    settled(operator, market)
    shown = bet_after(trader, operator, market, placed)
    assert (shown["status"], shown["return_minor"]) == ("won", 3_573)
    assert shown["open_stake_minor"] == 0
    operator.ask("DELETE", f"/v1/markets/{market}/result").ok(202)
    settled(operator, market, 2)
    assert funds(trader, account, operator, market)["available_minor"] == 1_773
    void = operator.post(f"{bet}/void", {"reason": "placed by mistake"}).ok()
    assert (void["status"], void["return_minor"], void["available_minor"]) == ("void", 1_000, 1_000)
    shown = trader.get(bet, after=void["position"]).ok()
    assert (shown["status"], shown["return_minor"]) == ("void", 1_000)
    rows = trader.get(f"/v1/accounts/{account}/statement", after=void["position"]).ok()["items"]
    assert [row["amount_minor"] for row in rows[:2]] == [-1_073, 300]


def test_what_is_not_cashed_out(trader: Client, operator: Client) -> None:
    _, market, placed = placed_at_six(trader, operator)
    path = f"/v1/bets/{placed['bet_id']}/cash-out"
    trader.get(path, after=placed["position"]).problem(422, "price_stale")
    trader.get(path, after=quote(operator, market, 2.25, 3_600)).problem(422, "price_stale")
    trader.get(path, after=quote(operator, market, 2.5)).ok()
    refused = trader.post(path, {"offer_minor": 2_533}).problem(422, "price_changed")
    assert refused["offer_minor"] == 2_280
    for share in (0, -0.5, 1.5, 0.0000001, 1e-30, 1e30):
        refused = trader.post(path, {"offer_minor": 1, "share": share}).problem(422)
        assert refused["errors"][0]["field"] == "share"
        trader.get(path, share=str(share)).problem(422)
    for odd in ("NaN", "sNaN", "-sNaN1", "Infinity", "0E-999999", "1E+999999", "9" * 400):
        assert trader.get(path, share=odd).status in (400, 422), odd
        body = {"offer_minor": 1, "share": odd}
        assert trader.post(path, body).status in (400, 422), odd
    for rounds in ("0.0001", "0.9999"):  # of 1,000 minor units: to nothing, and to all
        trader.get(path, share=rounds).problem(422, "invalid_input")
    operator.post(f"/v1/markets/{market}/suspend").ok()
    trader.post(path, {"offer_minor": 1}).problem(422, "market_not_open")
    shown = bet_after(trader, operator, market, placed)
    assert shown["status"] == "open"
