"""Live streams in tests: a service with a NATS of its own and the outbox, and clients that note what they hear."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import msgspec
import nats
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

from adapters.embedded import EmbeddedServers
from domain.quotes import QuoteLine, QuoteMessage, encode_message
from tests.adapters.nats.server import NatsServer
from tests.conftest import open_temporary_folder
from tests.fairbook.handlers import HandleProcess, a_handle_process, published_up_to
from tests.service import People, Service, a_database, token

PATIENCE_SECONDS = 60.0
OK = 200


@dataclass
class LiveService:
    """The service, its own NATS, and the process that publishes the ledger."""

    service: Service
    nats: NatsServer
    handlers: HandleProcess
    people: People

    @property
    def port(self) -> int:
        return self.service.port

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.people.nobody.get("/metrics").content.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{"))

    async def published(self) -> None:
        """Wait until everything in the ledger is published."""
        await published_up_to(self.nats.url, self.service.head())

    async def publish(self, *messages: QuoteMessage) -> None:
        """Publish prices, and wait until the server has them."""
        client = await nats.connect(self.nats.url)
        for each in messages:
            subject = f"odds.{each.bookmaker}.{each.fixture_id}.{each.market_id}"
            await client.publish(subject, encode_message(each))
        await client.close()

    async def publish_raw(self, subject: str, payload: bytes) -> None:
        client = await nats.connect(self.nats.url)
        await client.publish(subject, payload)
        await client.close()


@contextlib.contextmanager
def a_live_service(
    folder: Path, servers: EmbeddedServers, **settings: str
) -> Iterator[LiveService]:
    """A ready service whose ledger is published. Its NATS is its own: a stream belongs to one ledger."""
    nats_folder = open_temporary_folder()
    with contextlib.ExitStack() as stack:
        own = EmbeddedServers(nats_folder / "nats", print, only=("nats",), environment={})
        stack.enter_context(own)
        database_url = stack.enter_context(a_database(servers.urls.database))
        variables = {
            **servers.urls.environment(),
            "DATABASE_URL": database_url,
            "NATS_URL": own.urls.nats,
            "FAIRBOOK_ODDS_MEGABYTES": "50",
            "FAIRBOOK_LEDGER_MEGABYTES": "200",
            **settings,
        }
        service = Service(folder, variables)
        service.start_projector()
        service.start_api()
        stack.callback(service.stop)
        service.wait_ready()
        handlers = stack.enter_context(a_handle_process("outbox", **variables))
        people = People(service.url)
        stack.callback(people.close)
        # Streams of facts are refused until there is something to hear them from.
        asyncio.run(published_up_to(own.urls.nats, 0))
        server = NatsServer(own, nats_folder / "nats")
        yield LiveService(service, server, handlers, people)
    shutil.rmtree(nats_folder)


def prices(
    market_id: str | UUID,
    odds: float,
    *,
    bookmaker: str = "bet365",
    selection_id: str = "home",
    fixture_id: UUID | None = None,
) -> QuoteMessage:
    """A bookmaker's price for one selection, now."""
    return QuoteMessage(
        bookmaker=bookmaker,
        fixture_id=fixture_id or uuid4(),
        market_id=UUID(str(market_id)),
        at=datetime.now(UTC),
        quotes=(QuoteLine(selection_id, Decimal(str(odds))),),
    )


@dataclass
class Heard:
    """One message of a stream."""

    kind: str
    data: Any
    id: int | None = None


@dataclass
class Listener:
    """What a stream has told so far."""

    heard: list[Heard] = field(default_factory=list)
    ended: bool = False

    def of(self, kind: str) -> list[Heard]:
        return [each for each in self.heard if each.kind == kind]

    def positions(self, *kinds: str) -> list[int]:
        return [each.data["position"] for each in self.heard if each.kind in kinds]

    async def until(
        self, condition: Callable[[Self], Any], seconds: float = PATIENCE_SECONDS
    ) -> None:
        async with asyncio.timeout(seconds):
            while not condition(self):  # noqa: ASYNC110  whoever reads tells nobody
                await asyncio.sleep(0.01)

    async def first(self, kind: str, number: int = 1) -> Heard:
        """Wait for the so-manieth message of a kind."""
        await self.until(lambda heard: len(heard.of(kind)) >= number)
        return self.of(kind)[number - 1]


