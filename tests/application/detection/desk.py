"""An engine with markets, and ways to bring prices to it."""

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from uuid import UUID, uuid5

import numpy as np

from adapters.linear_programme import HighsSolver
from application.detection.engine import Engine
from application.detection.thresholds import Thresholds
from domain.board import BoardQuote, MarketDescription, to_microseconds
from domain.commands.arbitrage import ArbitrageChange
from domain.events.arbitrage import Opportunity
from domain.events.bet import Side
from domain.money import round_half_up
from domain.quotes import QuoteLine, QuoteMessage
from tests.application.detection.brute_force import SAME, Price, all_values, shares

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIXTURE = UUID(int=77)
NAMESPACE = UUID(int=5)
CLOSE = 1e-9
FAIR = {"home": 2.4, "draw": 3.4, "away": 3.1, "over": 1.95, "under": 1.95, "yes": 1.9, "no": 2.0}


@lru_cache(maxsize=20_000)
def market(
    kind: str, line: str | None = None, fixture: UUID = FIXTURE, selections: Sequence[str] = ()
) -> MarketDescription:
    usual = {
        "1X2": ("home", "draw", "away"),
        "OU": ("over", "under"),
        "AH": ("home", "away"),
        "BTTS": ("yes", "no"),
        "DC": ("home_draw", "home_away", "draw_away"),
        "DNB": ("home", "away"),
    }
    return MarketDescription(
        uuid5(NAMESPACE, f"{fixture}/{kind}/{line}"),
        fixture,
        kind,  # type: ignore[arg-type]
        None if line is None else Decimal(line),
        tuple(selections) or usual[kind],
    )


def engine_of(markets: Iterable[MarketDescription], thresholds: Thresholds | None = None) -> Engine:
    engine = Engine(thresholds or Thresholds(), HighsSolver())
    for each in markets:
        engine.describe(each)
    return engine


def message(
    of: MarketDescription,
    bookmaker: str,
    odds: dict[str, str | None],
    *,
    side: Side = "back",
    at: datetime = NOW,
    size: str | None = None,
) -> QuoteMessage:
    lines = tuple(
        QuoteLine(
            selection,
            None if each is None else Decimal(each),
            side,
            None if size is None else Decimal(size),
        )
        for selection, each in odds.items()
    )
    return QuoteMessage(bookmaker, of.fixture_id, of.market_id, at, lines)


class Desk:
    """Numbers messages and keeps what they told."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sequence = 0
        self.told: list[ArbitrageChange] = []

    def quote(
        self,
        of: MarketDescription,
        bookmaker: str,
        odds: dict[str, str | None],
        *,
        side: Side = "back",
        at: datetime = NOW,
        size: str | None = None,
    ) -> list[ArbitrageChange]:
        self.sequence += 1
        told = self.engine.apply(
            message(of, bookmaker, odds, side=side, at=at, size=size), self.sequence, NOW
        )
        self.told += told
        return told


def put(
    engine: Engine, prices: Iterable[Price | tuple[Price, None]], sequence: int, at: datetime = NOW
) -> list[ArbitrageChange]:
    """Bring prices as one batch; (price, None) withdraws that price."""
    quotes = []
    for each in prices:
        price, odds = (each, round(each.odds * 1000)) if isinstance(each, Price) else (each[0], 0)
        row = engine.board.row(price.market.market_id, price.selection_id, price.side)
        quotes.append((row, engine.board.column(price.bookmaker), odds))
    rows, columns, odds_ = np.array(quotes, np.int64).reshape(-1, 3).T
    times = np.full(len(rows), to_microseconds(at))
    return engine.apply_many(rows, columns, odds_, times, sequence)


def brute_values(
    prices: Sequence[Price], commissions: dict[str, float] | None = None
) -> dict[str, float]:
    by_fixture: dict[UUID, list[Price]] = {}
    for price in prices:
        by_fixture.setdefault(price.market.fixture_id, []).append(price)
    values: dict[str, float] = {}
    for fixture, its in by_fixture.items():
        values |= all_values(str(fixture), its, commissions)
    return values


def assert_same(found: dict[str, float], expected: dict[str, float]) -> None:
    assert found.keys() == expected.keys()
    for key, value in found.items():
        assert abs(value - expected[key]) < CLOSE, key


def prices_on(engine: Engine) -> list[Price]:
    """The prices that the board shows now."""
    return [
        Price(each, quote.selection_id, quote.side, quote.bookmaker, float(quote.odds))
        for each in engine.board.markets
        for quote in engine.board.quotes(each.market_id)
    ]


def values_of(engine: Engine) -> dict[str, float]:
    return {key: found.value for key, found in engine.holds().items()}


def assert_pays(
    opportunity: Opportunity,
    markets: dict[UUID, MarketDescription],
    commissions: dict[str, Decimal] | None = None,
) -> None:
    """Settle every leg at every end, in whole money, and see that the profit is never below the guarantee."""
    legs = opportunity.legs
    assert len({SAME.get(leg.bookmaker, leg.bookmaker) for leg in legs}) == len(legs)
    paid: Sequence[int] = ()
    outlay = 0
    for leg in legs:
        odds = Fraction(leg.odds)
        c0, c1 = shares(markets[leg.market_id], leg.selection_id)
        returns = [Fraction(a) + Fraction(b) * odds for a, b in zip(c0, c1, strict=True)]
        profits = [round_half_up(leg.stake_minor * each) - leg.stake_minor for each in returns]
        if leg.side == "lay":
            profits = [-profit for profit in profits]
            outlay += -int(-leg.stake_minor * (odds - 1) // 1)
        else:
            outlay += leg.stake_minor
        kept = 1 - Fraction((commissions or {}).get(leg.bookmaker, Decimal(0)))
        profits = [round_half_up(p * kept) if p > 0 else p for p in profits]
        paid = [a + b for a, b in zip(paid, profits, strict=True)] if paid else profits
    assert min(paid) >= opportunity.guaranteed_profit_minor > 0
    assert abs(outlay - opportunity.outlay_minor) <= len(legs)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def board_rows(engine: Engine) -> list[BoardQuote]:
    return [quote for each in engine.board.markets for quote in engine.board.quotes(each.market_id)]


def wandering(
    markets: Sequence[MarketDescription],
    bookmakers: Sequence[str],
    count: int,
    seed: int,
    at: Callable[[int], datetime],
) -> list[QuoteMessage]:
    """Prices that wander around fair ones, so that arbitrages open, change and end all the time.

    No two bookmakers have the same price: nobody says which of them a tie goes to.
    """
    rng = random.Random(seed)
    messages = []
    for number in range(count):
        of, bookmaker = rng.choice(markets), rng.choice(bookmakers)
        lines = tuple(
            QuoteLine(
                selection,
                None
                if rng.random() < 0.05
                else Decimal(round(FAIR[selection] * rng.uniform(0.88, 1.06) * 100)) / 100
                + Decimal(bookmakers.index(bookmaker)) / 1000,
            )
            for selection in of.selections
            if rng.random() < 0.9
        )
        messages.append(
            QuoteMessage(bookmaker, of.fixture_id, of.market_id, at(number), lines, feed="test")
        )
    return messages
