"""Decisions of the settlement process."""

from application import answers
from application.answers import Answer
from application.decisions.context import Context, settlement_id
from domain.bet import Bet
from domain.commands import SettleBets
from domain.events import BetSettled
from domain.market import Market
from domain.refusals import MarketNotFound, MarketStateConflict
from domain.settling import Settling


def settle_bets(command: SettleBets, ctx: Context) -> Answer:
    """Settle what is open of these bets by the target market's result; what is not is passed over."""
    market = _resulted_market(ctx)
    settled: list[BetSettled] = []
    for bet_id in command.bet_ids:
        bet = ctx.book.get(bet_id)
        if not isinstance(bet, Bet) or bet.status != "open":
            continue
        if any(leg.market_id != market.market_id for leg in bet.legs):
            continue
        outcome, credit = bet.settle(tuple(market.results[leg.selection_id] for leg in bet.legs))
        ctx.book.record(bet_id, outcome)
        ctx.book.record(bet.account_id, credit)
        settled.append(outcome)
    if settled:
        stream_id = settlement_id(market.market_id)
        state = ctx.book.get(stream_id)
        state = state if isinstance(state, Settling) else Settling(0)
        ctx.book.record(stream_id, state.progress(market.market_id, settled))
    return answers.BetsSettled(len(settled), ctx.book.position)


def _resulted_market(ctx: Context) -> Market:
    market = ctx.find(Market, ctx.target, MarketNotFound)
    if market.status != "resulted":
        raise MarketStateConflict("the market has no result to settle by")
    return market


def complete_settlement(ctx: Context) -> Answer:
    """End the target market's settlement, once."""
    market = _resulted_market(ctx)
    stream_id = settlement_id(market.market_id)
    state = ctx.book.get(stream_id)
    state = state if isinstance(state, Settling) else Settling(0)
    if not state.completed:
        ctx.book.record(stream_id, state.complete(market.market_id))
    return answers.BetsSettled(0, ctx.book.position)
