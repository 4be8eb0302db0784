"""The settlement process against work that fails: it logs, and works on."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import pytest

from application.log import LogUnavailable
from application.settlement_process import SettlementProcess
from domain.market import Market
from tests.application.desk import a_desk, read_log


class Work:
    """Work for the process, each of whose parts fails when it is asked the first times."""

    def __init__(self, market_id: UUID) -> None:
        self._market_id = market_id
        self.faults: list[Exception] = []
        self.asked = 0

    def _fail(self) -> None:
        self.asked += 1
        if self.faults:
            raise self.faults.pop()

    async def leads(self) -> bool:
        self._fail()
        return True

    async def unsettled_markets(self, limit: int) -> Sequence[tuple[UUID, int, int, int]]:
        self._fail()
        return [(self._market_id, 1, 1, 0)]

    async def open_bets(
        self, market_id: UUID, after: int, limit: int
    ) -> Sequence[tuple[UUID, int]]:
        self._fail()
        return []

    async def bets_seen(self, position: int, timeout_seconds: float) -> bool:
        self._fail()
        return True


@pytest.mark.anyio
async def test_no_fault_of_its_work_ends_the_process(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_desk(database_url) as desk:
        market_id = await desk.market()
        await desk.score(market_id, 1, 0)
        work = Work(market_id)
        work.faults = [LogUnavailable("away"), RuntimeError("odd"), LookupError("odder")]
        with caplog.at_level(logging.WARNING):
            running = asyncio.create_task(SettlementProcess(desk.ledger, work).run())
            for _ in range(200):
                await asyncio.sleep(0.02)
                if _completed(database_url, market_id):
                    break
            assert not running.done()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    assert _completed(database_url, market_id)
    assert "odd" in caplog.text


def _completed(database_url: str, market_id: UUID) -> bool:
    log = read_log(database_url)
    assert isinstance(log.states[market_id], Market)
    return any(each.event.topic == "settlement.completed" for each in log.events)
