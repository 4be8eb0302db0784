"""The facts of predictions: what was said before, and how it turned out."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from domain.events.event import Event
from domain.events.market import MarketType
from domain.events.model import Estimate


class Chance(Struct, frozen=True, gc=False):
    """What a model gives a selection: `probability` = 1 / (fair odds) with its 95% interval over the model's draws.

    `refund` is the share of a back's stake that comes back on average (pushes, halves); a unit at odds o returns
    refund + (1 − refund) · probability · o.
    """

    selection_id: str
    probability: Decimal
    low: Decimal
    high: Decimal
    refund: Decimal = Decimal(0)


class MarketChances(Struct, frozen=True, gc=False):
    """What a model gives the selections of a market."""

    market_id: UUID
    type: MarketType
    line: Decimal | None
    chances: tuple[Chance, ...]


class ExpectedGoals(Struct, frozen=True, gc=False):
    """How many goals each side scores on average."""

    home: Estimate
    away: Estimate


class PredictionMade(Event, frozen=True, kw_only=True):
    """What a model says of a fixture's markets, knowing nothing of `as_of` or later."""

    topic = "prediction.made"
    model_id: UUID
    fixture_id: UUID
    as_of: datetime
    markets: tuple[MarketChances, ...]
    expected_goals: ExpectedGoals | None = None


class PredictionScored(Event, frozen=True, kw_only=True):
    """How a prediction of a market turned out by its result of this generation.

    Losses are None where there is nothing to lose: all was void or refunded, or the result was rolled back (no `winners`).
    """

    topic = "prediction.scored"
    market_id: UUID
    generation: int
    winners: tuple[str, ...]
    log_loss: Decimal | None
    brier: Decimal | None
    rps: Decimal | None
