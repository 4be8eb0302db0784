"""Fitting the goals model: the maximum a posteriori by Newton, and the normal distribution around it (Laplace).

The pooling deviations are those that make the results likeliest after the strengths are integrated out (expectation
maximisation with the Laplace approximation, under their own prior); without pooling there are none to learn.
"""

from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats
from domain.prediction.goals_density import SHARED, likelihood_hessian, log_likelihood, skew
from domain.prediction.goals_prior import GoalsPrior, Normal, Pooling, Scales
from domain.prediction.goals_table import GoalsTable
from domain.refusals import FitFailed, InvalidInput

_STEPS_MAX: Final = 100
_HALVINGS_MAX: Final = 40
_CLOSE: Final = 1e-10  # of the squared Newton decrement: about the gain still to be had
_NEAR: Final = 1e-4  # between the rounds, whose deviations move the mode by more
_ROUNDS_MAX: Final = 60
_MOVED: Final = 1e-6
_FACTOR_MAX: Final = 0.9
_STILL: Final = 0.002  # a relative change of the deviations that changes no price
_RIDGE: Final = 1e-6


class GoalsFit(Struct, frozen=True, eq=False):
    """The normal distribution that approximates the posterior.

    `mode` (parameters,) as in `goals_density`; `spread` (parameters, parameters) is a factor of the covariance,
    spread·spreadᵀ. `mean` (parameters,) is the mode moved by how the density leans (Tierney and Kadane 1986): rates are
    exponentials, and draws around the mode would score too often. `value` is the log posterior at the mode, up to a constant.
    """

    mode: Floats
    mean: Floats
    spread: Floats
    scales: Scales
    value: float
    steps: int

    @property
    def covariance(self) -> Floats:
        """The covariance (parameters, parameters)."""
        found: Floats = self.spread @ self.spread.T
        return found

    def draw(self, normals: Floats) -> Floats:
        """Make vectors (draws, parameters) of standard normal numbers of that shape."""
        if normals.ndim != 2 or normals.shape[1] != len(self.mode):  # noqa: PLR2004
            raise InvalidInput(f"normals have the shape (draws, {len(self.mode)})", field="normals")
        found: Floats = self.mean + normals @ self.spread.T
        return found


def fit_goals(
    table: GoalsTable, prior: GoalsPrior | None = None, start: GoalsFit | None = None
) -> GoalsFit:
    """Fit the model; `start` is an earlier fit of the same teams to begin at. Raises FitFailed, InvalidInput."""
    prior = GoalsPrior() if prior is None else prior
    pooling = Pooling(prior, table.newcomers)
    if not prior.pooled:
        silent = [
            team
            for team, home, away in zip(
                table.teams, table.weight.sum(1), table.weight.sum(0), strict=True
            )
            if home + away == 0
        ]
        if silent:
            raise FitFailed(f"{', '.join(silent)} has not played: only pooling says anything of it")
    vector = _beginning(table, start)
    if not prior.pooled:
        return _ascend(table, pooling, vector, Scales(np.inf, np.inf)).fit(table)
    scales = (
        start.scales
        if start
        else Scales(np.exp(prior.log_quality.mean), np.exp(prior.log_style.mean))
    )
    top = _ascend(table, pooling, vector, scales, _NEAR)
    before: tuple[Floats, Floats] | None = None
    for _ in range(_ROUNDS_MAX):
        at, better = _logs(top.scales), _logs(_better_scales(pooling, top))
        still = abs(better - at).max()
        if still < _STILL:
            return _ascend(table, pooling, top.vector, _scales(better)).fit(table)
        top = _ascend(table, pooling, top.vector, _scales(_ahead(at, better, before)), _NEAR)
        before = at, better
    raise FitFailed("the deviations between the sides do not settle")


def _ahead(at: Floats, better: Floats, before: tuple[Floats, Floats] | None) -> Floats:
    """Go on as the last two rounds went: each alone goes only part of a way whose rest shrinks by a factor (Aitken)."""
    if before is None:
        return better
    moved = at - before[0]
    factor = np.where(abs(moved) > _MOVED, (better - before[1]) / np.where(moved, moved, 1.0), 0.0)
    found: Floats = at + (better - at) / (1 - np.clip(factor, 0.0, _FACTOR_MAX))
    return np.clip(found, better - 1, better + 1)


