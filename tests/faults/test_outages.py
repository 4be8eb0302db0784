"""What the service depends on goes away: clear answers meanwhile, and no help needed afterwards."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import msgspec
import psycopg

from adapters.embedded import EmbeddedServers
from tests.service import SECRET, Answer, Client, People, Service, a_name, bet_body, until

PATIENCE_SECONDS: Final = 20.0
"""The longest that anybody waits for an answer while the database is away: ten and what a slow machine adds."""
RECOVERY_SECONDS: Final = 30.0


@contextmanager
def _down(servers: EmbeddedServers, name: str) -> Iterator[None]:
    servers.kill(name)
    try:
        yield
    finally:
        servers.start_again(name)


def _timed(client: Client, method: str, path: str, body: object = None, **more: str) -> Answer:
    begun = time.monotonic()
    answer = client.ask(method, path, body, **more)  # type: ignore[arg-type]
    assert time.monotonic() - begun < PATIENCE_SECONDS, path
    return answer


def test_without_postgresql_everything_is_refused_for_now(
    own_servers: EmbeddedServers, service: Service, people: People
) -> None:
    trader, operator, auditor = people.trader(), people.operator, people.auditor
    account, market, key = trader.account(1_000), operator.market(), a_name()
    bet = bet_body(account, market)
    with _down(own_servers, "postgres"):
        reads = [
            (trader, f"/v1/accounts/{account}"),
            (trader, "/v1/accounts"),
            (trader, "/v1/bets?after=1"),
            (trader, f"/v1/markets/{market}/odds"),
            (auditor, "/v1/audit/trial-balance"),
            (auditor, "/v1/audit/events"),
        ]
        with ThreadPoolExecutor(len(reads) + 3) as pool:
            asked = [
                pool.submit(_timed, people.with_token(client.token), "GET", path)
                for client, path in reads
            ]
            asked.append(
                pool.submit(_timed, people.trader(trader.user), "POST", "/v1/bets", bet, key=key)
            )
            asked.append(pool.submit(_timed, operator, "POST", f"/v1/markets/{market}/suspend"))
            kinds = [each.result().problem(503)["type"] for each in asked]
            # Who waits for a position hears that the view is behind.
            assert kinds == ["unavailable", "unavailable", kinds[2], *["unavailable"] * 5]
            assert kinds[2] in {"unavailable", "view_behind"}
        ready = people.nobody.get("/ready")
        assert ready.status == 503
        assert ready.json["dependencies"]["postgres"] != "ok"
        assert ready.json["dependencies"]["nats"] == "ok"
        people.nobody.get("/health").ok()
        assert people.nobody.get("/metrics").status == 200
        trader.ask("POST", "/v1/bets", content=b"{").problem(400, "bad_request")
        people.nobody.get("/v1/bets").problem(401, "unauthenticated")
    # It comes back by itself, soon.
    back = time.monotonic()
    until(lambda: trader.get("/v1/accounts").status == 200, RECOVERY_SECONDS)
    until(lambda: trader.post("/v1/bets", bet, key=key).status == 201, RECOVERY_SECONDS)
    assert time.monotonic() - back < RECOVERY_SECONDS
    service.wait_ready()
    again = trader.post("/v1/bets", bet, key=key)
    assert again.is_replayed
    last = again.ok(201)["position"]
    # The projector looks again every few seconds.
    until(lambda: trader.get(f"/v1/accounts/{account}", after=last).status == 200, 60)
    assert trader.get(f"/v1/accounts/{account}").ok()["in_play_minor"] == 100
    assert "Traceback" not in service.logs


def test_without_nats_or_valkey_bets_go_on(
    own_servers: EmbeddedServers, service: Service, people: People
) -> None:
    trader, market = people.trader(), people.operator.market()
    account = trader.account(10_000)
    quote = {
        "bookmaker": "b",
        "market_id": market,
        "selection_id": "home",
        "odds": 2.5,
        "at": "2024-01-01T10:00:00Z",
    }
    last = people.operator.post("/v1/odds", {"quotes": [quote]}).ok(201)["position"]
    trader.get(f"/v1/markets/{market}/odds", after=last).ok()
    for name in ("nats", "valkey"):
        with _down(own_servers, name):
            until(lambda name=name: _said_of(people, name) != "ok", 30)
            ready = people.nobody.get("/ready")
            assert (ready.status, ready.json["status"]) == (503, "not ready")
            assert ready.json["dependencies"]["postgres"] == "ok"
            placed = trader.bet(account, market).ok(201)
            assert trader.get(f"/v1/bets/{placed['bet_id']}", after=placed["position"]).ok()
            assert len(trader.get(f"/v1/markets/{market}/odds").ok()["items"]) == 1
        until(lambda: people.nobody.get("/ready").status == 200, 60)


def _said_of(people: People, name: str) -> str:
    said: str = people.nobody.get("/ready").json["dependencies"][name]
    return said


def _raw(service: Service, people: People, body: bytes, announced: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=5)
    head = (
        f"POST /v1/bets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {people.admin.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {announced}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def test_clients_that_go_away_harm_nobody(service: Service, people: People) -> None:
    account, market = people.admin.account(100_000), people.operator.market()
    body = msgspec.json.encode(bet_body(account, market, 1))
    log_before = len(service.logs)
    before = service.head()
    for turn in range(40):
        _raw(service, people, body[: turn * 3], len(body)).close()
        _raw(service, people, b"", len(body)).close()
    assert people.admin.bet(account, market, 1).ok(201)["position"] == before + 2
    # A whole request is a command, whether or not anybody waits for its answer.
    for _ in range(20):
        _raw(service, people, body, len(body)).close()
    until(lambda: service.head() == before + 2 + 40, 30)
    assert people.admin.bet(account, market, 1).ok(201)["available_minor"] == 100_000 - 22
    assert "fault" not in service.logs[log_before:]


def test_more_than_can_be_answered_soon_is_refused_with_retry_after(
    service: Service, people: People
) -> None:
    trader, market = people.trader(), people.operator.market()
    account = trader.account(100_000)
    body = {"bets": [bet_body(account, market, 1)] * 8_000}
    clients = [people.trader(trader.user) for _ in range(9)]
    with psycopg.connect(service.database_url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'fairbook writer'"
        ).fetchall()
    ((writer,),) = rows
    with ThreadPoolExecutor(len(clients)) as pool:
        os.kill(writer, signal.SIGSTOP)
        try:
            asked = [pool.submit(client.post, "/v1/bets/batch", body) for client in clients]
            until(lambda: any(each.done() for each in asked), 25)
            people.nobody.get("/health").ok()
            trader.bet(account, market, 1).problem(503, "overloaded")
        finally:
            os.kill(writer, signal.SIGCONT)
        answers = [each.result() for each in asked]
    refused = [answer for answer in answers if answer.status == 503]
    for answer in refused:
        answer.problem(503, "overloaded")
    placed = [answer.ok() for answer in answers if answer.status != 503]
    assert refused
    assert len(placed) >= 5
    last = max(answer["position"] for answer in placed)
    until(lambda: trader.get(f"/v1/accounts/{account}", after=last).status == 200, 40)
    shown = trader.get(f"/v1/accounts/{account}", after=last).ok()
    assert shown["in_play_minor"] == 8_000 * len(placed)


def test_the_logs_of_all_this_are_json_without_secrets(
    own_servers: EmbeddedServers, service: Service, people: People
) -> None:
    logs = service.logs
    assert len(logs.splitlines()) > 10
    for line in logs.splitlines():
        record = msgspec.json.decode(line)
        assert {"time", "level", "service", "logger", "message"} <= record.keys()
    passwords = [url.split("@")[0].rpartition(":")[2] for url in vars_of(own_servers)]
    assert len(passwords) == 3
    for secret in (SECRET, people.admin.token, people.operator.token, "Bearer ", *passwords):
        assert secret is not None
        assert secret not in logs


def vars_of(servers: EmbeddedServers) -> list[str]:
    return list(servers.urls.environment().values())
