"""Markets: one row a market with its fixture, its selections and their results, and how far its settlement is."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events.bet import BetPlaced
from domain.events.event import Event, Recorded
from domain.events.market import (
    DeadHeat,
    Fixture,
    MarketAbandoned,
    MarketClosed,
    MarketLimits,
    MarketLimitsChanged,
    MarketOpened,
    MarketResumed,
    MarketSuspended,
    MarketType,
    Period,
    Pricing,
    Result,
    ResultDeclared,
    ResultRolledBack,
    RunnerReinstated,
    RunnerWithdrawn,
    Score,
    Selection,
    SelectionResult,
    StartingPrice,
    Terms,
)
from domain.events.settlement import SettlementCompleted, SettlementProgressed, SettlementTotal
from read_models import bets
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import (
    ALTERATIONS,
    SETTLEMENTS,
    Batch,
    Change,
    Projection,
    StreamKey,
    columns,
    over,
)

ShownStatus = Literal["open", "suspended", "closed", "part_resulted", "resulted", "settled"]
"""`settled`: every selection has a result, and every bet was visited; who is open waits for another market, or a price."""


class RunnerOut(Struct, frozen=True):
    """When a runner was withdrawn, and by which price or reduction factor the others pay less."""

    at: datetime
    odds: Decimal | None = None
    factor: Decimal | None = None


class MarketSelection(Struct, frozen=True):
    """One side of a market; `result` is None until it is declared."""

    selection_id: str
    name: str
    result: Result | None = None
    dead_heat: DeadHeat | None = None
    position: int | None = None
    starting_price: Decimal | None = None
    withdrawn: RunnerOut | None = None


class Settlement(Struct, frozen=True):
    """Sums over the settled bets that touch this market; `completed`: all of them are, by the results that stand now."""

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
    period: Period
    score: Score | None
    half_time: Score | None
    abandoned: str | None
    opened_at: datetime
    position: int
    settlement: Settlement


class SettlementRow(Struct, frozen=True):
    """How far a market's settlement is; `progress` is the share of the bets that touch it that is settled.

    While a correction or a rollback is settled it is the share that was visited: nearly all of them are settled already.
    `generation` counts its results, corrections and rollbacks; `completed`: all bets were visited in this generation, up
    to the one at `visited_position` while it is not.
    """

    market_id: UUID
    status: ShownStatus
    completed: bool
    generation: int
    visited_position: int
    open_bets: int
    settled_bets: int
    progress: float
    totals: list[SettlementTotal]


_STATUS = "CASE WHEN m.status = 'resulted' AND m.settled_generation = m.generation THEN 'settled' ELSE m.status END"
_SELECT = f"""
SELECT m.market_id, m.fixture::text, m.type, m.line, m.selections::text, m.pricing, m.terms::text, m.limits::text,
       {_STATUS}, m.period, m.score::text, m.half_time::text, m.abandoned, m.starting_prices::text,
       m.withdrawals, m.results::text, m.opened_at, m.position,
       array(SELECT row(t.currency, t.settled_bets, t.stake_minor, t.return_minor)::text FROM market_totals t
             WHERE t.market_id = m.market_id AND t.settled_bets > 0 ORDER BY t.currency)
