"""The servers beside PostgreSQL and NATS, as far as readiness asks for them."""

from types import TracebackType
from typing import Self

from redis.asyncio import Redis


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
