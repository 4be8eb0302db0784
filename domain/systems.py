"""Bets of several legs: accumulators and full covers, each a sum of lines. Formulas: DOMAIN.md, "Settlement"."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb, prod
from typing import Final

from domain.events.bet import BetKind
from domain.refusals import InvalidInput

LEGS_OF: Final[dict[BetKind, int]] = {
    "single": 1,
    "each_way": 1,
    "trixie": 3,
    "patent": 3,
    "yankee": 4,
    "lucky15": 4,
    "canadian": 5,
    "lucky31": 5,
    "heinz": 6,
    "lucky63": 6,
    "super_heinz": 7,
    "goliath": 8,
}
"""Legs that a kind has; an accumulator has two or more."""

WITH_SINGLES: Final[frozenset[BetKind]] = frozenset({"patent", "lucky15", "lucky31", "lucky63"})
FULL_COVERS: Final[frozenset[BetKind]] = frozenset(LEGS_OF) - {"single", "each_way"}


def check_legs(kind: BetKind, legs: int) -> None:
    """Refuse a number of legs that the kind does not have."""
    if kind == "accumulator":
        if legs < 2:  # noqa: PLR2004  one leg is a single
            raise InvalidInput("an accumulator has two legs or more", field="legs")
    elif legs != LEGS_OF[kind]:
        raise InvalidInput(f"a {kind} has {LEGS_OF[kind]} legs, not {legs}", field="legs")


def line_sizes(kind: BetKind, legs: int) -> range:
    """Give how many legs the lines of a bet have, from the smallest to the largest."""
    if kind in FULL_COVERS:
        return range(1 if kind in WITH_SINGLES else 2, legs + 1)
    return range(legs, legs + 1)


def line_count(kind: BetKind, legs: int) -> int:
    """Count the lines: a Yankee has 11, a Goliath 247."""
    return sum(comb(legs, size) for size in line_sizes(kind, legs))


def return_per_line_stake(kind: BetKind, multipliers: Sequence[Fraction]) -> Fraction:
    """Return of all lines together per unit staked on each, by its legs' multipliers.

    Π m for singles and accumulators; Π(1 + m) − 1 for full covers, less Σ m for those without singles.
    """
    if kind not in FULL_COVERS:
        # Reduced once, at the end: nearly all of the time would go into the steps between.
        numerator = prod(each.numerator for each in multipliers)
        return Fraction(numerator, prod(each.denominator for each in multipliers))
    covers = prod((1 + each for each in multipliers), start=Fraction(1)) - 1
    return covers if kind in WITH_SINGLES else covers - sum(multipliers, Fraction(0))


def winnings_per_line_stake(kind: BetKind, multipliers: Sequence[Fraction]) -> Fraction:
    """What all lines together win per unit staked on each when no stake is returned, as on a free bet.

    A line pays what it returns above its stake, and nothing where it returns less: so every line counts for itself.
    """
    if kind not in FULL_COVERS:
        return max(return_per_line_stake(kind, multipliers) - 1, Fraction(0))
    # Each line's numerator over one denominator, with its legs: a Goliath has 247, too many to work out in fractions.
    lines = [(1, 0)]
    for each in multipliers:
        top, bottom = each.as_integer_ratio()
        lines = [line for n, legs in lines for line in ((n * bottom, legs), (n * top, legs + 1))]
    staked = prod(each.denominator for each in multipliers)
    smallest = line_sizes(kind, len(multipliers)).start
    won = sum(n - staked for n, legs in lines if legs >= smallest and n > staked)
    return Fraction(won, staked)
