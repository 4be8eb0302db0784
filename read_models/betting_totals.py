"""Betting totals: what was staked, settled and returned on each day, by currency, sport and type of market."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from domain.events.bet import BetPlaced
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import (
    ALTERATIONS,
    SETTLEMENTS,
    Batch,
    Change,
    Group,
    Projection,
    columns,
    over,
)


class DayTotals(Struct, frozen=True):
    """One day (UTC) in one currency, sport and market type; money in minor units.

    `bets` and `stake_minor` count bets on the day they were placed, the others on the day they were settled; what a
    corrected result changes counts on the day of the correction, with the difference only, which may be negative;
    `result_minor` is the settled stakes less what was returned. A bet with several legs has the sport of its first
    leg, and its kind in place of the market type.
    """

    day: date
    currency: str
    sport: str
    market_type: str
    bets: int
    stake_minor: int
    settled_bets: int
    settled_stake_minor: int
    returned_minor: int
    result_minor: int


_SELECT = """
SELECT day, currency, sport, market_type, bets, stake_minor, settled_bets, settled_stake_minor, returned_minor
FROM betting_totals"""
_ORDER = "ORDER BY day, currency, sport, market_type LIMIT %(limit)s"


async def page(
    db: Db,
    start: date | None = None,
    end: date | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[DayTotals]:
    """Give the totals of the days from `start` to `end`, both included, oldest first."""
    after = decode_cursor(cursor, tuple[date, str, str, str])
    where = ["true"]
    if start is not None:
        where.append("day >= %(start)s")
    if end is not None:
        where.append("day <= %(end)s")
    if after:
        where.append("(day, currency, sport, market_type) > (%(a)s, %(b)s, %(c)s, %(d)s)")
    parameters: dict[str, Any] = {"start": start, "end": end, "limit": limit + 1}
    parameters |= dict(zip("abcd", after or (), strict=False))
    rows = await db.rows(query(_SELECT, where, _ORDER), parameters, _totals)
    return page_of(rows, limit, lambda row: (row.day, row.currency, row.sport, row.market_type))


def _totals(
    day: date, currency: str, sport: str, market_type: str, bets: int, *figures: Decimal
) -> DayTotals:
    stake, settled_bets, settled_stake, returned = map(int, figures)
    result = settled_stake - returned
    key = (day, currency, sport, market_type)
    return DayTotals(*key, bets, stake, settled_bets, settled_stake, returned, result)


# ---- projection

_CREATE = """
CREATE TABLE betting_totals (
    day date NOT NULL, currency text NOT NULL, sport text NOT NULL, market_type text NOT NULL,
    bets bigint NOT NULL, stake_minor numeric NOT NULL,
    settled_bets bigint NOT NULL, settled_stake_minor numeric NOT NULL, returned_minor numeric NOT NULL,
    PRIMARY KEY (day, currency, sport, market_type)
) WITH (fillfactor = 50)"""

_ADD = over(
    """
    INSERT INTO betting_totals AS t
    SELECT e.a::date, e.b, e.c, e.d, e.e, e.f, e.g, e.h, e.i
    FROM {} AS e(a, b, c, d, e, f, g, h, i)
    ON CONFLICT (day, currency, sport, market_type) DO UPDATE SET
        bets = t.bets + excluded.bets,
        stake_minor = t.stake_minor + excluded.stake_minor,
        settled_bets = t.settled_bets + excluded.settled_bets,
        settled_stake_minor = t.settled_stake_minor + excluded.settled_stake_minor,
        returned_minor = t.returned_minor + excluded.returned_minor""",
    *("text", "text", "text", "text", "bigint", "numeric", "bigint", "numeric", "numeric"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    rows: dict[tuple[str, str, str, str], list[int]] = {}
    for group in batch.placed_groups:
        figures = rows.setdefault(_key(group, batch), [0] * 5)
        figures[0] += group.bets
        figures[1] += group.stake_minor
    for group in batch.settled_groups:
        figures = rows.setdefault(_key(group, batch), [0] * 5)
        figures[2] += group.bets
        figures[3] += group.settled_stake_minor
        figures[4] += group.return_minor
    if rows:
        yield _ADD, columns([(*key, *figures) for key, figures in rows.items()])


def _key(group: Group, batch: Batch) -> tuple[str, str, str, str]:
    bet = group.bet
    market = batch.markets_of_bets[bet.legs[0].market_id.int]
    kind = market.type if len(bet.legs) == 1 else bet.kind
    return str(group.day), bet.currency, market.fixture.sport, kind


PROJECTION = Projection(
    name="betting_totals",
    tables=("betting_totals",),
    create=_CREATE,
    follows=(BetPlaced, *SETTLEMENTS, *ALTERATIONS),
    changes=_changes,
)
