"""The folder that holds the servers' data, locked to one supervisor at a time."""

import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import Final, TextIO

import msgspec

from adapters.embedded.account import UNPRIVILEGED, Account
from adapters.embedded.errors import DataFolderInUseError, EmbeddedError
from adapters.embedded.processes import ProcessIdentity

_PASSWORD_BYTES: Final = 18


class RunningServer(msgspec.Struct, frozen=True):
    """A server as last started: whom to look for, and how to stop it, after a crash."""

    process: ProcessIdentity
    stop_signal: int


class State(msgspec.Struct):
    """What outlives a run: the same ports and passwords next time, and who was left running.

    `folder` tells a copy of a folder from the folder: what runs in the one is not the other's to stop.
    """

    folder: str = ""

    ports: dict[str, int] = {}
    passwords: dict[str, str] = {}
    running: dict[str, RunningServer] = {}


class DataFolder:
    """The servers' data, their passwords and ports, under one lock.

    `path` is made when it does not exist. Raises EmbeddedError when the servers' account could not
    enter it, DataFolderInUseError when another supervisor has it.
    """

    def __init__(self, path: Path, account: Account) -> None:
        self.path = path.absolute()
        self.account = account
        self._make()
        self._lock = self._locked()
        self._state_file = self.path / "state.json"
        self.state = self._read_state()

    def close(self) -> None:
        """Let another supervisor have it."""
        self._lock.close()

    def subfolder(self, name: str) -> Path:
        """A folder in here that belongs to the servers' account alone."""
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        self.account.take(folder, 0o700)
        return folder

    def write(self, file: Path, text: str) -> Path:
        """Write a file that only the servers' account can read."""
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        self.account.take(file, 0o600)
        return file

    def password(self, name: str) -> str:
        """The password of a server, made at its first use and on disk before it is used."""
        if name not in self.state.passwords:
            self.state.passwords[name] = secrets.token_urlsafe(_PASSWORD_BYTES)
            self.save()
        return self.state.passwords[name]

    def port(self, name: str) -> int:
        """The port of last time if it is free, so that saved connections keep working; else any."""
        last = self.state.ports.get(name)
        if last is None or not _is_free(last):
            self.state.ports[name] = _free_port()
        return self.state.ports[name]

    def save(self) -> None:
        """Write the state so that a crash leaves the old or the new, whole."""
        fresh = self._state_file.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(self.state)))
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._state_file)

    def _make(self) -> None:
        if not self.path.exists():
            try:
                self.path.mkdir(parents=True)
            except OSError as error:
                raise EmbeddedError(
                    f"The data folder {self.path} cannot be made: {error.strerror}. Choose another "
                    "with --data."
                ) from error
            # Another account may pass through, not look around.
            self.path.chmod(0o700 if self.account.user_id is None else 0o711)
        if self.account.user_id is not None and not self.account.can_enter(self.path):
            raise EmbeddedError(
                f"Run by root, the servers run as {UNPRIVILEGED!r}, who cannot enter {self.path}: it "
                "or a folder above it is private. Choose one that others may pass through, such as "
                "--data /var/lib/fairbook."
            )

    def _locked(self) -> TextIO:
        # Closed on exec, so no server inherits it: it is free the moment that this process is gone.
        lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder_pid = lock.read().strip()
            lock.close()
            raise DataFolderInUseError(self.path, holder_pid or "unknown") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def _read_state(self) -> State:
        folder = str(self.path)
        try:
            state = msgspec.json.decode(self._state_file.read_bytes(), type=State)
        except FileNotFoundError:
            return State(folder=folder)
        except msgspec.DecodeError as error:
            self.close()
            raise EmbeddedError(
                f"{self._state_file} is damaged ({error}). It holds the servers' passwords: restore "
                "it from a backup, or move the whole folder away to begin anew."
            ) from error
        if state.folder not in ("", folder):
            state.running, state.ports = {}, {}
        state.folder = folder
        return state


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
