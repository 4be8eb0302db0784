"""A market's odds board as clients see it: the latest prices, how old they are, and the best of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from domain.events.bet import Side
from domain.events.odds import Quote
from domain.freshness import MaxAges
from read_models.prices import PriceRow


class ShownPrice(Struct, frozen=True):
    """A bookmaker's latest price; `stale` when it is older than this bookmaker's quotes may be.

    `position` is that of its snapshot in the log, null when it is younger than the latest snapshot.
    """

    bookmaker: str
    selection_id: str
    side: Side
    odds: Decimal
    size: Decimal | None
    closing: bool
    at: datetime
    age_seconds: float
    stale: bool
    position: int | None


class BestPrice(Struct, frozen=True):
    """The best price that is not stale: the highest to back, the lowest to lay."""

    selection_id: str
    side: Side
    odds: Decimal
    bookmaker: str
    at: datetime


class OddsBoard(Struct, frozen=True):
    """All prices that are offered, on one page, and the best ones."""

    items: list[ShownPrice]
    next_cursor: str | None
    best: list[BestPrice]


def odds_board(
    kept: Iterable[PriceRow], live: Sequence[Quote], max_ages: MaxAges, now: datetime
) -> OddsBoard:
    """Put a board together from the kept prices and those live ones that are newer; withdrawn prices are not shown."""
    latest: dict[tuple[str, str, Side], PriceRow | Quote] = {
        (row.bookmaker, row.selection_id, row.side): row for row in kept
    }
    for quote in live:
        key = (quote.bookmaker, quote.selection_id, quote.side)
        known = latest.get(key)
        if known is None or quote.at > known.at:
            latest[key] = quote
    items = [
        _shown(latest[key], max_ages, now) for key in sorted(latest) if not latest[key].withdrawn
    ]
    return OddsBoard(items, None, _best(items))


def _shown(price: PriceRow | Quote, max_ages: MaxAges, now: datetime) -> ShownPrice:
    return ShownPrice(
        price.bookmaker,
        price.selection_id,
        price.side,
        price.odds,
        price.size,
        price.closing,
        price.at,
        # A bookmaker's clock may be a little ahead of ours.
        max(0.0, round((now - price.at).total_seconds(), 3)),
        max_ages.is_stale(price.bookmaker, price.at, now),
        price.position if isinstance(price, PriceRow) else None,
    )


def _best(items: Iterable[ShownPrice]) -> list[BestPrice]:
    best: dict[tuple[str, Side], ShownPrice] = {}
    for price in items:
        key = (price.selection_id, price.side)
        known = best.get(key)
        if price.stale:
            continue
        if known is None or _is_better(price, known):
            best[key] = price
    return [
        BestPrice(*key, best[key].odds, best[key].bookmaker, best[key].at) for key in sorted(best)
    ]


def _is_better(price: ShownPrice, known: ShownPrice) -> bool:
    return price.odds > known.odds if price.side == "back" else price.odds < known.odds
