"""Arbitrages: one row an opportunity, from its detection to its end, and what their lives were like."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, assert_never, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events.arbitrage import (
    ArbitrageChanged,
    ArbitrageClosed,
    ArbitrageDetected,
    ArbitrageEnd,
    ArbitrageKind,
    ArbitrageLeg,
    ArbitrageWarning,
    Opportunity,
)
from domain.events.bet import Side
from domain.events.event import Recorded
from domain.opportunity import ArbitrageEvent
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import Batch, Change, Projection, columns, over

ArbitrageStatus = Literal["open", "closed"]


class ShownLeg(Struct, frozen=True):
    """One bet of an arbitrage; `age_seconds` of its quote, when the opportunity closed if it has, else now."""

    bookmaker: str
    market_id: UUID
    selection_id: str
    side: Side
    odds: Decimal
    stake_minor: int
    quoted_at: datetime
    age_seconds: float


class ArbitrageRow(Struct, frozen=True):
    """An opportunity as it was last seen; money in minor units of `currency`, `position` of its last event.

    `margin` is the guaranteed profit over the outlay before stakes are rounded, `best_margin` the best that it showed.
    `duration_seconds` runs until it closed, or until now.
    """

    opportunity_id: UUID
    kind: ArbitrageKind
    fixture_id: UUID
    status: ArbitrageStatus
    margin: Decimal
    best_margin: Decimal
    guaranteed_profit_minor: int
    outlay_minor: int
    currency: str
    opened_at: datetime
    changed_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    end_reason: ArbitrageEnd | None
    opened_position: int
    position: int
    duration_seconds: float
    legs: list[ShownLeg]
    warnings: list[ArbitrageWarning]


class ArbitrageDay(Struct, frozen=True):
    """Opportunities of one kind that opened on one day (UTC); durations of those that closed, in seconds."""

    day: date
    kind: ArbitrageKind
    opportunities: int
    closed: int
    median_seconds: float | None
    mean_seconds: float | None
    mean_best_margin: Decimal
    best_margin: Decimal


_SELECT = """
SELECT coalesce(closed_at, now()), opened_at, legs::text, warnings::text,
       opportunity_id, kind, fixture_id, status, margin, best_margin, guaranteed_profit_minor, outlay_minor, currency,
       opened_at, changed_at, expires_at, closed_at, end_reason, opened_position, position
FROM arbitrages"""


async def get(db: Db, opportunity_id: UUID) -> ArbitrageRow | None:
    """Give an opportunity, None when there is no such."""
    sql = query(_SELECT, ["opportunity_id = %(opportunity_id)s"], "")
    found = await db.rows(sql, {"opportunity_id": opportunity_id}, _row)
    return found[0] if found else None


async def page(
    db: Db,
    *,
    min_margin: Decimal | None = None,
    active: bool | None = None,
    kind: ArbitrageKind | None = None,
    fixture_id: UUID | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[ArbitrageRow]:
    """Give the opportunities that match, newest first; `min_margin` is of the margin, of closed ones of the best one."""
    before = decode_cursor(cursor, tuple[int])
    where = ["true"]
    if min_margin is not None:
        where.append("CASE status WHEN 'open' THEN margin ELSE best_margin END >= %(min_margin)s")
    if active is not None:
        where.append("status = 'open'" if active else "status = 'closed'")
    if kind is not None:
        where.append("kind = %(kind)s")
    if fixture_id is not None:
        where.append("fixture_id = %(fixture_id)s")
    if before:
        where.append("opened_position < %(before)s")
    parameters = {
        "min_margin": min_margin,
        "kind": kind,
        "fixture_id": fixture_id,
        "before": before and before[0],
        "limit": limit + 1,
    }
    sql = query(_SELECT, where, "ORDER BY opened_position DESC LIMIT %(limit)s")
    rows = await db.rows(sql, parameters, _row)
    return page_of(rows, limit, lambda row: (row.opened_position,))


_STATISTICS = """
SELECT (opened_at AT TIME ZONE 'UTC')::date AS day, kind, count(*), count(closed_at),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - opened_at)::float8),
       avg(extract(epoch FROM closed_at - opened_at)::float8),
       trim_scale(round(avg(best_margin), 6)), max(best_margin)
