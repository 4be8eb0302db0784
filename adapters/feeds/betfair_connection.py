"""A connection to Betfair's stream: lines of JSON over TLS, through the environment's proxy where there is one."""

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec
from msgspec import Struct

LINE_BYTES_MAX: Final = 16 * 1_048_576
CONNECT_TIMEOUT_SECONDS: Final = 15.0


class Address(Struct, frozen=True):
    """Where the stream is; without TLS only in tests."""

    host: str = "stream-api.betfair.com"
    port: int = 443
    tls: bool = True


class BetfairConnection:
    """One connection; every line is one message."""

    def __init__(self, address: Address) -> None:
        """Connect on entering."""
        self._address = address

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            self._reader, self._writer = await _connected(self._address)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()
        # The other side may have broken it off in the meantime: closed is closed.
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def send(self, message: dict[str, object]) -> None:
        """Send a message."""
        self._writer.write(msgspec.json.encode(message) + b"\r\n")
        await self._writer.drain()

    async def line(self, timeout_seconds: float) -> bytes:
        """Give the next line.

        Raises:
            TimeoutError: none came in time.
            EOFError: the other side closed the connection.
            OSError: it broke.
        """
        async with asyncio.timeout(timeout_seconds):
            try:
                line = await self._reader.readline()
            except ValueError as error:
                raise ConnectionError(f"a line of over {LINE_BYTES_MAX} bytes") from error
        if not line.endswith(b"\n"):
            raise EOFError("connection closed")
        return line


async def _connected(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context() if address.tls else None
    proxy = _proxy(address)
    if proxy is None:
        return await asyncio.open_connection(
            address.host, address.port, ssl=context, limit=LINE_BYTES_MAX
        )
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or 3128, limit=LINE_BYTES_MAX
    )
    try:
        writer.write(
            "\r\n".join([*_connect_head(address, parts.username, parts.password), "", ""]).encode()
        )
        await writer.drain()
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise ConnectionError("the proxy's answer has no end") from error
        status_line = head.split(b"\r\n", 1)[0]
        if status_line.split(b" ")[1:2] != [b"200"]:
            raise ConnectionError(f"the proxy answers {status_line[:80].decode(errors='replace')}")
        if context is not None:
            await writer.start_tls(context, server_hostname=address.host)
    except BaseException:
        writer.close()
        raise
    return reader, writer


def _proxy(address: Address) -> str | None:
    if proxy_bypass(address.host):
        return None
    return getproxies().get("https" if address.tls else "http")


def _connect_head(address: Address, user: str | None, password: str | None) -> Iterator[str]:
    target = f"{address.host}:{address.port}"
    yield f"CONNECT {target} HTTP/1.1"
    yield f"Host: {target}"
    if user is not None:
        login = b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()
        yield f"Proxy-Authorization: Basic {login}"
