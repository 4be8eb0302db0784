"""Which fixture a feed's event is: by when it starts and what its sides are called, and never by a guess.

The sides, the start and the sport have their say; a competition's name differs too much between feeds. A match is
sure, or it is none: what stays unsure goes to an operator, with the fixtures that it may be.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events.feed_name import FixtureCandidate, MatchedBy
from domain.events.market import Fixture
from domain.fixtures import RACES, SERIES, Entry, Fixtures, key_of, marked_sides
from domain.names import WHOLE, canonical, likeness_of_words, normalise, sport_of, thousandths
from domain.quotes import FeedEvent, QuoteBatch
from domain.races import likeness_of_courses, runners_in_common

TOLERANCE: Final = timedelta(hours=36)
"""How far two feeds' starts of one match may lie apart, where the same sides cannot meet again so soon."""
TOLERANCE_OF_SERIES: Final = timedelta(hours=6)
TOLERANCE_OF_RACES: Final = timedelta(minutes=10)
TOLERANCE_SWAPPED: Final = timedelta(hours=3)
"""Sides in reverse later than this are the return leg."""
MOVED: Final = timedelta(days=10)
"""A fixture of the same sides that starts this near may be this one, moved: an operator says."""

SURE: Final = 750
"""Least likeness (in thousandths) of each side, and of the whole, that makes a match."""
MARGIN: Final = 50
"""By how much the best fixture must beat the next."""
SOME: Final = 550
"""Least likeness that makes a candidate."""
CANDIDATES_MAX: Final = 10

_AT_ONCE: Final = timedelta(minutes=15)
_FALL: Final = 200  # what the whole tolerance costs
_SWAPPED_COST: Final = 900
_MOVED_COST: Final = 700
_RUNNERS_IN_COMMON: Final = 0.5
_REVERSED: Final = {
    "home": "away",
    "away": "home",
    "home_draw": "draw_away",
    "draw_away": "home_draw",
}
_HANDICAPS: Final = frozenset({"AH", "SPREAD"})


class Match(Struct, frozen=True):
    """The fixture that an event is beyond doubt, why, and whether the feed names its sides in reverse."""

    fixture: Fixture
    likeness: Decimal
    swapped: bool
    by: MatchedBy


class Unmatched(Struct, frozen=True):
    """No fixture is certain; those that it may be come best first. Without any, the event is new to the ledger."""

    candidates: tuple[FixtureCandidate, ...] = ()


class Confirmed(Struct, frozen=True):
    """What was said of a feed's event before; `by` tells who said it."""

    event: FeedEvent
    fixture_id: UUID
    swapped: bool
    by: MatchedBy


# ---- what was said before


class Confirmations:
    """What was matched before: it holds for the same event again, and teaches what a feed calls a side.

    Only what an operator said teaches. Two that contradict each other teach nothing.
    """

    def __init__(self, said: Iterable[Confirmed], fixtures: Fixtures) -> None:
        self._of_event: dict[tuple[str, str], Confirmed] = {}
        self._sides: dict[tuple[str, str, str], str] = {}
        unclear: set[tuple[str, str, str]] = set()
        for each in said:
            event = each.event
            self._of_event[event.feed, key_of(event)] = each
            fixture = fixtures.by_id.get(each.fixture_id)
            if each.by != "operator" or fixture is None:
                continue
            theirs, ours = marked_sides(event), marked_sides(fixture)
            if theirs is None or ours is None:
                continue
            for their, our in zip(theirs, ours[::-1] if each.swapped else ours, strict=True):
                name = (event.feed, sport_of(event.sport), normalise(their))
                if canonical(self._sides.setdefault(name, our)) != canonical(our):
                    unclear.add(name)
        for name in unclear:
            del self._sides[name]

    def of(self, event: FeedEvent) -> Confirmed | None:
        """Give what was said of this event."""
        return self._of_event.get((event.feed, key_of(event)))

    def side(self, event: FeedEvent, side: str) -> str:
        """Give the ledger's name of what this feed calls a side, else the feed's."""
        return self._sides.get((event.feed, sport_of(event.sport), normalise(side)), side)


