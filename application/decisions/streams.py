"""Which streams a decision needs in memory."""

from collections.abc import Iterator
from uuid import UUID

from application.book import Book
from application.decisions.context import odds_id, settlement_id
from application.decisions.feeds import stream_of_name
from domain.bet import Bet
from domain.commands import (
    Command,
    CompleteSettlement,
    CompleteWithdrawal,
    OfferCashOut,
    OpenAccount,
    OpenMarket,
    PlaceBet,
    PlaceBets,
    RecordArbitrages,
    RecordOdds,
    RejectWithdrawal,
    SeeFeedName,
    SettleBets,
    VoidBet,
    Withdraw,
)
from domain.market import Market
from domain.settling import Settling
from domain.withdrawal import Withdrawal


def streams_of(command: Command, target: UUID | None) -> Iterator[UUID]:
    """Name the streams that a decision on `command` looks at, as far as the command tells."""
    if target is not None:
        yield target
    match command:
        case PlaceBet():
            yield command.account_id
            for leg in command.legs:
                yield leg.market_id
        case PlaceBets():
            for each in command.bets:
                yield each.account_id
                for leg in each.legs:
                    yield leg.market_id
        case OpenAccount(account_id=chosen) | OpenMarket(market_id=chosen) if chosen:
            yield chosen
        case Withdraw(transfer_id=chosen) if chosen:
            yield chosen
        case RecordOdds():
            for quote in command.quotes:
                yield quote.market_id
                yield odds_id(quote.market_id)
        case RecordArbitrages():
            for change in command.changes:
                if not change.opens:
                    yield change.opportunity_id
        case SeeFeedName():
            yield stream_of_name(command)
        case SettleBets():
            yield from command.bet_ids
            if target is not None:
                yield settlement_id(target)
        case CompleteSettlement():
            if target is not None:
                yield settlement_id(target)
        case _:
            return


def further_streams_of(command: Command, target: UUID | None, book: Book) -> Iterator[UUID]:
    """Name the streams that show only once those of `streams_of` are loaded."""
    match command:
        case PlaceBet():
            yield from _house_prices_of(command, book)
        case PlaceBets():
            for each in command.bets:
                yield from _house_prices_of(each, book)
        case CompleteWithdrawal() | RejectWithdrawal():
            withdrawal = book.get(target) if target else None
            if isinstance(withdrawal, Withdrawal):
                yield withdrawal.account_id
        case OfferCashOut():
            bet = book.get(target) if target else None
            if isinstance(bet, Bet):
                yield bet.placed.account_id
                for leg in bet.placed.legs:
                    yield leg.market_id
        case VoidBet():
            bet = book.get(target) if target else None
            if isinstance(bet, Bet):
                yield bet.placed.account_id
                if len(bet.placed.legs) == 1:
                    market_id = bet.placed.legs[0].market_id
                    yield from (market_id, settlement_id(market_id))
        case CompleteSettlement() if target is not None:
            settling = book.get(settlement_id(target))
            if isinstance(settling, Settling):
                yield from settling.profits
        case SettleBets():
            # Each once: thousands of legs are on a few markets.
            needed: dict[int, UUID] = {}
            for bet_id in command.bet_ids:
                bet = book.get(bet_id)
                if isinstance(bet, Bet):
                    needed[bet.placed.account_id.int] = bet.placed.account_id
                    for leg in bet.placed.legs:
                        needed[leg.market_id.int] = leg.market_id
            yield from needed.values()
        case _:
            return


def new_streams_of(command: Command) -> Iterator[UUID]:
    """Name the streams that `command` starts under ids that its sender chose."""
    match command:
        case PlaceBet(bet_id=chosen) if chosen:
            yield chosen
        case PlaceBets():
            for each in command.bets:
                if each.bet_id:
                    yield each.bet_id
        case RecordArbitrages():
            for change in command.changes:
                if change.opens:
                    yield change.opportunity_id
        case _:
            return


def _house_prices_of(command: PlaceBet, book: Book) -> Iterator[UUID]:
    for leg in command.legs:
        market = book.get(leg.market_id)
        if isinstance(market, Market) and market.pricing == "house":
            yield odds_id(leg.market_id)
