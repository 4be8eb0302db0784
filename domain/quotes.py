"""Prices on their way in: what a feed says in its own words, and the message that carries it once it is resolved."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.commands.command import Slug
from domain.events.bet import Side
from domain.events.market import MarketType


class FeedEvent(Struct, frozen=True):
    """A sporting event as a feed names it; `event_id` is the feed's own."""

    feed: str
    event_id: str
    sport: str
    competition: str
    name: str
    starts_at: datetime
    home: str | None = None
    away: str | None = None


class QuoteLine(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A price for one selection; `odds` None says that it is no longer offered. `size` is in the bookmaker's money."""

    selection_id: str
    odds: Decimal | None
    side: Side = "back"
    size: Decimal | None = None


class QuoteBatch(Struct, frozen=True):
    """What a feed says of one bookmaker's market at one moment, in the feed's words.

    `selections` are (selection_id, name) in order; ids of football markets are the outcomes that DOMAIN.md names: `home`,
    `draw`, `away`, `over`, `under`, `yes`, `no`, `home_draw`, `home_away`, `draw_away`, and scores such as `2-1`.
    `complete` when every selection that is not quoted is no longer offered; `suspended` when nothing is.
    """

    event: FeedEvent
    bookmaker: str
    type: MarketType
    line: Decimal | None
    at: datetime
    selections: tuple[tuple[str, str], ...]
    quotes: tuple[QuoteLine, ...]
    complete: bool = True
    suspended: bool = False
    closing: bool = False


class QuoteMessage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One bookmaker's prices for one market at one moment: the message on `odds.<bookmaker>.<fixture>.<market>`."""

    bookmaker: Slug
    fixture_id: UUID
    market_id: UUID
    at: datetime
    quotes: tuple[QuoteLine, ...]
    feed: str = ""
    closing: bool = False


LEDGER_FEED: Final = "ledger"
"""The `feed` of a message whose prices are in the ledger already: they were posted there."""

_TOKEN: Final = re.compile(r"[^a-z0-9_-]+")


def bookmaker_key(name: str) -> str:
    """Give a bookmaker's name as the key that subjects carry: lower case, `a-z 0-9 _ -`, 50 characters at most."""
    return _TOKEN.sub("-", name.lower()).strip("-")[:50] or "unnamed"


def subject_of(message: QuoteMessage) -> str:
    """Name the subject that a message goes out on: `odds.<bookmaker>.<fixture>.<market>`."""
    return f"odds.{bookmaker_key(message.bookmaker)}.{message.fixture_id}.{message.market_id}"


encode_message: Final = msgspec.json.Encoder(decimal_format="number").encode
"""Encode a message: JSON, odds as exact numbers."""
decode_message: Final = msgspec.json.Decoder(QuoteMessage).decode
"""Decode a message; raises ValueError (msgspec's) with the place of what is wrong."""
