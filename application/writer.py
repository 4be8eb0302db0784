"""Group commit: all commands that queued while the last batch was committing go into the next one.

One batch is in flight at a time. Its commands are decided in order against the state in memory, and its events and
command records are appended in one transaction that first makes sure that nobody else appended meanwhile: so every
decision holds against everything committed before it, across all streams. The commands of one batch wait for one
disk flush together. See docs/decisions, "group commit and its lock".
"""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from application import meters
from application.answers import BatchDone, BetAccepted, RefusalRecord, to_json
from application.book import Book
from application.decisions import (
    Context,
    decide,
    further_streams_of,
    new_streams_of,
    streams_of,
)
from application.log import (
    Batch,
    Behind,
    CommandRecord,
    KeyTaken,
    Log,
    LogSession,
    LogUnavailable,
    StreamConflict,
)
from domain.actors import Actor
from domain.commands import Command, Deposit, OpenAccount, OpenMarket, PlaceBet, PlaceBets, Withdraw
from domain.events import Event
from domain.refusals import IdempotencyKeyReused, IdTaken, Refusal

MAX_BATCH_WEIGHT: Final = 1_000
MAX_QUEUE_WEIGHT: Final = 40_000
TAIL_LIMIT: Final = 20_000
RECONNECT_SECONDS: Final = 10.0

EncodeEvent = Callable[[Event, datetime, str, UUID, str | None], bytes]


class Overloaded(Exception):  # noqa: N818  a state, not a fault
    """More commands are queued than can be answered soon; try again in a moment."""


class Unavailable(Exception):  # noqa: N818  (the same)
    """The log cannot be reached. Whether the command took effect shows when it is sent again with its key."""


class Receipt(Struct, frozen=True):
    """The durable answer to a command: JSON, and whether it is the first answer given again."""

    answer: bytes
    replayed: bool


class Order(Struct):
    """A command on its way through the writer."""

    command: Command
    target: UUID | None
    actor: Actor
    command_id: UUID
    trace: str | None
    weight: int
    keys: list[tuple[str, str]]
    future: asyncio.Future[Receipt]
    queued_at: int
    outcome: bytes | Refusal = b""
    known: dict[UUID, bytes | Refusal] = {}

    def resolve(self, *, replayed: bool = False) -> None:
        """Give the caller its outcome; a caller that has gone away does not mind."""
        if self.future.done():
            return
        if isinstance(self.outcome, Refusal):
            self.outcome.replayed = replayed
            self.future.set_exception(self.outcome)
        else:
            self.future.set_result(Receipt(self.outcome, replayed))

    def fail(self, error: Exception) -> None:
        """Tell the caller that the command has no outcome."""
        if not self.future.done():
            self.future.set_exception(error)


