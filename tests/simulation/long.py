"""A long run of the simulation on a database of its own: `python -m tests.simulation.long [COMMANDS] [SEED]`."""

import asyncio
import shutil
import sys
import time
from collections import Counter

from adapters.embedded import EmbeddedServers
from tests.conftest import open_temporary_folder
from tests.simulation.run import Run

COMMANDS = 100_000
REPORT_EVERY = 5_000


def main(commands: int, seed: int) -> None:
    """Run, with progress, and print what happened; an AssertionError says where the ledger and the oracle part."""
    folder = open_temporary_folder()
    with EmbeddedServers(folder, print, only=("postgres",), environment={}) as servers:
        began, told = time.monotonic(), 0

        def report(done: int) -> None:
            nonlocal told
            if done >= told + REPORT_EVERY:
                told = done
                print(f"{done:,} commands, {time.monotonic() - began:.0f} s", flush=True)

        run = Run(servers.urls.database, seed, unrest=0.04)
        log = asyncio.run(run.go(commands, report))
        took = time.monotonic() - began
    shutil.rmtree(folder)
    print(f"seed {seed}: {run.asked.total():,} commands, {len(log.events):,} events, {took:.0f} s")
    print("asked:", dict(run.asked.most_common()))
    print("refused:", dict(run.refused.most_common()))
    print("interrupted:", dict(run.interrupted))
    print("events:", dict(Counter(type(each.event).__name__ for each in log.events)))
    print("every bet and every balance is as the oracle says")


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(given[0] if given else COMMANDS, given[1] if len(given) > 1 else 1)
