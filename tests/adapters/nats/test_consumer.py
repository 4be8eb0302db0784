"""Durable consumers: nothing is dropped silently, whatever dies."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable

import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from adapters.nats.connection import cancelled, connected
from adapters.nats.consumer import (
    ACK_SECONDS,
    CUT,
    REASON,
    SEQUENCE,
    STREAM,
    TRIED,
    DurableConsumer,
    Reject,
)
from adapters.nats.limits import StreamLimits
from adapters.nats.pull import Message
from adapters.nats.streams import DEAD, ODDS, StreamRefused
from tests.adapters.nats.server import LIMITS, NatsServer, last_sequence, stored, streams
from tests.service import CHECKOUT

pytestmark = pytest.mark.anyio


def a_consumer(url: str, **options: float) -> DurableConsumer:
    return DurableConsumer(
        url,
        LIMITS,
        stream=ODDS,
        durable="prices",
        filter_subject="odds.>",
        **{"retry_seconds": 0.05, **options},  # type: ignore[arg-type]
    )


async def publish(jetstream: JetStreamContext, numbers: Iterable[int]) -> None:
    for number in numbers:
        await jetstream.publish(f"odds.a.b.{number}", str(number).encode())


async def unacknowledged(jetstream: JetStreamContext) -> int:
    """How many messages the consumer has not seen the end of; one that has not begun yet, of any."""
    try:
        info = await jetstream.consumer_info(ODDS, "prices")
    except NotFoundError:
        return (await jetstream.stream_info(ODDS)).state.messages
    return (info.num_ack_pending or 0) + (info.num_pending or 0)


async def until_all_done(jetstream: JetStreamContext) -> None:
    # What was on its way to a consumer that ended comes again when its time to be acknowledged is over.
    async with asyncio.timeout(20 + ACK_SECONDS):
        while await unacknowledged(jetstream):  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.02)


async def take(batches: AsyncIterator[list[Message]], count: int) -> list[Message]:
    """Take batches until there are so many messages."""
    taken: list[Message] = []
    async with asyncio.timeout(30):
        while len(taken) < count:
            taken += await anext(batches)
    return taken


def numbers(messages: Iterable[Message]) -> list[int]:
    return [int(message.data) for message in messages]


@contextlib.asynccontextmanager
async def running(consumer: DurableConsumer, handle: object) -> AsyncIterator[None]:
    async with consumer:
        task = asyncio.create_task(consumer.run(handle))  # type: ignore[arg-type]
        try:
            yield
        finally:
            assert not task.done() or task.exception() is None
            await cancelled(task)


# ---- message by message


async def test_a_handled_message_is_done_and_does_not_come_again(nats_url: str) -> None:
    handled = []

    async def handle(message: Message) -> None:
        handled.append(int(message.data))

    async with streams(nats_url) as jetstream:
        await publish(jetstream, range(20))
        async with running(a_consumer(nats_url), handle):
            await asyncio.sleep(0.1)
            await until_all_done(jetstream)
        async with running(a_consumer(nats_url), handle):
            await publish(jetstream, [20])
            await until_all_done(jetstream)
    assert handled == [*range(21)]


async def test_what_fails_comes_again_until_it_is_handled(nats_url: str) -> None:
    tries: dict[int, int] = {}

    async def handle(message: Message) -> None:
        number = int(message.data)
        tries[number] = tries.get(number, 0) + 1
        assert message.tries == tries[number]
        if number == 1 and tries[number] < 4:
            raise LookupError("not yet")

    async with streams(nats_url) as jetstream:
        await publish(jetstream, range(3))
        async with running(a_consumer(nats_url), handle):
            await asyncio.sleep(0.1)
            await until_all_done(jetstream)
        assert await stored(jetstream, DEAD) == []
    assert tries == {0: 1, 1: 4, 2: 1}


async def test_what_fails_at_every_try_becomes_a_dead_letter_with_the_reason(nats_url: str) -> None:
    async def handle(message: Message) -> None:
        if message.data == b"1":
            raise ValueError("odds of\n0.5")

    async with streams(nats_url) as jetstream:
        await publish(jetstream, range(3))
        async with running(a_consumer(nats_url, tries=3), handle):
            await asyncio.sleep(0.1)
            await until_all_done(jetstream)
        (dead,) = await stored(jetstream, DEAD)
        last = await last_sequence(jetstream, ODDS)
    assert dead.subject == "dead.odds.a.b.1"
    assert dead.data == b"1"
    assert dead.header is not None
    assert dead.header[REASON] == "ValueError: odds of 0.5"
    assert (dead.header[TRIED], dead.header[STREAM]) == ("3", ODDS)
    assert dead.header[SEQUENCE] == str(last - 1)


async def test_what_is_rejected_becomes_a_dead_letter_at_once(nats_url: str) -> None:
    async def handle(message: Message) -> None:
        raise Reject(f"malformed {'x' * 10_000}")

    async with streams(nats_url) as jetstream:
        await publish(jetstream, [7])
        async with running(a_consumer(nats_url), handle):
            await asyncio.sleep(0.1)
            await until_all_done(jetstream)
        (dead,) = await stored(jetstream, DEAD)
    assert dead.header is not None
    assert dead.header[REASON].startswith("malformed xxx")
    assert dead.header[TRIED] == "1"


@pytest.mark.parametrize(
    "message",
    [
        b"PUB odds.\xff\xfe.b.c 1\r\n0\r\n",
        b"HPUB odds.a.b.c 16 17\r\nNATS/1.0 \xff\xfe \r\n\r\n0\r\n",
        b"HPUB odds.a.b.c 2 3\r\n\r\n0\r\n",
        b"PUB odds." + b"x" * 4_070 + b" 1\r\n0\r\n",
    ],
    ids=["subject", "status", "headers", "length"],
)
async def test_a_message_that_is_named_as_none_may_be_holds_up_no_other(
    nats_url: str, message: bytes
) -> None:
    handled: list[bytes] = []

    async def handle(message: Message) -> None:
        if message.data == b"0":
            raise Reject("it is none")
        handled.append(message.data)

    async with streams(nats_url) as jetstream, connected(nats_url, "test") as connection:
        await connection.send(message)
        await connection.client.flush()
        await publish(jetstream, [1])
        async with running(a_consumer(nats_url), handle):
            await until_all_done(jetstream)
        (dead,) = await stored(jetstream, DEAD)
    assert (handled, dead.data) == ([b"1"], b"0")


async def test_a_message_as_large_as_can_be_is_kept_as_a_dead_letter_cut_short(
    nats_url: str,
) -> None:
    async def handle(message: Message) -> None:
        raise Reject("too much")

    async with streams(nats_url) as jetstream:
        await jetstream.publish("odds.a.b.c", b"x" * 1_048_576)
        async with running(a_consumer(nats_url), handle):
            await asyncio.sleep(0.1)
            await until_all_done(jetstream)
        (dead,) = await stored(jetstream, DEAD)
    assert dead.header is not None
    assert dead.header[CUT] == "1048576"
    assert len(dead.data) > 1_000_000


async def test_long_work_is_given_the_time_it_takes(nats_url: str) -> None:
    tries = []

    async def handle(message: Message) -> None:
        tries.append(message.tries)
        await asyncio.sleep(2)

    async with streams(nats_url) as jetstream:
        await publish(jetstream, [1])
        async with running(a_consumer(nats_url, ack_seconds=0.6), handle):
            await asyncio.sleep(0.1)
            await until_all_done(jetstream)
    assert tries == [1]


KILLED_AT = """
import asyncio, os, signal, sys
from adapters.nats.consumer import DurableConsumer, Message
from tests.adapters.nats.server import LIMITS

