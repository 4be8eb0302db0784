"""Every route's answer, word by word, along one story."""

from tests.api.goldens import Golden
from tests.service import Client, People, bet_body, market_body


def _story(people: People) -> tuple[Golden, Client]:
    trader = people.trader()
    return Golden(trader.user, "olga", "aud"), trader


def test_accounts(people: People) -> None:
    golden, trader = _story(people)
    body = {"currency": "GBP", "name": "At the bookmaker's", "held_at": "Betfair"}
    opened = golden.check("account_opened", trader.post("/v1/accounts", body))
    path = f"/v1/accounts/{opened['account_id']}"
    transfer = {"amount_minor": 10_000, "method": "card", "reference": "first"}
    deposited = golden.check("deposited", trader.post(f"{path}/deposits", transfer))
    transfer = {"amount_minor": 3_000, "method": "bank"}
    held = golden.check("withdrawal_requested", trader.post(f"{path}/withdrawals", transfer))
    paid = people.operator.post(f"/v1/withdrawals/{held['transfer_id']}/complete")
    golden.check("withdrawal_completed", paid)
    again = people.operator.post(f"/v1/withdrawals/{held['transfer_id']}/reject")
    golden.check("withdrawal_completed_already", again)
    second = trader.post(f"{path}/withdrawals", transfer | {"reference": "second"}).json
    rejecting = f"/v1/withdrawals/{second['transfer_id']}/reject"
    rejected = people.operator.post(rejecting, {"reason": "no such bank"})
    last = golden.check("withdrawal_rejected", rejected)["position"]
    golden.check("account", trader.get(path, after=last))
    golden.check("account_as_of", trader.get(path, as_of=deposited["position"]))
    golden.check("accounts", trader.get("/v1/accounts", after=last))
    golden.check("statement", trader.get(f"{path}/statement", after=last))
    golden.check("statement_page", trader.get(f"{path}/statement", after=last, limit=1))
    golden.check(
        "insufficient_funds", trader.post(f"{path}/withdrawals", transfer | {"amount_minor": 7_001})
    )
    golden.check("account_unknown", people.trader().get(path))
    golden.check("account_invalid", trader.post("/v1/accounts", {"currency": "GBP", "nom": "x"}))
    golden.check(
        "events_of_account", people.auditor.get("/v1/audit/events", stream=opened["account_id"])
    )
    golden.check(
        "events_of_withdrawal", people.auditor.get("/v1/audit/events", stream=held["transfer_id"])
    )


