"""How much to stake: the shares of a bankroll that make it grow fastest, and shares of those.

A share is a fraction of the bankroll. Stakes in money are made of it at the end, rounded down. Odds are those after an
exchange's commission (`domain.outcomes.back_odds`).
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from domain.prediction.checks import (
    SUM_TOLERANCE,
    Floats,
    check_number,
    to_floats,
    to_probabilities,
)
from domain.refusals import InvalidInput

_ROUNDING: Final = 1e-12
_STEPS: Final = 60  # halvings: more than a float has digits


class StakeRule(Struct, frozen=True):
    """How boldly to stake: `fraction` of Kelly's share, at most `cap` on a bet and `total_cap` on a market."""

    fraction: float = 1.0
    cap: float = 1.0
    total_cap: float = 1.0

    def check(self) -> None:
        """Refuse shares that are not from 0 to 1."""
        for field in ("fraction", "cap", "total_cap"):
            check_number(getattr(self, field), field, 0, 1)


def kelly_share(probability: float, odds: float, rule: StakeRule | None = None) -> float:
    """Give the share of one bet that is won or lost: (p·o − 1)/(o − 1), none where that is negative.

    Source: Kelly 1956.
    """
    check_number(probability, "probability", 0, 1)
    if not 1 < odds < np.inf:
        raise InvalidInput("odds lie above 1", field="odds")
    return _ruled(max(0.0, (probability * odds - 1) / (odds - 1)), rule)


def kelly_share_of_returns(
    probabilities: ArrayLike, returns: ArrayLike, rule: StakeRule | None = None
) -> float:
    """Give the share of one bet with pushes or half results: the f that maximises Σ p·log(1 − f + f·r).

    `returns` (states,) are gross returns per unit staked in states with these `probabilities` (states,): 0 lost, 1 a
    push, o won, (o + 1)/2 half won, ½ half lost.
    """
    chances = to_probabilities(probabilities, "probabilities", dimensions=1)
    gross = to_floats(returns, "returns", dimensions=1)
    if gross.shape != chances.shape or (gross < 0).any():
        raise InvalidInput("each state has a return, of 0 or more", field="returns")
    gains = gross - 1

    def slope(share: float) -> float:
        wealth = 1 + share * gains[chances > 0]
        if (wealth <= 0).any():
            return -np.inf
        return float((chances[chances > 0] * gains[chances > 0] / wealth).sum())

    return _ruled(_where_falls(slope) if slope(0) > 0 else 0.0, rule)


def kelly_shares(
    probabilities: ArrayLike, odds: ArrayLike, rule: StakeRule | None = None
) -> Floats:
    """Give the shares (outcomes,) of bets placed at once on outcomes that exclude each other.

    `probabilities` (outcomes,) sum to 1, or to less where some outcome is not on offer. They are the shares that make
    the bankroll grow fastest, times the rule's fraction, among those that keep the rule's caps: also a bet that is no
    value by itself may belong to them, as insurance. Without caps they are exact: outcomes are taken in falling order
    of p·o while p·o is above the reserve R = (1 − Σp)/(1 − Σ1/o) of those taken, and f = p − R/o. Where the odds leave
    an arbitrage the whole bankroll is bet. Source: Kelly 1956; Smoczynski and Tomkins 2010.
    """
    chances = to_floats(probabilities, "probabilities", dimensions=1)
    prices = to_floats(odds, "odds", dimensions=1)
    if chances.shape != prices.shape or not chances.size:
        raise InvalidInput("each outcome has a probability and odds", field="odds")
    if (chances < 0).any() or chances.sum() > 1 + SUM_TOLERANCE:
        raise InvalidInput(
            "probabilities are 0 or more and sum to 1 at most", field="probabilities"
        )
    if (prices <= 1).any():
        raise InvalidInput("odds lie above 1", field="odds")
    rule = StakeRule() if rule is None else rule
    rule.check()
    chances = chances / max(1.0, chances.sum())
    shares = _unbounded(chances, prices)
    scaled: Floats = rule.fraction * shares
    if scaled.max() <= rule.cap and scaled.sum() <= rule.total_cap:
        return scaled
    if (shares > 0).sum() == 1:
        # Less on the only bet makes no other one better.
        return np.minimum(scaled, min(rule.cap, rule.total_cap))
    # The best shares g under cap/fraction keep the caps when they are scaled.
    most, most_in_all = rule.cap / rule.fraction, rule.total_cap / rule.fraction
    bounded: Floats = rule.fraction * _bounded(
        chances, prices, min(1.0, most), min(1.0, most_in_all)
    )
    return bounded


