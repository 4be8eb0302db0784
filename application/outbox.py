"""The outbox: every event of the ledger goes out once, in order, to a stream whose sequence is the ledger's position.

It keeps no state. Where to go on follows from the stream's own last sequence, and the stream takes an event only right after
the one before it: so the outbox may be killed anywhere, started anywhere, and even run twice.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from application import outbox_meters as meters
from domain.events.event import Recorded

BATCH_EVENTS: Final = 1_000
POLL_SECONDS: Final = 0.5  # in case a notification is lost
# After a batch that was not full: more events in the next one cost less each. The first event after a pause goes at once.
REST_SECONDS: Final = (0.01, 0.1)
REST_FACTOR: Final = 2.0
STANDBY_SECONDS: Final = 1.0  # how often to ask who leads, and whether it is still us


class StreamUnavailable(Exception):  # noqa: N818  an answer of the stream, not a fault
    """The stream cannot be reached or does not answer; whether the events landed is not known."""


class StreamMoved(Exception):  # noqa: N818  (the same)
    """The stream does not end where these events begin."""


class OtherLedger(Exception):  # noqa: N818  (the same)
    """The stream holds the events of another ledger, or more than this one has; the message says what to do."""


class LastFact(Struct, frozen=True):
    """Where the stream ends; `line` is its last event, None when it is not kept any more."""

    position: int
    line: bytes | None


class Facts(Protocol):
    """The ledger's log, as the outbox reads it."""

    def events(self, after: int, stream_id: UUID | None, limit: int) -> AsyncIterator[Recorded]:
        """Give the events after a position, in order."""

    async def head(self) -> int:
        """Give the position of the last event."""


class Bell(Protocol):
    """What wakes the outbox."""

    async def wait(self, seconds: float) -> object:
        """Wait until there may be new events, or for so long."""


class Lead(Protocol):
    """Who of several processes works."""

    async def held(self) -> bool:
        """Tell whether it is this one."""


class FactStream(Protocol):
    """The stream that the events go to."""

    def check(self) -> None:
        """Raise StreamUnavailable when it is known to be away: then it may have lost what was published."""

    async def last(self) -> LastFact:
        """Tell where it ends; raises StreamUnavailable."""

    async def append(self, events: Sequence[Recorded]) -> None:
        """Append consecutive events, all durable when it returns; raises StreamMoved, StreamUnavailable."""


class _Place(Struct, frozen=True):
    """What tells one ledger's event at a position from another's."""

    position: int
    stream: UUID
    version: int
    command: UUID


class Outbox:
    """Publishes while it leads; whatever goes wrong is raised, and a new one goes on."""

    def __init__(self, facts: Facts, bell: Bell, stream: FactStream, lead: Lead) -> None:
        self._facts = facts
        self._bell = bell
        self._stream = stream
        self._lead = lead

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            if await self._lead.held():
                await self._publish_while_leading()
            else:
                await asyncio.sleep(STANDBY_SECONDS)

    async def _publish_while_leading(self) -> None:
        position = await self._resume()
        at_once = BATCH_EVENTS
        asked_at = time.monotonic()
        while True:
            begun = time.monotonic()
            self._stream.check()
            if begun - asked_at > STANDBY_SECONDS:
                asked_at = begun
                if not await self._lead.held():
                    return
            events = [event async for event in self._facts.events(position, None, at_once)]
            if not events:
                meters.lagging(0)
                await self._bell.wait(POLL_SECONDS)
                continue
            _check_gapless(position, events)
            began_at = time.time_ns()
            try:
                await self._stream.append(events)
            except StreamMoved:
                if at_once == 1:
                    raise
                # Somebody else appended, or an event in the middle was refused: then, alone, it says why.
                position, at_once = await self._resume(), 1
                continue
            meters.published(events, began_at)
            position = events[-1].position
            meters.lagging(await self._facts.head() - position if len(events) == at_once else 0)
            if len(events) < at_once:
                rest = REST_FACTOR * (time.monotonic() - begun)
                await asyncio.sleep(min(max(rest, REST_SECONDS[0]), REST_SECONDS[1]))
            at_once = BATCH_EVENTS

    async def _resume(self) -> int:
        """Give the position that the stream ends at, once it is sure that it is this ledger's stream."""
        last = await self._stream.last()
        if last.position == 0:
            return 0
        ours = await anext(self._facts.events(last.position - 1, None, 1), None)
        if ours is None or ours.position != last.position:
            raise OtherLedger(
                f"the stream LEDGER goes on to position {last.position}, the ledger only to "
                f"{await self._facts.head()}: it is another ledger's, or this one was restored to an "
                "earlier moment. Delete the stream, and every event is published again."
            )
        if last.line is not None:
            theirs = msgspec.json.decode(last.line, type=_Place)
            if theirs != _Place(ours.position, ours.stream_id, ours.version, ours.command_id):
                raise OtherLedger(
                    f"the stream LEDGER holds another event at position {last.position} than the ledger: it is "
                    "another ledger's. Use another NATS account, or delete the stream, and every event "
                    "is published again."
                )
        return last.position


def _check_gapless(after: int, events: Sequence[Recorded]) -> None:
    if events[0].position != after + 1 or events[-1].position != after + len(events):
        raise LookupError(f"the log lacks an event after position {after}")
