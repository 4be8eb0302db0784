"""What PostgreSQL, NATS and Valkey have in common."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from adapters.embedded.account import server_environment
from adapters.embedded.child import Child
from adapters.embedded.data_folder import DataFolder, RunningServer
from adapters.embedded.errors import ServerDied
from adapters.embedded.processes import ProcessIdentity

HOST: Final = "127.0.0.1"
USER: Final = "fairbook"

_STOP_PATIENCE_SECONDS: Final = 60.0  # PostgreSQL writes everything out before it goes


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
        log_file = folder.path / f"{self.name}.log"
        self.child = Child(self.name, log_file, self.stop_signal, folder.account)

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

    def start(self) -> None:
        """Start it, and note down whom to look for after a crash of this process."""
        self.child.start(self.command(), server_environment(self.data), self.data)
        if identity := ProcessIdentity.of(self.child.pid):
            self.folder.state.running[self.name] = RunningServer(identity, self.stop_signal)
            self.folder.save()

    def refuse_if_exited(self) -> None:
        """Raise ServerDied when its process is gone."""
        if self.child.exit_status is not None:
            raise ServerDied(self.name, self.child.log_tail())

    def lost_its_port(self) -> bool:
        """Whether it has exited because another process took its port first."""
        return (
            self.child.exit_status is not None
            and "address already in use" in self.child.log_tail().lower()
        )

    def move_to_free_port(self) -> None:
        """Take another port for the next start."""
        self.port = self.folder.port(self.name)

    def wait_stopped(self) -> None:
        """Wait until it has stopped after a request; kill it when it takes too long."""
        self.child.wait_stopped(_STOP_PATIENCE_SECONDS)
        if self.folder.state.running.pop(self.name, None):
            self.folder.save()
