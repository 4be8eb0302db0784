"""Decisions about cashing bets out: the command carries the prices, the book says what they make the bet worth."""

from application import answers
from application.answers import Answer
from application.decisions.context import Context, as_account
from domain.account import Account
from domain.bet import Bet
from domain.cash_out import offer_minor
from domain.commands import CashOutBet, OfferCashOut
from domain.events import CashOut
from domain.market import Market
from domain.refusals import AccountNotFound, BetNotFound, MarketNotFound, PriceChanged


def offer_cash_out(command: OfferCashOut, ctx: Context) -> Answer:
    """Say what the target bet pays now; it changes nothing."""
    bet, _, offer = _offer(command, ctx)
    return answers.CashOutOffer(
        bet.bet_id,
        offer,
        bet.placed.currency,
        command.margin,
        command.prices,
        ctx.book.position,
    )


def cash_out_bet(command: CashOutBet, ctx: Context) -> Answer:
    """End the target bet with what is offered now, unless that is less than was asked for."""
    bet, account, offer = _offer(command, ctx)
    if offer < command.offer_minor:
        raise PriceChanged(f"the offer is {offer} now (minor units)")
    of_bet, of_account = bet.cash_out(offer, CashOut(command.margin, command.prices))
    ctx.book.record(bet.bet_id, of_bet)
    account = as_account(ctx.book.record(account.account_id, of_account))
    return answers.BetChanged(
        bet.bet_id, of_bet.status, offer, account.available_minor, ctx.book.position
    )


def _offer(command: OfferCashOut, ctx: Context) -> tuple[Bet, Account, int]:
    bet = ctx.find(Bet, ctx.target, BetNotFound)
    if not ctx.actor.may_act_for(bet.placed.owner):
        raise BetNotFound
    account = ctx.find(Account, bet.placed.account_id, AccountNotFound)
    markets = {
        leg.market_id: ctx.find(Market, leg.market_id, MarketNotFound) for leg in bet.placed.legs
    }
    return bet, account, offer_minor(bet, account, markets, command.prices, command.margin)
