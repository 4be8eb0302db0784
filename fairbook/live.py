"""Live streams put together: NATS, the hub, what it reads, and a server that lets streams end before it stops."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import uvicorn
from opentelemetry import metrics
from opentelemetry.metrics import Observation

from adapters.nats.live import NatsLive
from api.board import odds_board
from api.desk import Views
from application.answers import to_json
from application.board_cache import BoardCache
from application.live.hub import Hub
from application.log import LogUnavailable
from domain.freshness import MaxAges
from read_models import balances, prices

FRESH_SECONDS: Final = 2.0
LAST_WORDS_SECONDS: Final = 0.05


class _Views:
    """What the hub reads: the same as the routes show."""

    def __init__(self, db: Views, board: BoardCache | None, max_ages: MaxAges) -> None:
        self._db = db
        self._board = board
        self._max_ages = max_ages

    async def prices(self, market_id: UUID) -> bytes:
        kept = await prices.latest(self._db, market_id)
        live = await self._board.quotes(market_id) if self._board else []
        return to_json(odds_board(kept, live, self._max_ages, datetime.now(UTC)))

    async def owner(self, account_id: UUID, position: int) -> str | None:
        with contextlib.suppress(LogUnavailable):  # None says that it cannot be told now
            if await self._db.wait_for("balances", position, FRESH_SECONDS):
                account = await balances.get(self._db, account_id)
                return None if account is None else account.owner
        return None


@contextlib.asynccontextmanager
async def live_hub(
    nats_url: str, db: Views, board: BoardCache | None, max_ages: MaxAges
) -> AsyncIterator[Hub]:
    """Open the hub on NATS, which need not be there yet."""
    async with NatsLive(nats_url) as source, Hub(source, _Views(db, board, max_ages)) as hub:
        metrics.get_meter("fairbook").create_observable_gauge(
            "fairbook_live_clients",
            [lambda _: [Observation(hub.clients)]],
            description="Open live streams",
        )
        yield hub


class Server(uvicorn.Server):
    """A server that ends the live streams when it is asked to stop, and then waits for what is left."""

    hub: Hub | None = None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop gracefully."""
        if self.hub is not None:
            self.hub.stop()
            await asyncio.sleep(LAST_WORDS_SECONDS)
        await super().shutdown(sockets)
