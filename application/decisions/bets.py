"""Decisions about placing bets."""

from uuid import UUID

import msgspec

from application import answers
from application.answers import Answer, BetAccepted, BetRefused
from application.decisions import liabilities
from application.decisions.context import Context, as_account, odds_id
from domain import bet as bets
from domain.account import Account
from domain.commands.bet import PlaceBet, PlaceBets
from domain.events.bet import BetPlaced, Leg
from domain.ids import check_chosen
from domain.legs import RACES
from domain.market import Market
from domain.odds import HousePrices
from domain.placing import place_bet as place_bet_of_any_kind
from domain.placing import staked_minor
from domain.refusals import (
    AccountNotFound,
    BatchRefused,
    IdTaken,
    LimitExceeded,
    MarketNotFound,
    Refusal,
)


def place_bet(command: PlaceBet, ctx: Context) -> BetAccepted:
    """Place one bet: the market, its price and the account have their say, in this order."""
    book = ctx.book
    account = ctx.find(Account, command.account_id, AccountNotFound)
    account.check_mover(ctx.actor)
    leg = command.legs[0]
    market = ctx.find(Market, leg.market_id, MarketNotFound)
    if _is_plain(command, leg, market):
        placed = bets.place_single(account, market, leg, command.stake_minor)
        if market.pricing == "house":
            _check_price(leg, ctx)
        if market.limits is not None and market.limits.max_liability_minor is not None:
            liabilities.take_on(placed, {market.market_id: market}, ctx)
    else:
        placed = _place_other(command, account, ctx)
    if (bet_id := command.bet_id) is None:
        bet_id = ctx.new_id()
    else:
        check_chosen(bet_id)
        if book.is_taken(bet_id):
            raise IdTaken(f"bet_id {bet_id} is taken", field="bet_id")
    stake, returns = placed.total_stake_minor, placed.potential_return_minor
    reserved = (
        account.reserve_free_stake(bet_id, staked_minor(placed), returns)
        if placed.free
        else account.reserve_stake(bet_id, stake, returns)
    )
    book.record_first(bet_id, placed)
    account = as_account(book.record(account.account_id, reserved))
    return BetAccepted(bet_id, "open", stake, returns, account.available_minor, book.position)


def _is_plain(command: PlaceBet, leg: Leg, market: Market) -> bool:
    return (
        command.kind == "single"
        and command.side == "back"
        and len(command.legs) == 1
        and leg.odds is not None
        and not command.each_way
        and not command.best_odds
        and not command.free
        and market.type not in RACES
    )


def _check_price(leg: Leg, ctx: Context) -> None:
    prices = ctx.book.get(odds_id(leg.market_id))
    if leg.odds is not None:
        offered = prices if isinstance(prices, HousePrices) else HousePrices(0)
        offered.check_price(leg.selection_id, leg.odds)


def _place_other(command: PlaceBet, account: Account, ctx: Context) -> BetPlaced:
    markets = {
        leg.market_id: ctx.find(Market, leg.market_id, MarketNotFound) for leg in command.legs
    }
    placed = place_bet_of_any_kind(
        account,
        markets,
        command.legs,
        command.stake_minor,
        ctx.now,
        kind=command.kind,
        side=command.side,
        each_way=command.each_way,
        best_odds=command.best_odds,
        free=command.free,
    )
    for leg in command.legs:
        if markets[leg.market_id].pricing == "house":
            _check_price(leg, ctx)
    _check_profit_known(account, placed)
    liabilities.take_on(placed, markets, ctx)
    return placed


def _check_profit_known(account: Account, placed: BetPlaced) -> None:
    """Refuse starting prices and best odds where what an account may win is limited: nobody knows it."""
    if account.limits is None or account.limits.max_profit_minor is None:
        return
    if placed.best_odds or any(leg.odds is None for leg in placed.legs):
        raise LimitExceeded(
            "an account with max_profit_minor takes the odds of now: no starting prices, no best odds",
            members={"limit": "max_profit_minor"},
        )


def place_bets(command: PlaceBets, ctx: Context) -> Answer:
    """Place bets in order; a refused one is answered and left out, or, when atomic, refuses them all."""
    results: list[BetAccepted | BetRefused] = []
    chosen: dict[UUID | None, tuple[PlaceBet, BetAccepted]] = {}
    for number, each in enumerate(command.bets):
        mark = ctx.book.mark()
        try:
            first = ctx.known.get(number)
            if isinstance(first, Refusal):
                raise first
            if first is not None:
                accepted = msgspec.json.decode(first, type=BetAccepted)
            elif each.bet_id in chosen and chosen[each.bet_id][0] == each:
                accepted = chosen[each.bet_id][1]
            else:
                accepted = place_bet(each, ctx)
                if each.bet_id:
                    chosen[each.bet_id] = each, accepted
            results.append(accepted)
        except Refusal as refusal:
            if command.atomic:
                raise BatchRefused(
                    f"bets[{number}]: {refusal.type}: {refusal.detail}", field=f"bets[{number}]"
                ) from refusal
            ctx.book.rewind(mark)
            results.append(BetRefused(answers.problem(refusal)))
    return answers.BatchDone(results, ctx.book.position)
