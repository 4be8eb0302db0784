"""Building read models anew from the log, in schemas of their own: for a rebuild, and for a replay that compares.

All models of a build share one pass over the log. This thread decodes and folds; one fetches what comes next from the
log, and two hand the changes to PostgreSQL, each for its share of the models, so that both sides of the machine are
busy.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from adapters.postgres.columns import pack
from adapters.postgres.history import END, LogHistory, Reading, Row, decoded, fetch
from adapters.postgres.schema import connect, create_indexes, create_tables
from read_models.projection import Batch, Projection

BATCH_EVENTS: Final = 25_000
_IN_FLIGHT: Final = 2  # batches that may wait for PostgreSQL: memory stays bounded
_WRITERS: Final = 2
_WRITER_SETTINGS: Final = "-c synchronous_commit=off -c maintenance_work_mem=256MB"

Progress = Callable[[int, int], None]
"""Told the position that is done and the position to reach."""

PackedChange = tuple[str, list[bytes]]


class BuildInProgress(Exception):  # noqa: N818  a state, not a fault
    """Somebody else is building one of these models for the same purpose."""


class BuildFailed(Exception):  # noqa: N818  what the log holds, not a fault of the build
    """An event cannot be brought into a model."""


class Build:
    """Models being built for a `purpose`, each in the schema `<purpose>_<model>`; what is left is dropped at the end.

    `observe` is shown every batch before it is folded.
    """

    def __init__(
        self,
        database_url: str,
        projections: Sequence[Projection],
        purpose: str,
        observe: Callable[[Batch], None] | None = None,
    ) -> None:
        self._database_url = database_url
        self._projections = list(projections)
        self._purpose = purpose
        self._observe = observe
        self._stack = contextlib.ExitStack()
        self._writers: list[_Writer] = []
        self.positions = {projection.name: 0 for projection in projections}

    def __enter__(self) -> "Build":
        with contextlib.ExitStack() as stack:
            self._control = stack.enter_context(connect(self._database_url))
            # Closing the connection lets go as well, but a moment later: the next build may be there before.
            stack.callback(self._control.execute, "SELECT pg_advisory_unlock_all()")
            self._lock()
            self._drop()
            stack.callback(self._drop)
            self._history = LogHistory(
                stack.enter_context(connect(self._database_url)), capacity=END
            )
            self._log = stack.enter_context(connect(self._database_url))
            self._fetcher = stack.enter_context(ThreadPoolExecutor(1, "fetch"))
            for place in range(_WRITERS):
                if mine := self._projections[place::_WRITERS]:
                    self._writers.append(
                        stack.enter_context(_Writer(self._database_url, mine, self.schema_of))
                    )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def schema_of(self, projection: Projection) -> str:
        """Give the schema in which a model is built."""
        return f"{self._purpose}_{projection.name}"

    def _lock(self) -> None:
        """Keep others from building the same models for the same purpose; the lock ends with the connection."""
        for projection in self._projections:
            sql = "SELECT pg_try_advisory_lock(hashtext('fairbook build'), hashtext(%s))"
            row = self._control.execute(sql, (self.schema_of(projection),)).fetchone()
            if not (row and row[0]):
                raise BuildInProgress(f"{projection.name} is being built already")

    def _drop(self) -> None:
        """Drop what this build, or one that died, has left."""
        for projection in self._projections:
            name = Identifier(self.schema_of(projection))
            self._control.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))

    # ---- the work

    def head(self) -> int:
        """Give the position of the log's last event."""
        return self._history.head()

    def advance(self, upto: Mapping[str, int], progress: Progress) -> None:
        """Bring every model up to its own position in `upto`, those that are equally far in one pass."""
        goal = max(upto.values(), default=0)
        while behind := [p for p in self._projections if self.positions[p.name] < upto[p.name]]:
            start = min(self.positions[p.name] for p in behind)
            lane = [p for p in behind if self.positions[p.name] == start]
            stops = [upto[p.name] for p in lane] + [self.positions[p.name] for p in behind]
            end = min(stop for stop in stops if stop > start)
            self._pass(lane, start, end, lambda position: progress(position, goal))
            for projection in lane:
                self.positions[projection.name] = end

    def _pass(
        self, lane: list[Projection], start: int, end: int, progress: Callable[[int], None]
    ) -> None:
        for reading in self._readings(start, end):
            if unreadable := reading.unreadable:
                if any(projection.concerns(unreadable.topic) for projection in lane):
                    raise BuildFailed(str(unreadable.error)) from unreadable.error
            else:
                self._write(lane, Batch(reading.events, self._history))
            progress(reading.last)
        for writer in self._writers:
            writer.drain()

    def _readings(self, after: int, end: int) -> Iterator[Reading]:
        """Read on until `end`; while a reading is folded, the rows of the next one are fetched."""
        coming = self._fetch(after, end)
        while after < end:
            rows = coming.result()
            if not rows:
                raise BuildFailed(f"the log ends at {after}, before {end}")
            last = rows[-1][0]
            coming = self._fetch(last, end)
            reading = decoded(after, rows)
            if reading.last != last:  # some of these rows have to be read once more
                coming = self._fetch(reading.last, end)
            after = reading.last
            yield reading

    def _fetch(self, after: int, end: int) -> Future[list[Row]]:
        return self._fetcher.submit(fetch, self._log, after, BATCH_EVENTS, end)

    def _write(self, lane: list[Projection], batch: Batch) -> None:
        if self._observe is not None:
            self._observe(batch)
        for writer in self._writers:
            changes: list[PackedChange] = []
            for projection in writer.projections:
                if projection in lane:
                    try:
                        changes += [pack(change) for change in projection.changes(batch)]
                    except Exception as error:
                        first, last = batch.events[0].position, batch.events[-1].position
                        raise BuildFailed(
                            f"{projection.name}, in events {first} to {last}: {error!r}"
                        ) from error
            writer.write(changes)

    def finish(self) -> None:
        """Make the indexes that readers need, and gather the planner's statistics."""
        for writer in self._writers:
            writer.index()
        for writer in self._writers:
            writer.drain()


