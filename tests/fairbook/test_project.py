"""`fairbook project`, `rebuild` and `replay` as an operator calls them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from adapters.embedded import EmbeddedServers
from adapters.postgres.schema import connect
from adapters.postgres.snapshot_projection import PROJECTIONS
from fairbook.cli import main
from fairbook.replay import run_replay
from tests.adapters.postgres.copies import Copy, copies_of
from tests.application.desk import a_desk
from tests.builders import bet_placed
from tests.read_models.business import append, follow, head, positions, run_business
from tests.service import CHECKOUT


def fill(database_url: str) -> None:
    async def run() -> None:
        async with a_desk(database_url) as desk:
            await run_business(desk, seed=9, steps=20)

    asyncio.run(run())


def fill_and_follow(database_url: str) -> None:
    fill(database_url)
    follow(database_url)


@pytest.fixture(scope="module")
def copy(servers: EmbeddedServers) -> Iterator[Copy]:
    with copies_of(servers.urls.database, fill) as copy:
        yield copy


@pytest.fixture(scope="module")
def copy_of_followed(servers: EmbeddedServers) -> Iterator[Copy]:
    with copies_of(servers.urls.database, fill_and_follow) as copy:
        yield copy


@pytest.fixture
def database_url(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with a small business in it, named by the environment."""
    with copy() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield url


@pytest.fixture
def followed_url(copy_of_followed: Copy, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same, and the read models are up to it."""
    with copy_of_followed() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield url


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_stops_cleanly_on_a_signal(database_url: str, number: signal.Signals) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "fairbook", "project"],
        env={**os.environ, "DATABASE_URL": database_url},
        cwd=CHECKOUT,
        stderr=subprocess.PIPE,
    )
    end = head(database_url)
    give_up = time.monotonic() + 30
    while not _are_at(database_url, end):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    worker.send_signal(number)
    _, said = worker.communicate(timeout=20)
    assert worker.returncode == 0
    assert b"Traceback" not in said


def _are_at(database_url: str, position: int) -> bool:
    with connect(database_url) as connection:
        row = connection.execute("SELECT to_regclass('public.read_model_tracking')").fetchone()
    if row is None or row[0] is None:
        return False
    return positions(database_url) == dict.fromkeys(PROJECTIONS, position)


@pytest.mark.parametrize("command", ["project", "rebuild"])
def test_an_unknown_model_is_refused(
    database_url: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "balance"]) == 2
    said = capsys.readouterr().err
    assert "no read model balance" in said
    assert "balances" in said


def test_rebuild_says_what_it_did(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rebuild", "all"]) == 0
    said = capsys.readouterr().out
    assert f"{head(database_url)} events" in said
    assert all(name in said for name in PROJECTIONS)
    assert main(["rebuild", "bets", "prices", "bets"]) == 0


def test_rebuild_fails_at_a_bad_event(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    append(database_url, "poisoned bet", bet_placed())
    assert main(["rebuild", "all"]) == 1
    assert "betting_totals" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "status"), [(["rebuild", "bets"], 1), (["replay"], 2)])
def test_a_database_that_breaks_it_off_is_named_in_one_line(
    followed_url: str, command: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    name = followed_url.rpartition("/")[2]
    with connect(followed_url) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert main(command) == status, "of a replay 1 says that something differs"
    said = capsys.readouterr().err
    assert "read-only transaction; run it again" in said


def test_replay_finds_the_same(followed_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay"]) == 0
    said = capsys.readouterr().out
    assert said.count("same") == len(PROJECTIONS)
    assert "postings sum to zero at every position" in said


def test_replay_of_an_empty_log(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("TRUNCATE ledger_events")
    report = run_replay(database_url, lambda *_: None)
    assert report.same
    assert report.events == 0


@pytest.mark.parametrize(
    ("damage", "models", "accounts"),
    [
        ("UPDATE balances SET available_minor = available_minor + 1", {"balances"}, 3),
        ("UPDATE balances SET name = 'other'", {"balances"}, 0),
        ("DELETE FROM bets WHERE position = (SELECT max(position) FROM bets)", {"bets"}, 0),
        (
            "UPDATE journal SET external = external - 1, customer_available = customer_available + 1 WHERE external < 0",
            {"journal"},
            0,
        ),
        ("INSERT INTO ledger_snapshots VALUES (gen_random_uuid(), 1, '', '')", {"snapshots"}, 0),
    ],
)
def test_replay_finds_what_was_altered(
    followed_url: str, damage: str, models: set[str], accounts: int
) -> None:
    with connect(followed_url) as connection:
        connection.execute(damage.encode())
    report = run_replay(followed_url, lambda *_: None)
    assert {model.name for model in report.models if not model.same} == models
    assert len(report.wrong_accounts) == accounts
    assert not report.same


def test_replay_says_what_is_different(
    followed_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(followed_url) as connection:
        connection.execute("UPDATE balances SET available_minor = available_minor + 1")
    assert main(["replay"]) == 1
    said = capsys.readouterr().out
    assert said.count("DIFFERENT") == 1
    assert "balances" in next(line for line in said.splitlines() if "DIFFERENT" in line)


def test_replay_says_when_the_log_itself_is_broken(followed_url: str) -> None:
    end = head(followed_url)
    with connect(followed_url) as connection:
        connection.execute(
            "UPDATE ledger_events SET state = '\\x00' WHERE notification_id = %s", (end,)
        )
    report = run_replay(followed_url, lambda *_: None)
    assert report.failure is not None
    assert not report.same


def test_replay_compares_each_model_where_it_is(database_url: str) -> None:
    follow(database_url, ["bets", "balances"])
    report = run_replay(database_url, lambda *_: None)
    assert report.same
    assert {model.name for model in report.models if model.position} == {"bets", "balances"}
