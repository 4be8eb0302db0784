"""Processes that end with their supervisor, and how to recognise one that did not."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

ON_LINUX: Final = sys.platform.startswith("linux")

_PR_SET_PDEATHSIG: Final = 1
_POLL_SECONDS: Final = 0.01


class ProcessIdentity(msgspec.Struct, frozen=True):
    """One process for all time: pids are used again, a pid with its start time is not."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Who has this pid now; None when nobody, or only a zombie waiting for its parent."""
        if not ON_LINUX:
            found = subprocess.run(  # noqa: S603 - fixed arguments
                ["/bin/ps", "-o", "lstart=", "-p", str(pid)],
                capture_output=True,
                text=True,
                check=False,
            )
            return cls(pid, found.stdout.strip()) if found.stdout.strip() else None
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The second field is the command in parentheses and may hold anything, also parentheses.
        fields = stat.rpartition(")")[2].split()
        state, started = fields[0], fields[19]
        return None if state == "Z" else cls(pid, started)

    def is_running(self) -> bool:
        """Whether this very process still runs."""
        return ProcessIdentity.of(self.pid) == self

    def end(self, signal_number: int, patience_seconds: float) -> None:
        """Ask it to stop with `signal_number`; kill it when it has not after `patience_seconds`."""
        for attempt in (signal_number, signal.SIGKILL):
            if not self.is_running():
                return
            os.kill(self.pid, attempt)
            if wait_until(lambda: not self.is_running(), patience_seconds):
                return


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends the child this signal when its parent dies, however it dies.

    It runs after subprocess has changed the user, which would clear the arrangement. The kernel
    counts the parent's thread, not its process: start children from a thread that stays.
    """
    parent_pid = os.getpid()
    libc = ctypes.CDLL(None) if ON_LINUX else None

    def arrange() -> None:
        if libc is None:
            return  # macOS has no such thing: there the next start ends what was left over
        libc.prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before the arrangement stood
            os._exit(1)

    return arrange


def pids_working_in(folder: Path) -> list[int]:
    """Live processes whose working folder this is, as far as this account may see them."""
    wanted = str(folder.resolve())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()) == wanted:
                found.append(int(process.name))
        except OSError:
            continue  # it has just ended, is a zombie, or is somebody else's
    return found


def wait_until(condition: Callable[[], bool], patience_seconds: float) -> bool:
    """Whether `condition` came true within `patience_seconds`."""
    give_up_at = time.monotonic() + patience_seconds
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(_POLL_SECONDS)
    return True
