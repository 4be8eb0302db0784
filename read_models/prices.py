"""Prices: the latest quote of every bookmaker for every selection, all quotes that were ever seen, and closing prices."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from domain.events.bet import Side
from domain.events.odds import OddsSnapshotTaken
from read_models import closing
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import Batch, Change, ColumnType, Projection, columns, over


class PriceRow(Struct, frozen=True):
    """A bookmaker's price for a selection; `closing` marks its last one before the start, as the bookmaker says.

    A `withdrawn` one is no longer offered: `odds` were the last.
    """

    bookmaker: str
    selection_id: str
    side: Side
    odds: Decimal
    size: Decimal | None
    closing: bool
    withdrawn: bool
    at: datetime
    position: int


class QuoteRow(Struct, frozen=True):
    """A quote as it was seen; `line` is its place in its snapshot."""

    bookmaker: str
    selection_id: str
    side: Side
    odds: Decimal
    size: Decimal | None
    closing: bool
    withdrawn: bool
    at: datetime
    position: int
    line: int


class Candle(Struct, frozen=True):
    """A bookmaker's prices for a selection from `start` until the next interval: first, highest, lowest, last."""

    bookmaker: str
    selection_id: str
    side: Side
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    quotes: int


class BoardRow(Struct, frozen=True):
    """A bookmaker's latest quote for a selection of one of several markets."""

    market_id: UUID
    bookmaker: str
    selection_id: str
    side: Side
    odds: Decimal
    size: Decimal | None
    withdrawn: bool
    at: datetime


class QuoteFilter(Struct, frozen=True):
    """Which of a market's quotes: with times from `start` to before `end`, of one bookmaker, selection, side."""

    market_id: UUID
    start: datetime | None = None
    end: datetime | None = None
    bookmaker: str | None = None
    selection_id: str | None = None
    side: Side | None = None

    def where(self) -> tuple[list[str], dict[str, Any]]:
        """Give conditions on `quotes q` but for the times, and the parameters of all."""
        where = ["q.market_id = %(market_id)s"]
        if self.bookmaker is not None:
            where.append("q.bookmaker = %(bookmaker)s")
        if self.selection_id is not None:
            where.append("q.selection_id = %(selection_id)s")
        if self.side is not None:
            where.append("q.side = %(side)s")
        return where, {
            "market_id": self.market_id,
            "start": self.start,
            "end": self.end,
            "bookmaker": self.bookmaker,
            "selection_id": self.selection_id,
            "side": self.side,
        }


_SELECT_LATEST = """
SELECT bookmaker, selection_id, side, odds, size, closing, withdrawn, at, position FROM prices"""


async def latest(db: Db, market_id: UUID) -> list[PriceRow]:
    """Give the latest quote of every bookmaker for every selection and side of a market, withdrawn ones too."""
    where, order = ["market_id = %(market_id)s"], "ORDER BY bookmaker, selection_id, side"
    return await db.rows(query(_SELECT_LATEST, where, order), {"market_id": market_id}, PriceRow)


_SELECT_BOARD = """
SELECT market_id, bookmaker, selection_id, side, odds, size, withdrawn, at FROM prices"""


async def of_live_markets(db: Db) -> list[BoardRow]:
    """Give the latest quotes of markets that are open or suspended, withdrawn ones too: an older quote must not bring them back."""
    where = ["market_id IN (SELECT market_id FROM markets WHERE status IN ('open', 'suspended'))"]
    return await db.rows(query(_SELECT_BOARD, where, "ORDER BY market_id"), {}, BoardRow)


_SELECT_OFFERED = """
SELECT market_id, selection_id, array_agg(odds ORDER BY odds) FROM prices
WHERE market_id = ANY(%(market_ids)s) AND side = 'back' AND NOT withdrawn GROUP BY market_id, selection_id"""


