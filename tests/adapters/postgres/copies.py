"""A database that is filled once for all tests of a file, and a copy of it for each: filling takes ten times longer."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest

from adapters.embedded import EmbeddedServers
from tests.service import a_database

Copy = Callable[[], AbstractContextManager[str]]
"""Makes a copy, gives its address, and drops it after the block."""


@contextmanager
def copies_of(server_url: str, fill: Callable[[str], object]) -> Iterator[Copy]:
    """Have a database filled; it is gone afterwards."""
    with (
        a_database(server_url) as original_url,
        psycopg.connect(server_url, autocommit=True) as server,
    ):
        name = original_url.rpartition("/")[2]

        @contextmanager
        def copy() -> Iterator[str]:
            server.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
            try:
                yield original_url + "_copy"
            finally:
                # At once: later, the server would have to write it to the disk first.
                server.execute(f"DROP DATABASE {name}_copy WITH (FORCE)")

        fill(original_url)
        yield copy


def a_copy_for_each_test(fill: Callable[[str], object]) -> tuple[Any, Any]:
    """Make the fixtures `copy` and `database_url` of a file: filled once, copied for each test."""

    @pytest.fixture(scope="module")
    def copy(servers: EmbeddedServers) -> Iterator[Copy]:
        with copies_of(servers.urls.database, fill) as copy:
            yield copy

    @pytest.fixture
    def database_url(copy: Copy) -> Iterator[str]:
        with copy() as url:
            yield url

    return copy, database_url
