"""`fairbook handle`: what reads and writes NATS beside the API, each handler a task of its own."""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import uvloop
from opentelemetry import metrics

from adapters.nats.connection import AWAY, cancelled, connected
from adapters.nats.fact_stream import LedgerStream
from adapters.nats.streams import ensure_streams
from adapters.postgres.bell import LedgerBell
from adapters.postgres.leadership import Leadership
from adapters.postgres.reader import Reader
from adapters.telemetry import set_up
from application.log import LogUnavailable
from application.outbox import Outbox, StreamUnavailable
from fairbook.modelling import handle_models
from fairbook.prices import handle_prices
from fairbook.scores import handle_scores
from fairbook.settings import Settings
from fairbook.value import handle_value

GC_THRESHOLDS: Final = (100_000, 50, 100)
"""A batch makes many objects that die with it, and no cycles to collect."""

RESTART_SECONDS: Final = (0.1, 10.0)
HEALTHY_SECONDS: Final = 10.0  # after so long a run, earlier restarts are forgiven
EXPECTED: Final = (LogUnavailable, StreamUnavailable, *AWAY)
"""A server is away: it is said in a line, without a traceback."""

_log = logging.getLogger("fairbook.handle")
_meter = metrics.get_meter("fairbook.handle")
_restarts = _meter.create_counter(
    "fairbook_handler_restarts", description="Times that a handler stopped and was begun again"
)
_running = _meter.create_up_down_counter(
    "fairbook_handlers_running", description="Handlers at work, or standing by for another process"
)

Handler = Callable[[Settings], Awaitable[None]]
"""Works until it is cancelled. What it raises is logged, and it is begun again after a pause."""


async def outbox(settings: Settings) -> None:
    """Publish every event of the ledger on NATS."""
    database_url = settings.require_database_url()
    async with contextlib.AsyncExitStack() as stack:
        nats = await stack.enter_async_context(connected(settings.require_nats_url(), "outbox"))
        await ensure_streams(nats.jetstream, settings.streams)
        facts = Reader(database_url, pool_size=1)
        stack.push_async_callback(facts.close)
        await facts.open()
        lead = Leadership(database_url, "outbox")
        stack.push_async_callback(lead.release)
        bell = await stack.enter_async_context(LedgerBell(database_url))
        stream = await stack.enter_async_context(LedgerStream(nats))
        await Outbox(facts, bell, stream, lead).run()


HANDLERS: Final[dict[str, Handler]] = {
    "outbox": outbox,
    "prices": handle_prices,
    "scores": handle_scores,
    "models": handle_models,
    "value": handle_value,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which handlers (default: all): {', '.join(HANDLERS)}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the handlers until a signal says stop."""
    if unknown := [name for name in arguments.names if name not in HANDLERS]:
        known = ", ".join(HANDLERS)
        print(f"no handler {', '.join(unknown)}; there are {known}", file=sys.stderr)
        return 2
    settings = Settings.from_environment()
    settings.require_database_url()
    settings.require_nats_url()
    set_up("fairbook-handle")
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    names = list(dict.fromkeys(arguments.names)) or list(HANDLERS)
    uvloop.run(_run_all(settings, names))
    return 0


async def _run_all(settings: Settings, names: Sequence[str]) -> None:
    tasks = [
        asyncio.create_task(keep_running(name, HANDLERS[name], settings), name=name)
        for name in names
    ]
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await asyncio.gather(*(cancelled(task) for task in tasks))


async def keep_running(name: str, handler: Handler, settings: Settings) -> None:
    """Run a handler until cancelled; when it stops by itself, begin it again, later each time."""
    pause = RESTART_SECONDS[0]
    while True:
        begun = time.monotonic()
        _running.add(1, {"handler": name})
        try:
            await handler(settings)
            _log.error("handler %s ended by itself", name)
        except EXPECTED as error:
            said = f"{type(error).__name__}: {error}"
            _log.warning("handler %s waits for a server: %s", name, said)
        except Exception:  # noqa: BLE001  whatever is wrong with one handler, the others go on
            _log.exception("handler %s failed and will be begun again", name)
        finally:
            _running.add(-1, {"handler": name})
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            return  # something failed on its way out, and that is what was raised
        _restarts.add(1, {"handler": name})
        if time.monotonic() - begun > HEALTHY_SECONDS:
            pause = RESTART_SECONDS[0]
        await asyncio.sleep(pause)
        pause = min(2 * pause, RESTART_SECONDS[1])
