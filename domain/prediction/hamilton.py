"""Hamiltonian Monte Carlo: draws from a distribution whose log density and gradient are known.

Chains run side by side as rows of one array. Each draw follows a path of leapfrog steps of random number and is kept or
refused by Metropolis' rule, so the draws have exactly the density that was asked for; the step is tuned during the
warm-up only, to a stated acceptance (dual averaging). Sources: Neal 2011; Hoffman and Gelman 2014, section 3.2.
The density should be roughly round, with deviations near 1: `domain.prediction.goals_sampler` makes it so.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats
from domain.refusals import FitFailed, InvalidInput

Density = Callable[[Floats], tuple[Floats, Floats]]
"""From points (chains, size) to log densities (chains,) and gradients (chains, size)."""

ACCEPTANCE_AIM: Final = 0.8
_FIRST_STEP: Final = 0.3
_PATH_MIN, _PATH_MAX = 1.0, 2.2
"""How far a path goes, in deviations: about a quarter turn, where a round density forgets where it began."""
_SHORTEST: Final = 0.5
_STEPS_MAX: Final = 64
_HALVES: Final = 4


class Sample(Struct, frozen=True, eq=False):
    """Draws (draws, chains, size), the share of paths that were kept, and the step they were followed with."""

    draws: Floats
    acceptance: float
    step: float

    def flat(self) -> Floats:
        """Give all chains' draws as rows (draws × chains, size)."""
        return self.draws.reshape(-1, self.draws.shape[-1])


def sample(
    density: Density, start: Floats, *, draws: int, warm_up: int, rng: np.random.Generator
) -> Sample:
    """Draw `draws` points a chain after `warm_up` others; `start` (chains, size) are where the chains begin.

    All randomness comes from `rng`. Raises FitFailed when a chain begins where nothing is possible.
    """
    if start.ndim != 2 or draws < 1 or warm_up < 1:  # noqa: PLR2004
        raise InvalidInput("chains begin at rows of an array, and take draws", field="start")
    points = start.copy()
    values, gradients = density(points)
    if not np.isfinite(values).all():
        raise FitFailed("a chain begins where the density is 0")
    step = _Step(np.log(_FIRST_STEP))
    kept = np.empty((draws, *start.shape))
    accepted = 0.0
    for turn in range(-warm_up, draws):
        # A step that varies frees a chain from a narrow place that one step alone would be too long for (Neal 2011).
        length = (step.tuned if turn >= 0 else step.now) * rng.uniform(_SHORTEST, 1.0)
        momenta = rng.standard_normal(points.shape)
        path = rng.uniform(_PATH_MIN, _PATH_MAX)
        steps = min(_STEPS_MAX, max(1, round(path / length)))
        ends, end_values, end_gradients, end_momenta = _follow(
            density, points, gradients, momenta, length, steps
        )
        energy = end_values - values + ((momenta**2).sum(1) - (end_momenta**2).sum(1)) / 2
        chance = np.exp(np.minimum(0.0, np.where(np.isfinite(energy), energy, -np.inf)))
        moved = rng.uniform(size=len(points)) < chance
        points = np.where(moved[:, None], ends, points)
        gradients = np.where(moved[:, None], end_gradients, gradients)
        values = np.where(moved, end_values, values)
        if turn < 0:
            step.learn(float(chance.mean()))
        else:
            kept[turn] = points
            accepted += float(chance.mean())
    return Sample(kept, accepted / draws, step.tuned)


def _follow(
    density: Density, points: Floats, gradients: Floats, momenta: Floats, step: float, steps: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Take leapfrog steps; a chain that leaves what is possible comes back with a density of 0."""
    values = np.full(len(points), -np.inf)
    momenta = momenta + step / 2 * gradients
    for number in range(steps):
        points = points + step * momenta
        values, gradients = density(points)
        momenta = momenta + (step if number < steps - 1 else step / 2) * gradients
    return points, values, gradients, momenta


class _Step:
    """The leapfrog step, tuned by dual averaging; `tuned` is the average that is kept after the warm-up."""

    def __init__(self, log_step: float) -> None:
        self._centre = log_step + np.log(10)
        self._log = self._mean_log = log_step
        self._debt = 0.0
        self._turns = 0

    @property
    def now(self) -> float:
        return float(np.exp(self._log))

    @property
    def tuned(self) -> float:
        return float(np.exp(self._mean_log))

    def learn(self, acceptance: float) -> None:
        self._turns += 1
        share = 1 / (self._turns + 10)
        self._debt = (1 - share) * self._debt + share * (ACCEPTANCE_AIM - acceptance)
        self._log = self._centre - np.sqrt(self._turns) / 0.05 * self._debt
        weight = self._turns**-0.75
        self._mean_log = weight * self._log + (1 - weight) * self._mean_log


def split_r_hat(draws: Floats) -> Floats:
    """Tell how well chains agree, (size,) from draws (draws, chains, size): near 1 when they do, each cut in two halves.

    Source: Gelman and others, Bayesian Data Analysis, 11.4.
    """
    if len(draws) < _HALVES:
        raise InvalidInput(f"{_HALVES} draws a chain at least", field="draws")
    half = len(draws) // 2
    chains = np.concatenate([draws[:half], draws[half : 2 * half]], axis=1)
    within = chains.var(0, ddof=1).mean(0)
    between = half * chains.mean(0).var(0, ddof=1)
    found: Floats = np.sqrt(((half - 1) / half * within + between / half) / within)
    return found


def effective_draws(draws: Floats) -> Floats:
    """Tell how many independent draws say as much about each mean, (size,) from draws (draws, chains, size).

    Autocorrelations are summed in pairs as long as a pair is positive (Geyer 1992).
    """
    count, chains, _ = draws.shape
    centred = draws - draws.mean((0, 1))
    length = 1 << (2 * count - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, length, axis=0)) ** 2
    autocovariance = np.fft.irfft(power, length, axis=0)[:count].mean(1) / count
    correlations = autocovariance / autocovariance[0]
    pairs = correlations[: count // 2 * 2].reshape(count // 2, 2, -1).sum(1)
    positive = np.logical_and.accumulate(pairs > 0, axis=0)
    time: Floats = np.maximum(2 * (pairs * positive).sum(0) - 1, 1 / np.log10(count * chains))
    found: Floats = count * chains / time
    return found
