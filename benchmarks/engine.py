"""Board and search for arbitrages from memory: prices a second in batches, the time of one message, beside a plain engine."""

import gc
import itertools
import statistics
import time
from collections import Counter
from datetime import timedelta
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from adapters.linear_programme import HighsSolver
from application.detection.engine import Engine
from application.detection.thresholds import BookmakerTerms, Thresholds
from benchmarks.plain_engine import PlainEngine, Quote
from benchmarks.quotes import COMMISSION, EXCHANGES, Load, generate
from benchmarks.report import Outcome, at_least, at_most, beside, plain, say, true
from domain.board import SIDES, to_odds, to_time
from domain.quotes import QuoteLine, QuoteMessage

Ints = NDArray[np.int64]

FIXTURES: Final = 200
QUOTES: Final = 400_000
BATCH: Final = 5_000
PLAIN_QUOTES: Final = 3_000
AIM: Final = 300_000
AIM_MS: Final = 1.0
AIM_RATIO: Final = 20
_THRESHOLDS: Final = Thresholds(
    bookmakers={name: BookmakerTerms(commission=COMMISSION) for name in EXCHANGES}
)


class Round(Struct):
    """One replay of all prices in batches."""

    seconds: float
    cpu_seconds: float
    quotes_per_second: float
    programmes: int
    told: int
    held_on_average: float


class Single(Struct):
    """One replay message by message, in seconds."""

    p50: float
    p99: float
    p999: float
    p99_cpu: float
    seconds: float


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Replay generated prices in batches and one by one, and a part of them through the plain engine."""
    load = generate(FIXTURES, QUOTES // 4 if short else QUOTES)
    say(f"{len(load):,} prices of {FIXTURES} fixtures at {len(load.bookmakers)} bookmakers")
    first, batched = _batches(load, BATCH)
    rounds = [first]
    for _ in range(2 if short else 4):
        each, _ = _batches(load, BATCH)
        rounds.append(each)
        say(f"  in batches: {each.quotes_per_second:,.0f} prices/s")
    median = sorted(rounds, key=lambda each: each.quotes_per_second)[len(rounds) // 2]
    small, _ = _batches(load, BATCH // 10)
    singles = []
    single = batched
    for _ in range(1 if short else 3):
        times, single = _one_by_one(load)
        quantiles = statistics.quantiles((each for each, _ in times), n=1000)
        on_processor = statistics.quantiles((each for _, each in times), n=1000)
        total = sum(each for each, _ in times)
        singles.append(
            Single(quantiles[499], quantiles[989], quantiles[998], on_processor[989], total)
        )
        say(f"  one by one: p50 {quantiles[499] * 1e6:,.0f} µs, p99 {quantiles[989] * 1e6:,.0f} µs")
    one = sorted(singles, key=lambda each: each.p99)[len(singles) // 2]
    plain_per_second, agrees = _plain(load, whole_fixture=True)
    narrow_per_second, also_agrees = _plain(load, whole_fixture=False)
    kinds = Counter(each.opportunity.kind for each in single.open.values())
    return Outcome(
        [
            at_least(
                f"board and search, batches of {BATCH:,}", median.quotes_per_second, "quotes/s", AIM
            ),
            plain(f"  batches of {BATCH // 10}", small.quotes_per_second, "quotes/s"),
            plain("  by time on the processor", _quotes_of(load) / median.cpu_seconds, "quotes/s"),
            plain("  linear programmes", median.programmes, ""),
            plain("  opportunities told (opened, changed, closed)", median.told, ""),
            plain("  open at a time", median.held_on_average, ""),
            plain("one message at a time: p50", one.p50 * 1e3, "ms"),
            at_most("one message at a time: p99", one.p99 * 1e3, "ms", AIM_MS),
            plain("  p99 by time on the processor", one.p99_cpu * 1e3, "ms"),
            plain("  p99.9", one.p999 * 1e3, "ms"),
            plain("  all of them", _quotes_of(load) / one.seconds, "quotes/s"),
            beside(
                "batches beside a plain scan of the fixture",
                median.quotes_per_second,
                "quotes/s",
                "plain",
                plain_per_second,
                at_least=AIM_RATIO,
            ),
            beside(
                "  beside a plain scan of the price's market alone",
                median.quotes_per_second,
                "quotes/s",
                "plain",
                narrow_per_second,
            ),
            true(
                "batches and single messages end with the same",
                holds=_same(batched, single),
            ),
            true("the plain scan finds the same within markets", holds=agrees and also_agrees),
        ],
        {"rounds": rounds, "one by one": singles, "open at the end": dict(kinds)},
    )


def _quotes_of(load: Load) -> int:
    return len(load) - load.fill


def _same(one: Engine, other: Engine) -> bool:
    return one.holds().keys() == other.holds().keys()


def _engine(load: Load) -> tuple[Engine, Ints, Ints]:
    """Give an engine whose board is filled, and the row and column of every quote."""
    engine = Engine(_THRESHOLDS, HighsSolver())
    for market in load.markets:
        engine.describe(market)
    columns = np.array([engine.board.column(name) for name in load.bookmakers])[load.bookmaker]
    count = np.array([len(market.selections) for market in load.markets])
    first = np.array(engine.board.first_row)
    rows = first[load.market] + load.selection + load.is_lay * count[load.market]
    fill = slice(0, load.fill)
    engine.apply_many(rows[fill], columns[fill], load.odds[fill], load.at[fill], 1)
    return engine, rows, columns


def _batches(load: Load, size: int) -> tuple[Round, Engine]:
    engine, rows, columns = _engine(load)
    before = engine.programmes
    told = 0
    held: list[int] = []
    gc.collect()
    began, worked = time.perf_counter(), time.process_time()
    for begin in range(load.fill, len(load), size):
        some = slice(begin, begin + size)
        told += len(
            engine.apply_many(rows[some], columns[some], load.odds[some], load.at[some], begin)
        )
        held.append(len(engine.open))
    seconds = time.perf_counter() - began
    done = Round(
        seconds,
        time.process_time() - worked,
        _quotes_of(load) / seconds,
        engine.programmes - before,
        told,
        statistics.mean(held),
    )
    return done, engine


def _messages(load: Load, begin: int, end: int) -> list[QuoteMessage]:
    """Make the messages of these quotes as the handler decodes them; a market's backs and lays come together."""
    bounds = [*np.flatnonzero(np.diff(load.message[begin:end], prepend=-1)) + begin, end]
    made = []
    for start, stop in itertools.pairwise(bounds):
        market = load.markets[load.market[start]]
        lines = tuple(
            QuoteLine(
                market.selections[load.selection[at]],
                to_odds(load.odds[at]),
                SIDES[int(load.is_lay[at])],
            )
            for at in range(start, stop)
        )
        bookmaker = load.bookmakers[load.bookmaker[start]]
        when = to_time(load.at[start])
        made.append(QuoteMessage(bookmaker, market.fixture_id, market.market_id, when, lines))
    return made


