"""Closing prices: what each bookmaker offered last, what the market as a whole said, and the closing-line value of bets.

The tables belong to the model of prices. From when a market closes (or, if it never does, its result is declared) they
hold, for every bookmaker, selection and side: the latest price that the bookmaker calls its closing one, else the latest
not after the start nor after the closing. One that was withdrawn is none. Only the quotes' own times count, not when they
came: the last ones before a closing may reach the log after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from domain.events.bet import Side
from domain.events.event import Event, Recorded
from domain.events.market import MarketClosed, MarketOpened, ResultDeclared
from domain.events.odds import OddsSnapshotTaken
from domain.odds import WINNERS
from read_models.db import Db
from read_models.projection import Batch, Change, ColumnType, columns, over

CLV_STEP: Final = Decimal("0.000001")


class LegTaken(Struct, frozen=True):
    """What a leg's closing-line value depends on; the account says who holds the money."""

    account_id: UUID
    market_id: UUID
    selection_id: str
    side: Side
    odds: Decimal | None


class LegClosing(Struct, frozen=True):
    """How a leg's market closed, and the leg's closing-line value against it.

    `closing_odds` are those of `closing_bookmaker`, which holds the account's money, or (None) the consensus: the
    median of the bookmakers' back odds. `fair_odds` are the consensus without its margin, None where the market's
    selections do not all have one. `clv` = odds taken / closing odds − 1 and `clv_fair` = odds taken / fair odds − 1
    (of a lay the other way round: what was closing odds / odds taken − 1), with 6 decimals, halves to even. Source:
    the CLV of DOMAIN.md.
    """

    closing_odds: Decimal
    closing_bookmaker: str | None
    fair_odds: Decimal | None
    clv: Decimal | None
    clv_fair: Decimal | None


class ClosingPrice(Struct, frozen=True):
    """A bookmaker's last price; `closing` when the bookmaker called it that."""

    selection_id: str
    side: Side
    bookmaker: str
    odds: Decimal
    closing: bool
    at: datetime


class ClosingLine(Struct, frozen=True):
    """A selection's consensus: the median of `bookmakers` back odds, and the same without the margin."""

    selection_id: str
    odds: Decimal
    bookmakers: int
    fair_odds: Decimal | None


MICROSECONDS: Final = "(extract(epoch FROM {}) * 1000000)::bigint"
"""A time as a whole number, exactly."""

NAME: Final = "lower(regexp_replace({}, '[^[:alnum:]]', '', 'g'))"
"""A bookmaker's key (`betfair_ex`) and what a client calls it (`Betfair Ex`) are the same name."""

_SELECT_LEGS = f"""
SELECT w.n, own.bookmaker, own.odds, c.odds, c.fair_odds
FROM unnest(%(account_ids)s::uuid[], %(market_ids)s::uuid[], %(selection_ids)s::text[], %(sides)s::text[])
     WITH ORDINALITY AS w(account_id, market_id, selection_id, side, n)
LEFT JOIN balances a USING (account_id)
LEFT JOIN LATERAL (
    SELECT p.bookmaker, p.odds FROM closing_prices p
    WHERE p.market_id = w.market_id AND p.selection_id = w.selection_id AND p.side = w.side
      AND {NAME.format("p.bookmaker")} = {NAME.format("a.held_at")}
    ORDER BY p.bookmaker LIMIT 1
) own ON true
LEFT JOIN closing_lines c ON c.market_id = w.market_id AND c.selection_id = w.selection_id
WHERE own.odds IS NOT NULL OR c.odds IS NOT NULL"""  # noqa: S608  constant parts


async def of_legs(db: Db, legs: Sequence[LegTaken]) -> list[LegClosing | None]:
    """Give how each leg's market closed, None for those that have not, or without a price."""
    found: list[LegClosing | None] = [None] * len(legs)
    if legs:
        parameters = {
            "account_ids": [leg.account_id for leg in legs],
            "market_ids": [leg.market_id for leg in legs],
            "selection_ids": [leg.selection_id for leg in legs],
            "sides": [leg.side for leg in legs],
        }
        for place, *closed in await db.rows(_SELECT_LEGS, parameters, _columns):
            found[place - 1] = _leg_closing(legs[place - 1], *closed)
    return found


