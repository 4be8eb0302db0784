"""The real ledger against a plain model, step by step, through whatever Hypothesis thinks of."""

import asyncio
from decimal import ROUND_HALF_UP, Decimal
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

from adapters.postgres.codec import decode_event
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from domain.account import Account
from domain.actors import SETTLER, Actor
from domain.bet import Bet
from domain.commands import (
    CloseMarket,
    Command,
    CompleteWithdrawal,
    DeclareResult,
    Deposit,
    OpenAccount,
    PlaceBet,
    PlaceBets,
    RejectWithdrawal,
    ResumeMarket,
    RollBackResult,
    ScoreBody,
    SettleBets,
    SuspendMarket,
    Withdraw,
)
from domain.market import Market
from domain.refusals import Refusal
from domain.streams import State, evolve
from domain.withdrawal import Withdrawal
from tests.application.desk import a_key, kill_writers
from tests.builders import ALICE, OPERATOR, open_market, place_bet

SIDES = ("home", "draw", "away")
OK = "ok"


class Model:
    """What should be true, said as plainly as possible. Every method gives "ok" or the problem type."""

    def __init__(self) -> None:
        self.available: dict[UUID, int] = {}
        self.in_play: dict[UUID, int] = {}
        self.withdrawals: dict[UUID, tuple[UUID, int, str]] = {}
        self.markets: dict[UUID, str] = {}
        self.scores: dict[UUID, tuple[int, int]] = {}
        self.generations: dict[UUID, int] = {}
        self.bets: dict[UUID, tuple[UUID, UUID, str, int, int, str]] = {}

    def open_account(self, account: UUID) -> None:
        self.available[account] = self.in_play[account] = 0

    def deposit(self, account: UUID, amount: int) -> str:
        self.available[account] += amount
        return OK

    def reserve(self, account: UUID, amount: int) -> str:
        if amount > self.available[account]:
            return "account_overdrawn" if self.available[account] < 0 else "insufficient_funds"
        self.available[account] -= amount
        self.in_play[account] += amount
        return OK

    def finish_withdrawal(self, transfer: UUID, status: str) -> str:
        account, amount, before = self.withdrawals[transfer]
        if before != "pending":
            return "withdrawal_not_pending"
        self.withdrawals[transfer] = account, amount, status
        self.in_play[account] -= amount
        self.available[account] += amount if status == "rejected" else 0
        return OK

    def change_market(self, market: UUID, status: str) -> str:
        allowed = {"suspended": ["open"], "open": ["suspended"], "closed": ["open", "suspended"]}
        if self.markets[market] not in allowed[status]:
            return "market_state_conflict"
        self.markets[market] = status
        return OK

    def declare(self, market: UUID, score: tuple[int, int]) -> str:
        if self.scores.get(market) == score:
            return "result_already_declared"
        self.markets[market], self.scores[market] = "resulted", score
        self.generations[market] += 1
        return OK

    def roll_back(self, market: UUID) -> str:
        if self.scores.pop(market, None) is None:
            return "market_state_conflict"
        self.markets[market] = "closed"
        self.generations[market] += 1
        return OK

    def bet(self, command: PlaceBet) -> str:
        leg, stake = command.legs[0], command.stake_minor
        if self.markets[leg.market_id] != "open":
            return "market_not_open"
        return self.reserve(command.account_id, stake)

    def placed(self, bet: UUID, command: PlaceBet) -> None:
        leg, stake = command.legs[0], command.stake_minor
        assert leg.odds is not None
        pays = int((stake * leg.odds).quantize(Decimal(1), rounding=ROUND_HALF_UP))
        self.bets[bet] = command.account_id, leg.market_id, leg.selection_id, stake, pays, "open"

    def settle(self, market: UUID, bets: list[UUID], generation: int) -> str:
        if generation != self.generations[market] or not generation:
            return "market_state_conflict"
        for bet in bets:
            account, its_market, side, stake, pays, status = self.bets[bet]
            if its_market != market:
                continue
            self.in_play[account] += stake if status != "open" else 0
            self.available[account] -= pays if status == "won" else 0
            status = self.status_of(market, side)
            self.in_play[account] -= stake if status != "open" else 0
            self.available[account] += pays if status == "won" else 0
            self.bets[bet] = account, market, side, stake, pays, status
        return OK

    def status_of(self, market: UUID, side: str) -> str:
        if market not in self.scores:
            return "open"
        home, away = self.scores[market]
        winner = "home" if home > away else "away" if away > home else "draw"
        return "won" if side == winner else "lost"


