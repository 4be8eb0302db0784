"""`fairbook handle` as an operator calls it."""

import asyncio
import contextlib
import itertools
import logging
import signal
import time

import pytest

from adapters.nats.streams import DEAD, LEDGER, ODDS, SIGNALS
from application.log import LogUnavailable
from fairbook.cli import main
from fairbook.handle import HANDLERS, RESTART_SECONDS, keep_running
from fairbook.settings import Settings
from tests.adapters.nats.server import NatsServer, streams
from tests.application.desk import a_desk
from tests.fairbook.handlers import (
    a_handle_process,
    check_every_event_is_there_once_and_in_order,
    environment,
    published_up_to,
)
from tests.service import free_port

SETTINGS = Settings.from_environment({})


def test_an_unknown_handler_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["handle", "inbox"]) == 2
    said = capsys.readouterr().err
    assert "no handler inbox" in said
    assert all(name in said for name in HANDLERS)


def test_without_a_server_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/fairbook")
    monkeypatch.setenv("FAIRBOOK_HOME", str(tmp_path))
    monkeypatch.delenv("NATS_URL", raising=False)
    assert main(["handle"]) == 2
    assert "NATS_URL is not set" in capsys.readouterr().err


@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_all_handlers_run_and_stop_cleanly_on_a_signal(
    database_url: str, nats_url: str, number: signal.Signals
) -> None:
    async with a_desk(database_url) as desk:
        account = await desk.account()
        with a_handle_process(**environment(database_url, nats_url)) as process:
            await published_up_to(nats_url, 1)
            await desk.deposit(account, 5)
            await published_up_to(nats_url, 2)
            status, said = await asyncio.to_thread(process.stop, number)
    assert status == 0
    assert "Traceback" not in said
    async with streams(nats_url) as jetstream:
        for stream in (ODDS, SIGNALS, LEDGER, DEAD):
            await jetstream.stream_info(stream)


@pytest.mark.anyio
async def test_with_every_server_away_it_waits_for_them_and_says_so_without_a_traceback(
    database_url: str, nats_server: NatsServer
) -> None:
    async with a_desk(database_url) as desk:
        await desk.account()
    nats_server.kill()
    variables = environment(database_url, nats_server.url)
    nowhere = environment(
        "postgresql://u:p@127.0.0.1:1/fairbook", f"nats://127.0.0.1:{free_port()}"
    )
    with a_handle_process("outbox", **variables) as process:
        with a_handle_process("outbox", **nowhere) as lost:
            first = await asyncio.to_thread(lost.said_next)
            status, said = await asyncio.to_thread(lost.stop)
        assert status == 0
        assert "handler outbox waits for a server" in first
        assert "Traceback" not in first + said
        assert "u:p@" not in first + said
        nats_server.start_again()
        await check_every_event_is_there_once_and_in_order(database_url, nats_server.url)
        assert process.is_running


@pytest.mark.anyio
async def test_a_handler_that_fails_is_begun_again_later_each_time_and_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began: list[float] = []
    turns, fourth = 0, asyncio.Event()

    async def failing(_: Settings) -> None:
        began.append(time.monotonic())
        match len(began):
            case 1:
                raise LogUnavailable("the database is away")
            case 2:
                raise ZeroDivisionError("a bug")
            case 3:
                return
        fourth.set()
        await asyncio.sleep(60)

    async def steady(_: Settings) -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    tasks = [
        asyncio.create_task(keep_running(name, handler, SETTINGS))
        for name, handler in (("failing", failing), ("steady", steady))
    ]
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(20):
            await fourth.wait()
            before = turns
            while turns == before:  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    pauses = [later - earlier for earlier, later in itertools.pairwise(began)]
    # However late a slow machine comes to it, no pause is shorter than twice the one before.
    least = [RESTART_SECONDS[0] * 2**turn * 0.99 for turn in range(3)]
    assert all(pause >= wanted for pause, wanted in zip(pauses, least, strict=True))
    first, second, third = caplog.records
    assert (first.levelname, first.exc_info) == ("WARNING", None)
    assert "the database is away" in first.message
    assert second.exc_info is not None
    assert "ended by itself" in third.message