async def consensus(db: Db, market_ids: Sequence[UUID]) -> dict[UUID, dict[str, Decimal]]:
    """Give the median of the bookmakers' latest back odds for each selection that is offered, exactly."""
    found: dict[UUID, dict[str, Decimal]] = {}
    parameters = {"market_ids": list(market_ids)}
    for market_id, selection_id, odds in await db.rows(_SELECT_OFFERED, parameters, _columns):
        middle = odds[(len(odds) - 1) // 2] + odds[len(odds) // 2]
        found.setdefault(market_id, {})[selection_id] = middle / 2
    return found


def _columns(*values: Any) -> tuple[Any, ...]:
    return values


_SELECT_HISTORY = """
SELECT q.bookmaker, q.selection_id, q.side, q.odds, q.size, q.closing, q.withdrawn, q.at, q.position, q.line
FROM quotes q"""


async def history(
    db: Db, asked: QuoteFilter, limit: int = 100, cursor: str | None = None
) -> Page[QuoteRow]:
    """Give a market's quotes, oldest first."""
    after = decode_cursor(cursor, tuple[datetime, int, int])
    where, parameters = asked.where()
    if asked.start is not None:
        where.append("q.at >= %(start)s")
    if asked.end is not None:
        where.append("q.at < %(end)s")
    if after:
        where.append("(q.at, q.position, q.line) > (%(at)s, %(position)s, %(line)s)")
        parameters |= {"at": _with_zone(after[0]), "position": after[1], "line": after[2]}
    sql = query(_SELECT_HISTORY, where, "ORDER BY q.at, q.position, q.line LIMIT %(limit)s")
    rows = await db.rows(sql, parameters | {"limit": limit + 1}, QuoteRow)
    return page_of(rows, limit, lambda row: (row.at, row.position, row.line))


# Walks from one interval that has quotes to the next, and looks at the quotes of no more intervals than fill the page:
# its cost does not grow with the length of the history. Each step is one descent of the index.
_SELECT_SERIES = """
WITH RECURSIVE intervals AS (
    SELECT (SELECT q.at FROM quotes q WHERE {where} AND q.at >= %(start)s ORDER BY q.at LIMIT 1) AS first
    UNION ALL
    SELECT (SELECT q.at FROM quotes q WHERE {where} AND q.at >= {bin} + {step} ORDER BY q.at LIMIT 1)
    FROM intervals WHERE first IS NOT NULL
)
SELECT c.bookmaker, c.selection_id, c.side, c.start, trim_scale(c.first_quote[4] / 1000.0), c.high, c.low,
       trim_scale(c.last_quote[4] / 1000.0), c.quotes
FROM intervals CROSS JOIN LATERAL (
    SELECT q.bookmaker, q.selection_id, q.side, {bin} AS start, max(q.odds) AS high, min(q.odds) AS low,
           min({ranked}) AS first_quote, max({ranked}) AS last_quote, count(*) AS quotes
    FROM quotes q WHERE {where} AND q.at >= {bin} AND q.at >= %(start)s AND q.at < {bin} + {step}
    GROUP BY q.bookmaker, q.selection_id, q.side ORDER BY q.bookmaker, q.selection_id, q.side
) c
WHERE first IS NOT NULL {further} LIMIT %(limit)s"""
_STEP: Final = "make_interval(secs => %(interval_seconds)s)"
# Time, position, line and the odds in thousandths: the least and the greatest of these are the first quote and the last,
# and nothing has to be sorted.
_RANKED: Final = (
    f"ARRAY[{closing.MICROSECONDS.format('q.at')}, q.position, q.line, (q.odds * 1000)::bigint]"
)
_BIN: Final = f"date_bin({_STEP}, first, '2000-01-01 00:00+00')"


async def series(
    db: Db, asked: QuoteFilter, interval_seconds: int, limit: int = 100, cursor: str | None = None
) -> Page[Candle]:
    """Give open, high, low and close of each bookmaker's price for each selection, interval by interval.

    Intervals of `interval_seconds` are counted from 2000-01-01; those without a quote are left out, and withdrawn
    quotes do not count.
    """
    after = decode_cursor(cursor, tuple[datetime, str, str, str])
    where, parameters = asked.where()
    where.append("NOT q.withdrawn")
    if asked.end is not None:
        where.append("q.at < %(end)s")
    if after:
        begun = _with_zone(after[0])
        parameters |= {"begun": begun, **dict(zip("abc", after[1:], strict=True))}
        parameters["start"] = max(begun, asked.start) if asked.start else begun
    elif asked.start is None:
        parameters["start"] = _LONG_AGO
    further = (
        "AND (c.start, c.bookmaker, c.selection_id, c.side) > (%(begun)s, %(a)s, %(b)s, %(c)s)"
    )
    sql = _SELECT_SERIES.format(
        where=" AND ".join(where),
        bin=_BIN,
        step=_STEP,
        ranked=_RANKED,
        further=further if after else "",
    )
    parameters |= {"interval_seconds": interval_seconds, "limit": limit + 1}
    rows = await db.rows(sql, parameters, Candle)
    return page_of(rows, limit, lambda row: (row.start, row.bookmaker, row.selection_id, row.side))


_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)


