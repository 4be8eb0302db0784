"""Who came up into a league."""

from datetime import datetime, timedelta

from domain.prediction.goals_table import PlayedMatch, newcomers_of
from tests.builders import NOW


def weekly(home: str, away: str, first: datetime, weeks: int) -> list[PlayedMatch]:
    return [PlayedMatch(home, away, 1, 0, first + timedelta(weeks=week)) for week in range(weeks)]


FIRST = NOW - timedelta(days=700)
SECOND = NOW - timedelta(days=330)
OLD = weekly("Old", "Older", FIRST, 40) + weekly("Old", "Older", SECOND, 40)


def test_who_was_there_from_the_beginning_is_no_newcomer() -> None:
    assert newcomers_of(OLD, NOW) == frozenset()


def test_a_side_of_the_second_season_is_one_for_a_year() -> None:
    matches = OLD + weekly("Up", "Old", SECOND, 40)
    assert newcomers_of(matches, NOW) == {"Up"}
    assert newcomers_of(matches, SECOND + timedelta(days=366)) == frozenset()


def test_a_side_that_comes_back_is_one_again() -> None:
    matches = weekly("Back", "Old", FIRST, 10) + OLD + weekly("Back", "Old", SECOND, 40)
    assert newcomers_of(matches, NOW) == {"Back"}


def test_a_summer_is_no_absence() -> None:
    matches = weekly("Old", "Older", FIRST, 38) + weekly("Old", "Older", FIRST + timedelta(365), 38)
    assert newcomers_of(matches, NOW) == frozenset()


def test_who_is_coming_and_has_never_played_or_was_long_away_is_one() -> None:
    matches = OLD + weekly("Away", "Old", FIRST, 10)
    assert newcomers_of(matches, NOW, {"Next", "Old", "Away"}) == {"Next", "Away"}
    assert newcomers_of([], NOW, {"Next"}) == {"Next"}
