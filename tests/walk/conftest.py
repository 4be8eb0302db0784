"""A whole service in one process, whose spans can be read."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded import EmbeddedServers
from adapters.embedded.child import Child
from tests.service import CHECKOUT, People, Service, a_database


class TracedService(Service):
    """tests/walk/traced_service.py as a process: the API and a projector, which write their spans to a file."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(folder, environment)
        self.spans_file = folder / "spans.jsonl"
        self.projector = Child("none", folder / "project.log")
        self.projector.log_file.touch()

    def start_api(self) -> None:
        command = [sys.executable, "-m", "tests.walk.traced_service"]
        self.api.start([*command, str(self.port), self.spans_file], self.environment, CHECKOUT)


@pytest.fixture(scope="module")
def service(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TracedService]:
    folder = tmp_path_factory.mktemp("walk")
    with a_database(servers.urls.database) as database_url:
        environment = {**servers.urls.environment(), "DATABASE_URL": database_url}
        service = TracedService(folder, environment)
        service.start_api()
        try:
            service.wait_ready()
            yield service
        finally:
            service.stop()


@pytest.fixture(scope="module")
def people(service: TracedService) -> Iterator[People]:
    people = People(service.url)
    yield people
    people.close()
