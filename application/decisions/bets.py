"""Decisions about placing bets."""

from uuid import UUID

import msgspec

from application import answers
from application.answers import Answer, BetAccepted, BetRefused
from application.decisions.context import Context, as_account, odds_id
from domain import bet as bets
from domain.account import Account
from domain.commands import PlaceBet, PlaceBets
from domain.ids import check_chosen
from domain.market import Market
from domain.odds import HousePrices
from domain.refusals import (
    AccountNotFound,
    BatchRefused,
    IdTaken,
    MarketNotFound,
    NotOffered,
    Refusal,
)


def place_bet(command: PlaceBet, ctx: Context) -> BetAccepted:
    """Place one bet: the market, its price and the account have their say, in this order."""
    if command.kind != "single" or command.side != "back" or len(command.legs) != 1:
        raise NotOffered("only single back bets with one leg are taken for now", field="kind")
    book = ctx.book
    account = ctx.find(Account, command.account_id, AccountNotFound)
    account.check_mover(ctx.actor)
    leg = command.legs[0]
    market = ctx.find(Market, leg.market_id, MarketNotFound)
    placed = bets.place_single(account, market, leg, command.stake_minor)
    if market.pricing == "house":
        prices = book.get(odds_id(leg.market_id))
        (prices if isinstance(prices, HousePrices) else HousePrices(0)).check_price(
            leg.selection_id, leg.odds
        )
    if (bet_id := command.bet_id) is None:
        bet_id = ctx.new_id()
    else:
        check_chosen(bet_id)
        if book.is_taken(bet_id):
            raise IdTaken(f"bet_id {bet_id} is taken", field="bet_id")
    stake, returns = placed.total_stake_minor, placed.potential_return_minor
    reserved = account.reserve_stake(bet_id, stake, returns)
    book.record_first(bet_id, placed)
    account = as_account(book.record(account.account_id, reserved))
    return BetAccepted(bet_id, "open", stake, returns, account.available_minor, book.position)


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