def _with_zone(time: datetime) -> datetime:
    """Take a forged cursor's time for UTC, too."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


# ---- projection

_CREATE = """
CREATE TABLE prices (
    market_id uuid NOT NULL, bookmaker text NOT NULL, selection_id text NOT NULL, side text NOT NULL,
    odds numeric NOT NULL, size numeric, closing boolean NOT NULL, withdrawn boolean NOT NULL, at timestamptz NOT NULL,
    position bigint NOT NULL, line bigint NOT NULL, PRIMARY KEY (market_id, bookmaker, selection_id, side)
) WITH (fillfactor = 60);
CREATE TABLE quotes (
    market_id uuid NOT NULL, at timestamptz NOT NULL, position bigint NOT NULL, line bigint NOT NULL,
    bookmaker text NOT NULL, selection_id text NOT NULL, side text NOT NULL, odds numeric NOT NULL, size numeric,
    closing boolean NOT NULL, withdrawn boolean NOT NULL,
    PRIMARY KEY (market_id, at, position, line)
);"""  # the closing of a market looks its quotes up by this key

_QUOTE_TYPES: tuple[ColumnType, ...] = (
    "uuid",
    "text",
    "text",
    "text",
    "text",
    "text",
    "boolean",
    "boolean",
    "timestamptz",
    "bigint",
    "bigint",
)
_ROWS = """
    SELECT e.a, e.b, e.c, e.d, e.e::numeric, e.f::numeric, e.g, e.h, e.i, e.j, e.k
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k)"""
_QUOTE = over(
    f"""
    INSERT INTO quotes (market_id, bookmaker, selection_id, side, odds, size, closing, withdrawn, at, position, line)
    {_ROWS}""",
    *_QUOTE_TYPES,
)
# A quote that arrives late does not replace a later one; of two at the same time the one recorded last counts.
_PRICE = over(
    f"""
    INSERT INTO prices AS p {_ROWS}
    ON CONFLICT (market_id, bookmaker, selection_id, side) DO UPDATE SET
        odds = excluded.odds, size = excluded.size, closing = excluded.closing, withdrawn = excluded.withdrawn,
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
        market_key = event.market_id.int
        for line, quote in enumerate(event.quotes, 1):
            key = (market_key, quote.bookmaker, quote.selection_id, quote.side)
            age = (quote.at, recorded.position, line)
            row = (
                event.market_id,
                *key[1:],
                str(quote.odds),
                None if quote.size is None else str(quote.size),
                quote.closing,
                quote.withdrawn,
                *age,
            )
            rows.append(row)
            if key not in newest or newest[key][-3:] < age:
                newest[key] = row
    if rows:
        yield _QUOTE, columns(rows)
        yield _PRICE, columns(list(newest.values()))
    yield from closing.changes(batch)


PROJECTION = Projection(
    name="prices",
    tables=("prices", "quotes", *closing.TABLES),
    create=_CREATE + closing.CREATE,
    follows=(OddsSnapshotTaken, *closing.FOLLOWS),
    changes=_changes,
)