class Writer:
    """The single place where events come from."""

    def __init__(
        self,
        log: Log,
        encode: EncodeEvent,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        capacity: int,
    ) -> None:
        self.book = Book(capacity)
        self._log = log
        self._encode = encode
        self._clock = clock
        self._new_id = new_id
        self._queue: deque[Order] = deque()
        self._queued_weight = 0
        self._wake = asyncio.Event()
        self._others_write = False
        self._lost = True

    @property
    def queued(self) -> int:
        """Weight of the commands that wait."""
        return self._queued_weight

    def put(self, order: Order) -> None:
        """Queue a command; raises Overloaded instead of queueing without end."""
        if self._queued_weight + order.weight > MAX_QUEUE_WEIGHT and self._queue:
            raise Overloaded
        self._queued_weight += order.weight
        self._queue.append(order)
        self._wake.set()

    async def run(self) -> None:
        """Commit batches until cancelled; a batch in flight is finished first."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                orders = self._take()
                work = asyncio.ensure_future(self._commit(orders))
                try:
                    await asyncio.shield(work)
                except asyncio.CancelledError:
                    await work
                    raise

    def stop_accepting(self) -> None:
        """Answer what still waits as unavailable: nothing of it has been written."""
        while self._queue:
            self._queue.popleft().fail(Unavailable("the service is stopping"))
        self._queued_weight = 0

    def _take(self) -> list[Order]:
        """Take the next batch: in order, bounded, no key twice (the second one waits for the first one's record)."""
        orders: list[Order] = []
        keys: set[tuple[str, str]] = set()
        weight = 0
        queue = self._queue
        while queue and (not orders or weight + queue[0].weight <= MAX_BATCH_WEIGHT):
            if mine := queue[0].keys:
                if not keys.isdisjoint(mine):
                    break
                keys.update(mine)
            order = queue.popleft()
            weight += order.weight
            orders.append(order)
        self._queued_weight -= weight
        return orders

    # ---- one batch

    async def _commit(self, orders: list[Order]) -> None:
        try:
            await self._write(orders)
        except LogUnavailable as error:
            self._lose(orders, Unavailable(str(error)))
        except Exception as error:  # the callers must hear of it, and the writer must live on
            self._lose(orders, error)

    def _lose(self, orders: list[Order], error: Exception) -> None:
        """Drop all state that may be wrong now, and tell everybody who waits."""
        self._lost = True
        meters.batch_failed(error)
        for order in orders:
            order.fail(error)

    async def _write(self, orders: list[Order]) -> None:
        """Take the batch to its end: written and answered, or an exception and nothing known."""
        attempt = _Attempt(locked=self._others_write)
        give_up = time.monotonic() + RECONNECT_SECONDS
        while orders:
            try:
                if self._lost:
                    await self._reconnect(attempt)
                await self._attempt(orders, attempt)
                break
            except Behind:
                attempt.locked = True
            except KeyTaken:
                orders = await self._answer_known(orders)
            except StreamConflict:
                if attempt.careful:
                    raise
                attempt.careful = True
            except LogUnavailable:
                if time.monotonic() > give_up:
                    raise
                self._lost = True
                self.book.rewind()
                await asyncio.sleep(0.1)
                continue
            attempt.in_doubt = None
            self.book.rewind()
        self.book.accept(self.book.position)
        for order in orders:
            order.resolve()

    async def _reconnect(self, attempt: "_Attempt") -> None:
        await self._log.connect()
        if attempt.in_doubt is None:
            self.book.forget(await self._log.head())
            self._lost = False

    async def _attempt(self, orders: list[Order], attempt: "_Attempt") -> None:
        """Decide and append once: alone and hoping that nobody else writes, or under the lock."""
        if not attempt.locked and attempt.in_doubt is None:
            await self._decide_and_append(orders, self._log, attempt)
            return
        async with self._log.locked() as session:
            if attempt.in_doubt is not None:
                landed = await self._landed(session, attempt.in_doubt)
                attempt.in_doubt, self._lost = None, False
                if landed:
                    await self._catch_up(session)
                    return
            self._others_write = await self._catch_up(session)
            await self._decide_and_append(orders, session, attempt)

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

    async def _decide_and_append(
        self, orders: list[Order], session: LogSession, attempt: "_Attempt"
    ) -> None:
        begun = time.time_ns()
        batch = await self._decide(orders, session, careful=attempt.careful)
        decided = time.time_ns()
        if batch.stream_ids:
            attempt.in_doubt = next(o.command_id for o in orders if not isinstance(o.outcome, Refusal))
        await session.append(batch)
        meters.batch_done(orders, len(batch.stream_ids), begun, decided, time.time_ns())

    async def _decide(self, orders: list[Order], session: LogSession, *, careful: bool) -> Batch:
        """Decide the batch in order; refused commands leave no events."""
        book = self.book
        await self._load(session, (streams_of(o.command, o.target) for o in orders))
        if careful:
            await self._load(session, (new_streams_of(o.command) for o in orders))
        await self._load(session, (further_streams_of(o.command, o.target, book) for o in orders))
        now = self._clock()
        batch = Batch(book.base, [], [], [], [], [])
        encode, rows = self._encode, book.rows
        for order in orders:
            mark = book.mark()
            try:
                context = Context(order.actor, order.target, now, self._new_id, book, order.known)
                answer = decide(order.command, context)
                order.outcome = to_json(answer)
            except Refusal as refusal:
                book.rewind(mark)
                order.outcome = refusal
            else:
                user, command_id, trace = order.actor.user, order.command_id, order.trace
                for stream_id, version, event in rows[mark[0] :]:
                    batch.stream_ids.append(stream_id)
                    batch.versions.append(version)
                    batch.topics.append(event.topic)
                    batch.states.append(encode(event, now, user, command_id, trace))
                if type(answer) is BatchDone:
                    batch.records += _item_records(order, answer)
            if order.keys:
                batch.records += _records(order)
        return batch

    async def _load(self, session: LogSession, wanted: Iterable[Iterable[UUID]]) -> None:
        """Bring the states into memory that are asked for and not there."""
        knows = self.book.knows
        missing = {stream_id for ids in wanted for stream_id in ids if not knows(stream_id)}
        if missing:
            self.book.put_loaded(missing, await session.load(missing))

    async def _answer_known(self, orders: list[Order]) -> list[Order]:
        """Answer the commands that have been answered before; give those that have not."""
        known = await self._log.records({key for order in orders for key in order.keys})
        return [order for order in orders if not self._answer_again(order, known)]

    def _answer_again(self, order: Order, known: Mapping[tuple[str, str], CommandRecord]) -> bool:
        for key in reversed(order.keys):
            record = known.get(key)
            if record is None:
                continue
            if key[0] == "#bet" and isinstance(order.command, PlaceBets):
                order.known = _known_items(order, known)
                return False
            order.outcome = _first_outcome(record, digest_of(order.command, order, key[0]))
            order.resolve(replayed=not isinstance(order.outcome, IdTaken | IdempotencyKeyReused))
            return True
        return False


class _Attempt(Struct):
    """How to write a batch: under the lock or not, new ids looked up or not, and what may have landed already."""

    locked: bool
    careful: bool = False
    in_doubt: UUID | None = None


# ---- idempotency: the keys of a command, and what tells one request from another


def keys_of(command: Command, actor: Actor, key: str | None) -> list[tuple[str, str]]:
    """Give every (scope, key) under which a command is answered once: chosen ids, then the Idempotency-Key."""
    keys = _chosen_ids(command)
    if key is not None:
        keys.append((actor.user, key))
    return keys


def _chosen_ids(command: Command) -> list[tuple[str, str]]:
    match command:
        case PlaceBet(bet_id=chosen):
            return [("#bet", str(chosen))] if chosen else []
        case PlaceBets():
            return [("#bet", str(each.bet_id)) for each in command.bets if each.bet_id]
        case OpenAccount(account_id=chosen):
            return [("#account", str(chosen))] if chosen else []
        case OpenMarket(market_id=chosen):
            return [("#market", str(chosen))] if chosen else []
        case Deposit(transfer_id=chosen) | Withdraw(transfer_id=chosen):
            return [("#transfer", str(chosen))] if chosen else []
        case _:
            return []


_canonical = msgspec.json.Encoder(order="deterministic").encode


def digest_of(command: Command, order: Order, scope: str) -> bytes:
    """Tell one request from another: what is asked, about what and, for a chosen id, by whom."""
    digest = hashlib.blake2b(type(command).__name__.encode(), digest_size=16)
    if order.target:
        digest.update(order.target.bytes)
    if scope.startswith("#"):
        digest.update(order.actor.user.encode())
    digest.update(_canonical(command))
    return digest.digest()


def _records(order: Order) -> Iterator[CommandRecord]:
    """Record the answer under the command's keys; a refusal takes no chosen id, for it made nothing of that name."""
    outcome = order.outcome
    refused = isinstance(outcome, Refusal)
    answer = to_json(RefusalRecord.of(outcome)) if isinstance(outcome, Refusal) else outcome
    for scope, key in order.keys:
        if scope.startswith("#") and (refused or isinstance(order.command, PlaceBets)):
            continue
        digest = digest_of(order.command, order, scope)
        yield CommandRecord(scope, key, digest, refused, answer)


def _item_records(order: Order, done: BatchDone) -> Iterator[CommandRecord]:
    """Record the answers to those bets of a batch that have chosen ids."""
    assert isinstance(order.command, PlaceBets)
    for bet, result in zip(order.command.bets, done.results, strict=True):
        if bet.bet_id and bet.bet_id not in order.known and isinstance(result, BetAccepted):
            digest = digest_of(bet, order, "#bet")
            yield CommandRecord("#bet", str(bet.bet_id), digest, False, to_json(result))


def _known_items(
    order: Order, known: Mapping[tuple[str, str], CommandRecord]
) -> dict[UUID, bytes | Refusal]:
    assert isinstance(order.command, PlaceBets)
    outcomes = {}
    for bet in order.command.bets:
        record = known.get(("#bet", str(bet.bet_id)))
        if bet.bet_id and record:
            outcomes[bet.bet_id] = _first_outcome(record, digest_of(bet, order, "#bet"))
    return outcomes


def _first_outcome(record: CommandRecord, digest: bytes) -> bytes | Refusal:
    """Give the first answer again, or refuse because the key was used for something else."""
    if record.digest != digest:
        if record.scope.startswith("#"):
            return IdTaken(f"{record.key} was used for something else")
        return IdempotencyKeyReused()
    if record.refused:
        return msgspec.json.decode(record.answer, type=RefusalRecord).refusal()
    return record.answer
