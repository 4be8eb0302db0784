"""A ledger to write with and a reader to ask, on a database of the test's own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.embedded import EmbeddedServers
from adapters.postgres.reader import Reader
from adapters.postgres.schema import create_live
from adapters.postgres.snapshot_projection import PROJECTIONS
from tests.adapters.postgres.copies import Copy, copies_of
from tests.application.desk import Desk, a_desk


@pytest.fixture(scope="session")
def copy_of_empty_models(servers: EmbeddedServers) -> Iterator[Copy]:
    """Read models that have seen nothing: their tables are made once and copied."""
    with copies_of(
        servers.urls.database, lambda url: create_live(url, PROJECTIONS.values())
    ) as copy:
        yield copy


@pytest.fixture
def database_url(copy_of_empty_models: Copy) -> Iterator[str]:
    """A database of this test's own, with the tables and nothing in them."""
    with copy_of_empty_models() as url:
        yield url


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with a_desk(database_url) as running:
        yield running


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Reader]:
    reader = Reader(database_url)
    await reader.open()
    yield reader
    await reader.close()
