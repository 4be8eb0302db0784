"""Runs the servers that nobody else runs, for as long as this process lives."""

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from adapters.embedded.account import Account
from adapters.embedded.data_folder import DataFolder
from adapters.embedded.errors import EmbeddedError
from adapters.embedded.nats import Nats
from adapters.embedded.postgres import Postgres
from adapters.embedded.server import Server
from adapters.embedded.valkey import Valkey

# PostgreSQL last: the others come up while it makes its cluster.
KINDS: Final[tuple[type[Server], ...]] = (Nats, Valkey, Postgres)

_POLL_SECONDS: Final = 0.005
_READY_PATIENCE_SECONDS: Final = 120.0  # PostgreSQL may have a crash to recover from
_PORT_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Urls:
    """How clients reach the servers; empty for one that was not asked for."""

    database: str
    nats: str
    redis: str

    def environment(self) -> dict[str, str]:
        """The variables that tell a child process the same."""
        named = {"DATABASE_URL": self.database, "NATS_URL": self.nats, "REDIS_URL": self.redis}
        return {name: url for name, url in named.items() if url}


class EmbeddedServers:
    """PostgreSQL, NATS and Valkey as child processes, between `with` and its end.

    A server whose URL stands in `environment` (DATABASE_URL, NATS_URL, REDIS_URL) is somebody
    else's: it is not started, and `urls` passes its URL through. Enter from the main thread, since
    the kernel ends the servers with the thread that started them.

    Args:
        data_dir: where the data lives; made at the first start, kept for the next.
        report: called with a line of progress now and then.
        only: which of the servers to provide.
        environment: where to look for URLs.
    """

    def __init__(
        self,
        data_dir: Path,
        report: Callable[[str], None],
        only: Collection[str] = ("postgres", "nats", "valkey"),
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._data_dir = data_dir
        self._report = report
        self._wanted = [kind for kind in KINDS if kind.name in only]
        self._given = {
            kind.name: environment[kind.variable]
            for kind in self._wanted
            if environment.get(kind.variable)
        }
        self._servers: dict[str, Server] = {}
        self._folder: DataFolder | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedError("Start the embedded servers from the main thread.")
        try:
            self._start_all()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_all()

    @property
    def urls(self) -> Urls:
        """How to reach each server."""
        return Urls(self._url("postgres"), self._url("nats"), self._url("valkey"))

    def check(self) -> None:
        """Raise ServerDied when a server has exited by itself."""
        for server in self._servers.values():
            server.refuse_if_exited()

    def pid(self, name: str) -> int:
        """The pid of a server's main process."""
        return self._server(name).child.pid

    def kill(self, name: str) -> None:
        """End a server as a power cut would, and wait until its process is gone."""
        self._server(name).child.kill()

    def start_again(self, name: str) -> None:
        """Start a server that has exited, on the port that its clients know; wait until ready."""
        server = self._server(name)
        if server.child.exit_status is None:
            raise EmbeddedError(f"{name} still runs (pid {server.child.pid})")
        server.prepare()
        server.start()
        self._wait_ready([server], may_move=False)

    def restart(self, name: str) -> None:
        """Stop a server in good order and start it again on the same port."""
        server = self._server(name)
        server.child.ask_to_stop()
        server.wait_stopped()
        self.start_again(name)

    def _start_all(self) -> None:
        for name in self._given:
            self._report(f"{name}: using the server that is already there")
        ours = [kind for kind in self._wanted if kind.name not in self._given]
        if not ours:
            return
        self._folder = DataFolder(self._data_dir, Account.for_servers())
        self._end_left_over(self._folder)
        for kind in ours:
            server = self._servers[kind.name] = kind(self._folder, self._report)
            server.prepare()
            server.start()
        self._wait_ready(list(self._servers.values()), may_move=True)

    def _end_left_over(self, folder: DataFolder) -> None:
        """End servers that outlived a killed supervisor. The folder's lock says they are nobody's."""
        for name, left in folder.state.running.items():
            if left.process.is_running():
                self._report(f"{name}: ending a left-over process (pid {left.process.pid})")
                left.process.end(left.stop_signal, patience_seconds=30)
        folder.state.running.clear()
        folder.save()

    def _wait_ready(self, starting: list[Server], *, may_move: bool) -> None:
        give_up_at = time.monotonic() + _READY_PATIENCE_SECONDS
        attempts = dict.fromkeys((server.name for server in starting), 1)
        waiting = starting
        while waiting:
            time.sleep(_POLL_SECONDS)
            for server in waiting:
                # Between our look for a free port and the server's bind, another may have got it.
                if may_move and server.lost_its_port() and attempts[server.name] < _PORT_ATTEMPTS:
                    attempts[server.name] += 1
                    server.move_to_free_port()
                    server.start()
                server.refuse_if_exited()
            ready = [server for server in waiting if server.is_ready()]
            for server in ready:
                self._report(f"{server.name}: ready on port {server.port} (pid {server.child.pid})")
            waiting = [server for server in waiting if server not in ready]
            if waiting and time.monotonic() > give_up_at:
                names = ", ".join(server.name for server in waiting)
                raise EmbeddedError(f"{names}: not ready after {_READY_PATIENCE_SECONDS:.0f} s")

    def _stop_all(self) -> None:
        for server in self._servers.values():
            server.child.ask_to_stop()
        for server in self._servers.values():
            server.wait_stopped()
        self._servers.clear()
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _server(self, name: str) -> Server:
        if name not in self._servers:
            raise EmbeddedError(f"{name} is not run here")
        return self._servers[name]

    def _url(self, name: str) -> str:
        if name in self._given:
            return self._given[name]
        return self._servers[name].url if name in self._servers else ""
