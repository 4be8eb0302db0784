"""How good probabilities were: losses of forecasts whose outcomes are known, the lower the better.

All give one loss a forecast, so that two forecasters are compared match by match on the same matches.
"""

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from domain.prediction.checks import (
    Floats,
    Ints,
    check_number,
    to_floats,
    to_indices,
    to_probabilities,
)
from domain.refusals import InvalidInput

SURE: Final = 1e-15
"""What was said to be impossible and happened costs as much as this probability: −log of it is 34.5, not infinity."""


class Interval(Struct, frozen=True):
    """A value with the interval that holds it with probability `level`."""

    value: float
    low: float
    high: float
    level: float


def rank_probability_scores(probabilities: ArrayLike, outcomes: ArrayLike) -> Floats:
    """Give Σ(cumulative forecast − cumulative outcome)² / (r − 1) of forecasts of ordered outcomes, shape (forecasts,).

    `probabilities` (forecasts, outcomes) are ordered, such as home, draw, away; `outcomes` (forecasts,) are positions of
    what happened. From 0, sure and right, to 1. Source: Epstein 1969; Constantinou and Fenton 2012.
    """
    chances, happened = _checked(probabilities, outcomes)
    gaps = np.cumsum(chances - _indicators(chances, happened), axis=1)[:, :-1]
    scores: Floats = (gaps**2).sum(axis=1) / (chances.shape[1] - 1)
    return scores


def log_losses(probabilities: ArrayLike, outcomes: ArrayLike) -> Floats:
    """Give −log p of what happened, in nats, shape (forecasts,). Shapes as in `rank_probability_scores`."""
    chances, happened = _checked(probabilities, outcomes)
    losses: Floats = -np.log(np.maximum(chances[np.arange(len(happened)), happened], SURE))
    return losses


def brier_scores(probabilities: ArrayLike, outcomes: ArrayLike) -> Floats:
    """Give Σ(p − what happened)² over the outcomes, shape (forecasts,): 0 to 2. Source: Brier 1950."""
    chances, happened = _checked(probabilities, outcomes)
    scores: Floats = ((chances - _indicators(chances, happened)) ** 2).sum(axis=1)
    return scores


def bootstrap_mean(losses: ArrayLike, resamples: ArrayLike, level: float = 0.95) -> Interval:
    """Give the mean loss and its percentile interval; of a difference of losses it tells who is better.

    `losses` (forecasts,) are losses, or differences of two forecasters' losses on the same forecasts. `resamples`
    (draws, forecasts) are positions of forecasts, drawn with replacement by the caller. Source: Efron 1979.
    """
    each = to_floats(losses, "losses", dimensions=1)
    if not each.size:
        raise InvalidInput("there are no losses", field="losses")
    check_number(level, "level", 0.5, 0.9999)
    drawn = to_indices(resamples, "resamples", len(each), dimensions=2)
    if not len(drawn) or drawn.shape[1] != len(each):
        raise InvalidInput(f"resamples have the shape (draws, {len(each)})", field="resamples")
    low, high = np.quantile(each[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(each.mean()), float(low), float(high), level)


def _checked(probabilities: ArrayLike, outcomes: ArrayLike) -> tuple[Floats, Ints]:
    chances = to_probabilities(probabilities, "probabilities", dimensions=2)
    happened = to_indices(outcomes, "outcomes", chances.shape[1])
    if len(happened) != len(chances):
        raise InvalidInput(
            f"{len(chances)} forecasts have {len(happened)} outcomes", field="outcomes"
        )
    return chances, happened


def _indicators(chances: Floats, happened: Ints) -> Floats:
    indicators: Floats = (np.arange(chances.shape[1]) == happened[:, None]).astype(np.float64)
    return indicators
