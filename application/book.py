"""The book: the state of the streams that are in memory, and the events of the batch being decided."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from msgspec import Struct

from domain.events.event import Event
from domain.streams import State, evolve

Row = tuple[UUID, int, Event]
"""A new event on its way to the log: stream, version in the stream, event."""


class Lookup(Struct):
    """Streams that are being read beside the writer's work; `changed` are those whose reading may be too old to keep.

    `void`: any of them may be.
    """

    changed: set[int] = set()
    void: bool = False


class Book:
    """States by stream id, bounded in number, with an undo log for what has not been committed.

    Ids are kept as integers, because a UUID's own hash and comparison are slow Python. Two generations keep it
    bounded: when the young one is full it becomes the old one, and what is not asked for again before the next turn
    is forgotten. Nothing is forgotten while a batch is being decided.
    """

    def __init__(self, capacity: int) -> None:
        self._half = max(1, capacity // 2)
        self._young: dict[int, State] = {}
        self._old: dict[int, State] = {}
        self._absent: set[int] = set()
        self._undo: list[tuple[int, State | None]] = []
        self._started: set[int] = set()
        self._sealed: tuple[int, list[tuple[int, State | None]], set[int]] | None = None
        self._lookups: list[Lookup] = []
        self.rows: list[Row] = []
        self.base = 0

    # ---- reading

    def get(self, stream_id: UUID) -> State | None:
        """Give the state of a stream, None when it has no events; it must have been loaded."""
        key = stream_id.int
        state = self._young.get(key)
        if state is None:
            state = self._old.get(key)
            if state is None:
                if key not in self._absent:
                    raise LookupError(f"stream {stream_id} was not loaded")
                return None
            self._young[key] = state
        return state

    def knows(self, stream_id: UUID) -> bool:
        """Tell whether `get` can answer without loading."""
        key = stream_id.int
        return key in self._young or key in self._old or key in self._absent

    def is_taken(self, stream_id: UUID) -> bool:
        """Tell whether a stream of this id exists, as far as is known without loading."""
        key = stream_id.int
        if key in self._started or key in self._young or key in self._old:
            return True
        return self._sealed is not None and key in self._sealed[2]

    @property
    def position(self) -> int:
        """Position that the last event so far will have in the log."""
        return self.base + len(self.rows)

    # ---- the batch being decided

    def record(self, stream_id: UUID, event: Event) -> State:
        """Take an event into the batch and give its stream's new state."""
        before = self.get(stream_id)
        after = evolve(before, stream_id, event)
        key = stream_id.int
        self._undo.append((key, before))
        self._young[key] = after
        self.rows.append((stream_id, after.version, event))
        return after

    def record_first(self, stream_id: UUID, event: Event) -> None:
        """Take the first event of a new stream whose state nobody will ask for soon."""
        self._started.add(stream_id.int)
        self.rows.append((stream_id, 1, event))

    def mark(self) -> tuple[int, int]:
        """Remember this point of the batch for `rewind`."""
        return len(self.rows), len(self._undo)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Drop what was recorded since `mark`."""
        rows, undo = mark
        self._started.difference_update([stream_id.int for stream_id, _, _ in self.rows[rows:]])
        del self.rows[rows:]
        self._restore(self._undo, undo)

    def seal(self) -> None:
        """Close the batch: it is on its way to the log, and what comes now belongs to the next one."""
        if self._sealed is not None:
            raise RuntimeError("a batch is in flight already")
        self._sealed = (self.base, self._undo, self._started)
        self.base = self.position
        self.rows, self._undo, self._started = [], [], set()

    def accept(self) -> None:
        """The sealed batch is durable: its states hold."""
        self._sealed = None
        self._absent.clear()
        if len(self._young) > self._half:
            self._void_lookups()
            self._old, self._young = self._young, {}

    def rewind_all(self) -> None:
        """Drop everything that is not durable: the batch, and the sealed one if there is one."""
        self.rewind((0, 0))
        self._absent.clear()
        if self._sealed is not None:
            self.base, undo, _ = self._sealed
            self._sealed = None
            self._restore(undo, 0)

    def _restore(self, undo: list[tuple[int, State | None]], length: int) -> None:
        while len(undo) > length:
            key, before = undo.pop()
            if before is None:
                self._young.pop(key, None)
                self._old.pop(key, None)
                self._absent.add(key)
            else:
                self._young[key] = before

    # ---- what comes from the log

    def put_loaded(self, asked: Collection[UUID], states: Mapping[UUID, State]) -> None:
        """Take states that were loaded from the log; what was asked for and not found has no events."""
        self._absent.update(stream_id.int for stream_id in asked if stream_id not in states)
        self._young.update((stream_id.int, state) for stream_id, state in states.items())

    def follow(self, stream_id: UUID, version: int, event: Event) -> None:
        """Take an event that another process appended, if its stream is in memory and has not got it yet."""
        key = stream_id.int
        self._absent.discard(key)
        for lookup in self._lookups:
            lookup.changed.add(key)
        state = self._young.get(key) or self._old.get(key)
        if state is not None and state.version < version:
            self._young[key] = evolve(state, stream_id, event)

    def forget(self, head: int) -> None:
        """Drop everything; the log ends at `head`."""
        self._void_lookups()
        self._young, self._old = {}, {}
        self._undo, self._started, self._sealed = [], set(), None
        self._absent.clear()
        self.rows = []
        self.base = head

    # ---- what is looked up beside the writer's work, and what nobody will ask for again

    def begin_lookup(self) -> Lookup:
        """Say that streams are being read from the log, from now until `end_lookup`."""
        lookup = Lookup()
        self._lookups.append(lookup)
        return lookup

    def end_lookup(self, lookup: Lookup, states: Mapping[UUID, State]) -> None:
        """Take the states that were read and are not in memory, but for those that may have changed meanwhile."""
        if lookup in self._lookups:
            self._lookups.remove(lookup)
        if lookup.void:
            return
        for stream_id, state in states.items():
            key = stream_id.int
            if not (self.knows(stream_id) or key in lookup.changed):
                self._young[key] = state

    def _void_lookups(self) -> None:
        for lookup in self._lookups:
            lookup.void = True
        self._lookups.clear()

    def release(self, stream_ids: Iterable[UUID]) -> None:
        """Forget streams that nobody will ask for soon; one that the log does not hold yet as it is stays."""
        kept = {key for key, _ in self._undo}
        if self._sealed is not None:
            kept.update(key for key, _ in self._sealed[1])
        for key in {stream_id.int for stream_id in stream_ids} - kept:
            self._young.pop(key, None)
            self._old.pop(key, None)
            for lookup in self._lookups:
                lookup.changed.add(key)

    def __len__(self) -> int:
        """Give the number of streams in memory."""
        return len(self._young) + len(self._old)
