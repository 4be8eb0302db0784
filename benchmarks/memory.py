"""How much memory the API process takes with 100,000 warm accounts: each was touched by a command over HTTP."""

import random
import secrets
import sys
from typing import Final

from benchmarks import report, seeding, usage
from benchmarks.load import Spec, drive
from benchmarks.place_bets import Loads
from benchmarks.report import Outcome, at_least, at_most, plain, say
from benchmarks.seeding import Seeds
from benchmarks.service import Service, embedded_servers
from domain.commands.bet import PlaceBets

ACCOUNTS: Final = 100_000
BATCH_BETS: Final = 500
AIM_MIB: Final = 1_024.0
_GAUGE: Final = "fairbook_streams_in_memory"


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Warm the accounts with batches, then load with single bets, and read the process's memory."""
    with embedded_servers() as servers:
        say(f"opening {ACCOUNTS:,} accounts")
        seeds = seeding.seed(servers.urls.database, ACCOUNTS)
        with Service(servers, servers.urls.database) as service:
            empty, _ = usage.resident_mib(service.pid("api"))
            _touch(service, seeds)
            warm, _ = usage.resident_mib(service.pid("api"))
            streams = _gauge(service)
            say(f"  {warm:.0f} MiB; now single bets")
            Loads(service, seeds).single(5.0 if short else 20.0)
            loaded, peak = usage.resident_mib(service.pid("api"))
    return Outcome(
        [
            at_least("streams in memory", streams, "streams", ACCOUNTS),
            plain("API process at the start", empty, "MiB"),
            plain(f"  with {ACCOUNTS:,} accounts warm", warm, "MiB"),
            plain("  and after single bets from all of them", loaded, "MiB"),
            at_most("  at its peak", peak, "MiB", AIM_MIB),
        ]
    )


def _touch(service: Service, seeds: Seeds) -> None:
    """Place one bet on every account, in batches."""
    rng = random.Random(6)
    bodies = [
        seeding.body(
            PlaceBets(
                bets=[
                    seeding.bet(rng, each, seeds.markets)
                    for each in seeds.accounts[begin : begin + BATCH_BETS]
                ]
            )
        )
        for begin in range(0, len(seeds.accounts), BATCH_BETS)
    ]
    figures = drive(
        Spec(
            port=service.port,
            path="/v1/bets/batch",
            connections=4,
            warm_up_seconds=0,
            seconds=300,
            requests=len(bodies),
            key_prefix=secrets.token_hex(6),
            expected_status=200,
            accepted='"status":"open"',
            tokens=[service.token(seeding.ADMIN.user, seeding.ADMIN.role)] * len(bodies),
            bodies=bodies,
        )
    )
    if figures.accepted != len(seeds.accounts):
        raise RuntimeError(f"{figures.accepted} of {len(seeds.accounts)} accounts were touched")


def _gauge(service: Service) -> float:
    _, text = service.get("/metrics")
    for line in text.splitlines():
        if line.startswith(_GAUGE):
            return float(line.rpartition(" ")[2])
    raise RuntimeError(f"/metrics does not show {_GAUGE}")


if __name__ == "__main__":
    sys.exit(report.main("memory", measure))
