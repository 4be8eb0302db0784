"""A second database beside the usual one."""

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest

from adapters.embedded import EmbeddedServers


@pytest.fixture
def second_database_url(servers: EmbeddedServers) -> Iterator[str]:
    """Another empty database of this test's own."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(servers.urls.database, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield servers.urls.database.rpartition("/")[0] + "/" + name
    with psycopg.connect(servers.urls.database, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
