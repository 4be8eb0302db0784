"""What a benchmark found: rows of one table, and the same as JSON."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

RESULTS: Final = Path(__file__).parent / "results"


class Finding(Struct, frozen=True, kw_only=True):
    """One measured value, beside its peer's where it has one; `met` is None where nothing is aimed at."""

    what: str
    measured: float
    unit: str
    peer: str = ""
    peer_measured: float | None = None
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None


def at_least(what: str, measured: float, unit: str, aim: float) -> Finding:
    """Make a finding that should not be below `aim`."""
    return Finding(
        what=what, measured=measured, unit=unit, aim=f"≥ {aim:,g} {unit}", met=measured >= aim
    )


def at_most(what: str, measured: float, unit: str, aim: float) -> Finding:
    """Make a finding that should not be above `aim`."""
    return Finding(
        what=what, measured=measured, unit=unit, aim=f"≤ {aim:,g} {unit}", met=measured <= aim
    )


def beside(
    what: str,
    measured: float,
    unit: str,
    peer: str,
    peer_measured: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    ratio: float | None = None,
) -> Finding:
    """Make a finding whose ratio to a peer should not be below, or not above, a bound.

    `ratio` is that of the two values, unless it was found another way (round by round, for instance).
    """
    if ratio is None:
        ratio = measured / peer_measured if peer_measured else float("inf")
    aim, met = "", None
    if at_least is not None:
        aim, met = f"≥ {at_least:g} ×", ratio >= at_least
    elif at_most is not None:
        aim, met = f"≤ {at_most:g} ×", ratio <= at_most
    return Finding(
        what=what,
        measured=measured,
        unit=unit,
        peer=peer,
        peer_measured=peer_measured,
        ratio=ratio,
        aim=aim,
        met=met,
    )


def true(what: str, *, holds: bool) -> Finding:
    """Make a finding that is either so or not so."""
    return Finding(what=what, measured=float(holds), unit="", aim="holds", met=holds)


def plain(what: str, measured: float, unit: str) -> Finding:
    """Make a finding that only informs."""
    return Finding(what=what, measured=measured, unit=unit)


class Report(Struct, kw_only=True):
    """Everything that one run of a benchmark found; `details` holds every round."""

    benchmark: str
    mode: str
    at: datetime
    seconds: float
    machine: dict[str, str]
    findings: list[Finding]
    details: dict[str, Any]


class Outcome(Struct):
    """Findings, and the rounds that they come from."""

    findings: list[Finding]
    details: dict[str, Any] = {}


Measure = Callable[[bool], Outcome]
"""A benchmark: takes whether it should be short, gives what it found."""


def run(name: str, measure: Measure, *, short: bool, json_file: Path | None = None) -> Report:
    """Run a benchmark, print its table and write its JSON."""
    began = time.monotonic()
    say(f"── {name} ({'short' if short else 'full'})")
    outcome = measure(short)
    report = Report(
        benchmark=name,
        mode="short" if short else "full",
        at=datetime.now(UTC),
        seconds=round(time.monotonic() - began, 1),
        machine=_machine(),
        findings=outcome.findings,
        details=outcome.details,
    )
    print_table(report.findings)
    file = json_file or RESULTS / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    say(f"{name}: {report.seconds:.0f} s; written to {file}")
    return report


def main(name: str, measure: Measure, argv: Sequence[str] | None = None) -> int:
    """Be the command line of one benchmark; exit status 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--short", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the findings")
    arguments = parser.parse_args(argv)
    report = run(name, measure, short=arguments.short, json_file=arguments.json)
    return 0 if all(each.met is not False for each in report.findings) else 1


def say(line: str) -> None:
    """Show progress."""
    print(line, file=sys.stderr, flush=True)


def print_table(findings: Sequence[Finding]) -> None:
    """Print findings as one table."""
    rows = [("what", "measured", "peer", "ratio", "aim", "met?")]
    rows += [_cells(each) for each in findings]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("─" * width for width in widths))
    sys.stdout.flush()


def _cells(each: Finding) -> tuple[str, str, str, str, str, str]:
    measured = f"{_number(each.measured)} {each.unit}".strip()
    if each.aim == "holds":
        measured = "yes" if each.met else "no"
    peer = f"{each.peer} {_number(each.peer_measured)}" if each.peer_measured is not None else ""
    ratio = f"{each.ratio:.2f}" if each.ratio is not None else ""
    met = {None: "", True: "yes", False: "NO"}[each.met]
    return each.what, measured, peer, ratio, each.aim, met


def _number(value: float) -> str:
    if abs(value) >= 1_000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def _machine() -> dict[str, str]:
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load_average": " ".join(f"{each:.2f}" for each in os.getloadavg()),
    }