url, step = sys.argv[1:]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

async def handle(message: Message) -> None:
    print(int(message.data), message.tries, flush=True)
    if message.data == b"1":
        if step == "handling":
            die()
        raise ValueError("no")

async def main() -> None:
    consumer = DurableConsumer(
        url, LIMITS, stream="ODDS", durable="prices", filter_subject="odds.>", tries=2, ack_seconds=0.5,
        retry_seconds=0.05,
    )
    if step != "handling":
        keep, send = consumer._keep, consumer._send
        async def kept(*arguments):
            if step == "before it is kept":
                die()
            await keep(*arguments)
            if step == "before it is answered":
                die()
        async def sent(replies, word):
            await send(replies, word)
            if word == b"+TERM" and step == "right after":
                await consumer._session.connection.client.flush()
                die()
        consumer._keep, consumer._send = kept, sent
    async with consumer:
        await consumer.run(handle)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "step", ["handling", "before it is kept", "before it is answered", "right after"]
)
async def test_killed_between_any_two_steps_a_bad_message_is_kept_once_and_the_others_handled(
    nats_url: str, step: str
) -> None:
    handled = []

    async def handle(message: Message) -> None:
        handled.append(int(message.data))
        if message.data == b"1":
            raise ValueError("no")

    async with streams(nats_url) as jetstream:
        await publish(jetstream, range(4))
        for _ in range(2 if step == "handling" else 1):
            victim = await asyncio.create_subprocess_exec(
                sys.executable, "-c", KILLED_AT, nats_url, step,
                cwd=CHECKOUT, stdout=subprocess.PIPE,
            )  # fmt: skip
            async with asyncio.timeout(20):
                said, _ = await victim.communicate()
            assert victim.returncode == -9
            handled += [int(line.split()[0]) for line in said.splitlines()]
        async with running(a_consumer(nats_url, tries=2, ack_seconds=0.5), handle):
            await asyncio.sleep(0.1)
            await until_all_done(jetstream)
        dead = await stored(jetstream, DEAD)
    assert {0, 2, 3} <= set(handled)
    assert [each.data for each in dead] == [b"1"]