@dataclass
class Sse(Listener):
    """A client of server-sent events on a plain socket."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    comments: int = 0
    retry: int | None = None
    may_read: asyncio.Event = field(default_factory=asyncio.Event)

    def pause(self) -> None:
        """Take nothing more from the socket."""
        self.may_read.clear()

    def resume(self) -> None:
        """Take it again."""
        self.may_read.set()

    @property
    def problem(self) -> Any:
        return msgspec.json.decode(self.body)

    def note(self, block: bytes) -> None:
        fields: dict[str, str] = {}
        for line in block.decode().splitlines():
            name, _, value = line.partition(": ")
            assert name not in fields, block
            fields[name] = value
        if "data" in fields:
            position = int(fields["id"]) if "id" in fields else None
            self.heard.append(Heard(fields["event"], msgspec.json.decode(fields["data"]), position))
            assert self.heard[-1].data["type"] == fields["event"]
        elif "retry" in fields:
            self.retry = int(fields["retry"])
        else:
            self.comments += 1


@contextlib.asynccontextmanager
async def sse(
    port: int,
    topics: str,
    bearer: str | None,
    *,
    query: str = "",
    receive_buffer: int | None = None,
    **headers: Any,
) -> AsyncIterator[Sse]:
    """Open a stream; a small `receive_buffer` makes a client that pauses felt sooner."""
    plain = socket.socket()
    if receive_buffer is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    plain.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
    except OSError:
        plain.close()
        raise
    reader, writer = await asyncio.open_connection(sock=plain, limit=receive_buffer or 2**16)
    lines = [f"GET /v1/stream?topics={topics}{query} HTTP/1.1", "Host: test"]
    if bearer is not None:
        lines.append(f"Authorization: Bearer {bearer}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    stream = Sse()
    stream.resume()
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    stream.status = int(head.split()[1])
    stream.headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head.splitlines()[1:] if line)
    }
    if stream.status != OK:
        stream.body = await reader.readexactly(int(stream.headers["content-length"]))
    reading = asyncio.create_task(_read(reader, stream)) if stream.status == OK else None
    try:
        yield stream
    finally:
        writer.transport.abort()
        if reading is not None:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading


async def _read(reader: asyncio.StreamReader, stream: Sse) -> None:
    rest = b""
    try:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await stream.may_read.wait()
            rest += (await reader.readexactly(size + 2))[:-2]
            *whole, rest = rest.split(b"\n\n")
            for block in whole:
                stream.note(block)
    except (asyncio.IncompleteReadError, ConnectionError):
        # Cut off, not ended: the last chunk is missing.
        stream.heard.append(Heard("cut", {}))
    stream.ended = True


@dataclass
class Ws(Listener):
    """A client of the WebSocket."""

    connection: ClientConnection | None = None

    async def send(self, **message: Any) -> None:
        assert self.connection is not None
        await self.connection.send(msgspec.json.encode(message).decode())

    async def send_raw(self, frame: str | bytes) -> None:
        assert self.connection is not None
        await self.connection.send(frame)

    async def begin_frame(self, frame: bytes) -> None:
        """Send a frame's beginning: who refuses it by its length answers before the rest could come."""
        assert self.connection is not None
        header = Frame(Opcode.TEXT, frame).serialize(mask=True)[:64]
        self.connection.transport.write(header)

    @property
    def close_code(self) -> int | None:
        assert self.connection is not None
        return self.connection.close_code

    async def closed(self) -> int | None:
        assert self.connection is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.connection.wait_closed()
        return self.close_code


@contextlib.asynccontextmanager
async def ws(port: int, bearer: str | None) -> AsyncIterator[Ws]:
    """Open a WebSocket, with a token in its handshake unless None."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    async with connect(f"ws://127.0.0.1:{port}/v1/ws", additional_headers=headers) as connection:
        listener = Ws(connection=connection)

        async def read() -> None:
            async for frame in connection:
                data = msgspec.json.decode(frame)
                listener.heard.append(Heard(data["type"], data))
            listener.ended = True

        reading = asyncio.create_task(read())
        try:
            yield listener
        finally:
            reading.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await reading


def bearer(user: str, role: Any = "trader", ttl_seconds: int = 3_600) -> str:
    return token(role, user, ttl_seconds)
