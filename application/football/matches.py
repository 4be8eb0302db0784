"""Played matches with the prices that were known before them, as evaluations and backtests read them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

import numpy as np
from msgspec import Struct

from domain.events.market import Fixture, MarketType, Score
from domain.events.odds import Quote
from domain.prediction.checks import Floats
from domain.prediction.devig import Method, without_margin
from domain.prediction.goals_table import PlayedMatch
from domain.scores import SIDES

Averaging = Literal["plain", "logs"]

PINNACLE: Final = "pinnacle"
SEASON_STARTS_IN: Final = 7
"""The month in which European leagues change seasons."""
LEAN: Final = 0.5
"""How far the market's line is drawn past Pinnacle's, away from the others' (chosen on 2020/21 and 2021/22)."""
TRUST: Final = 4.0
"""How firmly a stack believes the market: what a thousand matches say against it is mostly chance (2021/22)."""
_LEAST: Final = 1e-9


class MarketPrices(Struct, frozen=True):
    """A market of a match and its bookmakers' quotes, each with the time at which it was known."""

    market_id: UUID
    type: MarketType
    line: Decimal | None
    quotes: tuple[Quote, ...]

    @property
    def selections(self) -> tuple[str, ...]:
        """All selections of the market, in their order (home, draw, away; over, under)."""
        return SIDES[self.type]

    def books(self, *, closing: bool) -> dict[str, tuple[Quote, ...]]:
        """Give each bookmaker's quotes of all selections, in their order; whoever lacks one is left out."""
        found: dict[str, dict[str, Quote]] = {}
        for quote in self.quotes:
            if quote.closing == closing:
                found.setdefault(quote.bookmaker, {}).setdefault(quote.selection_id, quote)
        return {
            bookmaker: tuple(by_selection[each] for each in self.selections)
            for bookmaker, by_selection in found.items()
            if all(each in by_selection for each in self.selections)
        }


class PricedMatch(Struct, frozen=True):
    """A match of a league that has been played, with its markets; `season` is the year in which the season began."""

    league: str
    season: int
    fixture: Fixture
    played: PlayedMatch
    markets: tuple[MarketPrices, ...]

    @property
    def score(self) -> Score:
        """The final score."""
        return Score(self.played.home_goals, self.played.away_goals)

    def market(self, market_type: MarketType) -> MarketPrices | None:
        """Give the market of this type, None where the match has none."""
        return next((each for each in self.markets if each.type == market_type), None)


def season_of(match: PlayedMatch) -> int:
    """Give the year in which the match's season began."""
    return match.played_at.year - (match.played_at.month < SEASON_STARTS_IN)


def season_name(season: int) -> str:
    """Name a season as 2023/24."""
    return f"{season}/{(season + 1) % 100:02}"


def consensus(
    books: Sequence[Sequence[Quote]],
    method: Method = "multiplicative",
    averaging: Averaging = "logs",
) -> Floats | None:
    """Give the market's probabilities (selections,): the bookmakers' without their margins, averaged; None without any.

    `logs` averages the logs of the probabilities, so that a long shot is not what its most generous bookmaker says of it.
    """
    if not books:
        return None
    odds = [[float(quote.odds) for quote in book] for book in books]
    fair = without_margin(odds, method)
    if averaging == "plain":
        mean = fair.mean(0)
    else:
        mean = np.exp(np.log(np.maximum(fair, _LEAST)).mean(0))
    found: Floats = mean / mean.sum()
    return found


def sharp_line(books: Mapping[str, Sequence[Quote]], lean: float = LEAN) -> Floats | None:
    """Give the market's probabilities where one bookmaker knows more: log p = log P + lean·(log P − log O), scaled.

    P are Pinnacle's and O the others' mean, multiplicative: what the others differ by is rather their mistake. Without
    Pinnacle, or without others, the consensus of who is there; None without anybody.
    """
    others = consensus([book for name, book in books.items() if name != PINNACLE], "multiplicative")
    if PINNACLE not in books:
        return others
    pinnacle = consensus([books[PINNACLE]], "multiplicative")
    if others is None or pinnacle is None:
        return pinnacle
    leaning = pinnacle * (pinnacle / others) ** lean
    found: Floats = leaning / leaning.sum()
    return found
