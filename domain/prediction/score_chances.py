"""From goal rates to the chances of scores, for many draws and matches at once.

Goals are Poisson, with the four lowest scores corrected (Dixon and Coles 1997); what lies beyond the highest score of
the matrix is less than one in a thousand million, and the matrix is scaled to sum to 1.
"""

from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats
from domain.prediction.goals_table import LOW_SCORES
from domain.refusals import InvalidInput

RATE_MAX: Final = 30.0
_GOALS_MIN: Final = 12
_TAIL_DEVIATIONS: Final = 6.5


class ScoreChances(Struct, frozen=True, eq=False):
    """Chances of scores by draw and match: home[x]·away[y] + low[x, y], never spelt out unless asked for.

    `home_rates` and `away_rates` have the shape (draws, matches), `home` and `away` (draws, matches, goals), and `low`
    (draws, matches, 2, 2) is what the correction adds to the scores of 0 and 1 goals.
    """

    home_rates: Floats
    away_rates: Floats
    home: Floats
    away: Floats
    low: Floats

    @property
    def goals_max(self) -> int:
        """The highest goals of a side that have a chance of their own."""
        return int(self.home.shape[2]) - 1

    @classmethod
    def of(cls, home_rates: Floats, away_rates: Floats, rho: Floats) -> "ScoreChances":
        """Make chances of rates (draws, matches) and corrections ρ that broadcast to them.

        A ρ that would make a chance negative counts as the nearest one that does not. Raises InvalidInput for rates
        that are not above 0, or above 30 goals.
        """
        highest = float(max(home_rates.max(initial=0), away_rates.max(initial=0)))
        lowest = float(min(home_rates.min(initial=1), away_rates.min(initial=1)))
        if not (lowest > 0 and highest <= RATE_MAX and np.isfinite(rho).all()):
            raise InvalidInput(f"goal rates lie above 0, up to {RATE_MAX:g}", field="rates")
        goals_max = max(_GOALS_MIN, int(highest + _TAIL_DEVIATIONS * highest**0.5 + 4))
        home, away = _poisson(home_rates, goals_max), _poisson(away_rates, goals_max)
        rho = np.clip(
            rho,
            np.maximum(-1 / home_rates, -1 / away_rates),
            np.minimum(1 / (home_rates * away_rates), 1),
        )
        factors = (-home_rates * away_rates, home_rates, away_rates, -np.ones_like(home_rates))
        low = np.empty((*home_rates.shape, 2, 2))
        for (x, y), factor in zip(LOW_SCORES, factors, strict=True):
            low[..., x, y] = rho * factor * home[..., x] * away[..., y]
        whole = home.sum(-1) * away.sum(-1) + low.sum((-1, -2))
        return cls(
            home_rates, away_rates, home / whole[..., None], away, low / whole[..., None, None]
        )

    def expect(self, values: Floats) -> Floats:
        """Give the expectation (draws, matches) of a value of the score; `values` (goals, goals) or (matches, goals, goals)."""
        if values.ndim == 2:  # noqa: PLR2004
            by_home = self.home @ values
        else:
            by_home = np.einsum("dmx,mxy->dmy", self.home, values, optimize=True)
        found: Floats = (by_home * self.away).sum(-1)
        found += (self.low * values[..., :2, :2]).sum((-1, -2))
        return found

    def matrix(self) -> Floats:
        """Give the mean over the draws of the chance of each score, shape (matches, goals, goals), home first."""
        found = np.einsum("dmx,dmy->mxy", self.home, self.away, optimize=True) / len(self.home)
        found[:, :2, :2] += self.low.mean(0)
        rounded_off: Floats = np.maximum(found, 0.0)
        return rounded_off


def _poisson(rates: Floats, goals_max: int) -> Floats:
    """Give the chances of 0 to `goals_max` goals, shape (…, goals)."""
    goals = np.arange(goals_max + 1)
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(goals[1:]))])
    chances: Floats = np.exp(goals * np.log(rates)[..., None] - rates[..., None] - log_factorials)
    return chances
