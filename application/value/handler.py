"""Prices in: each message is held against the active models, and what is a value, changes or ends is recorded, then signalled.

The handler owns no truth. It begins with what the ledger holds; a message is done only when its prices are in the ledger
(the price handler keeps them) and its signals are, and a signal goes out only for what is there. So it may be killed
anywhere: what was not done comes again, in order, and finds itself known.

Messages that cannot be used are passed over and counted: the price handler reads the same ones, and puts them where an
operator finds them.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from application.artefacts import Artefacts
from application.detection.thresholds import Thresholds
from application.ledger import Ledger
from application.live.source import Fact
from application.prices.markets import TAKES_BETS, LiveMarkets, read_fact
from application.prices.ports import Facts, Inbox, Incoming, KeptPrice
from application.prices.recording import Recording, until_one_ends
from application.value import meters
from application.value.engine import ValueEngine
from application.value.models import Models
from application.value.ports import KeptPrices, KnownValues, ValueOutlet, ValueStart
from domain.actors import VALUE_HANDLER
from domain.board import Lines, MarketDescription
from domain.commands.value import RecordValueSignals
from domain.events.market import ResultDeclared
from domain.events.model import ModelActivated
from domain.market import Market
from domain.quotes import decode_message
from domain.refusals import Refusal
from domain.value import PricedMarket, ValueRules

LET_GO_SECONDS: Final = 0.25
"""How often messages whose prices are kept are let go."""
TOGETHER_MAX: Final = 50
"""How many messages are scored together at most: what one of them opens does not wait for more."""
EXPIRE_SECONDS: Final = (0.01, 1.0)

_log = logging.getLogger("fairbook.value")


class ValueHandler:
    """Everything between the price stream and the value signals, for one leader at a time."""

    def __init__(
        self,
        ledger: Ledger,
        rules: ValueRules,
        thresholds: Thresholds,
        artefacts: Artefacts,
        inbox: Inbox,
        facts: Facts,
        kept: KeptPrices,
        outlet: ValueOutlet,
        known: KnownValues,
        clock: Callable[[], datetime],
    ) -> None:
        self._artefacts = artefacts
        self._inbox = inbox
        self._facts = facts
        self._kept = kept
        self._outlet = outlet
        self._known = known
        self._clock = clock
        self._models = Models({})
        self._engine = ValueEngine(rules, thresholds)
        self._markets = LiveMarkets(ledger, self._describe)
        self._recording = Recording(
            ledger,
            VALUE_HANDLER,
            lambda changes: RecordValueSignals(changes=changes),
            outlet.signal,
            self._signal_after,
            meters.signals,
        )
        self._note = self._recording.note
        self._handled: list[tuple[int, Any]] = []
        self._prices: list[KeptPrice] = []
        self._prices_through = 0
        self._sequence = 0
        self._handled_some = asyncio.Event()
        self._caught_up = asyncio.Event()

    async def run(self) -> str:
        """Work until there is a reason to begin anew, and give it; raises when a server goes away."""
        start = await self._restore()
        reason: list[str] = []
        await until_one_ends(
            self._take(),
            self._follow(start.position, reason),
            self._recording.run(),
            self._let_go(),
            self._expire(),
        )
        # What is under way will be in the ledger: whoever begins anew finds it there.
        await self._recording.decided()
        return reason[0]

    # ---- where to begin

    async def _restore(self) -> ValueStart:
        start = await self._known.start()
        self._models = await asyncio.to_thread(Models.load, start.models, self._artefacts)
        if self._models:
            _log.info("prices are held against models of %s", ", ".join(self._models.scopes))
        else:
            _log.info("no football model is active: prices give no value signals until one is")
        needed = {signal.market_id for _, signal in start.signals}
        if self._models:
            needed.update(price.market_id for price in start.prices)
            self._prices = list(start.prices)
        for market_id in sorted(needed):
            await self._markets.learn(market_id)
        self._engine.restore(start.signals, start.sequence, start.closed)
        self._sequence = start.sequence
        # No price that the views show comes from a message behind this one.
        self._prices_through = await self._kept.last()
        # What was recorded and not told any more.
        await self._signal_after(await self._outlet.last_signalled())
        return start

    async def _signal_after(self, position: int) -> None:
        async for change, at in self._known.changes(position):
            await self._outlet.signal(change, at)

    def _describe(self, market: Market, description: MarketDescription) -> None:
        priced: PricedMarket | None = None
        try:
            priced = self._models.price(market, description)
        except Refusal as refusal:
            meters.unpriced.add(labels=(refusal.type,))
            _log.debug("market %s has no price: %s", market.market_id, refusal.detail)
        self._engine.describe(
            description, market.fixture.starts_at, priced, is_open=market.status == "open"
        )

    # ---- prices

    async def _take(self) -> None:
        async for batch in self._inbox.batches():
            if not self._caught_up.is_set() and not batch and await self._inbox.is_drained():
                self._catch_up()
            for first in range(0, len(batch), TOGETHER_MAX):
                some = batch[first : first + TOGETHER_MAX]
                if not self._caught_up.is_set() and some[-1].sequence > self._prices_through:
                    before = [each for each in some if each.sequence <= self._prices_through]
                    await self._handle(before)
                    self._catch_up()
                    some = some[len(before) :]
                await self._handle(some)
            if self._handled:
                self._handled_some.set()

    def _catch_up(self) -> None:
        """Take over what the ledger knew, now that all messages that it may come from were seen again."""
        prices = [price.on_board() for price in self._prices]
        self._prices = []
        self._note(self._engine.settle(self._sequence, prices, self._clock()))
        self._caught_up.set()

    async def _handle(self, messages: Sequence[Incoming]) -> None:
        """Hold messages against the models; without any, their prices matter to nobody here."""
        if not messages:
            return
        began, found = time.perf_counter(), self._recording.found
        if self._models:
            read = [each for message in messages if (each := await self._read(message))]
            if read:
                self._note(self._engine.take(read, self._clock()))
                meters.quotes.add(sum(len(lines.cells) for lines, _ in read))
        self._sequence = max(self._sequence, messages[-1].sequence)
        self._handled += [(message.sequence, message) for message in messages]
        meters.handled_seconds.observe(time.perf_counter() - began)
        # What was found goes to the ledger first; the rest of the batch is looked at while it is on its way.
        await self._recording.let_go_out(found)

    async def _read(self, message: Incoming) -> tuple[Lines, int] | None:
        """Read one message; one that can never be used is passed over."""
        try:
            quotes = decode_message(message.data)
        except ValueError:
            meters.passed_over.add(labels=("malformed",))
            return None
        try:
            await self._markets.find(quotes.market_id)
            return self._engine.read(quotes, self._clock()), message.sequence
        except Refusal as refusal:
            meters.passed_over.add(labels=(refusal.type,))
            return None

    # ---- what the ledger says meanwhile

    async def _follow(self, position: int, reason: list[str]) -> None:
        # Until the prices are those that the ledger was told of, a market's state would be held against older ones.
        await self._caught_up.wait()
        async for facts in self._facts.facts(position, ("market", "model")):
            for fact in facts:
                if fact.topic == ModelActivated.topic:
                    reason.append("another model is active")
                    return
                if fact.topic in TAKES_BETS:
                    self._note_status(fact)
            if self._markets.are_mostly_over:
                reason.append("most markets on the board are over")
                return

    def _note_status(self, fact: Fact) -> None:
        market_id = read_fact(fact).stream
        change = self._engine.reopen if TAKES_BETS[fact.topic] else self._engine.close
        self._note(change(market_id, self._sequence, self._clock()))
        if fact.topic == ResultDeclared.topic:
            self._markets.end(market_id)

    async def _expire(self) -> None:
        """Take back what time has ended."""
        await self._caught_up.wait()
        while True:
            due = self._engine.next_expiry()
            wait = (due - self._clock()).total_seconds() if due else EXPIRE_SECONDS[1]
            await asyncio.sleep(min(max(wait, EXPIRE_SECONDS[0]), EXPIRE_SECONDS[1]))
            self._note(self._engine.expire(self._sequence, self._clock()))

    # ---- what is done

    async def _let_go(self) -> None:
        """Let messages go whose prices are kept in the ledger, and whose signals are."""
        while True:
            await self._handled_some.wait()
            await asyncio.sleep(LET_GO_SECONDS)
            through, found = await self._kept.kept_through(), self._recording.found
            handled, self._handled = self._handled, []
            await self._recording.all_recorded(found)
            done = [message for sequence, message in handled if sequence <= through]
            left = [each for each in handled if each[0] > through]
            self._handled = [*left, *self._handled]
            if not self._handled:
                self._handled_some.clear()
            await self._inbox.done(done)