FROM markets m"""  # noqa: S608  constant parts


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
        where.append(f"{_STATUS} = %(status)s")
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
    """Give the id of the first market of this type and line on the whole of a fixture, not on a part of it."""
    where = [
        *("fixture_id = %(fixture_id)s", "type = %(type)s", "line IS NOT DISTINCT FROM %(line)s"),
        "period = 'full_time'",
    ]
    sql = query("SELECT market_id FROM markets", where, "ORDER BY opened_at, market_id LIMIT 1")
    parameters = {"fixture_id": fixture_id, "type": market_type, "line": line}
    found = await db.rows(sql, parameters, _columns)
    return found[0][0] if found else None


async def unsettled(db: Db, after: int = 0, limit: int = 100) -> list[tuple[UUID, int, int, int]]:
    """Give the markets whose settlement is not completed and whose results changed after a position, in that order.

    Each with the position of that change, the generation that it began, and the position of the last bet visited in it
    as far as this view has seen (0: none).
    """
    sql = query(
        "SELECT market_id, result_position, generation, settled_after FROM markets",
        ["settled_generation < generation", "result_position > %(after)s"],
        "ORDER BY result_position LIMIT %(limit)s",
    )
    return await db.rows(sql, {"after": after, "limit": limit}, _columns)


_SELECT_SETTLEMENT = f"""
SELECT {_STATUS}, m.settled_generation, m.generation, m.settled_after, t.currency, coalesce(t.placed_bets, 0), coalesce(t.settled_bets, 0),
       coalesce(t.stake_minor, 0), coalesce(t.return_minor, 0)
FROM markets m LEFT JOIN market_totals t ON t.market_id = m.market_id"""  # noqa: S608  constant parts


async def settlement(db: Db, market_id: UUID) -> SettlementRow | None:
    """Give how far a market's settlement is, None when there is no such market."""
    sql = query(_SELECT_SETTLEMENT, ["m.market_id = %(market_id)s"], "ORDER BY t.currency")
    rows = await db.rows(sql, {"market_id": market_id}, _columns)
    if not rows:
        return None
    status, settled_generation, generation, after = rows[0][:4]
    placed = sum(row[5] for row in rows)
    settled = sum(row[6] for row in rows)
    completed = settled_generation == generation > 0
    progress = 1.0 if status == "settled" else settled / placed if placed else 0.0
    if placed and not completed and settled_generation:
        progress = await bets.count_visited(db, market_id, after) / placed
    return SettlementRow(
        market_id,
        status,
        completed,
        generation,
        after,
        placed - settled,
        settled,
        min(progress, 1.0),  # one of the two views may be ahead
        [SettlementTotal(row[4], row[6], int(row[7]), int(row[8])) for row in rows if row[6]],
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
    period: Period,
    score: str | None,
    half_time: str | None,
    abandoned: str | None,
    starting_prices: str | None,
    withdrawals: list[str],
    results: str | None,
    opened_at: datetime,
    position: int,
    totals: list[str],
) -> Market:
    shown = _selections(
        _load(selections, list[Selection]) or [],
        _load(results, list[SelectionResult]) or [],
        _load(starting_prices, list[StartingPrice]) or [],
        _runners_out(withdrawals),
    )
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
        period,
        _load(score, Score),
        _load(half_time, Score),
        abandoned,
        opened_at,
        position,
        Settlement(status == "settled", [_total(*each.strip("()").split(",")) for each in totals]),
    )


def _runners_out(lines: list[str]) -> dict[str, RunnerOut]:
    """Give who does not run, from the events that say who does not and who does after all."""
    out: dict[str, RunnerOut] = {}
    for line in lines:
        runner = msgspec.json.decode(line, type=_Runner)
        if runner.at is None:
            del out[runner.selection_id]
        else:
            out[runner.selection_id] = RunnerOut(runner.at, runner.odds, runner.factor)
    return out


class _Runner(Struct, frozen=True):
    """What RunnerWithdrawn says, and RunnerReinstated, which has no time."""

    selection_id: str
    at: datetime | None = None
    odds: Decimal | None = None
    factor: Decimal | None = None


def _selections(
    selections: list[Selection],
    results: list[SelectionResult],
    starting_prices: list[StartingPrice],
    out: dict[str, RunnerOut],
) -> list[MarketSelection]:
    ended = {each.selection_id: each for each in results}
    prices = {each.selection_id: each.odds for each in starting_prices}
    shown = []
    for each in selections:
        end = ended.get(each.selection_id)
        shown.append(
            MarketSelection(
                each.selection_id,
                each.name,
                end.result if end else None,
                end.dead_heat if end else None,
                end.position if end else None,
                prices.get(each.selection_id),
                out.get(each.selection_id),
            )
        )
    return shown


