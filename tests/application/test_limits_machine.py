"""Limits hold whatever is asked, in whatever order: decisions against a log in memory, counted again after each.

Every state is loaded anew from the log, or from a snapshot and the events after it, as often as the machine likes.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.postgres.snapshots import decode_snapshot, encode_snapshot, shape_of
from application.answers import Answer, BetAccepted, NewAccount, NewMarket
from application.book import Book
from application.decisions import decide
from application.decisions.context import Context
from application.decisions.liabilities import liability_id
from application.decisions.streams import further_streams_of, streams_of
from application.ids import new_id
from domain.account import Account
from domain.actors import SETTLER, Actor
from domain.bet import Bet
from domain.commands.account import (
    AccountLimitsBody,
    ChangeAccountLimits,
    CompleteWithdrawal,
    Deposit,
    GrantBonus,
    OpenAccount,
    RejectWithdrawal,
    Withdraw,
)
from domain.commands.bet import (
    ApproveRepricing,
    CashOutBet,
    PlaceBet,
    PlaceBets,
    ProposeRepricing,
    VoidBet,
)
from domain.commands.command import Command
from domain.commands.market import (
    BetsSeen,
    ChangeMarketLimits,
    DeclareResult,
    FixtureBody,
    LimitsBody,
    OpenMarket,
    ResumeMarket,
    RollBackResult,
    SelectionBody,
    SelectionResultBody,
    SuspendMarket,
    TermsBody,
    WithdrawRunner,
)
from domain.commands.settlement import SettleBets
from domain.events.bet import Leg, PriceSeen
from domain.events.event import Event
from domain.events.liability import LiabilityCounted
from domain.liability import Liability, added_up, held_by, liability_minor
from domain.market import Market
from domain.refusals import Refusal
from domain.streams import State, evolve
from tests.builders import ADMIN, ALICE, NOW, OPERATOR

SIDES = ("home", "draw", "away")
RUNNERS = ("ada", "bob", "cid")
ODDS = st.sampled_from([Decimal("1.5"), Decimal("2.0"), Decimal("3.75"), Decimal(11)])
AMOUNTS = st.integers(1, 400)
OTHER_WAYS = ("lay", "accumulator", "each_way", "free", "best", "sp", "sp_accumulator")
ENOUGH_BETS = 4
"""What ends markets waits for them: a machine whose markets are all over places nothing."""


class MemoryLedger:
    """Decides commands against a log that is a list; what a decision needs is loaded as the writer does it."""

    def __init__(self) -> None:
        self.log: dict[UUID, list[Event]] = {}
        self.snapshots: dict[UUID, tuple[int, str, bytes]] = {}
        self.forget()

    def forget(self) -> None:
        self.book = Book(64)
        self.book.base = sum(len(events) for events in self.log.values())

    def ask(self, command: Command, actor: Actor = ALICE, target: UUID | None = None) -> Any:
        while missing := self._missing(command, target):
            states = {each: state for each in missing if (state := self.state(each)) is not None}
            self.book.put_loaded(missing, states)
        mark = self.book.mark()
        try:
            answer: Answer = decide(command, Context(actor, target, NOW, new_id, self.book, {}))
        except Refusal:
            self.book.rewind(mark)
            raise
        for stream_id, version, event in self.book.rows:
            events = self.log.setdefault(stream_id, [])
            events.append(event)
            assert len(events) == version
        self.book.seal()
        self.book.accept()
        return answer

    def _missing(self, command: Command, target: UUID | None) -> set[UUID]:
        knows = self.book.knows
        missing = {each for each in streams_of(command, target) if not knows(each)}
        return missing or {
            each for each in further_streams_of(command, target, self.book) if not knows(each)
        }

    def state(self, stream_id: UUID) -> State | None:
        """Load a state: from its snapshot, if it has one, and the events after it."""
        version, shape, kept = self.snapshots.get(stream_id, (0, "", b""))
        state = decode_snapshot(shape, kept) if version else None
        for event in self.log.get(stream_id, [])[version:]:
            state = evolve(state, stream_id, event)
        return state

    def take_snapshots(self) -> None:
        for stream_id in self.log:
            state = self.state(stream_id)
            if state is not None and (shape := shape_of(state)):
                self.snapshots[stream_id] = state.version, shape, encode_snapshot(state)

    def of(self, kind: type[Any]) -> list[Any]:
        return [state for each in self.log if isinstance(state := self.state(each), kind)]


class Limits(RuleBasedStateMachine):
    """A match whose liability is limited, another whose limits come later, a race, and two accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = MemoryLedger()

    @initialize(
        limit=st.integers(0, 1_500),
        later=st.none() | st.integers(1, 1_500),
        in_play=st.none() | st.integers(1, 800),
        profit=st.none() | st.integers(1, 3_000),
    )
    def begin(self, limit: int, later: int | None, in_play: int | None, profit: int | None) -> None:
        self.markets = [
            self._open("football", "1X2", SIDES, limit or None),
            self._open("football", "1X2", SIDES, later),
            self._open("racing", "WIN", RUNNERS, limit or None),
        ]
        limits = AccountLimitsBody(max_in_play_minor=in_play, max_profit_minor=profit)
        self.accounts = [self._account("EUR", limits), self._account("GBP", None)]

    def _open(self, sport: str, kind: Any, selections: tuple[str, ...], limit: int | None) -> UUID:
        fixture = FixtureBody(
            sport=sport, competition="c", name="n", starts_at=NOW + timedelta(hours=1)
        )
        opened = self.ledger.ask(
            OpenMarket(
                fixture=fixture,
                type=kind,
                selections=[SelectionBody(selection_id=each, name=each) for each in selections],
                pricing="external",
                terms=TermsBody(each_way_places=2, each_way_divisor=4) if kind == "WIN" else None,
                limits=LimitsBody(max_liability_minor=limit, max_payout_minor=2_000)
                if limit
                else None,
            ),
            OPERATOR,
        )
        assert isinstance(opened, NewMarket)
        return opened.market_id

    def _account(self, currency: str, limits: AccountLimitsBody | None) -> UUID:
        opened = self.ledger.ask(OpenAccount(currency=currency, name="a", limits=limits))
        assert isinstance(opened, NewAccount)
        account_id: UUID = opened.account_id
        self.ledger.ask(Deposit(amount_minor=5_000, method="card"), target=account_id)
        self.ledger.ask(GrantBonus(amount_minor=500, reason="hello"), OPERATOR, account_id)
        return account_id

    # ---- what anybody may ask

    def _try(self, command: Command, actor: Actor = ALICE, target: UUID | None = None) -> Any:
        """Ask, and give the answer, or None when it is refused: then nothing has happened."""
        try:
            return self.ledger.ask(command, actor, target)
        except Refusal:
            return None

    def _wish(
        self, account: int, market: int, pick: int, odds: Decimal, stake: int, how: str
    ) -> PlaceBet:
        names = RUNNERS if market == 2 else SIDES
        legs = [Leg(self.markets[market], names[pick], None if how == "sp" else odds)]
        if how in ("accumulator", "sp_accumulator"):
            other = (market + 1) % 3
            sp = how == "sp_accumulator"
            leg_odds = None if sp else Decimal("2.5")
            legs.append(
                Leg(self.markets[other], (RUNNERS if other == 2 else SIDES)[pick], leg_odds)
            )
        kind: Any = (
            "accumulator" if len(legs) == 2 else "each_way" if how == "each_way" else "single"
        )
        return PlaceBet(
            account_id=self.accounts[account],
            kind=kind,
            side="lay" if how == "lay" else "back",
            legs=tuple(legs),
            stake_minor=stake,
            free=how == "free",
            best_odds=how == "best",
        )

    WISHES = st.tuples(
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(0, 2),
        ODDS,
        AMOUNTS,
        st.sampled_from(("back", *OTHER_WAYS)),
    )

    @rule(wish=WISHES, other=st.none() | st.sampled_from(OTHER_WAYS))
    def place_another(self, wish: Any, other: str | None) -> None:
        self.place((*wish[:-1], other or wish[-1]))

    @rule(wish=WISHES)
    def place(self, wish: Any) -> None:
        command = self._wish(*wish)
        before = self._before()
        placed = self._try(command)
        if placed is not None:
            assert isinstance(placed, BetAccepted)
            self._check_placed(command, before)

    @rule(wishes=st.lists(WISHES, min_size=1, max_size=4), atomic=st.booleans())
    def place_some(self, wishes: list[Any], atomic: bool) -> None:
        before = self._before()
        commands = [self._wish(*wish) for wish in wishes]
        done = self._try(PlaceBets(bets=commands, atomic=atomic))
        for command, result in zip(commands, done.results if done else [], strict=False):
            if isinstance(result, BetAccepted):
                self._check_placed(command, before)

    def _check_placed(self, command: PlaceBet, before: dict[tuple[UUID, str], int]) -> None:
        account = self.ledger.state(command.account_id)
        assert isinstance(account, Account)
        for (market_id, currency), now in self._liabilities().items():
            market = self.ledger.state(market_id)
            assert isinstance(market, Market)
            limit = market.max_liability_minor
            assert limit is not None
            assert now <= max(limit, before[market_id, currency]), (market_id, currency)
        if account.limits is not None and account.limits.max_in_play_minor is not None:
            limit = account.limits.max_in_play_minor
            assert _at_risk(account) <= max(limit, self.at_risk_before)

    def _before(self) -> dict[tuple[UUID, str], int]:
        account = self.ledger.state(self.accounts[0])
        assert isinstance(account, Account)
        self.at_risk_before = _at_risk(account)
        return self._liabilities()

    def _liabilities(self) -> dict[tuple[UUID, str], int]:
        found = {}
        for market_id in self.markets:
            market, state = self.ledger.state(market_id), self.ledger.state(liability_id(market_id))
            assert isinstance(market, Market)
            if market.max_liability_minor is None or not isinstance(state, Liability):
                continue
            for currency in ("EUR", "GBP"):
                found[market_id, currency] = liability_minor(market, state.book(currency))
        return found

    def _bet(self, which: int) -> Bet | None:
        bets = self.ledger.of(Bet)
        return bets[which % len(bets)] if bets else None

    @rule(which=st.integers(0, 50))
    def void(self, which: int) -> None:
        if bet := self._bet(which):
            self._try(VoidBet(reason="by mistake"), OPERATOR, bet.bet_id)

    @rule(which=st.integers(0, 50), odds=ODDS, share=st.none() | st.just(Decimal("0.5")))
    def cash_out(self, which: int, odds: Decimal, share: Decimal | None) -> None:
        if bet := self._bet(which):
            prices = tuple(
                PriceSeen(leg.market_id, leg.selection_id, "b", odds, NOW)
                for leg in bet.placed.legs
            )
            self._try(CashOutBet(offer_minor=1, prices=prices, share=share), target=bet.bet_id)

    @rule(which=st.integers(0, 50), odds=ODDS)
    def reprice(self, which: int, odds: Decimal) -> None:
        if bet := self._bet(which):
            leg = bet.placed.legs[0]
            wish = ProposeRepricing(selection_id=leg.selection_id, odds=odds, reason="a slip")
            proposed = self._try(wish, OPERATOR, bet.bet_id)
            if proposed is not None:
                approve = ApproveRepricing(repricing_id=proposed.repricing_id)
                self._try(approve, ADMIN, bet.bet_id)

    @rule(amount=AMOUNTS, account=st.integers(0, 1), complete=st.none() | st.booleans())
    def withdraw(self, amount: int, account: int, complete: bool | None) -> None:
        held = self._try(
            Withdraw(amount_minor=amount, method="bank"), target=self.accounts[account]
        )
        if held is not None and complete is not None:
            end: Command = CompleteWithdrawal() if complete else RejectWithdrawal()
            self._try(end, OPERATOR, held.transfer_id)

    # ---- what operators do

    @rule(
        market=st.integers(0, 2),
        limit=st.none() | st.integers(1, 1_500),
        suspend=st.booleans(),
        stale=st.booleans(),
    )
    def change_limit(self, market: int, limit: int | None, suspend: bool, stale: bool) -> None:
        market_id = self.markets[market]
        if suspend:
            self._try(SuspendMarket(), OPERATOR, market_id)
        state = self.ledger.state(market_id)
        assert isinstance(state, Market)
        bets = tuple(bet.bet_id for bet in self.ledger.of(Bet) if bet.touches(market_id))
        if stale:
            self._try(ResumeMarket(), OPERATOR, market_id)
        seen = BetsSeen(state.version, bets)
        self._try(ChangeMarketLimits(max_liability_minor=limit, seen=seen), OPERATOR, market_id)
        self._try(ResumeMarket(), OPERATOR, market_id)

    @rule(in_play=st.none() | st.integers(1, 800), profit=st.none() | st.integers(1, 3_000))
    def change_account(self, in_play: int | None, profit: int | None) -> None:
        account = self.ledger.state(self.accounts[0])
        assert isinstance(account, Account)
        command = ChangeAccountLimits(max_in_play_minor=in_play, max_profit_minor=profit)
        self.ledger.ask(command, OPERATOR, account.account_id)
        version = len(self.ledger.log[account.account_id])
        self.ledger.ask(command, OPERATOR, account.account_id)
        assert len(self.ledger.log[account.account_id]) == version

    @precondition(lambda self: len(self.ledger.of(Bet)) >= ENOUGH_BETS)
    @rule(runner=st.sampled_from(RUNNERS))
    def withdraw_runner(self, runner: str) -> None:
        self._try(WithdrawRunner(selection_id=runner), OPERATOR, self.markets[2])
        self._settle(self.markets[2])

    @precondition(lambda self: len(self.ledger.of(Bet)) >= ENOUGH_BETS)
    @rule(market=st.integers(0, 2), winner=st.integers(0, 3))
    def declare(self, market: int, winner: int) -> None:
        names = RUNNERS if market == 2 else SIDES
        results = [
            SelectionResultBody(
                selection_id=each,
                result="void" if winner == 3 else "won" if number == winner else "lost",
            )
            for number, each in enumerate(names)
        ]
        self._try(DeclareResult(results=results), OPERATOR, self.markets[market])
        self._settle(self.markets[market])

    @precondition(lambda self: len(self.ledger.of(Bet)) >= ENOUGH_BETS)
    @rule(market=st.integers(0, 2))
    def roll_back(self, market: int) -> None:
        self._try(RollBackResult(), OPERATOR, self.markets[market])
        self._settle(self.markets[market])

    def _settle(self, market_id: UUID) -> None:
        market = self.ledger.state(market_id)
        assert isinstance(market, Market)
        bets = [bet.bet_id for bet in self.ledger.of(Bet) if bet.touches(market_id)]
        if market.generation and bets:
            command = SettleBets(bet_ids=bets, generation=market.generation, after=len(bets))
            self.ledger.ask(command, SETTLER, market_id)

    # ---- what dies

    @rule(snapshots=st.booleans())
    @precondition(lambda self: self.ledger.log)
    def restart(self, snapshots: bool) -> None:
        if snapshots:
            self.ledger.take_snapshots()
        self.ledger.forget()

    # ---- what holds

    @invariant()
    def what_is_held_is_what_is_open(self) -> None:
        bets = self.ledger.of(Bet)
        markets = {each.market_id: each for each in self.ledger.of(Market)}
        for market in markets.values():
            state = self.ledger.state(liability_id(market.market_id))
            if market.max_liability_minor is None:
                continue
            assert isinstance(state, Liability)
            held = added_up(
                (1, held_by(bet.standing, markets))
                for bet in bets
                if bet.status == "open" and bet.touches(market.market_id)
            )
            counted = LiabilityCounted(market_id=market.market_id, held=held)
            assert state.books == Liability(market.market_id, 0).evolve(counted).books

    @invariant()
    def accounts_hold_what_is_open(self) -> None:
        bets = self.ledger.of(Bet)
        for account in self.ledger.of(Account):
            own = [
                bet.standing
                for bet in bets
                if bet.status == "open" and bet.placed.account_id == account.account_id
            ]
            assert _at_risk(account) == sum(each.total_stake_minor for each in own)
            assert account.promised_minor == sum(each.potential_return_minor for each in own)


def _at_risk(account: Account) -> int:
    return account.in_play_minor - account.withdrawing_minor


TestLimits = Limits.TestCase
TestLimits.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
