"""Two databases that all tests of the ledger share, emptied for each: making a database takes longer than most tests."""

import os
import secrets

import psycopg
import pytest

from adapters.embedded import EmbeddedServers


def emptied(servers: EmbeddedServers, name: str) -> str:
    """Make the database if it is not there, drop what is in it, and give its address."""
    with psycopg.connect(servers.urls.database, autocommit=True) as server:
        if not server.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount:
            server.execute(f"CREATE DATABASE {name}")
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    url = servers.urls.database.rpartition("/")[0] + "/" + name
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture(scope="session")
def shared_name() -> str:
    """A name that no other run has given to a database."""
    return f"test_{os.getpid()}_{secrets.token_hex(4)}"


@pytest.fixture
def database_url(servers: EmbeddedServers, shared_name: str) -> str:
    """An empty database that no other test uses at the same time."""
    return emptied(servers, shared_name)


@pytest.fixture
def second_database_url(servers: EmbeddedServers, shared_name: str) -> str:
    """Another empty database beside it."""
    return emptied(servers, shared_name + "_2")