def test_markets_and_bets(people: People) -> None:
    golden, trader = _story(people)
    operator = people.operator
    limits = {"max_stake_minor": 5_000, "max_return_minor": 50_000}
    body = market_body(limits=limits, terms={"each_way_places": 2, "each_way_divisor": 4})
    market = golden.check("market_opened", operator.post("/v1/markets", body))["market_id"]
    path = f"/v1/markets/{market}"
    golden.check("market_suspended", operator.post(f"{path}/suspend", {"reason": "goal"}))
    account = trader.account(10_000)
    golden.check("market_not_open", trader.bet(account, market))
    golden.check("market_resumed", operator.post(f"{path}/resume"))
    golden.check("market_conflict", operator.post(f"{path}/resume"))
    bet = golden.check("bet_placed", trader.bet(account, market, 1_000, odds=2.375))["bet_id"]
    key = f"golden {trader.user}".replace(" ", "-")
    trader.bet(account, market, 500, selection_id="draw", odds=3.4, key=key).ok(201)
    golden.check(
        "bet_replayed", trader.bet(account, market, 500, selection_id="draw", odds=3.4, key=key)
    )
    golden.check(
        "key_reused", trader.bet(account, market, 501, selection_id="draw", odds=3.4, key=key)
    )
    items = [
        bet_body(account, market, 10, selection_id="away", odds=3),
        bet_body(account, market, 10, selection_id="nobody"),
        bet_body(account, market, 10, odds=1.0001),
        bet_body(account, market, 9_000_000),
    ]
    golden.check("batch", trader.post("/v1/bets/batch", {"bets": items}))
    golden.check("batch_refused", trader.post("/v1/bets/batch", {"bets": items, "atomic": True}))
    quotes = [
        {"bookmaker": name, "market_id": market, "selection_id": "home", "odds": odds, "at": at}
        for name, odds, at in (
            ("Pinnacle", 2.4, "2024-01-01T10:00:00Z"),
            ("Pinnacle", 2.375, "2024-01-01T11:00:00Z"),
            ("Bet365", 2.3, "2024-01-01T10:30:00+01:00"),
        )
    ]
    quotes[0] |= {"size": 120.5, "closing": True}
    last = golden.check("odds_recorded", operator.post("/v1/odds", {"quotes": quotes}))["position"]
    golden.check("odds", trader.get(f"{path}/odds", after=last))
    golden.check("odds_history", trader.get(f"{path}/odds/history", after=last))
    golden.check("bet", trader.get(f"/v1/bets/{bet}", after=last))
    golden.check("exposure", operator.get(f"{path}/exposure", after=last))
    golden.check("account_exposure", trader.get(f"/v1/accounts/{account}/exposure", after=last))
    fixture = operator.get(path).json["fixture"]["fixture_id"]
    golden.check("fixture_exposure", operator.get(f"/v1/fixtures/{fixture}/exposure", after=last))
    golden.check("market_closed", operator.post(f"{path}/close"))
    declared = operator.post(f"{path}/result", {"score": {"home": 2, "away": 1}})
    golden.check("result_declared", declared)
    golden.check(
        "result_declared_already",
        operator.post(f"{path}/result", {"score": {"home": 2, "away": 1}}),
    )
    operator.settled(market)
    golden.check("settlement", operator.get(f"{path}/settlement"))
    last = operator.get(path).ok()["position"]
    golden.check("market_settled", trader.get(path, after=last))
    golden.check("bet_won", trader.get(f"/v1/bets/{bet}", after=last))
    golden.check("bets", trader.get("/v1/bets", account_id=account, status="lost", after=last))
    golden.check("exposure_settled", operator.get(f"{path}/exposure", after=last))
    by = {"by": "account", "after": last}
    golden.check("performance", trader.get("/v1/reports/performance", **by))
    golden.check("curve", trader.get("/v1/reports/curve", interval="bet", after=last))
    golden.check("statement_of_bets", trader.get(f"/v1/accounts/{account}/statement", after=last))
    golden.check("events_of_market", people.auditor.get("/v1/audit/events", stream=market))
    golden.check("events_of_bet", people.auditor.get("/v1/audit/events", stream=bet))


def test_problems_of_the_desk(people: People) -> None:
    golden, trader = _story(people)
    golden.check("no_token", people.nobody.get("/v1/bets"))
    golden.check("wrong_role", trader.post("/v1/markets", market_body()))
    golden.check("unknown_address", trader.get("/v1/nothing"))
    golden.check("wrong_method", trader.ask("DELETE", "/v1/bets"))
    golden.check("bad_limit", trader.get("/v1/bets", limit=501))
    golden.check("bad_cursor", trader.get("/v1/bets", cursor="x"))
    golden.check("no_body", trader.ask("POST", "/v1/bets"))
    golden.check("broken_json", trader.ask("POST", "/v1/bets", content=b"{"))
    golden.check(
        "wrong_type",
        trader.ask("POST", "/v1/bets", content=b"{}", headers={"Content-Type": "text/plain"}),
    )
    golden.check("too_large", trader.ask("POST", "/v1/bets", content=b" " * 9_000_000))
    golden.check("view_behind", trader.get("/v1/bets", after=2**62))
    golden.check("health", people.nobody.get("/health"))
    golden.check("ready", people.nobody.get("/ready"))
