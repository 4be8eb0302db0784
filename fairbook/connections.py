"""HTTP/1.1 over kept-alive connections: as little of it as fairbook's own clients need.

httpx spends over 2 ms of processor time on a request, many times what the service spends on a bet: a demo that used it
would mostly measure httpx.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

HEAD_BYTES_MAX: Final = 65_536
DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
ERROR_STATUS: Final = 300  # redirections too: a ledger sends nobody elsewhere
BODILESS: Final = frozenset({204, 304})


class HttpError(Exception):
    """The connection failed, or what came over it is not HTTP."""


class Response(Struct, frozen=True):
    """An answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def is_error(self) -> bool:
        """Whether it is anything but a success."""
        return self.status >= ERROR_STATUS


class HttpClient:
    """Requests to one service over at most `connections` connections."""

    def __init__(
        self, url: str, headers: Mapping[str, str], connections: int, timeout_seconds: float
    ) -> None:
        """Connect lazily; `headers` go along with every request."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or DEFAULT_PORTS[parts.scheme]
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._path = parts.path.rstrip("/")
        self._headers = {"Host": parts.netloc.rpartition("@")[2], **headers}
        self._timeout_seconds = timeout_seconds
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(connections)

    async def close(self) -> None:
        """Close the connections that no request uses."""
        for connection in self._idle:
            connection.close()
        for connection in self._idle:
            await connection.wait_closed()
        self._idle.clear()

    async def request(
        self,
        method: str,
        target: str,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request and read its whole answer; raises HttpError when it is unknown what became of it."""
        fields = {**self._headers, **(headers or {}), "Content-Length": str(len(content))}
        lines = [f"{method} {self._path}{target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a line break in a request's head")
        head = "\r\n".join([*lines, "", ""]).encode("ascii")
        async with self._free:
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    connection = await self._connection()
                    try:
                        response = await connection.exchange(head + content)
                    except BaseException:
                        # Even when only the caller gave up: the answer may still come, to nobody.
                        connection.close()
                        raise
            except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
                raise HttpError(f"{type(error).__name__} {error}".strip()) from error
            if response.headers.get("connection", "").lower() == "close":
                connection.close()
            else:
                self._idle.append(connection)
            return response

    async def _connection(self) -> "_Connection":
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_gone:
                return connection
            connection.close()
        return _Connection(
            *await asyncio.open_connection(
                self._host, self._port, ssl=self._tls, limit=HEAD_BYTES_MAX
            )
        )


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def is_gone(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()

    async def wait_closed(self) -> None:
        # The service may have broken it off in the meantime: closed is closed.
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def exchange(self, request: bytes) -> Response:
        self._writer.write(request)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        status_line, *fields = head[:-4].decode("latin-1").split("\r\n")
        headers = {}
        for field in fields:
            name, _, value = field.partition(":")
            headers[name.strip().lower()] = value.strip()
        version, _, status_text = status_line.partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(f"{status_line[:40]!r} is no answer in HTTP/1")
        status = int(status_text[:3])
        return Response(status, headers, await self._content(status, headers))

    async def _content(self, status: int, headers: Mapping[str, str]) -> bytes:
        if status in BODILESS:
            return b""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._reader.readexactly(int(headers.get("content-length", "")))
        chunks = []
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            chunks.append((await self._reader.readexactly(size + 2))[:-2])
        await self._reader.readuntil(b"\r\n")
        return b"".join(chunks)
