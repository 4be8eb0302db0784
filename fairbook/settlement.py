"""The settlement process, put together: what it reads, and how it hears of more to do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from adapters.postgres.bell import RESULTS, LedgerBell
from adapters.postgres.leadership import Leadership
from adapters.postgres.reader import Reader
from application.ledger import Ledger
from application.log import LogUnavailable
from application.settlement_process import SettlementProcess
from application.settlement_steps import Visit
from read_models import bets, markets

VIEWS_SECONDS: Final = 5.0
"""How long the view of markets may take to show what rang, before it is looked at all the same."""


class SettlementWork:
    """What the settlement process reads, from the read models; an application.settlement_process.Work."""

    def __init__(self, database_url: str, reader: Reader) -> None:
        self._url = database_url
        self._reader = reader
        self._leadership = Leadership(database_url, "settlement")
        self._bell: LedgerBell | None = None

    async def leads(self) -> bool:
        """Tell whether this process settles."""
        return await self._leadership.held()

    async def markets_due(self, after: int, limit: int) -> Sequence[tuple[UUID, int, int, int]]:
        """Give markets to settle."""
        return await markets.unsettled(self._reader, after, limit)

    async def bets_on(
        self, market_id: UUID, changed_at: int, after: int, limit: int
    ) -> Sequence[Visit]:
        """Give the bets that touch a market."""
        return await bets.to_visit(self._reader, market_id, changed_at, after, limit)

    async def bets_seen(self, position: int, timeout_seconds: float) -> bool:
        """Wait for the view of bets."""
        return await self._reader.wait_for("bets", position, timeout_seconds)

    async def news(self, timeout_seconds: float) -> None:
        """Wait until results have changed and the view of markets shows it; raises LogUnavailable."""
        try:
            if self._bell is None:
                bell = LedgerBell(self._url, RESULTS)
                self._bell = await bell.__aenter__()
            position = await self._bell.wait(timeout_seconds)
        except LogUnavailable:
            await self._close_bell()
            raise
        if position:
            await self._reader.wait_for("markets", int(position), VIEWS_SECONDS)

    async def _close_bell(self) -> None:
        if self._bell is not None:
            bell, self._bell = self._bell, None
            await bell.__aexit__(None, None, None)

    async def close(self) -> None:
        """Let go of the lead and of the bell."""
        await self._close_bell()
        await self._leadership.release()


@contextlib.asynccontextmanager
async def settling(database_url: str, ledger: Ledger, reader: Reader) -> AsyncIterator[None]:
    """Run the settlement process until the block ends."""
    work = SettlementWork(database_url, reader)
    process = SettlementProcess(ledger, work)
    running = asyncio.create_task(process.run(), name="settlement")
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await work.close()
