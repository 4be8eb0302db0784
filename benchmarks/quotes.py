"""Prices of many bookmakers as they move: generated, of the shape of real ones, and a recorded World Cup."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from domain.board import MarketDescription, to_microseconds
from domain.events.market import Fixture, MarketType, Score
from domain.scores import results_from_score

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BOOKMAKERS: Final = 20
EXCHANGES: Final = ("exchange_a", "exchange_b")
"""These quote lays too, and take 2% of what is won."""
COMMISSION: Final = Decimal("0.02")
MARKETS: Final[tuple[tuple[MarketType, tuple[str, ...]], ...]] = (
    ("1X2", ("home", "draw", "away")),
    ("OU", ("over", "under")),
    ("AH", ("home", "away")),
    ("BTTS", ("yes", "no")),
)
_GOALS: Final = 11
# What goals are expected moves by so much between two messages about a fixture, and now and then there is news.
_DRIFT: Final = 0.0003
_NEWS: Final = 0.03
_NEWS_SHARE: Final = 0.0002
_CHUNK: Final = 20_000
_START: Final = to_microseconds(datetime(2026, 11, 22, 12, tzinfo=UTC))


class Load(Struct, frozen=True, eq=False):
    """Messages in order: each is one bookmaker's prices for all selections of one market, one side.

    Arrays by quote: `message` (its number), `market` (index), `selection` (index in its market), `is_lay`,
    `bookmaker` (index), `odds` in thousandths, `at` in microseconds. The first `fill` quotes fill the board.
    """

    markets: tuple[MarketDescription, ...]
    bookmakers: tuple[str, ...]
    fill: int
    message: Ints
    market: Ints
    selection: Ints
    is_lay: NDArray[np.bool_]
    bookmaker: Ints
    odds: Ints
    at: Ints

    def __len__(self) -> int:
        return len(self.odds)


def generate(fixtures: int, quotes: int, seed: int = 3) -> Load:
    """Make prices that follow goals' expectations, which wander; bookmakers see them at different moments.

    A bookmaker prices what it expects with its own margin (2 to 9%; exchanges 0.5%) and a small opinion of its own, in
    hundredths. Arbitrages come about as they do: somebody has not moved yet.
    """
    rng = np.random.default_rng(seed)
    names = (*EXCHANGES, *(f"book_{n:02}" for n in range(BOOKMAKERS - len(EXCHANGES))))
    markets = [
        MarketDescription(
            UUID(int=(f << 8) + n + 1),
            UUID(int=f + 1),
            kind,
            {"OU": Decimal("2.5"), "AH": Decimal(int(rng.integers(-4, 3))) / 4}.get(kind),
            selections,
        )
        for f in range(fixtures)
        for n, (kind, selections) in enumerate(MARKETS)
    ]
    margins = np.where(np.arange(len(names)) < len(EXCHANGES), 0.005, rng.uniform(0.02, 0.09, len(names)))  # fmt: skip
    # First every bookmaker's every market, then at random.
    per_message = sum(len(s) for _, s in MARKETS) / len(MARKETS) * (1 + len(EXCHANGES) / BOOKMAKERS)
    more = int(quotes / per_message)
    grid = np.indices((len(markets), len(names))).reshape(2, -1)
    market = np.concatenate([grid[0], rng.integers(0, len(markets), more)])
    book = np.concatenate([grid[1], rng.integers(0, len(names), more)])
    fixture = market // len(MARKETS)
    attack = _wander(rng, fixture, fixtures)
    fair = _fair_odds(markets, market, attack)
    opinion = rng.normal(0, 0.004, (len(markets), len(names), 3))
    price = 1 + (fair - 1) * np.exp(opinion[market, book]) / (1 + margins[book][:, None] * 1.6)
    at = _START + np.arange(len(market)) * 500
    rows: list[tuple[Ints, Ints, NDArray[np.bool_], Ints]] = []
    sizes = np.array([len(m.selections) for m in markets])
    for selection in range(3):
        has = np.flatnonzero(sizes[market] > selection)
        back = (np.floor(price[has, selection] * 100) * 10).clip(1010, 1_000_000).astype(np.int64)
        rows.append((has, np.full(len(has), selection), np.zeros(len(has), np.bool_), back))
        lays = has[book[has] < len(EXCHANGES)]
        width = 1 + (price[lays, selection] - 1) * 1.025
        lay = (np.ceil(width * 100) * 10).clip(1020, 1_000_000).astype(np.int64)
        rows.append((lays, np.full(len(lays), selection), np.ones(len(lays), np.bool_), lay))
    message, chosen, is_lay, odds = (np.concatenate(each) for each in zip(*rows, strict=True))
    order = np.argsort(message, kind="stable")
    message = message[order]
    return Load(
        markets=tuple(markets),
        bookmakers=names,
        fill=int(np.searchsorted(message, grid.shape[1])),
        message=message,
        market=market[message],
        selection=chosen[order],
        is_lay=is_lay[order],
        bookmaker=book[message],
        odds=odds[order],
        at=at[message],
    )


def _wander(rng: np.random.Generator, fixture: Ints, fixtures: int) -> Floats:
    """Give the goals that each side is expected to score, at each message: a random walk by fixture, (messages, 2)."""
    start = np.column_stack([rng.uniform(0.9, 2.2, fixtures), rng.uniform(0.7, 1.8, fixtures)])
    steps = rng.normal(0, _DRIFT, (len(fixture), 2))
    news = rng.random(len(fixture)) < _NEWS_SHARE
    steps[news] += rng.normal(0, _NEWS, (int(news.sum()), 2))
    attack = np.empty((len(fixture), 2))
    order = np.argsort(fixture, kind="stable")
    bounds = np.searchsorted(fixture[order], np.arange(fixtures + 1))
    for f in range(fixtures):
        its = order[bounds[f] : bounds[f + 1]]
        attack[its] = start[f] * np.exp(np.cumsum(steps[its], axis=0))
    return attack


def _fair_odds(markets: list[MarketDescription], market: Ints, attack: Floats) -> Floats:
    """Give the odds at which each selection's bet is worth its stake when goals are Poisson, (messages, 3)."""
    goals = np.arange(_GOALS)
    factorial = np.cumprod(np.maximum(goals, 1)).astype(float)
    payoffs = {}
    for each in markets:
        key = each.type, each.line
        if key not in payoffs:
            payoffs[key] = _payoffs(each)
    keys = list(payoffs)
    kind_of = np.array([keys.index((each.type, each.line)) for each in markets])[market]
    fair = np.full((len(market), 3), 2.0)
    for begin in range(0, len(market), _CHUNK):
        some = slice(begin, begin + _CHUNK)
        home, away = (
            np.exp(-rate)[:, None] * rate[:, None] ** goals / factorial for rate in attack[some].T
        )
        joint = (home[:, :, None] * away[:, None, :]).reshape(len(home), -1)
        joint /= joint.sum(axis=1, keepdims=True)
        for number, key in enumerate(keys):
            its = np.flatnonzero(kind_of[some] == number)
            c0, c1 = payoffs[key]
            fair[begin + its, : len(c0)] = (1 - joint[its] @ c0.T) / (joint[its] @ c1.T)
    return fair


_SHARES: Final = {
    "won": (0.0, 1.0),
    "half_won": (0.5, 0.5),
    "push": (1.0, 0.0),
    "half_lost": (0.5, 0.0),
}


def _payoffs(market: MarketDescription) -> tuple[Floats, Floats]:
    """Give c0 and c1 (what a unit returns is c0 + c1·odds) of each selection at every score, (selections, scores)."""
    names = {selection: selection for selection in market.selections}
    fixture = Fixture("football", "league", "a v b", datetime(2026, 11, 22, tzinfo=UTC))
    shares = [
        [
            _SHARES.get(each.result, (0.0, 0.0))
            for each in results_from_score(market.type, market.line, names, fixture, Score(h, a))
        ]
        for h in range(_GOALS)
        for a in range(_GOALS)
    ]
    both = np.array(shares)
    return both[:, :, 0].T, both[:, :, 1].T