NOTHING_SAID: Final = Confirmations((), Fixtures(()))


# ---- the decision


def resolve(
    event: FeedEvent,
    fixtures: Fixtures,
    confirmed: Confirmations = NOTHING_SAID,
    runners: Collection[str] = (),
    tolerance: timedelta = TOLERANCE,
) -> Match | Unmatched:
    """Find the fixture that an event is, or those that it may be.

    What was said of the event before wins. Otherwise both sides must be alike (`SURE`), the start within `tolerance`
    (shorter for sports whose sides meet again at once), and the best fixture ahead of the next by `MARGIN`.
    """
    said = confirmed.of(event)
    if said is not None and (known := fixtures.by_id.get(said.fixture_id)):
        return Match(known, Decimal(1), said.swapped, said.by)
    sport = sport_of(event.sport)
    sides = marked_sides(event)
    if sport in RACES:
        compared = _races(event, fixtures, runners, min(tolerance, TOLERANCE_OF_RACES))
    elif sides is None:
        compared = _named(event, fixtures, min(tolerance, TOLERANCE_OF_SERIES))
    else:
        called = (confirmed.side(event, sides[0]), confirmed.side(event, sides[1]))
        learned = called != sides
        compared = _sided(event.starts_at, sport, called, fixtures, tolerance, learned=learned)
    ranked = sorted(compared, key=_rank)
    best = ranked[0] if ranked else None
    if best and best.sure and (len(ranked) == 1 or best.score - ranked[1].score >= MARGIN):
        return Match(best.entry.fixture, thousandths(best.score), best.swapped, best.by)
    return Unmatched(tuple(_candidate(each) for each in ranked[:CANDIDATES_MAX]))


class _Compared(Struct, frozen=True):
    """How an event and a fixture compare."""

    entry: Entry
    score: int
    sure: bool
    swapped: bool = False
    by: MatchedBy = "likeness"


def _rank(compared: _Compared) -> tuple[int, str]:
    return -compared.score, str(compared.entry.fixture.fixture_id)


def _candidate(compared: _Compared) -> FixtureCandidate:
    fixture_id = compared.entry.fixture.fixture_id
    assert fixture_id is not None
    return FixtureCandidate(fixture_id, thousandths(compared.score), compared.swapped)


def _sided(
    start: datetime,
    sport: str,
    sides: tuple[str, str],
    fixtures: Fixtures,
    tolerance: timedelta,
    *,
    learned: bool,
) -> list[_Compared]:
    """Compare with fixtures of two sides; a fixture that may have been moved is a candidate and never a match."""
    is_series = sport in SERIES
    within = min(tolerance, TOLERANCE_OF_SERIES) if is_series else tolerance
    best: dict[UUID, _Compared] = {}
    for swapped, asked in ((False, sides), (True, sides[::-1])):
        # The return leg has its sides in reverse, so that only the same order can have been moved.
        furthest = within if is_series or swapped else max(within, MOVED)
        for entry in fixtures.like(sport, start, furthest, asked):
            compared = _compare(entry, start, asked, within, swapped=swapped, learned=learned)
            fixture_id = entry.fixture.fixture_id
            assert fixture_id is not None
            if compared and (fixture_id not in best or compared.score > best[fixture_id].score):
                best[fixture_id] = compared
    return list(best.values())


def _compare(
    entry: Entry,
    start: datetime,
    sides: tuple[str, str],
    within: timedelta,
    *,
    swapped: bool,
    learned: bool,
) -> _Compared | None:
    assert entry.sides is not None
    both = [likeness_of_words(one, other) for one, other in zip(sides, entry.sides, strict=True)]
    apart = abs(entry.fixture.starts_at - start)
    if apart > within:
        moved = sum(both) // 2 * _MOVED_COST // WHOLE
        return _Compared(entry, moved, sure=False) if min(both) >= SURE else None
    score = sum(both) // 2 * _nearness(apart, within) // WHOLE
    if swapped:
        score = score * _SWAPPED_COST // WHOLE
    if score < SOME:
        return None
    sure = min(both) >= SURE and score >= SURE and not (swapped and apart > TOLERANCE_SWAPPED)
    return _Compared(entry, score, sure, swapped, _reason(sides, entry.sides, learned=learned))


