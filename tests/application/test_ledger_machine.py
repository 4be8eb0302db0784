"""The real ledger against a plain model, step by step, through whatever Hypothesis thinks of."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from adapters.postgres.codec import decode_event
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from domain.account import Account
from domain.actors import SETTLER, Actor
from domain.bet import Bet
from domain.commands.account import (
    CompleteWithdrawal,
    Deposit,
    GrantBonus,
    OpenAccount,
    RejectWithdrawal,
    Withdraw,
)
from domain.commands.bet import CashOutBet, PlaceBet, PlaceBets, VoidBet
from domain.commands.command import Command
from domain.commands.market import (
    CloseMarket,
    DeclareResult,
    ReinstateRunner,
    ResumeMarket,
    RollBackResult,
    ScoreBody,
    SelectionResultBody,
    SuspendMarket,
    VoidMarket,
    WithdrawRunner,
)
from domain.commands.settlement import SettleBets
from domain.events.bet import PriceSeen
from domain.market import Market
from domain.refusals import Refusal
from domain.streams import State, evolve
from domain.withdrawal import Withdrawal
from tests.application.desk import a_key, kill_writers
from tests.application.model import OK, SIDES, Model, ModelMarket
from tests.builders import ALICE, NOW, OPERATOR, open_market, place_bet


class LedgerMachine(RuleBasedStateMachine):
    database_url: str

    accounts, markets, transfers = Bundle("accounts"), Bundle("markets"), Bundle("transfers")
    amounts = st.integers(1, 1_000)
    odds = st.decimals("1.001", 20, places=3)
    sides = st.sampled_from(SIDES)
    bet_lines = st.tuples(accounts, markets, sides, amounts, odds)

    # ---- the real thing

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.asked: list[tuple[Command, Actor, UUID | None, str, object]] = []
        self.states: dict[UUID, State] = {}
        self.position = self.changes = 0
        self.ledger: Ledger | None = None
        self.start()
        self.reader = psycopg.connect(self.database_url, autocommit=True)
        self.reader.execute("TRUNCATE ledger_events, ledger_commands, ledger_snapshots")

    @initialize(target=accounts, count=st.integers(1, 3))
    def begin(self, count: int) -> Any:
        opened = [self.open_account_(chosen=False) for _ in range(count)]
        for account_id in opened:
            self.deposit_(account_id, 3_000)
        return multiple(*opened)

    @initialize(target=markets)
    def begin_market(self) -> UUID:
        return self.open_market_(is_race=False)

    def start(self, capacity: int = 1_000) -> None:
        self.ledger = Ledger(ledger_environment(self.database_url), capacity=capacity)
        self.runner.run(self.ledger.__aenter__())

    def stop(self) -> None:
        if self.ledger is not None:
            self.runner.run(self.ledger.__aexit__(None, None, None))
            self.ledger = None

    def teardown(self) -> None:
        self.stop()
        self.reader.close()
        self.runner.close()

    def submit(self, command: Command, actor: Actor, target: UUID | None, key: str) -> object:
        """Give the answer's bytes, or the refusal's type and detail."""
        ledger = self.ledger
        assert ledger is not None

        async def ask() -> object:
            try:
                async with asyncio.timeout(60):
                    return (await ledger.submit(command, actor, target=target, key=key)).answer
            except Refusal as refusal:
                return refusal.type, refusal.detail

        return self.runner.run(ask())

    def ask(
        self, expected: str, command: Command, actor: Actor = ALICE, target: UUID | None = None
    ) -> Any:
        event(f"{type(command).__name__}: {expected}")
        key = a_key()
        outcome = self.submit(command, actor, target, key)
        self.asked.append((command, actor, target, key, outcome))
        if isinstance(outcome, bytes):
            assert expected == OK
            return msgspec.json.decode(outcome)
        assert isinstance(outcome, tuple)
        assert outcome[0] == expected
        return None

    # ---- steps

    @rule(target=accounts, chosen=st.booleans())
    def open_account(self, chosen: bool) -> UUID:
        return self.open_account_(chosen=chosen)

    def open_account_(self, *, chosen: bool) -> UUID:
        command = OpenAccount(currency="EUR", name="x", account_id=uuid4() if chosen else None)
        account_id = UUID(self.ask(OK, command)["account_id"])
        self.model.open_account(account_id)
        return account_id

    @rule(target=markets, is_race=st.booleans())
    def open_market(self, is_race: bool) -> UUID:
        return self.open_market_(is_race=is_race)

    def open_market_(self, *, is_race: bool) -> UUID:
        command = open_market()
        if is_race:
            command = replace(command, type="WIN")
        market_id = UUID(self.ask(OK, command, OPERATOR)["market_id"])
        self.model.markets[market_id] = ModelMarket(is_race)
        return market_id

    @rule(account=accounts, amount=amounts)
    def deposit(self, account: UUID, amount: int) -> None:
        self.deposit_(account, amount)

    def deposit_(self, account: UUID, amount: int) -> None:
        expected = self.model.deposit(account, amount)
        answer = self.ask(expected, Deposit(amount_minor=amount, method="card"), ALICE, account)
        assert answer["available_minor"] == self.model.available[account]

    @rule(account=accounts, amount=amounts)
    def grant_bonus(self, account: UUID, amount: int) -> None:
        command = GrantBonus(amount_minor=amount, reason="welcome")
        self.ask(self.model.grant_bonus(account, amount), command, OPERATOR, account)

    @rule(target=transfers, account=accounts, amount=amounts)
    def withdraw(self, account: UUID, amount: int) -> Any:
        expected = self.model.reserve(account, amount)
        answer = self.ask(expected, Withdraw(amount_minor=amount, method="bank"), ALICE, account)
        if answer is None:
            return multiple()
        transfer_id = UUID(answer["transfer_id"])
        self.model.withdrawals[transfer_id] = account, amount, "pending"
        return transfer_id

    @rule(transfer=transfers, paid=st.booleans())
    def finish_withdrawal(self, transfer: UUID, paid: bool) -> None:
        expected = self.model.finish_withdrawal(transfer, "completed" if paid else "rejected")
        command = CompleteWithdrawal() if paid else RejectWithdrawal()
        self.ask(expected, command, OPERATOR, transfer)

    def has_enough_bets(self) -> bool:
        """A market that is closed early makes a dull example."""
        return len(self.model.bets) > 2 * self.changes

    @precondition(lambda self: self.has_enough_bets())
    @rule(market=markets, status=st.sampled_from(["suspended", "open", "closed"]))
    def change_market(self, market: UUID, status: str) -> None:
        self.changes += 1
        steps = {"suspended": SuspendMarket(), "open": ResumeMarket(), "closed": CloseMarket()}
        self.ask(self.model.change_market(market, status), steps[status], OPERATOR, market)

    @precondition(lambda self: self.has_enough_bets())
    @rule(market=markets, home=st.integers(0, 2), away=st.integers(0, 2))
    def declare(self, market: UUID, home: int, away: int) -> None:
        self.changes += 1
        expected = self.model.declare(market, (home, away))
        command = DeclareResult(score=ScoreBody(home=home, away=away))
        if self.model.markets[market].is_race:
            results = self.model.markets[market].results
            command = DeclareResult(
                results=[
                    SelectionResultBody(selection_id=side, result=word)  # type: ignore[arg-type]
                    for side, word in results.items()
                ]
            )
        self.ask(expected, command, OPERATOR, market)

    @precondition(lambda self: self.has_enough_bets())
    @rule(market=markets)
    def void_market(self, market: UUID) -> None:
        self.changes += 1
        command = VoidMarket(reason="the wrong names")
        self.ask(self.model.void_market(market), command, OPERATOR, market)

    @precondition(lambda self: self.has_enough_bets())
    @rule(market=markets, side=sides)
    def withdraw_runner(self, market: UUID, side: str) -> None:
        self.changes += 1
        command = WithdrawRunner(selection_id=side)
        self.ask(self.model.withdraw_runner(market, side), command, OPERATOR, market)

    @precondition(lambda self: any(each.out for each in self.model.markets.values()))
    @rule(data=st.data(), other=st.sampled_from([False, False, True]))
    def reinstate_runner(self, data: st.DataObject, other: bool) -> None:
        markets = self.model.markets
        out = sorted(((key, side) for key, each in markets.items() for side in each.out), key=str)
        market, side = data.draw(st.sampled_from(out))
        if other:
            side = data.draw(self.sides)
        command = ReinstateRunner(selection_id=side, reason="a slip")
        self.ask(self.model.reinstate_runner(market, side), command, OPERATOR, market)

    @precondition(lambda self: any(each.results for each in self.model.markets.values()))
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        market = data.draw(st.sampled_from(sorted(self.model.markets, key=str)))
        self.ask(self.model.roll_back(market), RollBackResult(), OPERATOR, market)

    @rule(line=bet_lines, chosen=st.booleans(), free=st.sampled_from([False, False, True]))
    def bet(self, line: tuple[UUID, UUID, str, int, Decimal], chosen: bool, free: bool) -> None:
        self.bet_(line, chosen=chosen, free=free)

    def bet_(
        self, line: tuple[UUID, UUID, str, int, Decimal], *, chosen: bool, free: bool = False
    ) -> None:
        command = replace(self.bet_of(line, chosen=chosen), free=free)
        answer = self.ask(self.model.bet(command), command)
        if answer is not None:
            self.check_placed(answer, command)

    @rule(
        lines=st.lists(st.tuples(bet_lines, st.booleans()), min_size=1, max_size=6),
        atomic=st.booleans(),
    )
    def batch(self, lines: list[tuple[Any, bool]], atomic: bool) -> None:
        commands = [self.bet_of(line, chosen=chosen) for line, chosen in lines]
        model = self.model
        before = dict(model.available), dict(model.in_play)
        expected = [self.model.bet(command) for command in commands]
        refused = atomic and set(expected) != {OK}
        if refused:
            model.available, model.in_play = before
        answer = self.ask(
            "batch_refused" if refused else OK, PlaceBets(bets=commands, atomic=atomic)
        )
        if answer is None:
            return
        found = [each["error"]["type"] if "error" in each else OK for each in answer["results"]]
        assert found == expected
        for each, command in zip(answer["results"], commands, strict=True):
            if "error" not in each:
                self.check_placed(each, command, available=False)

    def bet_of(self, line: tuple[UUID, UUID, str, int, Decimal], *, chosen: bool) -> PlaceBet:
        account, market, side, stake, odds = line
        bet_id = uuid4() if chosen else None
        return place_bet(account, market, stake, odds=str(odds), selection_id=side, bet_id=bet_id)

    @rule(line=bet_lines)
    def another_bet(self, line: tuple[UUID, UUID, str, int, Decimal]) -> None:
        self.bet_(line, chosen=False)

    def check_placed(self, answer: Any, command: PlaceBet, *, available: bool = True) -> None:
        bet_id = UUID(answer["bet_id"])
        self.model.placed(bet_id, command)
        assert command.bet_id in (None, bet_id)
        assert answer["potential_return_minor"] == self.model.bets[bet_id].pays
        if available:
            assert answer["available_minor"] == self.model.available[command.account_id]

    @precondition(lambda self: self.model.bets)
    @rule(data=st.data())
    def void_bet(self, data: st.DataObject) -> None:
        bet = data.draw(st.sampled_from(sorted(self.model.bets, key=str)))
        answer = self.ask(self.model.void_bet(bet), VoidBet(reason="an error"), OPERATOR, bet)
        if answer is not None:
            assert answer["available_minor"] == self.model.available[self.model.bets[bet].account]

    @precondition(lambda self: self.model.bets)
    @rule(data=st.data(), share=st.none() | st.decimals("0.001", 1, places=3), now=odds)
    def cash_out(self, data: st.DataObject, share: Decimal | None, now: Decimal) -> None:
        bet_id = data.draw(st.sampled_from(sorted(self.model.bets, key=str)))
        bet = self.model.bets[bet_id]
        price = PriceSeen(bet.market, bet.side, "x", now, NOW)
        command = CashOutBet(offer_minor=1, share=share, prices=(price,))
        answer = self.ask(self.model.cash_out(bet_id, share, now), command, ALICE, bet_id)
        if answer is not None:
            assert answer["available_minor"] == self.model.available[bet.account]

    @precondition(lambda self: self.model.bets)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        markets = self.model.markets
        changed = sorted((key for key, each in markets.items() if each.generation), key=str)
        market = data.draw(st.sampled_from(changed or sorted(markets, key=str)))
        known = st.sampled_from(sorted(self.model.bets, key=str))
        chosen = data.draw(st.lists(known, max_size=8))
        generation = markets[market].generation - data.draw(st.sampled_from([0, 0, 0, 0, 1]))
        expected = self.model.settle(market, chosen, generation)
        command = SettleBets(bet_ids=chosen, generation=generation)
        self.ask(expected, command, SETTLER, market)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.asked) - 1))
        command, actor, target, key, outcome = self.asked[number]
        assert self.submit(command, actor, target, key) == outcome

    @rule(capacity=st.sampled_from([1, 10, 1_000]))
    def restart(self, capacity: int) -> None:
        self.stop()
        self.start(capacity)

    @rule()
    def lose_the_connection(self) -> None:
        kill_writers(self.database_url)

    # ---- what must hold after every step

    @invariant()
    def the_log_folds_to_the_model(self) -> None:
        for row in self.reader.execute(
            "SELECT notification_id, originator_id, originator_version, topic, state"
            " FROM ledger_events WHERE notification_id > %s ORDER BY 1",
            (self.position,),
        ):
            recorded = decode_event(*row)
            self.position += 1
            assert recorded.position == self.position
            before = self.states.get(recorded.stream_id)
            assert recorded.version == (before.version if before else 0) + 1
            self.states[recorded.stream_id] = evolve(before, recorded.stream_id, recorded.event)
        model, found = self.model, self.states.items()
        accounts = {key: state for key, state in found if isinstance(state, Account)}
        assert {key: each.available_minor for key, each in accounts.items()} == model.available
        assert {key: each.in_play_minor for key, each in accounts.items()} == model.in_play
        assert {key: each.bonus_minor for key, each in accounts.items()} == model.bonus
        assert {k: s.status for k, s in found if isinstance(s, Market)} == {
            key: market.status for key, market in model.markets.items()
        }
        assert {k: s.status for k, s in found if isinstance(s, Bet)} == {
            key: bet.status for key, bet in model.bets.items()
        }
        assert {k: s.status for k, s in found if isinstance(s, Withdrawal)} == {
            key: each[-1] for key, each in model.withdrawals.items()
        }
        for account_id, account in accounts.items():
            bets = [bet for bet in model.bets.values() if bet.account == account_id]
            assert account.promised_minor == sum(bet.pays for bet in bets if bet.status == "open")


def test_the_ledger_agrees_with_the_model(database_url: str) -> None:
    class Machine(LedgerMachine):
        pass

    Machine.database_url = database_url
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