def _one_by_one(load: Load) -> tuple[list[tuple[float, float]], Engine]:
    engine, _, _ = _engine(load)
    messages = _messages(load, load.fill, len(load))
    now = to_time(load.at[-1]) + timedelta(seconds=1)
    times = []
    gc.collect()
    gc.freeze()
    for sequence, message in enumerate(messages, 2):
        began, worked = time.perf_counter(), time.thread_time()
        engine.apply(message, sequence, now)
        times.append((time.perf_counter() - began, time.thread_time() - worked))
    gc.unfreeze()
    return times, engine


def _plain(load: Load, *, whole_fixture: bool) -> tuple[float, bool]:
    """Give quotes a second of the plain engine over a part of the prices, and whether it found what the engine did."""
    commissions = {name: float(COMMISSION) for name in EXCHANGES}
    peer = PlainEngine(load.markets, commissions, whole_fixture=whole_fixture)
    engine, rows, columns = _engine(load)
    objects = [
        (
            str(load.markets[load.market[at]].market_id),
            Quote(
                load.bookmakers[load.bookmaker[at]],
                load.markets[load.market[at]].selections[load.selection[at]],
                SIDES[int(load.is_lay[at])],
                load.odds[at] / 1000,
                int(load.at[at]),
            ),
        )
        for at in range(load.fill + PLAIN_QUOTES)
    ]
    for market_id, quote in objects[: load.fill]:
        peer.fill(market_id, quote)
    began = time.perf_counter()
    for market_id, quote in objects[load.fill :]:
        peer.apply(market_id, quote)
    seconds = time.perf_counter() - began
    some = slice(load.fill, load.fill + PLAIN_QUOTES)
    engine.apply_many(rows[some], columns[some], load.odds[some], load.at[some], 2)
    touched = {objects[at][0] for at in range(load.fill, load.fill + PLAIN_QUOTES)}
    quarters = {str(m.market_id) for m in load.markets if m.line is not None and m.type == "AH"}
    mine = {
        key
        for key in engine.holds()
        if not key.startswith("fixture:") and key.split(":")[1] in touched - quarters
    }
    theirs = {key for key in peer.found if key.split(":")[1] in touched - quarters}
    return PLAIN_QUOTES / seconds, mine == theirs
