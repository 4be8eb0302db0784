"""Prices in: each message goes onto the board, and what it opens, changes or ends is recorded, then signalled.

The handler owns no truth. Where it begins is what the ledger holds; a message is done only when its prices and its
arbitrages are in the ledger, and a signal goes out only for what is there. So it may be killed anywhere: what was not done comes
again, in order, and finds itself known.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from application.board_cache import BoardCache
from application.detection.engine import Engine
from application.ledger import Ledger
from application.live.source import Fact
from application.prices import meters
from application.prices.markets import TAKES_BETS, LiveMarkets, read_fact
from application.prices.ports import Facts, Inbox, Incoming, Known, Outlet
from application.prices.recording import Recording, until_one_ends
from application.prices.snapshots import Snapshots
from domain.actors import PRICE_HANDLER
from domain.board import MarketDescription
from domain.commands.arbitrage import RecordArbitrages
from domain.events.market import ResultDeclared
from domain.events.odds import OddsSnapshotTaken
from domain.market import Market
from domain.quotes import LEDGER_FEED, QuoteLine, QuoteMessage, decode_message
from domain.refusals import InvalidInput, Refusal

KEEP_SECONDS: Final = 0.2
"""How long prices gather before they are kept together."""
EXPIRE_SECONDS: Final = (0.01, 1.0)


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
        self._markets = LiveMarkets(ledger, self._describe)
        self._recording = Recording(
            ledger,
            PRICE_HANDLER,
            lambda changes: RecordArbitrages(changes=changes),
            outlet.signal,
            self._signal_after,
            meters.signals,
        )
        self._note = self._recording.note
        self._handled: list[tuple[Any, UUID]] = []
        self._sequence = 0
        self._handled_some = asyncio.Event()
        self._caught_up = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled; raises when a server goes away, and is then to be begun anew.

        Returns when most of what the board holds is over: whoever begins anew begins with the live markets only.
        """
        start = await self._restore()
        await until_one_ends(
            self._take(),
            self._follow(start),
            self._recording.run(),
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
            await self._markets.learn(market_id)
        self._engine.restore(
            (price.on_board() for price in start.prices), dict(start.opportunities), start.sequence
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
                began, found = time.perf_counter(), self._recording.found
                await self._handle(message)
                meters.handled_seconds.observe(time.perf_counter() - began)
                # What was found goes to the ledger first; the rest of the batch is looked at while it is on its way.
                await self._recording.let_go_out(found)
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
            market = await self._markets.find(quotes.market_id)
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

    def _describe(self, market: Market, description: MarketDescription) -> None:
        self._engine.describe(description, is_open=market.status == "open")

    # ---- what the ledger says meanwhile

    async def _follow(self, position: int) -> None:
        # Until the prices are those that the ledger was told of, a market's state would be held against older ones.
        await self._caught_up.wait()
        async for facts in self._facts.facts(position, ("market", "odds")):
            for fact in facts:
                if fact.topic == OddsSnapshotTaken.topic:
                    await self._pass_on(fact)
                elif fact.topic in TAKES_BETS:
                    self._note_status(fact)
            if self._markets.are_mostly_over:
                return

    def _note_status(self, fact: Fact) -> None:
        market_id = read_fact(fact).stream
        change = self._engine.reopen if TAKES_BETS[fact.topic] else self._engine.close
        self._note(change(market_id, self._sequence))
        if fact.topic == ResultDeclared.topic and self._markets.end(market_id):
            self._snapshots.forget(market_id)

    async def _pass_on(self, fact: Fact) -> None:
        """Bring prices that were posted to the ledger to everyone who reads the price stream."""
        line = read_fact(fact)
        if line.actor == PRICE_HANDLER.user:
            return
        taken = msgspec.json.decode(line.data, type=OddsSnapshotTaken)
        # Whoever quoted the market before it was opened has made it unknown for a while.
        self._markets.ask_again(taken.market_id)
        market = await self._markets.find(taken.market_id)
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

    # ---- what is kept

    async def _keep(self) -> None:
        """Keep prices in the ledger, several markets' together, and only then let their messages go."""
        while True:
            await self._handled_some.wait()
            self._handled_some.clear()
            await asyncio.sleep(KEEP_SECONDS)
            handled, self._handled = self._handled, []
            found = self._recording.found
            changed = self._snapshots.take()
            if self._board is not None:
                await self._board.put(changed.latest)
            # First what these prices did: prices that are kept are not looked at again after a crash.
            await self._recording.all_recorded(found)
            refused = await changed.record(self._ledger)
            for message, market_id in handled:
                if market_id in refused:
                    await self._reject(message, "not_kept", refused[market_id])
            await self._inbox.done([each for each, market in handled if market not in refused])
            meters.kept.add(changed.quotes)
