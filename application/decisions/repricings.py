"""Decisions about correcting a bet's odds: two people take them."""

from typing import Literal

from application import answers
from application.answers import Answer
from application.decisions import liabilities
from application.decisions.context import Context, as_account
from application.decisions.voids import adjust_settlement
from domain import repricing
from domain.account import Account
from domain.bet import Bet
from domain.commands.bet import ApproveRepricing, ProposeRepricing, RejectRepricing
from domain.events.bet import RepricingProposed
from domain.market import Market
from domain.refusals import AccountNotFound, BetNotFound, MarketNotFound


def propose_repricing(command: ProposeRepricing, ctx: Context) -> Answer:
    """Keep a proposal until somebody else decides about it."""
    bet = ctx.find(Bet, ctx.target, BetNotFound)
    proposed = repricing.propose(
        bet,
        ctx.new_id(),
        command.market_id,
        command.selection_id,
        command.odds,
        command.reason,
        ctx.actor.user,
    )
    ctx.book.record(bet.bet_id, proposed)
    return _unchanged(bet, proposed, "proposed", ctx)


def approve_repricing(command: ApproveRepricing, ctx: Context) -> Answer:
    """Correct the odds; a settled bet is settled again, with the difference only."""
    bet = ctx.find(Bet, ctx.target, BetNotFound)
    account = ctx.find(Account, bet.placed.account_id, AccountNotFound)
    markets = {
        leg.market_id: ctx.find(Market, leg.market_id, MarketNotFound) for leg in bet.placed.legs
    }
    repriced, of_account = repricing.approve(
        bet, account, markets, command.repricing_id, ctx.actor.user
    )
    after = _as_bet(ctx.book.record(bet.bet_id, repriced))
    if of_account is not None:
        ctx.book.record(account.account_id, of_account)
    elif (change := after.bring_to(after.outcome(markets))) is not None:
        of_bet, of_stake = change
        after = _as_bet(ctx.book.record(bet.bet_id, of_bet))
        if of_stake is not None:
            account = as_account(ctx.book.record(account.account_id, of_stake))
        adjust_settlement(bet, of_bet, account, ctx)
    liabilities.follow_bet(bet, ctx)
    return answers.BetRepricing(
        bet.bet_id,
        repriced.repricing_id,
        "approved",
        after.status,
        repriced.odds_before,
        repriced.odds,
        after.return_minor,
        (after.return_minor or 0) - (bet.return_minor or 0),
        ctx.book.position,
    )


def reject_repricing(command: RejectRepricing, ctx: Context) -> Answer:
    """Drop a proposal."""
    bet = ctx.find(Bet, ctx.target, BetNotFound)
    proposed = bet.repricing
    rejected = repricing.reject(bet, command.repricing_id, ctx.actor.user, command.reason)
    assert proposed is not None
    ctx.book.record(bet.bet_id, rejected)
    return _unchanged(bet, proposed, "rejected", ctx)


def _unchanged(
    bet: Bet, proposed: RepricingProposed, status: Literal["proposed", "rejected"], ctx: Context
) -> Answer:
    """Answer with a proposal that leaves the bet as it is."""
    return answers.BetRepricing(
        bet.bet_id,
        proposed.repricing_id,
        status,
        bet.status,
        proposed.odds_before,
        proposed.odds,
        bet.return_minor,
        0,
        ctx.book.position,
    )


def _as_bet(state: object) -> Bet:
    assert isinstance(state, Bet)
    return state
