"""What a bet returns in the end, whatever its kind: from its legs' outcomes to a status and an amount, rounded once."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from domain.events import BetKind, SettledStatus, Side
from domain.legs import LegOutcome
from domain.money import MAX_FUNDS_MINOR, round_half_up
from domain.settlement import Outcome
from domain.systems import return_per_line_stake, winnings_per_line_stake

_MIRRORED: Final[dict[SettledStatus, SettledStatus]] = {
    "won": "lost",
    "lost": "won",
    "void": "void",
    "part_won": "part_won",
}


def bet_outcome(
    kind: BetKind,
    side: Side,
    legs: Sequence[LegOutcome],
    *,
    each_way: bool,
    stake_minor: int,
    total_stake_minor: int,
    max_payout_minor: int | None,
    free: bool = False,
) -> Outcome:
    """Settle a bet whose legs are all decided; `stake_minor` is per line.

    A lay gets its liability and what was staked against it, less what the back bet returns: so its profit is exactly
    the back bet's with the other sign. A cap never takes more than the winnings. A free bet returns its winnings.
    """
    results = tuple(leg.result for leg in legs)
    parts = [[leg.win for leg in legs]]
    if each_way:
        parts.append([leg.place for leg in legs])
    multiplier = sum((return_per_line_stake(kind, part) for part in parts), Fraction(0))
    status = _status(legs, multiplier)
    if free:
        multiplier = sum((winnings_per_line_stake(kind, part) for part in parts), Fraction(0))
    returned = round_half_up(stake_minor * multiplier)
    if side == "lay":
        return Outcome(_MIRRORED[status], total_stake_minor + stake_minor - returned, results)
    cap = MAX_FUNDS_MINOR if max_payout_minor is None else max_payout_minor
    return Outcome(status, min(returned, max(cap, total_stake_minor)), results)


def _status(legs: Sequence[LegOutcome], multiplier: Fraction) -> SettledStatus:
    """Name how the legs ended, not the amount: lost returns nothing, won lost no leg, void decided none."""
    if not multiplier:
        return "lost"
    if all(leg.is_void for leg in legs):
        return "void"
    return "won" if all(leg.is_void or leg.is_full_win for leg in legs) else "part_won"
