"""The handlers, in this process or in one of their own, and what their stream must hold."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec

from adapters.embedded.processes import ProcessIdentity
from adapters.nats.connection import AWAY, cancelled, connected
from application.facts import fact_line
from fairbook.handle import keep_running, outbox
from fairbook.settings import Settings
from tests.adapters.nats.server import last_sequence, stored
from tests.application.desk import Desk, read_log
from tests.service import CHECKOUT

PATIENCE_SECONDS = 30


def environment(database_url: str, nats_url: str, **more: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "NATS_URL": nats_url,
        "FAIRBOOK_ODDS_MEGABYTES": "50",
        "FAIRBOOK_LEDGER_MEGABYTES": "200",
        **more,
    }


@contextlib.asynccontextmanager
async def an_outbox(
    database_url: str, nats_url: str, *, replicas: int = 1
) -> AsyncIterator[asyncio.Task[None]]:
    """The outbox as a task that is begun again when it stops."""
    variables = environment(database_url, nats_url, FAIRBOOK_NATS_REPLICAS=str(replicas))
    settings = Settings.from_environment(variables)
    task = asyncio.create_task(keep_running("outbox", outbox, settings))
    try:
        yield task
    finally:
        await cancelled(task)


class HandleProcess:
    """`fairbook handle` in a process of its own."""

    def __init__(self, *names: str, **variables: str) -> None:
        self._command = [sys.executable, "-m", "fairbook", "handle", *names]
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("FAIRBOOK_", "OTEL_"))
        }
        self._environment = {**inherited, **variables}
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, env=self._environment, cwd=CHECKOUT, stderr=subprocess.PIPE
        )

    @property
    def is_running(self) -> bool:
        identity = ProcessIdentity.of(self.process.pid)
        return identity is not None and identity.is_running()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def said_next(self) -> str:
        """Wait for its next line."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Ask it to stop; give its exit status and what it said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said.decode()


@contextlib.contextmanager
def a_handle_process(*names: str, **variables: str) -> Iterator[HandleProcess]:
    running = HandleProcess(*names, **variables)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.kill()
        elif running.process.stderr is not None and not running.process.stderr.closed:
            print(f"it ended by itself: {running.process.communicate()[1].decode()}")


@contextlib.asynccontextmanager
async def bets_under_way(desk: Desk) -> AsyncIterator[list[int]]:
    """Bets without pause while the block runs; the list holds the position of the last one."""
    account, market = await desk.account(10**9), await desk.market()
    last = [0]

    stopped = False

    async def bet() -> None:
        while not stopped:
            last[0] = max(last[0], (await desk.bet(account, market, 10))["position"])
            await asyncio.sleep(0.05)

    running = [asyncio.create_task(bet()) for _ in range(8)]
    try:
        yield last
    finally:
        stopped = True  # not cancelled: a bet that nobody waits for would still be placed, later
        await asyncio.gather(*running)


async def published_up_to(nats_url: str, position: int) -> None:
    """Wait until the stream has come so far."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(*AWAY):  # a server that was killed; another attempt finds out
                async with connected(nats_url, "test") as connection:
                    while await last_sequence(connection.jetstream, "LEDGER") < position:  # noqa: ASYNC110  the server tells nobody
                        await asyncio.sleep(0.03)
                    return
            await asyncio.sleep(0.1)


async def check_every_event_is_there_once_and_in_order(
    database_url: str, nats_url: str
) -> list[Any]:
    """Hold the stream against the log; give the lines."""
    log = read_log(database_url).events
    await published_up_to(nats_url, log[-1].position)
    async with connected(nats_url, "test") as connection:
        messages = await stored(connection.jetstream, "LEDGER")
    assert len(messages) == len(log)
    for recorded, message in zip(log, messages, strict=True):
        assert message.metadata.sequence.stream == recorded.position
        assert message.header is not None
        assert message.header["Nats-Msg-Id"] == str(recorded.position)
        assert message.subject == f"ledger.{recorded.event.topic}.{recorded.stream_id}"
        assert message.data == fact_line(recorded)
    return [msgspec.json.decode(message.data) for message in messages]
