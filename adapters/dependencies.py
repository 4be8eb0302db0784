"""The servers beside PostgreSQL, as far as readiness asks for them."""

import asyncio
from types import TracebackType
from typing import Final, Self

import nats
from nats.aio.client import Client as NatsClient
from redis.asyncio import Redis

CONNECT_SECONDS: Final = 1.0


class NatsLink:
    """One connection to NATS that reconnects by itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: NatsClient | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def probe(self) -> None:
        """Make sure that JetStream answers; raises what is wrong."""
        client = await self._connected()
        await client.jetstream(timeout=CONNECT_SECONDS).account_info()

    async def _connected(self) -> NatsClient:
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                # Once connected it comes back by itself for ever; the first time, it must not try for ever.
                async with asyncio.timeout(CONNECT_SECONDS):
                    self._client = await nats.connect(
                        self._url, name="fairbook", allow_reconnect=True, max_reconnect_attempts=-1
                    )
            return self._client


class ValkeyLink:
    """A pool of connections to Valkey."""

    def __init__(self, url: str) -> None:
        self._client = Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def probe(self) -> None:
        """Make sure that the server answers; raises what is wrong."""
        await self._client.ping()
