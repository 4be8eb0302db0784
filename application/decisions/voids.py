"""Decisions that change a bet by hand."""

from application import answers
from application.answers import Answer
from application.decisions import liabilities
from application.decisions.context import Context, as_account, settlement_id
from domain.account import Account
from domain.bet import Bet, BetChange
from domain.commands.bet import VoidBet
from domain.events.account import CommissionCharged
from domain.events.bet import BetResettled
from domain.events.settlement import SettlementCompleted
from domain.market import Market
from domain.refusals import AccountNotFound, BetNotFound, MarketNotFound
from domain.settling import Settling


def void_bet(command: VoidBet, ctx: Context) -> Answer:
    """Make the target bet void; what its market's settlement counted of it is corrected."""
    bet = ctx.find(Bet, ctx.target, BetNotFound)
    account = ctx.find(Account, bet.placed.account_id, AccountNotFound)
    of_bet, of_account = bet.void(command.reason)
    ctx.book.record(bet.bet_id, of_bet)
    if of_account is not None:
        account = as_account(ctx.book.record(account.account_id, of_account))
    if (parts := bet.void_parts(command.reason)) is not None:
        of_parts, of_account = parts
        ctx.book.record(bet.bet_id, of_parts)
        if of_account is not None:
            account = as_account(ctx.book.record(account.account_id, of_account))
    liabilities.follow_bet(bet, ctx)
    counted = bet.status != "cashed_out"  # by its market's settlement
    if counted and isinstance(of_bet, BetResettled) and of_bet.difference_minor:
        account = adjust_settlement(bet, of_bet, account, ctx)
    returned = of_bet.return_minor + bet.cashed_stake_minor
    return answers.BetChanged(
        bet.bet_id, of_bet.status, returned, account.available_minor, ctx.book.position
    )


def adjust_settlement(bet: Bet, changed: BetChange, account: Account, ctx: Context) -> Account:
    """Tell the market's settlement; of a bet on several markets none can say that it has settled it."""
    if len(bet.placed.legs) > 1:
        return account
    market = ctx.find(Market, bet.placed.legs[0].market_id, MarketNotFound)
    stream = settlement_id(market.market_id)
    settling = ctx.book.get(stream)
    if not isinstance(settling, Settling):
        return account
    for event in settling.adjust(
        market.market_id, changed, market.generation, account.account_id, account.commission
    ):
        ctx.book.record(stream, event)
        if isinstance(event, SettlementCompleted):
            for due in event.commissions:
                charged = CommissionCharged(
                    market_id=market.market_id,
                    amount_minor=due.amount_minor,
                    currency=account.currency,
                )
                account = as_account(ctx.book.record(account.account_id, charged))
    return account
