"""How far the read models are behind the log, watched while load runs."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from msgspec import Struct

from adapters.postgres.tracking import positions

_PERIOD_SECONDS: Final = 0.05
_CATCH_UP_SECONDS: Final = 120.0
_HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM ledger_events"


class Lag(Struct):
    """Lag when the load ended and the time until it was gone; `worst_seconds` is the most seen on the way."""

    events_at_end: int
    seconds_at_end: float
    back_to_zero_seconds: float
    worst_seconds: float


class LagWatch:
    """Notes the log's head and the slowest model now and then, on a connection of its own."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(database_url, autocommit=True)
        self._stop = threading.Event()
        self._heads: list[tuple[float, int]] = []
        self._worst = 0.0

    def head(self) -> int:
        """Give the position of the log's last event."""
        row = self._connection.execute(_HEAD, prepare=True).fetchone()
        assert row is not None
        return int(row[0])

    def slowest(self) -> int:
        """Give the position of the model that is furthest behind."""
        try:
            return min(positions(self._connection).values(), default=0)
        except psycopg.errors.UndefinedTable:
            return 0  # no worker has begun yet

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch until the block ends."""
        self._stop.clear()
        self._heads, self._worst = [], 0.0
        thread = threading.Thread(target=self._watch, name="lag")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_PERIOD_SECONDS):
            self._look()

    def _look(self) -> tuple[float, int]:
        """Give how old the oldest event is that some model does not show, in seconds, and the lag in events."""
        slowest = self.slowest()
        now, head = time.monotonic(), self.head()
        self._heads.append((now, head))
        # The oldest missing event came after the last look at which the head was not beyond the slowest model.
        since = next((at for at, seen in self._heads if seen > slowest), now)
        seconds = now - since if head > slowest else 0.0
        self._worst = max(self._worst, seconds)
        return seconds, max(0, head - slowest)

    def ended(self) -> Lag:
        """Measure the lag now, at the end of the load, then wait until there is none."""
        began = time.monotonic()
        seconds, events = self._look()
        head = self.head()
        self.wait_until(head)
        return Lag(events, seconds, time.monotonic() - began, self._worst)

    def wait_until(self, position: int, *, patience_seconds: float = _CATCH_UP_SECONDS) -> None:
        """Wait until every model shows a position."""
        give_up = time.monotonic() + patience_seconds
        while self.slowest() < position:
            if time.monotonic() > give_up:
                found: dict[str, Any] = dict(positions(self._connection))
                raise RuntimeError(f"read models do not reach {position}: {found}")
            time.sleep(0.01)
