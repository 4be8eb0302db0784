"""A child process with a log, that ends when this process does."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from adapters.embedded.account import Account
from adapters.embedded.errors import EmbeddedError
from adapters.embedded.processes import die_with_parent

_LOG_BYTES_MAX: Final = 20_000_000
_LOG_TAIL_BYTES: Final = 16_384
_LOG_TAIL_LINES: Final = 15


class Child:
    """A program that can be started, watched, stopped and started again.

    What it prints is appended to `log_file`, which gets a successor when it has grown large.
    """

    def __init__(
        self,
        name: str,
        log_file: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self.stop_signal = stop_signal
        self._account = account or Account()
        self._log_begins_at = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The pid of its main process."""
        return self._started().pid

    @property
    def exit_status(self) -> int | None:
        """What it exited with, -N for signal N; None while it runs."""
        return self._started().poll()

    def start(
        self, command: Sequence[str | Path], environment: Mapping[str, str], folder: Path
    ) -> None:
        """Run `command` in `folder`; does not wait until it is ready.

        Start it from the main thread: the kernel ends it with the thread that started it.
        """
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_BYTES_MAX:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("ab") as log:
            self._log_begins_at = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - callers pass programs of ours
                command,
                user=self._account.user_id,
                group=self._account.group_id,
                extra_groups=self._account.extra_groups,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C reaches the supervisor, which stops things in order.
                start_new_session=True,
                # Safe here: the function only makes two system calls, and takes no lock.
                preexec_fn=die_with_parent(self.stop_signal),  # noqa: PLW1509
            )

    def ask_to_stop(self) -> None:
        """Send its stop signal; does not wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.stop_signal)

    def wait_stopped(self, patience_seconds: float) -> None:
        """Wait until it has stopped; kill it when it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL), and wait until it is gone."""
        self._started().kill()
        self._started().wait()

    def log_tail(self) -> str:
        """The last lines that it printed since its start."""
        with self.log_file.open("rb") as log:
            log.seek(max(self._log_begins_at, self.log_file.stat().st_size - _LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise EmbeddedError(f"{self.name} has not been started")
        return self._process
