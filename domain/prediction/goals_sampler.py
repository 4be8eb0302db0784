"""The whole posterior of the goals model: parameters and pooling deviations, by Hamiltonian Monte Carlo.

The fit's normal distribution makes the density round: chains move in standardised coordinates around the mode, and the
two deviations by their logs. It only speeds the chains up; what they draw from is the exact posterior.
"""

from typing import Final

import numpy as np

from domain.prediction.checks import Floats
from domain.prediction.goals_density import SHARED, log_likelihood
from domain.prediction.goals_fit import GoalsFit
from domain.prediction.goals_prior import GoalsPrior, Pooling
from domain.prediction.goals_table import GoalsTable
from domain.prediction.hamilton import Density, Sample, sample
from domain.refusals import InvalidInput

_SCALES: Final = 2
_START_DEVIATION: Final = 0.5


def sample_goals(
    table: GoalsTable,
    fit: GoalsFit,
    rng: np.random.Generator,
    prior: GoalsPrior | None = None,
    *,
    draws: int = 1000,
    warm_up: int = 500,
    chains: int = 4,
) -> Sample:
    """Draw from the posterior: rows [μ, h, ρ, γ, a…, d…, log quality, log style]. Raises FitFailed, InvalidInput.

    `fit` is the fit of the same table and prior; the prior pools (nothing else is proper).
    """
    prior = GoalsPrior() if prior is None else prior
    if not prior.pooled:
        raise InvalidInput("without pooling there is no posterior to draw from", field="prior")
    centre = np.append(fit.mean, np.log([fit.scales.quality, fit.scales.style]))
    spread = np.zeros((len(centre), len(centre)))
    spread[:-_SCALES, :-_SCALES] = fit.spread
    spread[-2, -2], spread[-1, -1] = _deviations_of_logs(table, fit, prior)
    density = goals_density(table, prior)

    def standardised(points: Floats) -> tuple[Floats, Floats]:
        values, gradients = density(centre + points @ spread.T)
        return values, gradients @ spread

    start = _START_DEVIATION * rng.standard_normal((chains, len(centre)))
    found = sample(standardised, start, draws=draws, warm_up=warm_up, rng=rng)
    return Sample(centre + found.draws @ spread.T, found.acceptance, found.step)


def _deviations_of_logs(table: GoalsTable, fit: GoalsFit, prior: GoalsPrior) -> tuple[float, float]:
    """Guess how uncertain the logs of the deviations are: each side says as much of them as results say of it."""
    pooling = Pooling(prior, table.newcomers)
    variances = ((pooling.matrix[SHARED:] @ fit.spread) ** 2).sum(1).reshape(_SCALES, -1)
    known = (1 - variances / np.array([[fit.scales.quality], [fit.scales.style]]) ** 2).sum(1)
    weights = np.array([prior.log_quality.precision, prior.log_style.precision])
    quality, style = (2 * np.maximum(known, 0) + weights) ** -0.5
    return float(quality), float(style)


def goals_density(table: GoalsTable, prior: GoalsPrior) -> Density:
    """Give the log posterior, up to a constant, of rows [vector, log quality, log style], with its gradient."""
    pooling = Pooling(prior, table.newcomers)
    teams = pooling.teams
    learned = (prior.log_quality, prior.log_style)

    def density(rows: Floats) -> tuple[Floats, Floats]:
        vectors, logs = rows[:, :-_SCALES], rows[:, -_SCALES:]
        logs_in_bounds = np.clip(logs, -10, 10)
        precisions = np.empty((len(rows), len(pooling.means)))
        precisions[:, :SHARED] = pooling.shared_precisions
        precisions[:, SHARED:] = np.repeat(np.exp(-2 * logs_in_bounds), teams, axis=1)
        likelihood, slope = log_likelihood(table, vectors)
        pooled, pull = pooling.log_prior(vectors, precisions)
        squares = (pooling.residuals(vectors)[:, SHARED:] ** 2).reshape(len(rows), _SCALES, teams)
        away = logs - [normal.mean for normal in learned]
        weights = np.array([normal.precision for normal in learned])
        value = likelihood + pooled - (teams * logs + 0.5 * weights * away**2).sum(1)
        scales_slope = np.exp(-2 * logs_in_bounds) * squares.sum(2) - teams - weights * away
        return value, np.concatenate([slope + pull, scales_slope], axis=1)

    return density
