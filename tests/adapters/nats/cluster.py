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
from tests.service import free_ports

NAMES = ("a", "b", "c")
PATIENCE_SECONDS = 60.0
ATTEMPTS = 5
"""Between our look for a free port and a server's bind, another may have got it."""


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

    def is_listening(self) -> bool:
        """Wait until every server answers; False when one ended, because its port was taken."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        for name, port in self._ports.items():
            while not _answers(port):
                assert time.monotonic() < give_up_at, self.nodes[name].log_tail()
                if self.nodes[name].exit_status is not None:
                    return False
                time.sleep(0.02)
        return all(node.exit_status is None for node in self.nodes.values())


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def a_cluster(folder: Path) -> Iterator[Cluster]:
    data = DataFolder(folder, Account.for_servers())
    try:
        for attempt in range(1, ATTEMPTS + 1):
            cluster = _begun(data, folder, f"{folder.name}-{attempt}")
            try:
                if cluster.is_listening():
                    yield cluster
                    return
            finally:
                for node in cluster.nodes.values():
                    node.kill()
        raise TimeoutError("somebody else took the cluster's ports, again and again")
    finally:
        data.close()


def _begun(data: DataFolder, folder: Path, cluster_name: str) -> Cluster:
    program = nats_program(data)
    every = free_ports(2 * len(NAMES))
    ports = dict(zip(NAMES, every, strict=False))
    routes = dict(zip(NAMES, every[len(NAMES) :], strict=True))
    nodes: dict[str, Child] = {}
    commands: dict[str, list[str | Path]] = {}
    for name in NAMES:
        home = data.subfolder(name)
        configuration = data.write(
            home / "nats.conf",
            f"host: 127.0.0.1\nport: {ports[name]}\nserver_name: node-{name}\n"
            f'jetstream {{ store_dir: "{home}", max_file_store: 1GB, max_memory_store: 64MB }}\n'
            f"cluster {{ name: {cluster_name}, listen: 127.0.0.1:{routes[name]}, routes: [\n"
            + "".join(f"  nats://127.0.0.1:{port}\n" for port in routes.values())
            + "] }\n",
        )
        nodes[name] = Child(name, folder / f"{name}.log", account=data.account)
        commands[name] = [program, "--config", configuration]
    cluster = Cluster(nodes, commands, ports, folder)
    for name in NAMES:
        cluster.start(name)
    return cluster
