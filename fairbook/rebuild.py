"""`fairbook rebuild`: build read models anew beside the live ones, then swap."""

import argparse
import gc
import sys
import time

import psycopg
from eventsourcing.persistence import PersistenceError
from rich.console import Console

from adapters.postgres.build import BuildFailed, BuildInProgress
from adapters.postgres.rebuild import SwapRefused, rebuild
from adapters.postgres.snapshot_projection import PROJECTIONS
from application.log import LogUnavailable
from fairbook.database import answering_database_url
from fairbook.progress import events_bar
from fairbook.settings import Settings

GC_THRESHOLDS = (200_000, 50, 100)
"""A build makes millions of objects that die with their batch, and no cycles to collect."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help=f"which models: all, or some of {', '.join(PROJECTIONS)}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Rebuild; readers and workers go on meanwhile."""
    names = (
        list(PROJECTIONS) if arguments.names == ["all"] else list(dict.fromkeys(arguments.names))
    )
    if unknown := [name for name in names if name not in PROJECTIONS]:
        known = ", ".join(PROJECTIONS)
        print(f"no read model {', '.join(unknown)}; there are all, {known}", file=sys.stderr)
        return 2
    try:
        database_url = answering_database_url(Settings.from_environment())
    except LogUnavailable as error:
        print(f"fairbook rebuild: {error}", file=sys.stderr)
        return 1
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    console = Console(stderr=True)
    began = time.monotonic()
    try:
        with events_bar(console, f"rebuild {' '.join(arguments.names)}") as progress:
            position = rebuild(database_url, [PROJECTIONS[name] for name in names], progress)
    except (BuildInProgress, BuildFailed, SwapRefused) as error:
        print(f"fairbook rebuild: {error}", file=sys.stderr)
        return 1
    except (psycopg.Error, PersistenceError) as error:
        said = str(error).strip().partition("\n")[0]
        print(f"fairbook rebuild: the database: {said}; run it again", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    rate = position / seconds
    print(f"{', '.join(names)}: {position:,} events in {seconds:.1f} s ({rate:,.0f} a second)")
    return 0
