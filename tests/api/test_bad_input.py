"""Bad input: each request is refused with a problem of the right kind that names the field, and changes nothing."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.service import (
    EXPRESS,
    FRAMEWORK,
    Answer,
    Client,
    People,
    an_id,
    bet_body,
    market_body,
)

Head = Callable[[], int]
Raw = msgspec.Raw

MONEY: Final[dict[str, Any]] = {
    "a float": Raw(b"1.5"),
    "a whole float": Raw(b"1.0"),
    "an exponent": Raw(b"1e3"),
    "text": "100",
    "true": True,
    "null": None,
    "negative": -1,
    "zero": 0,
    "over the most": 10**15 + 1,
    "10^40": Raw(b"1" + b"0" * 40),
    "10^5000": Raw(b"1" + b"0" * 5000),
    "a list": [],
    "an object": {},
}
ODDS: Final[dict[str, Any]] = {
    "text": "2.5",
    "NaN in text": "NaN",
    "true": True,
    "null": None,
    "one": 1,
    "under one": 0.5,
    "negative": -2.5,
    "zero": 0,
    "four decimals": Raw(b"2.0001"),
    "many decimals": Raw(b"2.00000000000000000000000000000000001"),
    "a million zeros": Raw(b"2." + b"0" * 100_000),
    "hundreds of zeros": Raw(b"2." + b"0" * 500),
    "huge": 100_001,
    "1e400": Raw(b"1e400"),
    "1e-400": Raw(b"1e-400"),
    "an endless exponent": Raw(b"1e99999999999999999999"),
    "a list": [2],
}
SIZES: Final[dict[str, Any]] = {
    "text": "1",
    "negative": -1,
    "nine decimals": Raw(b"0.000000001"),
    "huge": Raw(b"1e16"),
    "a zero with a huge exponent": Raw(b"0E+999999"),
    "a zero with a tiny exponent": Raw(b"0E-999999"),
    "many zeros": Raw(b"1." + b"0" * 20_000),
    "true": True,
}
LINES: Final[dict[str, Any]] = {
    "text": "2.5",
    "signalling NaN in text": "sNaN",
    "no quarter": 2.3,
    "huge": 10_001,
    "null": None,
    "a zero with a tiny exponent": Raw(b"0E-99999"),
    "a zero with a huge exponent": Raw(b"0E+99999"),
    "many zeros": Raw(b"2.5" + b"0" * 20_000),
    "1e999999": Raw(b"1e999999"),
}
TEXT: Final[dict[str, Any]] = {
    "a number": 5,
    "true": True,
    "empty": "",
    "too long": "x" * 201,
    "a megabyte": "x" * 1_000_000,
    "a NUL": "a\0b",
    "a line break": "a\n",
    "a control character": "\x1b[2J",
    "a delete": "\x7f",
    "a list": ["a"],
}
IDS: Final[dict[str, Any]] = {
    "garbage": "zz",
    "a number": 5,
    "empty": "",
    "too short": "00000000-0000-4000-8000-00000000000",
    "a path": "../../x",
}
CHOSEN: Final = IDS | {"one of the ledger's own": "6f1c3f0e-6b1f-8c3e-9a64-0d9f3a5f4c11"}
TIMES: Final[dict[str, Any]] = {
    "a word": "yesterday",
    "no offset": "2024-01-01T00:00:00",
    "a number": 1_700_000_000,
    "before the calendar": "0001-01-01T00:00:00+23:59",
    "after the calendar": "9999-12-31T23:59:59-23:59",
    "no such day": "2024-02-30T00:00:00Z",
    "null": None,
}
WORDS: Final[dict[str, Any]] = {"unknown": "nope", "a number": 5, "null": None, "empty": ""}
CURRENCIES: Final[dict[str, Any]] = {
    "unknown": "XXX",
    "small letters": "eur",
    "a line break": "EUR\n",
    "too long": "EURO",
    "a number": 978,
    "null": None,
}
FLAGS: Final[dict[str, Any]] = {"text": "true", "a number": 1, "null": None}

BROKEN: Final[dict[str, bytes]] = {
    "nothing": b"",
    "blanks": b"   ",
    "not JSON": b"bet please",
    "cut off": b'{"account_id":',
    "trailing garbage": b"{} {}",
    "a list": b"[]",
    "null": b"null",
    "a number": b"5",
    "text": b'"x"',
    "NaN": b'{"amount_minor":NaN,"stake_minor":NaN}',
    "Infinity": b'{"amount_minor":Infinity,"stake_minor":-Infinity}',
    "invalid UTF-8": b'{"name":"\xff\xfe","method":"\xff","bookmaker":"\xff","kind":"\xc3\x28"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "a lone surrogate": rb'{"name":"\ud800","kind":"\udc00"}',
    "a raw NUL": b'{"name":"a\x00b"}',
    "deep lists": b"[" * 500_000,
    "deep objects": b'{"a":' * 200_000,
    "a deep field": b'{"name":' + b"[" * 200_000,
}


def _set(body: Any, path: str, value: Any) -> Any:
    """A copy of a body with the value at a path such as legs.0.odds replaced."""
    first, _, rest = path.partition(".")
    if isinstance(body, list):
        place = int(first)
        return [
            (_set(each, rest, value) if rest else value) if n == place else each
            for n, each in enumerate(body)
        ]
    return body | {first: _set(body[first], rest, value) if rest else value}


def _variants(fields: dict[str, dict[str, Any]], body: Any) -> Iterator[tuple[str, str, Any]]:
    """Give what is wrong, the field at fault, and the body."""
    for path, values in fields.items():
        field = re.sub(r"\.\d+", "", path).rpartition(".")[2]
        for what, value in values.items():
            yield f"{path}: {what}", field, _set(body, path, value)
    yield "an unknown field", "extra", body | {"extra": 1}


def _check(answer: Answer, field: str) -> None:
    """Check that an answer is a refusal of bad input that names the field."""
    assert answer.status in {400, 422}, (answer.status, answer.content[:200])
    answer.problem(answer.status)
    assert any(field in named for named in answer.fields), (field, answer.content[:300])
    assert len(answer.content) < 2_000


def _failures(
    ask: Callable[[Any], Answer], body: Any, fields: dict[str, dict[str, Any]], head: Head
) -> list[str]:
    before, failures = head(), []
    for what, field, bad in _variants(fields, body):
        try:
            _check(ask(bad), field)
        except AssertionError as error:
            failures.append(f"{what}: {error}"[:300])
    for what, content in BROKEN.items():
        answer = ask(content)
        if answer.status != 400 or answer.json["type"] != "bad_request":
            failures.append(f"{what}: {answer}"[:300])
    if head() != before:
        failures.append(f"the log went from {before} to {head()}")
    return failures


def _asking(client: Client, path: str) -> Callable[[Any], Answer]:
    def ask(body: Any) -> Answer:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return client.ask("POST", path, content=content)

    return ask


# ---- bodies, route by route


def test_opening_an_account(trader: Client, head: Head) -> None:
    body = {"account_id": an_id(), "owner": trader.user, "currency": "EUR", "name": "n"}
    body |= {"held_at": "a bank"}
    fields = {"account_id": IDS, "owner": TEXT, "currency": CURRENCIES, "name": TEXT}
    assert not _failures(_asking(trader, "/v1/accounts"), body, fields | {"held_at": TEXT}, head)


@pytest.mark.parametrize("what", ["deposits", "withdrawals"])
def test_moving_money(trader: Client, head: Head, what: str) -> None:
    ask = _asking(trader, f"/v1/accounts/{trader.account(5)}/{what}")
    body = {"transfer_id": an_id(), "amount_minor": 5, "method": "card", "reference": "r"}
    fields = {"transfer_id": IDS, "amount_minor": MONEY, "method": TEXT, "reference": TEXT}
    assert not _failures(ask, body, fields, head)


def test_opening_a_market(operator: Client, head: Head) -> None:
    body = market_body(
        type="OU",
        line=2.5,
        selections=[{"selection_id": "over", "name": "o"}, {"selection_id": "under", "name": "u"}],
        limits={"max_stake_minor": 5, "max_return_minor": 5},
        terms={"each_way_places": 2, "each_way_divisor": 4},
        market_id=an_id(),
    )
    body["fixture"]["fixture_id"] = an_id()
    limit = {what: value for what, value in MONEY.items() if value is not None}
    places = {"a float": 1.5, "zero": 0, "many": 10**6, "text": "2"}
    fields = {
        "market_id": IDS,
        "fixture.fixture_id": IDS,
        "fixture.sport": TEXT,
        "fixture.competition": TEXT,
        "fixture.name": TEXT,
        "fixture.starts_at": TIMES,
        "fixture.home": TEXT,
        "type": WORDS,
        "line": LINES,
        "selections": {"none": [], "too many": [{"selection_id": "a", "name": "a"}] * 501},
        "selections.0.selection_id": TEXT | {"named twice": "under"},
        "selections.0.name": TEXT,
        "pricing": WORDS,
        "limits.max_stake_minor": limit,
        "limits.max_return_minor": limit,
        "terms.each_way_places": places,
        "terms.each_way_divisor": places,
    }
    fields["selections.0.selection_id"].pop("named twice")
    assert not _failures(_asking(operator, "/v1/markets"), body, fields, head)
    twice = _set(body, "selections.0.selection_id", "under")
    _check(operator.post("/v1/markets", twice), "selections")
    _check(operator.post("/v1/markets", body | {"type": "1X2"}), "line")
    nested = _set(body, "fixture.extra", 1)
    _check(operator.post("/v1/markets", nested), "fixture.extra")


def test_a_withdrawn_runners_price_is_a_number(operator: Client, head: Head) -> None:
    """The starting price says nothing about it; read as no price it would deduct nothing from anybody."""
    runners = [{"selection_id": each, "name": each} for each in ("a", "b")]
    market = operator.market(type="WIN", selections=runners, terms={"rule4": "traditional/1"})
    ask = _asking(operator, f"/v1/markets/{market}/withdrawals")
    odds = {what: value for what, value in ODDS.items() if value is not None}
    fields = {"odds": odds | {"the starting price": "SP"}}
    assert not _failures(ask, {"selection_id": "a", "odds": 3}, fields, head)
    factors = {"text": "2.5", "too many decimals": 1.0001, "negative": -1, "over all": 100.5}
    assert not _failures(ask, {"selection_id": "a", "factor": 3}, {"factor": factors}, head)


def test_a_share_to_cash_out_is_a_number(trader: Client, operator: Client, head: Head) -> None:
    placed = trader.bet(trader.account(1_000), operator.market()).ok(201)
    ask = _asking(trader, f"/v1/bets/{placed['bet_id']}/cash-out")
    shares = {"text": "0.5", "zero": 0, "too much": 1.5, "too many decimals": 0.1234567}
    assert not _failures(ask, {"offer_minor": 1, "share": 0.5}, {"share": shares}, head)


def test_declaring_a_result(operator: Client, head: Head) -> None:
    ask = _asking(operator, f"/v1/markets/{operator.market()}/result")
    points = {"negative": -1, "a float": 1.5, "text": "1", "null": None, "huge": 10_001}
    score = {"score": {"home": 1, "away": 0}}
    assert not _failures(ask, score, {"score.home": points, "score.away": points}, head)
    words = ("home", "draw", "away")
    results = {"results": [{"selection_id": word, "result": "won"} for word in words]}
    results["results"][0] |= {"dead_heat": {"tied": 2, "places": 1}, "position": 1}  # type: ignore[dict-item]
    fields = {
        "results": {"none": [], "text": "x"},
        "results.0.selection_id": TEXT,
        "results.0.result": WORDS,
        "results.0.dead_heat.tied": {"one": 1, "a float": 2.0, "text": "2"},
        "results.0.position": {"zero": 0, "text": "1"},
    }
    assert not _failures(ask, results, fields, head)
    for bad, status in (
        ({}, 422),
        (results | score, 422),
        ({"results": results["results"][:2]}, 422),
        ({"results": results["results"][:2] * 2}, 422),
        ({"results": [{"selection_id": "nobody", "result": "won"}]}, 422),
        ({"results": [{"selection_id": word, "result": "placed"} for word in words]}, 422),
        (_set(results, "results.0.dead_heat", {"tied": 2, "places": 2}), 422),
    ):
        before = head()
        ask(bad).problem(status)
        assert head() == before


@pytest.mark.parametrize("step", ["suspend", "resume", "close"])
def test_changing_a_market(operator: Client, head: Head, step: str) -> None:
    market = operator.market()
    if step == "resume":
        operator.post(f"/v1/markets/{market}/suspend").ok()
    before = head()
    path = f"/v1/markets/{market}/{step}"
    _check(operator.post(path, {"extra": 1}), "extra")
    for content in (b"[]", b"{", b"\xff", b"5", b"[" * 300_000):
        operator.ask("POST", path, content=content).problem(400, "bad_request")
    if step == "suspend":
        for what, value in TEXT.items():
            assert operator.post(path, {"reason": value}).status == 400, what
    assert head() == before


def test_finishing_a_withdrawal(trader: Client, operator: Client, head: Head) -> None:
    account = trader.account(50)
    body = {"amount_minor": 5, "method": "bank"}
    held = trader.post(f"/v1/accounts/{account}/withdrawals", body).ok(201)["transfer_id"]
    before = head()
    for step in ("complete", "reject"):
        _check(operator.post(f"/v1/withdrawals/{held}/{step}", {"extra": 1}), "extra")
        operator.ask("POST", f"/v1/withdrawals/{held}/{step}", content=b"[").problem(400)
    for value in TEXT.values():
        _check(operator.post(f"/v1/withdrawals/{held}/reject", {"reason": value}), "reason")
    operator.post(f"/v1/withdrawals/{an_id()}/complete").problem(404, "withdrawal_not_found")
    assert head() == before


def test_recording_odds(operator: Client, head: Head) -> None:
    market = operator.market()
    quote = {
        "bookmaker": "b",
        "market_id": market,
        "selection_id": "home",
        "odds": 2.5,
        "at": "2024-01-01T00:00:00Z",
        "size": 10.5,
        "closing": False,
        "side": "back",
        "withdrawn": False,
    }
    ask = _asking(operator, "/v1/odds")
    body = {"quotes": [quote]}
    fields = {
        "quotes": {"none": [], "text": "x"},
        "quotes.0.bookmaker": TEXT,
        "quotes.0.market_id": IDS,
        "quotes.0.odds": ODDS,
        "quotes.0.at": TIMES | {"in the future": "2999-01-01T00:00:00Z"},
        "quotes.0.size": SIZES,
        "quotes.0.closing": FLAGS,
        "quotes.0.side": {"none": None, "both": "both", "number": 1},
        "quotes.0.withdrawn": FLAGS,
    }
    assert not _failures(ask, body, fields, head)
    before = head()
    ask(_set(body, "quotes.0.market_id", an_id())).problem(404, "market_not_found")
    ask(_set(body, "quotes.0.selection_id", "x")).problem(422, "selection_not_in_market")
    nameless = {name: value for name, value in quote.items() if name != "market_id"}
    _check(ask({"quotes": [nameless]}), "market_id")
    named = nameless | {"fixture_id": an_id(), "type": "OU", "line": Raw(b"1e9999999")}
    assert ask({"quotes": [named]}).status in {404, 422}
    ask({"quotes": [named | {"line": 2.5}]}).problem(404, "market_not_found")
    # One bad quote refuses them all.
    ask({"quotes": [quote, quote | {"odds": 1}]}).problem(422, "invalid_input")
    ask({"quotes": [quote] * 10_001}).problem(400, "bad_request")
    assert head() == before


# ---- bets: what is well formed takes an express lane past the framework, and must be answered in the same words


def _both(client: Client, content: bytes, headers: dict[str, Any] | None = None) -> Answer:
    """Send a bet through both lanes, check that the refusals are the same, and give it."""
    express = client.ask("POST", EXPRESS, content=content, headers=headers)
    framework = client.ask("POST", FRAMEWORK, content=content, headers=headers)
    assert (express.status, express.json) == (framework.status, framework.json)
    names = {"content-type", "retry-after", "idempotency-replayed", "www-authenticate"}
    for name in names:
        assert express.headers.get(name) == framework.headers.get(name)
    return express


def test_placing_a_bet(trader: Client, operator: Client, head: Head) -> None:
    body = bet_body(trader.account(10_000), operator.market(), bet_id=an_id())
    body |= {"kind": "single", "side": "back"}

    def ask(bad: Any) -> Answer:
        return _both(trader, bad if isinstance(bad, bytes) else msgspec.json.encode(bad))

    fields = {
        "bet_id": CHOSEN,
        "account_id": IDS | {"null": None},
        "kind": WORDS,
        "side": WORDS,
        "legs": {"none": [], "null": None, "text": "x", "many": body["legs"] * 31},
        "legs.0.market_id": IDS | {"null": None},
        "legs.0.selection_id": {"a number": 5, "null": None},
        "legs.0.odds": ODDS,
        "stake_minor": MONEY,
    }
    failures = _failures(ask, body, fields, head)
    # The id of the ledger's own is named in the sentence alone.
    assert [each for each in failures if "ledger's own" not in each] == []


@pytest.mark.parametrize("lane", [EXPRESS, FRAMEWORK])
def test_a_bet_that_a_rule_refuses(people: People, trader: Client, head: Head, lane: str) -> None:
    operator = people.operator
    account, market = trader.account(1_000), operator.market()
    suspended, closed, resulted = operator.market(), operator.market(), operator.market()
    operator.post(f"/v1/markets/{suspended}/suspend").ok()
    operator.post(f"/v1/markets/{closed}/close").ok()
    operator.post(f"/v1/markets/{resulted}/result", {"score": {"home": 1, "away": 0}}).ok(202)
    operator.settled(resulted)
    limited = operator.market(limits={"max_stake_minor": 10, "max_return_minor": 15})
    house = operator.market(pricing="house")
    before = head()
    for options, status, kind in (
        ({"market_id": an_id()}, 404, "market_not_found"),
        ({"market_id": account}, 404, "market_not_found"),
        ({"account_id": an_id()}, 404, "account_not_found"),
        ({"account_id": market}, 404, "account_not_found"),
        ({"market_id": suspended}, 422, "market_not_open"),
        ({"market_id": closed}, 422, "market_not_open"),
        ({"market_id": resulted}, 422, "market_not_open"),
        ({"selection_id": "nobody"}, 422, "selection_not_in_market"),
        ({"selection_id": ""}, 422, "selection_not_in_market"),
        ({"selection_id": "\0\n"}, 422, "selection_not_in_market"),
        ({"stake_minor": 1_001}, 422, "insufficient_funds"),
        ({"stake_minor": 10**15}, 422, "insufficient_funds"),
        ({"market_id": limited, "stake_minor": 11}, 422, "limit_exceeded"),
        ({"market_id": limited, "stake_minor": 10}, 422, "limit_exceeded"),
        ({"market_id": house}, 422, "price_changed"),
        ({"bet_id": market}, 409, "id_taken"),
        ({"bet_id": account}, 409, "id_taken"),
    ):
        arguments = {"account_id": account, "market_id": market} | options
        answer = trader.bet(**arguments, lane=lane)
        answer.problem(status, kind)
    assert head() == before


def test_a_very_long_selection_is_not_repeated_in_the_answer(
    trader: Client, operator: Client
) -> None:
    body = bet_body(trader.account(100), operator.market(), selection_id="x" * 5_000_000)
    answer = trader.post("/v1/bets", body)
    assert answer.status in {400, 422}
    assert len(answer.content) < 2_000


@pytest.mark.parametrize(
    "key",
    ["", "a b", "x" * 256, "é", b"\xff\xfe", b"\xc3\xa9", "tab\there"],
    ids=repr,
)
def test_a_bad_idempotency_key(trader: Client, operator: Client, head: Head, key: Any) -> None:
    content = msgspec.json.encode(bet_body(trader.account(100), operator.market()))
    before = head()
    raw = key.encode() if isinstance(key, str) else key
    _check(_both(trader, content, {"Idempotency-Key": raw}), "Idempotency-Key")
    body = b'{"currency":"EUR","name":"n"}'
    answer = trader.ask("POST", "/v1/accounts", content=body, headers={"Idempotency-Key": raw})
    _check(answer, "Idempotency-Key")
    assert head() == before


@pytest.mark.parametrize("key", ["x", "x" * 255, "!~", 'a"b\\c', "%00"])
def test_a_good_idempotency_key(trader: Client, operator: Client, key: str) -> None:
    account, market = trader.account(100), operator.market()
    placed = trader.bet(account, market, 1, key=key).ok(201)
    assert trader.bet(account, market, 1, key=key, lane=FRAMEWORK).ok(201) == placed


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"],
)
def test_a_body_that_does_not_call_itself_json(
    trader: Client, operator: Client, head: Head, content_type: str
) -> None:
    account, market = trader.account(100), operator.market()
    content = msgspec.json.encode(bet_body(account, market))
    before = head()
    headers = {"Content-Type": content_type}
    _both(trader, content, headers).problem(415, "unsupported_media_type")
    path = f"/v1/accounts/{account}/deposits"
    deposit = b'{"amount_minor":1,"method":"m"}'
    trader.ask("POST", path, content=deposit, headers=headers).problem(415)
    assert head() == before


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"]
)
def test_a_body_that_calls_itself_json(trader: Client, operator: Client, content_type: str) -> None:
    content = msgspec.json.encode(bet_body(trader.account(500), operator.market()))
    headers = {"Content-Type": content_type}
    for lane in (EXPRESS, FRAMEWORK):
        trader.ask("POST", lane, content=content, headers=headers).ok(201)


# ---- sizes


@pytest.mark.parametrize("path", [EXPRESS, FRAMEWORK, "/v1/bets/batch", "/v1/accounts"])
def test_twenty_megabytes(trader: Client, path: str) -> None:
    answer = trader.ask("POST", path, content=b" " * 20_000_000)
    answer.problem(413, "too_large")


@pytest.mark.parametrize("path", ["/v1/bets", "/v1/bets/batch"])
def test_twenty_megabytes_in_chunks(trader: Client, path: str) -> None:
    chunks = (b" " * 500_000 for _ in range(40))
    trader.ask("POST", path, content=chunks).problem(413, "too_large")


def test_twenty_megabytes_from_nobody(people: People) -> None:
    content = b" " * 20_000_000
    people.nobody.ask("POST", "/v1/bets", content=content).problem(401)


def _raw(people: People, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
    """Send bytes as they are, and give the answer's status and body."""
    parts = urlsplit(people.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(head + body)
        answer = b""
        with suppress(ConnectionResetError):
            while more := connection.recv(65_536):
                answer += more
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


def test_two_keys_are_none(people: People, head: Head) -> None:
    account, market = people.admin.account(100), people.operator.market()
    body = msgspec.json.encode(bet_body(account, market, 1))
    before = head()
    for lane in (EXPRESS, FRAMEWORK):
        lines = [
            f"POST {lane} HTTP/1.1",
            "Host: x",
            "Connection: close",
            f"Authorization: Bearer {people.admin.token}",
            "Idempotency-Key: a",
            "Idempotency-Key: b",
            f"Content-Length: {len(body)}",
        ]
        status, answer = _raw(people, "\r\n".join([*lines, "", ""]).encode(), body)
        assert (status, msgspec.json.decode(answer)["type"]) == (422, "invalid_input")
    assert head() == before


@pytest.mark.parametrize(
    "lines",
    [b"X: " + b"a" * 3_000_000, b"X: a\r\n" * 300_000, b"Authorization: Bearer " + b"a" * 999_999],
    ids=["one long header", "many headers", "a long token"],
)
def test_headers_without_end(people: People, lines: bytes) -> None:
    status, _ = _raw(people, b"GET /health HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n\r\n")
    assert status == 431


def test_an_address_without_end(people: People) -> None:
    status, _ = _raw(people, b"GET /" + b"a" * 3_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 431


@pytest.mark.parametrize(
    "request_line", [b"bet please", b"\x16\x03\x01", b"GET / HTTP/9.9", b"GET  "]
)
def test_what_is_no_http(people: People, request_line: bytes) -> None:
    status, answer = _raw(people, request_line + b"\r\n\r\n")
    assert status == 400
    assert msgspec.json.decode(answer)["type"] == "bad_request"


# ---- addresses and queries


@pytest.mark.parametrize(
    "bad",
    [
        "zz",
        "1",
        "00000000-0000-0000-0000-00000000000g",
        "..%2f..%2fhealth",
        "%00",
        "null",
        "x" * 5000,
    ],
)
def test_an_id_in_an_address_that_is_none(people: People, bad: str) -> None:
    for path in ("/v1/accounts/{}", "/v1/bets/{}", "/v1/markets/{}", "/v1/markets/{}/settlement"):
        people.admin.get(path.format(bad)).problem(404)
    people.admin.post(f"/v1/withdrawals/{bad}/complete").problem(404)


LISTS: Final = {
    "/v1/accounts": "trader",
    "/v1/bets": "trader",
    "/v1/markets": "trader",
    "/v1/accounts/{account}/statement": "trader",
    "/v1/markets/{market}/odds/history": "trader",
    "/v1/reports/betting-totals": "auditor",
    "/v1/reports/performance": "trader",
    "/v1/reports/curve": "trader",
}


@pytest.mark.parametrize("path", LISTS)
def test_a_bad_query(people: People, path: str) -> None:
    trader = people.trader()
    names = {"account": trader.account(), "market": people.operator.market()}
    trader.see(trader.deposit(names["account"], 1).ok(201)["position"])
    client = trader if LISTS[path] == "trader" else people.auditor
    address = path.format(**names)
    bad: list[tuple[str, Any]] = [
        *(("limit", value) for value in (0, -1, 501, "x", "", 10**40, 1.5, "null", "\0")),
        *(("after", value) for value in (-1, "x", "", 2**63, 10**40, 1.5, "null", "NULL")),
        *(
            ("cursor", value)
            for value in ("", "x", "!!!!", "AAAA", "é", "\0", "k" * 501, "gA", "wA")
        ),
    ]
    for name, value in bad:
        try:
            _check(client.get(address, **{name: value}), name)
        except AssertionError as error:
            raise AssertionError(f"{name}={value!r}") from error
    client.get(address, limit=500).ok()


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("/v1/accounts/{account}/statement", "from", ["x", "2024-01-01", "5", "\0"]),
        ("/v1/accounts/{account}/statement", "to", ["x", "2024-01-01T00:00:00"]),
        (
            "/v1/accounts/{account}",
            "as_of",
            ["x", "", "-1", "1.5", "2024-01-01T00:00:00", "²", "9" * 19],
        ),
        ("/v1/bets", "status", ["x", "", "OPEN"]),
        ("/v1/bets", "account_id", ["x", "", "5"]),
        ("/v1/bets", "market_id", ["x", "null"]),
        ("/v1/markets", "status", ["x"]),
        ("/v1/markets", "starts_after", ["x", "2024"]),
        ("/v1/markets/{market}/odds/history", "from", ["x"]),
    ],
)
def test_a_bad_filter(
    trader: Client, operator: Client, path: str, name: str, values: list[str]
) -> None:
    address = path.format(account=trader.account(), market=operator.market())
    trader.see(operator.post("/v1/markets", market_body()).ok(201)["position"])
    for value in values:
        _check(trader.get(address, **{name: value}), name)


