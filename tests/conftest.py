"""The servers that every test shares, and a database for each test that wants one."""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from adapters.embedded import EmbeddedServers
from tests.adapters.nats.server import NatsServer

# A slow machine is no error of the code: how fast it is, benchmarks tell.
settings.register_profile("fairbook", deadline=None)
settings.load_profile("fairbook")


FOLDERS = (
    *("faults", "simulation", "walk", "fairbook", "adapters"),
    *("api", "application", "read_models", "domain"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what starts processes and waits for them, and pure rules last.

    Files are handed to several workers in this order: short ones at the end leave none of them idle.
    """
    tests = Path(__file__).parent
    places = {name: place for place, name in enumerate(FOLDERS)}
    items.sort(key=lambda item: places.get(item.path.relative_to(tests).parts[0], 0))


def open_temporary_folder() -> Path:
    """A folder that the servers' account can enter, also as root, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="fairbook-test-"))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """PostgreSQL, NATS and Valkey, started once. What the environment names is left alone."""
    folder = open_temporary_folder()

    def report(line: str) -> None:
        print(line, file=sys.stderr)

    with EmbeddedServers(folder, report, environment={}) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def database_url(servers: EmbeddedServers) -> Iterator[str]:
    """An empty database of this test's own."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    server_url = servers.urls.database
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server_url.rpartition("/")[0] + "/" + name
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder for servers of a test's own, enterable by their account."""
    folder = open_temporary_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def nats_server(open_folder: Path) -> Iterator[NatsServer]:
    """A NATS server of a test's own, with nothing in it: all tests would use the same streams."""
    folder = open_folder / "nats"
    with EmbeddedServers(folder, print, only=("nats",), environment={}) as running:
        yield NatsServer(running, folder)


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """The address of a NATS server of a test's own."""
    return nats_server.url


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests (`@pytest.mark.anyio`) run once, on asyncio."""
    return "asyncio"
