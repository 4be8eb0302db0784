"""penaltyblog's Dixon–Coles on the same matches, in its own venv (tools/compare.sh): asked and heard in JSON."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from application.football.matches import PricedMatch
from domain.prediction.checks import Floats
from domain.prediction.goals_table import FINISHED_AFTER

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = ROOT / ".venv-compare" / "bin" / "python"
SCRIPT: Final = ROOT / "tools" / "penaltyblog_peer.py"
XI: Final = 0.0018
"""Its own default decay a day: a half-life of 385 days."""

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class PeerMissing(Exception):  # noqa: N818  it is no fault of the program
    """The peer is not installed, or did not answer; the message says what to do."""


class PeerAnswer(Struct, frozen=True):
    """What the peer said: chances of home, draw, away by league, None for sides that it does not know."""

    version: str
    chances: dict[str, tuple[tuple[float, float, float] | None, ...]]
    seconds: tuple[float, ...] = ()


def question(leagues: Mapping[str, Sequence[PricedMatch]], since: Mapping[str, datetime]) -> Any:
    """Give the peer's question: each day's matches from `since` on, and how many of the earlier ones were over then."""
    asked = {}
    for league, matches in leagues.items():
        played = [match.played for match in matches]
        days = []
        for day, today in groupby(
            (match for match in played if match.played_at >= since[league]),
            key=lambda match: match.played_at.astimezone(UTC).date(),
        ):
            begins = datetime.combine(day, time(), UTC)
            known = sum(match.played_at + FINISHED_AFTER <= begins for match in played)
            days.append([_naive(begins), known, [[match.home, match.away] for match in today]])
        asked[league] = {
            "matches": [
                [m.home, m.away, m.home_goals, m.away_goals, _naive(m.played_at)] for m in played
            ],
            "days": days,
        }
    return {"xi": XI, "leagues": asked}


def ask(
    asked: Any, progress: Callable[[str, float], None] | None = None, python: Path = PYTHON
) -> PeerAnswer:
    """Run the peer in its venv. Raises PeerMissing."""
    if not python.exists():
        raise PeerMissing(
            "penaltyblog is not installed: `make evaluate`, or tools/compare.sh, does"
        )
    # Its answer goes to a file: nobody reads it while its progress is read.
    with (
        tempfile.TemporaryFile() as answer,
        subprocess.Popen(  # noqa: S603  the project's own script
            [str(python), "-I", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD},
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stderr is not None
        with contextlib.suppress(BrokenPipeError):  # it ended at once: its status says so below
            json.dump(asked, process.stdin)
            process.stdin.close()
        last = ""
        for line in process.stderr:
            last = line.strip() or last
            step = _step(line)
            if step and progress:
                progress(f"penaltyblog {step[0]}", step[1])
        if process.wait():
            raise PeerMissing(f"penaltyblog ended with status {process.returncode}: {last}")
        answer.seek(0)
        content = answer.read()
    return msgspec.json.decode(content, type=PeerAnswer)


def chances_of(answer: PeerAnswer, league: str) -> Floats:
    """Give the chances (matches, 3) of a league's matches that were asked for, NaN where it does not know a side."""
    rows = [(np.nan,) * 3 if row is None else row for row in answer.chances[league]]
    given = np.array(rows, np.float64).reshape(-1, 3)
    found: Floats = given / given.sum(1, keepdims=True)
    return found


def _naive(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def _step(line: str) -> tuple[str, float] | None:
    try:
        return msgspec.json.decode(line, type=tuple[str, float])
    except msgspec.MsgspecError:
        return None  # a warning of somebody else's
