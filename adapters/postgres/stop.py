"""Waiting that a signal can end at once."""

import select
import signal
import socket
from collections.abc import Iterable
from types import FrameType
from typing import Any


class Stop:
    """Set once, from a signal handler or another thread; whoever waits wakes up."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()

    def set(self) -> None:
        """Ask to stop."""
        self._writer.send(b"!")

    def on_signals(self) -> None:
        """Stop on SIGTERM and SIGINT."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, handle)

    @property
    def is_set(self) -> bool:
        """Whether to stop."""
        return self.wait(0)

    def wait(self, seconds: float, others: Iterable[Any] = ()) -> bool:
        """Wait until asked to stop, or until one of some other files can be read; tell whether to stop."""
        ready, _, _ = select.select([self._reader, *others], [], [], seconds)
        return self._reader in ready

    def close(self) -> None:
        """Close the sockets."""
        self._reader.close()
        self._writer.close()
