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


def test_a_token_is_all_that_token_prints(tmp_path: Path) -> None:
    said = fairbook("token", "--role", "trader", "--user", "alice", "--ttl", "1h", cwd=tmp_path)
    assert said.returncode == 0
    assert said.stdout.count(".") == 2
    assert len(said.stdout.split()) == 1
