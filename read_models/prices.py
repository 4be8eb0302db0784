"""Prices: the latest quote of every bookmaker for every selection, and all quotes that were ever seen."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.events import OddsSnapshotTaken
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import Batch, Change, ColumnType, Projection, columns, over


class PriceRow(Struct, frozen=True):
    """A bookmaker's price for a selection; `closing` marks its last one before the start, as the bookmaker says."""

    bookmaker: str
    selection_id: str
    odds: Decimal
    size: Decimal | None
    closing: bool
    at: datetime
    position: int


class QuoteRow(Struct, frozen=True):
    """A quote as it was seen; `line` is its place in its snapshot."""

    bookmaker: str
    selection_id: str
    odds: Decimal
    size: Decimal | None
    closing: bool
    at: datetime
    position: int
    line: int


_SELECT_LATEST = """
SELECT bookmaker, selection_id, odds, size, closing, at, position FROM prices"""
_SELECT_HISTORY = """
SELECT bookmaker, selection_id, odds, size, closing, at, position, line FROM quotes"""


async def latest(db: Db, market_id: UUID) -> list[PriceRow]:
    """Give the latest price of every bookmaker for every selection of a market."""
    where, order = ["market_id = %(market_id)s"], "ORDER BY bookmaker, selection_id"
    return await db.rows(query(_SELECT_LATEST, where, order), {"market_id": market_id}, PriceRow)


async def history(
    db: Db,
    market_id: UUID,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[QuoteRow]:
    """Give a market's quotes with times from `start` to before `end`, oldest first."""
    after = decode_cursor(cursor, tuple[datetime, int, int])
    where = ["market_id = %(market_id)s"]
    if start is not None:
        where.append("at >= %(start)s")
    if end is not None:
        where.append("at < %(end)s")
    if after:
        where.append("(at, position, line) > (%(at)s, %(position)s, %(line)s)")
    at, position, line = after or (datetime.now(UTC), 0, 0)
    parameters = {
        "market_id": market_id,
        "start": start,
        "end": end,
        "at": at if at.tzinfo else at.replace(tzinfo=UTC),
        "position": position,
        "line": line,
        "limit": limit + 1,
    }
    sql = query(_SELECT_HISTORY, where, "ORDER BY at, position, line LIMIT %(limit)s")
    rows = await db.rows(sql, parameters, QuoteRow)
    return page_of(rows, limit, lambda row: (row.at, row.position, row.line))


# ---- projection

_CREATE = """
CREATE TABLE prices (
    market_id uuid NOT NULL, bookmaker text NOT NULL, selection_id text NOT NULL, odds numeric NOT NULL, size numeric,
    closing boolean NOT NULL, at timestamptz NOT NULL, position bigint NOT NULL, line bigint NOT NULL,
    PRIMARY KEY (market_id, bookmaker, selection_id)
) WITH (fillfactor = 60);
CREATE TABLE quotes (
    market_id uuid NOT NULL, at timestamptz NOT NULL, position bigint NOT NULL, line bigint NOT NULL,
    bookmaker text NOT NULL, selection_id text NOT NULL, odds numeric NOT NULL, size numeric, closing boolean NOT NULL
)"""

_INDEX = "ALTER TABLE quotes ADD PRIMARY KEY (market_id, at, position, line)"

_QUOTE_TYPES: tuple[ColumnType, ...] = (
    "uuid",
    "text",
    "text",
    "text",
    "text",
    "boolean",
    "timestamptz",
    "bigint",
    "bigint",
)
_QUOTE = over(
    """
    INSERT INTO quotes (market_id, bookmaker, selection_id, odds, size, closing, at, position, line)
    SELECT e.a, e.b, e.c, e.d::numeric, e.e::numeric, e.f, e.g, e.h, e.i FROM {} AS e(a, b, c, d, e, f, g, h, i)""",
    *_QUOTE_TYPES,
)
# A quote that arrives late does not replace a later one; of two at the same time the one recorded last counts.
_PRICE = over(
    """
    INSERT INTO prices AS p
    SELECT e.a, e.b, e.c, e.d::numeric, e.e::numeric, e.f, e.g, e.h, e.i FROM {} AS e(a, b, c, d, e, f, g, h, i)
    ON CONFLICT (market_id, bookmaker, selection_id) DO UPDATE SET
        odds = excluded.odds, size = excluded.size, closing = excluded.closing,
        at = excluded.at, position = excluded.position, line = excluded.line
    WHERE (excluded.at, excluded.position, excluded.line) > (p.at, p.position, p.line)""",
    *_QUOTE_TYPES,
)


def _changes(batch: Batch) -> Iterable[Change]:
    rows: list[tuple[Any, ...]] = []
    newest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for recorded in batch.of(OddsSnapshotTaken):
        event = recorded.event
        assert isinstance(event, OddsSnapshotTaken)
        for line, quote in enumerate(event.quotes, 1):
            size = None if quote.size is None else str(quote.size)
            key = (event.market_id, quote.bookmaker, quote.selection_id)
            age = (quote.at, recorded.position, line)
            row = (*key, str(quote.odds), size, quote.closing, *age)
            rows.append(row)
            if key not in newest or newest[key][-3:] < age:
                newest[key] = row
    if rows:
        yield _QUOTE, columns(rows)
        yield _PRICE, columns(list(newest.values()))


PROJECTION = Projection(
    name="prices",
    tables=("prices", "quotes"),
    create=_CREATE,
    index=_INDEX,
    follows=(OddsSnapshotTaken,),
    changes=_changes,
)
