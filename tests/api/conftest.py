"""One running service for all tests of the API: each brings its own users, accounts and markets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.embedded import EmbeddedServers
from tests.service import Client, People, Service, a_service


@pytest.fixture(scope="session")
def service(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("service")
    with a_service(folder, servers) as running:
        yield running


@pytest.fixture(scope="session")
def people(service: Service) -> Iterator[People]:
    people = People(service.url)
    yield people
    people.close()


@pytest.fixture
def trader(people: People) -> Client:
    """Somebody new."""
    return people.trader()


@pytest.fixture
def operator(people: People) -> Client:
    return people.operator


@pytest.fixture(scope="session")
def head(service: Service) -> Iterator[Callable[[], int]]:
    """Gives the position of the log's last event."""
    with psycopg.connect(service.database_url, autocommit=True) as connection:

        def read() -> int:
            row = connection.execute(
                "SELECT coalesce(max(notification_id), 0) FROM ledger_events"
            ).fetchone()
            assert row is not None
            return int(row[0])

        yield read
