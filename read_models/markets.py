"""Markets: one row a market with its fixture, its selections and their results, and how far its settlement is."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events import (
    BetPlaced,
    DeadHeat,
    Event,
    Fixture,
    MarketClosed,
    MarketLimits,
    MarketOpened,
    MarketResumed,
    MarketSuspended,
    MarketType,
    Pricing,
    Recorded,
    Result,
    ResultDeclared,
    Score,
    Selection,
    SelectionResult,
    SettlementCompleted,
    SettlementProgressed,
    SettlementTotal,
    Terms,
)
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import Batch, Change, Projection, StreamKey, columns, over

ShownStatus = Literal["open", "suspended", "closed", "resulted", "settled"]


class MarketSelection(Struct, frozen=True):
    """One side of a market; `result` is None until it is declared."""

    selection_id: str
    name: str
    result: Result | None = None
    dead_heat: DeadHeat | None = None
    position: int | None = None


class Settlement(Struct, frozen=True):
    """Sums over the bets that this market's settlement has settled so far."""

    completed: bool
    totals: list[SettlementTotal]


class Market(Struct, frozen=True):
    """A market; `position` is that of its last event, its settlement's included."""

    market_id: UUID
    fixture: Fixture
    type: MarketType
    line: Decimal | None
    selections: list[MarketSelection]
    pricing: Pricing
    terms: Terms | None
    limits: MarketLimits | None
    status: ShownStatus
    score: Score | None
    opened_at: datetime
    position: int
    settlement: Settlement


class SettlementRow(Struct, frozen=True):
    """How far a market's settlement is; `progress` is the share of its bets that is settled."""

    market_id: UUID
    status: ShownStatus
    completed: bool
    open_bets: int
    settled_bets: int
    progress: float
    totals: list[SettlementTotal]


_SELECT = """
SELECT m.market_id, m.fixture::text, m.type, m.line, m.selections::text, m.pricing, m.terms::text, m.limits::text,
       m.status, m.score::text, m.results::text, m.opened_at, m.position,
       array(SELECT row(t.currency, t.settled_bets, t.stake_minor, t.return_minor)::text FROM market_totals t
             WHERE t.market_id = m.market_id AND t.settled_bets > 0 ORDER BY t.currency)
FROM markets m"""


async def get(db: Db, market_id: UUID) -> Market | None:
    """Give a market, None when there is no such market."""
    sql = query(_SELECT, ["m.market_id = %(market_id)s"], "")
    found = await db.rows(sql, {"market_id": market_id}, _market)
    return found[0] if found else None


async def page(
    db: Db,
    sport: str | None = None,
    status: str | None = None,
    starts_after: datetime | None = None,
    fixture_id: UUID | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Market]:
    """Give the markets that match, in the order in which their fixtures start."""
    after = decode_cursor(cursor, tuple[datetime, UUID])
    if after and after[0].tzinfo is None:
        after = (after[0].replace(tzinfo=UTC), after[1])
    where = ["true"]
    if sport is not None:
        where.append("m.sport = %(sport)s")
    if status is not None:
        where.append("m.status = %(status)s")
    if starts_after is not None:
        where.append("m.starts_at > %(starts_after)s")
    if fixture_id is not None:
        where.append("m.fixture_id = %(fixture_id)s")
    if after:
        where.append("(m.starts_at, m.market_id) > (%(start)s, %(market_id)s)")
    sql = query(_SELECT, where, "ORDER BY m.starts_at, m.market_id LIMIT %(limit)s")
    parameters = {
        "sport": sport,
        "status": status,
        "starts_after": starts_after,
        "fixture_id": fixture_id,
        "start": after and after[0],
        "market_id": after and after[1],
        "limit": limit + 1,
    }
    rows = await db.rows(sql, parameters, _market)
    return page_of(rows, limit, lambda row: (row.fixture.starts_at, row.market_id.bytes))


async def find(
    db: Db, fixture_id: UUID, market_type: MarketType, line: Decimal | None = None
) -> UUID | None:
    """Give the id of the first market of this type and line on a fixture."""
    where = ["fixture_id = %(fixture_id)s", "type = %(type)s", "line IS NOT DISTINCT FROM %(line)s"]
    sql = query("SELECT market_id FROM markets", where, "ORDER BY opened_at, market_id LIMIT 1")
    parameters = {"fixture_id": fixture_id, "type": market_type, "line": line}
    found = await db.rows(sql, parameters, _columns)
    return found[0][0] if found else None


