"""What can go wrong with an embedded server."""

from pathlib import Path


class EmbeddedError(Exception):
    """The servers cannot run; the message says what to do about it."""


class DataFolderInUseError(EmbeddedError):
    """Another supervisor holds the data folder."""

    def __init__(self, folder: Path, holder_pid: str) -> None:
        super().__init__(
            f"{folder} is in use by another fairbook (pid {holder_pid}). Stop that one first, or "
            "choose another folder with --data."
        )
        self.holder_pid = holder_pid


class ServerDied(EmbeddedError):  # noqa: N818 - named as what happened
    """A server has exited by itself."""

    def __init__(self, name: str, log_tail: str) -> None:
        super().__init__(f"{name} has exited. Its last words:\n{log_tail or '(none)'}")
        self.name = name
        self.log_tail = log_tail