def test_a_nul_in_a_filter_is_no_fault(people: People) -> None:
    for path, name in (
        ("/v1/markets", "sport"),
        ("/v1/accounts", "owner"),
        ("/v1/models", "scope"),
        ("/v1/value-signals", "bookmaker"),
    ):
        assert people.admin.get(path, **{name: "a\0b"}).status in {200, 400, 422}


def test_times_at_the_ends_of_the_calendar_are_no_fault(people: People) -> None:
    account = people.admin.account()
    for value in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        for path, name in (
            (f"/v1/accounts/{account}/statement", "from"),
            (f"/v1/accounts/{account}/statement", "to"),
            (f"/v1/accounts/{account}", "as_of"),
            ("/v1/markets", "starts_after"),
            ("/v1/audit/trial-balance", "as_of"),
        ):
            assert people.admin.get(path, **{name: value}).status in {200, 400, 404, 422}


def test_a_bad_audit_query(people: People) -> None:
    for name, values in {
        "after": (-1, "x", 2**63),
        "limit": (0, -1, "x", 10**9),
        "stream": ("x", "5"),
    }.items():
        for value in values:
            _check(people.auditor.get("/v1/audit/events", **{name: value}), name)
    for value in ("x", "2024-01-01T00:00:00", "-5"):
        _check(people.auditor.get("/v1/audit/trial-balance", as_of=value), "as_of")


