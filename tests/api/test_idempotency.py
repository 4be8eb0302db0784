"""The same key, or the same chosen id, makes a command take effect once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.service import (
    EXPRESS,
    FRAMEWORK,
    Answer,
    Client,
    Json,
    People,
    a_name,
    an_id,
    bet_body,
    market_body,
)

Head = Callable[[], int]


def _same(first: Answer, again: Answer) -> None:
    assert (again.status, again.content) == (first.status, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert not first.is_replayed
    assert again.is_replayed


def _commands(people: People, trader: Client) -> dict[str, tuple[Client, str, Json, Json]]:
    """Every command's client, address, body, and another body."""
    operator, account = people.operator, trader.account(10_000)
    transfer = {"amount_minor": 10, "method": "bank"}
    held = [
        trader.post(f"/v1/accounts/{account}/withdrawals", transfer).ok(201)["transfer_id"]
        for _ in range(2)
    ]
    market, suspended = operator.market(), operator.market()
    operator.post(f"/v1/markets/{suspended}/suspend").ok()
    bet = bet_body(account, market, 10)
    quote = {"bookmaker": "b", "market_id": market, "selection_id": "home", "odds": 2}
    quote |= {"at": "2024-01-01T00:00:00Z"}
    score = {"score": {"home": 1, "away": 0}}
    named = {"currency": "EUR", "name": "a"}
    return {
        "open account": (trader, "/v1/accounts", named, named | {"name": "b"}),
        "deposit": (
            trader,
            f"/v1/accounts/{account}/deposits",
            transfer,
            transfer | {"amount_minor": 11},
        ),
        "withdraw": (
            trader,
            f"/v1/accounts/{account}/withdrawals",
            transfer,
            transfer | {"method": "cash"},
        ),
        "complete": (operator, f"/v1/withdrawals/{held[0]}/complete", None, None),
        "reject": (operator, f"/v1/withdrawals/{held[1]}/reject", None, {"reason": "no"}),
        "open market": (operator, "/v1/markets", market_body(), market_body(pricing="house")),
        "bet": (trader, "/v1/bets", bet, bet | {"stake_minor": 11}),
        "batch": (trader, "/v1/bets/batch", {"bets": [bet] * 3}, {"bets": [bet] * 2}),
        "odds": (operator, "/v1/odds", {"quotes": [quote]}, {"quotes": [quote | {"odds": 3}]}),
        "resume": (operator, f"/v1/markets/{suspended}/resume", None, None),
        "suspend": (operator, f"/v1/markets/{suspended}/suspend", None, {"reason": "x"}),
        "close": (operator, f"/v1/markets/{market}/close", None, None),
        "result": (
            operator,
            f"/v1/markets/{market}/result",
            score,
            {"score": {"home": 0, "away": 0}},
        ),
    }


def test_every_command_is_answered_once_under_its_key(
    people: People, trader: Client, head: Head
) -> None:
    for name, (client, path, body, other) in _commands(people, trader).items():
        key = a_name(name.replace(" ", "-"))
        first = client.post(path, body, key=key)
        assert first.status < 300, (name, first)
        if name == "result":
            people.operator.settled(path.split("/")[3])
        before = head()
        _same(first, client.post(path, body, key=key))
        if other is not None:
            client.post(path, other, key=key).problem(422, "idempotency_key_reused")
        assert head() == before, name


def test_a_key_is_its_users_own(people: People) -> None:
    key, bodies = a_name(), [{"currency": code, "name": "n"} for code in ("EUR", "GBP")]
    ids = {
        people.trader().post("/v1/accounts", body, key=key).ok(201)["account_id"] for body in bodies
    }
    assert len(ids) == 2


def test_one_key_for_two_routes_is_refused(trader: Client, operator: Client) -> None:
    key, account, market = a_name(), trader.account(100), operator.market()
    trader.deposit(account, 1, key=key).ok(201)
    trader.bet(account, market, key=key).problem(422, "idempotency_key_reused")
    body = {"amount_minor": 1, "method": "card"}
    path = f"/v1/accounts/{account}/withdrawals"
    trader.post(path, body, key=key).problem(422, "idempotency_key_reused")


