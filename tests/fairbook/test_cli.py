import subprocess
import sys
from pathlib import Path

import pytest

from fairbook.cli import COMMANDS

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "FAIRBOOK_SECRET": "s" * 32}


def fairbook(
    *words: str, cwd: Path, environment: dict[str, str] = ENVIRONMENT
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "fairbook", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_help_names_every_command(tmp_path: Path) -> None:
    said = fairbook("--help", cwd=tmp_path)
    assert said.returncode == 0
    assert all(f"\n    {name} " in said.stdout for name in COMMANDS)


def test_the_help_imports_no_command(tmp_path: Path) -> None:
    program = (
        "import sys, fairbook.cli\ntry: fairbook.cli.main(['--help'])\nexcept SystemExit: pass\n"
    )
    program += "print(*sys.modules, sep='\\n')"
    said = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(said.stdout.split())
    assert loaded.isdisjoint({"jwt", "psycopg", "litestar", *(m for m, _ in COMMANDS.values())})


@pytest.mark.parametrize("words", [["--nonsense"], ["nonsense"], []])
def test_what_it_does_not_know_is_refused(tmp_path: Path, words: list[str]) -> None:
    said = fairbook(*words, cwd=tmp_path)
    assert said.returncode == 2
    assert "usage: fairbook" in said.stderr


def test_bad_settings_are_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    said = fairbook(
        *("token", "--role", "trader", "--user", "alice"),
        cwd=tmp_path,
        environment={**ENVIRONMENT, "FAIRBOOK_SECRET": "short"},
    )
    assert said.returncode == 2
    assert said.stderr.startswith("fairbook token: FAIRBOOK_SECRET holds 5 bytes")
    assert "Traceback" not in said.stderr


MODEL = "018f0000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "words",
    [
        ("rebuild", "all"),
        ("replay",),
        ("models",),
        ("activate", MODEL),
        ("predict", "football", "--all"),
        ("train", "football", "--scope", "E0"),
    ],
    ids=" ".join,
)
def test_a_database_that_does_not_answer_is_one_sentence_and_not_waited_for(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = fairbook(
        *words,
        cwd=tmp_path,
        environment={
            **ENVIRONMENT,
            "HOME": str(tmp_path),
            "FAIRBOOK_HOME": str(tmp_path),
            "DATABASE_URL": "postgresql://u:secret-word@127.0.0.1:1/d",
        },
    )
    assert said.returncode in {1, 2}
    assert "PostgreSQL cannot be used" in said.stderr
    assert "correct DATABASE_URL" in said.stderr
    assert "Traceback" not in said.stderr
    assert "secret-word" not in said.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        *(
            ((command, "--port", port), "is no port")
            for command in ("up", "api")
            for port in ("0", "-1", "70000")
        ),
        (("up", "--data", ""), "names no folder"),
        (("up", "--data", "~nobody-of-that-name/data"), "home of nobody"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_before_anything_starts(
    tmp_path: Path, words: tuple[str, ...], problem: str
) -> None:
    said = fairbook(
        *words, cwd=tmp_path, environment={**ENVIRONMENT, "FAIRBOOK_HOME": str(tmp_path / "data")}
    )
    assert said.returncode == 2
    assert problem in said.stderr
    assert "Traceback" not in said.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("host", ["nowhere.invalid", "ü.."])
def test_a_host_that_cannot_be_listened_on_is_explained(tmp_path: Path, host: str) -> None:
    said = fairbook(
        *("up", "--host", host, "--port", "1"),
        cwd=tmp_path,
        environment={**ENVIRONMENT, "FAIRBOOK_HOME": str(tmp_path / "data")},
    )
    assert said.returncode == 1
    assert "Correct --host" in said.stdout
    assert not list(tmp_path.iterdir())


def test_a_token_is_all_that_token_prints(tmp_path: Path) -> None:
    said = fairbook("token", "--role", "trader", "--user", "alice", "--ttl", "1h", cwd=tmp_path)
    assert said.returncode == 0
    assert said.stdout.count(".") == 2
    assert len(said.stdout.split()) == 1
