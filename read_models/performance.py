"""Performance: profit, turnover, yield, win rate, odds and closing-line value of settled bets, by whatever is asked.

Only settlements are followed, so that placing a bet costs no more. A row sums the bets of one account on one selection
that were settled on one day; who holds the money and how markets closed is joined when it is read.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal
from uuid import UUID

from msgspec import Struct

from domain.bet import BetStatus
from domain.events.bet import (
    BetPartCashedOut,
    BetPartsVoided,
    BetPlaced,
    BetReopened,
    BetRepriced,
    BetSettled,
)
from domain.events.event import Recorded
from domain.events.market import MarketOpened
from domain.refusals import InvalidInput
from read_models.closing import NAME
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import (
    ALTERATIONS,
    SETTLEMENTS,
    Batch,
    Change,
    Projection,
    columns,
    over,
)

Dimension = Literal[
    "account", "owner", "sport", "competition", "market_type", "bookmaker", "kind", "day"
]


class Group(Struct, frozen=True):
    """What the bets of a row have in common; None is what was not asked for, or a bookmaker that nobody named."""

    account_id: UUID | None = None
    owner: str | None = None
    sport: str | None = None
    competition: str | None = None
    market_type: str | None = None
    bookmaker: str | None = None
    kind: str | None = None
    day: date | None = None


class Performance(Struct, frozen=True, rename={"yield_": "yield"}):
    """How bets of one currency did; money in minor units, from the bettor's side.

    A bet counts on the day (UTC) on which it is settled, and what a corrected result changes on the day of the
    correction with the difference only: the figures of a day may be negative. `turnover_minor` is what was at risk
    (all lines of a bet, the liability of a lay, void bets too), `profit_minor` what was returned less the turnover,
    `yield` profit / turnover, `win_rate` won / (bets − void). `average_odds`, `clv` and `clv_fair` are means over bets
    with one leg: of the odds taken, and of the closing-line value as read_models.closing.LegClosing has it, over the
    `clv_bets` and `clv_fair_bets` whose selection has such a closing price. Rates are exact until they are rounded to
    6 decimals, halves to even; None where there is nothing to divide by. A part that is cashed out adds turnover and
    return on its day; the bet counts when the rest is settled. Odds that were corrected count as corrected.
    """

    currency: str
    group: Group
    bets: int
    won: int
    lost: int
    void: int
    part_won: int
    cashed_out: int
    turnover_minor: int
    return_minor: int
    profit_minor: int
    yield_: Decimal | None
    win_rate: Decimal | None
    average_odds: Decimal | None
    clv: Decimal | None
    clv_bets: int
    clv_fair: Decimal | None
    clv_fair_bets: int


class Asked(Struct, frozen=True):
    """Which bets: settled on the days from `start` to `end`, both included, of an account, an owner, a sport."""

    start: date | None = None
    end: date | None = None
    account_id: UUID | None = None
    owner: str | None = None
    sport: str | None = None

    def where(self) -> tuple[list[str], dict[str, Any]]:
        """Give conditions on `performance p`, and their parameters."""
        conditions = {
            "start": "p.day >= %(start)s",
            "end": "p.day <= %(end)s",
            "account_id": "p.account_id = %(account_id)s",
            "owner": "p.owner = %(owner)s",
            "sport": "p.sport = %(sport)s",
        }
        parameters = {name: getattr(self, name) for name in conditions}
        asked = [sql for name, sql in conditions.items() if parameters[name] is not None]
        return ["true", *asked], parameters


_FIELDS: Final[dict[Dimension, tuple[str, str]]] = {
    "account": ("account_id", "p.account_id::text"),
    "owner": ("owner", "p.owner"),
    "sport": ("sport", "p.sport"),
    "competition": ("competition", "p.competition"),
    "market_type": ("market_type", "p.market_type"),
    "bookmaker": ("bookmaker", "coalesce(a.held_at, '')"),
    "kind": ("kind", "p.kind"),
    "day": ("day", "p.day::text"),
}
_FIGURES: Final = (
    "bets, won, lost, void, part_won, cashed_out, turnover_minor, return_minor, singles, odds_milli"
)
_SUMS: Final = ", ".join(f"sum({name}) AS {name}" for name in _FIGURES.split(", "))
# First what is alike for a closing price, then its value: Σ (o/c − 1) = Σo / c − n of backs, Σ (c/o − 1) = c·Σ(1/o) − n
# of lays. A bookmaker is looked for by name only where an account has one.
_CHOSEN = f"""
SELECT p.currency, {{keys}}, p.market_id, p.selection_id, p.side, a.held_at, {_SUMS}, sum(p.inverse) AS inverse
FROM performance p LEFT JOIN balances a USING (account_id)"""  # noqa: S608  constant parts
_REPORT = f"""
WITH chosen AS ({{chosen}}), valued AS (
    SELECT c.*, w.value, w.fair_value FROM chosen c
    LEFT JOIN closing_lines l ON l.market_id = c.market_id AND l.selection_id = c.selection_id AND c.singles <> 0
    LEFT JOIN LATERAL (
        SELECT p.odds FROM closing_prices p
        WHERE c.held_at IS NOT NULL AND c.singles <> 0 AND p.market_id = c.market_id
          AND p.selection_id = c.selection_id AND p.side = c.side AND {NAME.format("p.bookmaker")} = {NAME.format("c.held_at")}
        ORDER BY p.bookmaker LIMIT 1
    ) own ON true
    CROSS JOIN LATERAL (
        SELECT CASE c.side WHEN 'back' THEN c.odds_milli / (1000 * coalesce(own.odds, l.odds))
                           ELSE coalesce(own.odds, l.odds) * c.inverse / {10**18}::numeric END - c.singles AS value,
               CASE c.side WHEN 'back' THEN c.odds_milli / (1000 * l.fair_odds)
                           ELSE l.fair_odds * c.inverse / {10**18}::numeric END - c.singles AS fair_value
    ) w
)
SELECT currency, {{names}}, {_SUMS},
       sum(value), sum(singles) FILTER (WHERE value IS NOT NULL),
       sum(fair_value), sum(singles) FILTER (WHERE fair_value IS NOT NULL)
