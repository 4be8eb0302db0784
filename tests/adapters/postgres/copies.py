"""A database that is filled once for all tests of a file, and a copy of it for each: filling takes ten times longer."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg

Copy = Callable[[], AbstractContextManager[str]]
"""Makes a copy, gives its address, and drops it after the block."""


@contextmanager
def copies_of(server_url: str, fill: Callable[[str], object]) -> Iterator[Copy]:
    """Have a database filled; it is gone afterwards."""
    original = f"test_{os.getpid()}_{secrets.token_hex(4)}"

    def url_of(name: str) -> str:
        return server_url.rpartition("/")[0] + "/" + name

    with psycopg.connect(server_url, autocommit=True) as server:

        @contextmanager
        def copy() -> Iterator[str]:
            name = original + "_copy"
            server.execute(f"CREATE DATABASE {name} TEMPLATE {original}")
            try:
                yield url_of(name)
            finally:
                # At once: later, the server would have to write it to the disk first.
                server.execute(f"DROP DATABASE {name} WITH (FORCE)")

        server.execute(f"CREATE DATABASE {original}")
        try:
            fill(url_of(original))
            yield copy
        finally:
            server.execute(f"DROP DATABASE {original} WITH (FORCE)")
