"""What a leg multiplies by, once its market says how its selection ended: a win part and, each way, a place part.

Formulas: DOMAIN.md, "Settlement". Everything that changes the odds taken is here: starting prices, withdrawn runners.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

from msgspec import Struct

from domain.deductions import TABLES, after_reduction, after_rule4, place_odds
from domain.events.bet import Leg
from domain.events.market import MarketType, Result, RunnerWithdrawn, SelectionResult
from domain.market import Market
from domain.settlement import PLACING, VOID_FACTOR, WINNING

RACES: Final = PLACING
"""Types of markets whose runners may be withdrawn."""

_WON: Final[Fraction] = Fraction(1)
_LOST: Final[Fraction] = Fraction(0)


class LegOutcome(Struct, frozen=True, gc=False):
    """How a leg ended: `win` and `place` are returns per unit staked on each part."""

    result: SelectionResult
    win: Fraction
    place: Fraction
    is_void: bool
    is_full_win: bool


class Taken(Struct, frozen=True, gc=False):
    """What a leg depends on beside its market; `placed_at` is None on markets whose runners are not withdrawn."""

    leg: Leg
    placed_at: datetime | None
    best_odds: bool
    each_way: bool


def result_of(leg: Leg, market: Market) -> SelectionResult | None:
    """Tell what a leg's market says of its selection, None while it does not; a withdrawn runner is void."""
    if market.withdrawals and market.is_withdrawn(leg.selection_id):
        return SelectionResult(leg.selection_id, "void")
    return market.results.get(leg.selection_id)


def loses_all(result: SelectionResult, market_type: MarketType, *, each_way: bool) -> bool:
    """Tell whether a leg with this result loses every line that it is in."""
    if result.result == "placed":
        return not each_way and market_type != "PLACE"
    return result.result == "lost"


def leg_outcome(taken: Taken, market: Market) -> LegOutcome | None:
    """Tell how a leg ended, None while its market does not say, or says no starting price that it needs."""
    leg = taken.leg
    known = result_of(leg, market)
    if known is None:
        return None
    if market.withdrawals and market.is_withdrawn(leg.selection_id):
        return _void(leg)
    if leg.odds is not None and not (taken.each_way or taken.best_odds or market.withdrawals):
        return _plain_outcome(leg.odds, known, market.type)
    odds = _final_odds(taken, market, known)
    if odds is None:
        # Nobody returns a starting price of an abandoned race any more.
        return _void(leg) if market.abandoned else None
    places = (market.terms and market.terms.each_way_places) or 1
    share = _win_share(known, market.type)
    win = _multiplier(known.result, share, odds)
    place, place_share = _LOST, _place_share(known, places)
    if taken.each_way:
        divisor = (market.terms and market.terms.each_way_divisor) or 1
        place = _multiplier(known.result, place_share, _place_odds(taken, market, odds, divisor))
    void = VOID_FACTOR[known.result]
    full = void == 0 and share == 1 and (not taken.each_way or place_share == 1)
    return LegOutcome(known, win, place, is_void=void == 1, is_full_win=full)


def _void(leg: Leg) -> LegOutcome:
    result = SelectionResult(leg.selection_id, "void")
    return LegOutcome(result, _WON, _WON, is_void=True, is_full_win=False)


@lru_cache(16_384)
def _plain_outcome(odds: Decimal, result: SelectionResult, market_type: MarketType) -> LegOutcome:
    """Tell how a leg ended of which nothing but its result and the odds taken matters: many bets share such legs."""
    share, void = _win_share(result, market_type), VOID_FACTOR[result.result]
    win = _multiplier(result.result, share, Fraction(odds))
    full = void == 0 and share == 1
    return LegOutcome(result, win, _LOST, is_void=void == 1, is_full_win=full)


def _multiplier(result: Result, share: Fraction, odds: Fraction) -> Fraction:
    """Give m = v + (1 − v)·f·o; f is the share that won, 0 of what lost."""
    void = VOID_FACTOR[result]
    return void + (1 - void) * share * odds


