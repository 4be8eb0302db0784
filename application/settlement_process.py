"""The settlement process: once a market's results change, every bet that touches it is visited.

It keeps no state of its own. What is left to do follows from the log: markets whose last change of results (a
generation) is not settled to its end, and how far each is. So it may be killed anywhere and started anywhere: a step
brings its bets to what the results say, credits their accounts, counts the totals and moves the market's cursor, all in
one transaction; a bet that is there already is passed over.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from application.ledger import Ledger
from application.log import LogUnavailable
from application.settlement_steps import MarketDue, Steps, Visit
from application.writer import Overloaded, Unavailable
from domain.refusals import MarketStateConflict

MARKETS_AT_ONCE: Final = 16
"""Small markets mostly wait, for the view and for the disk, and may as well wait together."""

FRESH_SECONDS: Final = 30.0
MARKETS_A_LOOK: Final = 200
NEWS_SECONDS: Final = 0.5
TRY_AGAIN_SECONDS: Final = 0.25
LOOK_AGAIN_SECONDS: Final = 5.0
"""How often to look from the beginning again: for what failed."""

REMEMBERED_MARKETS: Final = 10_000
_log = logging.getLogger("fairbook.settlement")


class Work(Protocol):
    """What the process reads: eventually complete views, and ways to wait for them."""

    async def leads(self) -> bool:
        """Tell whether this process is the one that settles; the others stand by."""

    async def markets_due(self, after: int, limit: int) -> Sequence[tuple[UUID, int, int, int]]:
        """Give markets to settle whose results changed after a position, in that order.

        Each with the position of that change, its generation, and the position of the last bet visited in it.
        """

    async def bets_on(
        self, market_id: UUID, changed_at: int, after: int, limit: int
    ) -> Sequence[Visit]:
        """Give the bets that touch a market and were placed after a position, in order, open or settled.

        Those that were settled, or opened again, after `changed_at` may be missing: that was by these very results.
        """

    async def bets_seen(self, position: int, timeout_seconds: float) -> bool:
        """Wait until the view of bets has seen every event up to a position."""

    async def news(self, timeout_seconds: float) -> None:
        """Wait until there may be more to do, or for so long."""


class SettlementProcess:
    """Settles markets side by side, in whichever process leads; two at once would do no harm, only work twice."""

    def __init__(self, ledger: Ledger, work: Work) -> None:
        self._work = work
        self._steps = Steps(ledger, work.bets_on)
        self._due: deque[MarketDue] = deque()
        self._looked_upto = 0
        self._running: dict[UUID, tuple[int, asyncio.Task[None]]] = {}
        self._next: dict[UUID, MarketDue] = {}
        self._settled: dict[UUID, int] = {}

    async def run(self) -> None:
        """Work until cancelled; a fault is logged and tried again."""
        waits = False
        try:
            while True:
                try:
                    await self._settle_what_is_due()
                    waits = False
                except LogUnavailable as error:
                    if not waits:  # once is enough
                        _log.warning("settlement waits for the database: %s", error)
                    waits = True
                except Exception:  # noqa: BLE001  if this task ended, nothing would ever be settled again
                    _log.exception("settlement failed and will be tried again")
                await asyncio.sleep(TRY_AGAIN_SECONDS)
        finally:
            tasks = [task for _, task in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle_what_is_due(self) -> None:
        """Settle markets as they fall due, as long as this process leads."""
        self._due.clear()
        look_again_at, is_all = 0.0, False
        while await self._work.leads():
            if (now := asyncio.get_running_loop().time()) >= look_again_at:
                look_again_at, self._looked_upto = now + LOOK_AGAIN_SECONDS, 0
            if not self._due:
                is_all = await self._look()
            while self._due and len(self._running) < MARKETS_AT_ONCE:
                self._begin(self._due.popleft())
            if self._due:
                tasks = [task for _, task in self._running.values()]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            elif is_all:
                await self._work.news(NEWS_SECONDS)

    async def _look(self) -> bool:
        """Find what has fallen due since the last look; tell whether that is all."""
        found = await self._work.markets_due(self._looked_upto, MARKETS_A_LOOK)
        for market in (MarketDue(*each) for each in found):
            self._looked_upto = market.changed_at
            # The view needs a moment to show what this process has just completed.
            if market.generation > self._settled.get(market.market_id, 0):
                self._due.append(market)
        return len(found) < MARKETS_A_LOOK

    def _begin(self, market: MarketDue) -> None:
        market_id = market.market_id
        if running := self._running.get(market_id):
            if running[0] < market.generation:  # that one will notice that its time is over
                self._next[market_id] = market
            return
        task = asyncio.create_task(self._settle(market), name=f"settle {market_id}")
        self._running[market_id] = market.generation, task
        task.add_done_callback(lambda done: self._ended(market_id, done))

    def _ended(self, market_id: UUID, task: asyncio.Task[None]) -> None:
        del self._running[market_id]
        if (market := self._next.pop(market_id, None)) and not task.cancelled():
            self._begin(market)

    async def _settle(self, market: MarketDue) -> None:
        """Settle one market; what stops it is logged, tried again later, and holds up no other market."""
        try:
            # No bet on the market is younger than its result, so the view of bets needs to be no fresher.
            if not await self._work.bets_seen(market.changed_at, FRESH_SECONDS):
                _log.warning("the view of bets is behind; market %s waits", market.market_id)
                return
            await self._steps.settle(market)
        except (LogUnavailable, Unavailable, Overloaded) as error:
            _log.warning(
                "settlement of market %s waits: %s", market.market_id, type(error).__name__
            )
        except MarketStateConflict as conflict:
            _log.info("settlement of market %s begins anew: %s", market.market_id, conflict)
        except Exception:  # noqa: BLE001  one market's fault must not hold up the others
            _log.exception(
                "settlement of market %s failed and will be tried again", market.market_id
            )
        else:
            if len(self._settled) >= REMEMBERED_MARKETS:
                self._settled.clear()
            self._settled[market.market_id] = market.generation
