"""A small league with a model of its own, markets of its fixtures, and an engine that holds prices against it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID, uuid5

import numpy as np

from application.detection.thresholds import BookmakerTerms, Thresholds
from application.value.engine import ValueEngine
from domain.board import MarketDescription
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.freshness import MaxAges
from domain.prediction.goals_density import SHARED
from domain.prediction.goals_model import GoalsModel
from domain.quotes import QuoteLine, QuoteMessage
from domain.value import PricedMarket, ValueRules, price_market

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STARTS = NOW + timedelta(days=1)
NAMESPACE = UUID(int=6)
FIXTURE = UUID(int=77)
MODEL, OTHER_MODEL = UUID(int=(8 << 76) + 1), UUID(int=(8 << 76) + 2)
TEAMS = ("Ayr", "Bury", "Cork", "Derby")
USUAL: dict[MarketType, tuple[str, ...]] = {
    "1X2": ("home", "draw", "away"),
    "OU": ("over", "under"),
    "AH": ("home", "away"),
    "BTTS": ("yes", "no"),
    "DC": ("home_draw", "home_away", "draw_away"),
    "DNB": ("home", "away"),
    "CS": ("1-0", "0-0", "1-1", "other"),
}
THRESHOLDS = Thresholds(
    max_ages=MaxAges(300.0, {"hasty": 10.0}),
    bookmakers={"exchange": BookmakerTerms(commission=Decimal("0.05"), latency_ms=2_000)},
)


@lru_cache(8)
def goals_model(seed: int = 1, draws: int = 50) -> GoalsModel:
    """Sides of different strength, as certain as after two seasons."""
    rng = np.random.default_rng(seed)
    parameters = np.zeros((draws, SHARED + 2 * len(TEAMS)))
    parameters[:, 0] = 0.1 + 0.03 * rng.standard_normal(draws)
    parameters[:, 1] = 0.25 + 0.03 * rng.standard_normal(draws)
    parameters[:, 2] = -0.05
    strengths = np.linspace(0.3, -0.3, len(TEAMS))
    parameters[:, SHARED : SHARED + len(TEAMS)] = strengths
    parameters[:, SHARED + len(TEAMS) :] = strengths / 2
    parameters[:, SHARED:] += 0.08 * rng.standard_normal((draws, 2 * len(TEAMS)))
    return GoalsModel(TEAMS, parameters, NOW - timedelta(days=1))


def market(kind: MarketType, line: str | None = None, fixture: UUID = FIXTURE) -> MarketDescription:
    return MarketDescription(
        uuid5(NAMESPACE, f"{fixture}/{kind}/{line}"),
        fixture,
        kind,
        None if line is None else Decimal(line),
        USUAL[kind],
    )


@lru_cache(1_000)
def priced(of: MarketDescription, seed: int = 1, model_id: UUID = MODEL) -> PricedMarket:
    """The market as the model prices a fixture of the first side against the second."""
    return price_market(goals_model(seed).chances([TEAMS[:2]]), of, model_id)


def an_engine(
    markets: Iterable[MarketDescription],
    rules: ValueRules | None = None,
    seed: int = 1,
    model_id: UUID = MODEL,
    starts_at: datetime = STARTS,
) -> ValueEngine:
    engine = ValueEngine(rules or ValueRules(), THRESHOLDS)
    for each in markets:
        engine.describe(each, starts_at, priced(each, seed, model_id))
    return engine


def message(
    of: MarketDescription,
    bookmaker: str,
    odds: dict[str, str | None],
    *,
    side: Side = "back",
    at: datetime = NOW,
) -> QuoteMessage:
    lines: Sequence[QuoteLine] = tuple(
        QuoteLine(selection, None if each is None else Decimal(each), side)
        for selection, each in odds.items()
    )
    return QuoteMessage(bookmaker, of.fixture_id, of.market_id, at, tuple(lines))
