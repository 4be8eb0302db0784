"""A fairbook to measure: embedded servers in a temporary folder, the API and the workers as `fairbook up` runs them."""

import contextlib
import http.client
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import psycopg

from adapters.embedded import EmbeddedServers
from benchmarks.report import say
from fairbook.program import Program
from fairbook.token import mint

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
TOKEN_SECONDS: Final = 6 * 3_600
HOST: Final = "127.0.0.1"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that the servers' unprivileged account can enter, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="fairbook-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def embedded_servers() -> Iterator[EmbeddedServers]:
    """PostgreSQL, NATS and Valkey of this benchmark's own, with the settings of `fairbook up`."""
    with (
        temporary_folder() as folder,
        EmbeddedServers(folder, _quiet, environment={}) as servers,
    ):
        yield servers


def _quiet(_: str) -> None:
    """Starting servers is not what is measured."""


def new_database(servers: EmbeddedServers, name: str) -> str:
    """Create an empty database and give its URL."""
    with psycopg.connect(servers.urls.database, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return servers.urls.database.rpartition("/")[0] + f"/{name}"


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def environment(servers: EmbeddedServers) -> dict[str, str]:
    """Give what a program of fairbook's finds in its environment: the servers, and no setting of the user's own."""
    return {**own_environment(), **servers.urls.environment()}


def own_environment() -> dict[str, str]:
    """Give this process's environment without anything that changes how fairbook runs."""
    ours = ("FAIRBOOK_", "OTEL_", "DATABASE_URL", "NATS_URL", "REDIS_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


class Service:
    """`fairbook api` and `fairbook project` on one database, between `with` and its end.

    `settings` are added to the environment, from which every setting of the user's own is taken out; `programs` says
    which of the two run.
    """

    def __init__(
        self,
        servers: EmbeddedServers,
        database_url: str,
        settings: Mapping[str, str] | None = None,
        programs: tuple[str, ...] = ("api", "project"),
    ) -> None:
        self.port = free_port()
        self.database_url = database_url
        self._secret = secrets.token_urlsafe(48)
        self._folder = contextlib.ExitStack()
        home = self._folder.enter_context(temporary_folder())
        variables = {
            **environment(servers),
            "DATABASE_URL": database_url,
            "FAIRBOOK_SECRET": self._secret,
            "FAIRBOOK_HOME": str(home),
            "FAIRBOOK_HOST": HOST,
            "FAIRBOOK_PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            **(settings or {}),
        }
        self.programs = {
            name: Program(name, [name], home / f"{name}.log", variables) for name in programs
        }

    def __enter__(self) -> "Service":
        try:
            for program in self.programs.values():
                program.start()
            self._wait_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def pid(self, name: str) -> int:
        """The pid of one of the programs."""
        return self.programs[name].child.pid

    def token(self, user: str, role: str) -> str:
        """Sign a token that this service accepts."""
        return mint(self._secret, user, role, TOKEN_SECONDS)

    def get(self, path: str) -> tuple[int, str]:
        """Ask for a path without a token; give status and body."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def refuse_if_exited(self) -> None:
        """Raise when one of the programs has ended."""
        for program in self.programs.values():
            status = program.child.exit_status
            if status is not None:
                last_words = program.child.log_tail()
                raise RuntimeError(f"{program.name} exited with status {status}:\n{last_words}")

    def _wait_ready(self) -> None:
        if "api" not in self.programs:
            return
        give_up, answer = time.monotonic() + READY_SECONDS, ""
        while time.monotonic() < give_up:
            self.refuse_if_exited()
            try:
                status, answer = self.get("/ready")
                if status == http.client.OK:
                    return
            except OSError as error:
                answer = str(error)
            time.sleep(0.05)
        raise RuntimeError(f"not ready after {READY_SECONDS:.0f} s: {answer}")

    def _stop(self) -> None:
        for program in self.programs.values():
            program.child.ask_to_stop()
        for program in self.programs.values():
            program.child.wait_stopped(STOP_SECONDS)
            noise = [line for line in program.child.log_tail().splitlines() if '"error"' in line]
            if noise:
                say(f"{program.name} logged: {noise[-1][:600]}")
        self._folder.close()
