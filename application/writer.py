"""Group commit: commands are decided as they come, and committed together.

A command is decided at once against the state in memory and joins the open batch. As soon as no batch is in flight,
the open one is sent: one transaction, which first makes sure that nobody else appended since, so every decision holds
against everything committed before it, across all streams. All commands of a batch wait for one disk flush together,
and the next batch is decided while it runs.

When that does not work (another process wrote, a key was used before, the connection broke), everything undecided
by the log is taken back and decided anew, batch by batch, under the writers' lock where need be. See docs/decisions,
"group commit and its lock".
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from application import meters
from application.book import Book
from application.deciding import Decided, Decider, EncodeEvent
from application.idempotency import answer_again
from application.log import (
    Behind,
    KeyTaken,
    Log,
    LogSession,
    LogUnavailable,
    StreamConflict,
)
from application.lookup import missing_streams
from application.order import Order

MAX_BATCH_WEIGHT: Final = 1_000
MAX_QUEUE_WEIGHT: Final = 40_000
TAIL_LIMIT: Final = 20_000
RECONNECT_SECONDS: Final = 10.0


class Overloaded(Exception):  # noqa: N818  a state, not a fault
    """More commands are queued than can be answered soon; try again in a moment."""


class Unavailable(Exception):  # noqa: N818  (the same)
    """The log cannot be reached. Whether the command took effect shows when it is sent again with its key."""


class _Attempt(Struct):
    """How to write a batch: under the lock or not, new ids looked up or not, and what may have landed already."""

    locked: bool
    careful: bool = False
    in_doubt: UUID | None = None


class Writer:
    """The single place where events come from. `capacity` bounds the streams in memory."""

    def __init__(
        self,
        log: Log,
        encode: EncodeEvent,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        capacity: int,
    ) -> None:
        self.book = Book(capacity)
        self._decider = Decider(self.book, encode, clock, new_id)
        self._log = log
        self._queue: deque[Order] = deque()
        self._waiting_weight = 0
        self._open = self._decider.begin()
        self._pending_keys: set[tuple[str, str]] = set()
        self._wake = asyncio.Event()
        self._lost = True
        self._lost_at: float | None = None
        self._others_write = False
        self._exclusive = False
        self._stopped = False

    @property
    def waiting(self) -> int:
        """Weight of the commands that wait for their batch to be sent."""
        return self._waiting_weight

    def put(self, order: Order) -> None:
        """Take a command; raises Overloaded instead of queueing without end."""
        if self._stopped:
            raise Unavailable("the service is stopping")
        if self._waiting_weight and self._waiting_weight + order.weight > MAX_QUEUE_WEIGHT:
            raise Overloaded
        self._waiting_weight += order.weight
        self._queue.append(order)
        if len(self._queue) == 1:
            self._drain()
        self._wake.set()

    async def run(self) -> None:
        """Commit batches until cancelled; a batch in flight is finished first."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue or self._open.orders:
                work = asyncio.ensure_future(self._step())
                try:
                    await asyncio.shield(work)
                except asyncio.CancelledError:
                    await work
                    raise

    def stop_accepting(self) -> None:
        """Answer what still waits as unavailable: nothing of it has been written."""
        self._stopped = True
        self._take_back()
        for order in self._queue:
            order.fail(Unavailable("the service is stopping"))
        self._queue.clear()
        self._waiting_weight = 0

    async def _step(self) -> None:
        """Bring one batch to its end; whatever happens, everybody in it hears of it and the writer lives on."""
        orders: list[Order] = []
        try:
            if self._lost or self._others_write:
                orders = self._take_queued()
                await self._write(orders, _Attempt(locked=self._others_write))
            else:
                await self._load_queued()
                orders = self._open.orders
                if orders:
                    await self._fly()
        except LogUnavailable as error:
            self._give_up(orders, Unavailable(str(error)))
        except Exception as error:  # noqa: BLE001  a fault of ours must reach the callers, not end the writer
            self._give_up(orders, error)

    def _give_up(self, orders: list[Order], error: Exception) -> None:
        """Forget all state that may be wrong now, and tell everybody who waits in this batch."""
        self._lost = True
        meters.batch_failed(error)
        self._take_back(but=orders)
        for order in orders:
            order.fail(error)

    # ---- the open batch

    def _may_decide(self, order: Order) -> bool:
        """Tell whether an order can join the open batch right now."""
        return (
            not (self._lost or self._others_write or self._exclusive)
            and (not self._open.orders or self._open.weight + order.weight <= MAX_BATCH_WEIGHT)
            and self._pending_keys.isdisjoint(order.keys)
            and not missing_streams(order, self.book)
        )

    async def _load(
        self, session: LogSession, orders: Iterable[Order], *, careful: bool = False
    ) -> None:
        """Bring into memory what the orders need; when this returns they can be decided, without another await."""
        book, orders = self.book, list(orders)
        while missing := set().union(
            *(missing_streams(each, book, careful=careful) for each in orders)
        ):
            book.put_loaded(missing, await session.load(missing))

    async def _load_queued(self) -> None:
        """Load for the queue's front and decide it, as far as the open batch has room."""
        front = self._front_of_queue(MAX_BATCH_WEIGHT - self._open.weight)
        if front:
            await self._load(self._log, front)
            self._drain()

    def _drain(self) -> None:
        """Decide what waits in the queue as long as that needs nothing but memory and room in the open batch."""
        queue = self._queue
        while queue and self._may_decide(queue[0]):
            order = queue.popleft()
            self._decide(order)
            if order.future.done():
                self._waiting_weight -= order.weight

    def _decide(self, order: Order) -> None:
        if self._decider.decide(order, self._open):
            self._pending_keys.update(order.keys)

    def _front_of_queue(self, room: int) -> list[Order]:
        """Give the queue's first orders: bounded, and no key twice (the second one waits for the first's record)."""
        front: list[Order] = []
        keys: set[tuple[str, str]] = set()
        for order in self._queue:
            if order.weight > room and (front or room < MAX_BATCH_WEIGHT):
                break
            if not keys.isdisjoint(order.keys):
                break
            keys.update(order.keys)
            room -= order.weight
            front.append(order)
        return front

    def _take_queued(self) -> list[Order]:
        """Take the queue's front out of the queue."""
        self._take_back()
        orders = self._front_of_queue(MAX_BATCH_WEIGHT)
        for order in orders:
            self._queue.popleft()
            self._waiting_weight -= order.weight
        return orders

    def _take_back(self, but: Sequence[Order] = ()) -> None:
        """Undo everything that the log does not hold, and queue the open batch's orders again."""
        again = [order for order in self._open.orders if order not in but]
        self._undo()
        self._queue.extendleft(reversed(again))

    def _undo(self) -> None:
        """Undo everything that the log does not hold, and begin an empty batch."""
        self.book.rewind_all()
        self._pending_keys.clear()
        self._open = self._decider.begin()

    # ---- the usual way: one batch in flight, the next one open

    async def _fly(self) -> None:
        """Send the open batch; while it is in flight, commands join a new one."""
        flown = self._open
        self.book.seal()
        self._open = self._decider.begin()
        self._waiting_weight -= flown.weight
        decided = time.time_ns()
        self._drain()
        try:
            await self._log.append(flown.batch)
        except (Behind, KeyTaken, StreamConflict) as reason:
            self._take_back()
            await self._write(flown.orders, _Attempt(locked=isinstance(reason, Behind)))
        except LogUnavailable:
            self._lost, self._lost_at = True, time.monotonic()
            self._take_back()
            await self._write(flown.orders, _Attempt(locked=False, in_doubt=flown.first_command))
        else:
            self.book.accept()
            self._finish(flown, decided)
        self._drain()

    def _finish(self, done: Decided, decided: int) -> None:
        """Give everybody in a durable batch their outcome."""
        finished = time.time_ns()
        for order in done.orders:
            self._pending_keys.difference_update(order.keys)
            order.resolve()
        meters.batch_done(done.orders, len(done.batch.stream_ids), done.begun, decided, finished)

    # ---- the careful way: one batch at a time, from orders to the end

    async def _write(self, orders: list[Order], attempt: _Attempt) -> None:
        """Take orders to their end: written and answered, or an exception and nothing known."""
        self._exclusive = True
        try:
            while orders:
                try:
                    if self._lost:
                        await self._reconnect(attempt)
                    await self._write_once(orders, attempt)
                except Behind:
                    attempt.locked = True
                except KeyTaken:
                    orders = await self._answer_known(orders)
                except StreamConflict:
                    if attempt.careful:
                        raise
                    attempt.careful = True
                except LogUnavailable:
                    self._lost = True
                    self._lost_at = self._lost_at or time.monotonic()
                    if time.monotonic() > self._lost_at + RECONNECT_SECONDS:
                        raise
                    self._undo()
                    await asyncio.sleep(0.1)
                    continue
                else:
                    self._lost_at = None
                    return
                self._lost_at = None
                attempt.in_doubt = None
                self._undo()
        finally:
            self._exclusive = False

    async def _reconnect(self, attempt: _Attempt) -> None:
        """Connect again; the log counts as lost until it takes a batch: a server may be there and refuse to write."""
        await self._log.connect()
        if attempt.in_doubt is None:
            self.book.forget(await self._log.head())
            self._lost = False

    async def _write_once(self, orders: list[Order], attempt: _Attempt) -> None:
        """Decide and append once: alone and hoping that nobody else writes, or under the lock."""
        if not attempt.locked and attempt.in_doubt is None:
            decided = await self._decide_and_append(orders, self._log, attempt)
        else:
            async with self._log.locked() as session:
                if attempt.in_doubt is not None:
                    landed = await self._landed(session, attempt.in_doubt)
                    attempt.in_doubt, self._lost = None, False
                    if landed:
                        await self._catch_up(session)
                        for order in orders:
                            order.resolve()
                        return
                self._others_write = await self._catch_up(session)
                decided = await self._decide_and_append(orders, session, attempt)
        written = self._open
        self.book.seal()
        self.book.accept()
        self._open = self._decider.begin()
        self._finish(written, decided)

    async def _decide_and_append(
        self, orders: list[Order], session: LogSession, attempt: _Attempt
    ) -> int:
        """Decide orders into a batch of their own and append it; give when it was decided, in UNIX nanoseconds."""
        await self._load(session, orders, careful=attempt.careful)
        self._open = self._decider.begin()
        for order in orders:
            self._decide(order)
        decided = time.time_ns()
        attempt.in_doubt = self._open.first_command
        await session.append(self._open.batch)
        return decided

    async def _landed(self, session: LogSession, first_command: UUID) -> bool:
        """After a lost connection, tell whether the batch is in the log; the lock is held, so it is there or never.

        A batch is all or nothing and follows the head that it expected, so the first event after that head tells.
        """
        tail = await session.tail(self.book.base, 1)
        return bool(tail) and tail[0].command_id == first_command

    async def _catch_up(self, session: LogSession) -> bool:
        """Apply what other processes appended; tell whether there was anything."""
        book, found = self.book, False
        while tail := await session.tail(book.base, TAIL_LIMIT):
            found = True
            if len(tail) == TAIL_LIMIT:
                book.forget(await session.head())
                break
            for recorded in tail:
                book.follow(recorded.stream_id, recorded.version, recorded.event)
            book.base = tail[-1].position
        return found

    async def _answer_known(self, orders: list[Order]) -> list[Order]:
        """Answer the commands that have been answered before; give those that have not."""
        known = await self._log.records({key for order in orders for key in order.keys})
        return [order for order in orders if not answer_again(order, known)]
