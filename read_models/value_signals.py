"""Value signals: one row each, from its detection to its end, and what closing prices said of it."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, assert_never, cast
from uuid import UUID

from msgspec import Struct

from domain.events.bet import Side
from domain.events.event import Recorded
from domain.events.value import ValueChanged, ValueClosed, ValueDetected, ValueEnd, ValueSignal
from domain.value_signal import ValueEvent
from read_models.closing import line_value
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import Batch, Change, Projection, columns, over

ValueStatus = Literal["open", "closed"]


class ValueRow(Struct, frozen=True):
    """A value signal as it was last seen; `position` of its last event.

    `duration_seconds` runs until it closed, or until now. `closing_odds` are the bookmaker's own or, where it has none,
    the consensus; `clv` and `clv_fair` are of the odds that it opened at. See read_models.closing.LegClosing.
    """

    signal_id: UUID
    status: ValueStatus
    fixture_id: UUID
    market_id: UUID
    selection_id: str
    side: Side
    bookmaker: str
    model_id: UUID
    odds: Decimal
    opened_odds: Decimal
    probability: Decimal
    low: Decimal
    high: Decimal
    fair_odds: Decimal
    edge: Decimal
    expected_value: Decimal
    best_expected_value: Decimal
    kelly: Decimal
    stake_share: Decimal
    quoted_at: datetime
    expires_at: datetime
    opened_at: datetime
    changed_at: datetime
    closed_at: datetime | None
    end_reason: ValueEnd | None
    duration_seconds: float
    closing_odds: Decimal | None
    closing_fair_odds: Decimal | None
    clv: Decimal | None
    clv_fair: Decimal | None
    opened_position: int
    position: int


_SHOWN = """v.signal_id, v.status, v.fixture_id, v.market_id, v.selection_id, v.side, v.bookmaker, v.model_id, v.odds,
       v.opened_odds, v.probability, v.low, v.high, v.fair_odds, v.edge, v.expected_value, v.best_expected_value, v.kelly,
       v.stake_share, v.quoted_at, v.expires_at, v.opened_at, v.changed_at, v.closed_at, v.end_reason"""
_SELECT = f"""
SELECT {_SHOWN}, coalesce(v.closed_at, now()), coalesce(own.odds, line.odds), line.fair_odds, v.opened_position, v.position
FROM value_signals v
LEFT JOIN closing_prices own ON own.market_id = v.market_id AND own.selection_id = v.selection_id
     AND own.side = v.side AND own.bookmaker = v.bookmaker
LEFT JOIN closing_lines line ON line.market_id = v.market_id AND line.selection_id = v.selection_id"""  # noqa: S608  constant parts


async def get(db: Db, signal_id: UUID) -> ValueRow | None:
    """Give a signal, None when there is no such."""
    sql = query(_SELECT, ["v.signal_id = %(signal_id)s"], "")
    found = await db.rows(sql, {"signal_id": signal_id}, _row)
    return found[0] if found else None


async def page(
    db: Db,
    *,
    active: bool | None = None,
    min_edge: Decimal | None = None,
    bookmaker: str | None = None,
    fixture_id: UUID | None = None,
    market_id: UUID | None = None,
    model_id: UUID | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[ValueRow]:
    """Give the signals that match, newest first; `min_edge` is of the edge as it was last seen."""
    before = decode_cursor(cursor, tuple[int])
    where = ["true"]
    if active is not None:
        where.append("v.status = 'open'" if active else "v.status = 'closed'")
    if min_edge is not None:
        where.append("v.edge >= %(min_edge)s")
    for name, asked in (
        ("bookmaker", bookmaker),
        ("fixture_id", fixture_id),
        ("market_id", market_id),
        ("model_id", model_id),
    ):
        if asked is not None:
            where.append(f"v.{name} = %({name})s")
    if before:
        where.append("v.opened_position < %(before)s")
    parameters = {
        "min_edge": min_edge,
        "bookmaker": bookmaker,
        "fixture_id": fixture_id,
        "market_id": market_id,
        "model_id": model_id,
        "before": before and before[0],
        "limit": limit + 1,
    }
    sql = query(_SELECT, where, "ORDER BY v.opened_position DESC LIMIT %(limit)s")
    rows = await db.rows(sql, parameters, _row)
    return page_of(rows, limit, lambda row: (row.opened_position,))


def _row(*row: Any) -> ValueRow:
    *shown, until, closing_odds, fair_odds, opened_position, position = row
    side, opened_odds, opened_at = shown[5], shown[9], shown[21]
    rest: tuple[Any, ...] = (
        # Several clocks are at work: none of them makes a life negative.
        max(0.0, round((until - opened_at).total_seconds(), 3)),
        closing_odds,
        fair_odds,
        None if closing_odds is None else line_value(opened_odds, side, closing_odds),
        None if fair_odds is None else line_value(opened_odds, side, fair_odds),
        opened_position,
        position,
    )
    return ValueRow(*shown, *rest)


# ---- for the value handler, when it starts


async def open_signals(db: Db) -> list[tuple[UUID, ValueSignal]]:
    """Give every signal that is open, as it was last recorded; first wait until this view has seen the log's end."""
    sql = """
        SELECT signal_id, fixture_id, market_id, selection_id, side, bookmaker, model_id, odds, probability, low, high,
               fair_odds, edge, expected_value, kelly, stake_share, quoted_at, expires_at, sequence
        FROM value_signals WHERE status = 'open' ORDER BY opened_position"""
    return await db.rows(sql, {}, _signal)


async def last_sequence(db: Db) -> int:
    """Give the furthest place in the price stream that any signal was seen at, 0 when there is none."""
    sql = "SELECT coalesce(max(sequence), 0) FROM value_signals"
    ((sequence,),) = await db.rows(sql, {}, _columns)
    return int(sequence)


