"""The whole of `fairbook up`, as a user runs it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.embedded.processes import ProcessIdentity, wait_until
from tests.conftest import open_temporary_folder

READY_SECONDS_MAX = 60
WARM_READY_SECONDS_MAX, WARM_IMPORTS_MAX = 5, 5
WARM_STARTS_MAX = 3
OWN = {"DATABASE_URL", "NATS_URL", "REDIS_URL"}
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in OWN and not name.startswith("FAIRBOOK_")
} | {
    "PYTHONUNBUFFERED": ""
}  # as for most users: what cannot be written is kept, and tried again at the end


class Up:
    """`fairbook up` on a free port, with its data in `folder`."""

    def __init__(self, folder: Path, *options: str, output: Path | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._log = (output or folder.parent / f"{folder.name}.log").open("w")
        self._began_at = time.monotonic()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "fairbook",
                "up",
                *("--data", folder),
                *self._options(options),
            ],
            stdout=self._log,
            stderr=self._log,
            env=ENVIRONMENT,
        )

    def _options(self, options: tuple[str, ...]) -> list[str]:
        return [*options] if "--port" in options else ["--port", str(self.port), *options]

    @property
    def said(self) -> str:
        return Path(self._log.name).read_text()

    def ready_after_seconds(self) -> float:
        wait_until(
            lambda: "Ctrl-C stops" in self.said or self.process.poll() is not None,
            READY_SECONDS_MAX,
        )
        assert "Ctrl-C stops" in self.said, self.said
        return time.monotonic() - self._began_at

    @property
    def token(self) -> str:
        found = re.search(r"(?m)^export TOKEN=(\S+)$", self.said)
        assert found
        return found[1]

    def status_of(self, path: str, token: str | None = None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                status: int = answer.status
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return refusal.code
        return status

    def is_ready(self) -> bool:
        try:
            return self.status_of("/ready") == 200
        except OSError:
            return False

    def pids(self) -> dict[str, int]:
        """The pid of each program and server, as it reported them."""
        started = re.findall(
            r"(?m)\] ([a-z0-9-]+): (?:starting|ready on port \d+) \(pid (\d+)\)", self.said
        )
        return {name: int(pid) for name, pid in started}

    def everything(self) -> list[ProcessIdentity]:
        found = [ProcessIdentity.of(pid) for pid in self.pids().values()]
        return [identity for identity in found if identity is not None]

    def children(self) -> set[int]:
        """The pids of what it runs now: three servers and its programs."""
        pid = self.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def stop(self, signal_number: int) -> int:
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)
        self._log.close()


@contextmanager
def an_up(folder: Path, *options: str) -> Iterator[Up]:
    running = Up(folder, *options)
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The folder of one user, who starts and stops: making a cluster takes longer than starting it."""
    folder = open_temporary_folder()
    yield folder / "data"
    shutil.rmtree(folder)


def seconds_of_an_import() -> float:
    """How long the largest part of a start takes here and now."""
    began_at = time.monotonic()
    command = [sys.executable, "-P", "-c", "import fairbook.api"]
    subprocess.run(command, env=ENVIRONMENT, check=True)
    return time.monotonic() - began_at


def test_it_starts_and_stops_everything_and_starts_again_quickly_with_its_ports_and_secret(
    folder: Path,
) -> None:
    with an_up(folder) as up:
        up.ready_after_seconds()
        assert set(up.pids()) == {"postgres", "nats", "valkey", "api", "project", "handle"}
        assert up.is_ready()
        for path in ("/schema", "/metrics", "/health"):
            assert up.status_of(path) == 200
        assert up.status_of("/v1/accounts") == 401
        assert up.status_of("/v1/accounts", up.token) == 200
        running = up.everything()
        assert len(running) == 6
        assert up.stop(signal.SIGINT) == 0
        assert not any(process.is_running() for process in running)
    state = json.loads((folder / "state.json").read_text())
    for attempt in range(1, WARM_STARTS_MAX + 1):
        with an_up(folder) as again:
            seconds = again.ready_after_seconds()
            assert json.loads((folder / "state.json").read_text())["ports"] == state["ports"]
            assert again.status_of("/v1/accounts", up.token) == 200
        # A slow machine, or one that others use, is slow at everything.
        if seconds < WARM_READY_SECONDS_MAX or seconds < WARM_IMPORTS_MAX * seconds_of_an_import():
            break
        assert attempt < WARM_STARTS_MAX, f"ready after {seconds:.1f} seconds"


def test_of_several_api_processes_on_one_port_and_all_else_what_dies_is_started_again(
    folder: Path,
) -> None:
    with an_up(folder, "--api-processes", "2") as up:
        up.ready_after_seconds()
        assert {"api-1", "api-2"} <= set(up.pids())
        assert all(up.status_of("/v1/accounts", up.token) == 200 for _ in range(10))
        killed = {up.pids()[name] for name in ("api-1", "project", "handle", "postgres")}
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: up.said.count("exited") >= 4, READY_SECONDS_MAX), up.said

        def are_back() -> bool:
            return len(up.children()) == 7 and not up.children() & killed

        assert wait_until(are_back, READY_SECONDS_MAX), up.said
        assert wait_until(up.is_ready, READY_SECONDS_MAX), up.said
        assert up.status_of("/v1/accounts", up.token) == 200
        assert up.stop(signal.SIGTERM) == 0


def test_killed_it_leaves_nothing_running(folder: Path) -> None:
    with an_up(folder) as up:
        up.ready_after_seconds()
        running = up.everything()
        up.stop(signal.SIGKILL)
        assert wait_until(lambda: not any(process.is_running() for process in running), 30)


def test_a_taken_port_is_explained_before_anything_starts(open_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        up = Up(open_folder / "data", "--port", str(taken.getsockname()[1]))
        assert up.process.wait(timeout=30) == 1
        assert "Choose another with --port" in up.said
        assert not (open_folder / "data").exists()
        up.close()


def test_a_file_where_a_folder_should_be_is_explained(open_folder: Path) -> None:
    data = open_folder / "data"
    data.mkdir(mode=0o711)
    (data / "logs").write_text("in the way")
    with an_up(data) as up:
        assert up.process.wait(timeout=READY_SECONDS_MAX) == 1
        assert f"File exists: '{data / 'logs'}'. Mend it, or choose another folder" in up.said
        assert "Traceback" not in up.said


def test_it_goes_on_when_nobody_can_read_what_it_says(open_folder: Path) -> None:
    up = Up(open_folder / "data", output=Path("/dev/full"))
    try:
        assert wait_until(up.is_ready, READY_SECONDS_MAX)
        # The handlers start after it has said where everything is.
        log = open_folder / "data" / "logs" / "handle.log"
        assert wait_until(log.exists, READY_SECONDS_MAX)
        assert up.process.poll() is None
        assert up.stop(signal.SIGTERM) == 0
    finally:
        up.close()


def test_bad_settings_are_explained_before_anything_starts(open_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fairbook", "up", "--data", open_folder / "data"],
        env={**ENVIRONMENT, "FAIRBOOK_ENV": "staging"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "FAIRBOOK_ENV is 'staging'" in done.stderr
    assert not (open_folder / "data").exists()