FROM arbitrages"""


async def statistics(
    db: Db,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[ArbitrageDay]:
    """Give what the opportunities were like that opened from `start` to before `end`, by day and kind, oldest first."""
    after = decode_cursor(cursor, tuple[date, str])
    where, having = ["true"], ""
    if start is not None:
        where.append("opened_at >= %(start)s")
    if end is not None:
        where.append("opened_at < %(end)s")
    parameters: dict[str, Any] = {"start": start, "end": end, "limit": limit + 1}
    if after:
        where.append("opened_at >= %(midnight)s")
        having = "HAVING ((opened_at AT TIME ZONE 'UTC')::date, kind) > (%(day)s, %(kind)s)"
        midnight = datetime(after[0].year, after[0].month, after[0].day, tzinfo=UTC)
        parameters |= {"day": after[0], "kind": after[1], "midnight": midnight}
    sql = query(_STATISTICS, where, f"GROUP BY 1, 2 {having} ORDER BY 1, 2 LIMIT %(limit)s")
    rows = await db.rows(sql, parameters, ArbitrageDay)
    return page_of(rows, limit, lambda row: (row.day, row.kind))


# ---- for the price handler, when it starts


async def open_opportunities(db: Db) -> list[tuple[UUID, Opportunity]]:
    """Give every opportunity that is open, as it was last recorded; first wait until this view has seen the log's end."""
    sql = """
        SELECT opportunity_id, kind, fixture_id, legs::text, currency, outlay_minor, guaranteed_profit_minor, margin,
               warnings::text, expires_at, sequence
        FROM arbitrages WHERE status = 'open' ORDER BY opened_position"""
    return await db.rows(sql, {}, _opportunity)


async def last_sequence(db: Db) -> int:
    """Give the furthest place in the price stream that any opportunity was seen at, 0 when there is none."""
    sql = "SELECT coalesce(max(sequence), 0) FROM arbitrages"
    ((sequence,),) = await db.rows(sql, {}, _columns)
    return int(sequence)


def _columns(*values: Any) -> tuple[Any, ...]:
    return values


def _opportunity(
    opportunity_id: UUID,
    kind: ArbitrageKind,
    fixture_id: UUID,
    legs: str,
    currency: str,
    outlay_minor: int,
    profit_minor: int,
    margin: Decimal,
    warnings: str,
    *end: Any,
) -> tuple[UUID, Opportunity]:
    money = (currency, outlay_minor, profit_minor, margin)
    return opportunity_id, Opportunity(
        kind, fixture_id, _legs_from(legs), *money, _warnings_from(warnings), *end
    )


_legs_from = msgspec.json.Decoder(tuple[ArbitrageLeg, ...]).decode
_warnings_from = msgspec.json.Decoder(tuple[ArbitrageWarning, ...]).decode


def _row(until: datetime, opened_at: datetime, legs: str, warnings: str, *row: Any) -> ArbitrageRow:
    shown = [_leg(leg, until) for leg in _legs_from(legs)]
    rest: tuple[Any, ...] = (_seconds(opened_at, until), shown, list(_warnings_from(warnings)))
    return ArbitrageRow(*row, *rest)


def _leg(leg: ArbitrageLeg, until: datetime) -> ShownLeg:
    return ShownLeg(
        leg.bookmaker,
        leg.market_id,
        leg.selection_id,
        leg.side,
        leg.odds,
        leg.stake_minor,
        leg.quoted_at,
        _seconds(leg.quoted_at, until),
    )


def _seconds(since: datetime, until: datetime) -> float:
    # Several clocks are at work: none of them makes an age negative.
    return max(0.0, round((until - since).total_seconds(), 3))


# ---- projection

_CREATE = """
CREATE TABLE arbitrages (
    opportunity_id uuid PRIMARY KEY, kind text NOT NULL, fixture_id uuid NOT NULL, status text NOT NULL,
    margin numeric NOT NULL, best_margin numeric NOT NULL, guaranteed_profit_minor bigint NOT NULL,
    outlay_minor bigint NOT NULL, currency text NOT NULL, legs json NOT NULL, warnings json NOT NULL,
    expires_at timestamptz NOT NULL, opened_at timestamptz NOT NULL, changed_at timestamptz NOT NULL,
    closed_at timestamptz, end_reason text, sequence bigint NOT NULL, opened_position bigint NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 60)"""

