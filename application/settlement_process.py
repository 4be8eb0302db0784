"""The settlement process: once a market has a result, every open bet on it is settled.

It keeps no state of its own. What is left to do follows from the log: markets with a result whose settlement is not
completed, and their open bets. So it may be killed anywhere and started anywhere: settling a bet that is settled
does nothing, and one transaction settles its bets, credits their accounts and counts the totals.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from application.ledger import Ledger
from application.log import LogUnavailable
from application.writer import Overloaded, Unavailable
from domain.actors import SETTLER
from domain.commands import CompleteSettlement, SettleBets

PAGE_BETS: Final = 500
MARKETS_DUE: Final = 100
MARKETS_AT_ONCE: Final = 8
"""Small markets mostly wait, for the view and for the disk, and may as well wait together."""

FRESH_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 0.25
REMEMBERED_MARKETS: Final = 10_000
_log = logging.getLogger("fairbook.settlement")


class OpenWork(Protocol):
    """What the process reads: eventually complete views, and a way to wait for them."""

    async def leads(self) -> bool:
        """Tell whether this process is the one that settles; the others stand by."""

    async def unsettled_markets(self, limit: int) -> Sequence[tuple[UUID, int, int, int]]:
        """Give markets to be settled: each with its last change's position, its generation, and how far that is done."""

    async def open_bets(
        self, market_id: UUID, after: int, limit: int
    ) -> Sequence[tuple[UUID, int]]:
        """Give the open bets on a market that were placed after a position, in order, each with its own."""

    async def bets_seen(self, position: int, timeout_seconds: float) -> bool:
        """Wait until the view of bets has seen every event up to a position."""


class SettlementProcess:
    """Settles market after market, in whichever process leads; several at once would do no harm, only work twice."""

    def __init__(self, ledger: Ledger, work: OpenWork) -> None:
        self._ledger = ledger
        self._work = work
        self._completed: dict[tuple[UUID, int], None] = {}

    async def run(self) -> None:
        """Work until cancelled; a fault is logged and tried again."""
        waits = False
        while True:
            try:
                settled = await self.settle_due() if await self._work.leads() else 0
                waits = False
            except LogUnavailable as error:
                if not waits:  # once is enough
                    _log.warning("settlement waits for the database: %s", error)
                settled, waits = 0, True
            except Exception:  # noqa: BLE001  if this task ended, nothing would ever be settled again
                _log.exception("settlement failed and will be tried again")
                settled = 0
            if not settled:
                await asyncio.sleep(IDLE_SECONDS)

    async def settle_due(self) -> int:
        """Settle the markets that are due now, and give how many were settled."""
        due = await self._work.unsettled_markets(MARKETS_DUE)
        places = asyncio.Semaphore(MARKETS_AT_ONCE)

        async def in_its_place(
            market_id: UUID, result_position: int, generation: int, after: int
        ) -> bool:
            async with places:
                return await self._try_settle(market_id, result_position, generation, after)

        # The view of markets needs a moment to show what this process has just completed.
        todo = [in_its_place(*each) for each in due if (each[0], each[2]) not in self._completed]
        return sum(await asyncio.gather(*todo))

    async def _try_settle(
        self, market_id: UUID, result_position: int, generation: int, after: int
    ) -> bool:
        """Settle one market; what stops it is logged, tried again later, and holds up no other market."""
        try:
            return await self._settle(market_id, result_position, generation, after)
        except (LogUnavailable, Unavailable, Overloaded) as error:
            _log.warning("settlement of market %s waits: %s", market_id, type(error).__name__)
        except Exception:  # noqa: BLE001  one market's fault must not hold up the others
            _log.exception("settlement of market %s failed and will be tried again", market_id)
        return False

    async def _settle(
        self, market_id: UUID, result_position: int, generation: int, last: int
    ) -> bool:
        # No bet on the market is younger than its result, so the view of bets needs to be no fresher.
        if not await self._work.bets_seen(result_position, FRESH_SECONDS):
            _log.warning("the view of bets is behind; market %s waits", market_id)
            return False
        while bets := await self._work.open_bets(market_id, last, PAGE_BETS):
            last = bets[-1][1]
            due = SettleBets(
                bet_ids=[bet_id for bet_id, _ in bets], generation=generation, after=last
            )
            await self._ledger.submit(due, SETTLER, target=market_id)
        done = CompleteSettlement(generation=generation)
        await self._ledger.submit(done, SETTLER, target=market_id)
        if len(self._completed) >= REMEMBERED_MARKETS:
            self._completed.clear()
        self._completed[market_id, generation] = None
        return True
