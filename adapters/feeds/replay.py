"""A recording played as if it happened now, at any speed."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from application.feeds import Clock, Feed, FeedHealth
from domain.quotes import FeedEvent, QuoteBatch

KICK_OFF_STEP: Final = timedelta(days=14)
"""Kick-offs move by whole fortnights: a second replay within days meets the same fixtures, one after weeks new ones.

By less, and two replays of one recording would name the same sides a few days apart, which nobody can tell from a match
that was postponed (`domain.matching.MOVED`).
"""


class ReplayedFeed:
    """Plays another feed `speed` times as fast as it was recorded; a speed of 0 is as fast as it can be read.

    Quotes get the time at which they are played, kick-offs move along; with `keep_times` both stay as recorded.
    """

    def __init__(self, feed: Feed, clock: Clock, speed: float, *, keep_times: bool = False) -> None:
        """Play once, from the start."""
        if speed < 0:
            raise ValueError("a speed is 0 or more")
        self._feed = feed
        self._clock = clock
        self._speed = speed
        self._keep_times = keep_times
        self._events: dict[FeedEvent, FeedEvent] = {}

    @property
    def name(self) -> str:
        """The recorded feed's."""
        return self._feed.name

    @property
    def health(self) -> FeedHealth:
        """The recorded feed's."""
        return self._feed.health

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """Give the batches when their time has come."""
        begun_at = self._clock.now()
        first_at: datetime | None = None
        moved = timedelta(0)
        async for batches in self._feed.batches():
            if not batches:
                continue
            if first_at is None:
                first_at = min(batch.at for batch in batches)
                moved = _kick_offs_move(begun_at - first_at)
            if self._speed:
                said_at = max(batch.at for batch in batches)
                due = begun_at + (said_at - first_at) / self._speed
                wait_seconds = (due - self._clock.now()).total_seconds()
                if wait_seconds > 0:
                    await self._clock.sleep(wait_seconds)
            if self._keep_times:
                yield batches
                continue
            now = self._clock.now()
            yield [
                replace(
                    batch,
                    at=self._played_at(batch, begun_at, first_at, now),
                    event=self._moved(batch.event, moved),
                )
                for batch in batches
            ]

    def _played_at(
        self, batch: QuoteBatch, begun_at: datetime, first_at: datetime, now: datetime
    ) -> datetime:
        if not self._speed:
            return now
        # Out of order by more than the recording had read, a time would lie ahead.
        return min(now, begun_at + (batch.at - first_at) / self._speed)

    def _moved(self, event: FeedEvent, by: timedelta) -> FeedEvent:
        moved = self._events.get(event)
        if moved is None:
            moved = self._events[event] = replace(event, starts_at=event.starts_at + by)
        return moved


def _kick_offs_move(behind: timedelta) -> timedelta:
    """Round up to whole steps: what lay ahead when it was recorded lies ahead when it is played."""
    return -(-behind // KICK_OFF_STEP) * KICK_OFF_STEP
