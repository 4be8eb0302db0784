"""What a bet costs on an account with a million events beside one with ten: it should not matter.

Warm: rounds of single commands on one account and then the other, alternating. After a restart: a new Ledger for every
measurement, whose first bet on the account has to restore its state from the writer's snapshot and the log's tail.
"""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import uvloop
from msgspec import Struct

from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from benchmarks import report, seeding
from benchmarks.lag import LagWatch
from benchmarks.report import Outcome, beside, say
from benchmarks.seeding import Seeds
from benchmarks.service import Service, embedded_servers
from domain.commands.bet import PlaceBets

LONG_EVENTS: Final = 1_000_000
SHORT_EVENTS: Final = 10
AIM: Final = 1.3
OWN_EVENTS: Final = 2  # opened, and one deposit
BATCH_BETS: Final = 1_000
AT_ONCE: Final = 64
BETS_A_ROUND: Final = 640


class Costs(Struct):
    """Times of one bet on the long and on the short account, in microseconds, round by round."""

    long: list[float] = []
    short: list[float] = []

    def add(self, long: float, short: float) -> None:
        """Keep one round."""
        self.long.append(long)
        self.short.append(short)


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Grow one account, leave the other short, then bet on both in turn."""
    events = LONG_EVENTS // 10 if short else LONG_EVENTS
    with embedded_servers() as servers:
        url = servers.urls.database
        with Service(servers, url, programs=("project",)):
            say(f"growing an account to {events:,} events")
            seeds = uvloop.run(_grow(url, events))
            watch = LagWatch(url)
            watch.wait_until(watch.head(), patience_seconds=900)
            warm = uvloop.run(_warm(url, seeds, rounds=15 if short else 31))
            watch.wait_until(watch.head())
            restarted = Costs()
            for number in range(15 if short else 31):
                restarted.add(*uvloop.run(_after_restart(url, seeds, long_first=number % 2 == 0)))
            watch.close()
    what = f"{events:,} events"
    return Outcome(
        [
            _beside(f"a bet on an account with {what}, warm", warm),
            _beside("  its first bet after a restart", restarted),
        ],
        {"warm": warm, "restarted": restarted},
    )


def _beside(what: str, costs: Costs) -> report.Finding:
    return beside(
        what,
        statistics.median(costs.long),
        "µs",
        f"with {SHORT_EVENTS}:",
        statistics.median(costs.short),
        at_most=AIM,
    )


async def _grow(url: str, events: int) -> Seeds:
    """Open four accounts: the long one, the short one, and one beside each that warms the code and the market up."""
    rng = random.Random(3)
    async with Ledger(ledger_environment(url)) as ledger:
        seeds = await seeding.seed_with(ledger, 3)
        long, short, _ = seeds.accounts
        await _place(ledger, rng, seeds, [short] * (SHORT_EVENTS - OWN_EVENTS))
        left = events - OWN_EVENTS
        while left > 0:
            some = min(left, 8 * BATCH_BETS)
            await asyncio.gather(
                *(
                    _place(ledger, rng, seeds, [long] * min(BATCH_BETS, some - begin))
                    for begin in range(0, some, BATCH_BETS)
                )
            )
            left -= some
    return seeds


async def _place(ledger: Ledger, rng: random.Random, seeds: Seeds, accounts: list[UUID]) -> None:
    bets = [seeding.bet(rng, each, seeds.markets) for each in accounts]
    await ledger.submit(PlaceBets(bets=bets), seeding.ADMIN)


async def _warm(url: str, seeds: Seeds, rounds: int) -> Costs:
    rng, costs = random.Random(4), Costs()
    long, short, _ = seeds.accounts
    async with Ledger(ledger_environment(url)) as ledger:
        await _round(ledger, rng, seeds, short)
        await _round(ledger, rng, seeds, long)
        for number in range(rounds):
            pair = [long, short] if number % 2 == 0 else [short, long]
            took = {each: await _round(ledger, rng, seeds, each) for each in pair}
            costs.add(took[long], took[short])
    return costs


async def _round(
    ledger: Ledger, rng: random.Random, seeds: Seeds, account_id: UUID, bets: int = BETS_A_ROUND
) -> float:
    """Place single bets, 64 at a time, and give the time of one in microseconds."""
    commands = [seeding.bet(rng, account_id, seeds.markets) for _ in range(bets)]
    began = time.perf_counter()
    for begin in range(0, bets, AT_ONCE):
        await asyncio.gather(
            *(ledger.submit(each, seeding.ADMIN) for each in commands[begin : begin + AT_ONCE])
        )
    return 1e6 * (time.perf_counter() - began) / bets


async def _after_restart(url: str, seeds: Seeds, *, long_first: bool) -> tuple[float, float]:
    """Open the ledger anew, warm it with another account, and time the first bet on each account."""
    rng = random.Random(5)
    long, short, other = seeds.accounts
    order: Sequence[UUID] = (long, short) if long_first else (short, long)
    async with Ledger(ledger_environment(url)) as ledger:
        for market in seeds.markets:  # all markets are in memory before the clock starts
            await ledger.submit(seeding.bet(rng, other, [market]), seeding.ADMIN)
        took = {each: await _round(ledger, rng, seeds, each, bets=1) for each in order}
    return took[long], took[short]


if __name__ == "__main__":
    sys.exit(report.main("history", measure))
