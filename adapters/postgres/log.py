"""The writer's side of the log: one asynchronous connection, one round trip a batch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import psycopg
from eventsourcing.postgres import PostgresDatastore
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composable, Composed

from adapters.postgres.answering import answering
from adapters.postgres.arrays import (
    BoolArray,
    ByteaArray,
    Int8Array,
    TextArray,
    UuidArray,
    register,
)
from adapters.postgres.codec import decode_event
from adapters.postgres.snapshots import SHAPES, decode_snapshot
from application.log import (
    Batch,
    Behind,
    CommandRecord,
    KeyTaken,
    LogUnavailable,
    StreamConflict,
)
from domain.events.event import Recorded
from domain.streams import State, evolve

KEY_TAKEN: Final = "FB001"
"""SQLSTATE that `ledger_append` raises when a refused command of the batch has a record."""

COMMANDS_SUFFIX: Final = "_commands"
"""How the table's name ends whose primary key an accepted command violates when it has a record."""

_GIVE_UP: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""When a server that does not answer counts as lost (seconds; the last in milliseconds)."""

_LOCK_SECONDS: Final = 3
_HELD_SECONDS: Final = 20
_OPTIONS: Final = (
    f"-c lock_timeout={_LOCK_SECONDS}s -c idle_in_transaction_session_timeout={_HELD_SECONDS}s"
)
"""How long the writer waits for somebody's lock, and keeps its own while its process stands still."""

_UNAVAILABLE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

_APPEND = SQL("SELECT {schema}.{append}(%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)")
_LOCK = SQL("SELECT pg_advisory_xact_lock({lock})")
_HEAD = SQL("SELECT coalesce(max(notification_id), 0) FROM {schema}.{events}")
_TAIL = SQL("""
SELECT notification_id, originator_id, originator_version, topic, state FROM {schema}.{events}
WHERE notification_id > %b ORDER BY notification_id LIMIT %b""")
# One statement, so that a snapshot and the events after it are of the same moment.
_LOAD = SQL("""
WITH wanted AS (
    SELECT w.id, s.version, s.shape, s.state FROM unnest(%b) AS w(id)
    LEFT JOIN {schema}.{snapshots} s ON s.stream_id = w.id AND s.shape = ANY(%b)
)
SELECT id, version, shape, state, true FROM wanted WHERE version IS NOT NULL
UNION ALL
SELECT e.* FROM wanted CROSS JOIN LATERAL (
    SELECT originator_id, originator_version, topic, state, false FROM {schema}.{events}
    WHERE originator_id = wanted.id AND originator_version > coalesce(wanted.version, 0)
) e
ORDER BY 1, 2""")
_RECORDS = SQL("""
SELECT c.scope, c.key, c.digest, c.refused, c.answer
FROM unnest(%b, %b) AS k(scope, key) JOIN {schema}.{commands} c USING (scope, key)""")


