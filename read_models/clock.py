"""A sparse clock beside a long table: which stretch of positions holds which times.

Positions are in commit order; the times of events are nearly so (several API processes have several clocks). A row for
each stretch of STRETCH positions with its earliest and latest time turns a question about a time into one about
positions, exactly, for a few bytes in thousands of events.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

from domain.events.event import Recorded
from read_models.projection import Change, columns, over

STRETCH: Final = 4096  # as in _BEFORE and _SINCE
_position = attrgetter("position")


class Clock:
    """One clock table."""

    def __init__(self, table: str) -> None:
        self.create = _CREATE.replace("CLOCK", table)
        self._tick = over(_TICK.replace("CLOCK", table), "bigint", "timestamptz", "timestamptz")
        self._before = _BEFORE.replace("CLOCK", table)
        self._since = _SINCE.replace("CLOCK", table)

    def changes(self, events: Sequence[Recorded]) -> Iterable[Change]:
        """Note the times of some events, which come in the order of the log."""
        rows: list[tuple[int, datetime, datetime]] = []
        begin = 0
        while begin < len(events):
            stretch = events[begin].position // STRETCH
            end = bisect_left(events, (stretch + 1) * STRETCH, lo=begin, key=_position)
            times = [recorded.at for recorded in events[begin:end]]
            rows.append((stretch, min(times), max(times)))
            begin = end
        if rows:
            yield self._tick, columns(rows)

    def before(self, name: str) -> str:
        """Give SQL for a position that is above all events at or before the time `%(name)s`."""
        return self._before.replace("TIME", f"%({name})s")

    def since(self, name: str) -> str:
        """Give SQL for a position that is not above any event at or after the time `%(name)s`."""
        return self._since.replace("TIME", f"%({name})s")


_CREATE = """
CREATE TABLE CLOCK (
    stretch bigint PRIMARY KEY, earliest timestamptz NOT NULL, latest timestamptz NOT NULL
) WITH (fillfactor = 50);"""

_TICK = """
INSERT INTO CLOCK AS c SELECT * FROM {}
ON CONFLICT (stretch) DO UPDATE SET
    earliest = least(c.earliest, excluded.earliest), latest = greatest(c.latest, excluded.latest)"""

_BEFORE = "coalesce((SELECT max(stretch) + 1 FROM CLOCK WHERE earliest <= TIME), 0) * 4096"
_SINCE = (
    "coalesce((SELECT min(stretch) FROM CLOCK WHERE latest >= TIME) * 4096, 9223372036854775807)"
)
