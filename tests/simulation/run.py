"""A seeded run of the simulated desk on the real ledger, with interruptions, and the reckoning at its end."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from random import Random
from uuid import UUID

import msgspec

from application.ledger import Ledger
from application.writer import Overloaded, Unavailable
from domain.account import Account
from domain.actors import SETTLER
from domain.bet import Bet
from domain.events.liability import Held, LiabilityCounted
from domain.liability import Liability, added_up, held_by, liability_id
from domain.market import Market
from domain.refusals import Refusal
from domain.withdrawal import Withdrawal
from tests.application.desk import Log, a_desk, kill_writers, read_log
from tests.simulation import oracle
from tests.simulation.oracle import Balances, Outcome
from tests.simulation.world import Answer, Step, World

TOGETHER = 64
"""Commands that are asked at once."""

EXPECTED_REFUSALS = {
    "account_overdrawn",
    "batch_refused",
    "bet_state_conflict",
    "insufficient_funds",
    "invalid_input",
    "limit_exceeded",
    "market_not_open",
    "market_state_conflict",
    "not_offered",
    "repricing_not_found",
    "second_approver_needed",
    "selection_not_in_market",
    "result_already_declared",
    "result_not_derivable",
    "withdrawal_not_pending",
}


class Run:
    """One run: what it asked, what came back, and how the ledger was interrupted.

    `unrest` is the share of rounds in which it is.
    """

    def __init__(self, database_url: str, seed: int, *, unrest: float = 0.15) -> None:
        self.database_url = database_url
        self.unrest = unrest
        self.world = World(seed)
        self.random = Random(seed + 1)  # how it is interrupted, apart from what is asked
        self.asked: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.interrupted: Counter[str] = Counter()
        self._keys = 0
        self._stack = AsyncExitStack()
        self._ledger: Ledger | None = None

    async def go(self, commands: int, report: Callable[[int], None] = lambda _: None) -> Log:
        """Ask so many commands, settle what is due and compare everything; end nearly every market, and again; gives the log."""
        try:
            await self._open()
            while (done := self.asked.total()) < commands:
                report(done)
                how = (
                    self.random.choice(("close", "cut"))
                    if self.random.random() < self.unrest
                    else ""
                )
                await self._round(self.world.steps(min(TOGETHER, commands - done)), how)
            await self._settle_and_check()
            # Then nearly everything ends: what was open until now has its say as well.
            await self._round(self.world.last_results())
            log = await self._settle_and_check()
        finally:
            await self._stack.aclose()
        return log

    # ---- asking

    async def _open(self) -> None:
        await self._stack.aclose()
        capacity = self.random.choice((30, 1_000, 400_000))
        desk = await self._stack.enter_async_context(
            a_desk(self.database_url, capacity=capacity, clock=self.world.clock)
        )
        self._ledger = desk.ledger

    async def _round(self, steps: list[Step], how: str = "") -> None:
        """Ask these at once, again where the ledger was interrupted, and learn from the answers in the log's order."""
        keys = []
        for step in steps:
            self.asked[type(step.command).__name__] += 1
            self._keys += 1
            # The settlement process sends none: its steps may be repeated anyway.
            keys.append(None if step.actor == SETTLER else f"key {self._keys}")
        answers: list[Answer | Refusal | None] = [None] * len(steps)
        while waiting := [number for number, answer in enumerate(answers) if answer is None]:
            asking = [
                asyncio.create_task(self._ask(steps[number], keys[number])) for number in waiting
            ]
            if how:
                await self._interrupt(how)
                how = ""
            for number, answer in zip(waiting, await asyncio.gather(*asking), strict=True):
                answers[number] = answer
        accepted: list[tuple[int, int, Answer]] = []
        for number, answer in enumerate(answers):
            if isinstance(answer, Refusal):
                assert answer.type in EXPECTED_REFUSALS, (steps[number], answer)
                self.refused[answer.type] += 1
                steps[number].missed()
            elif answer is not None:
                accepted.append((answer["position"], number, answer))
        for _, number, answer in sorted(accepted, key=lambda each: each[:2]):
            steps[number].learn(answer)

    async def _ask(self, step: Step, key: str | None) -> Answer | Refusal | None:
        assert self._ledger is not None
        try:
            receipt = await self._ledger.submit(
                step.command, step.actor, target=step.target, key=key
            )
        except Refusal as refusal:
            return refusal
        except (Unavailable, Overloaded):
            return None
        answer: Answer = msgspec.json.decode(receipt.answer)
        return answer

    async def _interrupt(self, how: str) -> None:
        """Close the ledger, or cut its connection, while commands are on their way."""
        self.interrupted[how] += 1
        await asyncio.sleep(self.random.choice((0, 0.002, 0.01)))
        if how == "close":
            await self._open()
        else:
            await asyncio.to_thread(kill_writers, self.database_url)

    # ---- the reckoning

    def check(self, log: Log) -> None:
        """Compare every bet and every balance with the oracle's; read_log has checked the log in itself."""
        facts = self.world.facts
        bets = {key: state for key, state in log.states.items() if isinstance(state, Bet)}
        assert bets.keys() == self.world.bets.keys()
        expected = {
            bet_id: (bet, oracle.outcome(bet, facts)) for bet_id, bet in self.world.bets.items()
        }
        wrong = [
            (bet, [facts[leg.market] for leg in bet.legs], outcome, found)
            for bet_id, (bet, outcome) in expected.items()
            if (found := ended(bets[bet_id])) != outcome
        ]
        assert not wrong, (len(wrong), wrong[0])
        accounts = {key: state for key, state in log.states.items() if isinstance(state, Account)}
        expected_balances = oracle.balances(self.world.cash, expected.values(), self.world.rates)
        assert {
            account_id: Balances(
                account.available_minor, account.in_play_minor, account.bonus_minor
            )
            for account_id, account in accounts.items()
        } == expected_balances
        promised = dict.fromkeys(accounts, 0)
        for bet in bets.values():
            if bet.settled is None:
                promised[bet.placed.account_id] += bet.standing.potential_return_minor
        assert {key: account.promised_minor for key, account in accounts.items()} == promised
        self._check_liabilities(log)
        withdrawals = {k: s.status for k, s in log.states.items() if isinstance(s, Withdrawal)}
        assert withdrawals == self.world.finished | dict.fromkeys(self.world.pending, "pending")

    def _check_liabilities(self, log: Log) -> None:
        """What is counted for the limits on markets is what is open on them."""
        markets = {key: each for key, each in log.states.items() if isinstance(each, Market)}
        limited = {key for key, each in markets.items() if each.max_liability_minor is not None}
        open_on: dict[UUID, list[tuple[int, Held]]] = {key: [] for key in limited}
        for bet in log.states.values():
            if isinstance(bet, Bet) and bet.settled is None:
                for leg in bet.placed.legs:
                    if leg.market_id in limited:
                        open_on[leg.market_id].append((1, held_by(bet.standing, markets)))
        for market_id, held in open_on.items():
            counted = log.states[liability_id(market_id)]
            assert isinstance(counted, Liability)
            anew = LiabilityCounted(market_id=market_id, held=added_up(held))
            assert counted.books == counted.evolve(anew).books

    async def _settle_and_check(self) -> Log:
        while due := self.world.due():
            await self._round([self.world.visit(market_id) for market_id in due])
        log = read_log(self.database_url)
        self.check(log)
        await self._check_states(log)
        return log

    async def _check_states(self, log: Log) -> None:
        """What the ledger gives for a stream, from snapshots and memory too, is its log folded anew."""
        ledger = self._ledger
        assert ledger is not None
        stream_ids: list[UUID] = sorted(log.states, key=str)
        accounts = [each for each in stream_ids if isinstance(log.states[each], Account)]
        some = self.random.sample(stream_ids, min(300, len(stream_ids)))
        for stream_id in accounts + some:
            assert await ledger.state(stream_id) == log.states[stream_id]
        book = ledger._writer.book
        for stream_id in stream_ids:
            if book.knows(stream_id):
                assert book.get(stream_id) == log.states[stream_id]


def ended(bet: Bet) -> Outcome:
    """Give how the ledger says that a bet stands, in the oracle's words."""
    if bet.settled is None:
        return Outcome("open", bet.standing.total_stake_minor, bet.cashed_return_minor)
    return Outcome(bet.settled.status, 0, bet.settled.return_minor + bet.cashed_return_minor)