def _nearness(apart: timedelta, within: timedelta) -> int:
    """Give what the distance of two starts leaves of a likeness, in thousandths."""
    if apart <= _AT_ONCE or within <= _AT_ONCE:
        return WHOLE
    return WHOLE - _FALL * int(apart.total_seconds()) // int(within.total_seconds())


def _reason(sides: tuple[str, str], others: tuple[str, str], *, learned: bool) -> MatchedBy:
    both = list(zip(sides, others, strict=True))
    if not learned and all(normalise(one) == normalise(other) for one, other in both):
        return "same_name"
    if all(canonical(one) == canonical(other) for one, other in both):
        return "alias"
    return "likeness"


def _named(event: FeedEvent, fixtures: Fixtures, within: timedelta) -> list[_Compared]:
    """Compare whole names: tournaments, and whatever else has no two sides."""
    compared = []
    for entry in fixtures.near(sport_of(event.sport), event.starts_at, within):
        if entry.sides is not None:
            continue
        alike = likeness_of_words(event.name, entry.fixture.name)
        score = alike * _nearness(abs(entry.fixture.starts_at - event.starts_at), within) // WHOLE
        if score >= SOME:
            by: MatchedBy = "same_name" if alike == WHOLE else "likeness"
            compared.append(_Compared(entry, score, score >= SURE, by=by))
    return compared


# ---- races


def _races(
    event: FeedEvent, fixtures: Fixtures, runners: Collection[str], within: timedelta
) -> list[_Compared]:
    """Compare races: the course, the time, and the runners where both know them."""
    compared = []
    for entry in fixtures.near(sport_of(event.sport), event.starts_at, within):
        fixture = entry.fixture
        course = likeness_of_courses(event, fixture)
        assert fixture.fixture_id is not None
        common = runners_in_common(runners, fixtures.runners.get(fixture.fixture_id, ()))
        if common is not None and common < _RUNNERS_IN_COMMON:
            course = min(course, SOME)
        score = course * _nearness(abs(fixture.starts_at - event.starts_at), within) // WHOLE
        if score >= SOME:
            by: MatchedBy = "same_name" if course == WHOLE else "likeness"
            compared.append(_Compared(entry, score, score >= SURE, by=by))
    return compared


# ---- sides in reverse


def swap_sides(batch: QuoteBatch) -> QuoteBatch:
    """Give a batch with home and away exchanged: selections, scores, and the sign of a handicap; twice is none.

    The line of AH and SPREAD is the home side's handicap, so the other side's is its negative.
    """
    line = batch.line
    if line is not None and batch.type in _HANDICAPS:
        line = -line if line else Decimal(0)  # a zero has no sign
    event = batch.event
    return replace(
        batch,
        event=replace(event, home=event.away, away=event.home),
        line=line,
        selections=_in_order(batch.selections, is_score=batch.type == "CS"),
        quotes=tuple(
            replace(quote, selection_id=_swapped(quote.selection_id, is_score=batch.type == "CS"))
            for quote in batch.quotes
        ),
    )


def _swapped(selection_id: str, *, is_score: bool) -> str:
    if is_score:
        home, dash, away = selection_id.partition("-")
        if dash and home.isdigit() and away.isdigit():
            return f"{away}-{home}"
    return _REVERSED.get(selection_id, selection_id)


def _in_order(
    selections: tuple[tuple[str, str], ...], *, is_score: bool
) -> tuple[tuple[str, str], ...]:
    """Exchange the selections' ids and keep the ids' order: home comes first."""
    named = {_swapped(id_, is_score=is_score): name for id_, name in selections}
    ids = [id_ for id_, _ in selections]
    if set(named) != set(ids):
        return tuple(named.items())
    return tuple((id_, named[id_]) for id_ in ids)
