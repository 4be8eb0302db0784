"""The price handler while NATS dies: the ledger holds what an undisturbed run would have found.

A file of its own, so that another process can run it.
"""

import asyncio
import random
from pathlib import Path

import pytest

from adapters.embedded import EmbeddedServers
from tests.adapters.nats.server import NatsServer
from tests.faults.price_stage import KILLS, MESSAGES, a_stage, check_all_is_there, prices, publish


@pytest.mark.anyio
async def test_nats_is_killed_again_and_again(servers: EmbeddedServers, open_folder: Path) -> None:
    rng = random.Random(6)
    with EmbeddedServers(open_folder / "nats", print, only=("nats",), environment={}) as own:
        nats = NatsServer(own, open_folder / "nats")
        async with a_stage(servers, nats) as (database_url, markets, handlers):
            kills = sorted(rng.sample(range(100, MESSAGES), KILLS))

            async def disturb(number: int) -> None:
                if number in kills:
                    nats.kill()
                    await asyncio.sleep(rng.uniform(0, 0.3))
                    nats.start_again()
                    await asyncio.sleep(rng.uniform(0.5, 1.5))

            await publish(nats.url, prices(markets, 2), disturb)
            await check_all_is_there(database_url, nats.url, markets)
            assert handlers.is_running
