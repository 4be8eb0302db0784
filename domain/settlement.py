"""Settlement rules: from results to leg multipliers to returns. Pure, exact, rounded once.

Formulas and their published cases are in DOMAIN.md, "Settlement". Bets of several legs are in `domain.systems`, what is
deducted from odds in `domain.deductions`: a bet's return is its stake times a sum of products of leg multipliers.
"""

from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from domain.events.bet import EndStatus, SettledStatus
from domain.events.market import MarketType, Result, SelectionResult
from domain.money import round_half_up, single_return_minor
from domain.refusals import InvalidInput, ResultNotDerivable

VOID_FACTOR: dict[Result, Fraction] = {
    "won": Fraction(0),
    "lost": Fraction(0),
    "push": Fraction(1),
    "void": Fraction(1),
    "half_won": Fraction(1, 2),
    "half_lost": Fraction(1, 2),
    "placed": Fraction(0),
}
WINNING: frozenset[Result] = frozenset({"won", "half_won"})
PLACING: frozenset[MarketType] = frozenset({"WIN", "PLACE", "EW"})
"""Types of markets in which a selection can be placed; it wins in a PLACE market and each way, and loses in the others."""


class Outcome(Struct, frozen=True, gc=False):
    """How a bet ended: `return_minor` includes the stake, `results` are in the order of its legs.

    An accumulator is lost with its first lost leg: the results of legs that are not decided then are None.
    """

    status: EndStatus
    return_minor: int
    results: tuple[SelectionResult | None, ...]

    def is_told_by(self, told: "Outcome") -> bool:
        """Tell whether there is nothing to tell when this was told: only legs were decided that change nothing."""
        if self == told:
            return True
        if (self.status, self.return_minor) != (told.status, told.return_minor):
            return False
        pairs = zip(self.results, told.results, strict=True)
        return all(before is None or now == before for now, before in pairs)


def check_settles(result: SelectionResult, market_type: MarketType) -> None:
    """Refuse a result that says nothing in a market of this type, and a dead heat that is none."""
    if result.result == "placed" and market_type not in PLACING:
        raise ResultNotDerivable(f"nothing is placed in a {market_type} market")
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


def settle_single(odds: Decimal, result: SelectionResult, stake_minor: int) -> Outcome:
    """Settle a plain single back bet at its odds: its return includes the stake, rounded half up.

    The status names the result, not the amount: a dead heat that happens to return the stake voided nothing.
    """
    if result.result == "lost":
        return Outcome("lost", 0, (result,))
    if result.result == "won" and result.dead_heat is None:
        return Outcome("won", single_return_minor(stake_minor, odds), (result,))
    status: SettledStatus = "void" if VOID_FACTOR[result.result] == 1 else "part_won"
    returned = round_half_up(stake_minor * leg_multiplier(odds, result))
    return Outcome(status, returned, (result,))
