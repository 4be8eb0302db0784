"""What cashing a bet out pays now: the stake times what its legs are worth at today's prices, less a margin.

A leg is worth o_taken / o_now while it is open, and its multiplier once it is decided. Published case: 10 at 6.0, now 2.25,
is worth 26.67 before the margin.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

from domain.account import Account
from domain.bet import Bet
from domain.events import BetPlaced, Leg, PriceSeen
from domain.market import Market
from domain.money import round_half_up
from domain.refusals import BetStateConflict, MarketNotOpen, NotOffered, PriceStale
from domain.settlement import leg_multiplier

MARGIN: Final = Decimal("0.05")
"""The share of a bet's worth that the book keeps unless it is set up otherwise."""

KINDS: Final = frozenset({"single", "accumulator"})


def offer_minor(
    bet: Bet,
    account: Account,
    markets: Mapping[UUID, Market],
    prices: Sequence[PriceSeen],
    margin: Decimal,
) -> int:
    """Give what the bet pays if it is cashed out now, in minor units of its currency, rounded half up.

    `prices` are those of the open legs that are fresh. A market's cap on payouts holds here too. Raises the refusal that
    says why there is no offer.
    """
    placed = bet.placed
    if bet.status != "open":
        raise BetStateConflict(f"the bet is {bet.status}")
    _check_kind(placed, account)
    fresh = {(price.market_id, price.selection_id): price.odds for price in prices}
    worth = Fraction(placed.stake_minor) * (1 - Fraction(margin))
    is_open = False
    for leg in placed.legs:
        market = markets[leg.market_id]
        assert leg.odds is not None
        result = market.results.get(leg.selection_id)
        if result is not None:
            worth *= leg_multiplier(leg.odds, result)
            continue
        is_open = True
        worth *= Fraction(leg.odds) / _odds_now(leg, market, fresh)
    if not is_open:
        raise BetStateConflict("every leg of the bet is decided")
    offer = min([round_half_up(worth), *_caps(placed, markets)])
    if offer <= 0:
        raise NotOffered("the bet is worth nothing")
    return offer


def _check_kind(placed: BetPlaced, account: Account) -> None:
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


def _caps(placed: BetPlaced, markets: Mapping[UUID, Market]) -> list[int]:
    """Give the caps on what the bet pays; none takes more than the winnings."""
    limits = (markets[leg.market_id].limits for leg in placed.legs)
    return [
        max(each.max_payout_minor, placed.total_stake_minor)
        for each in limits
        if each is not None and each.max_payout_minor is not None
    ]
