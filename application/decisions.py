"""From a command to events: find the state, let the domain decide, record what it says.

A handler records nothing before every check has passed, or lets the caller rewind.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TypeVar, assert_never
from uuid import UUID

import msgspec
from msgspec import Struct

from application import answers
from application.answers import Answer, BetAccepted, BetRefused
from application.book import Book
from domain import bet as bets
from domain import market as markets
from domain import odds, settling
from domain.account import Account, open_account
from domain.actors import Actor
from domain.bet import Bet
from domain.commands import (
    CloseMarket,
    Command,
    CompleteSettlement,
    CompleteWithdrawal,
    DeclareResult,
    Deposit,
    OpenAccount,
    OpenMarket,
    PlaceBet,
    PlaceBets,
    RecordOdds,
    RejectWithdrawal,
    ResumeMarket,
    SettleBets,
    SuspendMarket,
    Withdraw,
)
from domain.events import (
    BetSettled,
    DeadHeat,
    Event,
    Fixture,
    MarketLimits,
    Quote,
    ResultDeclared,
    Score,
    Selection,
    SelectionResult,
    Terms,
    WithdrawalRequested,
)
from domain.ids import check_chosen
from domain.market import Market
from domain.odds import HousePrices
from domain.refusals import (
    AccountNotFound,
    BatchRefused,
    IdTaken,
    MarketNotFound,
    MarketStateConflict,
    NotOffered,
    Refusal,
    WithdrawalNotFound,
)
from domain.settling import Settling
from domain.streams import State
from domain.withdrawal import Withdrawal

S = TypeVar("S", bound=State)

odds_id = lru_cache(4096)(odds.odds_id)
settlement_id = lru_cache(4096)(settling.settlement_id)


class Context(Struct, gc=False):
    """What a decision may look at beside its command: who asks, about what, when, and the book.

    `known` holds the first outcomes of those bets of a batch that were answered before, by their place in it.
    """

    actor: Actor
    target: UUID | None
    now: datetime
    new_id: Callable[[], UUID]
    book: Book
    known: Mapping[int, bytes | Refusal]

    def find(self, kind: type[S], stream_id: UUID | None, missing: type[Refusal]) -> S:
        """Give a stream's state, or refuse as `missing` when there is none of that kind."""
        state = self.book.get(stream_id) if stream_id is not None else None
        if not isinstance(state, kind):
            raise missing
        return state


def decide(command: Command, ctx: Context) -> Answer:
    """Decide one command against the book; raises a Refusal.

    A refusal may leave events of the command in the book: rewind to the mark taken before.
    """
    match command:
        case PlaceBet():
            return _place_bet(command, ctx)
        case PlaceBets():
            return _place_bets(command, ctx)
        case Deposit():
            return _deposit(command, ctx)
        case Withdraw():
            return _withdraw(command, ctx)
        case CompleteWithdrawal() | RejectWithdrawal():
            return _finish_withdrawal(command, ctx)
        case OpenAccount():
            return _open_account(command, ctx)
        case OpenMarket():
            return _open_market(command, ctx)
        case SuspendMarket() | ResumeMarket() | CloseMarket() | DeclareResult():
            return _change_market(command, ctx)
        case RecordOdds():
            return _record_odds(command, ctx)
        case SettleBets():
            return _settle_bets(command, ctx)
        case CompleteSettlement():
            return _complete_settlement(ctx)
        case _:
            raise TypeError(f"no decision for {type(command).__name__}")


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
        case SettleBets():
            for bet_id in command.bet_ids:
                bet = book.get(bet_id)
                if isinstance(bet, Bet):
                    yield bet.account_id
                    for leg in bet.legs:
                        yield leg.market_id
        case _:
            return


def new_streams_of(command: Command) -> Iterator[UUID]:
    """Name the streams that `command` starts under ids that the client chose."""
    match command:
        case PlaceBet(bet_id=chosen) if chosen:
            yield chosen
        case PlaceBets():
            for each in command.bets:
                if each.bet_id:
                    yield each.bet_id
        case _:
            return


def _house_prices_of(command: PlaceBet, book: Book) -> Iterator[UUID]:
    for leg in command.legs:
        market = book.get(leg.market_id)
        if isinstance(market, Market) and market.pricing == "house":
            yield odds_id(leg.market_id)


# ---- accounts


def _open_account(command: OpenAccount, ctx: Context) -> Answer:
    account_id = command.account_id or ctx.new_id()
    opened = open_account(ctx.actor, command.owner, command.currency, command.name, command.held_at)
    _start(account_id, ctx, chosen=command.account_id is not None)
    ctx.book.record(account_id, opened)
    return answers.NewAccount(account_id, ctx.book.position)


def _deposit(command: Deposit, ctx: Context) -> Answer:
    account = ctx.find(Account, ctx.target, AccountNotFound)
    account.check_mover(ctx.actor)
    transfer_id = command.transfer_id or ctx.new_id()
    deposited = account.deposit(
        transfer_id, command.amount_minor, command.method, command.reference
    )
    account = _as_account(ctx.book.record(account.account_id, deposited))
    return answers.Transferred(transfer_id, "completed", account.available_minor, ctx.book.position)


def _withdraw(command: Withdraw, ctx: Context) -> Answer:
    account = ctx.find(Account, ctx.target, AccountNotFound)
    account.check_mover(ctx.actor)
    transfer_id = command.transfer_id or ctx.new_id()
    reserved = account.reserve_funds(transfer_id, command.amount_minor)
    _start(transfer_id, ctx, chosen=command.transfer_id is not None)
    ctx.book.record(
        transfer_id,
        WithdrawalRequested(
            account_id=account.account_id,
            amount_minor=command.amount_minor,
            currency=account.currency,
            method=command.method,
            reference=command.reference,
        ),
    )
    account = _as_account(ctx.book.record(account.account_id, reserved))
    return answers.Transferred(transfer_id, "pending", account.available_minor, ctx.book.position)


