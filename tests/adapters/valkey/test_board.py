"""The live board in Valkey: what is put comes back, and a server that is away only costs freshness."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from adapters.embedded import EmbeddedServers
from adapters.valkey.board import TIMEOUT_SECONDS, ValkeyBoard
from domain.events.bet import Side
from domain.events.odds import Quote
from tests.builders import NOW
from tests.service import free_port

pytestmark = pytest.mark.anyio


def quote(
    odds: str = "2.5",
    bookmaker: str = "betfair",
    *,
    side: Side = "back",
    seconds: int = 0,
    withdrawn: bool = False,
) -> Quote:
    at = NOW + timedelta(seconds=seconds)
    return Quote(
        bookmaker, "home", Decimal(odds), at, Decimal("12.50"), side=side, withdrawn=withdrawn
    )


@pytest.fixture
def own_valkey(open_folder: Path) -> Iterator[EmbeddedServers]:
    with EmbeddedServers(open_folder, print, ["valkey"], environment={}) as running:
        yield running


async def test_the_latest_quotes_of_each_market_come_back(servers: EmbeddedServers) -> None:
    one, two = uuid4(), uuid4()
    async with ValkeyBoard(servers.urls.redis) as writer, ValkeyBoard(servers.urls.redis) as reader:
        await writer.put({one: [quote(), quote("2.52", side="lay"), quote("2.4", "b365")]})
        await writer.put({one: [quote("2.6", seconds=1)], two: [quote(withdrawn=True)]})
        shown = {(q.bookmaker, q.side): q for q in await reader.quotes(one)}
        assert shown == {
            ("betfair", "back"): quote("2.6", seconds=1),
            ("betfair", "lay"): quote("2.52", side="lay"),
            ("b365", "back"): quote("2.4", "b365"),
        }
        assert await reader.quotes(two) == [quote(withdrawn=True)]
        assert await reader.quotes(uuid4()) == []


async def test_a_market_of_which_there_is_nothing_new_keeps_what_it_has(
    servers: EmbeddedServers,
) -> None:
    one, two = uuid4(), uuid4()
    async with ValkeyBoard(servers.urls.redis) as board:
        await board.put({one: [quote()]})
        await board.put({one: [], two: [quote("2.6")]})
        assert (await board.quotes(one), await board.quotes(two)) == ([quote()], [quote("2.6")])


async def test_a_market_that_is_quiet_for_long_is_forgotten(servers: EmbeddedServers) -> None:
    market_id = uuid4()
    async with ValkeyBoard(servers.urls.redis, ttl_seconds=3) as board:
        await board.put({market_id: [quote()]})
        assert await board.quotes(market_id)
        deadline = time.monotonic() + 30
        while await board.quotes(market_id):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_what_cannot_be_read_is_no_price(servers: EmbeddedServers) -> None:
    market_id = uuid4()
    async with (
        Redis.from_url(servers.urls.redis) as other,
        ValkeyBoard(servers.urls.redis) as board,
    ):
        await other.hset(f"fairbook:odds:{market_id}", mapping={"x": b"\xff rubbish"})
        assert await board.quotes(market_id) == []
        await other.delete(f"fairbook:odds:{market_id}")
        await other.set(f"fairbook:odds:{market_id}", "no hash")
        assert await board.quotes(market_id) == []


async def test_a_server_that_was_never_there_costs_little_time_and_no_error() -> None:
    async with ValkeyBoard(f"redis://127.0.0.1:{free_port()}/0") as board:
        begun = time.monotonic()
        for _ in range(100):
            await board.put({uuid4(): [quote()]})
            assert await board.quotes(uuid4()) == []
        # Two hundred times the patience with a server would be 50 seconds.
        assert time.monotonic() - begun < 100 * TIMEOUT_SECONDS


async def test_a_killed_server_is_an_empty_board_until_it_is_back(
    own_valkey: EmbeddedServers,
) -> None:
    market_id = uuid4()
    async with ValkeyBoard(own_valkey.urls.redis) as board:
        await board.put({market_id: [quote()]})
        assert await board.quotes(market_id) == [quote()]
        own_valkey.kill("valkey")
        await board.put({market_id: [quote("3")]})
        assert await board.quotes(market_id) == []
        own_valkey.start_again("valkey")
        deadline = time.monotonic() + 30
        # It may come back with what it wrote down before it was killed; newer prices win.
        while await board.quotes(market_id) != [quote("4", seconds=1)]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
            await board.put({market_id: [quote("4", seconds=1)]})
