"""The client against a real socket whose answers follow a script."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from uuid import uuid4

import pytest

from domain.commands.bet import PlaceBet
from domain.commands.market import CloseMarket
from domain.events.bet import Leg
from fairbook import client as client_module
from fairbook.client import LedgerClient, Receipt, Refused, ServiceError, in_flight, service_url

pytestmark = pytest.mark.anyio

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"position":7}'
REPLAYED = OK.replace(b"\r\n\r\n", b"\r\nIdempotency-Replayed: true\r\n\r\n")
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
HANG_UP = b""
Script = list[bytes]


def answer(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


class Seen:
    """What a scripted service was asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def header(self, name: bytes) -> set[bytes]:
        lines = [line for request in self.requests for line in request.split(b"\r\n")]
        prefix = name.lower() + b": "
        return {line[len(prefix) :] for line in lines if line.lower().startswith(prefix)}


@asynccontextmanager
async def scripted(answers: Script, token: str = "t") -> AsyncIterator[tuple[LedgerClient, Seen]]:  # noqa: S107
    waiting, seen = list(answers), Seen()
    conversations: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.current_task())
        while head := await until_blank_line(reader):
            length = next(
                (
                    int(line[15:])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                0,
            )
            seen.requests.append(head + await reader.readexactly(length))
            reply = waiting.pop(0)
            if reply == HANG_UP:
                break
            writer.write(reply)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with LedgerClient(f"http://127.0.0.1:{port}", token) as client:
            yield client, seen
        await asyncio.gather(*(task for task in conversations if task is not None))


async def until_blank_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def close_market(client: LedgerClient) -> Receipt:
    return await client.command("/v1/x", CloseMarket(), "key-1", Receipt)


async def test_odds_are_sent_as_exact_numbers_under_token_and_key() -> None:
    bet = PlaceBet(
        account_id=uuid4(), legs=(Leg(uuid4(), "home", Decimal("1.330")),), stake_minor=5
    )
    async with scripted([OK]) as (client, seen):
        assert await client.command("/v1/bets", bet, "k", Receipt) == Receipt(7)
    assert b'"odds":1.330' in seen.requests[0]
    assert seen.header(b"Idempotency-Key") == {b"k"}
    assert seen.header(b"Authorization") == {b"Bearer t"}


@pytest.mark.parametrize("trouble", [[BUSY], [HANG_UP], [BUSY, HANG_UP, BUSY]], ids=str)
async def test_a_command_is_sent_again_under_the_same_key(trouble: Script) -> None:
    async with scripted([OK, *trouble, REPLAYED]) as (client, seen):
        await client.command("/v1/first", None, "key-1", Receipt)
        assert await close_market(client) == Receipt(7)
        assert client.replays == 1
    assert len(seen.requests) == 2 + len(trouble)
    assert seen.header(b"Idempotency-Key") == {b"key-1"}


async def test_a_service_that_stays_away_is_reported_after_some_attempts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "ATTEMPTS", 3)
    async with scripted([BUSY] * 3) as (client, seen):
        with pytest.raises(ServiceError, match="503"):
            await close_market(client)
    assert len(seen.requests) == 3


async def test_no_service_at_all_is_said_soon() -> None:
    async with LedgerClient("http://127.0.0.1:1", "t") as client:
        with pytest.raises(ServiceError, match="did not answer POST /v1/x"):
            await close_market(client)


async def test_a_refusal_carries_its_rule_and_fields() -> None:
    body = (
        b'{"type":"https://x/problems/insufficient_funds","title":"No","status":422,"detail":"not enough",'
        b'"errors":[{"field":"stake_minor","message":"too much"}],"instance":"/v1/x"}'
    )
    async with scripted([answer("422 No", body)]) as (client, _):
        with pytest.raises(Refused, match=r"not enough.*stake_minor: too much") as refused:
            await close_market(client)
    assert refused.value.problem.kind == "insufficient_funds"


async def test_a_refusal_by_something_else_than_fairbook_is_still_one() -> None:
    async with scripted([answer("404 Not Found", b"<html>")]) as (client, _):
        with pytest.raises(Refused, match="404"):
            await close_market(client)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_a_bad_token_stops_everything(status: str) -> None:
    async with scripted([answer(status, b"{}")]) as (client, _):
        with pytest.raises(ServiceError, match="token"):
            await close_market(client)


async def test_an_answer_of_another_shape_is_no_fairbook() -> None:
    async with scripted([answer("200 OK", b'{"hello":1}')]) as (client, _):
        with pytest.raises(ServiceError, match="something else than Receipt"):
            await close_market(client)


async def test_lines_come_one_by_one() -> None:
    async with scripted([answer("200 OK", b'{"a":1}\n{"a":2}\n')]) as (client, _):
        assert await client.lines("/v1/audit/events") == [b'{"a":1}', b'{"a":2}']


async def test_a_chunked_answer_is_put_together() -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"a":1}\n\r\n3;x=y\r\n{"a\r\n5\r\n":2}\n\r\n0\r\n\r\n'
    async with scripted([chunked, OK]) as (client, _):
        assert await client.lines("/v1/audit/events", after=3) == [b'{"a":1}', b'{"a":2}']
        assert await close_market(client) == Receipt(7)


@pytest.mark.parametrize(
    "nonsense",
    [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
)
async def test_what_is_not_http_is_tried_again_and_then_reported(nonsense: bytes) -> None:
    async with scripted([nonsense, nonsense]) as (client, _):
        with pytest.raises(ServiceError, match="did not answer"):
            await close_market(client)


async def test_a_connection_that_the_service_closes_is_not_used_again() -> None:
    last = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with scripted([last, OK]) as (client, seen):
        await close_market(client)
        await close_market(client)
    assert len(seen.requests) == 2


async def test_a_line_break_cannot_be_smuggled_into_a_header() -> None:
    async with scripted([OK]) as (client, seen):
        with pytest.raises(ValueError, match="line break"):
            await client.command("/v1/x", None, "k\r\nX-Evil: 1", Receipt)
    assert seen.requests == []


async def test_jobs_run_in_order_a_few_at_a_time() -> None:
    running, most, begun = 0, 0, []

    async def work(job: int) -> None:
        nonlocal running, most
        begun.append(job)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await in_flight(range(10), work, 3)
    assert begun == list(range(10))
    assert most == 3


async def test_the_first_failure_ends_all_jobs() -> None:
    done = []

    async def work(job: int) -> None:
        await asyncio.sleep(0)
        if job == 2:
            raise ServiceError("gone")
        done.append(job)

    with pytest.raises(ServiceError, match="gone"):
        await in_flight(range(1_000), work, 2)
    assert len(done) < 5


@pytest.mark.parametrize("text", ["", "localhost:8080", "ftp://x", "http://", "http://[::"])
def test_what_is_no_service_url_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        service_url(text)


def test_a_service_url_loses_its_last_slash() -> None:
    assert service_url("http://127.0.0.1:8080/") == "http://127.0.0.1:8080"
