"""Prices in, signals out: board and search from memory, and what follows through real servers."""

import importlib
import sys
from typing import Any, Final

from benchmarks import report
from benchmarks.report import Finding, Outcome, say

SECTIONS: Final = ("engine", "signals", "live_clients")
"""Modules of this folder, each with a `measure(short)`: the table of this benchmark is theirs, one below the other."""


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Measure every section."""
    findings: list[Finding] = []
    details: dict[str, Any] = {}
    for name in SECTIONS:
        say(f"{name} …")
        outcome: Outcome = importlib.import_module(f"benchmarks.{name}").measure(short)
        findings += outcome.findings
        details[name] = outcome.details
    return Outcome(findings, details)


if __name__ == "__main__":
    sys.exit(report.main("odds", measure))
