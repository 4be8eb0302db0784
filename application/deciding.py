"""Deciding: what a command comes to against the book, and what has to be appended for it."""

import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from application import meters
from application.answers import BatchDone, to_json
from application.book import Book
from application.decisions import decide
from application.decisions.context import Context
from application.idempotency import item_records, records_of, unknown_keys
from application.log import Batch
from application.order import Order
from domain.events.event import Event
from domain.refusals import Refusal

EncodeEvent = Callable[[Event, datetime, str, UUID, str | None], bytes]


class Decided(Struct):
    """Orders that have been decided, and what has to be appended for them; times in UNIX nanoseconds."""

    batch: Batch
    orders: list[Order] = []
    weight: int = 0
    first_command: UUID | None = None
    begun: int = 0


class Decider:
    """Decides orders in memory, one after another; every one sees what those before it did."""

    def __init__(
        self,
        book: Book,
        encode: EncodeEvent,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._book = book
        self._encode = encode
        self._clock = clock
        self._new_id = new_id

    def begin(self) -> Decided:
        """Give an empty batch, which follows all that the book has taken so far."""
        return Decided(Batch(self._book.position, [], [], [], [], []))

    def decide(self, order: Order, decided: Decided) -> bool:
        """Decide an order and let it join `decided`; a refused one leaves no events.

        A fault in one decision is its caller's alone: the order gets it and joins nothing, and the answer is False.
        """
        book, batch, now = self._book, decided.batch, self._clock()
        mark = book.mark()
        if not decided.orders:
            decided.begun = time.time_ns()
        try:
            answer = decide(
                order.command,
                Context(order.actor, order.target, now, self._new_id, book, order.known),
            )
            order.outcome = to_json(answer)
            encoded = self._encoded(order, mark[0], now)
        except Refusal as refusal:
            book.rewind(mark)
            order.outcome = refusal
            batch.unknown += unknown_keys(order)
        except Exception as error:  # noqa: BLE001  (see above)
            book.rewind(mark)
            meters.batch_failed(error)
            order.fail(error)
            return False
        else:
            self._append_rows(batch, mark[0], encoded)
            if decided.first_command is None and batch.stream_ids:
                decided.first_command = order.command_id
            if type(answer) is BatchDone:
                batch.records += item_records(order, answer)
                batch.unknown += unknown_keys(order, answer)
        if order.keys:
            batch.records += records_of(order)
        decided.orders.append(order)
        decided.weight += order.weight
        return True

    def _encoded(self, order: Order, start: int, now: datetime) -> list[bytes]:
        encode, user = self._encode, order.actor.user
        command_id, trace = order.command_id, order.trace
        return [encode(row[2], now, user, command_id, trace) for row in self._book.rows[start:]]

    def _append_rows(self, batch: Batch, start: int, encoded: list[bytes]) -> None:
        for stream_id, version, event in self._book.rows[start:]:
            batch.stream_ids.append(stream_id)
            batch.versions.append(version)
            batch.topics.append(event.topic)
        batch.states += encoded
