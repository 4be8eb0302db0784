"""Values: prices scored by a model in batches, beside a plain loop; and a published price until its signal, through real servers."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

import msgspec
import nats
import numpy as np
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from adapters.artefacts import ArtefactFolder
from adapters.postgres.settings import ledger_environment
from application.detection.thresholds import Thresholds
from application.ledger import Ledger
from application.value.engine import ValueEngine
from application.value.signals import ValueMessage
from benchmarks import report, seeding
from benchmarks.report import Outcome, at_least, at_most, beside, plain, say, true
from benchmarks.service import Service, embedded_servers, new_database, temporary_folder
from benchmarks.usage import Others, cpu_seconds
from domain.actors import MODELLER
from domain.board import MarketDescription, to_microseconds
from domain.commands.model import ActivateModel, RegisterModel
from domain.events.model import ModelTrained, TrainingData
from domain.model import model_id_of
from domain.prediction.goals_artefact import goals_to_bytes
from domain.prediction.goals_density import SHARED
from domain.prediction.goals_model import GoalsModel
from domain.quotes import QuoteLine, QuoteMessage, decode_message, encode_message, subject_of
from domain.value import PricedMarket, ValueRules, price_market

FIXTURES: Final = 100
BOOKMAKERS: Final = tuple(f"bookmaker-{number}" for number in range(10))
DRAWS: Final = 200
QUOTES: Final = 400_000
BATCH: Final = 5_000
MESSAGES: Final = 30_000
TOGETHER: Final = 50
QUOTES_AIM: Final = 50_000
QUOTES_A_SECOND: Final = 2_000
QUOTES_A_MESSAGE: Final = 3
OPENS_EVERY: Final = 40
"""One message in so many offers a value; the bookmaker's next one, half as many later, takes it back."""
P99_AIM_MS: Final = 50.0
SCOPE: Final = "Premier League"
_SELECTIONS: Final = seeding.SELECTIONS
_TICK_SECONDS: Final = 0.002


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Score prices from memory, then publish prices at a steady rate and listen to the signals."""
    model = _model()
    findings = _from_memory(model, 3 if short else 9)
    say("publish → signal …")
    return Outcome([*findings.findings, *_through_servers(model, 8.0 if short else 30.0).findings])


def _model() -> GoalsModel:
    """A model of all sides that the fixtures have."""
    rng = np.random.default_rng(1)
    teams = tuple(f"{side} {number}" for number in range(FIXTURES) for side in ("Home", "Away"))
    draws = np.zeros((DRAWS, SHARED + 2 * len(teams)))
    draws[:, :3] = [0.1, 0.25, -0.05]
    draws[:, SHARED:] = 0.2 * rng.standard_normal(2 * len(teams))
    draws[:, SHARED:] += 0.08 * rng.standard_normal((DRAWS, 2 * len(teams)))
    return GoalsModel(teams, draws, datetime.now(UTC) - timedelta(days=1))


def _priced(model: GoalsModel, ids: Sequence[tuple[UUID, UUID]]) -> list[PricedMarket]:
    return [
        price_market(
            model.chances([(f"Home {number}", f"Away {number}")]),
            MarketDescription(market_id, fixture_id, "1X2", None, _SELECTIONS),
            UUID(int=1),
        )
        for number, (fixture_id, market_id) in enumerate(ids)
    ]


# ---- from memory


def _from_memory(model: GoalsModel, rounds: int) -> Outcome:
    ids = [(UUID(int=2 * number), UUID(int=2 * number + 1)) for number in range(FIXTURES)]
    begun = time.perf_counter()
    markets = _priced(model, ids)
    pricing = (time.perf_counter() - begun) / FIXTURES
    batches = [_batches(markets) for _ in range(rounds)]
    messages = [_messages(markets) for _ in range(rounds)]
    plains = [_plain(markets) for _ in range(rounds)]
    scored = float(np.median(batches))
    looped = float(np.median(plains))
    taken, by_processor = (float(np.median(each)) for each in zip(*messages, strict=True))
    return Outcome(
        [
            at_least(f"scored in batches of {BATCH:,}", scored, "quotes/s", QUOTES_AIM),
            beside("  beside a plain loop over quotes", scored, "quotes/s", "plain", looped),
            at_least(
                f"decoded and scored, {TOGETHER} messages at a time",
                taken,
                "quotes/s",
                QUOTES_AIM,
            ),
            plain("  by processor time", by_processor, "quotes/s"),
            plain(f"a market priced once ({DRAWS} draws)", pricing * 1_000, "ms"),
        ]
    )


def _engine(markets: Sequence[PricedMarket], now: datetime) -> ValueEngine:
    engine = ValueEngine(ValueRules(), Thresholds())
    for each in markets:
        engine.describe(each.market, now + timedelta(days=1), each)
    return engine


def _batches(markets: Sequence[PricedMarket]) -> float:
    """Give quotes/s of arrays: of each batch, some hundred markets have a value."""
    now, rng = datetime.now(UTC), np.random.default_rng(2)
    engine = _engine(markets, now)
    first = _messages_of(markets[0], Random(1), BOOKMAKERS, now)
    engine.take([(engine.read(each, now), 1) for each in first], now)
    fair = np.array([1 / float(each.probability) for market in markets for each in market.chances])
    count = QUOTES // BATCH
    market, selection = (
        rng.integers(0, size, (count, BATCH)) for size in (FIXTURES, len(_SELECTIONS))
    )
    rows = market * 2 * len(_SELECTIONS) + selection
    columns = rng.integers(0, len(BOOKMAKERS), (count, BATCH))
    times = rng.uniform(0.85, 0.98, (count, BATCH))
    times[rng.random((count, BATCH)) < 1 / OPENS_EVERY / 10] = 1.06
    odds = (fair[market * len(_SELECTIONS) + selection] * times * 100).astype(np.int64) * 10
    odds = odds.clip(1_010, 90_000_000)
    at = np.full(BATCH, to_microseconds(now))
    begun = time.perf_counter()
    for number in range(count):
        engine.apply_many(rows[number], columns[number], odds[number], at + number, number + 2, now)
    return QUOTES / (time.perf_counter() - begun)


def _messages(markets: Sequence[PricedMarket]) -> tuple[float, float]:
    """Give quotes/s from the bytes that come over NATS, as the handler takes them; and by processor time."""
    now, random = datetime.now(UTC), Random(3)
    engine = _engine(markets, now)
    bodies = [
        encode_message(
            _message(random.choice(markets), random.choice(BOOKMAKERS), random, now, number % OPENS_EVERY == 0)
        )
        for number in range(MESSAGES)
    ]  # fmt: skip
    begun, busy = time.perf_counter(), time.process_time()
    for first in range(0, MESSAGES, TOGETHER):
        some = enumerate(bodies[first : first + TOGETHER], first + 1)
        engine.take([(engine.read(decode_message(body), now), at) for at, body in some], now)
    quotes = MESSAGES * QUOTES_A_MESSAGE
    return quotes / (time.perf_counter() - begun), quotes / (time.process_time() - busy)


def _plain(markets: Sequence[PricedMarket]) -> float:
    """Give quotes/s of a loop that keeps prices in a dictionary and works out what each quote is worth.

    It sizes nothing, tells nothing, and lets nothing expire.
    """
    now, random = datetime.now(UTC), Random(4)
    chances = {
        (market.market.market_id, each.selection_id): each.probability
        for market in markets
        for each in market.chances
    }
    messages = [
        _message(random.choice(markets), random.choice(BOOKMAKERS), random, now, number % OPENS_EVERY == 0)
        for number in range(MESSAGES)
    ]  # fmt: skip
    prices: dict[tuple[UUID, str, str], Decimal] = {}
    is_open: set[tuple[UUID, str, str]] = set()
    least = ValueRules().min_value
    begun = time.perf_counter()
    for message in messages:
        for line in message.quotes:
            key = message.market_id, line.selection_id, message.bookmaker
            if line.odds is None or prices.get(key) == line.odds:
                continue
            prices[key] = line.odds
            worth = chances[message.market_id, line.selection_id] * line.odds - 1
            if worth >= least:
                is_open.add(key)
            else:
                is_open.discard(key)
    return MESSAGES * QUOTES_A_MESSAGE / (time.perf_counter() - begun)


def _messages_of(
    market: PricedMarket, random: Random, bookmakers: Sequence[str], now: datetime
) -> list[QuoteMessage]:
    return [_message(market, each, random, now, generous=False) for each in bookmakers]


def _message(
    market: PricedMarket,
    bookmaker: str,
    random: Random,
    now: datetime,
    generous: bool,  # noqa: FBT001  (of two kinds of messages, the one)
) -> QuoteMessage:
    """Prices below what the model finds fair; a generous bookmaker's first one above it."""
    odds = {
        each.selection_id: float(1 / each.probability) * random.uniform(0.88, 0.94)
        for each in market.chances
    }
    if generous:
        odds[market.chances[0].selection_id] = float(1 / market.chances[0].probability) * 1.06
    return QuoteMessage(
        bookmaker=bookmaker,
        fixture_id=market.market.fixture_id,
        market_id=market.market.market_id,
        at=now,
        quotes=tuple(
            QuoteLine(each, max(Decimal(round(price * 1000)) / 1000, Decimal("1.01")))
            for each, price in odds.items()
        ),
        feed="benchmark",
    )


