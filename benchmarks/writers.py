"""One writer process beside two on one log, and two ways for them to agree.

As built, a writer appends in the hope that nobody else did, and takes the lock when it finds that it was wrong. The other
way takes the lock first, always. Both decide under the same promise: against everything committed before.
"""

import asyncio
import random
import statistics
import subprocess
import sys
import time
from typing import Any, Final, Literal

import msgspec
import uvloop
from msgspec import Struct

from adapters.postgres.settings import ledger_environment
from application.ids import new_id
from application.ledger import Ledger
from application.writer import Writer
from benchmarks import report, seeding
from benchmarks.report import Finding, Outcome, beside, plain, say
from benchmarks.seeding import Seeds
from benchmarks.service import embedded_servers
from domain.commands.command import Command
from fairbook.program import CHECKOUT

ACCOUNTS: Final = 10_000
BATCH_BETS: Final = 500
BATCHES_AT_ONCE: Final = 4
SINGLES_AT_ONCE: Final = 64
WARM_UP_SECONDS: Final = 1.0
_START_SECONDS: Final = 2.0

Way = Literal["as built", "lock first"]
Kind = Literal["single", "batch"]


class Job(Struct):
    """What one writer process does; `begin_at` is on the machine's clock, so that all begin together."""

    database_url: str
    seeds: Seeds
    way: Way
    kind: Kind
    begin_at: float
    seconds: float
    seed: int


class Done(Struct):
    """What one writer process did; times in milliseconds."""

    bets: int
    p50: float
    p99: float


class Round(Struct):
    """What one or two writer processes did together."""

    way: Way
    kind: Kind
    writers: int
    bets_per_second: float
    p50: float
    p99: float


class AlwaysLocked(Writer):
    """A writer that takes the lock before it decides, whether or not anybody else writes."""

    @property
    def _others_write(self) -> bool:
        return True

    @_others_write.setter
    def _others_write(self, _: bool) -> None:
        """What it has found out does not matter."""


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Run every combination in turn, several times."""
    rounds, seconds = (2, 3.0) if short else (5, 5.0)
    found: list[Round] = []
    ways: tuple[Way, ...] = ("as built", "lock first")
    kinds: tuple[Kind, ...] = ("single", "batch")
    with embedded_servers() as servers:
        url = servers.urls.database
        seeds = seeding.seed(url, ACCOUNTS)
        combinations = [(way, kind, n) for kind in kinds for n in (1, 2) for way in ways]
        for number in range(rounds):
            say(f" round {number + 1} of {rounds}")
            for way, kind, writers in combinations if number % 2 == 0 else reversed(combinations):
                done = _together(url, seeds, way, kind, writers, seconds)
                found.append(done)
                say(
                    f"  {kind}, {writers} writer(s), {way}: {done.bets_per_second:,.0f} bets/s, "
                    f"p50 {done.p50:.1f} p99 {done.p99:.1f} ms"
                )
    return Outcome(_findings(found), {"rounds": found})


def _together(url: str, seeds: Seeds, way: Way, kind: Kind, writers: int, seconds: float) -> Round:
    begin_at = time.time() + _START_SECONDS
    processes = []
    for seed in range(writers):
        job = Job(url, seeds, way, kind, begin_at, seconds, seed)
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.writers", "--worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(job))
        process.stdin.close()
        processes.append(process)
    results = []
    for process in processes:
        assert process.stdout is not None
        results.append(msgspec.json.decode(process.stdout.read(), type=Done))
        if process.wait():
            raise RuntimeError("a writer process failed")
    return Round(
        way=way,
        kind=kind,
        writers=writers,
        bets_per_second=sum(each.bets for each in results) / seconds,
        p50=statistics.mean(each.p50 for each in results),
        p99=max(each.p99 for each in results),
    )


async def _work(job: Job) -> Done:
    """Keep a number of commands under way until the time is up."""
    rng = random.Random(job.seed)
    latencies: list[float] = []
    bets = 0
    async with Ledger(ledger_environment(job.database_url)) as ledger:
        if job.way == "lock first":
            ledger._writer.__class__ = AlwaysLocked  # noqa: SLF001  the ledger makes its own writer
        at_once, size = (
            (BATCHES_AT_ONCE, BATCH_BETS) if job.kind == "batch" else (SINGLES_AT_ONCE, 1)
        )
        commands = [_command(job, rng) for _ in range(40 if job.kind == "batch" else 5_000)]
        begin = job.begin_at + WARM_UP_SECONDS
        end = begin + job.seconds

        async def one() -> None:
            nonlocal bets
            while (sent_at := time.time()) < end:
                await ledger.submit(rng.choice(commands), seeding.ADMIN, key=new_id().hex)
                now = time.time()
                if begin <= now < end:
                    bets += size
                    latencies.append(1_000 * (now - sent_at))

        await asyncio.sleep(max(0.0, job.begin_at - time.time()))
        await asyncio.gather(*(one() for _ in range(at_once)))
    latencies.sort()
    return Done(bets, latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)])


def _command(job: Job, rng: random.Random) -> Command:
    if job.kind == "batch":
        return seeding.batch(rng, job.seeds, BATCH_BETS)
    return seeding.bet(rng, rng.choice(job.seeds.accounts), job.seeds.markets)


def _findings(found: list[Round]) -> list[Finding]:
    def median(way: Way, kind: Kind, writers: int, read: str) -> float:
        return statistics.median(
            float(getattr(each, read))
            for each in found
            if (each.way, each.kind, each.writers) == (way, kind, writers)
        )

    findings: list[Finding] = []
    names: dict[Kind, str] = {"single": "single bets", "batch": "batches of 500"}
    for kind, name in names.items():
        for writers in (1, 2):
            said: dict[str, Any] = {"kind": kind, "writers": writers, "read": "bets_per_second"}
            findings.append(
                beside(
                    f"{name}, {writers} writer(s), as built",
                    median("as built", **said),
                    "bets/s",
                    "lock first:",
                    median("lock first", **said),
                )
            )
            said["read"] = "p99"
            findings.append(
                beside(
                    "  p99",
                    median("as built", **said),
                    "ms",
                    "lock first:",
                    median("lock first", **said),
                )
            )
        findings.append(
            plain(
                f"{name}: two writers ÷ one, as built",
                median("as built", kind, 2, "bets_per_second")
                / median("as built", kind, 1, "bets_per_second"),
                "×",
            )
        )
    return findings


if __name__ == "__main__":
    if "--worker" in sys.argv:
        _job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
        sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_work(_job))))
    else:
        sys.exit(report.main("writers", measure))