_INDEX = """
CREATE INDEX ON arbitrages (opened_position);
CREATE INDEX ON arbitrages (opened_position) WHERE status = 'open';
CREATE INDEX ON arbitrages (fixture_id, opened_position);
CREATE INDEX ON arbitrages (opened_at);
CREATE INDEX ON arbitrages (sequence)"""

# Of one batch, first what opens, then the last change of each, then what ends: nothing follows an end.
_SHAPE = over(
    """
    INSERT INTO arbitrages AS a (opportunity_id, kind, fixture_id, status, margin, best_margin, guaranteed_profit_minor,
        outlay_minor, currency, legs, warnings, expires_at, opened_at, changed_at, sequence, opened_position, position)
    SELECT e.a, e.b, e.c, 'open', e.d::numeric, e.e::numeric, e.f, e.g, e.h, e.i::json, e.j::json, e.k, e.l, e.l, e.m, e.n, e.n
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k, l, m, n)
    ON CONFLICT (opportunity_id) DO UPDATE SET
        kind = excluded.kind, margin = excluded.margin, best_margin = greatest(a.best_margin, excluded.best_margin),
        guaranteed_profit_minor = excluded.guaranteed_profit_minor, outlay_minor = excluded.outlay_minor,
        currency = excluded.currency, legs = excluded.legs, warnings = excluded.warnings,
        expires_at = excluded.expires_at, changed_at = excluded.changed_at, sequence = excluded.sequence,
        position = excluded.position""",
    *("uuid", "text", "uuid", "text", "text", "bigint", "bigint", "text", "text", "text"),
    *("timestamptz", "timestamptz", "bigint", "bigint"),
)
_END = over(
    """
    UPDATE arbitrages a SET status = 'closed', closed_at = e.at, changed_at = e.at, end_reason = e.reason,
                            sequence = e.sequence, position = e.position
    FROM {} AS e(opportunity_id, at, reason, sequence, position) WHERE a.opportunity_id = e.opportunity_id""",
    *("uuid", "timestamptz", "text", "bigint", "bigint"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    opened: list[tuple[Any, ...]] = []
    changed: dict[int, tuple[Recorded, Opportunity, Decimal]] = {}
    ended: list[tuple[Any, ...]] = []
    for recorded in batch.of(*_EVENTS):
        key, event = recorded.stream_id.int, cast("ArbitrageEvent", recorded.event)
        match event:
            case ArbitrageDetected(opportunity=shape):
                opened.append(_shape(recorded, shape, shape.margin))
            case ArbitrageChanged(opportunity=shape):
                best = max(changed[key][2], shape.margin) if key in changed else shape.margin
                changed[key] = (recorded, shape, best)
            case ArbitrageClosed():
                where = (event.sequence, recorded.position)
                ended.append((recorded.stream_id, recorded.at, event.reason, *where))
            case _:
                assert_never(event)
    if opened:
        yield _SHAPE, columns(opened)
    if changed:
        yield _SHAPE, columns([_shape(*each) for each in changed.values()])
    if ended:
        yield _END, columns(ended)


def _shape(recorded: Recorded, shape: Opportunity, best_margin: Decimal) -> tuple[Any, ...]:
    return (
        recorded.stream_id,
        shape.kind,
        shape.fixture_id,
        str(shape.margin),
        str(best_margin),
        shape.guaranteed_profit_minor,
        shape.outlay_minor,
        shape.currency,
        msgspec.json.encode(shape.legs).decode(),
        msgspec.json.encode(shape.warnings).decode(),
        shape.expires_at,
        recorded.at,
        shape.sequence,
        recorded.position,
    )


_EVENTS = (ArbitrageDetected, ArbitrageChanged, ArbitrageClosed)

PROJECTION = Projection(
    name="arbitrages",
    tables=("arbitrages",),
    create=_CREATE,
    index=_INDEX,
    follows=_EVENTS,
    changes=_changes,
)
