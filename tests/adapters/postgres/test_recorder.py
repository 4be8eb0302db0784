"""The library's own interface: whoever appends through it keeps the log whole."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.utils import Environment

from adapters.postgres.codec import encode_event
from adapters.postgres.recorder import LedgerFactory, LedgerRecorder
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from domain.commands.account import Deposit
from domain.events.event import Event, Recorded
from domain.events.market import MarketClosed, MarketResumed, MarketSuspended
from tests.application.desk import a_desk, read_log
from tests.builders import ALICE, NOW, account_opened, an_id, deposited, market_opened, recorded


def stored(stream_id: UUID, version: int, event: Event) -> StoredEvent:
    state = encode_event(event, NOW, "alice", an_id("command"), None)
    return StoredEvent(stream_id, version, event.topic, state)


def opened_factory(database_url: str) -> LedgerFactory:
    return LedgerFactory(Environment("ledger", ledger_environment(database_url)))


@pytest.fixture
def recorder(database_url: str) -> Iterator[LedgerRecorder]:
    factory = opened_factory(database_url)
    made = factory.application_recorder()
    assert isinstance(made, LedgerRecorder)
    yield made
    factory.close()


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    made = Ledger(ledger_environment(database_url))
    yield made
    made.close()


def test_inserted_events_get_the_next_positions(recorder: LedgerRecorder) -> None:
    one, two = uuid4(), uuid4()
    first = recorder.insert_events(
        [stored(one, 1, market_opened()), stored(two, 1, account_opened())]
    )
    second = recorder.insert_events([stored(one, 2, MarketClosed())])
    assert list(first or []) == [1, 2]
    assert list(second or []) == [3]
    assert recorder.max_notification_id() == 3
    assert [n.id for n in recorder.select_notifications(1, 10)] == [1, 2, 3]


def test_nothing_inserted_is_nothing_recorded(recorder: LedgerRecorder) -> None:
    assert list(recorder.insert_events([]) or []) == []
    recorder.insert_events([stored(uuid4(), 1, market_opened())])
    assert list(recorder.insert_events([]) or []) == []
    assert recorder.max_notification_id() == 1


def test_a_version_that_exists_is_refused_and_leaves_no_gap(recorder: LedgerRecorder) -> None:
    stream_id = uuid4()
    recorder.insert_events([stored(stream_id, 1, market_opened())])
    with pytest.raises(IntegrityError):
        recorder.insert_events(
            [stored(uuid4(), 1, market_opened()), stored(stream_id, 1, market_opened())]
        )
    assert list(recorder.insert_events([stored(stream_id, 2, MarketClosed())]) or []) == [2]


def test_a_streams_events_are_selected_in_order(recorder: LedgerRecorder) -> None:
    stream_id = uuid4()
    events = [market_opened(), MarketSuspended(), MarketResumed(), MarketClosed()]
    recorder.insert_events([stored(stream_id, n, e) for n, e in enumerate(events, 1)])
    recorder.insert_events([stored(uuid4(), 1, market_opened())])

    def versions(**options: object) -> list[int]:
        found = recorder.select_events(stream_id, **options)
        return [each.originator_version for each in found]

    assert versions() == [1, 2, 3, 4]
    assert versions(gt=1, lte=3) == [2, 3]
    assert versions(desc=True, limit=1) == [4]
    topics = [each.topic for each in recorder.select_events(stream_id)]
    assert topics == [event.topic for event in events]


def test_notifications_are_selected_by_position_and_topic(recorder: LedgerRecorder) -> None:
    for number in range(5):
        stream_id = uuid4()
        recorder.insert_events([stored(stream_id, 1, market_opened())])
        if number % 2:
            recorder.insert_events([stored(stream_id, 2, MarketClosed())])
    assert [n.id for n in recorder.select_notifications(3, 2)] == [3, 4]
    assert [n.id for n in recorder.select_notifications(3, 9, inclusive_of_start=False)] == [
        4, 5, 6, 7,
    ]  # fmt: skip
    closed = recorder.select_notifications(1, 10, topics=["market.closed"])
    assert [n.id for n in closed] == [3, 6]


def test_many_who_insert_at_once_leave_no_gap_and_share_no_position(
    database_url: str, recorder: LedgerRecorder
) -> None:
    def insert(_: int) -> list[int]:
        stream_id = uuid4()
        events = [stored(stream_id, 1, market_opened()), stored(stream_id, 2, MarketClosed())]
        return list(recorder.insert_events(events) or [])

    with ThreadPoolExecutor(4) as pool:
        positions = list(pool.map(insert, range(60)))
    assert sorted(chain.from_iterable(positions)) == list(range(1, 121))
    assert all(second == first + 1 for first, second in positions)
    assert len(read_log(database_url).events) == 120


def test_a_subscription_gives_what_there_is_and_what_comes(recorder: LedgerRecorder) -> None:
    recorder.insert_events([stored(uuid4(), 1, market_opened()) for _ in range(3)])
    received: list[int] = []
    all_there = threading.Event()

    with recorder.subscribe(gt=1) as subscription:

        def follow() -> None:
            for notification in subscription:
                received.append(notification.id)
                if len(received) == 22:
                    all_there.set()
                    return

        reader = threading.Thread(target=follow)
        reader.start()
        for _ in range(20):
            recorder.insert_events([stored(uuid4(), 1, market_opened())])
        assert all_there.wait(10)
        reader.join(5)
    assert received == list(range(2, 24))


@pytest.mark.anyio
async def test_a_subscription_hears_of_what_the_ledger_commits(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        recorder = desk.ledger.recorder
        with recorder.subscribe(gt=0) as subscription:
            account_id = await desk.account()
            await desk.deposit(account_id, 5)
            topics = [next(subscription).topic for _ in range(2)]
    assert topics == ["account.opened", "account.funds_deposited"]


@pytest.mark.anyio
async def test_the_ledger_takes_in_what_was_inserted_the_librarys_way(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account(100)
        recorder = desk.ledger.recorder
        positions = recorder.insert_events([stored(account_id, 3, deposited(11))])
        assert list(positions or []) == [3]
        assert (await desk.deposit(account_id, 1))["available_minor"] == 112
    assert read_log(database_url).account(account_id).version == 4


@pytest.mark.anyio
async def test_the_librarys_notification_log_reads_the_ledger(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account(100)
        notifications = desk.ledger.notification_log.select(start=1, limit=10)
        events = [desk.ledger.mapper.to_domain_event(each) for each in notifications]
    found = [(e.position, e.stream_id, e.version) for e in events if isinstance(e, Recorded)]
    assert found == [(1, account_id, 1), (2, account_id, 2)]


def test_the_mapper_of_the_application_is_the_codec(ledger: Ledger) -> None:
    event, mapper = recorded(1, uuid4(), 1, market_opened()), _any(ledger.mapper)
    ledger.recorder.insert_events([mapper.to_stored_event(event)])
    (notification,) = ledger.recorder.select_notifications(1, 1)
    assert mapper.to_domain_event(notification) == event


def _any(value: Any) -> Any:
    """The library's types know only its own events."""
    return value


def test_several_processes_may_create_the_tables_at_once(database_url: str) -> None:
    def create(_: int) -> None:
        factory = opened_factory(database_url)
        factory.application_recorder()
        factory.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(16)))
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
    assert {"ledger_commands", "ledger_events", "ledger_snapshots"} <= {row[0] for row in rows}


@pytest.mark.anyio
async def test_the_writers_lock_holds_up_the_librarys_insert(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, recorder = await desk.account(), desk.ledger.recorder
        assert isinstance(recorder, LedgerRecorder)
        with ThreadPoolExecutor(1) as pool:
            async with recorder.locked() as session:
                waiting = pool.submit(recorder.insert_events, [stored(account_id, 2, deposited(1))])
                assert await session.head() == 1
                assert not waiting.done()
            assert list(waiting.result(10) or []) == [2]
        command = Deposit(amount_minor=1, method="card")
        await desk.ask(command, ALICE, target=account_id)
    assert read_log(database_url).account(account_id).available_minor == 2
