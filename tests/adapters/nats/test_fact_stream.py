"""The ledger's events on NATS: every one once, in order, whatever dies."""

import asyncio
import random

import msgspec
import psycopg
import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy, StreamConfig
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.nats.connection import cancelled, connected
from adapters.nats.fact_stream import OMITTED, LedgerStream
from adapters.nats.streams import LEDGER
from adapters.postgres.bell import LedgerBell
from adapters.postgres.leadership import Leadership
from adapters.postgres.reader import Reader
from application import outbox_meters
from application.outbox import OtherLedger, Outbox, StreamMoved, StreamUnavailable
from domain.commands.account import Deposit
from domain.events.event import Recorded
from tests.adapters.nats.server import NatsServer, last_sequence, stored, streams
from tests.application.desk import a_desk, read_log
from tests.builders import ALICE
from tests.fairbook.handlers import (
    a_handle_process,
    an_outbox,
    bets_under_way,
    check_every_event_is_there_once_and_in_order,
    environment,
    published_up_to,
)
from tests.read_models.business import run_business

pytestmark = pytest.mark.anyio

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def some_business(database_url: str, steps: int = 30) -> list[Recorded]:
    async with a_desk(database_url) as desk:
        await run_business(desk, seed=3, steps=steps)
    return read_log(database_url).events


# ---- what is published


async def test_every_kind_of_event_is_published_as_the_audit_feed_shows_it(
    database_url: str, nats_url: str
) -> None:
    await some_business(database_url)
    async with an_outbox(database_url, nats_url):
        lines = await check_every_event_is_there_once_and_in_order(database_url, nats_url)
    assert {"bet.placed", "market.opened", "odds.snapshot_taken"} <= {
        each["topic"] for each in lines
    }


async def test_a_new_event_is_told_to_the_outbox_and_need_not_be_looked_for(
    database_url: str, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By itself it would look after an hour.
    monkeypatch.setattr("application.outbox.POLL_SECONDS", 3_600.0)
    async with a_desk(database_url) as desk, an_outbox(database_url, nats_url):
        account = await desk.account()
        await published_up_to(nats_url, 1)
        for _ in range(5):
            position = (await desk.deposit(account, 100))["position"]
            await published_up_to(nats_url, position)
            await asyncio.sleep(0.15)


async def test_a_subscriber_resumes_from_any_position(database_url: str, nats_url: str) -> None:
    events = await some_business(database_url)
    async with an_outbox(database_url, nats_url):
        await published_up_to(nats_url, events[-1].position)
    async with streams(nats_url) as jetstream:
        for position in (1, 7, len(events)):
            start = ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=position
            )
            subscription = await jetstream.subscribe(
                "ledger.>", ordered_consumer=True, config=start
            )
            first = await subscription.next_msg(timeout=20)
            assert msgspec.json.decode(first.data)["position"] == position
            await subscription.unsubscribe()