# ---- batches in the order of the stream


async def test_batches_come_in_order_and_stay_until_they_are_done(nats_url: str) -> None:
    async with streams(nats_url) as jetstream:
        await publish(jetstream, range(50))
        async with a_consumer(nats_url) as consumer:
            batches = consumer.batches(20, 0.2)
            taken = await take(batches, 50)
            assert numbers(taken) == [*range(50)]
            assert await anext(batches) == []
            assert await unacknowledged(jetstream) == 50
            await consumer.done(taken[:30])
            await consumer.done(taken[30:])
            await until_all_done(jetstream)


async def test_whoever_comes_next_gets_all_after_the_last_done_in_order(nats_url: str) -> None:
    async with streams(nats_url) as jetstream:
        await publish(jetstream, range(100))
        async with a_consumer(nats_url) as consumer:
            taken = await take(consumer.batches(30, 0.2), 80)
            await consumer.done(taken[:25])
            await consumer.done(taken[40:50])  # behind a gap: it comes again
        async with a_consumer(nats_url) as consumer:
            again = await take(consumer.batches(30, 0.2), 75)
            assert numbers(again) == [*range(25, 100)]
            await consumer.done(again)
            await until_all_done(jetstream)


async def test_what_is_held_for_long_is_not_handed_out_twice(nats_url: str) -> None:
    async with streams(nats_url) as jetstream:
        await publish(jetstream, range(10))
        async with a_consumer(nats_url, ack_seconds=0.3) as consumer:
            batches = consumer.batches(5, 0.2)
            taken = await take(batches, 10)
            for _ in range(5):
                assert await anext(batches) == []
            await publish(jetstream, [10])
            taken += await take(batches, 1)
            assert numbers(taken) == [*range(11)]
            await consumer.done(taken)
            async with asyncio.timeout(30):
                while await unacknowledged(jetstream):
                    assert await anext(batches) == []


async def test_a_dead_letter_out_of_a_batch_holds_up_nothing(nats_url: str) -> None:
    async with streams(nats_url) as jetstream:
        await publish(jetstream, range(10))
        async with a_consumer(nats_url) as consumer:
            taken = await take(consumer.batches(), 10)
            await consumer.dead_letter(taken[4], "odds 0.5")
            await consumer.done(taken[:4] + taken[5:])
            await until_all_done(jetstream)
        (dead,) = await stored(jetstream, DEAD)
    assert dead.data == b"4"


