"""Servers and a service of these tests' own: they are killed all the time."""

import shutil
from collections.abc import Iterator

import pytest

from adapters.embedded import EmbeddedServers
from tests.conftest import open_temporary_folder
from tests.service import People, Service, a_service


@pytest.fixture(scope="package")
def own_servers() -> Iterator[EmbeddedServers]:
    folder = open_temporary_folder()
    with EmbeddedServers(folder, print, environment={}) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
def service(
    own_servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with a_service(tmp_path_factory.mktemp("faults"), own_servers) as running:
        yield running


@pytest.fixture(scope="package")
def people(service: Service) -> Iterator[People]:
    people = People(service.url)
    yield people
    people.close()
