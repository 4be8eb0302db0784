"""How fast things are, each measured in a process of its own: fits on one core beside the peer's, and the value handler."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct

from application.football.matches import PricedMatch
from fairbook.fit_times import FitTimes
from fairbook.peer import ONE_THREAD, ROOT, PeerMissing, ask, question
from fairbook.targets import FootballTimes, Speed

ROUNDS: Final = 9
TURNS: Final = 2
HANDLER: Final = "benchmarks.value"
HANDLER_SECONDS_MAX: Final = 600
_WHOLE_FROM: Final = 1000


class _Finding(Struct):
    what: str
    measured: float
    unit: str
    aim: str = ""
    met: bool | None = None


class _Report(Struct):
    findings: list[_Finding]


def fit_times(
    files: Sequence[Path],
    leagues: Mapping[str, Sequence[PricedMatch]],
    notes: list[str],
    progress: Callable[[str, float], None],
    *,
    with_peer: bool,
    rounds: int = ROUNDS,
) -> FootballTimes | None:
    """Fit one league's matches (`files`, the first of `leagues`) again and again, in turns with the peer."""
    league, matches = next(iter(leagues.items()))
    asked = question({league: matches}, {league: matches[-1].played.played_at})
    asked["leagues"][league]["days"] = []
    asked["fits"] = {"league": league, "rounds": rounds}
    own: list[float] = []
    peers: list[float] = []
    posterior, count = 0.0, 0
    for turn in range(TURNS):
        progress("fit times", turn / TURNS)
        last = turn == TURNS - 1
        command = [sys.executable, "-m", "fairbook.fit_times", "--rounds", str(rounds)]
        done = subprocess.run(  # noqa: S603  the project's own program
            [*command, *(["--posterior"] if last else []), *map(str, files)],
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            notes.append(f"fits were not timed: {done.stderr.decode(errors='replace')[-200:]}")
            return None
        times = msgspec.json.decode(done.stdout, type=FitTimes)
        own += times.fits
        posterior, count = times.posterior or posterior, times.matches
        if with_peer:
            try:
                peers += ask(asked).seconds
            except (PeerMissing, OSError, msgspec.MsgspecError) as error:
                notes.append(f"the peer's fits were not timed: {error}")
                with_peer = False
    progress("fit times", 1.0)
    return FootballTimes(count, median(own), posterior, median(peers) if peers else None)


def handler_speed(notes: list[str], benchmark: str = HANDLER) -> tuple[Speed, ...]:
    """Run the value handler's benchmark, and give what was aimed at; nothing, and a note, when it cannot run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "value.json"
        done = subprocess.run(  # noqa: S603  the project's own program
            [sys.executable, "-m", benchmark, "--short", "--json", str(file)],
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=HANDLER_SECONDS_MAX,
        )
        if not file.exists():
            words = done.stderr.decode(errors="replace").strip().splitlines() or ["no words"]
            notes.append(f"the value handler was not measured: {words[-1][:200]}")
            return ()
        report = msgspec.json.decode(file.read_bytes(), type=_Report)
    return tuple(
        Speed(each.what.strip(), each.aim, _measured(each), each.met)
        for each in report.findings
        if each.met is not None
    )


def _measured(finding: _Finding) -> str:
    if finding.aim == "holds":
        return "yes" if finding.met else "no"
    places = 0 if finding.measured >= _WHOLE_FROM else 1
    return f"{finding.measured:,.{places}f} {finding.unit}".strip()
