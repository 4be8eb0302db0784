"""The goals model in use: what it says of matches between the sides it knows, each with its uncertainty."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Self

import numpy as np
from msgspec import Struct

from domain.events.market import Result
from domain.outcomes import Proposition, payoff_by_score
from domain.prediction.checks import Floats, Ints, check_number
from domain.prediction.goals_density import HOME, LEVEL, RHO, SHARED
from domain.prediction.goals_fit import GoalsFit
from domain.prediction.goals_table import GoalsTable
from domain.prediction.losses import Interval
from domain.prediction.score_chances import ScoreChances
from domain.refusals import InvalidInput, UnknownTeam

RESULT: Final = Proposition("1X2", None, ("home", "draw", "away"))
ENDINGS: Final[dict[Result, tuple[float, float]]] = {
    "won": (0, 1),
    "half_won": (0.5, 0.5),
    "push": (1, 0),
    "half_lost": (0.5, 0),
    "lost": (0, 0),
}
"""How a bet can end, with what a unit then returns: c0 + c1·odds."""

_RATE_LOGS: Final = (-10.0, 3.4)


class Worth(Struct, frozen=True, eq=False):
    """What a back of one selection is worth, by draw and match, arrays (draws, matches).

    A unit at odds o returns `refund` + `win`·o on average: a won bet adds to `win`, a push to `refund`, half results
    to both. Both are averages over the scores.
    """

    win: Floats
    refund: Floats

    def probability(self, level: float = 0.9) -> list[Interval]:
        """Give 1/(fair odds) of each match, win/(1 − refund), with the interval of its draws.

        Without pushes it is the probability of winning. The value is that of the averages over the draws.
        """
        check_number(level, "level", 0.5, 0.9999)
        values = self.win.mean(0) / (1 - self.refund.mean(0))
        bounds = np.quantile(
            self.win / (1 - self.refund), [(1 - level) / 2, (1 + level) / 2], axis=0
        )
        return [
            Interval(float(value), float(low), float(high), level)
            for value, low, high in zip(values, bounds[0], bounds[1], strict=True)
        ]

    def expected_profit(self, odds: Floats) -> Floats:
        """Give the expected profit (matches,) of a unit backed at `odds` (matches,), averaged over the draws."""
        found: Floats = self.refund.mean(0) + self.win.mean(0) * odds - 1
        return found


class GoalsModel(Struct, frozen=True, eq=False):
    """Draws of the parameters (draws, parameters) for the teams in their order; learned from matches before `as_of`."""

    teams: tuple[str, ...]
    draws: Floats
    as_of: datetime

    @classmethod
    def of(cls, table: GoalsTable, draws: Floats) -> Self:
        """Take draws of the posterior: rows of `GoalsFit.draw` or of `sample_goals` (more columns are left out)."""
        columns = SHARED + 2 * len(table.teams)
        if draws.ndim != 2 or draws.shape[1] < columns or not len(draws):  # noqa: PLR2004
            raise InvalidInput(f"draws have {columns} columns or more", field="draws")
        return cls(table.teams, draws[:, :columns], table.as_of)

    @classmethod
    def of_mean(cls, table: GoalsTable, fit: GoalsFit) -> Self:
        """Take the mean parameters alone, as if they were certain."""
        return cls.of(table, fit.mean[None])

    def chances(self, fixtures: Sequence[tuple[str, str]]) -> ScoreChances:
        """Give the chances of scores of fixtures, pairs of home and away side. Raises UnknownTeam, InvalidInput."""
        home, away = self._positions(fixtures)
        attack, defence = (
            self.draws[:, SHARED : SHARED + len(self.teams)],
            self.draws[:, SHARED + len(self.teams) :],
        )
        level, ahead, rho = (self.draws[:, at, None] for at in (LEVEL, HOME, RHO))
        home_logs = level + ahead + attack[:, home] - defence[:, away]
        away_logs = level + attack[:, away] - defence[:, home]
        # A draw of a side that hardly played may be wild: nobody scores 30 goals on average, nor never.
        return ScoreChances.of(
            np.exp(np.clip(home_logs, *_RATE_LOGS)),
            np.exp(np.clip(away_logs, *_RATE_LOGS)),
            rho,
        )

    def _positions(self, fixtures: Sequence[tuple[str, str]]) -> tuple[Ints, Ints]:
        at = {team: index for index, team in enumerate(self.teams)}
        for home, away in fixtures:
            if home == away:
                raise InvalidInput(f"{home} cannot play itself", field="fixtures")
            for team in (home, away):
                if team not in at:
                    raise UnknownTeam(f"the model does not know {team[:100]!r}", field="fixtures")
        return (
            np.array([at[home] for home, _ in fixtures], np.int64),
            np.array([at[away] for _, away in fixtures], np.int64),
        )


def worth(chances: ScoreChances, market: Proposition, selection_id: str) -> Worth:
    """Price a selection of any market that scores decide, on every match: 1X2, DC, DNB, OU, AH, BTTS, CS.

    Lines may be halves, wholes and quarters, by the rules that bets are settled by. Raises Refusal.
    """
    payoff = payoff_by_score(market, selection_id, chances.goals_max)
    return Worth(win=chances.expect(payoff.c1), refund=chances.expect(payoff.c0))


def ending_chances(chances: ScoreChances, market: Proposition, selection_id: str) -> Floats:
    """Give the chances that a back of a selection ends in each of `ENDINGS`, shape (matches, 5), averaged over the draws.

    With `returns_at` this is what `kelly_share_of_returns` asks for. Raises Refusal.
    """
    payoff = payoff_by_score(market, selection_id, chances.goals_max)
    endings = [
        chances.expect(((payoff.c0 == c0) & (payoff.c1 == c1)).astype(np.float64)).mean(0)
        for c0, c1 in ENDINGS.values()
    ]
    found = np.maximum(np.stack(endings, axis=1), 0.0)
    scaled: Floats = found / found.sum(1, keepdims=True)
    return scaled


def returns_at(odds: float) -> Floats:
    """Give what a unit returns in each of `ENDINGS` at these odds, shape (5,)."""
    return np.array([c0 + c1 * odds for c0, c1 in ENDINGS.values()])


def result_chances(chances: ScoreChances) -> Floats:
    """Give the chances of home, draw and away, shape (matches, 3), averaged over the draws."""
    found = np.stack(
        [worth(chances, RESULT, side).win.mean(0) for side in RESULT.selections], axis=1
    )
    scaled: Floats = found / found.sum(1, keepdims=True)
    return scaled


def expected_goals(chances: ScoreChances, level: float = 0.9) -> list[tuple[Interval, Interval]]:
    """Give the home and the away side's expected goals of each match, with the intervals of the draws."""
    check_number(level, "level", 0.5, 0.9999)
    both = []
    for rates in (chances.home_rates, chances.away_rates):
        bounds = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2], axis=0)
        both.append(
            [
                Interval(float(value), float(low), float(high), level)
                for value, low, high in zip(rates.mean(0), bounds[0], bounds[1], strict=True)
            ]
        )
    return list(zip(both[0], both[1], strict=True))