def growth(probabilities: ArrayLike, odds: ArrayLike, shares: ArrayLike) -> float:
    """Give the expected log growth of a bankroll, Σp·log(1 − Σf + o·f), bets on exclusive outcomes; −inf when all can be lost."""
    chances, prices, staked = (
        to_floats(values, field, dimensions=1)
        for values, field in ((probabilities, "probabilities"), (odds, "odds"), (shares, "shares"))
    )
    kept = 1 - staked.sum()
    wealth = np.append(kept + prices * staked, kept)
    weights = np.append(chances, _missing(chances))
    possible = weights > 0
    if (wealth[possible] <= 0).any():
        return -np.inf
    return float((weights[possible] * np.log(wealth[possible])).sum())


def _unbounded(chances: Floats, prices: Floats) -> Floats:
    shares = np.zeros_like(chances)
    taken = np.zeros(len(chances), np.bool_)
    reserve = 1.0
    missing = _missing(chances)
    for at in np.argsort(-chances * prices, kind="stable"):
        if chances[at] * prices[at] <= reserve:
            break
        left = 1 - (1 / prices[taken]).sum() - 1 / prices[at]
        if left <= 0:
            break  # only rounding put p·o above the reserve: there it is worth nothing more
        taken[at] = True
        reserve = (chances[~taken].sum() + missing) / left
    # Where p·o is the reserve but for rounding, the share is 0.
    shares[taken] = np.maximum(chances[taken] - reserve / prices[taken], 0)
    return shares


def _missing(chances: Floats) -> float:
    """Give the probability that no outcome with odds happens; what rounding left of a sum of 1 is none."""
    missing = 1 - float(chances.sum())
    return missing if missing > _ROUNDING else 0.0


def _bounded(chances: Floats, prices: Floats, most: float, most_in_all: float) -> Floats:
    """Find the best shares under caps: of each reserve the best split, and of the reserves the best, by halving.

    Growth is concave in the reserve b = 1 − Σf, and its slope there is Σp/(wealth) less what another unit staked is worth.
    Few outcomes: plain numbers are faster than arrays here.
    """
    bets = list(zip(chances.tolist(), prices.tolist(), strict=True))
    missing = _missing(chances)
    possible = sum(chance > 0 for chance, _ in bets)
    low, high = max(1 - most_in_all, 1 - most * possible, 0.0), 1.0
    for _ in range(_STEPS):
        reserve = (low + high) / 2
        inverse = _inverse_worth(bets, reserve, most)
        slope = missing / reserve - 1 / inverse
        for chance, price in bets:
            slope += chance / (reserve + price * _share(chance, price, reserve, inverse, most))
        low, high = (reserve, high) if slope > 0 else (low, reserve)
    reserve = (low + high) / 2
    inverse = _inverse_worth(bets, reserve, most)
    return np.array([_share(*bet, reserve, inverse, most) for bet in bets])


def _share(chance: float, price: float, reserve: float, inverse: float, most: float) -> float:
    """Give the share of an outcome whose last unit is worth 1/`inverse`: f = p/worth − b/o within its bounds."""
    return min(max(chance * inverse - reserve / price, 0.0), most)


def _inverse_worth(bets: Sequence[tuple[float, float]], reserve: float, most: float) -> float:
    """Find 1/worth at which the shares add up to 1 − `reserve`: their sum is a rising broken line, walked along."""
    turns: list[tuple[float, float]] = []
    for chance, price in bets:
        if chance > 0:
            begins = reserve / price / chance
            turns += [(begins, chance), (begins + most / chance, -chance)]
    turns.sort()
    left, rise, at = 1 - reserve, 0.0, 0.0
    for turn, change in turns:
        step = rise * (turn - at)
        if step >= left:
            return at + left / rise
        left, rise, at = left - step, rise + change, turn
    return at


def _where_falls(slope: Callable[[float], float]) -> float:
    """Find where a falling function crosses 0, or 1 when it does not before."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return low


def _ruled(share: float, rule: StakeRule | None) -> float:
    if rule is None:
        return share
    rule.check()
    return min(rule.fraction * share, rule.cap, rule.total_cap)
