"""From a published price to the signal of the arbitrage that it opens, through real NATS, ledger and handler."""

import asyncio
import contextlib
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Final
from uuid import UUID

import msgspec
import nats
import numpy as np
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from application.prices.signals import ArbitrageSignal
from benchmarks import report, seeding
from benchmarks.report import Outcome, at_most, plain, true
from benchmarks.service import Service, embedded_servers, new_database
from benchmarks.usage import Others, cpu_seconds
from domain.quotes import QuoteLine, QuoteMessage, encode_message, subject_of

QUOTES_A_SECOND: Final = 2_000
QUOTES_A_MESSAGE: Final = 3
FIXTURES: Final = 100
BOOKMAKERS: Final = tuple(f"bookmaker-{number}" for number in range(10))
FAIR: Final = {"home": 2.5, "draw": 3.4, "away": 3.1}
OPENS_EVERY: Final = 40
"""One message in so many offers a price that opens an arbitrage; the bookmaker's next one takes it back."""
P50_AIM_MS: Final = 5.0
P99_AIM_MS: Final = 25.0
_STEADY_SECONDS: Final = 0.002
_BURSTS_SECONDS: Final = 0.01
"""How often the publisher sends what is due: a message or two at a time, or seven at once."""


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Publish prices at a steady rate and listen to the signals, both from this process."""
    seconds = 8.0 if short else 30.0
    with embedded_servers() as servers, contextlib.ExitStack() as stack:
        database_url = new_database(servers, "signals")
        markets = seeding.seed_fixtures(database_url, FIXTURES)
        programs = ("api", "project", "handle")
        service = stack.enter_context(Service(servers, database_url, programs=programs))
        others, handle = Others(), service.pid("handle")
        busy = cpu_seconds(handle)
        delays, opened, late = uvloop.run(
            _run(servers.urls.nats, markets, seconds, _STEADY_SECONDS)
        )
        used, elsewhere = (cpu_seconds(handle) - busy) / seconds, others.cores()
        in_bursts, _, _ = uvloop.run(_run(servers.urls.nats, markets, seconds, _BURSTS_SECONDS))
    p50, p99 = (float(np.percentile(delays, share)) for share in (50, 99))
    return Outcome(
        [
            at_most(
                f"publish → signal at {QUOTES_A_SECOND:,} quotes/s: p50", p50, "ms", P50_AIM_MS
            ),
            at_most("  p99", p99, "ms", P99_AIM_MS),
            plain("  slowest", float(max(delays)), "ms"),
            plain("  arbitrages opened and signalled", len(delays) / seconds, "/s"),
            true("  every arbitrage that was opened was signalled", holds=len(delays) >= opened),
            plain("  publisher behind its time at most", late * 1_000, "ms"),
            plain("  in bursts of 7 messages: p50", float(np.percentile(in_bursts, 50)), "ms"),
            plain("    p99", float(np.percentile(in_bursts, 99)), "ms"),
            plain("  processor of the handlers", used, "cores"),
            plain("  processor of everybody else meanwhile", elsewhere, "cores"),
        ]
    )


async def _run(
    url: str, markets: list[tuple[UUID, UUID]], seconds: float, tick_seconds: float
) -> tuple[list[float], int, float]:
    """Give the delays in milliseconds, how many arbitrages were opened, and how late publishing was at most."""
    client = await nats.connect(url)
    delays: list[float] = []

    async def heard(message: Msg) -> None:
        now = datetime.now(UTC)
        signal = msgspec.json.decode(message.data, type=ArbitrageSignal)
        if shape := signal.opportunity:
            newest = max(leg.quoted_at for leg in shape.legs)
            delays.append((now - newest).total_seconds() * 1_000)

    await _warm_up(client, markets)
    await client.subscribe("signals.arbitrage.>", cb=heard)
    opened, late = await _publish(client, markets, seconds, tick_seconds)
    await asyncio.sleep(1.0)
    await client.close()
    return delays, opened, late


async def _warm_up(client: Client, markets: list[tuple[UUID, UUID]]) -> None:
    """Let every bookmaker quote every market once, and the handler settle."""
    random = Random(1)
    for market in markets:
        for bookmaker in BOOKMAKERS:
            await _send(client, _message(random, market, bookmaker))
        await asyncio.sleep(0.01)
    await asyncio.sleep(2.0)


async def _publish(
    client: Client, markets: list[tuple[UUID, UUID]], seconds: float, tick_seconds: float
) -> tuple[int, float]:
    random, opened, late, sent = Random(2), 0, 0.0, 0
    to_take_back: list[tuple[tuple[UUID, UUID], str]] = []
    begun = time.perf_counter()
    while (now := time.perf_counter() - begun) < seconds:
        due = int(now * QUOTES_A_SECOND / QUOTES_A_MESSAGE)
        late = max(late, (due - sent) * QUOTES_A_MESSAGE / QUOTES_A_SECOND - tick_seconds)
        for sent in range(sent + 1, due + 1):  # noqa: B020  it counts on from where it was
            if sent % OPENS_EVERY == 0:
                market, bookmaker = random.choice(markets), random.choice(BOOKMAKERS)
                to_take_back.append((market, bookmaker))
                await _send(client, _message(random, market, bookmaker, generous=True))
                opened += 1
            elif sent % OPENS_EVERY == OPENS_EVERY // 2 and to_take_back:
                await _send(client, _message(random, *to_take_back.pop(0)))
            else:
                await _send(
                    client, _message(random, random.choice(markets), random.choice(BOOKMAKERS))
                )
        await client.flush()
        await asyncio.sleep(tick_seconds)
    return opened, max(late, 0.0)


def _message(
    random: Random, market: tuple[UUID, UUID], bookmaker: str, *, generous: bool = False
) -> QuoteMessage:
    fixture_id, market_id = market
    odds = {each: fair * random.uniform(0.90, 0.96) for each, fair in FAIR.items()}
    if generous:
        odds["home"] *= 1.4
    lines = tuple(
        QuoteLine(each, Decimal(round(price * 100)) / 100) for each, price in odds.items()
    )
    return QuoteMessage(
        bookmaker=bookmaker,
        fixture_id=fixture_id,
        market_id=market_id,
        at=datetime.now(UTC),
        quotes=lines,
        feed="benchmark",
    )


async def _send(client: Client, message: QuoteMessage) -> None:
    await client.publish(subject_of(message), encode_message(message))


if __name__ == "__main__":
    sys.exit(report.main("signals", measure))
