"""A clock that a test turns by hand: whoever sleeps on it turns it on, and waits for nobody."""

import asyncio
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 6, 12, 12, 0, tzinfo=UTC)


class HandClock:
    def __init__(self, now: datetime = BEGINNING) -> None:
        self._now = now
        self._passed = 0.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self._now + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._passed += seconds
        await asyncio.sleep(0)

    def turn(self, seconds: float) -> None:
        self._passed += seconds
