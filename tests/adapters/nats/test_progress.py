"""How far the price handler has come, as its consumer's acknowledgements say."""

import asyncio
import contextlib

import pytest

from adapters.nats.connection import connected
from adapters.nats.consumer import DurableConsumer
from adapters.nats.progress import PRICES, KeptPrices
from adapters.nats.pull import Message
from adapters.nats.streams import ODDS
from tests.adapters.nats.server import LIMITS, streams

pytestmark = pytest.mark.anyio


async def test_prices_are_kept_up_to_the_last_one_before_which_all_are_acknowledged(
    nats_url: str,
) -> None:
    async with connected(nats_url, "test") as connection, streams(nats_url) as jetstream:
        kept = KeptPrices(connection)
        first = await kept.last()
        assert await kept.kept_through() == 0  # nobody keeps any
        for number in range(4):
            await jetstream.publish(f"odds.a.b.{number}", b"x")
        assert await kept.last() == first + 4
        consumer = DurableConsumer(
            nats_url, LIMITS, stream=ODDS, durable=PRICES, filter_subject="odds.>"
        )
        async with consumer as inbox, contextlib.aclosing(inbox.batches()) as batches:  # type: ignore[type-var]
            taken: list[Message] = []
            while len(taken) < 4:
                taken += await anext(batches)
            await inbox.done([taken[0], taken[1], taken[3]])
            async with asyncio.timeout(30):
                while await kept.kept_through() < first + 2:  # noqa: ASYNC110  the server tells nobody
                    await asyncio.sleep(0.02)
            assert await kept.kept_through() == first + 2
            await inbox.dead_letter(taken[2], "never")
            async with asyncio.timeout(30):
                while await kept.kept_through() < first + 4:  # noqa: ASYNC110  (the same)
                    await asyncio.sleep(0.02)
