"""Programs here are real subcommands; `token` ends at once, as a crashed one would."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded.processes import wait_until
from fairbook.program import RESTARTS_MAX, Program, UpError

TOKEN = ["token", "--role", "trader", "--user", "alice"]
ENVIRONMENT = {**os.environ, "FAIRBOOK_SECRET": "s" * 32}


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[Program]:
    program = Program("token", TOKEN, tmp_path / "token.log", ENVIRONMENT)
    program.start()
    yield program
    program.child.wait_stopped(patience_seconds=5)


def ended(program: Program) -> bool:
    return wait_until(lambda: program.child.exit_status is not None, patience_seconds=30)


def test_one_that_died_says_its_last_words_and_is_started_again_after_a_while(
    short_lived: Program, lines: list[str]
) -> None:
    first = short_lived.child.pid
    assert ended(short_lived)
    noticed_at = time.monotonic()
    short_lived.keep_up(lines.append)
    assert "token exited with status 0:\neyJ" in lines[0]
    assert f"restart 1 of {RESTARTS_MAX} in 0.5 s" in lines[0]
    while short_lived.child.pid == first:
        time.sleep(0.01)
        short_lived.keep_up(lines.append)
    assert time.monotonic() - noticed_at >= 0.5
    assert len(lines) == 1


def test_the_pauses_grow_and_after_the_last_restart_it_is_given_up(
    short_lived: Program, lines: list[str]
) -> None:
    short_lived._restarts = RESTARTS_MAX - 1
    assert ended(short_lived)
    short_lived.keep_up(lines.append)
    assert lines[0].endswith(f"restart {RESTARTS_MAX} of {RESTARTS_MAX} in 8 s")
    short_lived.start()
    assert ended(short_lived)
    with pytest.raises(UpError, match=r"(?s)exited with status 0.*whole log: .*token\.log"):
        short_lived.keep_up(lines.append)


def test_one_that_cannot_use_its_settings_is_given_up_at_once(
    tmp_path: Path, lines: list[str]
) -> None:
    refused = Program(
        "token", TOKEN, tmp_path / "token.log", {**ENVIRONMENT, "FAIRBOOK_SECRET": "short"}
    )
    refused.start()
    assert ended(refused)
    with pytest.raises(UpError, match="FAIRBOOK_SECRET holds 5 bytes"):
        refused.keep_up(lines.append)
    assert lines == []