# ---- through real servers


def _through_servers(model: GoalsModel, seconds: float) -> Outcome:
    with embedded_servers() as servers, contextlib.ExitStack() as stack:
        artefacts = stack.enter_context(temporary_folder())
        database_url = new_database(servers, "value")
        markets = _priced(model, seeding.seed_fixtures(database_url, FIXTURES))
        uvloop.run(_activate(database_url, artefacts, model))
        settings = {"FAIRBOOK_ARTEFACTS": str(artefacts)}
        programs = ("api", "project", "handle")
        service = stack.enter_context(
            Service(servers, database_url, settings=settings, programs=programs)
        )
        others, handle = Others(), service.pid("handle")
        busy = cpu_seconds(handle)
        delays, opened = uvloop.run(_run(servers.urls.nats, markets, seconds))
        used, elsewhere = (cpu_seconds(handle) - busy) / seconds, others.cores()
    return Outcome(
        [
            plain(
                f"publish → value signal at {QUOTES_A_SECOND:,} quotes/s: p50",
                float(np.percentile(delays, 50)),
                "ms",
            ),
            at_most("  p99", float(np.percentile(delays, 99)), "ms", P99_AIM_MS),
            plain("  slowest", max(delays), "ms"),
            plain("  signals opened", len(delays) / seconds, "/s"),
            true("  every value that was offered was signalled", holds=len(delays) >= opened),
            plain("  processor of the handlers", used, "cores"),
            plain("  processor of everybody else meanwhile", elsewhere, "cores"),
        ]
    )


