"""What a handler has found goes into the ledger, in order, and out to subscribers as soon as it is durable."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from application.ledger import Ledger
from application.meters import Tally
from application.order import Receipt
from domain.actors import Actor
from domain.commands.command import Command

SENT_MAX: Final = 8
"""How many orders to record may be under way; what is found meanwhile goes into one more."""
TURNS_TO_SEND: Final = 5
"""Turns of the event loop until the ledger's writer has sent what it was given."""

Change = TypeVar("Change")


class Recording(Generic[Change]):
    """Changes on their way: `found` counts all that were noted, in their order.

    `command` makes the order to record some, `tell` tells one with the position of its event, and `tell_after` what the
    ledger says was recorded after a position: when some of an order's changes were known before.
    """

    def __init__(
        self,
        ledger: Ledger,
        actor: Actor,
        command: Callable[[tuple[Change, ...]], Command],
        tell: Callable[[Change, int], Awaitable[None]],
        tell_after: Callable[[int], Awaitable[None]],
        told: Tally,
    ) -> None:
        self.found = 0
        self._ledger = ledger
        self._actor = actor
        self._command = command
        self._tell = tell
        self._tell_after = tell_after
        self._told = told
        self._changes: list[Change] = []
        self._sent: deque[tuple[Sequence[Change], asyncio.Future[Receipt]]] = deque()
        self._recorded = 0
        self._something = asyncio.Event()
        self._progress = asyncio.Condition()

    def note(self, changes: Sequence[Change]) -> None:
        """Send what was found to the ledger, or let it gather while much is under way."""
        if changes:
            self._changes += changes
            self.found += len(changes)
            if len(self._sent) < SENT_MAX:
                self._send()

    async def let_go_out(self, found: int) -> None:
        """Give way until what was noted since `found` is on its way to the ledger."""
        for _ in range(TURNS_TO_SEND if self.found > found else bool(self._sent)):
            await asyncio.sleep(0)

    async def decided(self) -> None:
        """Wait until nothing is under way to the ledger any more; when nothing is noted meanwhile, it stays so."""
        if under_way := [durable for _, durable in self._sent]:
            await asyncio.wait(under_way)

    async def all_recorded(self, found: int) -> None:
        """Wait until the first `found` changes are in the ledger, and were told."""
        async with self._progress:
            await self._progress.wait_for(lambda: self._recorded >= found)

    async def run(self) -> None:
        """See what was found recorded, in order, and tell it as soon as it is durable."""
        while True:
            if not self._sent:
                self._something.clear()
                await self._something.wait()
            changes, durable = self._sent[0]
            receipt = await durable
            self._sent.popleft()
            if self._changes:
                self._send()
            recorded = msgspec.json.decode(receipt.answer, type=_Recorded)
            first = recorded.position - recorded.events + 1
            if recorded.events == len(changes):
                for number, change in enumerate(changes):
                    await self._tell(change, first + number)
            else:  # some were known: what the ledger took is what it says
                await self._tell_after(first - 1)
            self._told.add(recorded.events)
            async with self._progress:
                self._recorded += len(changes)
                self._progress.notify_all()

    def _send(self) -> None:
        changes, self._changes = tuple(self._changes), []
        receipt = self._ledger.enqueue(self._command(changes), self._actor)
        self._sent.append((changes, receipt))
        self._something.set()


class _Recorded(msgspec.Struct):
    """What the ledger answers."""

    detected: int
    changed: int
    closed: int
    position: int

    @property
    def events(self) -> int:
        return self.detected + self.changed + self.closed


async def until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends or fails, then end the others, and raise what the first one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        left = {task for task in tasks if not task.done()}
        while left:
            for task in left:
                task.cancel()
            # What is being sent may outlive the word: it is said again.
            _, left = await asyncio.wait(left, timeout=1)
