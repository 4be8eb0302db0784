"""A part of fairbook in a process of its own."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from adapters.embedded.child import Child

RESTARTS_MAX: Final = 5
BACKOFF_SECONDS: Final = 0.5  # doubles with every restart
HEALTHY_SECONDS: Final = 60.0  # after so long a run, earlier restarts are forgiven
BAD_SETTINGS_STATUS: Final = 2  # as the command line exits with: trying again cannot help

# Children run this very checkout, from wherever `fairbook up` was called.
CHECKOUT: Final = Path(__file__).parents[1]


class UpError(Exception):
    """Something does not start or stay up; the message says what."""


class Program:
    """A subcommand of fairbook as a child process, restarted when it dies."""

    def __init__(
        self, name: str, arguments: list[str], log_file: Path, environment: dict[str, str]
    ):
        self.name = name
        self.child = Child(name, log_file)
        self._command = [sys.executable, "-m", "fairbook", *arguments]
        self._environment = environment
        self._started_at = 0.0
        self._restarts = 0
        self._restart_at: float | None = None

    def start(self) -> None:
        """Start it."""
        self._started_at = time.monotonic()
        self._restart_at = None
        self.child.start(self._command, self._environment, CHECKOUT)

    def keep_up(self, report: Callable[[str], None]) -> None:
        """Restart it after a while when it has died; raise UpError when it keeps dying."""
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self.start()
            return
        status = self.child.exit_status
        if status is None:
            return
        if now - self._started_at > HEALTHY_SECONDS:
            self._restarts = 0
        last_words = f"{self.name} exited with status {status}:\n{self.child.log_tail()}"
        if status == BAD_SETTINGS_STATUS or self._restarts == RESTARTS_MAX:
            raise UpError(f"{last_words}\nIts whole log: {self.child.log_file}")
        wait_seconds = BACKOFF_SECONDS * 2**self._restarts
        self._restarts += 1
        self._restart_at = now + wait_seconds
        report(f"{last_words}\nrestart {self._restarts} of {RESTARTS_MAX} in {wait_seconds:g} s")