def _total(currency: str, bets: str, stake: str, returned: str) -> SettlementTotal:
    return SettlementTotal(currency, int(bets), int(stake), int(returned))


def _load(text: str | None, shape: Any) -> Any:
    return None if text is None else msgspec.json.decode(text, type=shape)


# ---- projection

_CREATE = """
CREATE TABLE markets (
    market_id uuid PRIMARY KEY, fixture_id uuid, sport text NOT NULL, starts_at timestamptz NOT NULL,
    fixture json NOT NULL, type text NOT NULL, line numeric, selections json NOT NULL, pricing text NOT NULL,
    terms json, limits json, period text NOT NULL, status text NOT NULL, score json, half_time json, abandoned text,
    starting_prices json, withdrawals text[] NOT NULL DEFAULT '{}', results json, result_position bigint,
    generation bigint NOT NULL DEFAULT 0, settled_generation bigint NOT NULL DEFAULT 0, settled_after bigint NOT NULL DEFAULT 0,
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
CREATE INDEX ON markets (result_position) WHERE settled_generation < generation"""

_OPEN = over(
    """
    INSERT INTO markets (market_id, fixture_id, sport, starts_at, fixture, type, line, selections, pricing,
                         terms, limits, period, status, opened_at, position)
    SELECT e.a, e.b::uuid, e.c, e.d, e.e::json, e.f, e.g::numeric, e.h::json, e.i, e.j::json, e.k::json, e.l, 'open', e.m, e.n
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k, l, m, n)""",
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
    *("text", "timestamptz", "bigint"),
)
_CHANGE = over(
    """
    UPDATE markets m SET
        position = e.position, status = coalesce(e.status, m.status),
        limits = coalesce(e.limits::json, m.limits),
        results = CASE WHEN e.ends IS NULL THEN coalesce(e.results::json, m.results) ELSE e.results::json END,
        score = CASE WHEN e.ends IS NULL THEN m.score ELSE e.score::json END,
        half_time = CASE WHEN e.ends IS NULL THEN m.half_time ELSE e.half_time::json END,
        abandoned = CASE WHEN e.ends IS NULL THEN m.abandoned ELSE e.abandoned END,
        starting_prices = CASE WHEN e.ends = 'again' THEN e.starting_prices::json ELSE m.starting_prices END,
        withdrawals = m.withdrawals || string_to_array(e.withdrawals, E'\n'),
        result_position = coalesce(e.result_position::bigint, m.result_position),
        generation = coalesce(e.generation::bigint, m.generation),
        settled_generation = coalesce(e.settled_generation::bigint, m.settled_generation),
        settled_after = CASE WHEN e.after IS NOT NULL THEN e.after::bigint
                             WHEN e.generation IS NOT NULL THEN 0 ELSE m.settled_after END
    FROM {} AS e(market_id, position, status, ends, results, score, half_time, abandoned, starting_prices, withdrawals,
                 result_position, generation, settled_generation, after, limits)
    WHERE m.market_id = e.market_id""",
    *(
        "uuid",
        "bigint",
        "text",
        "text",
        "text",
        "text",
        "text",
        "text",
        "text",
        "text",
        "text",
        "text",
    ),
    *("text", "text", "text"),
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
    ResultRolledBack: "closed",
    MarketAbandoned: "resulted",
}
_CHANGES: Final[tuple[type[Event], ...]] = (
    *_STATUS_AFTER,
    MarketLimitsChanged,
    ResultDeclared,
    RunnerWithdrawn,
    RunnerReinstated,
    SettlementProgressed,
    SettlementCompleted,
)


def _changes(batch: Batch) -> Iterable[Change]:
    opened = [_opened(r, r.event) for r in batch.of(MarketOpened) if type(r.event) is MarketOpened]
    if opened:
        yield _OPEN, columns(opened)
    changes = _changed(batch.of(*_CHANGES))
    if changes:
        yield (
            _CHANGE,
            columns([(id_, *msgspec.structs.astuple(change)) for id_, change in changes.items()]),
        )
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
        event.period,
        recorded.at,
        recorded.position,
    )


