"""Prices in: each message goes onto the board, and what it opens, changes or ends is recorded, then signalled.

The handler owns no truth. Where it begins is what the ledger holds; a message is done only when its prices and its
arbitrages are in the ledger, and a signal goes out only for what is there. So it may be killed anywhere: what was not done comes
again, in order, and finds itself known.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from application.board_cache import BoardCache
from application.detection.engine import Engine
from application.ledger import Ledger
from application.live.source import Fact
from application.order import Receipt
from application.prices import meters
from application.prices.ports import Facts, Inbox, Incoming, KeptPrice, Known, Outlet
from application.prices.snapshots import Snapshots
from domain.actors import PRICE_HANDLER
from domain.board import BoardQuote, MarketDescription
from domain.commands import ArbitrageChange, RecordArbitrages
from domain.events import (
    MarketClosed,
    MarketResumed,
    MarketSuspended,
    OddsSnapshotTaken,
    ResultDeclared,
)
from domain.market import Market
from domain.quotes import LEDGER_FEED, QuoteLine, QuoteMessage, decode_message
from domain.refusals import InvalidInput, MarketNotFound, Refusal

KEEP_SECONDS: Final = 0.2
"""How long prices gather before they are kept together."""
EXPIRE_SECONDS: Final = (0.01, 1.0)
SENT_MAX: Final = 8
"""How many orders to record arbitrages may be under way; what is found meanwhile goes into one more."""
TURNS_TO_SEND: Final = 5
"""Turns of the event loop until the ledger's writer has sent what it was given."""
FORGET_SECONDS: Final = 2.0
"""How long a market that the ledger does not have is taken not to be there."""
UNKNOWN_MAX: Final = 10_000
OVER_MAX: Final = 5_000
"""How many markets on the board may be over before the handler begins anew without them."""
_TAKES_BETS: Final = {
    MarketSuspended.topic: False,
    MarketClosed.topic: False,
    ResultDeclared.topic: False,
    MarketResumed.topic: True,
}


