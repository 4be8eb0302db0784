"""`fairbook rebuild all` from a log of a million events, which half a million bets through the Ledger have made."""

import asyncio
import random
import subprocess
import sys
import time
from typing import Final

import psycopg
import uvloop
from msgspec import Struct

from adapters.embedded import EmbeddedServers
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from benchmarks import report, seeding
from benchmarks.lag import LagWatch
from benchmarks.report import Outcome, at_least, plain, say, true
from benchmarks.service import Service, embedded_servers, environment
from fairbook.program import CHECKOUT

ACCOUNTS: Final = 10_000
EVENTS: Final = 1_000_000
BATCH_BETS: Final = 500
EVENTS_A_BET: Final = 2
AIM: Final = 50_000
_BATCHES_AT_ONCE: Final = 8


class Rebuilt(Struct):
    """One rebuild of all models."""

    seconds: float
    events: int
    events_per_second: float


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Fill a log, bring the models up to it once, then rebuild them all, and compare every table."""
    events = EVENTS // 5 if short else EVENTS
    with embedded_servers() as servers:
        url = servers.urls.database
        say(f"placing bets for {events:,} events")
        began = time.monotonic()
        placed = uvloop.run(fill(url, events))
        ledger_seconds = time.monotonic() - began
        began = time.monotonic()
        with Service(servers, url, programs=("project",)):
            watch = LagWatch(url)
            head = watch.head()
            watch.wait_until(head, patience_seconds=600)
            followed_seconds = time.monotonic() - began
            watch.close()
        before = rows(url)
        rounds = [_rebuild(servers, url, head) for _ in range(1 if short else 3)]
        same = before == rows(url)
    best = sorted(rounds, key=lambda each: each.seconds)[len(rounds) // 2]
    return Outcome(
        [
            at_least(
                f"rebuild of all models, {head:,} events", best.events_per_second, "events/s", AIM
            ),
            plain("  time", best.seconds, "s"),
            plain("following the same log from 0, one worker", head / followed_seconds, "events/s"),
            plain(
                "the Ledger by itself, batches of 500, no HTTP", placed / ledger_seconds, "bets/s"
            ),
            true("the same rows before and after", holds=same),
        ],
        {"rounds": rounds},
    )


async def fill(database_url: str, events: int, accounts: int = ACCOUNTS) -> int:
    """Place bets through a Ledger until the log has about so many events; give the number of bets."""
    rng = random.Random(2)
    async with Ledger(ledger_environment(database_url)) as ledger:
        seeds = await seeding.seed_with(ledger, accounts)
        left = (events - 2 * accounts) // (EVENTS_A_BET * BATCH_BETS)
        at_once = asyncio.Semaphore(_BATCHES_AT_ONCE)

        async def place() -> None:
            async with at_once:
                command = seeding.batch(rng, seeds, BATCH_BETS)
                await ledger.submit(command, seeding.ADMIN)

        await asyncio.gather(*(place() for _ in range(left)))
    return left * BATCH_BETS


def _rebuild(servers: EmbeddedServers, database_url: str, events: int) -> Rebuilt:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "fairbook", "rebuild", "all"],
        env=environment(servers) | {"DATABASE_URL": database_url},
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.monotonic() - began
    say(f"  rebuilt in {seconds:.1f} s")
    return Rebuilt(seconds, events, events / seconds)


_TABLES: Final = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = 'read_models' AND table_type = 'BASE TABLE' ORDER BY 1"""


def rows(database_url: str) -> dict[str, tuple[int, int]]:
    """Give the number of rows of every read model's table, and a sum of their hashes."""
    found = {}
    with psycopg.connect(database_url) as connection:
        for (table,) in connection.execute(_TABLES).fetchall():
            sql = f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM read_models.{table} t"  # noqa: S608  a name from the catalogue
            row = connection.execute(sql.encode()).fetchone()
            assert row is not None
            found[table] = (int(row[0]), int(row[1]))
    return found


if __name__ == "__main__":
    sys.exit(report.main("rebuild", measure))
