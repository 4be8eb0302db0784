"""What holds after any sequence of decisions."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import reduce
from typing import TypeVar
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.postgres.codec import decode_event, encode_event
from adapters.postgres.snapshots import decode_snapshot, encode_snapshot, shape_of
from domain.account import Account, open_account
from domain.bet import Bet, BetChange, place_single
from domain.cash_out import cash_out, offer_minor, stake_of
from domain.events.account import (
    StakeReopened,
    StakeRepriced,
    StakeResettled,
    StakeSettled,
    WithdrawalRequested,
)
from domain.events.bet import (
    BetPartCashedOut,
    BetReopened,
    BetRepriced,
    BetResettled,
    BetSettled,
    CashOut,
    Leg,
    PriceSeen,
)
from domain.events.event import Event
from domain.events.market import Result, ResultDeclared, ResultRolledBack, SelectionResult
from domain.events.odds import Quote
from domain.events.settlement import SettlementProgressed
from domain.journal import postings
from domain.market import Market
from domain.money import MAX_AMOUNT_MINOR, MAX_FUNDS_MINOR
from domain.odds import HOUSE, HousePrices, odds_id, take_snapshot
from domain.refusals import Refusal, ResultAlreadyDeclared
from domain.repricing import approve, propose
from domain.settling import Settling, settlement_id
from domain.streams import State, evolve
from domain.withdrawal import Withdrawal
from tests.builders import ALICE, NOW, an_id, given_market, market_opened

S = TypeVar("S", bound=State)
ACCOUNTS = [an_id(f"account {n}") for n in range(2)]
MARKETS = [an_id(f"market {n}") for n in range(3)]
SIDES = ("home", "draw", "away")
RESULTS: tuple[Result, ...] = ("won", "lost", "void", "push", "half_won", "half_lost")


@dataclass
class Desk:
    """All streams in memory: what was decided, and the states that follow."""

    log: list[tuple[UUID, Event]] = field(default_factory=list)
    states: dict[UUID, State] = field(default_factory=dict)

    def record(self, stream_id: UUID, event: Event) -> None:
        self.log.append((stream_id, event))
        self.states[stream_id] = evolve(self.states.get(stream_id), stream_id, event)

    def account(self, number: int) -> Account:
        state = self.states[ACCOUNTS[number]]
        assert isinstance(state, Account)
        return state

    def market(self, number: int) -> Market:
        state = self.states[MARKETS[number]]
        assert isinstance(state, Market)
        return state

    def of(self, kind: type[S]) -> list[S]:
        return [state for state in self.states.values() if isinstance(state, kind)]

    # ---- one method a decision

    def open(self) -> None:
        for number, account_id in enumerate(ACCOUNTS):
            currency = ("EUR", "JPY")[number]
            self.record(account_id, open_account(ALICE, None, currency, "main", None))
        for market_id in MARKETS:
            self.record(market_id, market_opened())

    def deposit(self, account: int, amount: int) -> None:
        state = self.account(account)
        self.record(
            state.account_id, state.deposit(an_id(f"t{len(self.log)}"), amount, "card", None)
        )

    def withdraw(self, account: int, amount: int) -> None:
        state, transfer_id = self.account(account), an_id(f"t{len(self.log)}")
        reserved = state.reserve_funds(transfer_id, amount)
        requested = WithdrawalRequested(
            account_id=state.account_id, amount_minor=amount, currency=state.currency, method="bank"
        )
        self.record(transfer_id, requested)
        self.record(state.account_id, reserved)

    def finish(self, which: int, *, paid: bool) -> None:
        if found := self.of(Withdrawal):
            withdrawal = found[which % len(found)]
            done, moved = withdrawal.complete() if paid else withdrawal.reject("no")
            self.record(withdrawal.transfer_id, done)
            self.record(withdrawal.account_id, moved)

    def bet(self, account: int, market: int, side: int, stake: int, odds: Decimal) -> None:
        state, bet_id = self.account(account), an_id(f"b{len(self.log)}")
        leg = Leg(MARKETS[market], SIDES[side], odds)
        placed = place_single(state, self.market(market), leg, stake)
        reserved = state.reserve_stake(bet_id, stake, placed.potential_return_minor)
        self.record(bet_id, placed)
        self.record(state.account_id, reserved)

    def cash_out(self, which: int, share: Decimal, odds: Decimal) -> None:
        if not (found := self.of(Bet)):
            return
        bet = found[which % len(found)]
        account_id, leg = bet.placed.account_id, bet.placed.legs[0]
        account = self.account(ACCOUNTS.index(account_id))
        markets = {each.market_id: each for each in self.of(Market)}
        prices = (PriceSeen(leg.market_id, leg.selection_id, "x", odds, NOW),)
        stake = stake_of(bet, share)
        offer = offer_minor(bet, account, markets, prices, Decimal(0), stake)
        of_bet, of_account = cash_out(bet, stake, offer, CashOut(Decimal(0), prices))
        self.record(bet.bet_id, of_bet)
        self.record(account_id, of_account)

    def reprice(self, which: int, odds: Decimal) -> None:
        if not (found := self.of(Bet)):
            return
        bet = found[which % len(found)]
        account_id, leg = bet.placed.account_id, bet.placed.legs[0]
        account = self.account(ACCOUNTS.index(account_id))
        markets = {each.market_id: each for each in self.of(Market)}
        this = an_id(f"r{len(self.log)}")
        proposed = propose(bet, this, None, leg.selection_id, odds, "a slip", "olga")
        waiting = bet.evolve(proposed)
        of_bet, of_account = approve(waiting, account, markets, this, "oscar")
        self.record(bet.bet_id, proposed)
        self.record(bet.bet_id, of_bet)
        if of_account is not None:
            self.record(account_id, of_account)

    def step(self, market: int, name: str) -> None:
        state = self.market(market)
        steps = {"suspend": lambda: state.suspend(None), "resume": state.resume}
        self.record(state.market_id, steps.get(name, state.close)())

    def price(self, market: int, side: int, odds: Decimal) -> None:
        quotes = (Quote(HOUSE, SIDES[side], odds, NOW),)
        self.record(odds_id(MARKETS[market]), take_snapshot(self.market(market), quotes, NOW))

    def result(self, market: int, results: tuple[Result, ...]) -> None:
        each = tuple(SelectionResult(*pair) for pair in zip(SIDES, results, strict=True))
        self.record(MARKETS[market], self.market(market).declare(each, None))

    def part_result(self, market: int, side: int, result: Result) -> None:
        only = (SelectionResult(SIDES[side], result),)
        self.record(MARKETS[market], self.market(market).declare(only, None, partial=True))

    def settle(self, market: int, share: int) -> None:
        state = self.market(market)
        settled: list[BetChange] = []
        markets = {each.market_id: each for each in self.of(Market)}
        for bet in self.of(Bet):
            change = bet.bring_to(bet.outcome(markets)) if bet.touches(state.market_id) else None
            if change is None:
                continue
            of_bet, of_account = change
            self.record(bet.bet_id, of_bet)
            if of_account is not None:
                self.record(bet.placed.account_id, of_account)
            settled.append(of_bet)
            if len(settled) == share:
                break
        counted = self.states.get(settlement_id(state.market_id), Settling(0))
        assert isinstance(counted, Settling)
        if event := counted.progress(state.market_id, settled, state.generation, 0):
            self.record(settlement_id(state.market_id), event)

    def roll_back(self, market: int) -> None:
        self.record(MARKETS[market], self.market(market).roll_back(None))


account_numbers, market_numbers, side_numbers = (
    st.integers(0, 1),
    st.integers(0, 2),
    st.integers(0, 2),
)
amounts = st.integers(1, 1_000) | st.integers(1, MAX_AMOUNT_MINOR)
shares = st.just(Decimal(1)) | st.decimals("0.01", 1, places=2)
odds_taken = st.decimals("1.001", 50, places=3) | st.decimals("1.001", 100_000, places=3)
STEPS = st.one_of(
    st.tuples(st.just("deposit"), account_numbers, amounts),
    st.tuples(st.just("withdraw"), account_numbers, amounts),
    st.tuples(st.just("pay"), st.integers(0, 9)),
    st.tuples(st.just("reject"), st.integers(0, 9)),
    st.tuples(st.just("bet"), account_numbers, market_numbers, side_numbers, amounts, odds_taken),
    st.tuples(st.just("bet"), account_numbers, market_numbers, side_numbers, amounts, odds_taken),
    st.tuples(st.just("step"), market_numbers, st.sampled_from(["suspend", "resume", "close"])),
    st.tuples(st.just("price"), market_numbers, side_numbers, odds_taken),
    st.tuples(st.just("result"), market_numbers, st.tuples(*[st.sampled_from(RESULTS)] * 3)),
    st.tuples(st.just("part_result"), market_numbers, side_numbers, st.sampled_from(RESULTS)),
    st.tuples(st.just("roll_back"), market_numbers),
    st.tuples(st.just("settle"), market_numbers, st.integers(1, 3)),
    st.tuples(st.just("cash_out"), st.integers(0, 9), shares, odds_taken),
    st.tuples(st.just("reprice"), st.integers(0, 9), odds_taken),
)


def played(steps: list[tuple[object, ...]]) -> Desk:
    """A desk on which the steps were tried; one that is refused changes nothing."""
    desk = Desk()
    desk.open()
    for name, *arguments in steps:
        before = len(desk.log)
        try:
            if name in ("pay", "reject"):
                desk.finish(*arguments, paid=name == "pay")  # type: ignore[arg-type]
            else:
                getattr(desk, str(name))(*arguments)
        except Refusal:
            assert len(desk.log) == before
        check_money(desk)
    return desk


def check_money(desk: Desk) -> None:
    for number in range(len(ACCOUNTS)):
        account = desk.account(number)
        assert min(account.in_play_minor, account.promised_minor) >= 0, account
        corrected = any(isinstance(event, StakeResettled | StakeReopened) for _, event in desk.log)
        if not corrected:
            assert account.available_minor >= 0, account
            assert account.available_minor + account.in_play_minor <= MAX_FUNDS_MINOR, account


def books(desk: Desk, account_id: UUID) -> Counter[str]:
    found: Counter[str] = Counter()
    for stream_id, event in desk.log:
        for entry in postings(event):
            assert stream_id in ACCOUNTS
            if stream_id == account_id:
                found[entry.book] += entry.amount_minor
    return found


_OF_RESULTS = (
    ResultDeclared,
    ResultRolledBack,
    SettlementProgressed,
    BetSettled,
    BetResettled,
    BetReopened,
    StakeSettled,
    StakeResettled,
    StakeReopened,
    StakeRepriced,
)


def without_results(log: list[tuple[UUID, Event]]) -> Iterator[tuple[UUID, Event]]:
    """Give what happened but for results and their settlement: what was cashed out stays, all odds are of open bets."""
    is_cashed = False
    for stream_id, event in log:
        is_stake = is_cashed and isinstance(event, StakeSettled)
        is_cashed = isinstance(event, BetPartCashedOut) or (
            isinstance(event, BetSettled) and event.cash_out is not None
        )
        if is_stake or is_cashed or not isinstance(event, _OF_RESULTS):
            yield stream_id, event
        if isinstance(event, BetRepriced):
            more = event.potential_return_minor - event.potential_return_before_minor
            yield (
                event.account_id,
                StakeRepriced(bet_id=stream_id, difference_minor=more, currency="EUR"),
            )


BETS = st.tuples(
    st.just("bet"), account_numbers, market_numbers, side_numbers, st.integers(1, 900), odds_taken
)
BEGIN = st.lists(BETS, max_size=4).map(
    lambda bets: [("deposit", 0, 2_000), ("deposit", 1, 2_000), *bets]
)
"""Else chance seldom brings bets about."""

desks = st.tuples(BEGIN, st.lists(STEPS, max_size=30)).map(
    lambda parts: played(parts[0] + parts[1])
)


@settings(max_examples=100)
@given(desks)
def test_the_postings_of_every_event_balance_and_give_the_balances(desk: Desk) -> None:
    for _, event in desk.log:
        entries = postings(event)
        assert sum(entry.amount_minor for entry in entries) == 0
        assert len({entry.currency for entry in entries}) <= 1
    for number, account_id in enumerate(ACCOUNTS):
        account, found = desk.account(number), books(desk, account_id)
        assert found["customer_available"] == account.available_minor
        assert found["customer_in_play"] == account.in_play_minor


@given(desks, st.integers(0, 60))
def test_a_replay_from_a_snapshot_on_equals_a_replay_of_everything(desk: Desk, cut: int) -> None:
    early: dict[UUID, State] = {}
    for stream_id, event in desk.log[:cut]:
        early[stream_id] = evolve(early.get(stream_id), stream_id, event)
    for stream_id, state in early.items():
        if shape := shape_of(state):
            early[stream_id] = decode_snapshot(shape, encode_snapshot(state))
    for stream_id, event in desk.log[cut:]:
        early[stream_id] = evolve(early.get(stream_id), stream_id, event)
    assert early == desk.states


@given(desks)
def test_every_event_passes_through_the_codec(desk: Desk) -> None:
    for stream_id, event in desk.log:
        state = encode_event(event, NOW, "alice", stream_id, None)
        assert decode_event(1, stream_id, 1, event.topic, state).event == event


@settings(max_examples=100)
@given(desks, st.sampled_from(["void", "won", "lost"]))
def test_when_everything_is_settled_nothing_is_in_play(desk: Desk, result: Result) -> None:
    for number in range(len(MARKETS)):
        settle_for_good(desk, number, (result, result, result))
    for withdrawal in desk.of(Withdrawal):
        if withdrawal.status == "pending":
            desk.record(withdrawal.account_id, withdrawal.reject("the end")[1])
    check_money(desk)
    for number in range(len(ACCOUNTS)):
        account = desk.account(number)
        assert (account.in_play_minor, account.promised_minor) == (0, 0)


def settle_for_good(desk: Desk, market: int, results: tuple[Result, ...]) -> None:
    with suppress(ResultAlreadyDeclared):
        desk.result(market, results)
    desk.settle(market, -1)


@settings(max_examples=100)
@given(desks, st.tuples(*[st.tuples(*[st.sampled_from(RESULTS)] * 3)] * len(MARKETS)))
def test_any_chain_of_results_ends_where_the_last_ones_alone_would(
    desk: Desk, final: tuple[tuple[Result, ...], ...]
) -> None:
    for number, results in enumerate(final):
        settle_for_good(desk, number, results)
    alone = Desk()
    for stream_id, event in without_results(desk.log):
        alone.record(stream_id, event)
    for number, results in enumerate(final):
        settle_for_good(alone, number, results)
    for number in range(len(ACCOUNTS)):
        found, expected = desk.account(number), alone.account(number)
        assert replace(found, version=0) == replace(expected, version=0)
    outcomes = {bet.bet_id: bet.settled for bet in desk.of(Bet)}
    assert outcomes == {bet.bet_id: bet.settled for bet in alone.of(Bet)}
    assert None not in outcomes.values()


@given(
    deposit=amounts,
    bets=st.lists(st.tuples(st.integers(1, 10_000), odds_taken, side_numbers), max_size=15),
)
def test_a_void_of_everything_returns_every_stake(
    deposit: int, bets: list[tuple[int, Decimal, int]]
) -> None:
    desk = Desk()
    desk.open()
    desk.deposit(0, deposit)
    for stake, odds, side in bets:
        try:
            desk.bet(0, 0, side, stake, odds)
        except Refusal:
            continue
    desk.result(0, ("void", "void", "push"))
    desk.settle(0, -1)
    assert desk.account(0).available_minor == deposit


@given(
    first=st.tuples(side_numbers, odds_taken, st.integers(-3, 3)),
    rest=st.lists(st.tuples(side_numbers, odds_taken, st.integers(-3, 3)), max_size=10),
)
def test_the_house_offers_the_newest_price_whatever_the_batching(
    first: tuple[int, Decimal, int], rest: list[tuple[int, Decimal, int]]
) -> None:
    quotes = [
        Quote(HOUSE, SIDES[side], odds, NOW + timedelta(seconds=late))
        for side, odds, late in [first, *rest]
    ]
    market = given_market()
    together = HousePrices.start(MARKETS[0], take_snapshot(market, tuple(quotes), NOW))
    one_by_one = reduce(
        lambda state, quote: state.evolve(take_snapshot(market, (quote,), NOW)),
        quotes[1:],
        HousePrices.start(MARKETS[0], take_snapshot(market, (quotes[0],), NOW)),
    )
    assert together.prices == one_by_one.prices