# ---- what was stored must never stop those who read


def test_no_accepted_number_stops_the_read_models(trader: Client, operator: Client) -> None:
    """Numbers at the edge of what is accepted reach the views."""
    account, market = trader.account(10**9), operator.market()
    content = msgspec.json.encode(bet_body(account, market))
    last = 0
    for odds in (b"2.500", b"2.50000000", b"1.001", b"100000", b"1E+5", b"25e-1"):
        placed = trader.ask("POST", "/v1/bets", content=content.replace(b"2.5", odds)).ok(201)
        last = placed["position"]
    quote = {"bookmaker": "b", "market_id": market, "selection_id": "home", "odds": 2.5}
    for size in (b"0", b"0E+3", b"0E-8", b"1E+15", b"0.00000001", b"1e3"):
        body = {"quotes": [quote | {"at": "1800-01-01T00:00:00Z", "size": Raw(size)}]}
        last = operator.post("/v1/odds", body).ok(201)["position"]
    for line in (b"0", b"-0.25", b"0.000", b"2.50", b"1E+3", b"-0"):
        spread = market_body(type="SPREAD", line=Raw(line))
        spread["fixture"]["starts_at"] = "2999-12-31T23:59:59.999999+23:59"
        last = operator.post("/v1/markets", spread).ok(201)["position"]
    trader.get("/v1/bets", after=last).ok()
    assert operator.get(f"/v1/markets/{market}/odds", after=last).ok()["items"]
    trader.pages("/v1/markets", 500, after=last)
    assert operator.get("/ready").ok()["faults"] == {}
