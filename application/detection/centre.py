"""State prices in the middle of those that prove that nothing pays: they hold longest while prices move.

The programme's own prices are at a corner: bets that it does not need are worth as much there as those that it does, and
the next small move passes them. The analytic centre keeps away from all of them.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS: Final = 8
_GIVE: Final = 0.002
_HOPELESS: Final = 0.02
_PROGRESS: Final = 0.2
_TO_THE_EDGE: Final = 0.9
_STATE_WEIGHT: Final = 0.1
_LEAST_PRICE: Final = 1e-6
_CENTRED: Final = 0.5


def centre(returns: Floats, start: Floats, bound: float) -> Floats | None:
    """Give prices q > 0, Σq = 1, near the analytic centre of those with P·q < bound; None when none were found.

    Minimises −Σ log(bound − P·q) − w·Σ log q by damped Newton steps from `start`, (states,), which may be outside: the
    bound is then lowered step by step from where the start is inside. `returns` P is (bets, states).
    Source: Boyd and Vandenberghe, Convex Optimization, 8.5.3 and 10.2.
    """
    states = len(start)
    prices = start + _LEAST_PRICE
    prices /= prices.sum()
    ones = np.ones(states)
    before = np.inf
    for _ in range(_STEPS):
        worth = returns @ prices
        most = float(worth.max())
        outside = most - bound
        if outside > _HOPELESS or 0 < outside > (1 - _PROGRESS) * before:
            return None
        before = outside
        reached = bound if outside < -_GIVE else most + max(_GIVE, outside)
        inverse = 1 / (reached - worth)
        scaled = returns * inverse[:, None]
        gradient = scaled.sum(axis=0) - _STATE_WEIGHT / prices
        hessian = scaled.T @ scaled
        hessian.flat[:: states + 1] += _STATE_WEIGHT / prices**2
        try:
            both = np.linalg.solve(hessian, np.stack([gradient, ones], axis=1))
        except np.linalg.LinAlgError:
            return None
        step = both[:, 1] * (both[:, 0].sum() / both[:, 1].sum()) - both[:, 0]
        decrement = float(-gradient @ step)
        with np.errstate(divide="ignore", invalid="ignore"):
            to_zero = np.where(step < 0, -prices / step, np.inf).min()
            moved = returns @ step
            to_bound = np.where(moved > 0, (reached - worth) / moved, np.inf).min()
        prices = prices + min(1.0, _TO_THE_EDGE * to_zero, _TO_THE_EDGE * to_bound) * step
        if reached == bound and decrement < _CENTRED:
            break
    prices = prices.clip(min=0)
    prices /= prices.sum()
    return prices if float((returns @ prices).max()) < bound else None
