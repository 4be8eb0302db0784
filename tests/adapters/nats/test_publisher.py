"""Publishing many messages: each stored once, also when NATS goes away in between."""

import asyncio

import pytest

from adapters.nats.limits import StreamLimits
from adapters.nats.publisher import IN_FLIGHT_MAX, Publisher, PublishRefused
from adapters.nats.streams import ODDS, SIGNALS, StreamRefused
from tests.adapters.nats.server import LIMITS, NatsServer, stored, streams

pytestmark = pytest.mark.anyio


async def publish_all(publisher: Publisher, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await publisher.publish(f"odds.a.b.{number}", str(number).encode(), f"id-{number}")


async def test_when_flush_returns_everything_is_stored_in_order(nats_url: str) -> None:
    async with streams(nats_url) as jetstream, Publisher(nats_url, LIMITS, "test") as publisher:
        await publish_all(publisher, 3 * IN_FLIGHT_MAX)
        await publisher.flush()
        messages = await stored(jetstream, ODDS)
    assert [int(each.data) for each in messages] == [*range(3 * IN_FLIGHT_MAX)]
    assert (messages[7].header or {})["Nats-Msg-Id"] == "id-7"


async def test_headers_go_along_and_hold_no_line_break(nats_url: str) -> None:
    async with streams(nats_url) as jetstream, Publisher(nats_url, LIMITS, "test") as publisher:
        headers = {"traceparent": "00-1-2-01", "Note": "a\r\nOdds: 9"}
        await publisher.publish("signals.value.a", b"{}", "1", headers)
        await publisher.flush()
        (message,) = await stored(jetstream, SIGNALS)
    assert (message.header or {})["traceparent"] == "00-1-2-01"
    assert (message.header or {})["Note"] == "a Odds: 9"


async def test_the_same_id_is_stored_once(nats_url: str) -> None:
    async with streams(nats_url) as jetstream, Publisher(nats_url, LIMITS, "test") as publisher:
        for _ in range(3):
            await publish_all(publisher, 10)
        await publisher.flush()
        assert len(await stored(jetstream, ODDS)) == 10


async def test_nats_killed_in_between_every_message_is_stored_once(nats_server: NatsServer) -> None:
    async with Publisher(nats_server.url, LIMITS, "test") as publisher:
        await publish_all(publisher, 1_500)
        nats_server.kill()
        sending = asyncio.create_task(publish_all(publisher, 1_500, first=1_500))
        await asyncio.sleep(0.3)
        assert not sending.done(), "it waits rather than hold more and more"
        nats_server.start_again()
        async with asyncio.timeout(20):
            await sending
            await publisher.flush()
        async with streams(nats_server.url) as jetstream:
            numbers = [int(each.data) for each in await stored(jetstream, ODDS)]
    assert sorted(numbers) == [*range(3_000)]


async def test_with_nats_away_at_the_start_it_waits_for_it(nats_server: NatsServer) -> None:
    nats_server.kill()
    async with Publisher(nats_server.url, LIMITS, "test") as publisher:
        await publish_all(publisher, 10)
        await asyncio.sleep(0.3)
        nats_server.start_again()
        async with asyncio.timeout(30):
            await publisher.flush()


async def test_a_message_that_will_never_be_taken_is_named_and_the_others_are_stored(
    nats_url: str,
) -> None:
    async with streams(nats_url) as jetstream, Publisher(nats_url, LIMITS, "test") as publisher:
        await publish_all(publisher, 5)
        await publisher.publish("odds.a.b.large", b"x" * 2_000_000, "large")
        await publish_all(publisher, 5, first=5)
        with pytest.raises(PublishRefused, match=r"odds\.a\.b\.large: 2000\d+ bytes are more"):
            await publisher.flush()
        await publisher.flush()  # said once
        assert len(await stored(jetstream, ODDS)) == 10


async def test_streams_that_cannot_be_as_declared_are_said_to_whoever_publishes(
    nats_url: str,
) -> None:
    async with Publisher(nats_url, StreamLimits(replicas=3), "test") as publisher:
        with pytest.raises(StreamRefused, match="FAIRBOOK_NATS_REPLICAS"):
            await publish_all(publisher, 2 * IN_FLIGHT_MAX)
        with pytest.raises(StreamRefused):
            await publisher.flush()
