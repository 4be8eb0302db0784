"""`fairbook api`: serve HTTP; the settlement process runs inside."""

import argparse
import contextlib
import functools
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import cast

import uvicorn
from opentelemetry import metrics
from opentelemetry.metrics import Observation

from adapters.dependencies import ValkeyLink
from adapters.linear_programme import HighsSolver
from adapters.nats.connection import NatsLink
from adapters.postgres.reader import Reader
from adapters.postgres.settings import ledger_environment
from adapters.telemetry import exports_traces, set_up
from adapters.valkey.board import ValkeyBoard
from api.app import create_app
from api.desk import Desk
from api.express import ExpressHttp
from api.health import Probe, Probes
from api.live.socket import FRAME_BYTES_MAX
from api.wire import WebSocketWire
from application.ledger import Ledger
from application.live.hub import HEARTBEAT_SECONDS, Hub
from fairbook.live import Server, live_hub
from fairbook.secret import signing_secret
from fairbook.settings import Settings, port_option
from fairbook.settlement import settling

GC_THRESHOLDS = (50_000, 20, 50)
"""Collections are rarer than Python's default: a pause of the collector is a pause of every request."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument("--host", help="address to listen on (default: FAIRBOOK_HOST, 127.0.0.1)")
    parser.add_argument("--port", type=port_option, help="port (default: FAIRBOOK_PORT, 8080)")
    parser.add_argument(
        "--reuse-port", action="store_true", help="share the port with other API processes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    settings = Settings.from_environment()
    metrics_text = set_up("fairbook-api")
    started: list[Server] = []
    app, lane = create_app(
        lambda: _open(settings, metrics_text, started),
        signing_secret(settings),
        # Spans that nobody collects would only cost; a caller who traces is followed all the same.
        trace_ratio=settings.trace_ratio if exports_traces() else 0.0,
    )
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=cast("type[ExpressHttp]", functools.partial(ExpressHttp, lane)),
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        ws=WebSocketWire,
        ws_max_size=FRAME_BYTES_MAX,
        ws_ping_interval=HEARTBEAT_SECONDS,
        # Thousands of windows of compression would cost more than the bytes that they save.
        ws_per_message_deflate=False,
    )
    host, port = arguments.host or settings.host, arguments.port or settings.port
    with _listening(host, port, shared=arguments.reuse_port) as listener:
        started.append(Server(config))
        started[0].run([listener])
    return 0


@contextlib.contextmanager
def _listening(host: str, port: int, *, shared: bool) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        yield listener


@contextlib.asynccontextmanager
async def _open(
    settings: Settings, metrics_text: Callable[[], bytes], servers: Sequence[Server] = ()
) -> AsyncIterator[tuple[Desk, Probes]]:
    """Open what the API stands on, and close it in the reverse order; `servers` end its live streams before."""
    database_url = settings.require_database_url()
    async with contextlib.AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(ledger_environment(database_url)))
        reader = Reader(database_url)
        stack.push_async_callback(reader.close)
        await reader.open()
        dependencies: dict[str, Probe] = {"postgres": reader.head}
        if settings.nats_url:
            link = await stack.enter_async_context(NatsLink(settings.nats_url))
            dependencies["nats"] = link.probe
        board: ValkeyBoard | None = None
        if settings.redis_url:
            board = await stack.enter_async_context(ValkeyBoard(settings.redis_url))
            cache = await stack.enter_async_context(ValkeyLink(settings.redis_url))
            dependencies["valkey"] = cache.probe
        live: Hub | None = None
        if settings.nats_url:
            live = await stack.enter_async_context(
                live_hub(settings.nats_url, reader, board, settings.quote_max_ages)
            )
            for server in servers:
                server.hub = live
        await stack.enter_async_context(settling(database_url, ledger, reader))
        _show(ledger)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        desk = Desk(
            ledger,
            reader,
            reader,
            board=board,
            max_ages=settings.quote_max_ages,
            live=live,
            solver=HighsSolver(),
            cash_out_margin=settings.cash_out_margin,
            cash_out_tolerance=settings.cash_out_tolerance,
        )
        yield desk, Probes(dependencies, reader, metrics_text)


def _show(ledger: Ledger) -> None:
    meter = metrics.get_meter("fairbook")
    meter.create_observable_gauge(
        "fairbook_queue",
        [lambda _: [Observation(ledger.waiting)]],
        description="Commands that wait",
    )
    meter.create_observable_gauge(
        "fairbook_streams_in_memory",
        [lambda _: [Observation(ledger.streams_in_memory)]],
        description="Streams whose state is in memory",
    )
