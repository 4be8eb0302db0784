"""Several processes write to one log."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.events.bet import BetPlaced
from domain.events.market import MarketClosed
from tests.application.desk import a_desk, read_log

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


async def spender(database_url: str, seed: int, *ids: UUID) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.application.spender",
        database_url,
        str(seed),
        *map(str, ids),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0
    return json.loads(output)


async def test_three_processes_at_once_stay_one_story(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        accounts = [await desk.account(5_000) for _ in range(3)]
        market_id = await desk.market()
        reports = await asyncio.gather(
            *(spender(database_url, seed, market_id, *accounts) for seed in range(3))
        )
        balances = [(await desk.deposit(each, 1))["available_minor"] for each in accounts]
    log = read_log(database_url)
    assert balances == [log.account(each).available_minor for each in accounts]
    acknowledged = [
        pair
        for report in reports
        for pair in zip(report["acknowledged"][::2], report["acknowledged"][1::2], strict=True)
    ]
    positions = [position for position, _ in acknowledged]
    assert len(set(positions)) == len(positions)
    assert sum(balances) == 3 * 5_000 + 3 + sum(change for _, change in acknowledged)
    (closed,) = log.of(MarketClosed)
    assert [report["closed"] for report in reports].count(closed.position) == 1
    assert all(placed.position < closed.position for placed in log.of(BetPlaced))
    others = [report for report in reports if report["closed"] is None]
    assert len(others) == 2
