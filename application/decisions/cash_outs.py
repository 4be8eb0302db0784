"""Decisions about cashing bets out: the command carries the prices, the book says what they make the bet worth."""

from application import answers
from application.answers import Answer
from application.decisions import liabilities
from application.decisions.context import Context, as_account
from domain.account import Account
from domain.bet import Bet
from domain.cash_out import cash_out, check_offered, check_taken, offer_minor, stake_of
from domain.commands.bet import CashOutBet, OfferCashOut
from domain.events.bet import BetPartCashedOut, CashOut
from domain.market import Market
from domain.refusals import AccountNotFound, BetNotFound, MarketNotFound


def offer_cash_out(command: OfferCashOut, ctx: Context) -> Answer:
    """Say what the target bet, or a share of it, pays now; it changes nothing."""
    bet, _, stake, offer = _offer(command, ctx)
    return answers.CashOutOffer(
        bet.bet_id,
        stake,
        offer,
        bet.placed.currency,
        command.margin,
        command.tolerance,
        command.prices,
        ctx.book.position,
    )


def cash_out_bet(command: CashOutBet, ctx: Context) -> Answer:
    """Pay what is offered now for the target bet, or a share of it, unless that is too far below what was asked for."""
    bet, account, stake, offer = _offer(command, ctx)
    check_taken(offer, command.offer_minor, command.tolerance)
    taken = CashOut(command.margin, command.prices, command.offer_minor, command.tolerance)
    of_bet, of_account = cash_out(bet, stake, offer, taken)
    ctx.book.record(bet.bet_id, of_bet)
    account = as_account(ctx.book.record(account.account_id, of_account))
    liabilities.follow_bet(bet, ctx)
    is_part = isinstance(of_bet, BetPartCashedOut)
    return answers.BetCashedOut(
        bet.bet_id,
        "open" if is_part else "cashed_out",
        offer,
        account.available_minor,
        ctx.book.position,
        stake,
        bet.standing.total_stake_minor - stake,
    )


def _offer(command: OfferCashOut, ctx: Context) -> tuple[Bet, Account, int, int]:
    bet = ctx.find(Bet, ctx.target, BetNotFound)
    if not ctx.actor.may_act_for(bet.placed.owner):
        raise BetNotFound
    account = ctx.find(Account, bet.placed.account_id, AccountNotFound)
    markets = {
        leg.market_id: ctx.find(Market, leg.market_id, MarketNotFound) for leg in bet.placed.legs
    }
    check_offered(bet, account)
    stake = stake_of(bet, command.share)
    offer = offer_minor(bet, account, markets, command.prices, command.margin, stake)
    return bet, account, stake, offer
