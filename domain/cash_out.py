"""What cashing a bet out pays now: the stake times what its legs are worth at today's prices, less a margin.

A share of the stake that is open may be cashed out; the rest stays open, and may be cashed out in its turn. A leg is
worth o_taken / o_now while it is open, and its multiplier once it is decided. Published case: 10 at 6.0, now 2.25, is
worth 26.67 before the margin.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Final
from uuid import UUID

from domain.account import Account
from domain.bet import Bet
from domain.events.account import StakeSettled
from domain.events.bet import BetPartCashedOut, BetPlaced, BetSettled, CashOut, Leg, PriceSeen
from domain.legs import Taken, leg_outcome
from domain.market import Market
from domain.money import has_at_most_places, round_half_up
from domain.refusals import (
    BetStateConflict,
    InvalidInput,
    MarketNotOpen,
    NotOffered,
    PriceChanged,
    PriceStale,
)
from domain.returns import payout_cap_minor

MARGIN: Final = Decimal("0.05")
"""The share of a bet's worth that the book keeps unless it is set up otherwise."""

TOLERANCE: Final = Decimal(0)
"""By what share an offer may be lower than what was asked for, and still be taken, unless the book is set up otherwise."""

SHARE_PLACES: Final = 6
KINDS: Final = frozenset({"single", "accumulator"})


def stake_of(bet: Bet, share: Decimal | None) -> int:
    """Give the stake of this share of what is open of the bet, in whole minor units rounded half up; None: all of it.

    A share that rounds to nothing, or leaves nothing, is refused.
    """
    whole = bet.standing.total_stake_minor
    if share is None:
        return whole
    if not (has_at_most_places(share, SHARE_PLACES) and 0 < share <= 1):
        raise InvalidInput(
            "a share is above 0 and at most 1, with 6 decimals at most", field="share"
        )
    stake = round_half_up(whole * Fraction(share))
    if not stake:
        raise InvalidInput(f"this share of a stake of {whole} rounds to nothing", field="share")
    if stake == whole and share < 1:
        raise InvalidInput(
            f"this share of a stake of {whole} leaves nothing open: cash out all of it",
            field="share",
        )
    return stake


def offer_minor(
    bet: Bet,
    account: Account,
    markets: Mapping[UUID, Market],
    prices: Sequence[PriceSeen],
    margin: Decimal,
    stake_minor: int | None = None,
) -> int:
    """Give what this much of the bet's open stake pays if it is cashed out now, in minor units, rounded half up.

    A part after the first that leaves something open is rounded down: cut into the smallest parts, each half up, a bet
    would pay up to twice its worth. `prices` are those of the open legs that are fresh. It never is more than this part could return, and a market's cap
    on payouts holds here too. Raises the refusal that says why there is no offer.
    """
    placed = bet.standing
    check_offered(bet, account)
    stake = placed.total_stake_minor if stake_minor is None else stake_minor
    fresh = {(price.market_id, price.selection_id): price.odds for price in prices}
    worth = stake * (1 - Fraction(margin))
    is_open = False
    for leg in placed.legs:
        market = markets[leg.market_id]
        assert leg.odds is not None
        ended = leg_outcome(Taken(leg, placed.placed_at, best_odds=False, each_way=False), market)
        if ended is not None:
            worth *= ended.win
            continue
        is_open = True
        worth *= Fraction(leg.odds) / _odds_now(leg, market, fresh)
    if not is_open:
        raise BetStateConflict("every leg of the bet is decided")
    is_further_part = bet.cashed_stake_minor > 0 and stake < placed.total_stake_minor
    rounded = floor(worth) if is_further_part else round_half_up(worth)
    offer = min(rounded, _potential_return_minor(placed, stake))
    cap = payout_cap_minor(placed, markets, stake, bet.cashed_stake_minor)
    if cap is not None:
        offer = min(offer, max(cap, stake))
    if offer <= 0:
        raise NotOffered("the bet is worth nothing")
    return offer


def check_taken(offer: int, asked: int, tolerance: Decimal) -> None:
    """Refuse to pay an offer that has fallen by more than this share below what was asked for."""
    if offer < asked * (1 - Fraction(tolerance)):
        raise PriceChanged(
            f"the offer is {offer} now (minor units)", members={"offer_minor": offer}
        )


def cash_out(
    bet: Bet, stake_minor: int, return_minor: int, taken: CashOut
) -> tuple[BetSettled | BetPartCashedOut, StakeSettled]:
    """Settle this much of the bet's open stake with what was offered for it, for good."""
    standing = bet.standing
    if stake_minor == standing.total_stake_minor:
        return bet.cash_out(return_minor, taken)
    potential = _potential_return_minor(standing, stake_minor)
    return BetPartCashedOut(
        account_id=standing.account_id,
        stake_minor=stake_minor,
        return_minor=return_minor,
        potential_return_minor=potential,
        currency=standing.currency,
        cash_out=taken,
    ), StakeSettled(
        bet_id=bet.bet_id,
        stake_minor=stake_minor,
        return_minor=return_minor,
        potential_return_minor=potential,
        currency=standing.currency,
        by_hand="cash_out",
    )


def _potential_return_minor(standing: BetPlaced, stake_minor: int) -> int:
    """Give what a part of the bet could return: so much less can the rest, which is rounded by itself."""
    rest = Fraction(standing.total_stake_minor - stake_minor)
    for leg in standing.legs:
        assert leg.odds is not None
        rest *= Fraction(leg.odds)
    return standing.potential_return_minor - round_half_up(rest)


def check_offered(bet: Bet, account: Account) -> None:
    """Refuse bets that are not cashed out, whatever the prices."""
    placed = bet.placed
    if bet.status != "open":
        raise BetStateConflict(f"the bet is {bet.status}")
    if bet.repricing is not None:
        raise BetStateConflict("the odds of the bet are under review")
    if (
        placed.kind not in KINDS
        or placed.side != "back"
        or placed.each_way
        or placed.best_odds
        or placed.free
        or any(leg.odds is None for leg in placed.legs)
    ):
        raise NotOffered("only singles and accumulators of money at fixed odds are cashed out")
    if account.commission is not None:
        raise NotOffered("bets of an account that pays commission are not cashed out")


def _odds_now(leg: Leg, market: Market, fresh: Mapping[tuple[UUID, str], Decimal]) -> Fraction:
    if market.status != "open":
        raise MarketNotOpen(f"market {market.market_id} is {market.status}")
    if market.withdrawals:
        raise NotOffered(f"a runner of market {market.market_id} is withdrawn")
    odds = fresh.get((leg.market_id, leg.selection_id))
    if odds is None:
        raise PriceStale(
            f"market {market.market_id} has no fresh price for {leg.selection_id!r}: ask again later"
        )
    return Fraction(odds)
