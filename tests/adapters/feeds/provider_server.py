"""A provider's server on loopback that answers a script, a step for each connection or request, and misbehaves as told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

Step = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ProviderServer:
    """Serves HTTP: each request meets the next step of the script, the last one for ever."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head.strip().split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (field.partition(": ") for field in fields)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append((line, headers, body))
                step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                await step(reader, writer)


@contextlib.asynccontextmanager
async def provider_server(*steps: Step) -> AsyncIterator[ProviderServer]:
    serving = ProviderServer(list(steps))
    server = await asyncio.start_server(serving.serve, "127.0.0.1", 0)
    serving.port = server.sockets[0].getsockname()[1]
    try:
        yield serving
    finally:
        server.close()


def answers(status: int, content: bytes = b"", **headers: str) -> Step:
    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [
            f"HTTP/1.1 {status} Whatever",
            f"Content-Length: {len(content)}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()

    return step


def says(content: bytes) -> Step:
    """Bytes that may be no HTTP at all, and the end of the connection."""

    async def step(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    return step


async def resets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def is_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)
