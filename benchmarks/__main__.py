"""Every benchmark, then one table: `python -m benchmarks [--short] [NAME …]`."""

import argparse
import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.report import RESULTS, Finding, Report, print_table, run, say

NAMES: Final = (
    "place_bets",
    "odds",
    "value",
    "settlement",
    "rebuild",
    "history",
    "memory",
    "startup",
    "telemetry",
    "writers",
)


def main() -> int:
    """Run what was asked for; exit status 1 when an aim is missed or a benchmark failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--short", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the summary")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    reports: list[Report] = []
    failed: dict[str, str] = {}
    for name in arguments.names or NAMES:
        measure = importlib.import_module(f"benchmarks.{name}").measure
        try:
            reports.append(run(name, measure, short=arguments.short))
        except Exception as error:  # noqa: BLE001  the others are worth having all the same
            failed[name] = f"{type(error).__name__}: {error}"
            say(f"{name} failed: {failed[name]}")
        print()
    findings = [each for report in reports for each in report.findings]
    print_table(findings)
    for name, reason in failed.items():
        print(f"{name} failed: {reason}")
    _write(arguments.json or RESULTS / "summary.json", reports, failed)
    return 1 if failed or any(each.met is False for each in findings) else 0


def _write(file: Path, reports: list[Report], failed: dict[str, str]) -> None:
    table: dict[str, list[Finding]] = {each.benchmark: each.findings for each in reports}
    summary = {
        "at": datetime.now(UTC),
        "mode": reports[0].mode if reports else "",
        "machine": reports[0].machine if reports else {},
        "findings": table,
        "failed": failed,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