class _Writer:
    """A thread with a connection that writes some of the models."""

    def __init__(
        self,
        database_url: str,
        projections: Sequence[Projection],
        schema_of: Callable[[Projection], str],
    ) -> None:
        self.projections = projections
        self._schemas = {projection.name: schema_of(projection) for projection in projections}
        self._connection: Connection[Any] = connect(
            database_url, path=self._schemas.values(), settings=_WRITER_SETTINGS
        )
        self._thread = ThreadPoolExecutor(1, "build")
        self._in_flight: deque[Future[None]] = deque()

    def __enter__(self) -> "_Writer":
        for projection in self.projections:
            schema = self._schemas[projection.name]
            self._connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
            with self._first_in_path(projection):
                create_tables(self._connection, projection)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._connection.close()

    def write(self, changes: list[PackedChange]) -> None:
        """Have changes written in one transaction; waits when too many are on their way."""
        while len(self._in_flight) >= _IN_FLIGHT:
            self._in_flight.popleft().result()
        self._in_flight.append(self._thread.submit(self._write, changes))

    def index(self) -> None:
        """Have the indexes made."""
        self._in_flight.append(self._thread.submit(self._index))

    def drain(self) -> None:
        """Wait until all is written."""
        while self._in_flight:
            self._in_flight.popleft().result()

    def _write(self, changes: list[PackedChange]) -> None:
        with self._connection.transaction():
            for sql, columns in changes:
                self._connection.execute(sql, columns, prepare=True)

    def _index(self) -> None:
        for projection in self.projections:
            with self._first_in_path(projection):
                create_indexes(self._connection, projection)
            for table in projection.tables:
                name = Identifier(self._schemas[projection.name], table)
                self._connection.execute(SQL("ANALYZE {}").format(name))

    @contextlib.contextmanager
    def _first_in_path(self, projection: Projection) -> Iterator[None]:
        """Let unqualified names mean this model's schema while tables and indexes are made."""
        everywhere = [*self._schemas.values(), "public"]
        self._set_path([self._schemas[projection.name], *everywhere])
        try:
            yield
        finally:
            self._set_path(everywhere)

    def _set_path(self, schemas: Sequence[str]) -> None:
        sql = "SELECT set_config('search_path', %s, false)"
        self._connection.execute(sql, (", ".join(schemas),))


def is_out_of_time(error: psycopg.Error) -> bool:
    """Tell whether a lock was not to be had in time."""
    return isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected)
