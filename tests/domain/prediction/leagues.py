"""Leagues whose truth is known: results drawn from a goals model."""

from datetime import timedelta

import numpy as np

from domain.prediction.checks import Floats
from domain.prediction.goals_table import GoalsTable, PlayedMatch
from tests.builders import NOW

HOME_AHEAD = 0.25


def league(
    teams: int, seasons: int, rng: np.random.Generator
) -> tuple[list[PlayedMatch], Floats, Floats]:
    """Matches of every pair at home and away in each season, with the true attacks and defences (teams,)."""
    quality, style = rng.normal(0, 0.25, teams), rng.normal(0, 0.1, teams)
    attack, defence = quality + style, quality - style
    matches = []
    for season in range(seasons):
        for home in range(teams):
            for away in range(teams):
                if home != away:
                    rates = np.exp(
                        [
                            0.1 + HOME_AHEAD + attack[home] - defence[away],
                            0.1 + attack[away] - defence[home],
                        ]
                    )
                    goals = rng.poisson(rates)
                    days = 1 + 365 * (seasons - 1 - season) + int(rng.integers(0, 280))
                    matches.append(
                        PlayedMatch(
                            f"T{home:02}",
                            f"T{away:02}",
                            int(goals[0]),
                            int(goals[1]),
                            NOW - timedelta(days=days),
                        )
                    )
    return matches, attack, defence


def small_table(half_life_days: float = 400.0) -> GoalsTable:
    """A league of six sides over two seasons."""
    matches, _, _ = league(6, 2, np.random.default_rng(11))
    return GoalsTable.of(matches, NOW, half_life_days=half_life_days)
