"""Three copies on a real cluster of three servers, whose leading server dies."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.nats.connection import AWAY
from adapters.nats.consumer import DurableConsumer
from adapters.nats.publisher import Publisher
from adapters.nats.streams import DEAD, LEDGER, ODDS, SIGNALS
from tests.adapters.nats.cluster import Cluster, a_cluster
from tests.adapters.nats.server import LIMITS, stored, streams
from tests.application.desk import a_desk
from tests.conftest import open_temporary_folder
from tests.fairbook.handlers import (
    an_outbox,
    bets_under_way,
    check_every_event_is_there_once_and_in_order,
    published_up_to,
)

pytestmark = pytest.mark.anyio
THREE = replace(LIMITS, replicas=3)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = open_temporary_folder()
    with a_cluster(folder) as running:
        yield running
    shutil.rmtree(folder)


async def leader_of(url: str, stream: str) -> str:
    """The server that leads a stream, once there is one."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with streams(url, THREE) as jetstream:
                    info = await jetstream.stream_info(stream)
                assert info.config.num_replicas == 3
                if info.cluster is not None and info.cluster.leader:
                    return str(info.cluster.leader).removeprefix("node-")
            except AWAY:
                await asyncio.sleep(0.1)


async def test_every_stream_has_three_copies(cluster: Cluster) -> None:
    for stream in (ODDS, SIGNALS, LEDGER, DEAD):
        assert await leader_of(cluster.url, stream) in cluster.nodes


async def test_the_leading_server_dies_under_load_and_every_event_is_published_once(
    cluster: Cluster, database_url: str
) -> None:
    leader = await leader_of(cluster.url, LEDGER)
    async with a_desk(database_url) as desk, an_outbox(database_url, cluster.url, replicas=3):
        async with bets_under_way(desk) as last:
            await published_up_to(cluster.url, last[0] + 50)
            cluster.nodes[leader].kill()
            await published_up_to(cluster.url, last[0] + 50)
            cluster.start(leader)
        await check_every_event_is_there_once_and_in_order(database_url, cluster.url)


async def test_the_leading_server_dies_and_no_message_is_lost_or_out_of_order(
    cluster: Cluster,
) -> None:
    leader = await leader_of(cluster.url, ODDS)
    async with (
        Publisher(cluster.url, THREE, "test") as publisher,
        DurableConsumer(
            cluster.url, THREE, stream=ODDS, durable="prices", filter_subject="odds.>"
        ) as consumer,
        asyncio.timeout(60),
    ):
        for number in range(400):
            if number == 150:
                cluster.nodes[leader].kill()
            await publisher.publish(f"odds.a.b.{number}", str(number).encode(), f"id-{number}")
            if number % 10 == 0:
                await asyncio.sleep(0)
        batches = consumer.batches(50, 0.5)
        sequences: list[int] = []
        numbers: set[int] = set()
        while len(numbers) < 400:
            batch = await anext(batches)
            sequences += [message.sequence for message in batch]
            numbers |= {int(message.data) for message in batch}
            await consumer.done(batch)
        await publisher.flush()
        cluster.start(leader)
        assert sequences == sorted(set(sequences))
        assert numbers == {*range(400)}
    async with streams(cluster.url, THREE) as jetstream, asyncio.timeout(60):
        # The server that has come back may answer before it knows what the others hold.
        while len(kept := await stored(jetstream, ODDS)) < 400:  # noqa: ASYNC110  nothing tells when it does
            await asyncio.sleep(0.1)
        assert len(kept) == 400