FROM valued GROUP BY currency, {{names}}
HAVING sum(bets) <> 0 OR sum(turnover_minor) <> 0 OR sum(return_minor) <> 0
ORDER BY currency, {{names}} LIMIT %(limit)s"""  # noqa: S608  constant parts


async def report(
    db: Db,
    by: Sequence[Dimension],
    asked: Asked,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Performance]:
    """Give the performance of the bets asked for, by currency and by each of `by`, in that order."""
    dimensions = list(dict.fromkeys(by))
    after = decode_cursor(cursor, tuple[str, ...])
    if after and len(after) != len(dimensions) + 1:
        raise InvalidInput("this is not a cursor of this list", field="cursor")
    keys = [_FIELDS[dimension][1] for dimension in dimensions]
    names = [f"k{place}" for place in range(len(dimensions))]
    where, parameters = asked.where()
    if after:
        places = ", ".join(f"%(after{place})s::text" for place in range(len(after)))
        where.append(f"({', '.join(['p.currency', *keys])}) > ({places})")
        parameters |= {f"after{place}": key for place, key in enumerate(after)}
    shown = ", ".join(f"{key} AS {name}" for key, name in zip(keys, names, strict=True))
    alike = ", ".join(["p.currency", *names, "p.market_id, p.selection_id, p.side, a.held_at"])
    chosen = query(_CHOSEN.format(keys=shown), where, f"GROUP BY {alike}")
    sql = _REPORT.format(chosen=chosen, names=", ".join(names))
    rows = await db.rows(sql, parameters | {"limit": limit + 1}, _columns)
    page = page_of(rows, limit, lambda row: row[: len(dimensions) + 1])
    return Page([_performance(dimensions, row) for row in page.items], page.next_cursor)


def _columns(*values: Any) -> tuple[Any, ...]:
    return values


def _performance(dimensions: Sequence[Dimension], row: tuple[Any, ...]) -> Performance:
    currency, *keys = row[: len(dimensions) + 1]
    figures = row[len(dimensions) + 1 :]
    bets, won, lost, void, part_won, cashed_out, turnover, returned, singles, odds_milli = map(
        int, figures[:10]
    )
    value, valued, fair_value, fair_valued = (each or 0 for each in figures[10:])
    group = {_FIELDS[name][0]: _read(name, key) for name, key in zip(dimensions, keys, strict=True)}
    profit = returned - turnover
    return Performance(
        *(currency, Group(**group), bets, won, lost, void, part_won, cashed_out),
        *(turnover, returned, profit, _rate(profit, turnover), _rate(won, bets - void)),
        _rate(odds_milli, 1000 * singles),
        _rate(value, valued),
        int(valued),
        _rate(fair_value, fair_valued),
        int(fair_valued),
    )


def _read(dimension: Dimension, key: str) -> Any:
    match dimension:
        case "account":
            return UUID(key)
        case "day":
            return date.fromisoformat(key)
        case "bookmaker":
            return key or None
        case _:
            return key


def _rate(numerator: int | Decimal, denominator: int | Decimal) -> Decimal | None:
    """Divide exactly and round to 6 decimals, halves to even; None unless there is something to divide by."""
    if denominator <= 0:
        return None
    return Decimal(round(Fraction(numerator) / Fraction(denominator) * 10**6)).scaleb(-6)


# ---- projection

_CREATE = """
CREATE TABLE performance (
    day date NOT NULL, account_id uuid NOT NULL, kind text NOT NULL, side text NOT NULL, market_id uuid NOT NULL,
    selection_id text NOT NULL, owner text NOT NULL, currency text NOT NULL,
    sport text NOT NULL, competition text NOT NULL, market_type text NOT NULL,
    bets bigint NOT NULL, won bigint NOT NULL, lost bigint NOT NULL, void bigint NOT NULL, part_won bigint NOT NULL,
    cashed_out bigint NOT NULL, turnover_minor numeric NOT NULL, return_minor numeric NOT NULL,
    singles bigint NOT NULL, odds_milli numeric NOT NULL, inverse numeric NOT NULL,
    PRIMARY KEY (day, account_id, market_id, selection_id, kind, side)
) WITH (fillfactor = 60)"""

_INDEX = """
CREATE INDEX ON performance (account_id, day);
CREATE INDEX ON performance (owner, day)"""

_SUMMED: Final = (*_FIGURES.split(", "), "inverse")
_ADD = over(
    f"""
    INSERT INTO performance AS p
    SELECT e.a::date, e.b, e.c, e.d, e.e, e.f, e.g, e.h, e.i, e.j, e.k, e.l, e.m, e.n, e.o, e.p, e.q, e.r, e.s, e.t, e.u, e.v
    FROM {{}} AS e(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v)
    ON CONFLICT (day, account_id, market_id, selection_id, kind, side) DO UPDATE SET
        {", ".join(f"{name} = p.{name} + excluded.{name}" for name in _SUMMED)}""",  # noqa: S608  constant parts
    *("text", "uuid", "text", "text", "uuid", "text", "text", "text", "text", "text", "text"),
    *("bigint", "bigint", "bigint", "bigint", "bigint", "bigint"),
    *("numeric", "numeric", "bigint", "numeric", "numeric"),
)
_STATUSES: Final[dict[BetStatus, int]] = {
    "won": 1,
    "lost": 2,
    "void": 3,
    "part_won": 4,
    "cashed_out": 5,
}
_TURNOVER, _RETURN, _SINGLES, _ODDS, _INVERSE = range(6, 11)
_IN_WHOLE: Final = 10**18
"""1/o is kept in whole parts of this size, so that sums do not depend on their order."""


def _changes(batch: Batch) -> Iterable[Change]:
    if not batch.settled and not batch.alterations:
        return
    bets = (bet for _, _, bet in (*batch.settled, *batch.alterations))
    markets = {bet.legs[0].market_id.int: bet.legs[0].market_id for bet in bets}
    opened = batch.first_events(MarketOpened, markets)
    before = batch.statuses_before_corrections
    rows: dict[Any, tuple[tuple[Any, ...], list[int]]] = {}

    def figures_of(recorded: Recorded, bet: BetPlaced) -> list[int]:
        leg = bet.legs[0]
        account, market = bet.account_id.int, leg.market_id.int
        day = recorded.at.toordinal()
        key = (day, account, market, leg.selection_id, bet.kind, bet.side)
        row = rows.get(key)
        if row is None:
            row = rows[key] = (_names(recorded.at.date(), bet, opened[market]), [0] * 11)
        return row[1]

    for recorded, altered, bet in batch.alterations:
        figures = figures_of(recorded, bet)
        match altered:
            case BetPartCashedOut():
                figures[_TURNOVER] += altered.stake_minor
                figures[_RETURN] += altered.return_minor
            case BetPartsVoided():
                figures[_RETURN] += altered.difference_minor
            case BetRepriced() if altered.is_settled and len(bet.legs) == 1:
                figures[_ODDS] += int((altered.odds - altered.odds_before) * 1000)
            case _:
                continue
    for recorded, event, bet in batch.settled:
        leg = bet.legs[0]
        figures = figures_of(recorded, bet)
        was = before.get(recorded.position)
        if was is not None:
            figures[_STATUSES[was]] -= 1
        if not isinstance(event, BetReopened):
            figures[_STATUSES[event.status]] += 1
            if not isinstance(event, BetSettled):
                figures[_RETURN] += event.difference_minor
                continue
        sign = -1 if isinstance(event, BetReopened) else 1
        figures[0] += sign
        figures[_TURNOVER] += sign * event.stake_minor
        figures[_RETURN] += sign * event.return_minor
        odds = leg.odds if event.standing is None else event.standing.odds[0]
        if len(bet.legs) == 1 and odds is not None:
            milli = int(odds * 1000)
            figures[_SINGLES] += sign
            figures[_ODDS] += sign * milli
            if bet.side == "lay":
                figures[_INVERSE] += sign * (1000 * _IN_WHOLE // milli)
    yield _ADD, columns([(*names, *figures) for names, figures in rows.values()])


def _names(day: date, bet: BetPlaced, market: MarketOpened) -> tuple[Any, ...]:
    leg, fixture = bet.legs[0], market.fixture
    return (
        *(str(day), bet.account_id, bet.kind, bet.side, leg.market_id, leg.selection_id),
        *(bet.owner, bet.currency, fixture.sport, fixture.competition),
        market.type if len(bet.legs) == 1 else bet.kind,
    )


PROJECTION = Projection(
    name="performance",
    tables=("performance",),
    create=_CREATE,
    index=_INDEX,
    follows=(*SETTLEMENTS, *ALTERATIONS),
    changes=_changes,
)