class PriceHandler:
    """Everything between the price stream and the signals, for one leader at a time."""

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        inbox: Inbox,
        facts: Facts,
        outlet: Outlet,
        known: Known,
        board: BoardCache | None,
        max_age: Callable[[str], timedelta],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._inbox = inbox
        self._facts = facts
        self._outlet = outlet
        self._known = known
        self._board = board
        self._clock = clock
        self._snapshots = Snapshots(max_age)
        self._markets: dict[UUID, MarketDescription] = {}
        self._unknown: dict[UUID, float] = {}
        self._over: set[UUID] = set()
        self._handled: list[tuple[Any, UUID]] = []
        self._changes: list[ArbitrageChange] = []
        self._sent: deque[tuple[Sequence[ArbitrageChange], asyncio.Future[Receipt]]] = deque()
        self._found = self._recorded = 0
        self._sequence = 0
        self._something = asyncio.Event()
        self._handled_some = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._all_recorded = asyncio.Condition()

    async def run(self) -> None:
        """Work until cancelled; raises when a server goes away, and is then to be begun anew.

        Returns when most of what the board holds is over: whoever begins anew begins with the live markets only.
        """
        start = await self._restore()
        await _until_one_ends(
            self._take(),
            self._follow(start),
            self._record(),
            self._keep(),
            self._expire(),
        )

    # ---- where to begin

    async def _restore(self) -> int:
        start = await self._known.start()
        needed = {price.market_id for price in start.prices}
        for _, opened in start.opportunities:
            needed.update(leg.market_id for leg in opened.legs)
        for market_id in sorted(needed):
            await self._describe(market_id)
        self._engine.restore(
            (_on_board(price) for price in start.prices), dict(start.opportunities), start.sequence
        )
        self._snapshots.restore(start.prices)
        self._sequence = start.sequence
        # What was recorded and not told any more.
        await self._signal_after(await self._outlet.last_signalled())
        return start.position

    async def _signal_after(self, position: int) -> None:
        async for change, at in self._known.arbitrages(position):
            await self._outlet.signal(change, at)

    # ---- prices

    async def _take(self) -> None:
        async for batch in self._inbox.batches():
            if not batch and not self._caught_up.is_set() and await self._inbox.is_drained():
                # All that was not done before has come again: what has not come back is gone.
                self._note(self._engine.settle(self._sequence))
                self._caught_up.set()
            for message in batch:
                began, found = time.perf_counter(), self._found
                await self._handle(message)
                meters.handled_seconds.observe(time.perf_counter() - began)
                # What was found goes to the ledger first; the rest of the batch is looked at while it is on its way.
                for _ in range(TURNS_TO_SEND if self._found > found else bool(self._sent)):
                    await asyncio.sleep(0)
            if self._handled:
                self._handled_some.set()

    async def _handle(self, message: Incoming) -> None:
        """Bring one message onto the board; one that can never be used goes where an operator finds it."""
        try:
            quotes = decode_message(message.data)
        except ValueError as error:
            await self._reject(message, "malformed", str(error))
            return
        try:
            market = self._markets.get(quotes.market_id) or await self._find(quotes.market_id)
            if market.fixture_id != quotes.fixture_id:
                raise InvalidInput(
                    f"market {market.market_id} is not of fixture {quotes.fixture_id}"
                )
            found = self._engine.apply(quotes, message.sequence, self._clock())
        except Refusal as refusal:
            await self._reject(message, refusal.type, refusal.detail)
            return
        if message.sequence > self._sequence:
            self._sequence = message.sequence
            self._caught_up.set()
        meters.quotes.add(len(quotes.quotes))
        self._note(found)
        if quotes.feed != LEDGER_FEED:  # whose prices the ledger has already
            meters.late.add(self._snapshots.add(quotes))
        self._handled.append((message, quotes.market_id))

    async def _reject(self, message: Incoming, kind: str, reason: str) -> None:
        meters.rejected.add(labels=(kind,))
        await self._inbox.dead_letter(message, f"{kind}: {reason}")

    async def _find(self, market_id: UUID) -> MarketDescription:
        until = self._unknown.get(market_id)
        if until is None or until < time.monotonic():
            if await self._describe(market_id):
                return self._markets[market_id]
            if len(self._unknown) >= UNKNOWN_MAX:
                self._unknown.clear()
            self._unknown[market_id] = time.monotonic() + FORGET_SECONDS
        raise MarketNotFound(f"the ledger has no market {market_id}")

    async def _describe(self, market_id: UUID) -> bool:
        """Learn of a market what the ledger knows now, not what a view shows."""
        state = await self._ledger.state(market_id)
        if not isinstance(state, Market):
            return False
        assert state.fixture.fixture_id is not None
        description = MarketDescription(
            market_id,
            state.fixture.fixture_id,
            state.type,
            state.line,
            tuple(state.selections),
        )
        self._markets[market_id] = description
        self._engine.describe(description, is_open=state.status == "open")
        return True

    # ---- what the ledger says meanwhile

    async def _follow(self, position: int) -> None:
        # Until the prices are those that the ledger was told of, a market's state would be held against older ones.
        await self._caught_up.wait()
        async for facts in self._facts.facts(position, ("market", "odds")):
            for fact in facts:
                if fact.topic == OddsSnapshotTaken.topic:
                    await self._pass_on(fact)
                elif fact.topic in _TAKES_BETS:
                    self._note_status(fact)
            if len(self._over) > max(OVER_MAX, len(self._markets)):
                return

    def _note_status(self, fact: Fact) -> None:
        market_id = msgspec.json.decode(fact.line, type=_Line).stream
        change = self._engine.reopen if _TAKES_BETS[fact.topic] else self._engine.close
        self._note(change(market_id, self._sequence))
        if fact.topic == ResultDeclared.topic and market_id in self._markets:
            del self._markets[market_id]
            self._snapshots.forget(market_id)
            self._over.add(market_id)

    async def _pass_on(self, fact: Fact) -> None:
        """Bring prices that were posted to the ledger to everyone who reads the price stream."""
        line = msgspec.json.decode(fact.line, type=_Line)
        if line.actor == PRICE_HANDLER.user:
            return
        taken = msgspec.json.decode(line.data, type=OddsSnapshotTaken)
        # Whoever quoted the market before it was opened has made it unknown for a while.
        self._unknown.pop(taken.market_id, None)
        market = self._markets.get(taken.market_id) or await self._find(taken.market_id)
        groups: dict[tuple[str, datetime, bool], list[QuoteLine]] = {}
        for quote in taken.quotes:
            odds = None if quote.withdrawn else quote.odds
            groups.setdefault((quote.bookmaker, quote.at, quote.closing), []).append(
                QuoteLine(quote.selection_id, odds, quote.side, quote.size)
            )
        for number, ((bookmaker, at, closing), lines) in enumerate(groups.items()):
            message = QuoteMessage(
                bookmaker=bookmaker,
                fixture_id=market.fixture_id,
                market_id=market.market_id,
                at=at,
                quotes=tuple(lines),
                feed=LEDGER_FEED,
                closing=closing,
            )
            await self._outlet.price(message, f"ledger:{fact.position}:{number}")

    async def _expire(self) -> None:
        """Take back prices that nobody has repeated for too long; count what could not be searched meanwhile."""
        failed = 0
        while True:
            due = self._engine.board.next_expiry()
            wait = (due - self._clock()).total_seconds() if due else EXPIRE_SECONDS[1]
            await asyncio.sleep(min(max(wait, EXPIRE_SECONDS[0]), EXPIRE_SECONDS[1]))
            self._note(self._engine.expire(self._sequence, self._clock()))
            meters.failed.add(self._engine.failed - failed)
            failed = self._engine.failed

    # ---- what was found

    def _note(self, changes: Sequence[ArbitrageChange]) -> None:
        """Send what was found to the ledger, or let it gather while much is under way."""
        if changes:
            self._changes += changes
            self._found += len(changes)
            if len(self._sent) < SENT_MAX:
                self._send()

    def _send(self) -> None:
        changes, self._changes = tuple(self._changes), []
        receipt = self._ledger.enqueue(RecordArbitrages(changes=changes), PRICE_HANDLER)
        self._sent.append((changes, receipt))
        self._something.set()

    async def _record(self) -> None:
        """See what was found recorded, in order, and signal it as soon as it is durable."""
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
                    await self._outlet.signal(change, first + number)
            else:  # some were known: what the ledger took is what it says
                await self._signal_after(first - 1)
            meters.signals.add(recorded.events)
            async with self._all_recorded:
                self._recorded += len(changes)
                self._all_recorded.notify_all()

    async def _keep(self) -> None:
        """Keep prices in the ledger, several markets' together, and only then let their messages go."""
        while True:
            await self._handled_some.wait()
            self._handled_some.clear()
            await asyncio.sleep(KEEP_SECONDS)
            handled, self._handled = self._handled, []
            found = self._found
            changed = self._snapshots.take()
            if self._board is not None:
                await self._board.put(changed.latest)
            # First what these prices did: prices that are kept are not looked at again after a crash.
            async with self._all_recorded:
                await self._all_recorded.wait_for(lambda found=found: self._recorded >= found)  # type: ignore[misc]
            refused = await changed.record(self._ledger)
            for message, market_id in handled:
                if market_id in refused:
                    await self._reject(message, "not_kept", refused[market_id])
            await self._inbox.done([each for each, market in handled if market not in refused])
            meters.kept.add(changed.quotes)


class _Line(msgspec.Struct):
    """What the handler reads of a fact's line."""

    stream: UUID
    actor: str
    data: msgspec.Raw


class _Recorded(msgspec.Struct):
    """What the ledger answers to RecordArbitrages."""

    detected: int
    changed: int
    closed: int
    position: int

    @property
    def events(self) -> int:
        return self.detected + self.changed + self.closed


def _on_board(price: KeptPrice) -> BoardQuote:
    return BoardQuote(
        market_id=price.market_id,
        selection_id=price.selection_id,
        side=price.side,
        bookmaker=price.bookmaker,
        odds=Decimal(0) if price.withdrawn else price.odds,
        at=price.at,
        size=price.size,
    )


async def _until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
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
