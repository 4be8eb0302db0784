"""The log as the ledger needs it: what an adapter of a store has to offer."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from domain.events.event import Recorded
from domain.streams import State


class CommandRecord(Struct, frozen=True, gc=False):
    """An answered command: the same `key` in the same `scope` gets the same answer for ever.

    `scope` is `@` and the user for an Idempotency-Key, or `#bet`, `#account` … for an id that the client chose. `digest` tells
    one request from another. `answer` is JSON; of a refusal, its record.
    """

    scope: str
    key: str
    digest: bytes
    refused: bool
    answer: bytes


class Batch(Struct):
    """What one transaction appends, column by column: events in order, and the records of their commands.

    `unknown` are (scope, key) that the batch records nothing under but takes to be unanswered, as much as its records.
    """

    expected: int
    stream_ids: list[UUID]
    versions: list[int]
    topics: list[str]
    states: list[bytes]
    records: list[CommandRecord]
    unknown: list[tuple[str, str]] = []


class Behind(Exception):  # noqa: N818  an answer of the log, not a fault
    """Somebody else appended since `expected`; nothing was written."""


class KeyTaken(Exception):  # noqa: N818  (the same)
    """A command of the batch has been answered before; nothing was written."""


class StreamConflict(Exception):  # noqa: N818  (the same)
    """A (stream, version) of the batch exists already; nothing was written."""


class LogUnavailable(Exception):  # noqa: N818  (the same)
    """The log cannot be reached, or the connection was lost; whether a batch landed is not known."""


class LogSession(Protocol):
    """Reads and one append, at one moment of the log."""

    async def append(self, batch: Batch) -> int:
        """Append the batch durably and give the new head; raises the exceptions above."""

    async def load(self, stream_ids: Collection[UUID]) -> Mapping[UUID, State]:
        """Give the states of those streams that exist, from snapshots and the events after them."""

    async def tail(self, after: int, limit: int) -> Sequence[Recorded]:
        """Give the events after a position, in order."""

    async def head(self) -> int:
        """Give the position of the last event, 0 when there is none."""

    async def records(
        self, keys: Collection[tuple[str, str]]
    ) -> Mapping[tuple[str, str], CommandRecord]:
        """Give the records of those (scope, key) that have been answered."""


class Log(LogSession, Protocol):
    """The log outside a lock, where each call stands for itself."""

    def locked(self) -> AbstractAsyncContextManager[LogSession]:
        """Hold the writers' lock: nobody else appends until the block ends, which commits what it appended."""

    async def look(self, stream_ids: Collection[UUID]) -> Mapping[UUID, State]:
        """Give states as `load` does, without waiting for an append that is under way."""

    async def connect(self) -> None:
        """Connect, or connect again after a loss; raises LogUnavailable."""

    async def disconnect(self) -> None:
        """Close the writer's connection."""


class EventFeed(Protocol):
    """The log as auditors read it."""

    def events(self, after: int, stream_id: UUID | None, limit: int) -> AsyncIterator[Recorded]:
        """Stream the events after a position, in order, without holding them all."""