def _finish_withdrawal(command: CompleteWithdrawal | RejectWithdrawal, ctx: Context) -> Answer:
    withdrawal = ctx.find(Withdrawal, ctx.target, WithdrawalNotFound)
    match command:
        case CompleteWithdrawal():
            completed, paid_out = withdrawal.complete()
            return _moved(withdrawal, "completed", completed, paid_out, ctx)
        case RejectWithdrawal():
            rejected, released = withdrawal.reject(command.reason)
            return _moved(withdrawal, "rejected", rejected, released, ctx)
        case _:
            assert_never(command)


def _moved(
    withdrawal: Withdrawal, status: str, finished: Event, moved: Event, ctx: Context
) -> Answer:
    ctx.book.record(withdrawal.transfer_id, finished)
    account = _as_account(ctx.book.record(withdrawal.account_id, moved))
    return answers.Transferred(
        withdrawal.transfer_id, status, account.available_minor, ctx.book.position
    )


def _as_account(state: State) -> Account:
    assert isinstance(state, Account)
    return state


# ---- markets and prices


def _open_market(command: OpenMarket, ctx: Context) -> Answer:
    market_id = command.market_id or ctx.new_id()
    body, terms, limits = command.fixture, command.terms, command.limits
    fixture = Fixture(
        fixture_id=body.fixture_id or ctx.new_id(),
        sport=body.sport,
        competition=body.competition,
        name=body.name,
        starts_at=body.starts_at,
        home=body.home,
        away=body.away,
    )
    opened = markets.open_market(
        fixture,
        command.type,
        command.line,
        tuple(
            Selection(selection.selection_id, selection.name) for selection in command.selections
        ),
        command.pricing,
        Terms(terms.each_way_places, terms.each_way_divisor) if terms else None,
        MarketLimits(limits.max_stake_minor, limits.max_return_minor) if limits else None,
    )
    _start(market_id, ctx, chosen=command.market_id is not None)
    ctx.book.record(market_id, opened)
    assert fixture.fixture_id is not None
    return answers.NewMarket(market_id, fixture.fixture_id, ctx.book.position)


def _change_market(
    command: SuspendMarket | ResumeMarket | CloseMarket | DeclareResult, ctx: Context
) -> Answer:
    market = ctx.find(Market, ctx.target, MarketNotFound)
    match command:
        case SuspendMarket():
            changed = ctx.book.record(market.market_id, market.suspend(command.reason))
        case ResumeMarket():
            changed = ctx.book.record(market.market_id, market.resume())
        case CloseMarket():
            changed = ctx.book.record(market.market_id, market.close())
        case DeclareResult():
            changed = ctx.book.record(market.market_id, _declared(command, market))
        case _:
            assert_never(command)
    assert isinstance(changed, Market)
    return answers.MarketChanged(market.market_id, changed.status, ctx.book.position)


def _declared(command: DeclareResult, market: Market) -> ResultDeclared:
    results = None
    if command.results is not None:
        results = tuple(
            SelectionResult(
                selection_id=each.selection_id,
                result=each.result,
                dead_heat=DeadHeat(each.dead_heat.tied, each.dead_heat.places)
                if each.dead_heat
                else None,
                position=each.position,
            )
            for each in command.results
        )
    score = Score(command.score.home, command.score.away) if command.score else None
    return market.declare(results, score)


def _record_odds(command: RecordOdds, ctx: Context) -> Answer:
    by_market: dict[UUID, list[Quote]] = {}
    for body in command.quotes:
        by_market.setdefault(body.market_id, []).append(
            Quote(
                bookmaker=body.bookmaker,
                selection_id=body.selection_id,
                odds=body.odds,
                at=body.at,
                size=body.size,
                closing=body.closing,
            )
        )
    for market_id, quotes in by_market.items():
        market = ctx.find(Market, market_id, MarketNotFound)
        taken = odds.take_snapshot(market, tuple(quotes), ctx.now)
        ctx.book.record(odds_id(market_id), taken)
    return answers.SnapshotsTaken(len(by_market), len(command.quotes), ctx.book.position)


# ---- bets


def _place_bet(command: PlaceBet, ctx: Context) -> BetAccepted:
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
    account = _as_account(book.record(account.account_id, reserved))
    return BetAccepted(bet_id, "open", stake, returns, account.available_minor, book.position)


def _place_bets(command: PlaceBets, ctx: Context) -> Answer:
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
                accepted = _place_bet(each, ctx)
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


# ---- settlement


def _settle_bets(command: SettleBets, ctx: Context) -> Answer:
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


def _complete_settlement(ctx: Context) -> Answer:
    market = _resulted_market(ctx)
    stream_id = settlement_id(market.market_id)
    state = ctx.book.get(stream_id)
    state = state if isinstance(state, Settling) else Settling(0)
    if not state.completed:
        ctx.book.record(stream_id, state.complete(market.market_id))
    return answers.BetsSettled(0, ctx.book.position)


def _start(stream_id: UUID, ctx: Context, *, chosen: bool) -> None:
    """Make sure that a new stream has no events; an id that the server made is new by itself."""
    if not chosen:
        ctx.book.put_loaded({stream_id}, {})
        return
    check_chosen(stream_id)
    if ctx.book.is_taken(stream_id):
        raise IdTaken(f"{stream_id} is taken")
