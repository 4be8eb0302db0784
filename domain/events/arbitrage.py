"""The facts of arbitrages: detected, changed, gone."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.events.bet import Side
from domain.events.event import Event

ArbitrageKind = Literal["two_way", "n_way", "back_lay", "cross_market", "middle"]
ArbitrageEnd = Literal["price_moved", "expired", "not_open", "limits"]
ArbitrageWarning = Literal["margin_over_10_percent", "stale_leg", "rules_differ"]


class ArbitrageLeg(Struct, frozen=True, gc=False):
    """One bet of an arbitrage: `stake_minor` is what the back stakes or the lay is asked to match (not its liability)."""

    bookmaker: str
    market_id: UUID
    selection_id: str
    side: Side
    odds: Decimal
    stake_minor: int
    quoted_at: datetime


class Opportunity(Struct, frozen=True, gc=False):
    """A priced arbitrage: its legs, the outlay (back stakes and lay liabilities), and what it pays at the least.

    `margin` is the guaranteed profit over the outlay before stakes are rounded; money in minor units of `currency`.
    `sequence` is the place in the price stream of the message that made it so.
    """

    kind: ArbitrageKind
    fixture_id: UUID
    legs: tuple[ArbitrageLeg, ...]
    currency: str
    outlay_minor: int
    guaranteed_profit_minor: int
    margin: Decimal
    warnings: tuple[ArbitrageWarning, ...]
    expires_at: datetime
    sequence: int


class ArbitrageDetected(Event, frozen=True, kw_only=True):
    """An arbitrage exists in the prices that are offered now."""

    topic = "arbitrage.detected"
    opportunity: Opportunity


class ArbitrageChanged(Event, frozen=True, kw_only=True):
    """An open arbitrage has other legs, or pays materially more or less."""

    topic = "arbitrage.changed"
    opportunity: Opportunity


class ArbitrageClosed(Event, frozen=True, kw_only=True):
    """The arbitrage is gone; `best_margin` is the best that it showed."""

    topic = "arbitrage.closed"
    reason: ArbitrageEnd
    best_margin: Decimal
    sequence: int
