"""The writer's side of the log, call by call."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.codec import encode_event
from adapters.postgres.recorder import LedgerRecorder
from adapters.postgres.settings import ledger_environment
from adapters.postgres.snapshots import encode_snapshot, shape_of
from application.ledger import Ledger
from application.log import (
    Batch,
    Behind,
    CommandRecord,
    KeyTaken,
    LogUnavailable,
    StreamConflict,
)
from domain.account import Account
from domain.events.event import Event
from tests.application.desk import kill_writers, row_counts, standing_still
from tests.builders import (
    ACCOUNT,
    MARKET,
    NOW,
    account_opened,
    an_id,
    deposited,
    given_account,
    market_opened,
)

pytestmark = pytest.mark.anyio
COMMAND = an_id("command")
RECORD = CommandRecord("@alice", "k", b"digest", refused=False, answer=b"{}")


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[LedgerRecorder]:
    ledger = Ledger(ledger_environment(database_url))
    recorder = ledger.recorder
    assert isinstance(recorder, LedgerRecorder)
    await recorder.connect()
    yield recorder
    await recorder.disconnect()
    ledger.close()


def batch(
    expected: int,
    *rows: tuple[UUID, int, Event],
    records: list[CommandRecord] | None = None,
    unknown: list[tuple[str, str]] | None = None,
) -> Batch:
    return Batch(
        expected,
        [stream_id for stream_id, _, _ in rows],
        [version for _, version, _ in rows],
        [event.topic for _, _, event in rows],
        [encode_event(event, NOW, "alice", COMMAND, None) for _, _, event in rows],
        records or [],
        unknown or [],
    )


async def test_an_append_gives_the_new_head(log: LedgerRecorder) -> None:
    assert await log.head() == 0
    assert await log.append(batch(0, (ACCOUNT, 1, account_opened()))) == 1
    assert await log.append(batch(1, (ACCOUNT, 2, deposited(5)), (MARKET, 1, market_opened()))) == 3
    assert await log.head() == 3
    tail = await log.tail(1, 10)
    assert [(each.position, each.stream_id, each.version) for each in tail] == [
        (2, ACCOUNT, 2),
        (3, MARKET, 1),
    ]
    assert [each.position for each in await log.tail(0, 2)] == [1, 2]


async def test_records_without_events_are_kept_too(log: LedgerRecorder) -> None:
    assert await log.append(batch(0, records=[RECORD])) == 0
    assert await log.records([("@alice", "k"), ("@bob", "k")]) == {("@alice", "k"): RECORD}
    assert await log.records([]) == {}


@pytest.mark.parametrize("expected", [0, 2, 99])
async def test_an_append_that_expects_another_head_writes_nothing(
    log: LedgerRecorder, database_url: str, expected: int
) -> None:
    await log.append(batch(0, (ACCOUNT, 1, account_opened())))
    before = row_counts(database_url)
    with pytest.raises(Behind):
        await log.append(batch(expected, (ACCOUNT, 2, deposited(5)), records=[RECORD]))
    with pytest.raises(Behind):
        await log.append(batch(expected))
    assert row_counts(database_url) == before


async def test_a_known_key_writes_nothing(log: LedgerRecorder, database_url: str) -> None:
    await log.append(batch(0, (ACCOUNT, 1, account_opened()), records=[RECORD]))
    before = row_counts(database_url)
    other = CommandRecord("@alice", "other", b"digest", refused=True, answer=b"{}")
    for records, unknown in (([other, RECORD], []), ([other], [("@alice", "k")])):
        with pytest.raises(KeyTaken):
            await log.append(batch(1, (ACCOUNT, 2, deposited(5)), records=records, unknown=unknown))
    assert row_counts(database_url) == before
    await log.append(batch(1, records=[other], unknown=[("@alice", "new"), ("#bet", "k")]))


async def test_an_existing_version_writes_nothing(log: LedgerRecorder, database_url: str) -> None:
    await log.append(batch(0, (ACCOUNT, 1, account_opened())))
    before = row_counts(database_url)
    with pytest.raises(StreamConflict):
        await log.append(
            batch(1, (MARKET, 1, market_opened()), (ACCOUNT, 1, account_opened()), records=[RECORD])
        )
    assert row_counts(database_url) == before


async def test_states_are_loaded_from_events_and_snapshots(
    log: LedgerRecorder, database_url: str
) -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    rows = [(each, 1, account_opened()) for each in (one, two)]
    more = [(each, version, deposited(7)) for version in (2, 3, 4) for each in (one, two)]
    await log.append(batch(0, *rows, *more, (MARKET, 1, market_opened())))
    from_events = await log.load({one, two, three, MARKET})
    assert set(from_events) == {one, two, MARKET}
    account = from_events[one]
    assert isinstance(account, Account)
    assert (account.version, account.available_minor) == (4, 21)

    snapshot = Account(two, 3, "alice", "EUR", 1_000_000)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO ledger_snapshots VALUES (%s, 3, %s, %s)",
            (two, shape_of(snapshot), encode_snapshot(snapshot)),
        )
    loaded = await log.load([two, one])
    after = loaded[two]
    assert isinstance(after, Account)
    assert (after.version, after.available_minor) == (4, 1_000_007), "event 4 comes on top"
    assert loaded[one] == account


async def test_a_snapshot_of_a_stream_without_later_events_is_its_state(
    log: LedgerRecorder, database_url: str
) -> None:
    state = given_account(funds_minor=5)
    await log.append(batch(0, (ACCOUNT, 1, account_opened()), (ACCOUNT, 2, deposited(5))))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO ledger_snapshots VALUES (%s, 2, %s, %s)",
            (ACCOUNT, shape_of(state), encode_snapshot(state)),
        )
    assert await log.load([ACCOUNT]) == {ACCOUNT: state}


async def test_many_streams_load_in_one_go(log: LedgerRecorder) -> None:
    streams = [uuid4() for _ in range(2_000)]
    await log.append(batch(0, *((each, 1, account_opened()) for each in streams)))
    loaded = await log.load(streams)
    assert loaded.keys() == set(streams)
    assert {each.version for each in loaded.values()} == {1}


async def test_what_is_appended_under_the_lock_is_dropped_with_it(
    log: LedgerRecorder, database_url: str
) -> None:
    async def change_ones_mind() -> None:
        async with log.locked() as session:
            await session.append(batch(0, (ACCOUNT, 1, account_opened()), records=[RECORD]))
            assert await session.head() == 1
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        await change_ones_mind()
    assert row_counts(database_url) == {
        "ledger_events": 0,
        "ledger_commands": 0,
        "ledger_snapshots": 0,
    }
    async with log.locked() as session:
        await session.append(batch(0, (ACCOUNT, 1, account_opened())))
    assert await log.head() == 1


@pytest.mark.parametrize("call", ["append", "load", "tail", "head", "records", "locked"])
async def test_a_lost_connection_is_unavailable_until_it_is_connected_again(
    log: LedgerRecorder, database_url: str, call: str
) -> None:
    async def locked() -> None:
        async with log.locked():
            pass

    calls: dict[str, Any] = {
        "append": lambda: log.append(batch(0, (ACCOUNT, 1, account_opened()))),
        "load": lambda: log.load([ACCOUNT]),
        "tail": lambda: log.tail(0, 10),
        "head": log.head,
        "records": lambda: log.records([("@alice", "k")]),
        "locked": locked,
    }
    assert kill_writers(database_url) == 1
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            await calls[call]()
    await log.connect()
    await log.connect()
    await calls[call]()


async def test_a_connection_lost_under_the_lock_leaves_nothing(
    log: LedgerRecorder, database_url: str
) -> None:
    async def lose_the_connection() -> None:
        async with log.locked() as session:
            await session.append(batch(0, (ACCOUNT, 1, account_opened())))
            kill_writers(database_url)

    with pytest.raises(LogUnavailable):
        await lose_the_connection()
    await log.connect()
    assert await log.head() == 0


@pytest.mark.parametrize("call", ["head", "locked"])
async def test_a_server_that_stands_still_is_as_good_as_lost(
    log: LedgerRecorder, database_url: str, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    async def locked() -> None:
        async with log.locked():
            pass

    monkeypatch.setattr("adapters.postgres.log._HELD_SECONDS", 0.3)
    with standing_still(database_url, "fairbook writer"):
        with pytest.raises(LogUnavailable, match="has not answered"):
            await asyncio.wait_for({"head": log.head, "locked": locked}[call](), 60)
        await log.connect()
        assert await log.head() == 0


async def test_a_process_that_stands_still_does_not_keep_the_lock(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "adapters.postgres.log._OPTIONS", "-c idle_in_transaction_session_timeout=200ms"
    )
    first, second = (Ledger(ledger_environment(database_url)) for _ in range(2))
    try:
        for each in (first, second):
            await each.recorder.connect()  # type: ignore[attr-defined]
        one, other = first.recorder, second.recorder
        assert isinstance(one, LedgerRecorder)
        assert isinstance(other, LedgerRecorder)

        async def keep_it() -> None:
            async with one.locked() as session:
                async with other.locked() as after:  # it gets it only when the first has lost it
                    await after.append(batch(0, (ACCOUNT, 1, account_opened())))
                await session.append(batch(0, (MARKET, 1, market_opened())))

        with pytest.raises(LogUnavailable):
            await asyncio.wait_for(keep_it(), 60)
        assert await other.head() == 1
    finally:
        for each in (first, second):
            await each.recorder.disconnect()  # type: ignore[attr-defined]
            each.close()


async def test_a_log_that_was_never_connected_says_so(database_url: str) -> None:
    ledger = Ledger(ledger_environment(database_url))
    recorder = ledger.recorder
    assert isinstance(recorder, LedgerRecorder)
    with pytest.raises(LogUnavailable):
        await recorder.head()
    ledger.close()
