"""What a backtest may bet on: prices as they were known, beside what a model that knew no more said of them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Final, Literal, get_args

import numpy as np
from msgspec import Struct

from application.backtest.betting import PRICES, Offer, Price
from application.football.forecaster import GoalsSettings, LeagueForecaster
from application.football.matches import (
    TRUST,
    MarketPrices,
    PricedMatch,
    consensus,
    sharp_line,
)
from domain.events.market import MarketType
from domain.events.odds import Quote
from domain.outcomes import Proposition
from domain.prediction.checks import Floats, check_number
from domain.prediction.goals_model import worth
from domain.prediction.goals_table import FINISHED_AFTER
from domain.prediction.score_chances import ScoreChances
from domain.prediction.stacking import fit_stack
from domain.refusals import InvalidInput
from domain.scores import results_from_score

Model = Literal["goals", "stack", "market"]
MODELS: Final[tuple[Model, ...]] = get_args(Model)
MARKETS: Final[tuple[MarketType, ...]] = ("1X2", "OU")

_HALF: Final = Decimal("0.5")


class OfferSettings(Struct, frozen=True, kw_only=True):
    """Which price is taken and which model judges it.

    `open` and `close` are the prices of `bookmaker`, `best` is the highest opening price of all. The market's own line
    is of the same moment as the price. While fewer than `known_min` matches of a league are over, models are silent.
    """

    model: Model = "goals"
    price: Price = "best"
    bookmaker: str = "pinnacle"
    markets: tuple[MarketType, ...] = ("1X2",)
    goals: GoalsSettings = GoalsSettings()
    known_min: int = 100

    def check(self) -> None:
        """Refuse what is not known here, naming the field."""
        for field, value, known in (
            ("model", self.model, MODELS),
            ("price", self.price, PRICES),
        ):
            if value not in known:
                raise InvalidInput(f"{field} is one of {', '.join(known)}", field=field)
        if not self.markets or not set(self.markets) <= set(MARKETS):
            raise InvalidInput(f"markets are of {', '.join(MARKETS)}", field="markets")
        check_number(self.known_min, "known_min", 1, 10_000)


class _Candidate(Struct, frozen=True):
    match: PricedMatch
    market: MarketPrices
    quotes: tuple[Quote, ...]
    line: Floats
    known_at: datetime


class _Lesson(Struct, frozen=True):
    """What market and model said of a match, and how it ended; known once it is over."""

    over_at: datetime
    line: Floats
    said: Floats
    outcome: int


def offers_of(
    matches: Sequence[PricedMatch],
    since: datetime,
    settings: OfferSettings,
    rng: np.random.Generator,
    on_time: Callable[[datetime], None] | None = None,
) -> list[Offer]:
    """Give the offers of one league from `since` on; earlier matches are only learned from. Raises InvalidInput.

    What lacks a price of a selection is no offer. Later matches change no earlier offer.
    """
    settings.check()
    league = LeagueForecaster([match.played for match in matches], rng, settings.goals)
    lessons: dict[MarketType, list[_Lesson]] = {each: [] for each in settings.markets}
    offers = []
    candidates = sorted(
        (each for match in matches for each in _candidates(match, settings)), key=_in_time
    )
    for known_at, group in groupby(candidates, key=lambda each: each.known_at):
        together = list(group)
        if known_at < since and settings.model != "stack":
            continue
        if settings.model == "market":
            said = [candidate.line for candidate in together]
        elif league.known(known_at) < settings.known_min:
            continue
        else:
            said = _goals(league, together, known_at)
            if settings.model == "stack":
                alone, said = said, _stacked(together, said, lessons, known_at)
                for candidate, forecast in zip(together, alone, strict=True):
                    lessons[candidate.market.type].append(_lesson(candidate, forecast))
        if on_time is not None:
            on_time(known_at)
        offers += [
            _offer(candidate, chances, settings)
            for candidate, chances in zip(together, said, strict=True)
            if candidate.match.played.played_at >= since
        ]
    return offers


def _candidates(match: PricedMatch, settings: OfferSettings) -> list[_Candidate]:
    found = []
    for market_type in settings.markets:
        market = match.market(market_type)
        if market is None or (market.line is not None and market.line % 1 != _HALF):
            continue  # on other lines stakes may come back, and nothing here says how often
        closing = settings.price == "close"
        books = market.books(closing=closing)
        line = sharp_line(books) if settings.model == "stack" else consensus([*books.values()])
        quotes = _best(market) if settings.price == "best" else books.get(settings.bookmaker)
        if line is not None and quotes is not None:
            known_at = max(quote.at for book in (*books.values(), quotes) for quote in book)
            found.append(_Candidate(match, market, quotes, line, known_at))
    return found


def _best(market: MarketPrices) -> tuple[Quote, ...] | None:
    """Give the highest opening price of each selection; of equal ones the first bookmaker's by name."""
    best = []
    for selection_id in market.selections:
        quotes = [
            quote
            for quote in market.quotes
            if quote.selection_id == selection_id and not quote.closing
        ]
        if not quotes:
            return None
        best.append(min(quotes, key=lambda quote: (-quote.odds, quote.bookmaker)))
    return tuple(best)