class _Changed(Struct):
    """What is new about a market, in the order of _CHANGE; None where nothing is.

    `ends` is not None where another result stands, or none: then the five after it are what they say, the starting prices
    only if it is 'again'. Else `results` may change alone.
    """

    position: int = 0
    status: str | None = None
    ends: str | None = None
    results: str | None = None
    score: str | None = None
    half_time: str | None = None
    abandoned: str | None = None
    starting_prices: str | None = None
    withdrawals: str | None = None
    result_position: str | None = None
    generation: str | None = None
    settled_generation: str | None = None
    after: str | None = None
    limits: str | None = None


def _changed(events: list[Recorded]) -> dict[UUID, _Changed]:
    """Give what is new about the markets that changed."""
    changes: dict[UUID, _Changed] = {}
    for recorded in events:
        event = recorded.event
        # The settlement of a market has a stream of its own.
        if isinstance(event, SettlementProgressed | SettlementCompleted):
            market_id = event.market_id
        else:
            market_id = recorded.stream_id
        change = changes.setdefault(market_id, _Changed())
        change.position = recorded.position
        change.status = _STATUS_AFTER.get(type(event), change.status)
        match event:
            case MarketLimitsChanged():
                change.limits = _dump(event.limits)
            case SettlementProgressed():
                change.after = str(event.after)
            case SettlementCompleted():
                change.settled_generation = str(event.generation)
            case RunnerWithdrawn() | RunnerReinstated():
                _begin_generation(change, event.generation, recorded.position)
                if isinstance(event, RunnerReinstated) and event.results is not None:
                    change.results, change.status = _dump(event.results), "part_resulted"
                line = msgspec.json.encode(event).decode()
                change.withdrawals = "\n".join(filter(None, [change.withdrawals, line]))
            case ResultDeclared() | ResultRolledBack() | MarketAbandoned():
                _begin_generation(change, event.generation, recorded.position)
                _set_result(change, event)
    return changes


def _begin_generation(change: _Changed, generation: int, position: int) -> None:
    change.result_position, change.generation, change.after = str(position), str(generation), None


def _set_result(
    change: _Changed, event: ResultDeclared | ResultRolledBack | MarketAbandoned
) -> None:
    change.results = change.score = change.half_time = change.abandoned = None
    if isinstance(event, MarketAbandoned):
        change.ends = change.ends or "keeps prices"
        change.results, change.abandoned = _dump(event.results), event.reason
        return
    change.ends, change.starting_prices = "again", None
    if isinstance(event, ResultDeclared):
        change.status = "part_resulted" if event.partial else "resulted"
        change.results, change.score = _dump(event.results), _dump(event.score)
        change.half_time = _dump(event.half_time)
        change.starting_prices = _dump(event.starting_prices) if event.starting_prices else None


def _totals(batch: Batch) -> list[list[Any]]:
    """Give market, currency, and what is added to bets placed, bets settled, stake and return."""
    rows: dict[tuple[StreamKey, str], list[Any]] = {}

    def row_of(market_id: UUID, currency: str) -> list[Any]:
        return rows.setdefault((market_id.int, currency), [market_id, currency, 0, 0, 0, 0])

    for group in batch.placed_groups:
        for market_id in group.markets.values():
            row_of(market_id, group.bet.currency)[2] += group.bets
    for group in batch.settled_groups:
        for market_id in group.markets.values():
            row = row_of(market_id, group.bet.currency)
            row[3] += group.bets
            row[4] += group.settled_stake_minor
            row[5] += group.return_minor
    return list(rows.values())


def _dump(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


PROJECTION = Projection(
    name="markets",
    tables=("markets", "market_totals"),
    create=_CREATE,
    index=_INDEX,
    follows=(MarketOpened, *_CHANGES, BetPlaced, *SETTLEMENTS, *ALTERATIONS),
    changes=_changes,
)
