"""Many bets in one request: each on its own, or all or none."""

from collections.abc import Callable
from typing import Any

import msgspec

from tests.service import Client, a_name, an_id, bet_body

Head = Callable[[], int]


def test_each_bet_of_a_batch_is_answered_in_its_place(
    trader: Client, operator: Client, head: Head
) -> None:
    account, market, closed = trader.account(100), operator.market(), operator.market()
    operator.post(f"/v1/markets/{closed}/close").ok()
    before = head()
    bets = [
        bet_body(account, market, 60),
        bet_body(account, closed, 1),
        bet_body(account, market, 60),
        bet_body(account, market, 40),
        bet_body(an_id(), market, 1),
        bet_body(account, market, 1, odds=1),
    ]
    done = trader.post("/v1/bets/batch", {"bets": bets}).ok()
    kinds = [each.get("error", each).get("type", each.get("status")) for each in done["results"]]
    assert kinds == [
        "open",
        "market_not_open",
        "insufficient_funds",
        "open",
        "account_not_found",
        "invalid_input",
    ]
    assert done["position"] == head() == before + 4
    assert done["results"][3]["available_minor"] == 0
    shown = trader.get(f"/v1/accounts/{account}", after=done["position"]).ok()
    assert (shown["available_minor"], shown["in_play_minor"]) == (0, 100)
    for each in done["results"]:
        if "bet_id" in each:
            trader.get(f"/v1/bets/{each['bet_id']}").ok()


def test_an_atomic_batch_places_all_or_none(trader: Client, operator: Client, head: Head) -> None:
    account, market = trader.account(100), operator.market()
    good, bad = bet_body(account, market, 10), bet_body(account, market, 91)
    before = head()
    refused = trader.post("/v1/bets/batch", {"bets": [good, bad, good], "atomic": True})
    problem = refused.problem(422, "batch_refused")
    assert problem["errors"][0]["field"] == "bets[1]"
    assert "insufficient_funds" in problem["detail"]
    assert head() == before
    placed = trader.post("/v1/bets/batch", {"bets": [good] * 10, "atomic": True}).ok()
    assert len({each["bet_id"] for each in placed["results"]}) == 10
    assert head() == before + 20


def test_a_batch_that_places_nothing_is_answered_too(
    trader: Client, operator: Client, head: Head
) -> None:
    account, market = trader.account(), operator.market()
    before = head()
    done = trader.post("/v1/bets/batch", {"bets": [bet_body(account, market, 1)]}).ok()
    assert done["results"][0]["error"]["type"] == "insufficient_funds"
    assert isinstance(done["position"], int)
    assert head() == before


def test_eight_thousand_bets_and_not_one_more(trader: Client, operator: Client, head: Head) -> None:
    account, market = trader.account(10_000), operator.market()
    bet, before = bet_body(account, market, 1), head()
    refused = trader.post("/v1/bets/batch", {"bets": [bet] * 8_001})
    refused.problem(400, "bad_request")
    assert refused.fields == {"bets"}
    trader.post("/v1/bets/batch", {"bets": []}).problem(400, "bad_request")
    assert head() == before
    done = trader.post("/v1/bets/batch", {"bets": [bet] * 8_000}).ok()
    assert head() == before + 16_000
    assert len({each["bet_id"] for each in done["results"]}) == 8_000
    shown = trader.get(f"/v1/accounts/{account}", after=done["position"]).ok()
    assert (shown["available_minor"], shown["in_play_minor"]) == (2_000, 8_000)


def test_a_chosen_id_twice_in_a_batch(trader: Client, operator: Client, head: Head) -> None:
    account, market, bet_id = trader.account(1_000), operator.market(), an_id()
    bet = bet_body(account, market, 10, bet_id=bet_id)
    before = head()
    body = {"bets": [bet, bet, bet | {"stake_minor": 11}]}
    first, same, other = trader.post("/v1/bets/batch", body).ok()["results"]
    assert first["bet_id"] == bet_id
    assert same == first
    assert other["error"]["type"] == "id_taken"
    assert other["error"]["status"] == 409
    assert head() == before + 2
    again = trader.post("/v1/bets", bet)
    assert again.ok(201) == first
    assert again.is_replayed
    assert trader.post("/v1/bets/batch", body).ok()["results"][0] == first
    assert head() == before + 2


def test_a_batch_is_answered_again_byte_for_byte(
    trader: Client, operator: Client, head: Head
) -> None:
    account, market, key = trader.account(1_000), operator.market(), a_name()
    body = {"bets": [bet_body(account, market, stake) for stake in (1, 2_000, 3)]}
    first = trader.post("/v1/bets/batch", body, key=key)
    before = head()
    again = trader.post("/v1/bets/batch", body, key=key)
    assert (again.content, again.is_replayed) == (first.content, True)
    other: dict[str, Any] = body | {"atomic": True}
    trader.post("/v1/bets/batch", other, key=key).problem(422, "idempotency_key_reused")
    assert head() == before


def test_the_field_at_fault_is_named_with_its_place(trader: Client, operator: Client) -> None:
    bet = bet_body(trader.account(10), operator.market(), 1)
    for bad, field in (
        (bet | {"stake_minor": msgspec.Raw(b"1.0")}, "bets[1].stake_minor"),
        (bet | {"legs": []}, "bets[1].legs"),
        (bet | {"extra": 1}, "bets[1].extra"),
        ({}, "bets[1]"),
    ):
        refused = trader.post("/v1/bets/batch", {"bets": [bet, bad]})
        refused.problem(400, "bad_request")
        assert refused.fields == {field}
