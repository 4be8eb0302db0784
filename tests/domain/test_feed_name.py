"""A feed's name through its life: seen, matched, corrected."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from msgspec.structs import replace

from domain.events.feed_name import FeedNameMatched, FeedNameSeen, FixtureCandidate
from domain.feed_name import FeedName, FeedNameEvent, check_seen, name_id_of
from domain.refusals import InvalidInput
from tests.builders import an_id

START = datetime(2026, 3, 7, 15, tzinfo=UTC)
SEEN = FeedNameSeen(
    feed="betfair",
    sport="Soccer",
    competition="English Premier League",
    name="Nott'm Forest v Man Utd",
    starts_at=START,
    home="Nott'm Forest",
    away="Man Utd",
)
ONE, OTHER = an_id("one"), an_id("other")


def candidate(fixture_id: UUID, likeness: str = "0.7") -> FixtureCandidate:
    return FixtureCandidate(fixture_id, Decimal(likeness))


def after(*events: FeedNameEvent) -> FeedName:
    state = FeedName.start(an_id("name"), SEEN)
    for event in events:
        state = state.evolve(event)
    return state


def by_rule(fixture_id: UUID) -> FeedNameMatched:
    return FeedNameMatched(fixture_id=fixture_id, by="alias")


def test_the_same_sight_again_says_nothing_new() -> None:
    assert after().see(SEEN, None) is None
    again = replace(SEEN, candidates=(candidate(ONE, "0.6"), candidate(OTHER)))
    more = replace(SEEN, candidates=(candidate(OTHER, "0.71"), candidate(ONE, "0.65")))
    assert after(again).see(more, None) is None


def test_other_candidates_are_news() -> None:
    more = replace(SEEN, candidates=(candidate(ONE),))
    assert after().see(more, None) == more
    state = after().evolve(more)
    assert (state.version, state.seen, state.status) == (2, more, "unmatched")


def test_a_rule_matches_a_name_once() -> None:
    matched = after().see(SEEN, by_rule(ONE))
    assert matched == by_rule(ONE)
    state = after(by_rule(ONE))
    assert (state.status, state.fixture_id, state.by) == ("matched", ONE, "alias")
    assert state.see(SEEN, by_rule(OTHER)) is None
    assert state.see(replace(SEEN, candidates=(candidate(OTHER),)), None) is None


def test_an_operator_has_the_last_word() -> None:
    state = after(by_rule(ONE))
    confirmed = state.match(ONE, swapped=False)
    assert confirmed == FeedNameMatched(fixture_id=ONE, by="operator")
    corrected = state.match(OTHER, swapped=True)
    assert corrected == FeedNameMatched(fixture_id=OTHER, by="operator", swapped=True)
    said = state.evolve(corrected)
    assert said.match(OTHER, swapped=True) is None
    assert said.match(OTHER, swapped=False) is not None


@pytest.mark.parametrize(
    "other",
    [
        replace(SEEN, home="Nottm Forest FC", away="MAN UNITED"),
        replace(SEEN, starts_at=START + timedelta(hours=4)),
        replace(SEEN, starts_at=START.astimezone(timezone(timedelta(hours=13)))),
        replace(SEEN, sport="football"),
        replace(SEEN, competition="EPL"),
        replace(SEEN, name="Forest - United"),
        replace(SEEN, name="Nott'm Forest v Man Utd", home=None, away=None),
    ],
)
def test_the_same_event_has_the_same_stream_however_it_is_written(other: FeedNameSeen) -> None:
    assert name_id_of(other) == name_id_of(SEEN)


@pytest.mark.parametrize(
    "other",
    [
        replace(SEEN, feed="pinnacle"),
        replace(SEEN, home=SEEN.away, away=SEEN.home),
        replace(SEEN, starts_at=START + timedelta(days=1)),
        replace(SEEN, sport="rugby"),
        replace(SEEN, competition="Women's Super League"),
        replace(SEEN, away="Man Utd U21"),
    ],
)
def test_another_event_has_another_stream(other: FeedNameSeen) -> None:
    assert name_id_of(other) != name_id_of(SEEN)


def test_sides_that_meet_twice_a_day_are_told_apart_by_the_minute() -> None:
    first = replace(SEEN, sport="baseball", home="Cubs", away="Mets")
    second = replace(first, starts_at=START + timedelta(hours=4))
    assert name_id_of(first) != name_id_of(second)


def test_races_are_told_apart_by_course_and_minute() -> None:
    race = replace(SEEN, sport="racing", competition="Ascot", name="WIN", home=None, away=None)
    others = (
        replace(race, competition="York"),
        replace(race, starts_at=START + timedelta(minutes=35)),
    )
    assert len({name_id_of(each) for each in (race, *others)}) == 3


@pytest.mark.parametrize("likeness", ["-0.001", "1.001", "NaN", "sNaN", "Infinity", "0.1234"])
def test_a_likeness_that_is_none_is_refused(likeness: str) -> None:
    with pytest.raises(InvalidInput):
        check_seen(replace(SEEN, candidates=(candidate(ONE, likeness),)))


def test_a_candidate_is_named_once() -> None:
    with pytest.raises(InvalidInput):
        check_seen(replace(SEEN, candidates=(candidate(ONE), candidate(ONE, "0.6"))))


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_at_the_end_of_the_calendar_is_refused(year: int) -> None:
    hours = 23 if year == 1 else -23
    edge = SEEN.starts_at.replace(
        year=year, month=1 if year == 1 else 12, day=1 if year == 1 else 31
    )
    seen = replace(SEEN, starts_at=edge.replace(tzinfo=timezone(timedelta(hours=hours))))
    name_id_of(seen)
    with pytest.raises(InvalidInput):
        check_seen(seen)
