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


def test_what_is_not_cashed_out(trader: Client, operator: Client) -> None:
    _, market, placed = placed_at_six(trader, operator)
    path = f"/v1/bets/{placed['bet_id']}/cash-out"
    trader.get(path, after=placed["position"]).problem(422, "price_stale")
    trader.get(path, after=quote(operator, market, 2.25, 3_600)).problem(422, "price_stale")
    trader.get(path, after=quote(operator, market, 2.5)).ok()
    trader.post(path, {"offer_minor": 2_533}).problem(422, "price_changed")
    trader.post(path, {"offer_minor": 1, "share": 0.5}).problem(422, "not_offered")
    operator.post(f"/v1/markets/{market}/suspend").ok()
    trader.post(path, {"offer_minor": 1}).problem(422, "market_not_open")
    shown = bet_after(trader, operator, market, placed)
    assert shown["status"] == "open"
