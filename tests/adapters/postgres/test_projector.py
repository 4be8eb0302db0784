"""The projection worker on a real server: exactly once, whatever dies, and one bad event stops one model."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.postgres import tracking
from adapters.postgres.projector import Projector
from adapters.postgres.rebuild import rebuild
from adapters.postgres.schema import connect, create_live
from adapters.postgres.snapshot_projection import PROJECTIONS
from adapters.postgres.stop import Stop
from adapters.postgres.tracking import Moved
from domain.commands.bet import PlaceBets
from domain.events.bet import BetPlaced, Leg
from tests.adapters.postgres.copies import a_copy_for_each_test
from tests.application.desk import a_desk, read_log
from tests.builders import ALICE, bet_placed, leg, market_opened, place_bet
from tests.read_models.business import (
    append,
    append_raw,
    digests,
    faults,
    follow,
    follow_with,
    head,
    positions,
    run_business,
)
from tests.service import CHECKOUT

PATIENCE_SECONDS = 30.0


def fill(database_url: str) -> None:
    create_live(database_url, PROJECTIONS.values())


copy, database_url = a_copy_for_each_test(fill)
"""A database in which the read models are begun."""


@contextlib.contextmanager
def a_worker(database_url: str, *names: str, retry_seconds: float | None = None) -> Iterator[None]:
    """A worker in a thread."""
    stop = Stop()
    projector = Projector(database_url, [PROJECTIONS[name] for name in names or PROJECTIONS])
    if retry_seconds is not None:
        for model in projector._models:
            model.retry_seconds = retry_seconds
    thread = threading.Thread(target=projector.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
        stop.close()
    assert not thread.is_alive()


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.05)


def all_at(database_url: str, position: int, *names: str) -> bool:
    found = positions(database_url)
    return all(found.get(name) == position for name in names or PROJECTIONS)


def some_business(database_url: str, steps: int = 30, seed: int = 1) -> None:
    async def run() -> None:
        async with a_desk(database_url) as desk:
            await run_business(desk, seed, steps)

    asyncio.run(run())


def same_as_a_clean_rebuild(database_url: str) -> bool:
    before = digests(database_url)
    rebuild(database_url, list(PROJECTIONS.values()), lambda *_: None)
    return before == digests(database_url)


def test_a_worker_follows_the_log(database_url: str) -> None:
    with a_worker(database_url):
        some_business(database_url)
        eventually(lambda: all_at(database_url, head(database_url)))
    assert same_as_a_clean_rebuild(database_url)
    assert faults(database_url) == {}


def shows(connection: psycopg.Connection[tuple[Any, ...]], position: int) -> bool:
    return tracking.positions(connection)["balances"] >= position


def test_a_worker_is_told_of_an_event_and_need_not_look_for_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By itself it would look after an hour.
    monkeypatch.setattr("adapters.postgres.projector.POLL_SECONDS", 3_600.0)

    async def run() -> None:
        async with a_desk(database_url) as desk:
            account_id = await desk.account(1)
            with psycopg.connect(database_url, autocommit=True) as connection:
                for _ in range(5):
                    await asyncio.sleep(0.1)
                    position = (await desk.deposit(account_id, 1))["position"]
                    eventually(partial(shows, connection, position))

    with a_worker(database_url):
        asyncio.run(run())


def test_two_workers_share_the_work_and_do_it_once(database_url: str) -> None:
    with a_worker(database_url), a_worker(database_url), a_worker(database_url, "bets", "prices"):
        some_business(database_url)
        eventually(lambda: all_at(database_url, head(database_url)))
    assert same_as_a_clean_rebuild(database_url)


def test_a_worker_takes_over_from_one_that_left(database_url: str) -> None:
    some_business(database_url, steps=5)
    with a_worker(database_url):
        eventually(lambda: all_at(database_url, head(database_url)))
        with contextlib.ExitStack() as stack:
            stack.enter_context(a_worker(database_url))
    some_business(database_url, steps=5, seed=2)
    with a_worker(database_url):
        eventually(lambda: all_at(database_url, head(database_url)))


def test_a_stale_worker_applies_nothing_twice(database_url: str) -> None:
    some_business(database_url)
    projections = list(PROJECTIONS.values())
    with Projector(database_url, projections).session() as stale:
        stale.take_over()
        # Its locks are lost, and it does not know.
        stale._writer.execute("SELECT pg_advisory_unlock_all()")
        follow(database_url)
        follow_with(stale)
        assert {model.position for model in stale._mine} == {head(database_url)}
    assert same_as_a_clean_rebuild(database_url)


def test_a_model_moves_only_from_where_it_is(database_url: str) -> None:
    with connect(database_url) as connection:
        tracking.advance(connection, ["bets", "journal"], 0, 7)
        for models in (["bets"], ["bets", "prices"]):
            with pytest.raises(Moved), connection.transaction():
                tracking.advance(connection, models, 0, 9)
        assert tracking.positions(connection)["bets"] == 7
        assert tracking.positions(connection)["prices"] == 0


def test_a_bad_event_stops_one_model_right_before_it(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    some_business(database_url)
    # Nobody but the daily totals asks for the market of a bet, and this one does not exist.
    bad = append(database_url, "poisoned bet", bet_placed())
    some_business(database_url, seed=2)
    follow(database_url)
    end = head(database_url)
    assert positions(database_url) | {"betting_totals": end} == dict.fromkeys(PROJECTIONS, end)
    assert positions(database_url)["betting_totals"] == bad - 1
    assert faults(database_url) == {"betting_totals": bad}
    assert "projection stopped" in caplog.text


def test_a_stopped_model_goes_on_once_it_can(database_url: str) -> None:
    some_business(database_url)
    append(database_url, "poisoned bet", bet_placed())
    some_business(database_url, seed=2)
    with a_worker(database_url):
        eventually(lambda: "betting_totals" in faults(database_url))
        eventually(lambda: all_at(database_url, head(database_url), "bets", "balances"))
        # As if a program were started that can take the event: here, the market turns up.
        with psycopg.connect(database_url, autocommit=True) as connection:
            placed = bet_placed().legs[0].market_id
            _add_market(connection, database_url, placed)
        eventually(lambda: all_at(database_url, head(database_url)))
        eventually(lambda: faults(database_url) == {})


def _add_market(
    connection: psycopg.Connection[tuple[object, ...]], database_url: str, market_id: UUID
) -> None:
    append(database_url, "a market", market_opened())
    connection.execute(
        "UPDATE ledger_events SET originator_id = %s"
        " WHERE notification_id = (SELECT max(notification_id) FROM ledger_events)",
        (market_id,),
    )


def test_a_stopped_model_that_is_rebuilt_goes_on_at_once(database_url: str) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        a_worker(database_url, retry_seconds=3_600),
    ):
        connection.execute("DROP TABLE read_models.statement")
        some_business(database_url, steps=5)
        eventually(
            lambda: (
                connection.execute("SELECT model FROM projection_faults").fetchall()
                == [("statement",)]
            )
        )
        rebuild(database_url, [PROJECTIONS["statement"]], lambda *_: None)
        some_business(database_url, steps=5, seed=2)
        eventually(lambda: all_at(database_url, head(database_url)))
        eventually(lambda: not connection.execute("SELECT FROM projection_faults").fetchall())
    assert same_as_a_clean_rebuild(database_url)


def test_an_unknown_topic_stops_those_whom_it_may_concern(database_url: str) -> None:
    some_business(database_url)
    unknown = append_raw(database_url, "a bet", "bet.teleported")
    some_business(database_url, seed=2)
    follow(database_url)
    stopped = {"bets", "markets", "exposure", "betting_totals", "performance"}
    assert set(faults(database_url)) == stopped
    assert all_at(database_url, unknown - 1, *stopped)
    assert all_at(database_url, head(database_url), *(PROJECTIONS.keys() - stopped))


def test_an_unreadable_event_is_a_fault_and_no_crash(database_url: str) -> None:
    some_business(database_url, steps=3)
    broken = append_raw(database_url, "an account", "account.opened", b"\x00\xff")
    some_business(database_url, steps=3, seed=2)
    follow(database_url)
    stopped = {"balances", "statement", "journal", "snapshots", "bets"}
    assert faults(database_url) == dict.fromkeys(stopped, broken)
    assert all_at(database_url, head(database_url), "markets", "exposure", "prices")


def test_what_an_account_says_later_does_not_stop_the_bets(database_url: str) -> None:
    some_business(database_url, steps=3)
    unknown = append_raw(database_url, "an account", "account.renamed")
    follow(database_url)
    stopped = {"balances", "statement", "journal", "snapshots"}
    assert faults(database_url) == dict.fromkeys(stopped, unknown)


def test_bets_with_many_legs_are_not_lost_on_any_model(database_url: str) -> None:
    some_business(database_url, steps=3)
    log = read_log(database_url)
    market_ids = [r.stream_id for r in log.events if r.event.topic == "market.opened"][:2]
    legs = tuple(leg("2", market_id=market_id) for market_id in market_ids)
    append(database_url, "a double", _double(legs))
    follow(database_url)
    assert faults(database_url) == {}
    with connect(database_url) as connection:
        rows = connection.execute("SELECT market_id FROM bets_further_legs").fetchall()
        assert {row[0] for row in rows} == set(market_ids[1:])
    assert same_as_a_clean_rebuild(database_url)


def _double(legs: tuple[Leg, ...]) -> BetPlaced:
    return BetPlaced(
        account_id=UUID(int=1),
        owner="alice",
        kind="accumulator",
        side="back",
        legs=legs,
        stake_minor=10,
        total_stake_minor=10,
        potential_return_minor=40,
        currency="EUR",
    )


def test_a_worker_comes_back_with_its_connections(database_url: str) -> None:
    with a_worker(database_url):
        for seed in range(3):
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'fairbook projections'"
                    " AND datname = current_database()"
                )
            some_business(database_url, steps=5, seed=seed)
            eventually(lambda: all_at(database_url, head(database_url)))
    assert same_as_a_clean_rebuild(database_url)


def test_a_server_that_takes_no_writes_for_a_while_ends_no_worker(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "adapters.postgres.projector._WRITER_SETTINGS", "-c default_transaction_read_only=on"
    )
    with a_worker(database_url):
        some_business(database_url, steps=5)
        monkeypatch.undo()
        eventually(lambda: all_at(database_url, head(database_url)))
    assert same_as_a_clean_rebuild(database_url)


def test_killed_again_and_again_it_does_everything_once(database_url: str) -> None:

    async def place_bets(stop: threading.Event) -> None:
        async with a_desk(database_url) as desk:
            await run_business(desk, seed=4, steps=10)
            account_id, market_id = await desk.account(10**9), await desk.market()
            while not stop.is_set():
                bets = [place_bet(account_id, market_id, 10) for _ in range(5)]
                await desk.ask(PlaceBets(bets=bets), ALICE)
                await asyncio.sleep(0.02)

    stop = threading.Event()
    betting = threading.Thread(target=lambda: asyncio.run(place_bets(stop)))
    betting.start()
    worker = _start_worker(database_url)
    try:
        for _ in range(5):
            _wait_until_at_work(database_url)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            worker = _start_worker(database_url)
        _wait_until_at_work(database_url)
    finally:
        stop.set()
        betting.join()
        worker.terminate()
    assert worker.wait(PATIENCE_SECONDS) == 0
    follow(database_url)
    assert same_as_a_clean_rebuild(database_url)


def _wait_until_at_work(database_url: str) -> None:
    with connect(database_url) as connection:
        seen = tracking.positions(connection)["bets"]
        eventually(lambda: tracking.positions(connection)["bets"] > seen)


def _start_worker(database_url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fairbook", "project"],
        env={**os.environ, "DATABASE_URL": database_url},
        cwd=CHECKOUT,
        stderr=subprocess.DEVNULL,
    )
