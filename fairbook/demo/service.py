"""A whole fairbook of the demo's own, in a temporary folder on free ports, gone when the demo ends."""

import os
import secrets
import shutil
import socket
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from adapters.embedded import EmbeddedServers
from fairbook.client import ServiceError
from fairbook.program import Program
from fairbook.token import mint

USER: Final = "demo"
SECRET_BYTES: Final = 48
TOKEN_TTL_SECONDS: Final = 12 * 3_600
START_SECONDS_MAX: Final = 120.0
STOP_SECONDS_MAX: Final = 30.0
POLL_SECONDS: Final = 0.05


class Service(Struct, frozen=True):
    """Where a service answers, a token that may do everything there, and its database if it is known."""

    url: str
    token: str
    database_url: str | None


@contextmanager
def own_service(report: Callable[[str], None]) -> Iterator[Service]:
    """Run servers, API and workers until the block ends; `report` hears of each step.

    Raises:
        EmbeddedError: the servers cannot run here.
        ServiceError: the service does not start; its last words are in the message.
    """
    folder = Path(tempfile.mkdtemp(prefix="fairbook-demo-"))
    # Run by root, the servers run as another account, which must get through.
    folder.chmod(0o711)
    try:
        with EmbeddedServers(folder / "servers", report, environment={}) as servers:
            secret = secrets.token_urlsafe(SECRET_BYTES)
            port = _free_port()
            home = folder / "home"
            program = Program(
                "fairbook",
                ["up", "--port", str(port), "--data", str(home)],
                folder / "fairbook.log",
                _environment() | servers.urls.environment() | {"FAIRBOOK_SECRET": secret},
            )
            program.start()
            try:
                url = f"http://127.0.0.1:{port}"
                _wait_ready(url, program)
                report(f"fairbook: ready on port {port}")
                token = mint(secret, USER, "admin", TOKEN_TTL_SECONDS)
                yield Service(url, token, servers.urls.database)
            finally:
                program.child.ask_to_stop()
                program.child.wait_stopped(STOP_SECONDS_MAX)
    finally:
        shutil.rmtree(folder)


def _environment() -> dict[str, str]:
    """What the user has set for fairbook, its servers and its clients is not meant for this one."""
    servers = {"DATABASE_URL", "NATS_URL", "REDIS_URL"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in servers and not name.startswith("FAIRBOOK_")
    }


def _wait_ready(url: str, program: Program) -> None:
    give_up_at = time.monotonic() + START_SECONDS_MAX
    while True:
        said = _not_ready(url)
        if said is None:
            return
        if program.child.exit_status is not None or time.monotonic() > give_up_at:
            raise ServiceError(f"the service does not start: {said}\n{program.child.log_tail()}")
        time.sleep(POLL_SECONDS)


def _not_ready(url: str) -> str | None:
    """Ask the service whether it is ready: None, or what stands in the way."""
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=START_SECONDS_MAX):  # noqa: S310  our own URL
            return None
    except OSError as error:
        return str(error)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
