"""Tables that an older version made: the worker that finds them rebuilds those models while it goes on with the rest."""

import asyncio
import contextlib

import pytest

from adapters.postgres import renewal as renewing
from adapters.postgres.build import Build
from adapters.postgres.reader import Reader
from adapters.postgres.renewal import Renewal
from adapters.postgres.schema import connect, outdated
from adapters.postgres.snapshot_projection import PROJECTIONS
from application.log import LogUnavailable
from fairbook.cli import main
from read_models import journal
from tests.adapters.postgres.copies import a_copy_for_each_test
from tests.adapters.postgres.test_projector import (
    a_worker,
    all_at,
    eventually,
    same_as_a_clean_rebuild,
    some_business,
)
from tests.read_models.business import append_raw, follow, head, positions

OLD_JOURNAL = "ALTER TABLE journal DROP COLUMN method CASCADE"
"""As if a version without this column had made the table."""


def fill(database_url: str) -> None:
    some_business(database_url)
    follow(database_url)
    with connect(database_url) as connection:
        connection.execute(OLD_JOURNAL)
        connection.execute("UPDATE read_model_shapes SET shape = 'old' WHERE model = 'journal'")
    some_business(database_url, steps=5, seed=2)


copy, database_url = a_copy_for_each_test(fill)
"""A database whose journal an older version made, with news that no model shows yet."""


def old_models(database_url: str) -> list[str]:
    with connect(database_url) as connection:
        return [each.name for each in outdated(connection, PROJECTIONS.values())]


def test_a_worker_rebuilds_what_an_older_version_made(database_url: str) -> None:
    assert old_models(database_url) == ["journal"]
    with a_worker(database_url):
        eventually(lambda: all_at(database_url, head(database_url)))
        assert old_models(database_url) == []
        some_business(database_url, steps=5, seed=3)
        eventually(lambda: all_at(database_url, head(database_url)))
    assert same_as_a_clean_rebuild(database_url)


def test_a_folder_from_before_shapes_were_noted_is_rebuilt(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("DROP TABLE read_model_shapes")
    with a_worker(database_url):
        eventually(lambda: all_at(database_url, head(database_url)))
    assert old_models(database_url) == []


def test_the_other_models_go_on_until_it_can_be_rebuilt(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "RETRY_SECONDS", 0.1)
    before = positions(database_url)["journal"]
    others = PROJECTIONS.keys() - {"journal"}
    with contextlib.ExitStack() as somebody_else:
        somebody_else.enter_context(Build(database_url, [PROJECTIONS["journal"]], "rebuild"))
        with a_worker(database_url):
            eventually(lambda: all_at(database_url, head(database_url), *others))
            assert positions(database_url)["journal"] == before
            somebody_else.close()
            eventually(lambda: all_at(database_url, head(database_url)))
    assert old_models(database_url) == []


def test_a_rebuild_that_fails_says_so_and_leaves_the_rest(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    append_raw(database_url, "an account", "account.opened", b"\x00\xff")
    with a_worker(database_url):
        eventually(lambda: all_at(database_url, head(database_url), "markets", "prices"))
        eventually(lambda: "fairbook rebuild journal" in caplog.text)
    assert old_models(database_url) == ["journal"]


def test_a_rebuild_ends_with_its_worker(database_url: str) -> None:
    with Renewal(database_url) as renewal:
        renewal.order([PROJECTIONS["journal"]])
    assert old_models(database_url) == ["journal"]


def test_readers_are_told_that_a_model_is_being_rebuilt(database_url: str) -> None:
    async def read() -> None:
        reader = Reader(database_url)
        await reader.open()
        try:
            await journal.entries(reader)
        finally:
            await reader.close()

    with pytest.raises(LogUnavailable, match="rebuilt"):
        asyncio.run(read())


def test_replay_says_which_command_brings_the_tables_up_to_date(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert main(["replay"]) == 1
    assert "fairbook rebuild journal" in capsys.readouterr().err
