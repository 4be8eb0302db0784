"""The facts of value signals: prices that beat what a model says they should be."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.events.bet import Side
from domain.events.event import Event

ValueEnd = Literal["price_moved", "prediction_changed", "expired", "not_open", "limits"]


class ValueSignal(Struct, frozen=True, gc=False):
    """A price that beats what a model says it should be.

    `edge` is probability − 1/odds, `expected_value` what a unit earns on average after commission, `kelly` the share of
    a bankroll that grows it fastest beside the market's other selections, `stake_share` what is left of it after
    fraction and caps. `sequence` is the place in the price stream of the message that made it so.
    """

    fixture_id: UUID
    market_id: UUID
    selection_id: str
    side: Side
    bookmaker: str
    model_id: UUID
    odds: Decimal
    probability: Decimal
    low: Decimal
    high: Decimal
    fair_odds: Decimal
    edge: Decimal
    expected_value: Decimal
    kelly: Decimal
    stake_share: Decimal
    quoted_at: datetime
    expires_at: datetime
    sequence: int


class ValueDetected(Event, frozen=True, kw_only=True):
    """A price beats what the active model says it should be."""

    topic = "value.detected"
    signal: ValueSignal


class ValueChanged(Event, frozen=True, kw_only=True):
    """An open value signal has another price, or is worth materially more or less."""

    topic = "value.changed"
    signal: ValueSignal


class ValueClosed(Event, frozen=True, kw_only=True):
    """The value is gone; `best_expected_value` is the best that it showed."""

    topic = "value.closed"
    reason: ValueEnd
    best_expected_value: Decimal
    sequence: int