def _leg_closing(
    leg: LegTaken,
    bookmaker: str | None,
    own: Decimal | None,
    consensus: Decimal | None,
    fair: Decimal | None,
) -> LegClosing:
    odds = own if own is not None else consensus
    assert odds is not None
    return LegClosing(odds, bookmaker, fair, _value(leg, odds), fair and _value(leg, fair))


def _value(leg: LegTaken, closing: Decimal) -> Decimal | None:
    if leg.odds is None:  # at the starting price
        return None
    return line_value(leg.odds, leg.side, closing)


def line_value(odds: Decimal, side: Side, closing: Decimal) -> Decimal:
    """Give the closing-line value of odds taken, with 6 decimals, halves to even."""
    better, worse = (odds, closing) if side == "back" else (closing, odds)
    return ((better - worse) / worse).quantize(CLV_STEP, ROUND_HALF_EVEN)


async def prices_of(db: Db, market_id: UUID) -> list[ClosingPrice]:
    """Give every bookmaker's last price, empty while the market has not closed."""
    sql = """
        SELECT selection_id, side, bookmaker, odds, closing, at FROM closing_prices
        WHERE market_id = %(market_id)s ORDER BY selection_id, side, bookmaker"""
    return await db.rows(sql, {"market_id": market_id}, ClosingPrice)


async def lines_of(db: Db, market_id: UUID) -> list[ClosingLine]:
    """Give every selection's consensus, empty while the market has not closed."""
    sql = """
        SELECT selection_id, odds, bookmakers, fair_odds FROM closing_lines
        WHERE market_id = %(market_id)s ORDER BY selection_id"""
    return await db.rows(sql, {"market_id": market_id}, ClosingLine)


def _columns(*values: Any) -> tuple[Any, ...]:
    return values


# ---- projection

TABLES: Final = ("closings", "closing_prices", "closing_lines")
FOLLOWS: Final[tuple[type[Event], ...]] = (MarketClosed, ResultDeclared)

CREATE: Final = """
CREATE TABLE closings (
    market_id uuid PRIMARY KEY, upto timestamptz NOT NULL, selections bigint NOT NULL, winners bigint NOT NULL
);
CREATE TABLE closing_prices (
    market_id uuid NOT NULL, selection_id text NOT NULL, side text NOT NULL, bookmaker text NOT NULL,
    odds numeric NOT NULL, closing boolean NOT NULL, at timestamptz NOT NULL,
    PRIMARY KEY (market_id, selection_id, side, bookmaker)
);
CREATE TABLE closing_lines (
    market_id uuid NOT NULL, selection_id text NOT NULL, odds numeric NOT NULL, bookmakers bigint NOT NULL,
    fair_odds numeric, PRIMARY KEY (market_id, selection_id)
)"""

_CLOSE = over(
    "INSERT INTO closings SELECT * FROM {} ON CONFLICT DO NOTHING",  # it closes once
    *("uuid", "timestamptz", "bigint", "bigint"),
)
# Whose closing prices may be others now: the markets that closed here, and those that had closed and are quoted here with
# a time before their closing, or with a closing price. `earliest` and `flagged` are over a market's quotes in the batch.
_AGAIN = """
    FROM {} AS e(market_id, earliest, flagged) JOIN closings c ON c.market_id = e.market_id
         AND (e.flagged OR e.earliest <= c.upto)"""
