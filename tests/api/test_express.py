"""The express lane on the wire: whatever the bytes' timing, requests are answered once, in order, and in the same words."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest

from adapters.embedded import EmbeddedServers
from tests.service import Client, Json, People, a_name, a_service, bet_body, until

Head = Callable[[], int]


class Wire:
    """A connection on which bytes go out as they are, and answers come in one by one."""

    def __init__(self, client: Client) -> None:
        parts = urlsplit(client.url)
        self._token = client.token
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(self, body: bytes, *lines: str, path: str = "/v1/bets") -> bytes:
        head = [
            f"POST {path} HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            f"Authorization: Bearer {self._token}",
            f"Content-Length: {len(body)}",
            *lines,
        ]
        return "\r\n".join([*head, "", ""]).encode() + body

    def answer(self) -> tuple[int, dict[str, str], Json]:
        status = int(self._file.readline().split(b" ")[1])
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.partition(b": ")
            headers[name.decode()] = value.decode()
        body = self._file.read(int(headers["content-length"]))
        return status, headers, msgspec.json.decode(body)

    def is_closed(self) -> bool:
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def place(trader: Client, people: People) -> Callable[[int], bytes]:
    account, market = trader.account(100_000), people.operator.market()
    return lambda stake: msgspec.json.encode(bet_body(account, market, stake))


def test_requests_sent_at_once_are_answered_in_order(
    trader: Client, place: Callable[[int], bytes]
) -> None:
    wire = Wire(trader)
    stakes = list(range(1, 30))
    wire.send(b"".join(wire.request(place(stake)) for stake in stakes))
    answers = [wire.answer() for _ in stakes]
    assert [status for status, _, _ in answers] == [201] * len(stakes)
    assert [body["total_stake_minor"] for _, _, body in answers] == stakes
    wire.close()


def test_other_requests_between_bets_keep_their_place(
    trader: Client, place: Callable[[int], bytes]
) -> None:
    wire = Wire(trader)
    wire.send(
        wire.request(place(1))
        + wire.request(b"{", path="/v1/bets")
        + wire.request(place(2), path="/v1/bets/")
        + wire.request(b"{}", path="/v1/accounts")
        + wire.request(place(3))
    )
    answers = [wire.answer() for _ in range(5)]
    assert [status for status, _, _ in answers] == [201, 400, 201, 400, 201]
    assert [answers[n][2]["total_stake_minor"] for n in (0, 2, 4)] == [1, 2, 3]
    wire.close()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_request_may_come_in_pieces(
    trader: Client, place: Callable[[int], bytes], size: int
) -> None:
    wire = Wire(trader)
    request = wire.request(place(5), "Idempotency-Key: " + a_name())
    for start in range(0, len(request), size):
        wire.send(request[start : start + size])
        if size > 1:
            time.sleep(0.001)
    status, _, body = wire.answer()
    assert (status, body["total_stake_minor"]) == (201, 5)
    wire.close()


def test_a_body_in_chunks_is_taken(trader: Client, place: Callable[[int], bytes]) -> None:
    wire, body = Wire(trader), place(6)
    plain = wire.request(body)
    head = plain[: plain.index(b"Content-Length")] + b"Transfer-Encoding: chunked\r\n\r\n"
    wire.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    status, _, answer = wire.answer()
    assert (status, answer["total_stake_minor"]) == (201, 6)
    wire.close()


def test_a_client_that_waits_to_be_asked_for_its_body(
    trader: Client, place: Callable[[int], bytes]
) -> None:
    wire = Wire(trader)
    body = place(7)
    wire.send(wire.request(body, "Expect: 100-continue")[: -len(body)])
    assert wire._file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert wire._file.readline() == b"\r\n"
    wire.send(body)
    assert wire.answer()[0] == 201
    wire.close()


@pytest.mark.parametrize("size", [60_000, 70_000, 1_000_000])
def test_a_body_padded_with_spaces_is_a_bet_all_the_same(
    trader: Client, place: Callable[[int], bytes], size: int
) -> None:
    wire = Wire(trader)
    wire.send(wire.request(place(8) + b" " * size))
    assert wire.answer()[0] == 201
    wire.send(wire.request(place(9)))
    assert wire.answer()[0] == 201
    wire.close()


def test_a_connection_that_the_client_ends_with_its_request(
    trader: Client, place: Callable[[int], bytes]
) -> None:
    wire = Wire(trader)
    wire.send(wire.request(place(9), "Connection: close"))
    status, headers, _ = wire.answer()
    assert (status, headers["connection"]) == (201, "close")
    assert wire.is_closed()
    wire.close()


def test_a_refusal_leaves_the_connection_open(
    trader: Client, place: Callable[[int], bytes], head: Head
) -> None:
    wire = Wire(trader)
    before = head()
    wire.send(wire.request(place(100_001)))
    status, headers, problem = wire.answer()
    assert (status, problem["type"], problem["instance"]) == (
        422,
        "insufficient_funds",
        "/v1/bets",
    )
    assert headers["content-type"] == "application/problem+json"
    assert head() == before
    wire.send(wire.request(place(100_000)))
    assert wire.answer()[0] == 201
    wire.close()


def test_every_answer_carries_a_date(trader: Client, place: Callable[[int], bytes]) -> None:
    wire = Wire(trader)
    for _ in range(3):
        wire.send(wire.request(place(1)))
        _, headers, _ = wire.answer()
        assert "GMT" in headers["date"]
        time.sleep(0.6)
    wire.close()


def test_a_client_that_goes_away_has_placed_its_bet(
    trader: Client, place: Callable[[int], bytes]
) -> None:
    keys = [a_name() for _ in range(20)]
    for key in keys:
        wire = Wire(trader)
        wire.send(wire.request(place(3), f"Idempotency-Key: {key}"))
        wire.close()
    for key in keys:
        answer = trader.ask("POST", "/v1/bets", content=place(3), key=key)
        assert answer.status == 201
    # The service lives on and its books agree.
    total = trader.pages("/v1/bets", limit=500)
    until(lambda: len(trader.pages("/v1/bets", limit=500)) == 20, seconds=60)
    assert len(total) <= 20


def test_a_stop_answers_what_is_on_its_way(servers: EmbeddedServers, tmp_path: Path) -> None:
    with a_service(tmp_path, servers) as service:
        people = People(service.url)
        trader = people.trader()
        account, market = trader.account(100_000), people.operator.market()
        body = msgspec.json.encode(bet_body(account, market, 1))
        wires = [Wire(trader) for _ in range(32)]
        with psycopg.connect(service.database_url) as holding:
            # While the log takes no event, every bet is on its way.
            holding.execute("LOCK TABLE ledger_events IN SHARE MODE")
            for wire in wires:
                wire.send(wire.request(body))
            # Whoever is answered this has read what was there before.
            for _ in range(3):
                assert service.is_alive()
            os.kill(service.api.pid, signal.SIGTERM)
            time.sleep(0.3)
        statuses = []
        for wire in wires:
            statuses.append(wire.answer()[0])
            assert wire.is_closed()
            wire.close()
        assert statuses == [201] * len(wires)
        people.close()
