"""Placing bets of every kind: which are taken, what they hold in play, and what they can return."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from domain.account import Account
from domain.deductions import place_odds
from domain.events.bet import BetKind, BetPlaced, Leg, Side
from domain.legs import RACES
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR, check_odds, round_half_up, single_return_minor
from domain.refusals import InvalidInput, LimitExceeded, NotOffered, RelatedContingency
from domain.systems import (
    check_legs,
    line_count,
    return_per_line_stake,
    winnings_per_line_stake,
)

STARTING_PRICE_RETURN = Fraction(1)
"""What a leg at starting price counts in a bet's potential return, which is then the least of it: nobody knows more."""


def place_bet(
    account: Account,
    markets: Mapping[UUID, Market],
    legs: tuple[Leg, ...],
    stake_minor: int,
    now: datetime,
    *,
    kind: BetKind = "single",
    side: Side = "back",
    each_way: bool = False,
    best_odds: bool = False,
    free: bool = False,
) -> BetPlaced:
    """Decide a bet of any kind; `stake_minor` is per line and, for a lay, what the backer stakes.

    A lay holds its liability in play: what the back bet would win, rounded as the back bet's return is. A `free` bet
    holds nothing in play, and can return its winnings.
    """
    check_legs(kind, len(legs))
    _check_related(legs, markets)
    for number, leg in enumerate(legs):
        if leg.odds is not None:
            check_odds(leg.odds, f"legs[{number}].odds")
    if free and (side == "lay" or best_odds):
        raise NotOffered("a free bet is a back bet at the odds taken", field="free")
    if side == "lay":
        _check_lay(
            kind, legs[0], markets[legs[0].market_id], each_way=each_way, best_odds=best_odds
        )
        total, returned = _lay(legs[0], stake_minor)
    else:
        each_way = _is_each_way(kind, legs, markets, each_way=each_way)
        total = stake_minor * line_count(kind, len(legs)) * (2 if each_way else 1)
        returned = _back(kind, legs, markets, stake_minor, each_way=each_way, free=free)
    if max(total, returned) > MAX_FUNDS_MINOR:
        raise LimitExceeded(f"a bet stakes and returns at most {MAX_FUNDS_MINOR} minor units")
    for leg in legs:
        markets[leg.market_id].check_takes(leg.selection_id, total, returned)
    placed = BetPlaced(
        account_id=account.account_id,
        owner=account.owner,
        kind=kind,
        side=side,
        legs=legs,
        stake_minor=stake_minor,
        total_stake_minor=0 if free else total,
        potential_return_minor=returned,
        currency=account.currency,
        each_way=each_way,
        best_odds=best_odds,
        placed_at=_placed_at(legs, markets, now),
        free=free,
    )
    if best_odds or any(leg.odds is None for leg in legs):
        most = most_minor(placed, markets)
        for leg in legs:
            markets[leg.market_id].check_returns(most)
    return placed


def _placed_at(
    legs: tuple[Leg, ...], markets: Mapping[UUID, Market], now: datetime
) -> datetime | None:
    """Give when a bet on races was placed: never before a withdrawal that the market knows of, whatever the clock says."""
    on = [markets[leg.market_id] for leg in legs]
    if not any(market.type in RACES for market in on):
        return None
    return max([now, *(each.at for market in on for each in market.withdrawals)])


def potential_return_minor(placed: BetPlaced, markets: Mapping[UUID, Market]) -> int:
    """Give what a back bet can return at the odds that it has."""
    each_way = placed.each_way or placed.kind == "each_way"
    return _back(
        placed.kind, placed.legs, markets, placed.stake_minor, each_way=each_way, free=placed.free
    )


def most_minor(placed: BetPlaced, markets: Mapping[UUID, Market]) -> int | None:
    """Give the most that a bet may return, None where nobody knows: at starting prices only a cap on payouts says it."""
    if not placed.best_odds and all(leg.odds is not None for leg in placed.legs):
        return placed.potential_return_minor
    caps = [
        limits.max_payout_minor
        for leg in placed.legs
        if (limits := markets[leg.market_id].limits) and limits.max_payout_minor is not None
    ]
    return max(min(caps), placed.total_stake_minor) if caps else None


def staked_minor(placed: BetPlaced) -> int:
    """Give the stakes of all lines of a back bet together, money or bonus."""
    lines = line_count(placed.kind, len(placed.legs))
    both = placed.each_way or placed.kind == "each_way"
    return placed.stake_minor * lines * (2 if both else 1)


def _check_related(legs: tuple[Leg, ...], markets: Mapping[UUID, Market]) -> None:
    """Refuse legs that depend on each other: their odds do not multiply."""
    if len({leg.market_id for leg in legs}) < len(legs):
        raise RelatedContingency("two legs are on the same market", field="legs")
    fixtures = {markets[leg.market_id].fixture.fixture_id or leg.market_id for leg in legs}
    if len(fixtures) < len(legs):
        raise RelatedContingency("two legs are on the same fixture", field="legs")


def _check_lay(kind: BetKind, leg: Leg, market: Market, *, each_way: bool, best_odds: bool) -> None:
    if kind != "single" or each_way:
        raise NotOffered("only singles are laid", field="side")
    if best_odds:
        raise NotOffered("best odds are guaranteed to who backs", field="best_odds")
    if leg.odds is None:
        raise NotOffered(
            "a lay needs its odds: its liability is held by them", field="legs[0].odds"
        )
    if market.pricing == "house":
        raise NotOffered("the house takes no lays", field="side")


def _lay(leg: Leg, stake_minor: int) -> tuple[int, int]:
    assert leg.odds is not None
    liability = single_return_minor(stake_minor, leg.odds) - stake_minor
    if not liability:
        raise InvalidInput("the liability of this lay rounds to nothing", field="stake_minor")
    return liability, liability + stake_minor


def _is_each_way(
    kind: BetKind, legs: tuple[Leg, ...], markets: Mapping[UUID, Market], *, each_way: bool
) -> bool:
    if kind == "single" and each_way:
        raise InvalidInput("a single each way is of kind each_way", field="each_way")
    if kind != "each_way" and not each_way:
        return False
    for number, leg in enumerate(legs):
        market = markets[leg.market_id]
        terms = market.terms
        if (
            market.type not in ("WIN", "EW")
            or terms is None
            or not (terms.each_way_places and terms.each_way_divisor)
        ):
            raise NotOffered("this market has no each-way terms", field=f"legs[{number}].market_id")
    return True


def _back(
    kind: BetKind,
    legs: tuple[Leg, ...],
    markets: Mapping[UUID, Market],
    stake_minor: int,
    *,
    each_way: bool,
    free: bool,
) -> int:
    per_line = winnings_per_line_stake if free else return_per_line_stake
    odds = [STARTING_PRICE_RETURN if leg.odds is None else Fraction(leg.odds) for leg in legs]
    multiplier = per_line(kind, odds)
    if each_way:
        places = [
            place_odds(each, _divisor(markets[leg.market_id]))
            for each, leg in zip(odds, legs, strict=True)
        ]
        multiplier += per_line(kind, places)
    return round_half_up(stake_minor * multiplier)


def _divisor(market: Market) -> int:
    return (market.terms and market.terms.each_way_divisor) or 1
