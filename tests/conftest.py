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
from psycopg.sql import SQL, Identifier

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


def emptied(servers: EmbeddedServers, name: str) -> str:
    """Make the database if it is not there, drop what is in it, and give its address."""
    with psycopg.connect(servers.urls.database, autocommit=True) as server:
        if not server.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount:
            server.execute(f"CREATE DATABASE {name}")
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        # Of programs that the last test has killed.
        server.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            (name,),
        )
    url = servers.urls.database.rpartition("/")[0] + "/" + name
    with psycopg.connect(url, autocommit=True) as connection:
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema)))
        connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture(scope="session")
def shared_name() -> str:
    """A name that no other run has given to a database."""
    return f"test_{os.getpid()}_{secrets.token_hex(4)}"


@pytest.fixture
def database_url(servers: EmbeddedServers, shared_name: str) -> str:
    """An empty database that no other test uses at the same time.

    One for all tests, emptied for each: making a database takes longer than most tests.
    """
    return emptied(servers, shared_name)


@pytest.fixture
def second_database_url(servers: EmbeddedServers, shared_name: str) -> str:
    """Another empty database beside it."""
    return emptied(servers, shared_name + "_2")


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
