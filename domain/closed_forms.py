"""Closed forms of simple arbitrages: the cost of one unit of certain return.

They say by formula what the linear programme finds by search, and each is a check of the other. Below 1 the bets are an
arbitrage whose profit margin is 1/cost − 1. Source: DOMAIN.md, "Arbitrage".
"""

from collections.abc import Iterable
from fractions import Fraction


def n_way_cost(odds: Iterable[Fraction]) -> Fraction:
    """K = Σ 1/oᵢ for one bet on each way that a market can end; stakes are as 1/oᵢ."""
    return sum((1 / each for each in odds), Fraction(0))


def home_draw_and_away_level_cost(home: Fraction, draw: Fraction, away: Fraction) -> Fraction:
    """Home, draw, and away at handicap 0, whose stake comes back on a draw: 1/a + 1/b + (1 − 1/b)/x."""
    return 1 / home + 1 / away + (1 - 1 / away) / draw


def home_and_away_quarter_cost(home: Fraction, away: Fraction) -> Fraction:
    """Home, and away at handicap +0.25, half won on a draw, which pays the least there: 1/a + 2/(b + 1)."""
    return 1 / home + 2 / (away + 1)


def home_and_away_half_cost(home: Fraction, away: Fraction) -> Fraction:
    """Home, and away at handicap +0.5, won on a draw: 1/a + 1/b."""
    return 1 / home + 1 / away


def lay_stake(stake: Fraction, back: Fraction, lay: Fraction, commission: Fraction) -> Fraction:
    """Stake to lay so that a backed selection earns the same either way: s·o_back/(o_lay − c)."""
    return stake * back / (lay - commission)
