"""One market's settlement, step by step: each a bounded number of bets in one transaction.

The next step is read while the last one is on its way to the disk, and handed over before that one is durable. It says
how far the settlement must have come by then, so that after a failure nothing is passed over.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final
from uuid import UUID

from msgspec import Struct

from application.ledger import Ledger
from application.order import Receipt
from domain.actors import SETTLER
from domain.commands.settlement import CompleteSettlement, SettleBets

PAGE_BETS: Final = 1_000
STEP_BETS: Final = 500
BUSY_STEP_BETS: Final = 10
"""While others ask for something too: deciding so many, and their way to the disk, holds them up for some 2 ms."""
QUIET_SECONDS: Final = 0.2
BUSY_PAUSE_SECONDS: Final = 0.01
"""Between such steps, so that a batch of the others' need not wait for one of ours each time."""

SMALL_BETS: Final = 50
LARGE_STEPS_AT_ONCE: Final = 2
LARGE_MARKETS_AT_ONCE: Final = 2
"""More would all visit the bets that they share before the view shows that one of them has settled these."""

Visit = tuple[UUID, int, bool]
"""A bet with the position of its placing, and whether it has one leg only: then no other market's settlement needs it."""

BetsOn = Callable[[UUID, int, int, int], Awaitable[Sequence[Visit]]]
"""Gives the bets that touch a market: see application.settlement_process.Work."""


class MarketDue(Struct, frozen=True):
    """A market to settle: position and generation of its last change of results, and the last bet visited in it."""

    market_id: UUID
    changed_at: int
    generation: int
    after: int


class Steps:
    """Takes markets through their settlement."""

    def __init__(self, ledger: Ledger, bets_on: BetsOn) -> None:
        self._ledger = ledger
        self._bets_on = bets_on
        self._large = asyncio.Semaphore(LARGE_STEPS_AT_ONCE)
        self._large_markets = asyncio.Semaphore(LARGE_MARKETS_AT_ONCE)

    async def settle(self, market: MarketDue) -> None:
        """Visit every bet that is left and complete the generation.

        Raises MarketStateConflict when the results changed meanwhile, and what Ledger.submit raises.
        """
        few = await self._bets_on(market.market_id, market.changed_at, market.after, SMALL_BETS + 1)
        if len(few) <= SMALL_BETS:
            await self._settle(market)
        else:
            async with self._large_markets:
                await self._settle(market)

    async def _settle(self, market: MarketDue) -> None:
        last: asyncio.Future[Receipt] | None = None
        try:
            async with aclosing(self._handed_over(market)) as steps:
                async for step in steps:
                    before, last = last, step
                    if before is not None:
                        await before
            if last is not None:
                await last
        finally:
            if last is not None:  # whatever stopped this, the last step ends first
                await asyncio.wait([last])
                last.exception()

    async def _handed_over(
        self, market: MarketDue
    ) -> AsyncGenerator[asyncio.Future[Receipt], None]:
        """Hand over step after step, the completion last."""
        after, full = market.after, True
        while full:
            page = await self._bets_on(market.market_id, market.changed_at, after, PAGE_BETS)
            full = len(page) == PAGE_BETS
            start = 0
            while start < len(page):
                quiet = self._ledger.quiet_seconds > QUIET_SECONDS
                visits = page[start : start + (STEP_BETS if quiet else BUSY_STEP_BETS)]
                yield await self._step(market, visits, since=after)
                start, after = start + len(visits), visits[-1][1]
                if not quiet:
                    await asyncio.sleep(BUSY_PAUSE_SECONDS)
        completed = CompleteSettlement(generation=market.generation, since=after)
        yield self._ledger.enqueue(completed, SETTLER, target=market.market_id)

    async def _step(
        self, market: MarketDue, visits: Sequence[Visit], since: int
    ) -> asyncio.Future[Receipt]:
        command = SettleBets(
            bet_ids=[bet_id for bet_id, _, _ in visits],
            generation=market.generation,
            since=since,
            after=visits[-1][1],
        )
        large = len(visits) > SMALL_BETS
        if large:
            await self._large.acquire()
        try:
            await self._ledger.prepare(command, market.market_id)
            future = self._ledger.enqueue(command, SETTLER, target=market.market_id)
        except BaseException:
            if large:
                self._large.release()
            raise
        singles = [bet_id for bet_id, _, is_single in visits if is_single]

        def ended(_: asyncio.Future[Receipt]) -> None:
            self._ledger.release(singles)
            if large:
                self._large.release()

        future.add_done_callback(ended)
        return future
