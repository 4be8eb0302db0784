"""The handler `scores` of `fairbook handle`: predictions are held against results."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final

from adapters.postgres.bell import LedgerBell
from adapters.postgres.leadership import Leadership
from adapters.postgres.reader import Reader
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from application.log import LogUnavailable
from application.scoring_process import ScoringProcess
from domain.commands.model import PredictedMarket
from fairbook.settings import Settings
from read_models import predictions

VIEWS_SECONDS: Final = 0.1
"""The views show what rang a moment later."""

REST_SECONDS: Final = 1.0
"""From one look to the next: one serves all that rings meanwhile, and a busy ledger rings all the time."""


class _Work:
    """What the process reads; an application.scoring_process.ScoringWork."""

    def __init__(self, reader: Reader, bell: LedgerBell, lead: Leadership) -> None:
        self._reader = reader
        self._bell = bell
        self._lead = lead
        self._looked_at = 0.0

    async def leads(self) -> bool:
        """Tell whether this process scores."""
        return await self._lead.held()

    async def unscored(self, limit: int) -> Sequence[PredictedMarket]:
        """Give what is due."""
        self._looked_at = time.monotonic()
        return await predictions.unscored(self._reader, limit)

    async def scores_seen(self, position: int, timeout_seconds: float) -> bool:
        """Wait for the view of predictions."""
        return await self._reader.wait_for("predictions", position, timeout_seconds)

    async def news(self, timeout_seconds: float) -> None:
        """Wait until the ledger has new events and the views had a moment."""
        await self._bell.wait(timeout_seconds)
        rested = time.monotonic() - self._looked_at
        await asyncio.sleep(max(VIEWS_SECONDS, REST_SECONDS - rested))


async def handle_scores(settings: Settings) -> None:
    """Work as the leader, or wait to become it; raises when the database goes away."""
    database_url = settings.require_database_url()
    async with contextlib.AsyncExitStack() as stack:
        lead = Leadership(database_url, "scores")
        stack.push_async_callback(lead.release)
        await lead.won()
        ledger = await stack.enter_async_context(Ledger(ledger_environment(database_url)))
        reader = Reader(database_url, pool_size=1)
        stack.push_async_callback(reader.close)
        await reader.open()
        bell = await stack.enter_async_context(LedgerBell(database_url))
        await ScoringProcess(ledger, _Work(reader, bell, lead)).run()
    raise LogUnavailable("another process has taken the lead")