def _logs(scales: Scales) -> Floats:
    return np.log([scales.quality, scales.style])


def _scales(logs: Floats) -> Scales:
    quality, style = np.exp(logs).tolist()
    return Scales(quality, style)


def _beginning(table: GoalsTable, start: GoalsFit | None) -> Floats:
    if start is not None:
        if len(start.mode) != SHARED + 2 * len(table.teams):
            raise InvalidInput("an earlier fit has other teams", field="start")
        return start.mode
    vector = np.zeros(SHARED + 2 * len(table.teams))
    goals = (table.home_goals + table.away_goals).sum() / (2 * table.weight.sum())
    vector[0] = np.log(max(goals, 0.1))
    return vector


class _Top(Struct, frozen=True, eq=False):
    """Where the log posterior is highest for given deviations, and the factor of its curvature there."""

    vector: Floats
    factor: Floats
    scales: Scales
    value: float
    steps: int

    @property
    def spread(self) -> Floats:
        """A factor of the covariance."""
        found: Floats = np.linalg.inv(self.factor).T.astype(np.float64)
        return found

    def fit(self, table: GoalsTable) -> GoalsFit:
        """Give the normal distribution around it."""
        spread = self.spread
        mean = self.vector + spread @ (spread.T @ skew(table, self.vector, spread))
        return GoalsFit(self.vector, mean, spread, self.scales, self.value, self.steps)


def _ascend(
    table: GoalsTable, pooling: Pooling, vector: Floats, scales: Scales, close: float = _CLOSE
) -> _Top:
    """Climb by Newton until no more than `close` is to be gained."""
    precisions = pooling.precisions(scales)
    curvature = -pooling.hessian(precisions)

    def density(at: Floats) -> tuple[float, Floats]:
        likelihood, slope = log_likelihood(table, at)
        prior, pull = pooling.log_prior(at, precisions)
        return float(likelihood + prior), slope + pull

    value, gradient = density(vector)
    for step in range(_STEPS_MAX):
        factor = _factor(curvature - likelihood_hessian(table, vector))
        move = np.linalg.solve(factor.T, np.linalg.solve(factor, gradient))
        gain = float(gradient @ move)
        if gain < close:
            return _Top(vector, factor, scales, value, step)
        for halving in range(_HALVINGS_MAX):
            tried = vector + move * 0.5**halving
            found, slope = density(tried)
            if found > value - _CLOSE:
                break
        else:
            break
        vector, value, gradient = tried, found, slope
    raise FitFailed("the results have no likeliest strengths: too few of them, or too one-sided")


def _factor(curvature: Floats) -> Floats:
    """Factor the negative Hessian; far from the mode it may bend the wrong way, and is then made to bend the right one."""
    ridge = 0.0
    for _ in range(_HALVINGS_MAX):
        try:
            factor = np.linalg.cholesky(curvature + ridge * np.eye(len(curvature)))
        except np.linalg.LinAlgError:
            ridge = max(10 * ridge, _RIDGE * float(np.abs(curvature).max()))
        else:
            return factor.astype(np.float64)
    raise FitFailed("the log posterior has no finite curvature")


def _better_scales(pooling: Pooling, top: _Top) -> Scales:
    """Give the deviations that are likeliest by what is known of the sides: each one's mean and its variance."""
    teams = pooling.teams
    means = pooling.residuals(top.vector)[SHARED:]
    variances = ((pooling.matrix[SHARED:] @ top.spread) ** 2).sum(1)
    squares = means**2 + variances
    return Scales(
        quality=_likeliest(float(squares[:teams].sum()), teams, pooling.prior.log_quality),
        style=_likeliest(float(squares[teams:].sum()), teams, pooling.prior.log_style),
    )


def _likeliest(squares: float, count: int, prior: Normal) -> float:
    """Maximise −n·x − S/(2e²ˣ) − (x − m)²/(2s²) over x, the log of the deviation; it is concave."""
    x = prior.mean
    for _ in range(_STEPS_MAX):
        pull = squares * np.exp(-2 * x)
        move = (pull - count - (x - prior.mean) * prior.precision) / (2 * pull + prior.precision)
        x += float(np.clip(move, -1, 1))
        if abs(move) < _CLOSE:
            break
    return float(np.exp(x))