async def unsettled(db: Db, limit: int = 100) -> list[tuple[UUID, int]]:
    """Give markets with a result whose settlement is not completed, each with its result's position, oldest first."""
    sql = query(
        "SELECT market_id, result_position FROM markets",
        ["status = 'resulted'"],
        "ORDER BY result_position LIMIT %(limit)s",
    )
    return [(row[0], row[1]) for row in await db.rows(sql, {"limit": limit}, _columns)]


_SELECT_SETTLEMENT = """
SELECT m.status, t.currency, coalesce(t.placed_bets, 0), coalesce(t.settled_bets, 0),
       coalesce(t.stake_minor, 0), coalesce(t.return_minor, 0)
FROM markets m LEFT JOIN market_totals t ON t.market_id = m.market_id"""


async def settlement(db: Db, market_id: UUID) -> SettlementRow | None:
    """Give how far a market's settlement is, None when there is no such market."""
    sql = query(_SELECT_SETTLEMENT, ["m.market_id = %(market_id)s"], "ORDER BY t.currency")
    rows = await db.rows(sql, {"market_id": market_id}, _columns)
    if not rows:
        return None
    status: ShownStatus = rows[0][0]
    placed = sum(row[2] for row in rows)
    settled = sum(row[3] for row in rows)
    completed = status == "settled"
    return SettlementRow(
        market_id,
        status,
        completed,
        placed - settled,
        settled,
        1.0 if completed else settled / placed if placed else 0.0,
        [SettlementTotal(row[1], row[3], int(row[4]), int(row[5])) for row in rows if row[3]],
    )


def _columns(*values: Any) -> tuple[Any, ...]:
    return values


def _market(  # the columns of _SELECT
    market_id: UUID,
    fixture: str,
    type_: MarketType,
    line: Decimal | None,
    selections: str,
    pricing: Pricing,
    terms: str | None,
    limits: str | None,
    status: ShownStatus,
    score: str | None,
    results: str | None,
    opened_at: datetime,
    position: int,
    totals: list[str],
) -> Market:
    ended = {each.selection_id: each for each in _load(results, list[SelectionResult]) or ()}
    shown = [
        MarketSelection(each.selection_id, each.name, end.result, end.dead_heat, end.position)
        if (end := ended.get(each.selection_id))
        else MarketSelection(each.selection_id, each.name)
        for each in _load(selections, list[Selection]) or ()
    ]
    return Market(
        market_id,
        msgspec.json.decode(fixture, type=Fixture),
        type_,
        line,
        shown,
        pricing,
        _load(terms, Terms),
        _load(limits, MarketLimits),
        status,
        _load(score, Score),
        opened_at,
        position,
        Settlement(status == "settled", [_total(*each.strip("()").split(",")) for each in totals]),
    )


def _total(currency: str, bets: str, stake: str, returned: str) -> SettlementTotal:
    return SettlementTotal(currency, int(bets), int(stake), int(returned))


def _load(text: str | None, shape: Any) -> Any:
    return None if text is None else msgspec.json.decode(text, type=shape)


# ---- projection

_CREATE = """
CREATE TABLE markets (
    market_id uuid PRIMARY KEY, fixture_id uuid, sport text NOT NULL, starts_at timestamptz NOT NULL,
    fixture json NOT NULL, type text NOT NULL, line numeric, selections json NOT NULL, pricing text NOT NULL,
    terms json, limits json, status text NOT NULL, score json, results json, result_position bigint,
    opened_at timestamptz NOT NULL, position bigint NOT NULL
) WITH (fillfactor = 80);
CREATE TABLE market_totals (
    market_id uuid NOT NULL, currency text NOT NULL, placed_bets bigint NOT NULL, settled_bets bigint NOT NULL,
    stake_minor numeric NOT NULL, return_minor numeric NOT NULL, PRIMARY KEY (market_id, currency)
) WITH (fillfactor = 60)"""

_INDEX = """
CREATE INDEX ON markets (starts_at, market_id);
CREATE INDEX ON markets (sport, starts_at, market_id);
CREATE INDEX ON markets (fixture_id);
CREATE INDEX ON markets (result_position) WHERE status = 'resulted'"""

