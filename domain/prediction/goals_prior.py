"""What the goals model believes before any match, and how the sides of a league are pooled.

The quality (a + d)/2 of a side with attack a and defence d is normal with deviation `quality` around γ·newcomer, its
style (a − d)/2 with deviation `style` around 0. So a good attack goes with a good defence as far as the data say so,
and a side that has hardly played is taken for an ordinary one, or an ordinary newcomer. The deviations are learned, too.
"""

from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats, check_number
from domain.prediction.goals_density import HOME, LEVEL, NEWCOMER, RHO, SHARED
from domain.refusals import InvalidInput

_MEAN_MAX: Final = 10.0


class Normal(Struct, frozen=True):
    """A normal distribution; an infinite `deviation` says nothing."""

    mean: float
    deviation: float

    @property
    def precision(self) -> float:
        """1/deviation²."""
        return self.deviation**-2


class GoalsPrior(Struct, frozen=True):
    """What is believed before any match. `log_quality` and `log_style` are of the logs of the pooling deviations.

    The defaults fit any league: about 1.3 goals a side, home sides ahead by about a quarter, whatever a season without
    spectators said (2020/21 had them level). `flat()` believes nothing, and the
    fit is then the maximum of the likelihood, with attacks and defences that sum to 0 each.
    """

    level: Normal = Normal(0.1, 0.5)
    home: Normal = Normal(0.25, 0.05)
    rho: Normal = Normal(-0.03, 0.08)
    newcomer: Normal = Normal(-0.18, 0.1)
    log_quality: Normal = Normal(-1.6, 0.5)
    log_style: Normal = Normal(-2.3, 0.5)
    pooled: bool = True

    def check(self) -> None:
        """Refuse distributions that are none."""
        for field in ("level", "home", "rho", "newcomer", "log_quality", "log_style"):
            normal: Normal = getattr(self, field)
            check_number(normal.mean, field, -_MEAN_MAX, _MEAN_MAX)
            if not normal.deviation > 0:
                raise InvalidInput(f"the deviation of {field} must be above 0", field=field)

    @classmethod
    def flat(cls) -> "GoalsPrior":
        """Believe nothing: no pooling. γ has no data then, and stays at 0."""
        nothing = Normal(0.0, np.inf)
        return cls(nothing, nothing, nothing, Normal(0.0, 1.0), pooled=False)


class Scales(Struct, frozen=True):
    """Deviations of quality and style between the sides of a league; both infinite without pooling."""

    quality: float
    style: float


class Pooling:
    """The prior as residuals r = A·vector − m, each normal around 0 with its own precision.

    The last rows of A are the sides' qualities, then their styles; without pooling they are the sums of attacks and
    of defences, which the likelihood leaves open: there the prior costs nothing at its best.
    """

    def __init__(self, prior: GoalsPrior, newcomers: Floats) -> None:
        prior.check()
        self.prior = prior
        self.teams = teams = len(newcomers)
        shared = (prior.level, prior.home, prior.rho, prior.newcomer)
        rows = SHARED + (2 * teams if prior.pooled else 2)
        self.matrix = np.zeros((rows, SHARED + 2 * teams))
        for at in (LEVEL, HOME, RHO, NEWCOMER):
            self.matrix[at, at] = 1
        attack, defence = np.eye(2 * teams)[:teams], np.eye(2 * teams)[teams:]
        if prior.pooled:
            self.matrix[SHARED : SHARED + teams, SHARED:] = (attack + defence) / 2
            self.matrix[SHARED + teams :, SHARED:] = (attack - defence) / 2
            self.matrix[SHARED : SHARED + teams, NEWCOMER] = -newcomers
        else:
            self.matrix[SHARED, SHARED:] = attack.sum(0)
            self.matrix[SHARED + 1, SHARED:] = defence.sum(0)
        self.means = np.zeros(rows)
        self.means[:SHARED] = [normal.mean for normal in shared]
        self.shared_precisions = [normal.precision for normal in shared]

    def residuals(self, vectors: Floats) -> Floats:
        """Give A·vector − m, shape (…, rows)."""
        found: Floats = vectors @ self.matrix.T - self.means
        return found

    def precisions(self, scales: Scales) -> Floats:
        """Give the precision of each residual, shape (rows,)."""
        found = np.ones(len(self.means))
        found[:SHARED] = self.shared_precisions
        if self.prior.pooled:
            found[SHARED : SHARED + self.teams] = scales.quality**-2
            found[SHARED + self.teams :] = scales.style**-2
        return found

    def log_prior(self, vectors: Floats, precisions: Floats) -> tuple[Floats, Floats]:
        """Give −½Σ precision·r² (…) and its gradient (…, parameters); `precisions` may be stacked as vectors are."""
        pulls = precisions * (residuals := self.residuals(vectors))
        return -0.5 * (pulls * residuals).sum(-1), -pulls @ self.matrix

    def hessian(self, precisions: Floats) -> Floats:
        """Give the Hessian (parameters, parameters) of the log prior: the same everywhere."""
        found: Floats = -(self.matrix.T * precisions) @ self.matrix
        return found