async def closed_at(db: Db, sequence: int) -> list[UUID]:
    """Give the signals that ended at a place in the price stream or behind it."""
    sql = "SELECT signal_id FROM value_signals WHERE status = 'closed' AND sequence >= %(sequence)s"
    return [signal_id for (signal_id,) in await db.rows(sql, {"sequence": sequence}, _columns)]


def _signal(signal_id: UUID, *members: Any) -> tuple[UUID, ValueSignal]:
    return signal_id, ValueSignal(*members)


def _columns(*values: Any) -> tuple[Any, ...]:
    return values


# ---- projection

_CREATE = """
CREATE TABLE value_signals (
    signal_id uuid PRIMARY KEY, status text NOT NULL, fixture_id uuid NOT NULL, market_id uuid NOT NULL,
    selection_id text NOT NULL, side text NOT NULL, bookmaker text NOT NULL, model_id uuid NOT NULL,
    odds numeric NOT NULL, opened_odds numeric NOT NULL, probability numeric NOT NULL, low numeric NOT NULL,
    high numeric NOT NULL, fair_odds numeric NOT NULL, edge numeric NOT NULL, expected_value numeric NOT NULL,
    best_expected_value numeric NOT NULL, kelly numeric NOT NULL, stake_share numeric NOT NULL,
    quoted_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, opened_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL, closed_at timestamptz, end_reason text, sequence bigint NOT NULL,
    opened_position bigint NOT NULL, position bigint NOT NULL
) WITH (fillfactor = 60)"""

_INDEX = """
CREATE INDEX ON value_signals (opened_position);
CREATE INDEX ON value_signals (opened_position) WHERE status = 'open';
CREATE INDEX ON value_signals (fixture_id, opened_position);
CREATE INDEX ON value_signals (market_id, opened_position);
CREATE INDEX ON value_signals (sequence)"""

# Of one batch, first what opens, then the last change of each, then what ends: nothing follows an end.
_SHAPE = over(
    """
    INSERT INTO value_signals AS v (signal_id, status, fixture_id, market_id, selection_id, side, bookmaker, model_id, odds,
        opened_odds, probability, low, high, fair_odds, edge, expected_value, best_expected_value, kelly, stake_share,
        quoted_at, expires_at, opened_at, changed_at, sequence, opened_position, position)
    SELECT e.a, 'open', e.b, e.c, e.d, e.e, e.f, e.g, e.h::numeric, e.h::numeric, e.i::numeric, e.j::numeric, e.k::numeric,
        e.l::numeric, e.m::numeric, e.n::numeric, e.o::numeric, e.p::numeric, e.q::numeric, e.r, e.s, e.t, e.t, e.u, e.v, e.v
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v)
    ON CONFLICT (signal_id) DO UPDATE SET
        model_id = excluded.model_id, odds = excluded.odds, probability = excluded.probability, low = excluded.low,
        high = excluded.high, fair_odds = excluded.fair_odds, edge = excluded.edge,
        expected_value = excluded.expected_value,
        best_expected_value = greatest(v.best_expected_value, excluded.best_expected_value), kelly = excluded.kelly,
        stake_share = excluded.stake_share, quoted_at = excluded.quoted_at, expires_at = excluded.expires_at,
        changed_at = excluded.changed_at, sequence = excluded.sequence, position = excluded.position""",
    *("uuid", "uuid", "uuid", "text", "text", "text", "uuid"),
    *("text", "text", "text", "text", "text", "text", "text", "text", "text", "text"),
    *("timestamptz", "timestamptz", "timestamptz", "bigint", "bigint"),
)
_END = over(
    """
    UPDATE value_signals v SET status = 'closed', closed_at = e.at, changed_at = e.at, end_reason = e.reason,
                               sequence = e.sequence, position = e.position
    FROM {} AS e(signal_id, at, reason, sequence, position) WHERE v.signal_id = e.signal_id""",
    *("uuid", "timestamptz", "text", "bigint", "bigint"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    opened: list[tuple[Any, ...]] = []
    changed: dict[int, tuple[Recorded, ValueSignal, Decimal]] = {}
    ended: list[tuple[Any, ...]] = []
    for recorded in batch.of(*_EVENTS):
        key, event = recorded.stream_id.int, cast("ValueEvent", recorded.event)
        match event:
            case ValueDetected(signal=shape):
                opened.append(_shape(recorded, shape, shape.expected_value))
            case ValueChanged(signal=shape):
                value = shape.expected_value
                best = max(changed[key][2], value) if key in changed else value
                changed[key] = (recorded, shape, best)
            case ValueClosed():
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


def _shape(recorded: Recorded, shape: ValueSignal, best: Decimal) -> tuple[Any, ...]:
    return (
        recorded.stream_id,
        shape.fixture_id,
        shape.market_id,
        shape.selection_id,
        shape.side,
        shape.bookmaker,
        shape.model_id,
        *(
            str(number)
            for number in (
                shape.odds,
                shape.probability,
                shape.low,
                shape.high,
                shape.fair_odds,
                shape.edge,
                shape.expected_value,
                best,
                shape.kelly,
                shape.stake_share,
            )
        ),
        shape.quoted_at,
        shape.expires_at,
        recorded.at,
        shape.sequence,
        recorded.position,
    )


_EVENTS = (ValueDetected, ValueChanged, ValueClosed)

PROJECTION = Projection(
    name="value_signals",
    tables=("value_signals",),
    create=_CREATE,
    index=_INDEX,
    follows=_EVENTS,
    changes=_changes,
)
