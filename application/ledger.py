"""The ledger: the one way in for commands, the one log out for events."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from eventsourcing.application import Application

from application.deciding import EncodeEvent
from application.idempotency import keys_of
from application.ids import new_id
from application.log import Log
from application.lookup import look_ahead
from application.order import Order, Receipt
from application.writer import Writer
from domain.actors import SETTLER, Actor
from domain.commands.arbitrage import RecordArbitrages
from domain.commands.bet import PlaceBet, PlaceBets
from domain.commands.command import Command
from domain.commands.market import ChangeMarketLimits
from domain.commands.model import RecordPredictions, ScorePredictions
from domain.commands.odds import RecordOdds
from domain.commands.settlement import SettleBets
from domain.commands.value import RecordValueSignals
from domain.streams import State

DEFAULT_CAPACITY = 400_000


def utc_now() -> datetime:
    """Give the current time in UTC."""
    return datetime.now(UTC)


class Ledger(Application[UUID]):
    """An eventsourcing application whose events are appended by a group-commit writer.

    The library gives the mapper, the recorder with its table, the notification log and the subscriptions; its `save`
    is not used, because a command here may touch several streams and shares its transaction with others.
    `capacity` bounds the streams whose state is kept in memory.
    """

    name = "ledger"

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        clock: Callable[[], datetime] = utc_now,
        ids: Callable[[], UUID] = new_id,
        capacity: int = DEFAULT_CAPACITY,
    ) -> None:
        super().__init__(env)
        self._store = cast("Log", self.recorder)
        encode = cast("EncodeEvent", cast("Any", self.mapper).encode)
        self._new_id = ids
        self._writer = Writer(self._store, encode, clock, ids, capacity)
        self._loop: asyncio.AbstractEventLoop
        self._running: asyncio.Task[None] | None = None
        self._asked_at = 0

    async def __aenter__(self) -> "Ledger":
        await self._store.connect()
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.create_task(self._writer.run(), name="ledger writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        self._writer.stop_accepting()
        await self._store.disconnect()
        self.close()

    @property
    def waiting(self) -> int:
        """Weight of the commands that wait for their batch to be sent."""
        return self._writer.waiting

    @property
    def quiet_seconds(self) -> float:
        """How long ago anybody but the settlement process has asked for something."""
        return (time.time_ns() - self._asked_at) / 1e9

    @property
    def streams_in_memory(self) -> int:
        """Number of streams whose state is in memory."""
        return len(self._writer.book)

    async def submit(
        self,
        command: Command,
        actor: Actor,
        *,
        target: UUID | None = None,
        key: str | None = None,
        trace: str | None = None,
    ) -> Receipt:
        """Have a command decided, and give its durable answer.

        `target` is what the command acts on; `key` makes it take effect once for this user, for ever; `trace` is a
        W3C traceparent when the request is traced. Raises a Refusal, Overloaded or Unavailable.
        """
        return await self.enqueue(command, actor, target=target, key=key, trace=trace)

    async def state(self, stream_id: UUID) -> State | None:
        """Give what a stream has come to in the log, None when it has no events; raises LogUnavailable."""
        return (await self._store.load({stream_id})).get(stream_id)

    async def prepare(self, command: Command, target: UUID | None = None) -> None:
        """Read what a large command looks at, so that `enqueue` finds it in memory; raises LogUnavailable."""
        await look_ahead(command, target, self._writer.book, self._store)

    def release(self, stream_ids: Iterable[UUID]) -> None:
        """Forget the states of streams that nobody will ask for soon."""
        self._writer.book.release(stream_ids)

    def enqueue(
        self,
        command: Command,
        actor: Actor,
        *,
        target: UUID | None = None,
        key: str | None = None,
        trace: str | None = None,
    ) -> asyncio.Future[Receipt]:
        """Hand a command to the writer, and give the future of its durable answer, as `submit` awaits it.

        Raises Overloaded or Unavailable at once when the writer takes no more.
        """
        order = Order(
            command,
            target,
            actor,
            self._new_id(),
            trace,
            _weight(command),
            keys_of(command, actor, key),
            self._loop.create_future(),
            time.time_ns(),
        )
        if actor is not SETTLER:
            self._asked_at = order.queued_at
        self._writer.put(order)
        return order.future


def _weight(command: Command) -> int:
    match command:
        case PlaceBet():
            return 1
        case PlaceBets():
            return len(command.bets)
        case SettleBets():
            return len(command.bet_ids)
        case ChangeMarketLimits(seen=seen) if seen is not None:
            return 1 + len(seen.bet_ids)
        case RecordArbitrages() | RecordValueSignals():
            return 1 + len(command.changes)
        case RecordPredictions():
            return 1 + sum(len(made.markets) for made in command.predictions)
        case ScorePredictions():
            return 1 + len(command.predicted)
        case RecordOdds():
            return 1 + len(command.quotes) // 10
        case _:
            return 1
