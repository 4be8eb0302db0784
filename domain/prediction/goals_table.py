"""Results as the goals model reads them: sums over matches of the same two sides, older ones counting less."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats, check_number
from domain.refusals import InvalidInput, NoMatches
from domain.times import check_time

GOALS_MAX: Final = 99
LOW_SCORES: Final = ((0, 0), (0, 1), (1, 0), (1, 1))
"""The scores whose probability Dixon and Coles correct, in the order of `GoalsTable.low`."""

FINISHED_AFTER: Final = timedelta(hours=3)
"""A match that began this long ago has ended: its result may be known."""

ABSENCE: Final = timedelta(days=200)
"""Longer than any break between two seasons, shorter than a season in another league."""

_WEIGHT_MIN: Final = 1e-6
_DAY: Final = timedelta(days=1)
_YEAR: Final = timedelta(days=365)


class PlayedMatch(Struct, frozen=True, gc=False):
    """A match whose result is known: its sides, its goals, and when it was played."""

    home: str
    away: str
    home_goals: int
    away_goals: int
    played_at: datetime


class GoalsTable(Struct, frozen=True, eq=False):
    """Weighted sums by home side (row) and away side (column), arrays of the shape (teams, teams).

    They hold all that the likelihood needs, so its cost does not grow with the number of seasons. `weight` sums the
    matches' weights, `home_goals` and `away_goals` weight times goals; `low` (4, teams, teams) sums weights of
    `LOW_SCORES`. `newcomers` (teams,) is 1 for sides that came up into the league, else 0.
    """

    teams: tuple[str, ...]
    weight: Floats
    home_goals: Floats
    away_goals: Floats
    low: Floats
    newcomers: Floats
    matches: int
    as_of: datetime

    @classmethod
    def of(
        cls,
        matches: Iterable[PlayedMatch],
        as_of: datetime,
        *,
        half_life_days: float,
        newcomers: Collection[str] = (),
    ) -> "GoalsTable":
        """Sum matches; one played `half_life_days` before `as_of` counts half (infinity: all count 1).

        `newcomers` may name sides that have not played yet. Teams are in the order of their names. Weights as
        Dixon and Coles 1997, exp(−ξ·days) with ξ = log 2 / half-life. Raises NoMatches, InvalidInput; a match that
        cannot have ended before `as_of` is refused, for nothing may be learned from the future.
        """
        played = list(matches)
        if not played:
            raise NoMatches("there are no matches to learn from")
        _check_time(as_of, "as_of")
        check_number(half_life_days, "half_life_days", 1, np.inf)
        for match in played:
            _check(match, as_of)
        names = {match.home for match in played} | {match.away for match in played}
        teams = tuple(sorted(names | set(newcomers)))
        at = {team: index for index, team in enumerate(teams)}
        cells = (
            np.array([at[match.home] for match in played]),
            np.array([at[match.away] for match in played]),
        )
        home = np.array([match.home_goals for match in played])
        away = np.array([match.away_goals for match in played])
        ages = np.array([(as_of - match.played_at) / _DAY for match in played])
        weights = 0.5 ** (ages / half_life_days)
        if weights.max() < _WEIGHT_MIN:
            raise NoMatches("all matches are too old to say anything")

        def summed(values: Floats) -> Floats:
            sums = np.zeros((len(teams), len(teams)))
            np.add.at(sums, cells, values)
            return sums

        return cls(
            teams=teams,
            weight=summed(weights),
            home_goals=summed(weights * home),
            away_goals=summed(weights * away),
            low=np.stack([summed(weights * ((home == h) & (away == a))) for h, a in LOW_SCORES]),
            newcomers=np.array([float(team in newcomers) for team in teams]),
            matches=len(played),
            as_of=as_of,
        )


def newcomers_of(
    matches: Iterable[PlayedMatch], as_of: datetime, coming: Collection[str] = ()
) -> frozenset[str]:
    """Name the sides that came up into the league within a year before `as_of`, and those `coming` that never played.

    A side comes up when it plays again, or for the first time, after more than `ABSENCE` without a match, counted from
    the league's first match: who was there from the beginning is no newcomer.
    """
    began: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    first: datetime | None = None
    for match in sorted(matches, key=lambda match: match.played_at):
        at = match.played_at
        first = at if first is None else first
        for team in (match.home, match.away):
            if at - last.get(team, first) > ABSENCE:
                began[team] = at
            last[team] = at
    return frozenset(team for team, at in began.items() if as_of - at < _YEAR) | frozenset(
        team for team in coming if team not in last or as_of - last[team] > ABSENCE
    )


def _check(match: PlayedMatch, as_of: datetime) -> None:
    if not match.home or not match.away or match.home == match.away:
        raise InvalidInput("a match has two different sides", field="matches")
    for goals in (match.home_goals, match.away_goals):
        if goals not in range(GOALS_MAX + 1):
            raise InvalidInput(f"goals are whole numbers from 0 to {GOALS_MAX}", field="matches")
    _check_time(match.played_at, "matches")
    if match.played_at + FINISHED_AFTER > as_of:
        raise InvalidInput(
            f"{match.home} v {match.away} was not over before {as_of.isoformat()}",
            field="matches",
        )


def _check_time(at: datetime, field: str) -> None:
    check_time(at, field)
    if at.tzinfo is None:
        raise InvalidInput("a time needs its offset from UTC", field=field)
