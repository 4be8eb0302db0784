"""An application.board_cache.BoardCache in Valkey: one hash a market, one field a bookmaker's price."""

import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar, cast
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from domain.events.odds import Quote

TTL_SECONDS: Final = 3_600
"""A market whose prices have not changed for so long is forgotten; the read model still knows them."""
TIMEOUT_SECONDS: Final = 0.25
PAUSE_SECONDS: Final = 1.0  # after a failure, in which nobody waits for a server that is away

_log = logging.getLogger("fairbook.valkey")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Quote).decode
T = TypeVar("T")


class ValkeyBoard:
    """The shared board on one Valkey server, which need not be there."""

    def __init__(self, url: str, *, ttl_seconds: int = TTL_SECONDS) -> None:
        self._ttl_seconds = ttl_seconds
        self._paused_until = 0.0
        self._is_away = False
        self._client = Redis.from_url(
            url,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            # Once more at once, on a new connection: the server may have been restarted.
            retry=Retry(NoBackoff(), 1),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def put(self, changed: Mapping[UUID, Sequence[Quote]]) -> None:
        """Keep the latest quotes of markets: one round trip for all of them."""
        if self._is_paused or not changed:
            return
        pipeline = self._client.pipeline(transaction=False)
        for market_id, quotes in changed.items():
            if not quotes:
                continue
            key = _key(market_id)
            pipeline.hset(key, mapping={_field(quote): _encode(quote) for quote in quotes})
            pipeline.expire(key, self._ttl_seconds)
        await self._tried(pipeline.execute())

    async def quotes(self, market_id: UUID) -> Sequence[Quote]:
        """Give what is there of a market."""
        if self._is_paused:
            return []
        reading = cast("Awaitable[dict[bytes, bytes]]", self._client.hgetall(_key(market_id)))
        found = await self._tried(reading)
        try:
            return [_decode(value) for value in (found or {}).values()]
        except (msgspec.MsgspecError, ValueError) as error:
            # Another version of this program, perhaps.
            _log.warning("unreadable prices in Valkey", extra={"error": str(error)})
            return []

    @property
    def _is_paused(self) -> bool:
        return time.monotonic() < self._paused_until

    async def _tried(self, asking: Awaitable[T]) -> T | None:
        """Await an answer; None when there is none, and then ask nothing for a moment."""
        try:
            answer = await asking
        except (RedisError, OSError) as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            if not self._is_away:
                self._is_away = True
                _log.warning(
                    "no live board: prices are as fresh as the read model",
                    extra={"error": str(error)},
                )
            return None
        if self._is_away:
            self._is_away = False
            _log.warning("the live board is back")
        return answer


def _key(market_id: UUID) -> str:
    return f"fairbook:odds:{market_id}"


def _field(quote: Quote) -> str:
    return f"{quote.bookmaker}\n{quote.selection_id}\n{quote.side}"  # none of them has a line break