_OPEN = over(
    """
    INSERT INTO markets (market_id, fixture_id, sport, starts_at, fixture, type, line, selections, pricing,
                         terms, limits, status, opened_at, position)
    SELECT e.a, e.b::uuid, e.c, e.d, e.e::json, e.f, e.g::numeric, e.h::json, e.i, e.j::json, e.k::json, 'open', e.l, e.m
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k, l, m)""",
    *(
        "uuid",
        "text",
        "text",
        "timestamptz",
        "text",
        "text",
        "text",
        "text",
        "text",
        "text",
        "text",
    ),
    *("timestamptz", "bigint"),
)
_CHANGE = over(
    """
    UPDATE markets m SET
        position = e.position, status = coalesce(e.status, m.status),
        results = coalesce(e.results::json, m.results),
        score = CASE WHEN e.results IS NULL THEN m.score ELSE e.score::json END,
        result_position = coalesce(e.result_position::bigint, m.result_position)
    FROM {} AS e(market_id, position, status, results, score, result_position) WHERE m.market_id = e.market_id""",
    *("uuid", "bigint", "text", "text", "text", "text"),
)
_TOTAL = over(
    """
    INSERT INTO market_totals AS t SELECT * FROM {}
    ON CONFLICT (market_id, currency) DO UPDATE SET
        placed_bets = t.placed_bets + excluded.placed_bets, settled_bets = t.settled_bets + excluded.settled_bets,
        stake_minor = t.stake_minor + excluded.stake_minor, return_minor = t.return_minor + excluded.return_minor""",
    *("uuid", "text", "bigint", "bigint", "numeric", "numeric"),
)

_STATUS_AFTER: Final[dict[type[Event], ShownStatus]] = {
    MarketSuspended: "suspended",
    MarketResumed: "open",
    MarketClosed: "closed",
    ResultDeclared: "resulted",
    SettlementCompleted: "settled",
}


def _changes(batch: Batch) -> Iterable[Change]:
    opened = [_opened(r, r.event) for r in batch.of(MarketOpened) if type(r.event) is MarketOpened]
    if opened:
        yield _OPEN, columns(opened)
    changes = _changed(batch.of(*_STATUS_AFTER, SettlementProgressed))
    if changes:
        yield _CHANGE, columns([(id_, *change) for id_, change in changes.items()])
    totals = _totals(batch)
    if totals:
        yield _TOTAL, columns(totals)


def _opened(recorded: Recorded, event: MarketOpened) -> tuple[Any, ...]:
    fixture = event.fixture
    return (
        recorded.stream_id,
        fixture.fixture_id and str(fixture.fixture_id),
        fixture.sport,
        fixture.starts_at,
        _dump(fixture),
        event.type,
        None if event.line is None else str(event.line),
        _dump(event.selections),
        event.pricing,
        _dump(event.terms),
        _dump(event.limits),
        recorded.at,
        recorded.position,
    )


def _changed(events: list[Recorded]) -> dict[UUID, list[Any]]:
    """Give position, status, results, score and the result's position of the markets that changed."""
    changes: dict[UUID, list[Any]] = {}
    for recorded in events:
        event = recorded.event
        # The settlement of a market has a stream of its own.
        if isinstance(event, SettlementProgressed | SettlementCompleted):
            market_id = event.market_id
        else:
            market_id = recorded.stream_id
        change = changes.setdefault(market_id, [0, None, None, None, None])
        change[0] = recorded.position
        change[1] = _STATUS_AFTER.get(type(event), change[1])
        if isinstance(event, ResultDeclared):
            change[2:] = [_dump(event.results), _dump(event.score), str(recorded.position)]
    return changes


def _totals(batch: Batch) -> list[list[Any]]:
    """Give market, currency, and what is added to bets placed, bets settled, stake and return."""
    rows: dict[tuple[StreamKey, str], list[Any]] = {}

    def row_of(market_id: UUID, currency: str) -> list[Any]:
        return rows.setdefault((market_id.int, currency), [market_id, currency, 0, 0, 0, 0])

    for group in batch.placed_groups:
        for market_id in group.markets.values():
            row_of(market_id, group.bet.currency)[2] += group.bets
    for recorded in batch.of(SettlementProgressed):
        event = recorded.event
        assert isinstance(event, SettlementProgressed)
        for total in event.totals:
            row = row_of(event.market_id, total.currency)
            row[3] += total.bets
            row[4] += total.stake_minor
            row[5] += total.return_minor
    return list(rows.values())


def _dump(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


PROJECTION = Projection(
    name="markets",
    tables=("markets", "market_totals"),
    create=_CREATE,
    index=_INDEX,
    follows=(MarketOpened, *_STATUS_AFTER, SettlementProgressed, BetPlaced),
    changes=_changes,
)