_TYPES: Final[tuple[ColumnType, ...]] = ("uuid", "timestamptz", "boolean")
_FORGET = [
    over(
        f"DELETE FROM {table} p USING (SELECT c.market_id {_AGAIN}) a WHERE p.market_id = a.market_id",  # noqa: S608  constant parts
        *_TYPES,
    )
    for table in ("closing_prices", "closing_lines")
]
# LATERAL: one descent of the index for each market that closes, whatever the planner thinks of the table's size. The last
# quote of each kind is the greatest rank, found without sorting a market's quotes, and then looked up by its key.
_PRICES = over(
    f"""
    INSERT INTO closing_prices
    SELECT c.market_id, q.selection_id, q.side, q.bookmaker, q.odds, q.closing, q.at {_AGAIN}
    CROSS JOIN LATERAL (
        SELECT max(ARRAY[closing::int::bigint, {MICROSECONDS.format("at")}, position, line]) AS rank FROM quotes
        WHERE market_id = c.market_id AND (closing OR at <= c.upto)
        GROUP BY selection_id, side, bookmaker
    ) last
    CROSS JOIN LATERAL (
        SELECT * FROM quotes WHERE market_id = c.market_id AND at = 'epoch'::timestamptz + rank[2] * interval '1 microsecond'
            AND position = rank[3] AND line = rank[4] LIMIT 1
    ) q WHERE NOT q.withdrawn""",  # noqa: S608  constant parts
    *_TYPES,
)
# The median is exact: half the sum of two odds with 3 decimals has 4. Without the margin (multiplicative): the implied
# probabilities 1/o of all selections add up to `winners` in a fair market, so o becomes o · Σ(1/o) / winners.
_LINES = over(
    f"""
    INSERT INTO closing_lines
    SELECT c.market_id, m.selection_id, m.odds, m.bookmakers,
           CASE WHEN c.winners > 0 AND m.selections = c.selections
                THEN trim_scale(round(m.odds * m.book / c.winners, 6)) END {_AGAIN}
    CROSS JOIN LATERAL (
        SELECT selection_id, bookmakers, odds, count(*) OVER () AS selections, sum(1 / odds) OVER () AS book
        FROM (
            SELECT selection_id, n AS bookmakers, trim_scale(round((a[(n + 1) / 2] + a[(n + 2) / 2]) / 2, 4)) AS odds
            FROM (SELECT selection_id, count(*)::int AS n, array_agg(odds ORDER BY odds) AS a FROM closing_prices
                  WHERE market_id = c.market_id AND side = 'back' GROUP BY selection_id) offered
        ) medians
    ) m""",  # noqa: S608  constant parts
    *_TYPES,
)


def changes(batch: Batch) -> Iterable[Change]:
    """Bring the closing prices up to a batch, after its quotes are in their table."""
    again: dict[int, tuple[UUID, datetime, bool]] = {}
    for recorded in batch.of(OddsSnapshotTaken):
        event = recorded.event
        assert isinstance(event, OddsSnapshotTaken)
        if not event.quotes:
            continue
        earliest = min(quote.at for quote in event.quotes)
        flagged = any(quote.closing for quote in event.quotes)
        if known := again.get(event.market_id.int):
            earliest, flagged = min(earliest, known[1]), flagged or known[2]
        again[event.market_id.int] = (event.market_id, earliest, flagged)
    closed: dict[int, Recorded] = {}
    for recorded in batch.of(*FOLLOWS):
        closed.setdefault(recorded.stream_id.int, recorded)
    if closed:
        yield _CLOSE, columns(_closings(closed, batch))
    for key, recorded in closed.items():
        again[key] = (recorded.stream_id, recorded.at, True)
    if again:
        rows = columns(again.values())
        for statement in (*_FORGET, _PRICES, _LINES):
            yield statement, rows


def _closings(closed: Mapping[int, Recorded], batch: Batch) -> Iterable[tuple[Any, ...]]:
    opened = batch.first_events(MarketOpened, {key: r.stream_id for key, r in closed.items()})
    for key, recorded in closed.items():
        market = opened[key]
        upto = min(market.fixture.starts_at, recorded.at)
        winners = WINNERS.get(market.type, 0)
        yield recorded.stream_id, upto, len(market.selections), winners
