"""Settlement rules: from results to leg multipliers to returns. Pure, exact, rounded once.

Formulas and their published cases are in DOMAIN.md, "Settlement". Bets of several legs are in `domain.systems`, what is
deducted from odds in `domain.deductions`: a bet's return is its stake times a sum of products of leg multipliers.
"""

from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from domain.events import Leg, Result, SelectionResult, SettledStatus
from domain.money import round_half_up
from domain.refusals import InvalidInput, ResultNotDerivable

VOID_FACTOR: dict[Result, Fraction] = {
    "won": Fraction(0),
    "lost": Fraction(0),
    "push": Fraction(1),
    "void": Fraction(1),
    "half_won": Fraction(1, 2),
    "half_lost": Fraction(1, 2),
}
WINNING: frozenset[Result] = frozenset({"won", "half_won"})


class Outcome(Struct, frozen=True, gc=False):
    """How a bet ended: `return_minor` includes the stake, `results` are in the order of its legs."""

    status: SettledStatus
    return_minor: int
    results: tuple[SelectionResult, ...]


def check_settles(result: SelectionResult) -> None:
    """Refuse a result that the rules cannot turn into a multiplier."""
    if result.result not in VOID_FACTOR:
        raise ResultNotDerivable(f"a leg is not settled by {result.result!r} yet")
    if (tie := result.dead_heat) and tie.places >= tie.tied:
        raise InvalidInput("a dead heat has more runners than places", field="results.dead_heat")


def leg_multiplier(odds: Decimal, result: SelectionResult) -> Fraction:
    """Return per unit staked on one leg: m = v + (1 − v)·r·f·o.

    v is the share refunded, r whether it won, f the dead-heat factor places / tied, o the decimal odds.
    Source: DOMAIN.md, "Settlement".
    """
    void = VOID_FACTOR[result.result]
    if result.result not in WINNING:
        return void
    tie = result.dead_heat
    factor = Fraction(tie.places, tie.tied) if tie else Fraction(1)
    return void + (1 - void) * factor * Fraction(odds)


def settle_single(leg: Leg, result: SelectionResult, stake_minor: int) -> tuple[SettledStatus, int]:
    """Settle a single back bet: its status and its return in minor units, stake included, rounded half up."""
    return _status(result), round_half_up(stake_minor * leg_multiplier(leg.odds, result))


def _status(result: SelectionResult) -> SettledStatus:
    """Name the result, not the amount: a dead heat that happens to return the stake voided nothing."""
    if VOID_FACTOR[result.result] == 1:
        return "void"
    if result.result == "lost":
        return "lost"
    return "won" if result.result == "won" and result.dead_heat is None else "part_won"
