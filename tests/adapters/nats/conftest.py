"""A NATS server for each test, since all of them use the same streams."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded import EmbeddedServers
from tests.adapters.nats.server import NatsServer


@pytest.fixture
def nats_server(open_folder: Path) -> Iterator[NatsServer]:
    """A server with nothing in it, to be killed and begun again."""
    servers = EmbeddedServers(open_folder / "nats", print, only=("nats",), environment={})
    with servers:
        yield NatsServer(servers, open_folder / "nats")
    shutil.rmtree(open_folder / "nats")


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """Its address."""
    return nats_server.url