class LedgerMachine(RuleBasedStateMachine):
    database_url: str

    accounts, markets, transfers = Bundle("accounts"), Bundle("markets"), Bundle("transfers")
    amounts = st.integers(1, 1_000)
    odds = st.decimals("1.001", 20, places=3)
    bet_lines = st.tuples(accounts, markets, st.sampled_from(SIDES), amounts, odds)

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
        return self.open_market_()

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
                async with asyncio.timeout(20):
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

    @rule(target=markets)
    def open_market(self) -> UUID:
        return self.open_market_()

    def open_market_(self) -> UUID:
        market_id = UUID(self.ask(OK, open_market(), OPERATOR)["market_id"])
        self.model.markets[market_id], self.model.generations[market_id] = "open", 0
        return market_id

    @rule(account=accounts, amount=amounts)
    def deposit(self, account: UUID, amount: int) -> None:
        self.deposit_(account, amount)

    def deposit_(self, account: UUID, amount: int) -> None:
        expected = self.model.deposit(account, amount)
        answer = self.ask(expected, Deposit(amount_minor=amount, method="card"), ALICE, account)
        assert answer["available_minor"] == self.model.available[account]

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
        command = DeclareResult(score=ScoreBody(home=home, away=away))
        self.ask(self.model.declare(market, (home, away)), command, OPERATOR, market)

    @precondition(lambda self: self.model.scores)
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        market = data.draw(st.sampled_from(sorted(self.model.markets, key=str)))
        self.ask(self.model.roll_back(market), RollBackResult(), OPERATOR, market)

    @rule(line=bet_lines, chosen=st.booleans())
    def bet(self, line: tuple[UUID, UUID, str, int, Decimal], chosen: bool) -> None:
        self.bet_(line, chosen=chosen)

    def bet_(self, line: tuple[UUID, UUID, str, int, Decimal], *, chosen: bool) -> None:
        command = self.bet_of(line, chosen=chosen)
        answer = self.ask(self.model.bet(command), command)
        if answer is not None:
            self.check_placed(answer, command)

    @rule(
        lines=st.lists(st.tuples(bet_lines, st.booleans()), min_size=1, max_size=6),
        atomic=st.booleans(),
    )
    def batch(self, lines: list[tuple[Any, bool]], atomic: bool) -> None:
        commands = [self.bet_of(line, chosen=chosen) for line, chosen in lines]
        before = dict(self.model.available), dict(self.model.in_play)
        expected = [self.model.bet(command) for command in commands]
        refused = atomic and set(expected) != {OK}
        if refused:
            self.model.available, self.model.in_play = before
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
        assert answer["potential_return_minor"] == self.model.bets[bet_id][4]
        if available:
            assert answer["available_minor"] == self.model.available[command.account_id]

    @precondition(lambda self: self.model.bets)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        changed = sorted((key for key, n in self.model.generations.items() if n), key=str)
        market = data.draw(st.sampled_from(changed or sorted(self.model.markets, key=str)))
        known = st.sampled_from(sorted(self.model.bets, key=str))
        chosen = data.draw(st.lists(known, max_size=8))
        generation = self.model.generations[market] - data.draw(st.sampled_from([0, 0, 0, 0, 1]))
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
        assert {k: s.status for k, s in found if isinstance(s, Market)} == model.markets
        assert {k: s.status for k, s in found if isinstance(s, Bet)} == {
            key: bet[-1] for key, bet in model.bets.items()
        }
        assert {k: s.status for k, s in found if isinstance(s, Withdrawal)} == {
            key: each[-1] for key, each in model.withdrawals.items()
        }
        for account_id, account in accounts.items():
            open_bets = [b for b in model.bets.values() if (b[0], b[-1]) == (account_id, "open")]
            assert account.promised_minor == sum(bet[4] for bet in open_bets)


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
