"""A rebuild beside the live model: the same digest, no read error, and a crash that changes nothing."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from adapters.postgres import build as building
from adapters.postgres.build import Build, BuildFailed, BuildInProgress
from adapters.postgres.projector import Projector
from adapters.postgres.reader import Reader
from adapters.postgres.rebuild import SwapRefused, rebuild
from adapters.postgres.schema import connect, create_live
from adapters.postgres.snapshot_projection import PROJECTIONS
from adapters.postgres.stop import Stop
from domain.commands.bet import PlaceBets
from read_models import balances, bets, journal
from tests.adapters.postgres.copies import a_copy_for_each_test
from tests.application.desk import a_desk
from tests.builders import ALICE, account_opened, an_id, bet_placed, place_bet
from tests.read_models.business import (
    append,
    append_raw,
    digests,
    faults,
    follow,
    head,
    positions,
    run_business,
)
from tests.service import CHECKOUT

ALL = list(PROJECTIONS.values())


def nothing(*_: int) -> None:
    pass


def fill(database_url: str) -> None:
    async def run() -> None:
        async with a_desk(database_url) as desk:
            await run_business(desk, seed=7, steps=40)

    asyncio.run(run())
    follow(database_url)


copy, database_url = a_copy_for_each_test(fill)
"""A database with a small business in it, and read models that are up to it."""


def schemas(database_url: str) -> set[str]:
    with connect(database_url) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
    return {row[0] for row in rows if row[0].startswith(("rebuild", "retired", "replay"))}


def damage(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("UPDATE balances SET available_minor = available_minor + 1")
        connection.execute("DELETE FROM journal")


def test_a_rebuild_gives_the_same_and_leaves_nothing_behind(database_url: str) -> None:
    before = digests(database_url)
    seen: list[tuple[int, int]] = []
    position = rebuild(database_url, ALL, lambda *progress: seen.append(progress))
    assert position == head(database_url)
    assert seen[-1] == (position, position)
    assert digests(database_url) == before
    assert set(positions(database_url).values()) == {position}
    assert schemas(database_url) == set()


def test_a_rebuild_mends_what_is_wrong(database_url: str) -> None:
    before = digests(database_url)
    damage(database_url)
    assert digests(database_url) != before
    rebuild(database_url, [PROJECTIONS["balances"], PROJECTIONS["journal"]], nothing)
    assert digests(database_url) == before


def test_small_batches_and_models_that_were_never_begun(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(database_url)
    monkeypatch.setattr(building, "BATCH_EVENTS", 7)
    with connect(database_url) as connection:
        connection.execute("DROP SCHEMA read_models CASCADE")
        connection.execute("DELETE FROM read_model_tracking WHERE application_name <> 'snapshots'")
    rebuild(database_url, ALL, nothing)
    assert digests(database_url) == before


def test_a_model_gets_the_tables_and_columns_of_a_newer_version(database_url: str) -> None:
    before = digests(database_url)
    with connect(database_url) as connection:
        connection.execute("DROP TABLE closing_prices, closing_lines, closings")
        connection.execute("ALTER TABLE quotes DROP COLUMN side")
    rebuild(database_url, [PROJECTIONS["prices"]], nothing)
    assert digests(database_url) == before


def test_the_tables_have_their_indexes_again(database_url: str) -> None:
    def indexes() -> set[str]:
        with connect(database_url) as connection:
            rows = connection.execute(
                "SELECT schemaname || '.' || indexdef FROM pg_indexes"
                " WHERE schemaname IN ('read_models', 'public')"
            ).fetchall()
        return {row[0].replace("INDEX ", "").split(" ON ")[1] for row in rows}

    before = indexes()
    rebuild(database_url, ALL, nothing)
    assert indexes() == before


def test_readers_and_a_writer_notice_nothing(database_url: str) -> None:
    """Readers hammer and bets are placed while everything is rebuilt, again and again."""

    async def read(stop: asyncio.Event) -> int:
        reader = Reader(database_url)
        await reader.open()
        reads = 0
        while not stop.is_set():
            page = await balances.page(reader)
            assert len(page.items) >= 3
            assert len((await bets.page(reader, limit=10)).items) == 10
            assert set((await journal.trial_balance(reader)).check_minor.values()) == {0}
            reads += 1
            await asyncio.sleep(0.01)
        await reader.close()
        return reads

    async def write(stop: asyncio.Event) -> None:
        async with a_desk(database_url) as desk:
            account_id, market_id = await desk.account(10**6), await desk.market()
            while not stop.is_set():
                orders = [place_bet(account_id, market_id, 1) for _ in range(5)]
                await desk.ask(PlaceBets(bets=orders), ALICE)
                await asyncio.sleep(0.01)

    async def run() -> int:
        stop = asyncio.Event()
        readers = [asyncio.create_task(read(stop)) for _ in range(2)]
        writing = asyncio.create_task(write(stop))
        for _ in range(2):
            await asyncio.to_thread(rebuild, database_url, ALL, nothing)
        stop.set()
        await writing
        return sum(await asyncio.gather(*readers))

    with a_worker(database_url):
        assert asyncio.run(run()) > 0
    follow(database_url)
    after = digests(database_url)
    rebuild(database_url, ALL, nothing)
    assert digests(database_url) == after
    assert faults(database_url) == {}


@contextlib.contextmanager
def a_worker(database_url: str) -> Iterator[None]:
    stop = Stop()
    thread = threading.Thread(target=Projector(database_url, ALL).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        stop.close()


def test_a_long_read_holds_up_the_swap_and_nobody_else(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.postgres.rebuild.SWAP_PATIENCE_SECONDS", 1.0)
    before = digests(database_url)
    with connect(database_url) as reading, connect(database_url) as other:
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM balances").fetchall()
        outcome: list[Exception] = []

        def swap() -> None:
            try:
                rebuild(database_url, [PROJECTIONS["balances"]], nothing)
            except SwapRefused as error:
                outcome.append(error)

        swapping = threading.Thread(target=swap)
        swapping.start()
        other.execute("SET statement_timeout = '20s'")
        while swapping.is_alive():
            other.execute("SELECT count(*) FROM balances").fetchall()
            time.sleep(0.01)
        swapping.join()
        reading.execute("COMMIT")
    assert len(outcome) == 1
    assert digests(database_url) == before
    assert schemas(database_url) == set()


BEGUN = "SELECT FROM pg_namespace WHERE nspname LIKE 'rebuild%'"
INDEXED = "SELECT FROM pg_indexes WHERE schemaname LIKE 'rebuild%' AND indexname NOT LIKE '%pkey'"
SWAPPED = "SELECT WHERE to_regclass('read_models.bets')::oid <> %s"


@pytest.mark.parametrize("moment", [BEGUN, INDEXED, SWAPPED], ids=["begun", "indexed", "swapped"])
def test_a_crash_leaves_the_live_model_alone(database_url: str, moment: str) -> None:
    """Killed when it has made its schemas, when indexes come at the end, and between two swaps."""
    before = digests(database_url)
    with connect(database_url) as connection:
        live = connection.execute("SELECT to_regclass('read_models.bets')::oid").fetchall()[0]
    process = subprocess.Popen(
        [sys.executable, "-m", "fairbook", "rebuild", "all"],
        env={**os.environ, "DATABASE_URL": database_url},
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with connect(database_url) as connection:
        parameters = live if "%s" in moment else None
        while not connection.execute(moment.encode(), parameters).rowcount:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert digests(database_url) == before
    _wait_until_unlocked(database_url)
    rebuild(database_url, ALL, nothing)
    assert digests(database_url) == before
    assert schemas(database_url) == set()


def _wait_until_unlocked(database_url: str) -> None:
    """Wait until the server has noticed that the killed process is gone."""
    sql = """
        SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'fairbook projections' AND datname = current_database()
          AND pid <> pg_backend_pid()"""
    with connect(database_url) as connection:
        give_up = time.monotonic() + 20
        while connection.execute(sql).fetchall() != [(0,)]:
            assert time.monotonic() < give_up
            time.sleep(0.02)


def test_one_rebuild_of_a_model_at_a_time(database_url: str) -> None:
    with (
        Build(database_url, [PROJECTIONS["bets"]], "rebuild"),
        pytest.raises(BuildInProgress, match="bets"),
    ):
        rebuild(database_url, ALL, nothing)
    assert schemas(database_url) == set()


def test_a_bad_event_is_named_and_the_live_model_stays(database_url: str) -> None:
    before = digests(database_url)
    append(database_url, "poisoned bet", bet_placed())
    with pytest.raises(BuildFailed, match="betting_totals"):
        rebuild(database_url, ALL, nothing)
    assert digests(database_url) == before
    assert schemas(database_url) == set()
    rebuild(database_url, [PROJECTIONS["balances"]], nothing)
    assert positions(database_url)["balances"] == head(database_url)


def test_an_unknown_topic_fails_the_build_of_those_whom_it_may_concern(database_url: str) -> None:
    append_raw(database_url, "a bet", "bet.teleported")
    with pytest.raises(BuildFailed, match=r"bet\.teleported"):
        rebuild(database_url, [PROJECTIONS["bets"]], nothing)
    rebuild(database_url, [PROJECTIONS["balances"]], nothing)


def test_what_comes_after_an_unknown_topic_is_read_as_well(database_url: str) -> None:
    append_raw(database_url, "a bet", "bet.teleported")
    append(database_url, "an account", account_opened())
    last = append(database_url, "another account", account_opened())
    rebuild(database_url, [PROJECTIONS["balances"]], nothing)
    assert positions(database_url)["balances"] == last
    with closing(connect(database_url)) as connection:
        sql = "SELECT count(*) FROM balances WHERE account_id = ANY(%s)"
        found = connection.execute(sql, ([an_id("an account"), an_id("another account")],))
        assert found.fetchone() == (2,)


def test_an_empty_log(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE ledger_events, ledger_snapshots")
        connection.execute("DROP SCHEMA read_models CASCADE")
        connection.execute("DROP TABLE read_model_tracking")
    create_live(database_url, ALL)
    assert rebuild(database_url, ALL, nothing) == 0