class PostgresLog:
    """An application.log.Log; `names` are the identifiers of its tables and of its lock."""

    def __init__(self, datastore: PostgresDatastore, names: Mapping[str, Composable]) -> None:
        self.append_sql, self._lock, self._head, self._tail, self._load, self._records = (
            sql.format(**names) for sql in (_APPEND, _LOCK, _HEAD, _TAIL, _LOAD, _RECORDS)
        )
        empty = TextArray.of([])
        self.no_records = (empty, empty, ByteaArray.of([]), BoolArray.of([]), ByteaArray.of([]))
        self.no_keys = (empty, empty)
        self._datastore = datastore
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._beside: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._opening = asyncio.Lock()

    # ---- connection

    async def connect(self) -> None:
        """Connect, or connect again after a loss; raises LogUnavailable."""
        if self._connection is not None and not self._connection.closed:
            return
        self._connection = await self._open("fairbook writer")

    async def _open(self, name: str) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        kwargs = {k: v for k, v in _connect_kwargs(self._datastore).items() if k != "row_factory"}
        with _translated():
            connection = await psycopg.AsyncConnection.connect(
                **kwargs,
                autocommit=True,
                row_factory=tuple_row,
                application_name=name,
                options=_OPTIONS,
                **_GIVE_UP,
            )
        register(connection)
        return connection

    async def disconnect(self) -> None:
        """Close the writer's connections; the recorder's pool closes with the application."""
        for connection in (self._connection, self._beside):
            if connection is not None:
                await connection.close()
        self._connection = self._beside = None

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator["PostgresLog"]:
        """Hold the writers' lock in one transaction until the block ends."""
        with _translated():
            connection = self._connected()
            with answering(connection, _HELD_SECONDS):
                async with connection.transaction():
                    await connection.execute(self._lock)
                    yield self

    # ---- the session

    async def append(self, batch: Batch) -> int:
        """Append the batch durably and give the new head."""
        records = batch.records
        parameters = (
            batch.expected,
            UuidArray.of(batch.stream_ids),
            Int8Array.of(batch.versions),
            TextArray.of(batch.topics),
            ByteaArray.of(batch.states),
            *(self.no_records if not records else _columns(records)),
            *(
                self.no_keys
                if not batch.unknown
                else map(TextArray.of, zip(*batch.unknown, strict=True))
            ),
        )
        ((head,),) = await self._fetch(self.append_sql, parameters)
        if head < 0:
            raise Behind
        return int(head)

    async def load(self, stream_ids: Collection[UUID]) -> Mapping[UUID, State]:
        """Give the states of those streams that exist, from snapshots and the events after them."""
        return await self._states(self._connected(), stream_ids)

    async def look(self, stream_ids: Collection[UUID]) -> Mapping[UUID, State]:
        """Give states as `load` does, over a connection beside the writer's."""
        async with self._opening:  # several may ask at once
            if self._beside is None or self._beside.closed:
                self._beside = await self._open("fairbook lookup")
        return await self._states(self._beside, stream_ids)

    async def _states(
        self, connection: psycopg.AsyncConnection[tuple[Any, ...]], stream_ids: Collection[UUID]
    ) -> Mapping[UUID, State]:
        states: dict[UUID, State] = {}
        parameters = (UuidArray.of(list(stream_ids)), TextArray.of(SHAPES))
        rows = await self._fetch(self._load, parameters, connection)
        for stream_id, version, topic, state, is_snapshot in rows:
            if is_snapshot:
                states[stream_id] = decode_snapshot(topic, state)
            else:
                event = decode_event(0, stream_id, version, topic, state).event
                states[stream_id] = evolve(states.get(stream_id), stream_id, event)
        return states

    async def tail(self, after: int, limit: int) -> Sequence[Recorded]:
        """Give the events after a position, in order."""
        return [decode_event(*row) for row in await self._fetch(self._tail, (after, limit))]

    async def head(self) -> int:
        """Give the position of the last event, 0 when there is none."""
        ((head,),) = await self._fetch(self._head, ())
        return int(head)

    async def records(
        self, keys: Collection[tuple[str, str]]
    ) -> Mapping[tuple[str, str], CommandRecord]:
        """Give the records of those (scope, key) that have been answered."""
        scopes, names = zip(*keys, strict=True) if keys else ((), ())
        rows = await self._fetch(self._records, (TextArray.of(scopes), TextArray.of(names)))
        return {(row[0], row[1]): CommandRecord(*row) for row in rows}

    async def _fetch(
        self,
        sql: Composed,
        parameters: Sequence[Any],
        connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None,
    ) -> list[tuple[Any, ...]]:
        with _translated():
            connection = connection or self._connected()
            cursor = connection.cursor(binary=True)
            try:
                with answering(connection, _HELD_SECONDS):
                    await cursor.execute(sql, parameters, prepare=True)
            except psycopg.errors.ReadOnlySqlTransaction:
                # The session may stay so when the server, or its successor, takes writes again.
                await connection.close()
                raise
            return await cursor.fetchall()

    def _connected(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            raise LogUnavailable("not connected to the database")
        return self._connection


def _columns(records: Sequence[CommandRecord]) -> tuple[bytes, ...]:
    return (
        TextArray.of([record.scope for record in records]),
        TextArray.of([record.key for record in records]),
        ByteaArray.of([record.digest for record in records]),
        BoolArray.of([record.refused for record in records]),
        ByteaArray.of([record.answer for record in records]),
    )


def _connect_kwargs(datastore: PostgresDatastore) -> dict[str, Any]:
    kwargs = datastore.pool.kwargs
    return dict(kwargs() if callable(kwargs) else kwargs or {})


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Say in the log's words what the driver says."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate == KEY_TAKEN:
            raise KeyTaken from error
        if isinstance(error, psycopg.errors.UniqueViolation):
            if (error.diag.table_name or "").endswith(COMMANDS_SUFFIX):
                raise KeyTaken from error
            raise StreamConflict(str(error)) from error
        if isinstance(error, _UNAVAILABLE):
            raise LogUnavailable(str(error).strip()) from error
        raise
