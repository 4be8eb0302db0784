"""Fixtures as a feed's event is compared with them: by their sides, sorted by start and by the beginnings of words."""

import re
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aliases import COMMON
from domain.events.market import Fixture
from domain.names import (
    canonical,
    markers,
    markers_of_competition,
    normalise,
    sport_of,
    words,
)
from domain.quotes import FeedEvent
from domain.times import YEARS

SERIES: Final = frozenset(
    {
        *("baseball", "basketball", "cricket", "darts", "esports", "handball", "ice hockey"),
        *("snooker", "table tennis", "tennis", "volleyball"),
    }
)
"""Sports in which the same sides may meet again on the next day, or on the same one."""
RACES: Final = frozenset({"racing", "greyhound racing", "harness racing"})
_BETWEEN_SIDES: Final = re.compile(r"\s+(v|vs|versus|at|@|-|–)\.?\s+", re.IGNORECASE)


@lru_cache(1 << 16)
def sides_of(name: str, home: str | None, away: str | None) -> tuple[str, str] | None:
    """Give the two sides, from their own fields or a name such as "A v B" or "B @ A"; None when there are no two."""
    if home and away:
        return home, away
    parts = _BETWEEN_SIDES.split(name)
    if len(parts) != len(("home", "v", "away")):
        return None
    first, between, second = parts
    return (second, first) if between.lower() in {"@", "at"} else (first, second)


def name_key(
    sport: str,
    competition: str,
    name: str,
    starts_at: datetime,
    home: str | None = None,
    away: str | None = None,
) -> str:
    """Give what stays the same when a feed names an event again: its sides and day, or its name and minute.

    Sides that may meet twice a day, and races, are told apart by the minute.
    """
    sides = sides_of(name, home, away)
    called = " v ".join(map(normalise, sides)) if sides else normalise(name)
    # Times at the ends of the calendar have no equivalent in UTC; nothing is kept of them.
    start = starts_at.astimezone(UTC) if starts_at.year in YEARS else starts_at
    by_day = sides and sport_of(sport) not in SERIES | RACES
    marked = " ".join(sorted(markers_of_competition(competition)))
    course = normalise(competition) if not sides else ""
    return "/".join(
        (
            sport_of(sport),
            called,
            start.strftime("%Y-%m-%d" if by_day else "%Y-%m-%dT%H:%M"),
            marked,
            course,
        )
    )


def key_of(event: FeedEvent) -> str:
    """Give the `name_key` of a feed's event."""
    return name_key(
        event.sport, event.competition, event.name, event.starts_at, event.home, event.away
    )


# ---- what there is to match with


class Entry(Struct, frozen=True):
    """A fixture as it is compared: its sides, each with the markers that its competition adds."""

    fixture: Fixture
    sides: tuple[str, str] | None
    order: tuple[datetime, str]


class Fixtures:
    """Fixtures, sorted so that an event looks only at those that start near it and share a beginning of a word.

    `runners` names the runners of races by fixture, where they are known.
    """

    def __init__(
        self,
        fixtures: Iterable[Fixture],
        runners: Mapping[UUID, Collection[str]] | None = None,
    ) -> None:
        self.by_id: dict[UUID, Fixture] = {}
        self.runners: dict[UUID, Collection[str]] = {}
        self._in_order: dict[str, list[Entry]] = defaultdict(list)
        # By sport, in the order in which they came; blocks hold places in these.
        self._entries: dict[str, list[Entry]] = defaultdict(list)
        self._blocks: dict[tuple[str, int], dict[str, set[int]]] = defaultdict(
            lambda: defaultdict(set)
        )
        names = runners or {}
        for fixture in fixtures:
            if fixture.fixture_id is not None:
                self.add(fixture, names.get(fixture.fixture_id, ()))

    def add(self, fixture: Fixture, runners: Collection[str] = ()) -> None:
        """Take one more fixture, which has an id; one that has changed needs an index made anew."""
        assert fixture.fixture_id is not None
        sport = sport_of(fixture.sport)
        sides = marked_sides(fixture)
        entry = Entry(fixture, sides, (fixture.starts_at, str(fixture.fixture_id)))
        at = len(self._entries[sport])
        self._entries[sport].append(entry)
        insort(self._in_order[sport], entry, key=lambda each: each.order)
        for which, side in enumerate(sides or ()):
            for block in _blocks_of(side):
                self._blocks[sport, which][block].add(at)
        self.by_id[fixture.fixture_id] = fixture
        if runners:
            self.runners[fixture.fixture_id] = runners

    def near(self, sport: str, start: datetime, within: timedelta) -> list[Entry]:
        """Give the fixtures of a sport that start at most this far away."""
        entries = self._in_order.get(sport, [])
        first = bisect_left(entries, start - within, key=_start)
        return entries[first : bisect_right(entries, start + within, key=_start)]

    def like(
        self, sport: str, start: datetime, within: timedelta, sides: tuple[str, str]
    ) -> list[Entry]:
        """Give those of `near` whose home and away share a beginning with these sides, in this order."""
        beginnings = [self._beginning(sport, which, side) for which, side in enumerate(sides)]
        entries = self._entries.get(sport, [])
        both = [entries[at] for at in beginnings[0] & beginnings[1]]
        return sorted(
            (each for each in both if abs(_start(each) - start) <= within),
            key=lambda each: each.order,
        )

    def _beginning(self, sport: str, which: int, side: str) -> set[int]:
        blocks = self._blocks.get((sport, which), {})
        return set[int]().union(*(blocks[each] for each in _blocks_of(side) if each in blocks))


def _start(entry: Entry) -> datetime:
    return entry.fixture.starts_at


def marked_sides(event: Fixture | FeedEvent) -> tuple[str, str] | None:
    """Give the sides with their competition's markers: a women's league seldom repeats them in every name."""
    sides = sides_of(event.name, event.home, event.away)
    added = markers_of_competition(event.competition)
    if sides is None or not added:
        return sides
    both = tuple(" ".join((side, *sorted(added - markers(side)))) for side in sides)
    return both[0], both[1]


@lru_cache(1 << 16)
def _blocks_of(side: str) -> frozenset[str]:
    """Give the beginnings of a side's words, as written and by its aliases; common words only where there are no others."""
    every = {*words(side), *canonical(side).split()}
    return frozenset(word[:2] for word in every - COMMON or every)