async def _activate(database_url: str, folder: Path, model: GoalsModel) -> None:
    content = goals_to_bytes(model)
    since, until = model.as_of - timedelta(days=300), model.as_of
    trained = ModelTrained(
        kind="football.goals",
        scope=SCOPE,
        artefact=ArtefactFolder(folder).put(content),
        artefact_bytes=len(content),
        code_version="benchmark",
        data=TrainingData("benchmark", FIXTURES, since, until, "00" * 32),
        parameters={},
        metrics={},
    )
    async with Ledger(ledger_environment(database_url)) as ledger:
        await ledger.submit(RegisterModel(trained=trained), MODELLER)
        await ledger.submit(ActivateModel(), MODELLER, target=model_id_of(trained))


async def _run(
    url: str, markets: Sequence[PricedMarket], seconds: float
) -> tuple[list[float], int]:
    """Give the delays in milliseconds, and how many values were offered."""
    client = await nats.connect(url)
    delays: list[float] = []
    seen: set[UUID] = set()

    async def heard(message: Msg) -> None:
        now = datetime.now(UTC)
        told = msgspec.json.decode(message.data, type=ValueMessage)
        if told.signal and told.signal_id not in seen:
            seen.add(told.signal_id)
            delays.append((now - told.signal.quoted_at).total_seconds() * 1_000)

    random = Random(1)
    for market in markets:
        for bookmaker in BOOKMAKERS:
            (message,) = _messages_of(market, random, [bookmaker], datetime.now(UTC))
            await _send(client, message)
        await asyncio.sleep(0.01)
    await asyncio.sleep(3.0)
    await client.subscribe("signals.value.>", cb=heard)
    opened = await _publish(client, markets, seconds)
    await asyncio.sleep(1.0)
    await client.close()
    return delays, opened


async def _publish(client: Client, markets: Sequence[PricedMarket], seconds: float) -> int:
    random, opened, sent = Random(2), 0, 0
    offered: dict[tuple[int, str], None] = {}
    begun = time.perf_counter()
    while (now := time.perf_counter() - begun) < seconds:
        due = int(now * QUOTES_A_SECOND / QUOTES_A_MESSAGE)
        for sent in range(sent + 1, due + 1):  # noqa: B020  it counts on from where it was
            whose = _quiet(random, offered)
            generous = sent % OPENS_EVERY == 0
            if generous:
                offered[whose] = None
                opened += 1
            elif sent % OPENS_EVERY == OPENS_EVERY // 2 and offered:
                whose = next(iter(offered))
                del offered[whose]
            market, bookmaker = whose
            await _send(
                client, _message(markets[market], bookmaker, random, datetime.now(UTC), generous)
            )
        await client.flush()
        await asyncio.sleep(_TICK_SECONDS)
    return opened


def _quiet(random: Random, offered: Mapping[tuple[int, str], None]) -> tuple[int, str]:
    """Choose a market and a bookmaker whose prices are no value now."""
    while True:
        found = random.randrange(FIXTURES), random.choice(BOOKMAKERS)
        if found not in offered:
            return found


async def _send(client: Client, message: QuoteMessage) -> None:
    await client.publish(subject_of(message), encode_message(message))


if __name__ == "__main__":
    sys.exit(report.main("value", measure))
