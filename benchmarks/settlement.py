"""Settling a large market, settling it again by a corrected result, accumulators, and bets that go on meanwhile."""

import asyncio
import contextlib
import http.client
import random
import sys
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np
import psycopg
import uvloop
from msgspec import Struct

from adapters.embedded import EmbeddedServers
from adapters.postgres.settings import ledger_environment
from application.ledger import Ledger
from benchmarks import report, seeding
from benchmarks.report import Finding, Outcome, at_least, at_most, beside, plain, say, true
from benchmarks.seeding import ADMIN, Seeds
from benchmarks.service import HOST, Service, embedded_servers, new_database
from benchmarks.usage import Others, cpu_seconds, resident_mib
from domain.commands.bet import PlaceBet, PlaceBets
from domain.events.bet import Leg

SINGLES: Final = 100_000
SINGLES_AIM: Final = 10_000.0
ACCUMULATORS: Final = 20_000
LEGS: Final = 10
ACCUMULATORS_AIM: Final = 2_000.0
SMALL_MARKETS: Final = 400
BETS_A_SMALL_MARKET: Final = 5
MEMORY_AIM_MIB: Final = 64.0
P99_AIM: Final = 2.0
BETS_A_SECOND: Final = 200
_ACCOUNTS: Final = 2_000
_CORES: Final = 2
_BATCH: Final = 500
_CONNECTIONS: Final = 16
_PATIENCE_SECONDS: Final = 300.0
_TICK_SECONDS: Final = 0.02
HOME: Final = {"score": {"home": 1, "away": 0}}
AWAY: Final = {"score": {"home": 0, "away": 2}}

# Only what has come since the last look: counting all of it over and over took most of a core.
_COMPLETED = """
SELECT count(*) FILTER (WHERE topic = 'settlement.completed'), coalesce(max(notification_id), %(after)s)
FROM ledger_events WHERE notification_id > %(after)s"""
_CHANGES = """
SELECT topic, count(*), count(DISTINCT originator_id) FROM ledger_events
WHERE topic IN ('bet.settled', 'bet.resettled', 'bet.reopened') AND notification_id > %s GROUP BY 1"""


class Settled(Struct):
    """How one settlement went: `bets` were changed, in so many seconds from the results' answer to the last completion."""

    bets: int
    seconds: float
    after_last_result: float
    cpu_seconds: dict[str, float]
    others_cores: float
    twice: bool
    peak_mib: float
    level_seconds: float


