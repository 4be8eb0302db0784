"""What a bookmaker's odds say when the margin is taken out: five published methods.

With π = 1/o and Σπ = 1 + margin they give probabilities p that sum to 1:

- multiplicative: p = π / Σπ
- power: p = π^k (Clarke, Kovalchik and Ingram 2017; Buchdahl's "logarithmic function" is the same)
- odds_ratio: p/(1 − p) = π/(1 − π) / c (Cheung 2015)
- logarithmic: logit p = logit π − log c. The log of the odds ratio is shifted, so its values are those of odds_ratio;
  the name is kept because libraries list both
- shin: bookmakers guard against a share z of insiders (Shin 1993; Štrumbelj 2014):
  p = (√(z² + 4(1 − z)π²/Σπ) − z) / (2(1 − z))

Odds of best prices may sum below 1: then power and odds ratio raise the probabilities; Shin's model has no insiders
there (z = 0), and the rest is scaled.
"""

from collections.abc import Callable
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from domain.money import MAX_ODDS
from domain.prediction.checks import OUTCOMES_MIN, Floats, to_floats
from domain.refusals import InvalidInput

Method = Literal["multiplicative", "power", "shin", "odds_ratio", "logarithmic"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

_STEPS: Final = 60  # halvings: more than a float's digits


def without_margin(odds: ArrayLike, method: Method = "shin") -> Floats:
    """Give the probabilities of markets whose selections exclude each other and of which one wins.

    `odds`, shape (…, outcomes), are decimal odds above 1 of all outcomes, two or more; so is the answer's shape, and its
    last axis sums to 1. Sources: see the module. Raises InvalidInput.
    """
    prices = to_floats(odds, "odds")
    if prices.ndim == 0 or prices.shape[-1] < OUTCOMES_MIN:
        raise InvalidInput("a market has two outcomes or more", field="odds")
    if (prices <= 1).any() or (prices > float(MAX_ODDS)).any():
        raise InvalidInput(f"odds lie above 1, up to {MAX_ODDS}", field="odds")
    if method not in METHODS:
        raise InvalidInput(f"a method is one of {', '.join(METHODS)}", field="method")
    probabilities = _BY_METHOD[method](1 / prices)
    # The last digit: sums are exact to rounding whatever the search for a root left over.
    scaled: Floats = probabilities / probabilities.sum(axis=-1, keepdims=True)
    return scaled


def _multiplicative(implied: Floats) -> Floats:
    return implied


def _power(implied: Floats) -> Floats:
    logs = np.log(implied)
    count = implied.shape[-1]
    # Σπ^k falls in k. At k = log n / −log(max π) each term is at most 1/n, at k = log n / −log(min π) at least.
    low = np.log(count) / -logs.min(axis=-1, keepdims=True)
    high = np.log(count) / -logs.max(axis=-1, keepdims=True)
    k = _root(lambda k: np.exp(k * logs).sum(axis=-1, keepdims=True), low, high)
    powers: Floats = np.exp(k * logs)
    return powers


def _odds_ratio(implied: Floats) -> Floats:
    logits = np.log(implied) - np.log1p(-implied)
    even = -np.log(implied.shape[-1] - 1)
    # With every logit at log(1/(n − 1)) the sum is 1: shifts that take the extremes there bracket the root.
    low = logits.min(axis=-1, keepdims=True) - even
    high = logits.max(axis=-1, keepdims=True) - even
    shift = _root(lambda c: _logistic(logits - c).sum(axis=-1, keepdims=True), low, high)
    return _logistic(logits - shift)


def _shin(implied: Floats) -> Floats:
    booksum = implied.sum(axis=-1, keepdims=True)
    squares = implied**2 / booksum

    def probabilities(z: Floats) -> Floats:
        # The numerator rationalised: no difference of two nearly equal numbers near z = 1.
        root = np.sqrt(z**2 + 4 * (1 - z) * squares)
        found: Floats = 2 * squares / (root + z)
        return found

    low, high = np.zeros_like(booksum), np.ones_like(booksum)
    z = _root(lambda z: probabilities(z).sum(axis=-1, keepdims=True), low, high)
    return np.where(booksum > 1, probabilities(z), implied)


def _root(falling: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Find where a falling function is 1 by halving: slow but never lost; all markets at once."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        above = falling(middle) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found: Floats = (low + high) / 2
    return found


def _logistic(values: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(values / 2))


_BY_METHOD: Final[dict[Method, Callable[[Floats], Floats]]] = {
    "multiplicative": _multiplicative,
    "power": _power,
    "shin": _shin,
    "odds_ratio": _odds_ratio,
    "logarithmic": _odds_ratio,
}
