"""Three servers on this machine that are one cluster."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.embedded.account import Account, server_environment
from adapters.embedded.child import Child
from adapters.embedded.data_folder import DataFolder
from adapters.embedded.wheels import nats_program
from tests.service import free_port

NAMES = ("a", "b", "c")


class Cluster:
    """`url` names all its servers."""

    def __init__(
        self,
        nodes: dict[str, Child],
        commands: dict[str, list[str | Path]],
        ports: dict[str, int],
        folder: Path,
    ) -> None:
        self.nodes, self._commands, self._ports, self._folder = nodes, commands, ports, folder

    @property
    def url(self) -> str:
        return ",".join(f"nats://127.0.0.1:{port}" for port in self._ports.values())

    def start(self, name: str) -> None:
        folder = self._folder / name
        self.nodes[name].start(self._commands[name], server_environment(folder), folder)


@contextmanager
def a_cluster(folder: Path) -> Iterator[Cluster]:
    data = DataFolder(folder, Account.for_servers())
    program = nats_program(data)
    ports = {name: free_port() for name in NAMES}
    routes = {name: free_port() for name in NAMES}
    nodes: dict[str, Child] = {}
    commands: dict[str, list[str | Path]] = {}
    for name in NAMES:
        home = data.subfolder(name)
        configuration = data.write(
            home / "nats.conf",
            f"host: 127.0.0.1\nport: {ports[name]}\nserver_name: node-{name}\n"
            f'jetstream {{ store_dir: "{home}", max_file_store: 1GB, max_memory_store: 64MB }}\n'
            f"cluster {{ name: test, listen: 127.0.0.1:{routes[name]}, routes: [\n"
            + "".join(f"  nats://127.0.0.1:{port}\n" for port in routes.values())
            + "] }\n",
        )
        nodes[name] = Child(name, folder / f"{name}.log", account=data.account)
        commands[name] = [program, "--config", configuration]
    cluster = Cluster(nodes, commands, ports, folder)
    try:
        for name in NAMES:
            cluster.start(name)
        for port in ports.values():
            _wait_listening(port)
        yield cluster
    finally:
        for node in nodes.values():
            node.kill()
        data.close()


def _wait_listening(port: int) -> None:
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(port)
