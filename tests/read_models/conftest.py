"""A ledger to write with and a reader to ask, on a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from adapters.postgres.reader import Reader
from tests.application.desk import Desk, a_desk


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
