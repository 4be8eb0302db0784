"""A plain reference for football models: Elo ratings that say how many goals to expect.

Ratings move after each match by K times what was scored above expectation, 1/(1 + 10^(−d/400)) with d the difference
of the ratings and the home advantage (Elo 1978). Goals are Poisson with log rates linear in d, fitted to past matches.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from domain.prediction.checks import Floats
from domain.prediction.goals_table import ABSENCE, PlayedMatch
from domain.prediction.score_chances import ScoreChances

K: Final = 20.0
HOME_POINTS: Final = 60.0
START: Final = 1500.0
START_OF_NEWCOMERS: Final = 1420.0
_SPREAD: Final = 400.0
_STEPS: Final = 12
_RIDGE: Final = 0.1
_RATE_LOGS: Final = (-10.0, 3.4)


class EloGoals:
    """Ratings after all matches heard so far; tell it matches in the order of their days."""

    def __init__(self) -> None:
        self._ratings: dict[str, float] = {}
        self._last: dict[str, datetime] = {}
        self._first: datetime | None = None
        self._differences: list[float] = []
        self._goals: list[tuple[int, int]] = []
        self._coefficients = np.array([[0.3, 0.8], [0.1, -0.8]])

    def hear(self, matches: Iterable[PlayedMatch]) -> None:
        """Learn from results."""
        for match in matches:
            home, away = (self._rating(team, match.played_at) for team in (match.home, match.away))
            difference = home + HOME_POINTS - away
            scored = 0.5 + 0.5 * np.sign(match.home_goals - match.away_goals)
            gained = K * (scored - 1 / (1 + 10 ** (-difference / _SPREAD)))
            self._ratings[match.home], self._ratings[match.away] = home + gained, away - gained
            self._last[match.home] = self._last[match.away] = match.played_at
            self._first = self._first or match.played_at
            self._differences.append(difference / _SPREAD)
            self._goals.append((match.home_goals, match.away_goals))

    def chances(self, fixtures: Sequence[tuple[str, str]], at: datetime) -> ScoreChances:
        """Give the chances of scores, one draw, after fitting the goals to all matches heard."""
        self._fit()
        differences = np.array(
            [
                self._rating(home, at) + HOME_POINTS - self._rating(away, at)
                for home, away in fixtures
            ]
        )
        by_side = self._coefficients[:, :1] + self._coefficients[:, 1:] * differences / _SPREAD
        # After a handful of matches the regression may say anything.
        rates = np.exp(np.clip(by_side, *_RATE_LOGS))
        return ScoreChances.of(rates[:1], rates[1:], np.zeros((1, 1)))

    def _rating(self, team: str, at: datetime) -> float:
        since = self._last.get(team, self._first)
        if since is not None and at - since > ABSENCE:
            return START_OF_NEWCOMERS
        return self._ratings.get(team, START)

    def _fit(self) -> None:
        """Fit two Poisson regressions of goals on the difference, by Newton, from where they were."""
        if not self._goals:
            return
        design = np.column_stack([np.ones(len(self._goals)), self._differences])
        goals: Floats = np.array(self._goals, np.float64)
        for side in (0, 1):
            for _ in range(_STEPS):
                rates = np.exp(np.clip(design @ self._coefficients[side], -5, 3))
                gradient = design.T @ (goals[:, side] - rates)
                curvature = (design.T * rates) @ design + _RIDGE * np.eye(2)
                self._coefficients[side] += np.linalg.solve(curvature, gradient)
