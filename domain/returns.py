"""What a bet returns in the end, whatever its kind: from its legs' outcomes to a status and an amount, rounded once."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final
from uuid import UUID

from domain.events.bet import BetKind, BetPlaced, SettledStatus, Side
from domain.events.market import SelectionResult
from domain.legs import LegOutcome, Taken, leg_outcome, loses_all, result_of
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR, round_half_up
from domain.settlement import Outcome
from domain.systems import return_per_line_stake, winnings_per_line_stake

_MIRRORED: Final[dict[SettledStatus, SettledStatus]] = {
    "won": "lost",
    "lost": "won",
    "void": "void",
    "part_won": "part_won",
}


def outcome_of(
    standing: BetPlaced, markets: Mapping[UUID, Market], cashed_stake_minor: int
) -> Outcome | None:
    """Tell how a bet of any kind ends by what its markets say now, None while that is undecided.

    `standing` is the bet as it stands, without the parts that were cashed out (`cashed_stake_minor`).
    """
    each_way = standing.each_way or standing.kind == "each_way"
    results: list[SelectionResult | None] = []
    is_lost = is_undecided = False
    for leg in standing.legs:
        market = markets[leg.market_id]
        result = result_of(leg, market)
        results.append(result)
        if result is None:
            is_undecided = True
        elif standing.kind == "accumulator" and loses_all(result, market.type, each_way=each_way):
            is_lost = True
    if is_lost:
        return Outcome("lost", 0, tuple(results))
    if is_undecided:
        return None  # before anything is worked out
    legs: list[LegOutcome] = []
    for leg in standing.legs:
        taken = Taken(leg, standing.placed_at, standing.best_odds, each_way)
        ended = leg_outcome(taken, markets[leg.market_id])
        if ended is None:
            return None
        legs.append(ended)
    cap = payout_cap_minor(standing, markets, standing.total_stake_minor, cashed_stake_minor)
    return bet_outcome(
        standing.kind,
        standing.side,
        legs,
        each_way=each_way,
        stake_minor=standing.stake_minor,
        total_stake_minor=standing.total_stake_minor,
        max_payout_minor=cap,
        free=standing.free,
    )


def payout_cap_minor(
    standing: BetPlaced,
    markets: Mapping[UUID, Market],
    stake_minor: int,
    cashed_stake_minor: int,
) -> int | None:
    """Give the most that the next part of a bet may return by its markets' caps, None without one.

    A cap is shared by the stakes, in the order in which parts are settled: so they add up to it, and none is less than
    its own stake.
    """
    caps = [
        limits.max_payout_minor
        for leg in standing.legs
        if (limits := markets[leg.market_id].limits) and limits.max_payout_minor is not None
    ]
    total = standing.total_stake_minor + cashed_stake_minor
    if not caps or stake_minor == total:
        return min(caps, default=None)
    cap = max(min(caps), total)
    return cap * (cashed_stake_minor + stake_minor) // total - cap * cashed_stake_minor // total


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
