"""Decisions of the settlement process."""

from decimal import Decimal
from uuid import UUID

from application import answers
from application.answers import Answer
from application.decisions import liabilities
from application.decisions.context import Context, as_account, settlement_id
from domain.account import Account
from domain.bet import Bet, BetChange
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.events.account import CommissionCharged
from domain.market import Market
from domain.refusals import AccountNotFound, MarketNotFound, MarketStateConflict
from domain.settling import Settling, profit_change


def settle_bets(command: SettleBets, ctx: Context) -> Answer:
    """Bring these bets to what the markets of their legs say now; what is there already is passed over.

    So a step may be repeated or interrupted anywhere, and a step of an older generation is refused.
    """
    market = _market_in(command.generation, ctx)
    settling = _settling(ctx)
    settling.check_reached(command.generation, command.since)
    book = ctx.book
    markets: dict[UUID, Market] = {market.market_id: market}
    changed: list[BetChange] = []
    profits: dict[UUID, int] = {}
    ended: list[tuple[Bet, Bet]] = []
    for bet_id in command.bet_ids:
        bet = book.get(bet_id)
        if not isinstance(bet, Bet) or not bet.touches(market.market_id):
            continue
        for leg in bet.placed.legs:
            if leg.market_id not in markets:
                markets[leg.market_id] = ctx.find(Market, leg.market_id, MarketNotFound)
        change = bet.bring_to(bet.outcome(markets))
        if change is None:
            continue
        of_bet, of_account = change
        after = book.record(bet_id, of_bet)
        if isinstance(after, Bet):
            ended.append((bet, after))
        if of_account is not None:
            account_id = bet.placed.account_id
            account = as_account(book.record(account_id, of_account))
            if account.commission is not None and len(bet.placed.legs) == 1:
                profits[account_id] = profits.get(account_id, 0) + profit_change(of_bet)
        changed.append(of_bet)
    liabilities.follow(ended, markets, ctx)
    progressed = settling.progress(
        market.market_id, changed, command.generation, command.after, profits
    )
    if progressed is not None:
        book.record(settlement_id(market.market_id), progressed)
    return answers.BetsSettled(len(changed), book.position)


def complete_settlement(command: CompleteSettlement, ctx: Context) -> Answer:
    """End a generation of the target market's settlement, once, and charge its commissions by the difference."""
    market = _market_in(command.generation, ctx)
    settling = _settling(ctx)
    settling.check_reached(command.generation, command.since)
    accounts = {each: ctx.find(Account, each, AccountNotFound) for each in settling.profits}
    rates = {each: account.commission or Decimal(0) for each, account in accounts.items()}
    completed = settling.complete(market.market_id, command.generation, rates)
    if completed is not None:
        ctx.book.record(settlement_id(market.market_id), completed)
        for due in completed.commissions:
            charged = CommissionCharged(
                market_id=market.market_id,
                amount_minor=due.amount_minor,
                currency=accounts[due.account_id].currency,
            )
            ctx.book.record(due.account_id, charged)
    return answers.BetsSettled(0, ctx.book.position)


def _market_in(generation: int, ctx: Context) -> Market:
    market = ctx.find(Market, ctx.target, MarketNotFound)
    if generation != market.generation or not generation:
        raise MarketStateConflict(
            f"the market's results are in generation {market.generation}, not {generation}"
        )
    return market


def _settling(ctx: Context) -> Settling:
    assert ctx.target is not None
    state = ctx.book.get(settlement_id(ctx.target))
    return state if isinstance(state, Settling) else Settling(0)