def _in_time(candidate: _Candidate) -> tuple[datetime, datetime, str, str]:
    played = candidate.match.played
    return candidate.known_at, played.played_at, played.home, candidate.market.type


def _goals(
    league: LeagueForecaster, together: Sequence[_Candidate], known_at: datetime
) -> list[Floats]:
    chances = league.goals(
        [(each.match.played.home, each.match.played.away) for each in together], known_at
    )
    by_market: dict[tuple[MarketType, Decimal | None], Floats] = {}
    found = []
    for at, candidate in enumerate(together):
        key = candidate.market.type, candidate.market.line
        if key not in by_market:
            by_market[key] = _market_chances(chances, candidate.market)
        found.append(by_market[key][at])
    return found


def _market_chances(chances: ScoreChances, market: MarketPrices) -> Floats:
    """Give the chances (matches, selections), averaged over the draws."""
    proposition = Proposition(market.type, market.line, market.selections)
    wins = np.stack(
        [worth(chances, proposition, each).win.mean(0) for each in market.selections], axis=1
    )
    scaled: Floats = wins / wins.sum(1, keepdims=True)
    return scaled


def _stacked(
    together: Sequence[_Candidate],
    said: Sequence[Floats],
    lessons: dict[MarketType, list[_Lesson]],
    known_at: datetime,
) -> list[Floats]:
    """Weigh market and model by the matches that were over; before there are any, the market speaks alone."""
    stacks = {}
    for market_type, known in lessons.items():
        over = [lesson for lesson in known if lesson.over_at <= known_at]
        if over:
            stacks[market_type] = fit_stack(
                [lesson.line for lesson in over],
                [lesson.said for lesson in over],
                [lesson.outcome for lesson in over],
                trust=TRUST,
            )
    return [
        stacks[each.market.type].probabilities(each.line[None], forecast[None])[0]
        if each.market.type in stacks
        else each.line
        for each, forecast in zip(together, said, strict=True)
    ]


def _lesson(candidate: _Candidate, said: Floats) -> _Lesson:
    match, market = candidate.match, candidate.market
    results = results_from_score(
        market.type,
        market.line,
        {each: each for each in market.selections},
        match.fixture,
        match.score,
    )
    outcome = next(at for at, result in enumerate(results) if result.result == "won")
    return _Lesson(match.played.played_at + FINISHED_AFTER, candidate.line, said, outcome)


def _offer(candidate: _Candidate, chances: Floats, settings: OfferSettings) -> Offer:
    market = candidate.market
    # A closing price has no later one to be compared with.
    books = {} if settings.price == "close" else market.books(closing=True)
    closing = {
        (quote.bookmaker, quote.selection_id): quote.odds
        for quote in market.quotes
        if quote.closing and settings.price != "close"
    }
    fair = consensus([*books.values()])
    return Offer(
        match=candidate.match,
        market_id=market.market_id,
        type=market.type,
        line=market.line,
        known_at=candidate.known_at,
        quotes=candidate.quotes,
        probabilities=tuple(chances.tolist()),
        closing=tuple(
            closing.get((quote.bookmaker, quote.selection_id)) for quote in candidate.quotes
        ),
        fair=None if fair is None else tuple(fair.tolist()),
    )
