"""The reader: fresh enough, and clear about a database that is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest

from adapters.postgres.reader import Reader
from application.log import LogUnavailable
from domain.refusals import InvalidInput
from read_models import balances, bets
from tests.application.desk import a_desk, read_log, standing_still
from tests.builders import bet_placed
from tests.read_models.business import append, follow, run_business

pytestmark = pytest.mark.anyio


@pytest.fixture
async def reader(database_url: str) -> AsyncIterator[Reader]:
    reader = Reader(database_url)
    await reader.open()
    yield reader
    await reader.close()


async def some_business(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        await run_business(desk, seed=1, steps=20)


async def test_whoever_waits_sees_what_was_written(reader: Reader, database_url: str) -> None:
    await some_business(database_url)
    follow(database_url)
    async with a_desk(database_url) as desk:
        account_id = await desk.account(5)
    position = await reader.head()
    assert not await reader.wait_for("balances", position, 0.05)
    assert not await reader.wait_for("balances", position, 0)
    waiting = [
        asyncio.create_task(reader.wait_for(model, position, 30))
        for model in ("balances", "statement", "bets") * 20
    ]
    await asyncio.sleep(0.05)
    await asyncio.to_thread(follow, database_url)
    assert all(await asyncio.gather(*waiting))
    found = await balances.get(reader, account_id)
    assert found is not None
    assert found.available_minor == 5
    assert set((await reader.positions()).values()) == {position}
    assert await reader.position("balances") == position
    assert await reader.position("no such model") == 0


async def test_a_database_without_read_models_is_not_ready(reader: Reader) -> None:
    with pytest.raises(LogUnavailable, match="no worker has begun"):
        await balances.page(reader)
    with pytest.raises(LogUnavailable):
        await reader.wait_for("balances", 1, 1)


async def test_no_server_is_said_within_seconds() -> None:
    reader = Reader("postgresql://nobody:nothing@127.0.0.1:1/none")
    await reader.open()
    begun = time.monotonic()
    with pytest.raises(LogUnavailable):
        await reader.head()
    assert time.monotonic() - begun < 20
    await reader.close()


async def test_lost_connections_are_replaced_at_once(reader: Reader, database_url: str) -> None:
    await some_business(database_url)
    follow(database_url)
    await asyncio.gather(*[balances.page(reader) for _ in range(20)])
    with psycopg.connect(database_url, autocommit=True) as connection:
        killed = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'fairbook reader'"
        ).fetchall()
    assert killed
    assert len((await balances.page(reader)).items) == 3


async def test_a_server_that_stands_still_is_said_within_seconds(
    reader: Reader, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.postgres.reader.GIVE_UP_SECONDS", 0.3)
    await some_business(database_url)
    follow(database_url)
    await balances.page(reader)
    with standing_still(database_url, "fairbook reader"):
        with pytest.raises(LogUnavailable, match="has not answered"):
            await asyncio.wait_for(balances.page(reader), 60)
        assert len((await balances.page(reader)).items) == 3


async def test_a_stream_of_events_in_chunks(
    reader: Reader, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.postgres.reader.CHUNK_EVENTS", 7)
    await some_business(database_url)
    log = read_log(database_url)
    streamed = [recorded async for recorded in reader.events(0, None, 10_000)]
    assert streamed == log.events
    assert [r.position async for r in reader.events(3, None, 10)] == list(range(4, 14))
    assert [r async for r in reader.events(len(log.events), None, 10)] == []
    account_id = log.events[0].stream_id
    mine = [r for r in log.events if r.stream_id == account_id]
    assert [r async for r in reader.events(0, account_id, 10_000)] == mine
    assert [r async for r in reader.events(mine[1].position, account_id, 9)] == mine[2:11]
    assert [r async for r in reader.events(0, UUID(int=0), 9)] == []


async def test_faults_are_told(reader: Reader, database_url: str) -> None:
    await some_business(database_url)
    assert await _faults_after(reader, database_url) == []
    bad = append(database_url, "poisoned bet", bet_placed())
    ((model, position, reason),) = await _faults_after(reader, database_url)
    assert (model, position) == ("betting_totals", bad)
    assert "KeyError" in reason


async def _faults_after(reader: Reader, database_url: str) -> list[tuple[str, int, str]]:
    await asyncio.to_thread(follow, database_url)
    return [(fault.model, fault.position, fault.reason) for fault in await reader.faults()]


async def test_broken_values_are_refused(reader: Reader, database_url: str) -> None:
    await some_business(database_url)
    follow(database_url)
    with pytest.raises(InvalidInput):
        await balances.page(reader, owner="a\0b")
    with pytest.raises(InvalidInput):
        await bets.page(reader, cursor="a\0b")
