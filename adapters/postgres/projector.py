"""The projection worker: it brings new events into the read models, each exactly once.

In a round, the models that are at the same position share a batch: it is read and decoded once, and the rows and
positions of all of them are committed in one transaction. When that fails, each model goes on alone, so that an event
that one of them cannot take stops only that one, right before that event.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import psycopg
from eventsourcing.persistence import PersistenceError
from msgspec import Struct
from psycopg import Connection

from adapters.postgres import projection_meters as meters
from adapters.postgres import tracking
from adapters.postgres.columns import pack
from adapters.postgres.history import LogHistory, Reading
from adapters.postgres.renewal import Renewal
from adapters.postgres.schema import connect, create_live, outdated
from adapters.postgres.stop import Stop
from adapters.postgres.tracking import Moved
from read_models.projection import Batch, Projection

BATCH_EVENTS: Final = 8_000
STATES_IN_MEMORY: Final = 200_000
POLL_SECONDS: Final = 0.5  # in case a notification is lost
# Between rounds under load: a larger batch costs less an event, and an account that has several shows them at once.
REST_SECONDS: Final = (0.02, 0.5)
REST_FACTOR: Final = 3.0
STANDBY_SECONDS: Final = 1.0  # how often to see whether another worker has left a model
RECONNECT_SECONDS: Final = (0.1, 5.0)
RETRY_FAULT_SECONDS: Final = (1.0, 60.0)

# The rows and their position land together, and all of it can be built again from the log: after a crash of the
# server a model is merely some milliseconds back. So nothing here waits for the disk.
_WRITER_SETTINGS: Final = "-c synchronous_commit=off"

# What no model is to blame for. Read-only: a standby, or a server that its disk is too full for.
_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
)

_FAULT = """
INSERT INTO public.projection_faults AS f (model, position, reason) VALUES (%s, %s, %s)
ON CONFLICT (model) DO UPDATE SET position = excluded.position, reason = excluded.reason,
    since = CASE WHEN f.position = excluded.position THEN f.since ELSE now() END"""
_CLEAR_FAULT = "DELETE FROM public.projection_faults WHERE model = %s"
_LOCK = "SELECT pg_try_advisory_lock(hashtext('fairbook projection'), hashtext(%s))"


class Model(Struct):
    """A projection and where it is; `retry_at` is set while it is stopped at an event."""

    projection: Projection
    position: int = 0
    retry_at: float | None = None
    retry_seconds: float = RETRY_FAULT_SECONDS[0]

    @property
    def name(self) -> str:
        """Its name."""
        return self.projection.name


class Projector:
    """Runs projections until stopped. Several workers may run: each model follows one of them at a time."""

    def __init__(self, database_url: str, projections: Iterable[Projection]) -> None:
        self._database_url = database_url
        self._models = [Model(projection) for projection in projections]

    def run(self, stop: Stop) -> None:
        """Follow the log; when the database goes away, come back with it."""
        patience = RECONNECT_SECONDS[0]
        while not stop.is_set:
            try:
                with self.session() as session:
                    patience = RECONNECT_SECONDS[0]
                    session.follow(stop)
            except (*_AWAY, PersistenceError) as error:
                meters.log.warning("database away", extra={"error": str(error).strip()})
                stop.wait(patience)
                patience = min(2 * patience, RECONNECT_SECONDS[1])

    @contextlib.contextmanager
    def session(self) -> Iterator["Session"]:
        """Open connections to work with until the block ends."""
        create_live(self._database_url, [model.projection for model in self._models])
        with (
            connect(self._database_url) as reader,
            connect(self._database_url, settings=_WRITER_SETTINGS) as writer,
            connect(self._database_url) as listener,
            Renewal(self._database_url) as renewal,
        ):
            listener.execute("LISTEN ledger_events")
            yield Session(self._models, reader, writer, listener, renewal)


class Session:
    """A projector's work over one set of connections."""

    def __init__(
        self,
        models: Sequence[Model],
        reader: Connection[Any],
        writer: Connection[Any],
        listener: Connection[Any],
        renewal: Renewal,
    ) -> None:
        self._standby = list(models)
        self._mine: list[Model] = []
        self._writer = writer
        self._listener = listener
        self._renewal = renewal
        self._history = LogHistory(reader, STATES_IN_MEMORY)

    def follow(self, stop: Stop) -> None:
        """Work in rounds until stopped: at once when an event arrives, in larger batches when many do."""
        look_again = 0.0
        while not stop.is_set:
            begun = time.monotonic()
            if begun >= look_again:
                if self._standby:
                    self.take_over()
                self._look_at_stopped()
                look_again = begun + STANDBY_SECONDS
            match self.round():
                case 0:
                    stop.wait(POLL_SECONDS, [self._listener])
                    for _ in self._listener.notifies(timeout=0):
                        pass
                case events if events < BATCH_EVENTS:
                    rest = REST_FACTOR * (time.monotonic() - begun)
                    stop.wait(min(max(rest, REST_SECONDS[0]), REST_SECONDS[1]))
                case _:
                    pass

    def take_over(self) -> None:
        """Take the models that no other worker holds; the lock ends with this worker's connection.

        Models whose tables an older version made are rebuilt first.
        """
        old = outdated(self._writer, [model.projection for model in self._standby])
        if old:
            self._renewal.order(old)
        for model in list(self._standby):
            if model.projection in old:
                continue
            row = self._writer.execute(_LOCK, (model.name,)).fetchone()
            if row and row[0]:
                self._standby.remove(model)
                self._mine.append(model)
        self._find_positions(self._mine)

    def _look_at_stopped(self) -> None:
        """Go on at once with models that somebody has rebuilt."""
        stopped = {m.name: m.position for m in self._mine if m.retry_at is not None}
        if not stopped:
            return
        models = [model for model in self._mine if model.name in stopped]
        self._find_positions(models)
        for model in models:
            if model.position != stopped[model.name]:
                self._mended(model)

    def _find_positions(self, models: Iterable[Model]) -> None:
        found = tracking.positions(self._writer)
        for model in models:
            model.position = found[model.name]

    # ---- a round

    def round(self) -> int:
        """Bring one batch into every model that is behind; give how many events that was."""
        lanes: dict[tuple[int, bool], list[Model]] = {}
        now = time.monotonic()
        for model in self._mine:
            if model.retry_at is None or model.retry_at <= now:
                lanes.setdefault((model.position, model.retry_at is not None), []).append(model)
        done = 0
        for (position, was_stopped), models in lanes.items():
            # A stopped model tries the event at which it stopped alone.
            reading = self._history.read(position, 1 if was_stopped else BATCH_EVENTS)
            if reading is None:
                for model in models:
                    meters.lagging(model.name, 0, None)
                continue
            if reading.unreadable:
                self._pass_unreadable(models, reading)
            else:
                self._project(models, reading)
            done += reading.last - reading.after
            self._measure_lag(models, reading)
        return done

    def _measure_lag(self, models: list[Model], reading: Reading) -> None:
        behind = (
            self._history.head() if reading.last - reading.after == BATCH_EVENTS else reading.last
        )
        for model in models:
            last = reading.events[-1].at if reading.events else None
            meters.lagging(model.name, behind - model.position, last)

    def _pass_unreadable(self, models: list[Model], reading: Reading) -> None:
        """Stop the models that an unreadable event may concern; the others go on past it."""
        unreadable = reading.unreadable
        assert unreadable is not None
        others = []
        for model in models:
            if model.projection.concerns(unreadable.topic):
                self._stop_at(model, unreadable.position, unreadable.error)
            else:
                others.append(model)
        if others:
            self._commit(others, reading, [])

    def _project(self, models: list[Model], reading: Reading) -> None:
        """Bring a reading into models that are where it begins, together or else each alone."""
        begun = time.time_ns()
        batch = Batch(reading.events, self._history)
        try:
            changes = [change for model in models for change in _changes(model.projection, batch)]
            self._commit(models, reading, changes)
        except _AWAY:
            raise
        except Exception as error:  # noqa: BLE001  a model's failure is shown and kept from the other models
            self._isolate(models, reading, error)
        else:
            meters.shown([model.name for model in models], reading.events, begun)

    def _isolate(self, models: list[Model], reading: Reading, error: Exception) -> None:
        if len(models) > 1:
            for model in models:
                self._project([model], reading)
        elif len(reading.events) > 1:
            self._project(models, reading.first_half())
        else:
            self._stop_at(models[0], reading.last, error)

    def _commit(
        self, models: list[Model], reading: Reading, changes: Iterable[tuple[str, list[bytes]]]
    ) -> None:
        """Write rows and positions in one transaction, unless somebody else has moved one of the models."""
        names = [model.name for model in models]
        try:
            with self._writer.pipeline() as pipeline, self._writer.transaction():
                tracking.advance(self._writer, names, reading.after, reading.last)
                for sql, columns in changes:
                    self._writer.execute(sql, columns, prepare=True)
                pipeline.sync()
        except Moved:
            self._find_positions(models)
            return
        for model in models:
            model.position = reading.last
            if model.retry_at is not None:
                self._mended(model)

    def _mended(self, model: Model) -> None:
        self._writer.execute(_CLEAR_FAULT, (model.name,))
        model.retry_at, model.retry_seconds = None, RETRY_FAULT_SECONDS[0]

    def _stop_at(self, model: Model, position: int, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        meters.fault(model.name, position, reason)
        self._writer.execute(_FAULT, (model.name, position, reason))
        model.retry_at = time.monotonic() + model.retry_seconds
        model.retry_seconds = min(2 * model.retry_seconds, RETRY_FAULT_SECONDS[1])


def _changes(projection: Projection, batch: Batch) -> list[tuple[str, list[bytes]]]:
    begun = time.perf_counter()
    packed = [pack(change) for change in projection.changes(batch)]
    meters.folded(projection.name, time.perf_counter() - begun)
    return packed
