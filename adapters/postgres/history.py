"""The log as projections read it: batches by position, and what earlier events said."""

from collections.abc import Collection, Mapping
from typing import Any, Final, LiteralString
from uuid import UUID

from msgspec import Struct
from psycopg import Connection

from adapters.postgres.arrays import Int8Array, TextArray, UuidArray
from adapters.postgres.codec import decode_event
from adapters.postgres.snapshots import SHAPES, decode_snapshot
from domain.events.event import Event, Recorded
from domain.events.market import MarketOpened
from domain.streams import State, evolve
from read_models.projection import StreamKey

_READ: Final[LiteralString] = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger_events
WHERE notification_id > %s AND notification_id <= %s ORDER BY notification_id LIMIT %s"""
_FIRST: Final[LiteralString] = """
SELECT e.originator_id, e.topic, e.state FROM unnest(%b) AS w(id)
JOIN ledger_events e ON e.originator_id = w.id AND e.originator_version = 1"""
# A snapshot may be younger than what is asked for (in a rebuild, or when another worker is ahead): then it is no help.
_STATES: Final[LiteralString] = """
WITH wanted AS (
    SELECT w.id, w.upto, s.version, s.shape, s.state FROM unnest(%b, %b) AS w(id, upto)
    LEFT JOIN ledger_snapshots s ON s.stream_id = w.id AND s.version <= w.upto AND s.shape = ANY(%b)
)
SELECT id, version, shape, state, true FROM wanted WHERE version IS NOT NULL
UNION ALL
SELECT e.* FROM wanted CROSS JOIN LATERAL (
    SELECT originator_id, originator_version, topic, state, false FROM ledger_events
    WHERE originator_id = wanted.id
      AND originator_version > coalesce(wanted.version, 0) AND originator_version <= wanted.upto
) e
ORDER BY 1, 2"""

END: Final = 2**63 - 1
Row = tuple[Any, ...]
"""What the log holds of an event: position, stream, version in the stream, topic, state."""

_ROWS_AT_A_TIME: Final = 2_000


class Unreadable(Struct, frozen=True):
    """An event that cannot be decoded."""

    position: int
    topic: str
    error: Exception


class Reading(Struct, frozen=True):
    """Consecutive events after `after` up to `last`; an unreadable one can only come first, and then alone."""

    after: int
    last: int
    events: list[Recorded]
    unreadable: Unreadable | None = None

    def first_half(self) -> "Reading":
        """Give the first half of the events."""
        events = self.events[: len(self.events) // 2]
        return Reading(self.after, events[-1].position, events)


class LogHistory:
    """A read_models.projection.History on a connection in autocommit; `capacity` bounds the states in memory.

    What it keeps is never taken at its word: a state serves only a question about its very version.
    """

    def __init__(self, connection: Connection[Any], capacity: int) -> None:
        self._connection = connection
        self._half = max(1, capacity // 2)
        self._young: dict[StreamKey, State] = {}
        self._old: dict[StreamKey, State] = {}
        self._markets: dict[UUID, Event] = {}

    # ---- reading on

    def head(self) -> int:
        """Give the position of the last event."""
        sql = "SELECT coalesce(max(notification_id), 0) FROM ledger_events"
        row = self._connection.execute(sql, prepare=True).fetchone()
        assert row is not None
        return int(row[0])

    def read(self, after: int, limit: int, upto: int = END) -> Reading | None:
        """Give the next events, None when there are none."""
        rows = fetch(self._connection, after, limit, upto)
        return decoded(after, rows) if rows else None

    # ---- what earlier events said

    def first_events(self, stream_ids: Collection[UUID]) -> Mapping[UUID, Event]:
        """Give the first event of each of these streams that exist."""
        found = {id_: event for id_ in stream_ids if (event := self._markets.get(id_))}
        missing = [stream_id for stream_id in stream_ids if stream_id not in found]
        if missing:
            cursor = self._connection.cursor(binary=True)
            for id_, topic, state in cursor.execute(_FIRST, (UuidArray.of(missing),), prepare=True):
                event = decode_event(0, id_, 1, topic, state).event
                found[id_] = event
                if type(event) is MarketOpened:  # the same few are asked for all day
                    self._markets[id_] = event
            if len(self._markets) > self._half:
                self._markets.clear()
        return found

    def states(self, versions: Mapping[StreamKey, int]) -> dict[StreamKey, State]:
        """Give the states of streams right after these versions."""
        found: dict[StreamKey, State] = {}
        missing: dict[StreamKey, int] = {}
        young, old = self._young, self._old
        for key, version in versions.items():
            state = young.get(key) or old.get(key)
            if state is not None and state.version == version:
                found[key] = state
            else:
                missing[key] = version
        if missing:
            found |= self._load(missing)
        return found

    def keep(self, states: Mapping[StreamKey, State]) -> None:
        """Remember states, and forget those that have not been kept again for long."""
        self._young.update(states)
        if len(self._young) > self._half:
            self._old, self._young = self._young, {}

    def _load(self, versions: Mapping[StreamKey, int]) -> dict[StreamKey, State]:
        states: dict[StreamKey, State] = {}
        ids, wanted = [UUID(int=key) for key in versions], list(versions.values())
        parameters = (UuidArray.of(ids), Int8Array.of(wanted), TextArray.of(SHAPES))
        # A stream may be long: it is never held as a whole.
        with self._connection.transaction(), self._connection.cursor("states") as cursor:
            cursor.itersize = _ROWS_AT_A_TIME
            cursor.execute(_STATES, parameters, binary=True)
            for stream_id, version, topic, state, is_snapshot in cursor:
                key = stream_id.int
                if is_snapshot:
                    states[key] = decode_snapshot(topic, state)
                else:
                    event = decode_event(0, stream_id, version, topic, state).event
                    states[key] = evolve(states.get(key), stream_id, event)
        return states


def fetch(connection: Connection[Any], after: int, limit: int, upto: int = END) -> list[Row]:
    """Give the next rows of the log as they are stored."""
    cursor = connection.cursor(binary=True)
    return cursor.execute(_READ, (after, upto, limit), prepare=True).fetchall()


def decoded(after: int, rows: list[Row]) -> Reading:
    """Give the events of the rows that follow `after`, up to one that cannot be read."""
    try:
        return Reading(after, rows[-1][0], [decode_event(*row) for row in rows])
    except Exception:  # noqa: BLE001  whatever is wrong with it is found and reported below
        return _read_up_to_unreadable(after, rows)


def _read_up_to_unreadable(after: int, rows: list[Row]) -> Reading:
    events: list[Recorded] = []
    for row in rows:
        try:
            events.append(decode_event(*row))
        except Exception as error:  # noqa: BLE001  kept and reported for the models that it concerns
            if events:
                break
            return Reading(after, row[0], [], Unreadable(row[0], row[3], error))
    return Reading(after, events[-1].position, events)