class _Bench:
    """A service with bets to settle, and an eye on its log."""

    def __init__(self, servers: EmbeddedServers, service: Service) -> None:
        self._service = service
        self._pids = {name: service.pid(name) for name in ("api", "project")}
        self._pids["postgres"] = servers.pid("postgres")
        self._operator = service.token("bench-operator", "operator")
        self._log = psycopg.connect(service.database_url, autocommit=True)

    def __enter__(self) -> "_Bench":
        self.wait_level()
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    def head(self) -> int:
        return self._number("SELECT coalesce(max(notification_id), 0) FROM ledger_events", ())

    def wait_level(self) -> float:
        """Wait until every read model shows the log's last event; give how long that took."""
        head, begun = self.head(), time.monotonic()
        sql = (
            "SELECT min(notification_id) FROM public.read_model_tracking"
            " WHERE application_name <> '__migration__'"
        )
        while self._number(sql, ()) < head:
            self._go_on(begun, "the read models are behind")
        return time.monotonic() - begun

    def settle(self, markets: Sequence[UUID], result: Any) -> Settled:
        """Declare a result for these markets and wait for the last of them."""
        before, others = self.head(), Others()
        busy = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        api = self._pids["api"]
        peak = resident_mib(api)[0]
        self._declare(markets[:1], result)
        begun = time.monotonic()
        self._declare(markets[1:], result)
        declared = time.monotonic()
        completed, seen = 0, before
        while completed < len(markets):
            more, seen = self._log.execute(_COMPLETED, {"after": seen}).fetchone() or (0, seen)
            completed += more
            peak = max(peak, resident_mib(api)[0])
            self._go_on(begun, "the settlement stands still")
        ended = time.monotonic()
        used = {name: cpu_seconds(pid) - busy[name] for name, pid in self._pids.items()}
        elsewhere = others.cores()
        changes = self._log.execute(_CHANGES, (before,)).fetchall()
        bets = sum(row[1] for row in changes)
        return Settled(
            bets=bets,
            seconds=ended - begun,
            after_last_result=ended - declared,
            cpu_seconds=used,
            others_cores=elsewhere,
            twice=any(row[1] != row[2] for row in changes),
            peak_mib=peak,
            level_seconds=self.wait_level(),
        )

    def _declare(self, markets: Sequence[UUID], result: Any) -> None:
        connection = http.client.HTTPConnection(HOST, self._service.port, timeout=60)
        headers = {
            "Authorization": f"Bearer {self._operator}",
            "Content-Type": "application/json",
        }
        for market_id in markets:
            body = msgspec.json.encode(result)
            connection.request("POST", f"/v1/markets/{market_id}/result", body, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != http.client.ACCEPTED:
                raise RuntimeError(f"the result was answered {response.status}: {answer[:300]!r}")
        connection.close()

    def _number(self, sql: str, parameters: tuple[Any, ...]) -> int:
        row = self._log.execute(sql.encode(), parameters).fetchone()
        return int(row[0] or 0) if row else 0

    def _go_on(self, begun: float, otherwise: str) -> None:
        self._service.refuse_if_exited()
        if time.monotonic() - begun > _PATIENCE_SECONDS:
            raise RuntimeError(otherwise)
        time.sleep(_TICK_SECONDS)


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Seed through the ledger itself, then settle through the service."""
    share = 10 if short else 1
    with embedded_servers() as servers:
        return Outcome(
            [
                *_singles(servers, SINGLES // share),
                *_small_markets(servers, SMALL_MARKETS // (4 if short else 1)),
                *_accumulators(servers, ACCUMULATORS // share),
                *_beside_bets(servers, SINGLES // share),
            ]
        )


@contextlib.contextmanager
def _bench(
    servers: EmbeddedServers, name: str, database_url: str
) -> Iterator[tuple[_Bench, Service]]:
    say(f"{name}: starting the service")
    with Service(servers, database_url) as service, _Bench(servers, service) as bench:
        yield bench, service


def _singles(servers: EmbeddedServers, number: int) -> list[Finding]:
    database_url = new_database(servers, "settle_singles")
    seeds = seeding.seed(database_url, _ACCOUNTS, markets=1)
    uvloop.run(_place(database_url, _single_bets(seeds, number)))
    with _bench(servers, "singles", database_url) as (bench, service):
        begun = resident_mib(service.pid("api"))[0]
        first = bench.settle(seeds.markets, HOME)
        again = bench.settle(seeds.markets, AWAY)
    peak = max(first.peak_mib, again.peak_mib)
    return [
        *_pace(f"{number:,} singles of one market", first, SINGLES_AIM, number),
        *_pace("  corrected result", again, SINGLES_AIM, number),
        true("  each was settled once", holds=first.bets == number and not first.twice),
        at_most("  memory of the API process grows by", peak - begun, "MiB", MEMORY_AIM_MIB),
    ]


def _small_markets(servers: EmbeddedServers, number: int) -> list[Finding]:
    database_url = new_database(servers, "settle_small")
    seeds = seeding.seed(database_url, _ACCOUNTS // 10, markets=number)
    uvloop.run(_place(database_url, _single_bets(seeds, number * BETS_A_SMALL_MARKET)))
    with _bench(servers, "small markets", database_url) as (bench, _):
        settled = bench.settle(seeds.markets, HOME)
    return [
        plain(
            f"{number} markets of {BETS_A_SMALL_MARKET} bets, from the first result to the last completion",
            number / settled.seconds,
            "markets/s",
        ),
        plain("  the last completion after the last result", settled.after_last_result, "s"),
        true("  each bet was settled once", holds=not settled.twice),
    ]


def _accumulators(servers: EmbeddedServers, number: int) -> list[Finding]:
    database_url = new_database(servers, "settle_accumulators")
    seeds = seeding.seed(database_url, _ACCOUNTS)
    uvloop.run(_place(database_url, _accumulator_bets(seeds, number)))
    with _bench(servers, "accumulators", database_url) as (bench, _):
        first = bench.settle(seeds.markets, HOME)
        again = bench.settle(seeds.markets, AWAY)
    return [
        *_pace(f"{number:,} accumulators of {LEGS} legs", first, ACCUMULATORS_AIM, number),
        *_pace("  corrected results", again, ACCUMULATORS_AIM, number),
        true("  each was settled once", holds=first.bets == number and not first.twice),
    ]


def _pace(what: str, settled: Settled, aim: float, visited: int) -> list[Finding]:
    cpu = {name: seconds / visited for name, seconds in settled.cpu_seconds.items()}
    return [
        at_least(what, visited / settled.seconds, "bets/s", aim),
        plain("    bets that it changed", float(settled.bets), ""),
        *(plain(f"    processor of {name} a bet", each * 1e6, "µs") for name, each in cpu.items()),
        plain("    so two cores of its own would settle", _CORES / sum(cpu.values()), "bets/s"),
        plain("    cores that others used meanwhile", settled.others_cores, ""),
        plain("    read models level again after", settled.level_seconds, "s"),
    ]


def _beside_bets(servers: EmbeddedServers, number: int) -> list[Finding]:
    """Place single bets at a steady rate, alone and then while a market is settled."""
    database_url = new_database(servers, "settle_beside")
    seeds = seeding.seed(database_url, _ACCOUNTS, markets=2)
    quiet, busy = seeds.markets
    settled_seeds = Seeds(seeds.accounts, seeds.owners, [busy])
    uvloop.run(_place(database_url, _single_bets(settled_seeds, number)))
    with _bench(servers, "bets meanwhile", database_url) as (bench, service):
        load = _Load(service, Seeds(seeds.accounts, seeds.owners, [quiet]))
        load.run(3.0)
        alone = load.run(max(4.0, number / 10_000))
        done: list[Settled] = []
        meanwhile = load.run(
            _PATIENCE_SECONDS, until=lambda: done.append(bench.settle([busy], HOME))
        )
        after = load.run(4.0)
    p99_alone = float(np.percentile([*alone, *after], 99))
    p99 = float(np.percentile(meanwhile, 99))
    return [
        beside(
            f"p99 of single bets at {BETS_A_SECOND}/s while {number:,} bets are settled",
            p99,
            "ms",
            "without",
            p99_alone,
            at_most=P99_AIM,
        ),
        plain("    p50", float(np.percentile(meanwhile, 50)), "ms"),
        plain("    p50 without", float(np.percentile([*alone, *after], 50)), "ms"),
        plain("    settled meanwhile", number / done[0].seconds, "bets/s"),
    ]


class _Load:
    """Single bets over HTTP at a steady rate; a latency counts from when the bet was due."""

    def __init__(self, service: Service, seeds: Seeds) -> None:
        self._service, self._seeds, self._random = service, seeds, random.Random(5)
        self._number = 0

    def run(self, seconds: float, until: Any = None) -> list[float]:
        """Give the latencies in ms; with `until`, stop when that returns."""
        return uvloop.run(self._run(seconds, until))

    async def _run(self, seconds: float, until: Any) -> list[float]:
        pipes = [
            await asyncio.open_connection(HOST, self._service.port) for _ in range(_CONNECTIONS)
        ]
        free: asyncio.Queue[Any] = asyncio.Queue()
        for pipe in pipes:
            free.put_nowait(pipe)
        work = asyncio.create_task(asyncio.to_thread(until)) if until else None
        latencies: list[float] = []
        tasks: set[asyncio.Task[None]] = set()
        begun = time.perf_counter()
        for number in range(int(seconds * BETS_A_SECOND)):
            due = begun + number / BETS_A_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if work is not None and work.done():
                break
            task = asyncio.create_task(self._send(free, due, latencies))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        if work is not None:
            await work
        for _, writer in pipes:
            writer.close()
        return latencies

    async def _send(self, free: "asyncio.Queue[Any]", due: float, latencies: list[float]) -> None:
        reader, writer = pipe = await free.get()
        writer.write(self._request())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        answer = await reader.readexactly(length)
        latencies.append((time.perf_counter() - due) * 1_000)
        free.put_nowait(pipe)
        if head[9:12] != b"201":
            raise RuntimeError(f"a bet was answered {head[:40]!r}: {answer[:300]!r}")

    def _request(self) -> bytes:
        self._number += 1
        at = self._random.randrange(len(self._seeds.accounts))
        body = seeding.body(
            seeding.bet(self._random, self._seeds.accounts[at], self._seeds.markets)
        ).encode()
        token = self._token(self._seeds.owners[at])
        head = (
            f"POST /v1/bets HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"idempotency-key: settlement-{self._number}\r\n\r\n"
        )
        return head.encode() + body

    def _token(self, owner: str) -> str:
        if owner not in _tokens:
            _tokens[owner] = self._service.token(owner, "trader")
        return _tokens[owner]


_tokens: dict[str, str] = {}


def _single_bets(seeds: Seeds, number: int) -> Iterator[PlaceBet]:
    dice = random.Random(1)
    for _ in range(number):
        yield seeding.bet(dice, dice.choice(seeds.accounts), seeds.markets)


def _accumulator_bets(seeds: Seeds, number: int) -> Iterator[PlaceBet]:
    dice = random.Random(2)
    for _ in range(number):
        legs = tuple(
            Leg(each, dice.choice(("home", "draw", "away")), Decimal("1.25"))
            for each in dice.sample(seeds.markets, LEGS)
        )
        yield PlaceBet(
            account_id=dice.choice(seeds.accounts),
            kind="accumulator",
            legs=legs,
            stake_minor=dice.randint(100, 5_000),
        )


async def _place(database_url: str, bets: Iterator[PlaceBet]) -> None:
    say("placing bets")
    async with Ledger(ledger_environment(database_url)) as ledger:
        while batch := list(islice(bets, _BATCH)):
            receipt = await ledger.submit(PlaceBets(bets=batch), ADMIN)
            if b'"error":{' in receipt.answer:
                raise RuntimeError(f"a bet was refused: {receipt.answer[:500]!r}")


if __name__ == "__main__":
    sys.exit(report.main("settlement", measure))
