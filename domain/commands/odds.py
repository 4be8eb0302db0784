"""What may be asked of prices: to keep them."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from domain.commands.command import Command, Instant, Slug
from domain.events.bet import Side

MAX_QUOTES = 10_000


class QuoteBody(Command, frozen=True, kw_only=True):
    """A bookmaker's price for one selection of a market."""

    bookmaker: Slug
    market_id: UUID
    selection_id: Slug
    odds: Decimal
    at: Instant
    size: Decimal | None = None
    closing: bool = False
    side: Side = "back"
    withdrawn: bool = False


class RecordOdds(Command, frozen=True, kw_only=True):
    """Keep a batch of quotes: one snapshot for each market in it."""

    quotes: Annotated[list[QuoteBody], Meta(min_length=1, max_length=MAX_QUOTES)]
