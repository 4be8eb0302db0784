"""The curve of profit: what settled bets brought, added up from day to day or bet to bet, and how far it fell from its peak."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from read_models.db import Db, decode_cursor, encode_cursor, query
from read_models.performance import Asked

Interval = Literal["day", "bet"]


class CurvePoint(Struct, frozen=True):
    """A day, or a settled bet, in minor units: its own profit, and where the curve stands after it.

    `running_minor` adds up the profits since the curve began, `peak_minor` is its highest so far (0 at the beginning),
    and `drawdown_minor` how far below it is.
    """

    currency: str
    at: datetime
    bet_id: UUID | None
    bets: int
    profit_minor: int
    running_minor: int
    peak_minor: int
    drawdown_minor: int


class CurveTotal(Struct, frozen=True):
    """A whole curve in one currency: its end, its highest, and the deepest fall from a peak."""

    currency: str
    points: int
    profit_minor: int
    peak_minor: int
    max_drawdown_minor: int


class Curve(Struct, frozen=True):
    """Some points in the order of currency and time; `totals` are of all of them, those of other pages too.

    By day, a corrected result counts on the day of the correction with its difference. By bet, each bet counts once, as
    it stands now, when it was last settled, or, while it is open (`bets` 0), when the last part of it was cashed out.
    Over all time both end at the same profit.
    """

    items: list[CurvePoint]
    totals: list[CurveTotal]
    next_cursor: str | None


_DAYS: Final = """
SELECT p.currency, p.day::timestamp AT TIME ZONE 'UTC' AS at, 0::bigint AS place, NULL::uuid AS bet_id,
       sum(p.bets) AS bets, sum(p.return_minor - p.turnover_minor) AS profit
FROM performance p"""
_BETS: Final = """
SELECT p.currency, p.ended_at AS at, p.position AS place, p.bet_id, (p.status <> 'open')::int::numeric AS bets,
       CASE p.status WHEN 'open' THEN p.cashed_return_minor - p.cashed_stake_minor
                     ELSE p.return_minor + coalesce(p.cashed_return_minor, 0) - p.total_stake_minor END::numeric AS profit
FROM (SELECT b.*, (coalesce(b.settled_at, b.cashed_at) AT TIME ZONE 'UTC')::date AS day,
             coalesce(b.settled_at, b.cashed_at) AS ended_at, m.sport
      FROM bets b LEFT JOIN markets m ON m.market_id = b.market_id) p"""
_ORDERED: Final = "OVER (PARTITION BY currency ORDER BY at, place ROWS UNBOUNDED PRECEDING)"
_CURVE: Final = f"""
WITH points AS ({{points}}), running AS (SELECT *, sum(profit) {_ORDERED} AS total FROM points),
     curve AS (SELECT *, greatest(0, max(total) {_ORDERED}) AS peak FROM running)"""  # noqa: S608  constant parts
_POINTS: Final = "SELECT currency, at, bet_id, bets, profit, total, peak, place FROM curve"
_TOTALS: Final = """
SELECT currency, count(*), sum(profit), max(peak), max(peak - total) FROM curve GROUP BY currency ORDER BY currency"""


async def of(
    db: Db, interval: Interval, asked: Asked, limit: int = 100, cursor: str | None = None
) -> Curve:
    """Give the curve of the bets asked for: it begins at 0 on the first day that is asked for."""
    after = decode_cursor(cursor, tuple[str, datetime, int])
    where, parameters = asked.where()
    if interval == "day":
        points = query(_DAYS, where, "GROUP BY p.currency, p.day")
    else:
        points = query(_BETS, [*where, "p.ended_at IS NOT NULL"], "")
    curve = _CURVE.format(points=points)
    totals = await db.rows(curve + _TOTALS, parameters, _total)
    further = ["true"]
    if after:
        currency, at, place = after
        parameters |= {"currency": currency, "place": place}
        parameters["at"] = at if at.tzinfo else at.replace(tzinfo=UTC)
        further.append("(currency, at, place) > (%(currency)s, %(at)s, %(place)s)")
    sql = query(curve + _POINTS, further, "ORDER BY currency, at, place LIMIT %(limit)s")
    rows = await db.rows(sql, parameters | {"limit": limit + 1}, _point)
    shown = rows[:limit]
    more = len(rows) > limit and shown
    last = shown[-1] if shown else None
    following = encode_cursor((last[0].currency, last[0].at, last[1])) if more and last else None
    return Curve([point for point, _ in shown], totals, following)


def _point(
    currency: str, at: datetime, bet_id: UUID | None, *figures: Decimal
) -> tuple[CurvePoint, int]:
    bets, profit, running, peak, place = map(int, figures)
    point = CurvePoint(currency, at, bet_id, bets, profit, running, peak, peak - running)
    return point, place


def _total(currency: str, points: int, *figures: Decimal) -> CurveTotal:
    return CurveTotal(currency, points, *map(int, figures))
