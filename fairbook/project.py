"""`fairbook project`: keep the read models up with the log."""

import argparse
import gc
import sys

from adapters.postgres.projector import Projector
from adapters.postgres.snapshot_projection import PROJECTIONS
from adapters.postgres.stop import Stop
from adapters.telemetry import set_up
from fairbook.settings import Settings

GC_THRESHOLDS = (100_000, 50, 100)
"""A batch makes many objects that die with it, and no cycles to collect."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which models (default: all): {', '.join(PROJECTIONS)}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Follow the log until a signal says stop."""
    if unknown := [name for name in arguments.names if name not in PROJECTIONS]:
        known = ", ".join(PROJECTIONS)
        print(f"no read model {', '.join(unknown)}; there are {known}", file=sys.stderr)
        return 2
    database_url = Settings.from_environment().require_database_url()
    set_up("fairbook-project")
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    stop = Stop()
    stop.on_signals()
    names = arguments.names or PROJECTIONS
    Projector(database_url, [PROJECTIONS[name] for name in names]).run(stop)
    return 0
