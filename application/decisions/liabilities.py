"""Steps of decisions that keep limits on liability: every bet on such a market is written to a stream of the market's.

A market without such a limit has no such stream, and its bets cost nothing here.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from uuid import UUID

from application.decisions.context import Context
from domain import liability
from domain.bet import Bet
from domain.events.bet import BetPlaced
from domain.events.liability import Held, LiabilityChanged
from domain.liability import Liability
from domain.market import Market
from domain.refusals import BetNotFound, MarketNotFound

liability_id = lru_cache(4096)(liability.liability_id)


def begin(market: Market, bet_ids: Iterable[UUID], ctx: Context) -> None:
    """Follow the market's liability from now on; `bet_ids` are all bets on it, open or settled."""
    held: list[Held] = []
    for bet_id in bet_ids:
        bet = ctx.find(Bet, bet_id, BetNotFound)
        if bet.status == "open" and bet.touches(market.market_id):
            held.append(liability.held_by(bet.standing, _markets_of(bet.placed, ctx)))
    ctx.book.record(liability_id(market.market_id), liability.counted(market.market_id, held))


def take_on(placed: BetPlaced, markets: Mapping[UUID, Market], ctx: Context) -> None:
    """Count a new bet on those of its markets whose liability is limited; raises LimitExceeded."""
    for market in markets.values():
        if market.max_liability_minor is None:
            continue
        stream = liability_id(market.market_id)
        held = liability.held_by(placed, markets)
        before = ctx.find(Liability, stream, MarketNotFound)
        after = ctx.book.record(stream, LiabilityChanged(market_id=market.market_id, held=(held,)))
        assert isinstance(after, Liability)
        liability.check_limit(market, before, after, held)


def follow(
    changed: Iterable[tuple[Bet, Bet]], markets: Mapping[UUID, Market], ctx: Context
) -> None:
    """Count what became of bets, each before and after: what is no longer open is let go, what is open again is held.

    `markets` are all that they touch; the liabilities of those that have a limit are in memory.
    """
    limited: dict[int, list[tuple[int, Held]]] = {
        market.market_id.int: []
        for market in markets.values()
        if market.max_liability_minor is not None
    }
    if not limited:
        return
    for before, after in changed:
        touched = [
            held
            for leg in before.placed.legs
            if (held := limited.get(leg.market_id.int)) is not None
        ]
        if not touched:
            continue
        change = [
            (sign, liability.held_still(bet.standing, markets))
            for bet, sign in ((before, -1), (after, 1))
            if bet.status == "open"
        ]
        for on_market in touched:
            on_market.extend(change)
    for key, held in limited.items():
        if sums := liability.added_up(held):
            market_id = UUID(int=key)
            event = LiabilityChanged(market_id=market_id, held=sums)
            ctx.book.record(liability_id(market_id), event)


def follow_bet(before: Bet, ctx: Context) -> None:
    """Count what became of one bet."""
    after = ctx.book.get(before.bet_id)
    assert isinstance(after, Bet)
    follow([(before, after)], _markets_of(before.placed, ctx), ctx)


def _markets_of(placed: BetPlaced, ctx: Context) -> dict[UUID, Market]:
    return {leg.market_id: ctx.find(Market, leg.market_id, MarketNotFound) for leg in placed.legs}
