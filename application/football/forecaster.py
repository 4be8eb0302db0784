"""What football models say of a league at one moment after another, each time from what was over by then."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import check_number
from domain.prediction.elo import EloGoals
from domain.prediction.goals_fit import GoalsFit, fit_goals
from domain.prediction.goals_model import GoalsModel
from domain.prediction.goals_prior import GoalsPrior
from domain.prediction.goals_table import FINISHED_AFTER, GoalsTable, PlayedMatch, newcomers_of
from domain.prediction.score_chances import ScoreChances
from domain.refusals import InvalidInput, NoMatches

_DRAWS_MAX: Final = 100_000


class GoalsSettings(Struct, frozen=True):
    """How the goals model learns; chosen on seasons that no final figure is taken from."""

    half_life_days: float = 400.0
    draws: int = 200
    prior: GoalsPrior = GoalsPrior()

    def check(self) -> None:
        """Refuse what no model can learn with, naming the field."""
        check_number(self.half_life_days, "half_life_days", 1, np.inf)
        check_number(self.draws, "draws", 1, _DRAWS_MAX)
        self.prior.check()


class LeagueForecaster:
    """Forecasts one league's matches at moments that only go forward; `rng` makes the goals model's draws.

    A match is known from FINISHED_AFTER its beginning on: neither order nor number of later ones changes a forecast.
    """

    def __init__(
        self,
        matches: Sequence[PlayedMatch],
        rng: np.random.Generator,
        settings: GoalsSettings | None = None,
    ) -> None:
        self._played = sorted(matches, key=lambda match: (match.played_at, match.home, match.away))
        self._begins = [match.played_at for match in self._played]
        self._rng = rng
        self._settings = GoalsSettings() if settings is None else settings
        self._settings.check()
        self._elo = EloGoals()
        self._heard = 0
        self._as_of: datetime | None = None
        self._fit: GoalsFit | None = None
        self._teams: tuple[str, ...] = ()

    def known(self, as_of: datetime) -> int:
        """Count the matches that are over at this time."""
        return bisect_right(self._begins, as_of - FINISHED_AFTER)

    def goals(self, fixtures: Sequence[tuple[str, str]], as_of: datetime) -> ScoreChances:
        """Give what the goals model, fitted to what is known, says of fixtures. Raises NoMatches, InvalidInput."""
        self._advance(as_of)
        known = self._played[: self._heard]
        if not known:
            raise NoMatches(f"no match of the league was over at {as_of.isoformat()}")
        sides = {team for fixture in fixtures for team in fixture}
        table = GoalsTable.of(
            known,
            as_of,
            half_life_days=self._settings.half_life_days,
            newcomers=newcomers_of(known, as_of, sides),
        )
        self._fit = fit_goals(
            table, self._settings.prior, self._fit if table.teams == self._teams else None
        )
        self._teams = table.teams
        normals = self._rng.standard_normal((self._settings.draws, len(self._fit.mode)))
        return GoalsModel.of(table, self._fit.draw(normals)).chances(fixtures)

    def elo(self, fixtures: Sequence[tuple[str, str]], as_of: datetime) -> ScoreChances:
        """Give what Elo ratings of what is known say of fixtures. Raises InvalidInput."""
        self._advance(as_of)
        return self._elo.chances(fixtures, as_of)

    def _advance(self, as_of: datetime) -> None:
        if self._as_of is not None and as_of < self._as_of:
            raise InvalidInput("forecasts go forward in time", field="as_of")
        self._as_of = as_of
        known = self.known(as_of)
        self._elo.hear(self._played[self._heard : known])
        self._heard = known
