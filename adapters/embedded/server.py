"""What PostgreSQL, NATS and Valkey have in common as child processes."""

import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from adapters.embedded.account import server_environment
from adapters.embedded.data_folder import DataFolder, RunningServer
from adapters.embedded.errors import EmbeddedError, ServerDied
from adapters.embedded.processes import ProcessIdentity, die_with_parent

HOST: Final = "127.0.0.1"
USER: Final = "fairbook"

_LOG_BYTES_MAX: Final = 20_000_000
_LOG_TAIL_LINES: Final = 15
_STOP_PATIENCE_SECONDS: Final = 60.0


class Server(ABC):
    """One server: its data in a subfolder of the data folder, its log beside it.

    A subclass says how to prepare its data, what to execute, and when it is ready.
    """

    name: ClassVar[str]
    variable: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: DataFolder, report: Callable[[str], None]) -> None:
        self.folder = folder
        self.report = report
        self.data = folder.path / self.name
        self.port = folder.port(self.name)
        self._log_file = folder.path / f"{self.name}.log"
        self._log_begins_at = 0
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make its data ready for a start; called before each one."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """The program and its arguments, for the port of now."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers; never waits long."""

    @property
    @abstractmethod
    def url(self) -> str:
        """How a client reaches it, with user and password."""

    @property
    def password(self) -> str:
        """The password of its one user."""
        return self.folder.password(self.name)

    @property
    def pid(self) -> int:
        """The pid of its main process."""
        return self._started().pid

    def start(self) -> None:
        """Start it as a process that ends when this one does; does not wait until it is ready."""
        self._rotate_log()
        with self._log_file.open("ab") as log:
            self._log_begins_at = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - the command is the subclass's
                self.command(),
                user=self.folder.account.user_id,
                group=self.folder.account.group_id,
                extra_groups=self.folder.account.extra_groups,
                env=server_environment(self.data),
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C reaches the supervisor, which stops things in order.
                start_new_session=True,
                # Safe here: the function only makes two system calls, and takes no lock.
                preexec_fn=die_with_parent(self.stop_signal),  # noqa: PLW1509
            )
        if identity := ProcessIdentity.of(self._process.pid):
            self.folder.state.running[self.name] = RunningServer(identity, self.stop_signal)
            self.folder.save()

    def has_exited(self) -> bool:
        """Whether its process is gone."""
        return self._started().poll() is not None

    def refuse_if_exited(self) -> None:
        """Raise ServerDied when its process is gone."""
        if self.has_exited():
            raise ServerDied(self.name, self.log_tail())

    def lost_its_port(self) -> bool:
        """Whether it has exited because another process took its port first."""
        return self.has_exited() and "address already in use" in self.log_tail().lower()

    def move_to_free_port(self) -> None:
        """Take another port for the next start."""
        self.port = self.folder.port(self.name)

    def ask_to_stop(self) -> None:
        """Send its stop signal; does not wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.stop_signal)

    def wait_stopped(self) -> None:
        """Wait until it has stopped; kill it when it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(_STOP_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.report(f"{self.name} does not stop, killing it")
            self.kill()
        self.folder.state.running.pop(self.name, None)
        self.folder.save()

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL), and wait until it is gone."""
        self._started().kill()
        self._started().wait()

    def log_tail(self) -> str:
        """The last lines that it wrote since its start."""
        with self._log_file.open("rb") as log:
            log.seek(self._log_begins_at)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise EmbeddedError(f"{self.name} has not been started")
        return self._process

    def _rotate_log(self) -> None:
        if self._log_file.exists() and self._log_file.stat().st_size > _LOG_BYTES_MAX:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