@pytest.mark.parametrize("lane", [EXPRESS, FRAMEWORK])
def test_a_refusal_is_given_again_when_it_would_no_longer_be_one(
    trader: Client, operator: Client, lane: str
) -> None:
    account, market, key = trader.account(), operator.market(), a_name()
    refused = trader.bet(account, market, key=key, lane=lane)
    refused.problem(422, "insufficient_funds")
    trader.deposit(account, 1_000).ok(201)
    again = trader.bet(account, market, key=key, lane=lane)
    assert (again.status, again.json) == (refused.status, refused.json)
    assert again.is_replayed
    trader.bet(account, market, key=a_name(), lane=lane).ok(201)


@pytest.mark.parametrize("odds", [b"2.5", b"2.50", b"25e-1", b"3", b"3.0"])
@pytest.mark.parametrize("lanes", [(EXPRESS, FRAMEWORK), (FRAMEWORK, EXPRESS)])
def test_a_retry_is_the_same_request_on_either_lane(
    trader: Client, operator: Client, odds: bytes, lanes: tuple[str, str]
) -> None:
    account, market, key = trader.account(1_000), operator.market(), a_name()
    content = (
        b'{"account_id":"%b","legs":[{"market_id":"%b","selection_id":"home","odds":%b}],"stake_minor":5}'
        % (account.encode(), market.encode(), odds)
    )
    first, again = (trader.ask("POST", lane, content=content, key=key) for lane in lanes)
    first.ok(201)
    _same(first, again)


def test_the_order_of_fields_makes_no_other_request(trader: Client, operator: Client) -> None:
    key, body = a_name(), bet_body(trader.account(100), operator.market())
    first = trader.post("/v1/bets", body, key=key)
    again = trader.post("/v1/bets", dict(reversed(body.items())), key=key)
    _same(first, again)


@pytest.mark.parametrize("lane", [EXPRESS, FRAMEWORK])
def test_a_chosen_bet_id_is_a_key_too(
    trader: Client, operator: Client, lane: str, head: Head
) -> None:
    account, market, bet_id = trader.account(1_000), operator.market(), an_id()
    first = trader.bet(account, market, bet_id=bet_id, lane=lane)
    assert first.ok(201)["bet_id"] == bet_id
    before = head()
    _same(first, trader.bet(account, market, bet_id=bet_id, lane=lane))
    other = trader.bet(account, market, 101, bet_id=bet_id, lane=lane)
    other.problem(409, "id_taken")
    operator.post(f"/v1/markets/{market}/close").ok()
    _same(first, trader.bet(account, market, bet_id=bet_id, lane=lane))
    assert head() == before + 1


def test_every_chosen_id_is_a_key_too(people: People, trader: Client) -> None:
    account = trader.account(100)
    chosen: dict[str, tuple[Client, str, Any]] = {
        "account_id": (trader, "/v1/accounts", {"currency": "EUR", "name": "n"}),
        "market_id": (people.operator, "/v1/markets", market_body()),
    }
    transfer = {"amount_minor": 1, "method": "m"}
    for what in ("deposits", "withdrawals"):
        client, path, body, name = trader, f"/v1/accounts/{account}/{what}", transfer, "transfer_id"
        _check_chosen(client, path, body, name, {"amount_minor": 2})
    for name, (client, path, body) in chosen.items():
        other = {"name": "o"} if name == "account_id" else {"pricing": "house"}
        _check_chosen(client, path, body, name, other)


def _check_chosen(client: Client, path: str, body: Json, name: str, other: Json) -> None:
    body = body | {name: an_id()}
    first = client.post(path, body)
    assert first.ok(201)[name] == body[name]
    _same(first, client.post(path, body))
    client.post(path, body | other).problem(409, "id_taken")


def test_a_chosen_id_of_somebody_else_tells_nothing(people: People) -> None:
    alice, mallory = people.trader(), people.trader()
    account_id = an_id()
    body = {"account_id": account_id, "currency": "EUR", "name": "n"}
    alice.post("/v1/accounts", body).ok(201)
    mallory.post("/v1/accounts", body).problem(409, "id_taken")


def test_many_at_once_with_one_key_take_effect_once(people: People, operator: Client) -> None:
    trader = people.trader()
    account, market, key = trader.account(10_000), operator.market(), a_name()
    clients = [people.trader(trader.user) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: each.bet(account, market, key=key), clients))
    assert len({answer.content for answer in answers}) == 1
    assert sum(not answer.is_replayed for answer in answers) == 1
    last = answers[0].ok(201)["position"]
    assert trader.get(f"/v1/accounts/{account}", after=last).ok()["in_play_minor"] == 100
