"""Reads for the API: rows of the read models, how fresh they are, and the log itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, LiteralString, TypeVar, cast
from uuid import UUID

import psycopg
import psycopg_pool
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.answering import answering
from adapters.postgres.codec import decode_event
from adapters.postgres.schema import LIVE
from adapters.postgres.tracking import TABLES
from application.log import LogUnavailable
from domain.events.event import Recorded
from domain.refusals import InvalidInput

Row = TypeVar("Row")

POOL_SIZE: Final = 4
STATEMENT_TIMEOUT_SECONDS: Final = 5
GIVE_UP_SECONDS: Final = 8.0  # the server itself ends a statement sooner, as long as it lives
CONNECT_TIMEOUT_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.004  # between looks at how far the models are, while somebody waits
CHUNK_EVENTS: Final = 1_000

_POSITIONS = SQL("""
SELECT application_name, notification_id FROM {tracking}
WHERE application_name <> '__migration__'""").format(**TABLES)
_HEAD: Final[LiteralString] = "SELECT coalesce(max(notification_id), 0) FROM ledger_events"
_FAULTS: Final[LiteralString] = (
    "SELECT model, position, reason, since FROM public.projection_faults ORDER BY model"
)
_EVENTS: Final[LiteralString] = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger_events
WHERE notification_id > %s ORDER BY notification_id LIMIT %s"""
_EVENTS_OF_STREAM: Final[LiteralString] = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger_events
WHERE originator_id = %s AND originator_version > %s AND notification_id > %s ORDER BY originator_version LIMIT %s"""


class Fault(Struct, frozen=True):
    """A read model that stopped right before an event."""

    model: str
    position: int
    reason: str
    since: datetime


class Reader:
    """A read_models.db.Db on a pool of connections, and an application.log.EventFeed."""

    def __init__(self, database_url: str, *, pool_size: int = POOL_SIZE) -> None:
        options = (
            f"-c search_path={LIVE},public -c timezone=UTC "
            f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"
        )
        self._pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            database_url,
            kwargs={
                "autocommit": True,
                "row_factory": tuple_row,
                "options": options,
                "application_name": "fairbook reader",
                "connect_timeout": 5,
            },
            min_size=1,
            max_size=pool_size,
            timeout=CONNECT_TIMEOUT_SECONDS,
            # Else it waits longer and longer, up to minutes after the database is back.
            reconnect_timeout=CONNECT_TIMEOUT_SECONDS,
            open=False,
        )
        self._known: dict[str, int] = {}
        self._poll: asyncio.Task[None] | None = None
        self._waiters: set[_Waiter] = set()

    async def open(self) -> None:
        """Start connecting; the database need not be there yet."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections; whoever waits for a position gets no."""
        if self._poll is not None:
            self._poll.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._poll
        await self._pool.close()

    # ---- read_models.db.Db

    async def rows(
        self, sql: str, parameters: Mapping[str, Any], make: Callable[..., Row]
    ) -> list[Row]:
        """Run a query and give `make(*columns)` for each row; raises LogUnavailable."""
        return [make(*row) for row in await self._fetch(sql, parameters)]

    async def position(self, model: str) -> int:
        """Give the position of the last event that a model shows, 0 when it was never begun."""
        return (await self.positions()).get(model, 0)

    # ---- how fresh

    async def positions(self) -> dict[str, int]:
        """Give the position of every model."""
        self._known = dict(await self._fetch(_POSITIONS, ()))
        return self._known

    async def head(self) -> int:
        """Give the position of the last event of the log."""
        ((head,),) = await self._fetch(_HEAD, ())
        return int(head)

    async def faults(self) -> list[Fault]:
        """Give the models that are stopped at an event."""
        return [Fault(*row) for row in await self._fetch(_FAULTS, ())]

    async def wait_for(self, model: str, position: int, timeout_seconds: float) -> bool:
        """Wait until a model shows the event at a position; False when it does not in time.

        All who wait share one look at the database every few milliseconds. Raises LogUnavailable.
        """
        if self._known.get(model, 0) >= position:
            return True
        if timeout_seconds <= 0:
            return await self.position(model) >= position
        waiter = _Waiter(model, position, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._look_for_waiters(), name="read model positions")
        try:
            await asyncio.wait_for(waiter.future, timeout_seconds)
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    async def _look_for_waiters(self) -> None:
        while self._waiters:
            try:
                positions = await self.positions()
            except LogUnavailable as error:
                for waiter in self._waiters:
                    waiter.fail(error)
                return
            for waiter in self._waiters:
                waiter.tell(positions)
            await asyncio.sleep(POLL_SECONDS)

    # ---- application.log.EventFeed

    async def events(
        self, after: int, stream_id: UUID | None, limit: int
    ) -> AsyncIterator[Recorded]:
        """Stream at most `limit` events after a position, in order; one chunk at a time is in memory.

        Raises LogUnavailable, and UnknownTopic at an event that a newer program wrote.
        """
        version = 0
        while limit > 0:
            chunk = min(limit, CHUNK_EVENTS)
            if stream_id is None:
                rows = await self._fetch(_EVENTS, (after, chunk))
            else:
                rows = await self._fetch(_EVENTS_OF_STREAM, (stream_id, version, after, chunk))
            for row in rows:
                yield decode_event(*row)
            if len(rows) < chunk:
                return
            limit -= len(rows)
            after, version = rows[-1][0], rows[-1][2]

    # ---- the pool

    async def _fetch(self, sql: Any, parameters: Any) -> list[tuple[Any, ...]]:
        with _translated():
            try:
                return await self._fetch_once(sql, parameters)
            except psycopg.OperationalError as error:
                if not _is_lost(error):
                    raise
            # The server was restarted, perhaps: reading once more is safe, on connections that are alive.
            self._known = {}
            await self._pool.check()
            return await self._fetch_once(sql, parameters)

    async def _fetch_once(self, sql: Any, parameters: Any) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(binary=True)
            with answering(connection, GIVE_UP_SECONDS):
                await cursor.execute(cast("Any", sql), parameters)
            return await cursor.fetchall()


class _Waiter:
    """Somebody who waits for a model to show a position."""

    def __init__(self, model: str, position: int, future: asyncio.Future[None]) -> None:
        self.model, self.position, self.future = model, position, future

    def tell(self, positions: Mapping[str, int]) -> None:
        if positions.get(self.model, 0) >= self.position and not self.future.done():
            self.future.set_result(None)

    def fail(self, error: LogUnavailable) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def _is_lost(error: psycopg.OperationalError) -> bool:
    """Tell a lost connection from a statement that took too long or found no room."""
    return error.sqlstate is None or isinstance(error, psycopg.errors.AdminShutdown)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Say in the project's words what the driver says."""
    try:
        yield
    except psycopg.DataError as error:
        raise InvalidInput("a value of this query is not comparable with what is stored") from error
    except psycopg.errors.UndefinedTable as error:
        raise LogUnavailable("the read models are not there yet: no worker has begun") from error
    except psycopg.errors.UndefinedColumn as error:
        raise LogUnavailable(
            "this read model is being rebuilt: an older version made it"
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout) as error:
        raise LogUnavailable(str(error).strip()) from error