async def test_nats_killed_in_the_middle_loses_nothing_and_keeps_the_order(
    nats_server: NatsServer,
) -> None:
    url = nats_server.url
    async with a_consumer(url) as consumer:
        batches = consumer.batches(7, 0.2)
        async with streams(url) as jetstream:
            await publish(jetstream, range(40))
        taken = await take(batches, 25)
        await consumer.done(taken[:10])
        nats_server.kill()
        await consumer.done(taken[10:15])  # nobody hears it
        taken += await anext(batches)  # what had come already
        nats_server.start_again()
        async with streams(url) as jetstream:
            await publish(jetstream, range(40, 60))
            taken += await take(batches, 60 - len(taken))
            assert numbers(taken) == [*range(60)]
            await consumer.done(taken[15:])
            async with asyncio.timeout(20):
                while await unacknowledged(jetstream):
                    assert await anext(batches) == []


async def test_a_stream_that_begins_anew_is_read_from_its_beginning_and_old_numbers_answer_nothing(
    nats_server: NatsServer,
) -> None:
    url = nats_server.url
    async with a_consumer(url) as consumer:
        batches = consumer.batches(50, 0.2)
        async with streams(url) as jetstream:
            await publish(jetstream, range(30))
        old = await take(batches, 30)
        nats_server.kill()
        nats_server.forget_everything()
        nats_server.start_again()
        async with streams(url) as jetstream:
            await publish(jetstream, range(100, 110))
            new = await take(batches, 10)
            assert numbers(new) == [*range(100, 110)]
            await consumer.done(old)  # of a stream that is gone
            await asyncio.sleep(0.2)
            assert await unacknowledged(jetstream) == 10
            await consumer.done(new)
            await until_all_done(jetstream)


async def test_a_stream_that_lost_its_end_gives_anew_what_is_not_done(
    nats_server: NatsServer,
) -> None:
    url = nats_server.url
    async with a_consumer(url) as consumer:
        batches = consumer.batches(50, 0.2)
        async with streams(url) as jetstream:
            await publish(jetstream, range(10))
        kept = await take(batches, 10)
        nats_server.kill()
        nats_server.save()
        nats_server.start_again()
        async with streams(url) as jetstream:
            await publish(jetstream, range(10, 20))
        lost = await take(batches, 10)
        nats_server.kill()
        nats_server.restore()
        nats_server.start_again()
        async with streams(url) as jetstream:
            await publish(jetstream, range(100, 105))
            new = await take(batches, 15)
            assert numbers(new) == [*range(10), *range(100, 105)]
            await consumer.done(kept + lost)
            await asyncio.sleep(0.2)
            assert await unacknowledged(jetstream) == 15
            await consumer.done(new)
            async with asyncio.timeout(20):
                while await unacknowledged(jetstream):
                    assert await anext(batches) == []


async def test_a_dead_letter_waits_for_nats(nats_server: NatsServer) -> None:
    url = nats_server.url
    async with a_consumer(url) as consumer:
        async with streams(url) as jetstream:
            await publish(jetstream, range(3))
        taken = await take(consumer.batches(), 3)
        nats_server.kill()
        keeping = asyncio.create_task(consumer.dead_letter(taken[1], "bad"))
        await asyncio.sleep(0.5)
        assert not keeping.done()
        nats_server.start_again()
        async with asyncio.timeout(20):
            await keeping
        async with streams(url) as jetstream:
            assert await last_sequence(jetstream, DEAD) == 1


async def test_streams_that_cannot_be_as_declared_are_no_reason_to_wait(nats_url: str) -> None:
    limits = StreamLimits(odds_bytes=10**13)
    consumer = DurableConsumer(
        nats_url, limits, stream=ODDS, durable="prices", filter_subject="odds.>"
    )
    async with consumer:
        with pytest.raises(StreamRefused):
            await anext(consumer.batches())