async def test_a_traced_event_carries_its_trace_and_its_publication_is_a_span_of_it(
    database_url: str, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(outbox_meters, "_tracer", provider.get_tracer("fairbook"))
    async with a_desk(database_url) as desk, an_outbox(database_url, nats_url):
        account = await desk.account()
        deposit = Deposit(amount_minor=5, method="card")
        await desk.ledger.submit(deposit, ALICE, target=account, trace=TRACE)
        await published_up_to(nats_url, 2)
        async with streams(nats_url) as jetstream:
            opened, traced = await stored(jetstream, LEDGER)
        await published_up_to(nats_url, (await desk.deposit(account, 1))["position"])
    assert "traceparent" not in (opened.header or {})
    assert (traced.header or {})["traceparent"] == TRACE
    (span,) = spans.get_finished_spans()
    assert span.name == "publish"
    assert span.parent is not None
    assert trace.format_span_id(span.parent.span_id) in TRACE


async def test_an_event_larger_than_the_server_lets_through_is_published_without_its_data(
    database_url: str, nats_url: str
) -> None:
    events = await some_business(database_url)
    async with streams(nats_url), connected(nats_url, "test") as connection:
        connection.client._max_payload = 900
        async with LedgerStream(connection) as stream:
            await stream.append(events)
    async with streams(nats_url) as jetstream:
        messages = await stored(jetstream, LEDGER)
    assert len(messages) == len(events)
    lines = [msgspec.json.decode(each.data) for each in messages]
    cut = [bool((each.header or {}).get(OMITTED)) for each in messages]
    assert any(cut)
    assert not all(cut)
    assert [line["data"] is None for line in lines] == cut
    assert [line["position"] for line in lines] == [each.position for each in events]


# ---- nothing twice, nothing missing


async def test_what_does_not_follow_is_refused_and_changes_nothing(
    database_url: str, nats_url: str
) -> None:
    events = await some_business(database_url)
    async with streams(nats_url) as jetstream, connected(nats_url, "test") as connection:
        async with LedgerStream(connection) as stream:
            with pytest.raises(StreamMoved):
                await stream.append(events[1:5])  # a gap
            await stream.append(events[:10])
            await asyncio.sleep(1.2)  # longer than the stream remembers ids
            for wrong in (events[:10], events[4:9], events[11:20]):
                with pytest.raises(StreamMoved):
                    await stream.append(wrong)
            assert await last_sequence(jetstream, LEDGER) == 10
            await stream.append(events[10:])
            last = await stream.last()
        assert last.position == len(events)
        assert len(await stored(jetstream, LEDGER)) == len(events)


async def test_two_at_once_without_a_lock_publish_every_event_once(
    database_url: str, nats_url: str
) -> None:
    class Always:
        async def held(self) -> bool:
            return True

    async def run() -> None:
        reader = Reader(database_url, pool_size=1)
        await reader.open()
        try:
            async with (
                connected(nats_url, "rival") as connection,
                LedgerBell(database_url) as bell,
                LedgerStream(connection) as stream,
            ):
                while True:
                    try:
                        await Outbox(reader, bell, stream, Always()).run()
                    except StreamMoved:
                        await asyncio.sleep(0)
        finally:
            await reader.close()

    async with a_desk(database_url) as desk, streams(nats_url):
        rivals = [asyncio.create_task(run()) for _ in range(2)]
        async with bets_under_way(desk) as last:
            await asyncio.sleep(1)
        await published_up_to(nats_url, last[0])
        for rival in rivals:
            assert not rival.done()
            await cancelled(rival)
    await check_every_event_is_there_once_and_in_order(database_url, nats_url)


async def test_of_two_one_leads_and_the_other_takes_over(database_url: str, nats_url: str) -> None:
    lead = Leadership(database_url, "outbox")
    async with a_desk(database_url) as desk:
        assert await lead.held()
        async with an_outbox(database_url, nats_url), streams(nats_url) as jetstream:
            await desk.account()
            await asyncio.sleep(0.5)
            assert await last_sequence(jetstream, LEDGER) == 0
            await lead.release()
            await published_up_to(nats_url, 1)


async def test_killed_five_times_under_load_it_has_published_every_event_once_and_in_order(
    database_url: str, nats_url: str
) -> None:
    rng = random.Random(5)
    variables = environment(database_url, nats_url)
    async with a_desk(database_url) as desk:
        with a_handle_process("outbox", **variables) as process:
            async with bets_under_way(desk) as last:
                for _ in range(5):
                    await published_up_to(nats_url, last[0] + 50)
                    await asyncio.sleep(rng.uniform(0, 0.2))
                    await asyncio.to_thread(process.kill)
                    process.start()
            await check_every_event_is_there_once_and_in_order(database_url, nats_url)


# ---- NATS


async def test_nats_killed_under_load_comes_back_with_everything(
    database_url: str, nats_server: NatsServer
) -> None:
    url = nats_server.url
    async with a_desk(database_url) as desk, an_outbox(database_url, url):
        async with bets_under_way(desk) as last:
            for _ in range(3):
                await published_up_to(url, last[0] + 50)
                nats_server.kill()
                await asyncio.sleep(0.3)
                nats_server.start_again()
        await check_every_event_is_there_once_and_in_order(database_url, url)


async def test_a_stream_that_was_lost_is_published_again_from_the_beginning(
    database_url: str, nats_server: NatsServer
) -> None:
    await some_business(database_url)
    async with an_outbox(database_url, nats_server.url):
        await check_every_event_is_there_once_and_in_order(database_url, nats_server.url)
        nats_server.kill()
        nats_server.forget_everything()
        nats_server.start_again()
        await check_every_event_is_there_once_and_in_order(database_url, nats_server.url)


async def test_with_nats_away_at_the_start_it_begins_as_soon_as_it_is_there(
    database_url: str, nats_server: NatsServer
) -> None:
    await some_business(database_url, steps=3)
    nats_server.kill()
    async with an_outbox(database_url, nats_server.url):
        await asyncio.sleep(0.5)
        nats_server.start_again()
        await check_every_event_is_there_once_and_in_order(database_url, nats_server.url)


async def test_a_stream_that_was_made_to_begin_later_keeps_sequence_and_position_the_same(
    database_url: str, nats_url: str
) -> None:
    events = await some_business(database_url)
    async with connected(nats_url, "operator") as connection:
        jetstream = connection.jetstream
        later = StreamConfig(name=LEDGER, subjects=["ledger.>"], first_seq=11, deny_delete=True)
        await jetstream.add_stream(later)
        async with an_outbox(database_url, nats_url):
            await published_up_to(nats_url, events[-1].position)
        first, *_ = await stored(jetstream, LEDGER)
    assert first.metadata.sequence.stream == 11
    assert msgspec.json.decode(first.data)["position"] == 11


# ---- what is wrong is said


async def an_outbox_says(database_url: str, nats_url: str) -> str:
    reader = Reader(database_url, pool_size=1)
    await reader.open()
    lead = Leadership(database_url, "outbox")
    try:
        async with (
            streams(nats_url),
            connected(nats_url, "test") as connection,
            LedgerBell(database_url) as bell,
            LedgerStream(connection) as stream,
            asyncio.timeout(30),
        ):
            with pytest.raises((OtherLedger, StreamUnavailable)) as said:
                await Outbox(reader, bell, stream, lead).run()
            return str(said.value)
    finally:
        await lead.release()
        await reader.close()


async def test_the_stream_of_a_longer_ledger_is_left_alone(
    database_url: str, nats_url: str
) -> None:
    events = await some_business(database_url)
    async with an_outbox(database_url, nats_url):
        await published_up_to(nats_url, events[-1].position)
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM ledger_events WHERE notification_id > 10")
    said = await an_outbox_says(database_url, nats_url)
    assert f"goes on to position {len(events)}, the ledger only to 10" in said
    assert "Delete the stream" in said


async def test_the_stream_of_another_ledger_is_left_alone(database_url: str, nats_url: str) -> None:
    events = await some_business(database_url)
    async with an_outbox(database_url, nats_url):
        await published_up_to(nats_url, events[-1].position)
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE ledger_events, ledger_commands, ledger_snapshots")
    async with a_desk(database_url) as desk:
        await run_business(desk, seed=4, steps=60)
    assert "another event at position" in await an_outbox_says(database_url, nats_url)


async def test_a_stream_that_is_not_there_is_named(database_url: str, nats_url: str) -> None:
    async with a_desk(database_url) as desk:
        await desk.account()
    async with connected(nats_url, "test") as connection, LedgerStream(connection) as stream:
        with pytest.raises(StreamUnavailable, match="no stream LEDGER"):
            await stream.last()
        with pytest.raises(StreamUnavailable, match=r"no stream takes ledger"):
            await stream.append(read_log(database_url).events)
