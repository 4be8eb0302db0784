"""The price handler under fire: whatever dies and when, the ledger holds what an undisturbed run would have found."""

import asyncio
import random
import shutil
from collections.abc import Iterator

import pytest

from adapters.embedded import EmbeddedServers
from tests.adapters.nats.server import NatsServer
from tests.conftest import open_temporary_folder
from tests.faults.price_stage import KILLS, MESSAGES, a_stage, check_all_is_there, prices, publish


@pytest.fixture(scope="module")
def own_nats() -> Iterator[NatsServer]:
    folder = open_temporary_folder()
    with EmbeddedServers(folder / "nats", print, only=("nats",), environment={}) as servers:
        yield NatsServer(servers, folder / "nats")
    shutil.rmtree(folder)


@pytest.mark.anyio
async def test_the_handler_is_killed_again_and_again(
    servers: EmbeddedServers, own_nats: NatsServer
) -> None:
    rng = random.Random(5)
    async with a_stage(servers, own_nats) as (database_url, markets, handlers):
        kills = sorted(rng.sample(range(100, MESSAGES), KILLS))

        async def disturb(number: int) -> None:
            if number in kills:
                handlers.kill()
                await asyncio.sleep(rng.uniform(0, 0.5))
                handlers.start()
                await asyncio.sleep(rng.uniform(0.5, 2))

        await publish(own_nats.url, prices(markets, 1), disturb)
        await check_all_is_there(database_url, own_nats.url, markets)
        assert handlers.is_running
