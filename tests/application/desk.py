"""A desk that drives a real ledger, and an auditor who reads its log without it."""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from msgspec import Struct

from adapters.postgres.codec import decode_event
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from domain.account import Account
from domain.actors import Actor
from domain.bet import Bet
from domain.commands.account import Deposit, OpenAccount, Withdraw
from domain.commands.command import Command
from domain.commands.market import DeclareResult, ScoreBody
from domain.events.account import CommissionCharged, StakeReopened, StakeResettled
from domain.events.event import Event, Recorded
from domain.journal import postings
from domain.streams import State, evolve
from tests.builders import ALICE, OPERATOR, open_market, place_bet

Answer = dict[str, Any]


@asynccontextmanager
async def a_desk(database_url: str, **options: Any) -> AsyncIterator["Desk"]:
    """A running ledger on this database."""
    async with Ledger(ledger_environment(database_url), **options) as ledger:
        yield Desk(ledger)


@dataclass
class Desk:
    """Short words for the commands that tests begin with."""

    ledger: Ledger

    async def ask(
        self,
        command: Command,
        actor: Actor = ALICE,
        *,
        target: UUID | None = None,
        key: str | None = None,
    ) -> Answer:
        receipt = await self.ledger.submit(command, actor, target=target, key=key)
        answer: Answer = msgspec.json.decode(receipt.answer)
        return answer

    async def account(self, funds_minor: int = 0, *, owner: Actor = ALICE) -> UUID:
        opened = await self.ask(OpenAccount(currency="EUR", name="main"), owner)
        account_id = UUID(opened["account_id"])
        if funds_minor:
            await self.deposit(account_id, funds_minor, owner=owner)
        return account_id

    async def deposit(
        self, account_id: UUID, amount_minor: int, *, owner: Actor = ALICE, key: str | None = None
    ) -> Answer:
        command = Deposit(amount_minor=amount_minor, method="card", reference=key)
        return await self.ask(command, owner, target=account_id, key=key)

    async def withdraw(self, account_id: UUID, amount_minor: int) -> UUID:
        command = Withdraw(amount_minor=amount_minor, method="bank")
        return UUID((await self.ask(command, target=account_id))["transfer_id"])

    async def market(self, **options: Any) -> UUID:
        opened = await self.ask(open_market(**options), OPERATOR)
        return UUID(opened["market_id"])

    async def bet(
        self,
        account_id: UUID,
        market_id: UUID,
        stake_minor: int,
        *,
        owner: Actor = ALICE,
        key: str | None = None,
        **options: Any,
    ) -> Answer:
        command = place_bet(account_id, market_id, stake_minor, **options)
        return await self.ask(command, owner, key=key)

    async def score(self, market_id: UUID, home: int, away: int) -> Answer:
        command = DeclareResult(score=ScoreBody(home=home, away=away))
        return await self.ask(command, OPERATOR, target=market_id)


# ---- the auditor


class Log(Struct):
    """What the database holds, folded."""

    events: list[Recorded]
    states: dict[UUID, State]

    def account(self, account_id: UUID) -> Account:
        state = self.states[account_id]
        assert isinstance(state, Account)
        return state

    def bet(self, bet_id: UUID) -> Bet:
        state = self.states[bet_id]
        assert isinstance(state, Bet)
        return state

    def of(self, kind: type[Event]) -> list[Recorded]:
        return [recorded for recorded in self.events if type(recorded.event) is kind]

    def stream(self, stream_id: UUID) -> list[Event]:
        return [recorded.event for recorded in self.events if recorded.stream_id == stream_id]


def read_log(database_url: str) -> Log:
    """Read the log and check what must hold of every log."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT notification_id, originator_id, originator_version, topic, state"
            " FROM ledger_events ORDER BY notification_id"
        ).fetchall()
    log = Log([decode_event(*row) for row in rows], {})
    assert [recorded.position for recorded in log.events] == list(range(1, len(rows) + 1))
    versions: Counter[UUID] = Counter()
    for recorded in log.events:
        stream_id = recorded.stream_id
        versions[stream_id] += 1
        assert recorded.version == versions[stream_id], recorded
        assert sum(entry.amount_minor for entry in postings(recorded.event)) == 0
        before = log.states.get(stream_id)
        before_minor = before.available_minor if isinstance(before, Account) else 0
        state = evolve(before, stream_id, recorded.event)
        log.states[stream_id] = state
        if isinstance(state, Account):
            assert min(state.in_play_minor, state.promised_minor) >= 0, (recorded, state)
            # Only what a corrected result takes may leave an account overdrawn.
            if not isinstance(recorded.event, StakeResettled | StakeReopened | CommissionCharged):
                assert state.available_minor >= min(0, before_minor), (recorded, state)
    return log


def row_counts(database_url: str) -> dict[str, int]:
    """Count the rows of every table of the ledger."""
    tables = ("ledger_events", "ledger_commands", "ledger_snapshots")
    with psycopg.connect(database_url) as connection:
        counts = {}
        for table in tables:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert row is not None
            counts[table] = row[0]
    return counts


def kill_writers(database_url: str) -> int:
    """End the database's side of every ledger's writing connection."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        killed = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'fairbook writer'"
        ).fetchall()
    return len(killed)


@contextmanager
def standing_still(database_url: str, name: str) -> Iterator[None]:
    """Stop the server's processes behind the connections of this name: they are there and do not answer."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            (name,),
        ).fetchall()
    assert rows
    for (pid,) in rows:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for (pid,) in rows:
            os.kill(pid, signal.SIGCONT)


def a_key() -> str:
    """An idempotency key that nobody has used."""
    return uuid4().hex
