"""A model's probabilities put together with the market's: p ∝ market^α · model^β · a factor for each outcome.

It is a conditional logit on the logs of both (Benter's second step). Its prior trusts the market: α = 1, β = 0; what a
model adds must show in results that it did not learn from, so the forecasts to learn from are walk-forward ones.
"""

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from domain.prediction.checks import Floats, check_number, to_indices, to_probabilities
from domain.prediction.conditional_logit import Contests, LogitFit, fit_logit
from domain.refusals import InvalidInput

LEAST: Final = 1e-9
"""Probabilities below this count as this: their log would outweigh all others."""
RIDGE: Final = (50.0, 50.0)
"""Precisions of α and β: as much as some 50 matches with one nat between the forecasts."""
RIDGE_OF_OUTCOMES: Final = 200.0

_TRUST_MIN, _TRUST_MAX = 0.01, 1e6


class Stack(Struct, frozen=True, eq=False):
    """How market and model are weighed; `fit` has the coefficients [market, model, each outcome but the first]."""

    fit: LogitFit
    outcomes: int

    def probabilities(self, market: ArrayLike, model: ArrayLike) -> Floats:
        """Give the stacked probabilities (matches, outcomes) of both forecasts, of the same shape."""
        contests = _contests(market, model)
        if contests.present.shape[1] != self.outcomes:
            raise InvalidInput(f"forecasts of {self.outcomes} outcomes", field="market")
        return self.fit.probabilities(contests)


def fit_stack(
    market: ArrayLike, model: ArrayLike, outcomes: ArrayLike, *, trust: float = 1.0
) -> Stack:
    """Learn the weights from forecasts (matches, outcomes) of both and what happened (matches,).

    `trust` times the prior's precisions: how firmly the market is believed beforehand. Raises NoMatches, InvalidInput.
    """
    check_number(trust, "trust", _TRUST_MIN, _TRUST_MAX)
    contests = _contests(market, model)
    count, size = contests.present.shape
    happened = to_indices(outcomes, "outcomes", size)
    if len(happened) != count:
        raise InvalidInput(f"{count} forecasts have {len(happened)} outcomes", field="outcomes")
    won = (np.arange(size) == happened[:, None]).astype(np.float64)
    return Stack(
        fit_logit(
            Contests.of(contests.features, won=won),
            centre=[1.0, 0.0, *[0.0] * (size - 1)],
            ridge=[trust * each for each in (*RIDGE, *[RIDGE_OF_OUTCOMES] * (size - 1))],
        ),
        size,
    )


def _contests(market: ArrayLike, model: ArrayLike) -> Contests:
    prices = to_probabilities(market, "market", dimensions=2)
    said = to_probabilities(model, "model", dimensions=2)
    if prices.shape != said.shape:
        raise InvalidInput("market and model speak of the same matches and outcomes", field="model")
    count, size = prices.shape
    features = np.empty((count, size, size + 1))
    features[..., 0] = np.log(np.maximum(prices, LEAST))
    features[..., 1] = np.log(np.maximum(said, LEAST))
    features[..., 2:] = np.eye(size)[:, 1:]
    return Contests.of(features)
