"""Which streams a decision needs in memory."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from application.book import Book
from application.decisions.context import odds_id, settlement_id
from application.decisions.feeds import stream_of_name
from application.decisions.liabilities import liability_id
from domain.bet import Bet
from domain.commands.account import CompleteWithdrawal, OpenAccount, RejectWithdrawal, Withdraw
from domain.commands.arbitrage import RecordArbitrages
from domain.commands.bet import (
    ApproveRepricing,
    OfferCashOut,
    PlaceBet,
    PlaceBets,
    ProposeRepricing,
    RejectRepricing,
    VoidBet,
)
from domain.commands.command import Command
from domain.commands.feed_name import SeeFeedName
from domain.commands.market import ChangeMarketLimits, OpenMarket
from domain.commands.model import (
    ActivateModel,
    EvaluateModel,
    RecordPredictions,
    RegisterModel,
    ScorePredictions,
)
from domain.commands.odds import RecordOdds
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.commands.value import RecordValueSignals
from domain.forecast import prediction_id
from domain.market import Market
from domain.model import Model, model_id_of
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
        case RecordValueSignals():
            for signal in command.changes:
                if not signal.opens:
                    yield signal.signal_id
        case RecordPredictions():
            for made in command.predictions:
                yield made.model_id
                yield prediction_id(made.model_id, made.fixture_id)
                for market in made.markets:
                    yield market.market_id
        case ScorePredictions():
            for predicted in command.predicted:
                yield prediction_id(predicted.model_id, predicted.fixture_id)
                yield predicted.market_id
        case RegisterModel():
            yield model_id_of(command.trained)
        case EvaluateModel():
            if command.evaluation.against is not None:
                yield command.evaluation.against
        case SeeFeedName():
            yield stream_of_name(command)
        case SettleBets():
            yield from command.bet_ids
            if target is not None:
                yield settlement_id(target)
        case CompleteSettlement():
            if target is not None:
                yield settlement_id(target)
        case ChangeMarketLimits(seen=seen) if seen is not None:
            yield from seen.bet_ids
            if target is not None:
                yield liability_id(target)
        case _:
            return


def further_streams_of(command: Command, target: UUID | None, book: Book) -> Iterator[UUID]:
    """Name the streams that show only once those of `streams_of` are loaded."""
    match command:
        case PlaceBet():
            yield from _prices_and_liabilities_of(command, book)
        case PlaceBets():
            for each in command.bets:
                yield from _prices_and_liabilities_of(each, book)
        case CompleteWithdrawal() | RejectWithdrawal():
            withdrawal = book.get(target) if target else None
            if isinstance(withdrawal, Withdrawal):
                yield withdrawal.account_id
        case OfferCashOut():
            bet = book.get(target) if target else None
            if isinstance(bet, Bet):
                yield bet.placed.account_id
                yield from _markets_of(bet, book)
        case VoidBet() | ProposeRepricing() | ApproveRepricing() | RejectRepricing():
            bet = book.get(target) if target else None
            if isinstance(bet, Bet):
                yield bet.placed.account_id
                yield from _markets_of(bet, book)
                if len(bet.placed.legs) == 1:
                    yield settlement_id(bet.placed.legs[0].market_id)
        case ActivateModel():
            model = book.get(target) if target else None
            if isinstance(model, Model):
                yield model.slot_id
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
            yield from _liabilities_of(needed.values(), book)
        case ChangeMarketLimits(seen=seen) if seen is not None:
            for bet_id in seen.bet_ids:
                bet = book.get(bet_id)
                if isinstance(bet, Bet):
                    for leg in bet.placed.legs:
                        yield leg.market_id
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
        case RecordValueSignals():
            for signal in command.changes:
                if signal.opens:
                    yield signal.signal_id
        case _:
            return


def _prices_and_liabilities_of(command: PlaceBet, book: Book) -> Iterator[UUID]:
    for leg in command.legs:
        market = book.get(leg.market_id)
        if isinstance(market, Market):
            if market.pricing == "house":
                yield odds_id(leg.market_id)
            if market.limits is not None and market.limits.max_liability_minor is not None:
                yield liability_id(leg.market_id)


def _markets_of(bet: Bet, book: Book) -> Iterator[UUID]:
    """Name a bet's markets and, once these are known, the liabilities that are followed."""
    markets = [leg.market_id for leg in bet.placed.legs]
    yield from markets
    yield from _liabilities_of(markets, book)


def _liabilities_of(stream_ids: Iterable[UUID], book: Book) -> Iterator[UUID]:
    """Name the liabilities of those of these streams that are markets, known, and limited."""
    for stream_id in stream_ids:
        market = book.get(stream_id) if book.knows(stream_id) else None
        if isinstance(market, Market) and market.max_liability_minor is not None:
            yield liability_id(stream_id)