def _win_share(result: SelectionResult, market_type: MarketType) -> Fraction:
    """Give the share of the win part that won, a dead heat's part of it; in a PLACE market the placed win."""
    if result.result not in WINNING and not (result.result == "placed" and market_type == "PLACE"):
        return _LOST
    tie = result.dead_heat
    return Fraction(tie.places, tie.tied) if tie else Fraction(1)


def _is_placed(result: SelectionResult) -> bool:
    return result.result in WINNING or result.result == "placed"


def _place_share(result: SelectionResult, places: int) -> Fraction:
    """Give the share of the place part that won.

    Who ties for a place shares what the result says. Who ties for the win shares the places from the first on: two
    that dead-heat for the win of a race that pays three places both have a whole one.
    """
    if not _is_placed(result):
        return _LOST
    tie = result.dead_heat
    if tie is None:
        return Fraction(1)
    if result.result == "placed":
        return Fraction(tie.places, tie.tied)
    return Fraction(min(places, tie.tied), tie.tied)


def _final_odds(taken: Taken, market: Market, result: SelectionResult) -> Fraction | None:
    """Give the odds to settle at, after deductions; None while a starting price is missing that decides.

    A starting price was made without the runners that are withdrawn: nothing is deducted from it.
    """
    starting = market.starting_prices.get(taken.leg.selection_id)
    if taken.leg.odds is None:
        if starting is not None:
            return Fraction(starting)
        # What pays nothing needs no price: a runner that is only placed, in a bet to win.
        pays = _win_share(result, market.type) > 0 or (taken.each_way and _is_placed(result))
        return None if pays and VOID_FACTOR[result.result] < 1 else Fraction(1)
    odds = _deducted(Fraction(taken.leg.odds), _concerning(taken, market), market)
    if taken.best_odds and starting is not None:
        return max(odds, Fraction(starting))
    return odds


def _concerning(taken: Taken, market: Market) -> Sequence[RunnerWithdrawn]:
    """Give the withdrawals after the bet: later bets were taken at prices that know of them."""
    at = taken.placed_at
    return [each for each in market.withdrawals if at is None or at < each.at]


def _deducted(odds: Fraction, withdrawn: Sequence[RunnerWithdrawn], market: Market) -> Fraction:
    if not withdrawn:
        return odds
    if pence := rule4_pence(market, withdrawn):
        odds = after_rule4(odds, pence)
    return after_reduction(odds, _factors(withdrawn), place=market.type == "PLACE")


def rule4_pence(market: Market, withdrawn: Sequence[RunnerWithdrawn]) -> int:
    """Give what the table of the market's terms deducts for these runners, in pence in the pound."""
    if market.terms is None or market.terms.rule4 is None:
        return 0
    operator, _, version = market.terms.rule4.rpartition("/")
    table = TABLES[operator, int(version)]
    return table.total_pence(table.pence(each.odds) for each in withdrawn if each.odds is not None)


def _place_odds(taken: Taken, market: Market, odds: Fraction, divisor: int) -> Fraction:
    """Give the odds of the place part; Rule 4 commutes with the terms, an exchange's place factors do not."""
    withdrawn = _concerning(taken, market) if taken.leg.odds is not None else ()
    factors = _factors(withdrawn)
    if not factors or market.type == "PLACE" or taken.leg.odds is None:
        return place_odds(odds, divisor)
    before = Fraction(taken.leg.odds)
    if pence := rule4_pence(market, withdrawn):
        before = after_rule4(before, pence)
    place = after_reduction(place_odds(before, divisor), factors, place=True)
    starting = market.starting_prices.get(taken.leg.selection_id)
    if taken.best_odds and starting is not None:
        return max(place, place_odds(Fraction(starting), divisor))
    return place


def _factors(withdrawn: Sequence[RunnerWithdrawn]) -> list[Decimal]:
    return [each.factor for each in withdrawn if each.factor is not None]
