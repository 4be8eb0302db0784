"""Correcting palpable errors over HTTP: one operator proposes, another decides."""

import pytest

from tests.api.test_settlement_rules import bet_after, funds, leg, place, race, results, settled
from tests.service import Client, Json, People, a_name, an_id


@pytest.fixture
def second(people: People) -> Client:
    """Another operator."""
    return people.client("operator", "oscar")


def placed_at_nineteen(trader: Client, operator: Client) -> tuple[str, str, str, Json]:
    account, market = trader.account(500), race(operator)
    placed = place(trader, account, leg(market, 19), stake=500)
    return account, market, f"/v1/bets/{placed['bet_id']}", placed


def propose(client: Client, bet: str, odds: float = 2) -> Json:
    body = {"selection_id": "x", "odds": odds, "reason": "evens, not 18/1"}
    return client.post(f"{bet}/reprice", body).ok(201)


def test_a_settled_bet_is_settled_again_at_the_right_odds(
    trader: Client, operator: Client, second: Client, people: People
) -> None:
    account, market, bet, placed = placed_at_nineteen(trader, operator)
    operator.post(f"/v1/markets/{market}/result", results("won")).ok(202)
    settled(operator, market)
    body = {"selection_id": "x", "odds": 2, "reason": "evens, not 18/1"}
    key = a_name("propose")
    proposed = operator.post(f"{bet}/reprice", body, key=key).ok(201)
    assert (proposed["repricing"], proposed["odds_before"], proposed["odds"]) == ("proposed", 19, 2)
    assert operator.post(f"{bet}/reprice", body, key=key).ok(201) == proposed
    operator.post(f"{bet}/reprice", body).problem(409, "bet_state_conflict")
    this = {"repricing_id": proposed["repricing_id"]}
    operator.post(f"{bet}/reprice/approve", this).problem(403, "second_approver_needed")
    operator.post(f"{bet}/reprice/reject", this).problem(403, "second_approver_needed")
    assert trader.get(bet, after=proposed["position"]).ok()["return_minor"] == 9_500
    key = a_name("approve")
    done = second.post(f"{bet}/reprice/approve", this, key=key).ok()
    assert (done["repricing"], done["status"]) == ("approved", "won")
    assert (done["return_minor"], done["difference_minor"]) == (1_000, -8_500)
    assert second.post(f"{bet}/reprice/approve", this, key=key).ok() == done
    second.post(f"{bet}/reprice/approve", this).problem(404, "repricing_not_found")
    shown = trader.get(bet, after=done["position"]).ok()
    assert (shown["return_minor"], shown["legs"][0]["odds"]) == (1_000, 2)
    [repricing] = shown["repricings"]
    assert (repricing["odds_before"], repricing["status"]) == (19, "approved")
    assert (repricing["proposed_by"], repricing["decided_by"]) == ("olga", "oscar")
    view = trader.get(f"/v1/accounts/{account}", after=done["position"]).ok()
    assert (view["available_minor"], view["in_play_minor"]) == (1_000, 0)
    rows = trader.get(f"/v1/accounts/{account}/statement", after=done["position"]).ok()["items"]
    assert (rows[0]["kind"], rows[0]["amount_minor"]) == ("resettlement", -8_500)
    told = people.auditor.ask("GET", f"/v1/audit/events?stream={placed['bet_id']}&limit=10")
    assert b'"approver":"oscar"' in told.content.replace(b'": "', b'":"')
    assert settled(operator, market)["totals"][0]["return_minor"] == 1_000
    [report] = trader.get("/v1/reports/performance", after=done["position"]).ok()["items"]
    assert (report["bets"], report["average_odds"], report["profit_minor"]) == (1, 2, 500)


def test_an_open_bet_can_return_less_and_is_not_cashed_out_meanwhile(
    trader: Client, operator: Client, second: Client
) -> None:
    account, market, bet, placed = placed_at_nineteen(trader, operator)
    proposed = propose(second, bet)
    trader.get(f"{bet}/cash-out", after=proposed["position"]).problem(409, "bet_state_conflict")
    this = {"repricing_id": proposed["repricing_id"]}
    rejected = operator.post(f"{bet}/reprice/reject", this | {"reason": "it was offered"}).ok()
    assert rejected["repricing"] == "rejected"
    this = {"repricing_id": propose(second, bet)["repricing_id"]}
    done = operator.post(f"{bet}/reprice/approve", this).ok()
    assert (done["status"], done["return_minor"], done["difference_minor"]) == ("open", None, 0)
    shown = trader.get(bet, after=done["position"]).ok()
    assert (shown["potential_return_minor"], shown["legs"][0]["odds"]) == (1_000, 2)
    assert [each["status"] for each in shown["repricings"]] == ["rejected", "approved"]
    rows = trader.get(f"/v1/accounts/{account}/statement", after=done["position"]).ok()["items"]
    assert (rows[0]["kind"], rows[0]["amount_minor"]) == ("repricing", 0)
    exposed = operator.get(f"/v1/markets/{market}/exposure", after=done["position"]).ok()
    assert exposed["currencies"][0]["worst_case_minor"] == -500
    operator.post(f"/v1/markets/{market}/result", results("won")).ok(202)
    settled(operator, market)
    assert bet_after(trader, operator, market, placed)["return_minor"] == 1_000
    assert funds(trader, account, operator, market)["available_minor"] == 1_000
    operator.ask("DELETE", f"/v1/markets/{market}/result").ok(202)
    settled(operator, market, 2)
    exposed = operator.get(f"/v1/markets/{market}/exposure").ok()
    assert exposed["currencies"][0]["worst_case_minor"] == -500


def test_what_is_no_repricing_is_refused(trader: Client, operator: Client, second: Client) -> None:
    _, market, bet, _ = placed_at_nineteen(trader, operator)
    body = {"selection_id": "x", "odds": 2, "reason": "evens"}
    trader.post(f"{bet}/reprice", body).problem(403, "forbidden")
    operator.post(f"/v1/bets/{an_id()}/reprice", body).problem(404, "bet_not_found")
    for odds in (1, 0, -2, 2.0001, 1e300, 19):
        operator.post(f"{bet}/reprice", body | {"odds": odds}).problem(422, "invalid_input")
    operator.post(f"{bet}/reprice", body | {"selection_id": "q"}).problem(
        422, "selection_not_in_market"
    )
    for wrong in ({"odds": "SP"}, {"odds": None}, {"reason": ""}, {"more": 1}):
        assert operator.post(f"{bet}/reprice", body | wrong).status in (400, 422)
    unknown = {"repricing_id": an_id()}
    second.post(f"{bet}/reprice/approve", unknown).problem(404, "repricing_not_found")
    second.post(f"{bet}/reprice/reject", unknown).problem(404, "repricing_not_found")
    lay = place(trader, trader.account(1_000), leg(market, 3), stake=100, side="lay")
    path = f"/v1/bets/{lay['bet_id']}/reprice"
    operator.post(path, body).problem(422, "not_offered")
