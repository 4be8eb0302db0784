"""The book: the state of the streams that are in memory, and the events of the batch being decided."""

from collections.abc import Collection, Mapping
from uuid import UUID

from domain.events import Event
from domain.streams import State, evolve

Row = tuple[UUID, int, Event]
"""A new event on its way to the log: stream, version in the stream, event."""


class Book:
    """States by stream id, bounded in number, with an undo log for what has not been committed.

    Two generations keep it bounded: when the young one is full it becomes the old one, and what is not asked for
    again before the next turn is forgotten. Nothing is forgotten while a batch is being decided.
    """

    def __init__(self, capacity: int) -> None:
        self._half = max(1, capacity // 2)
        self._young: dict[UUID, State] = {}
        self._old: dict[UUID, State] = {}
        self._absent: set[UUID] = set()
        self._undo: list[tuple[UUID, State | None]] = []
        self.started: set[UUID] = set()
        self.rows: list[Row] = []
        self.base = 0

    # ---- reading

    def get(self, stream_id: UUID) -> State | None:
        """Give the state of a stream, None when it has no events; it must have been loaded."""
        state = self._young.get(stream_id)
        if state is None:
            state = self._old.get(stream_id)
            if state is None:
                if stream_id not in self._absent:
                    raise LookupError(f"stream {stream_id} was not loaded")
                return None
            self._young[stream_id] = state
        return state

    def knows(self, stream_id: UUID) -> bool:
        """Tell whether `get` can answer without loading."""
        return stream_id in self._young or stream_id in self._old or stream_id in self._absent

    @property
    def position(self) -> int:
        """Position that the last event so far will have in the log."""
        return self.base + len(self.rows)

    # ---- the batch being decided

    def record(self, stream_id: UUID, event: Event) -> State:
        """Take an event into the batch and give its stream's new state."""
        before = self.get(stream_id)
        after = evolve(before, stream_id, event)
        self._undo.append((stream_id, before))
        self._young[stream_id] = after
        self.rows.append((stream_id, after.version, event))
        return after

    def record_first(self, stream_id: UUID, event: Event) -> None:
        """Take the first event of a new stream whose state nobody will ask for soon."""
        self.started.add(stream_id)
        self.rows.append((stream_id, 1, event))

    def is_taken(self, stream_id: UUID) -> bool:
        """Tell whether a stream of this id exists, as far as is known without loading."""
        return stream_id in self.started or stream_id in self._young or stream_id in self._old

    def mark(self) -> tuple[int, int]:
        """Remember this point of the batch for `rewind`."""
        return len(self.rows), len(self._undo)

    def rewind(self, mark: tuple[int, int] = (0, 0)) -> None:
        """Drop what was recorded since `mark`, by default the whole batch."""
        rows, undo = mark
        self.started.difference_update([stream_id for stream_id, _, _ in self.rows[rows:]])
        del self.rows[rows:]
        while len(self._undo) > undo:
            stream_id, before = self._undo.pop()
            if before is None:
                self._young.pop(stream_id, None)
                self._old.pop(stream_id, None)
                self._absent.add(stream_id)
            else:
                self._young[stream_id] = before

    def accept(self, head: int) -> None:
        """The batch is durable: its states hold, and the log ends at `head`."""
        self.rows = []
        self.started.clear()
        self._undo.clear()
        self._absent.clear()
        self.base = head
        if len(self._young) > self._half:
            self._old, self._young = self._young, {}

    # ---- what comes from the log

    def put_loaded(self, asked: Collection[UUID], states: Mapping[UUID, State]) -> None:
        """Take states that were loaded from the log; what was asked for and not found has no events."""
        self._young.update(states)
        self._absent.update(asked - states.keys() if isinstance(asked, set) else set(asked) - states.keys())

    def follow(self, stream_id: UUID, version: int, event: Event) -> None:
        """Take an event that another process appended, if its stream is in memory and has not got it yet."""
        self._absent.discard(stream_id)
        state = self._young.get(stream_id) or self._old.get(stream_id)
        if state is not None and state.version < version:
            self._young[stream_id] = evolve(state, stream_id, event)

    def forget(self, head: int) -> None:
        """Drop everything; the log ends at `head`."""
        self._young, self._old = {}, {}
        self._absent.clear()
        self.started.clear()
        self._undo.clear()
        self.rows = []
        self.base = head

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
