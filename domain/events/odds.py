"""The facts of prices: who offered what, when."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from domain.events.bet import Side
from domain.events.event import Event


class Quote(Struct, frozen=True, gc=False):
    """A bookmaker's price for one selection at one moment; `size` is what may be staked at it, as the bookmaker gives it.

    A `withdrawn` quote says that the price `odds`, the last one known, is no longer offered.
    """

    bookmaker: str
    selection_id: str
    odds: Decimal
    at: datetime
    size: Decimal | None = None
    closing: bool = False
    side: Side = "back"
    withdrawn: bool = False


class OddsSnapshotTaken(Event, frozen=True, kw_only=True):
    """A batch of quotes for one market was seen."""

    topic = "odds.snapshot_taken"
    version = 2  # of 2: the side of a quote, and quotes that were withdrawn
    market_id: UUID
    quotes: tuple[Quote, ...]
