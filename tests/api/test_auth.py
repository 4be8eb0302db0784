"""Who may do what: every route, every role, every kind of bad token."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Final, get_args

import jwt
import pytest

from domain.actors import Role
from tests.service import SECRET, People, Service, a_name, an_id, token

ROLES: Final[tuple[Role, ...]] = get_args(Role)
ALL: Final = frozenset(ROLES)
TRADERS: Final = frozenset({"trader", "admin"})
OPERATORS: Final = frozenset({"operator", "admin"})
AUDITORS: Final = frozenset({"auditor", "admin"})
DESK: Final = frozenset({"operator", "auditor", "admin"})
X: Final = "00000000-0000-4000-8000-000000000000"

ROUTES: Final = [
    ("POST", "/v1/accounts", TRADERS),
    ("GET", "/v1/accounts", ALL),
    ("GET", f"/v1/accounts/{X}", ALL),
    ("GET", f"/v1/accounts/{X}/statement", ALL),
    ("POST", f"/v1/accounts/{X}/deposits", TRADERS),
    ("POST", f"/v1/accounts/{X}/bonus", OPERATORS),
    ("POST", f"/v1/accounts/{X}/limits", OPERATORS),
    ("POST", f"/v1/accounts/{X}/withdrawals", TRADERS),
    ("POST", f"/v1/withdrawals/{X}/complete", OPERATORS),
    ("POST", f"/v1/withdrawals/{X}/reject", OPERATORS),
    ("POST", "/v1/markets", OPERATORS),
    ("GET", "/v1/markets", ALL),
    ("GET", f"/v1/markets/{X}", ALL),
    ("POST", f"/v1/markets/{X}/suspend", OPERATORS),
    ("POST", f"/v1/markets/{X}/resume", OPERATORS),
    ("POST", f"/v1/markets/{X}/close", OPERATORS),
    ("POST", f"/v1/markets/{X}/result", OPERATORS),
    ("DELETE", f"/v1/markets/{X}/result", OPERATORS),
    ("POST", f"/v1/markets/{X}/withdrawals", OPERATORS),
    ("POST", f"/v1/markets/{X}/reinstatements", OPERATORS),
    ("POST", f"/v1/markets/{X}/abandon", OPERATORS),
    ("POST", f"/v1/markets/{X}/void", OPERATORS),
    ("POST", f"/v1/bets/{X}/void", OPERATORS),
    ("POST", f"/v1/bets/{X}/reprice", OPERATORS),
    ("POST", f"/v1/bets/{X}/reprice/approve", OPERATORS),
    ("POST", f"/v1/bets/{X}/reprice/reject", OPERATORS),
    ("GET", f"/v1/bets/{X}/cash-out", TRADERS),
    ("POST", f"/v1/bets/{X}/cash-out", TRADERS),
    ("GET", f"/v1/markets/{X}/settlement", ALL),
    ("GET", f"/v1/markets/{X}/exposure", DESK),
    ("GET", f"/v1/markets/{X}/liability", DESK),
    ("POST", f"/v1/markets/{X}/limits", OPERATORS),
    ("POST", "/v1/bets", TRADERS),
    ("POST", "/v1/bets/batch", TRADERS),
    ("GET", "/v1/bets", ALL),
    ("GET", f"/v1/bets/{X}", ALL),
    ("POST", "/v1/odds", OPERATORS),
    ("GET", f"/v1/markets/{X}/odds", ALL),
    ("GET", f"/v1/markets/{X}/odds/history", ALL),
    ("GET", f"/v1/markets/{X}/odds/series", ALL),
    ("GET", f"/v1/markets/{X}/odds/closing", ALL),
    ("GET", "/v1/arbitrage", ALL),
    ("GET", "/v1/arbitrage/statistics", ALL),
    ("GET", f"/v1/arbitrage/{X}", ALL),
    ("POST", "/v1/arbitrage/solve", ALL),
    ("GET", "/v1/models", ALL),
    ("GET", f"/v1/models/{X}", ALL),
    ("POST", f"/v1/models/{X}/activate", OPERATORS),
    ("GET", f"/v1/predictions/football/{X}", ALL),
    ("GET", f"/v1/predictions/racing/{X}", ALL),
    ("GET", "/v1/value-signals", ALL),
    ("GET", f"/v1/value-signals/{X}", ALL),
    ("GET", "/v1/fixtures", ALL),
    ("GET", "/v1/feed-names", DESK),
    ("POST", "/v1/feed-names", OPERATORS),
    ("POST", f"/v1/feed-names/{X}/match", OPERATORS),
    ("GET", "/v1/stream?topics=none", ALL),  # no such topic: a stream would not end
    ("GET", "/v1/audit/events?limit=1", AUDITORS),
    ("GET", "/v1/audit/trial-balance", DESK),
    ("GET", "/v1/reports/betting-totals", DESK),
    ("GET", "/v1/reports/performance", ALL),
    ("GET", "/v1/reports/curve", ALL),
    ("GET", f"/v1/fixtures/{X}/exposure", DESK),
    ("GET", f"/v1/accounts/{X}/exposure", ALL),
]


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": "fairbook",
        "aud": "fairbook",
        "sub": "mallory",
        "role": "admin",
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def _signed(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(_claims(**changes), secret, algorithm=algorithm)


def _handmade(header: dict[str, str], *, sign: bool) -> str:
    def encoded(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    text = encoded(json.dumps(header).encode()) + b"." + encoded(json.dumps(_claims()).encode())
    signature = hmac.new(SECRET.encode(), text, hashlib.sha256).digest() if sign else b""
    return (text + b"." + encoded(signature)).decode()


def _bad_headers() -> dict[str, str | bytes | None]:
    now = int(time.time())
    bearers = {
        "signed with another secret": _signed("another-secret-that-is-long-enough-to-sign"),
        "unsigned": _handmade({"alg": "none", "typ": "JWT"}, sign=False),
        "unsigned, with a signature": _handmade({"alg": "none", "typ": "JWT"}, sign=True),
        "RS256 signed with the secret": _handmade({"alg": "RS256", "typ": "JWT"}, sign=True),
        "another HMAC": _signed(SECRET * 2, "HS512"),
        "another HMAC with the secret": _signed(algorithm="HS384"),
        "expired": _signed(exp=now - 1),
        "not yet valid": _signed(nbf=now + 60),
        "another issuer": _signed(iss="somebody"),
        "another audience": _signed(aud="somebody"),
        "without expiry": _signed(exp=None),
        "without a time": _signed(iat=None),
        "without issuer": _signed(iss=None),
        "without audience": _signed(aud=None),
        "without a user": _signed(sub=None),
        "an empty user": _signed(sub=""),
        "a very long user": _signed(sub="x" * 201),
        "a user with a line break": _signed(sub="a\nb"),
        "a user like a scope": _signed(sub="#bet"),
        "without a role": _signed(role=None),
        "an unknown role": _signed(role="root"),
        "a list of roles": _signed(role=["admin"]),
        "cut off": _signed()[:-2],
        "endless expiry": _signed(exp=float("inf")),
        "garbage": "abc",
        "garbage in three parts": "a.b.c",
    }
    headers: dict[str, str | bytes | None] = {
        name: f"Bearer {bearer}" for name, bearer in bearers.items()
    }
    return headers | {
        "none": None,
        "no token at all": "Bearer",
        "another scheme": f"Basic {_signed()}",
        "no scheme": _signed(),
        "bytes": b"Bearer \xff\xfe",
        "two": f"Bearer {_signed()}, Bearer {_signed()}",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES]
)
def test_a_route_is_for_its_roles_alone(
    people: People, method: str, path: str, allowed: frozenset[str]
) -> None:
    for role in ROLES:
        client = people.client(role, a_name(role))
        answer = client.ask(method, path, {} if method == "POST" else None)
        if role in allowed:
            assert answer.status not in {401, 403}, (role, answer)
            assert answer.status < 500
        else:
            answer.problem(403, "forbidden")


def test_every_route_of_the_document_is_in_the_matrix(people: People) -> None:
    document = people.nobody.get("/schema/openapi.json").json
    documented = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if path.startswith("/v1/")
    }
    tested = {(method, path.partition("?")[0].replace(X, "*")) for method, path, _ in ROUTES}
    assert {(method, _starred(path)) for method, path in documented} == tested


def _starred(path: str) -> str:
    return "/".join("*" if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize("name", _bad_headers())
def test_a_bad_token_opens_no_route(people: People, name: str) -> None:
    value = _bad_headers()[name]
    headers = {} if value is None else {"Authorization": value}
    for method, path, _ in ROUTES:
        body: dict[str, Any] | None = {} if method == "POST" else None
        people.nobody.ask(method, path, body, headers=headers).problem(401, "unauthenticated")


@pytest.mark.parametrize(
    "path", ["//v1/markets", "///v1/markets", "/%2fv1/markets", "/v1//markets"]
)
def test_no_spelling_of_an_address_gets_around_the_token(people: People, path: str) -> None:
    people.nobody.get(path).problem(401, "unauthenticated")
    for bearer in (token("operator", "olga"), token("admin", "root")):
        headers = {"Authorization": f"Bearer {bearer}"}
        assert people.nobody.ask("GET", path, headers=headers).status in {200, 404}


def test_a_spelling_of_an_address_gets_around_no_role(people: People) -> None:
    for path in ("//v1/audit/events", "/v1//audit/events", "/v1/audit/events/"):
        people.operator.get(path).problem(403, "forbidden")


def test_a_token_that_was_accepted_is_refused_once_it_has_expired(people: People) -> None:
    while True:
        ends = int(time.time()) + 2
        brief = people.with_token(_signed(exp=ends, sub=a_name()))
        answer = brief.get("/v1/accounts")
        if time.time() < ends:  # else the machine was busy elsewhere: once more
            break
    answer.ok()
    time.sleep(ends + 0.1 - time.time())
    brief.get("/v1/accounts").problem(401, "unauthenticated")


def test_what_tells_of_the_service_needs_no_token(people: People) -> None:
    for path in ("/health", "/ready", "/metrics", "/schema", "/schema/openapi.json"):
        assert people.nobody.get(path).status == 200


def test_an_unknown_address_is_a_problem(people: People, service: Service) -> None:
    people.nobody.get("/v2/accounts").problem(404, "not_found")
    people.nobody.get("/v1/nothing").problem(401, "unauthenticated")
    people.trader().get("/v1/nothing").problem(404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_an_unknown_method_is_a_problem(people: People, method: str) -> None:
    for path in ("/v1/bets", "/v1/accounts", f"/v1/markets/{X}", "/health"):
        answer = people.trader().ask(method, path)
        answer.problem(405, "method_not_allowed")
        assert answer.headers["allow"]
    assert people.trader().ask("HEAD", "/v1/bets").status == 405
    assert people.trader().ask("OPTIONS", "/v1/bets").status == 204


# ---- ownership


def test_what_is_anothers_does_not_exist(people: People) -> None:
    alice, mallory = people.trader(), people.trader()
    account, market = alice.account(10_000), people.operator.market()
    bet = alice.bet(account, market).ok(201)
    held = alice.post(
        f"/v1/accounts/{account}/withdrawals", {"amount_minor": 10, "method": "bank"}
    ).ok(201)
    after = held["position"]
    body = {"amount_minor": 1, "method": "bank"}
    for answer in (
        mallory.get(f"/v1/accounts/{account}", after=after),
        mallory.get(f"/v1/accounts/{account}", after=after, as_of=after),
        mallory.get(f"/v1/accounts/{account}/statement", after=after),
        mallory.post(f"/v1/accounts/{account}/deposits", body),
        mallory.post(f"/v1/accounts/{account}/withdrawals", body),
        mallory.bet(account, market),
    ):
        unknown = answer.problem(404, "account_not_found")
        assert account not in unknown["detail"]
    mallory.get(f"/v1/bets/{bet['bet_id']}", after=after).problem(404, "bet_not_found")
    batch = {"bets": [_bet(account, market)]}
    placed = mallory.post("/v1/bets/batch", batch).ok()
    assert placed["results"][0]["error"]["type"] == "account_not_found"
    for path in ("/v1/accounts", "/v1/bets"):
        assert mallory.get(path, after=after).ok() == {"items": [], "next_cursor": None}
    assert mallory.get("/v1/accounts", owner=alice.user, after=after).ok()["items"] == []
    assert mallory.get("/v1/bets", account_id=account, after=after).ok()["items"] == []
    assert mallory.get("/v1/bets", market_id=market, after=after).ok()["items"] == []
    assert [a["account_id"] for a in alice.get("/v1/accounts").ok()["items"]] == [account]
    assert alice.get(f"/v1/accounts/{account}", after=after).ok()["available_minor"] == 9_890


def _bet(account: str, market: str) -> dict[str, Any]:
    leg = {"market_id": market, "selection_id": "home", "odds": 2}
    return {"account_id": account, "legs": [leg], "stake_minor": 1}


def test_an_unknown_thing_answers_as_anothers_does(people: People) -> None:
    alice, mallory = people.trader(), people.trader()
    account = alice.account(100)
    theirs = mallory.get(f"/v1/accounts/{account}", after=1).problem(404)
    unknown = mallory.get(f"/v1/accounts/{an_id()}", after=1).problem(404)
    assert {**theirs, "instance": ""} == {**unknown, "instance": ""}


def test_operators_and_auditors_read_everything_and_move_nothing(people: People) -> None:
    alice = people.trader()
    account = alice.account()
    position = alice.deposit(account, 500).ok(201)["position"]
    for reader in (people.operator, people.auditor, people.admin):
        assert reader.get(f"/v1/accounts/{account}", after=position).ok()["available_minor"] == 500
        assert reader.get("/v1/accounts", owner=alice.user).ok()["items"][0]["name"] == "main"
    body = {"amount_minor": 1, "method": "card"}
    for reader in (people.operator, people.auditor):
        reader.post(f"/v1/accounts/{account}/deposits", body).problem(403, "forbidden")
    people.admin.post(f"/v1/accounts/{account}/deposits", body).ok(201)


def test_traders_open_accounts_for_themselves_and_admins_for_anyone(people: People) -> None:
    body = {"currency": "EUR", "name": "main", "owner": a_name()}
    people.trader().post("/v1/accounts", body).problem(403, "forbidden")
    opened = people.admin.post("/v1/accounts", body).ok(201)
    read = people.admin.get(f"/v1/accounts/{opened['account_id']}", after=opened["position"])
    assert read.ok()["owner"] == body["owner"]
