"""Reports: what was bet on each day, how it did, and the curve of profit."""

from datetime import date
from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from api.auth import only
from api.desk import After, Asked, Cursor, Desk, Limit, owner_seen_by
from api.problems import responses
from domain.refusals import InvalidInput
from read_models import betting_totals, performance, profit_curve
from read_models.betting_totals import DayTotals
from read_models.db import Page
from read_models.performance import Asked as AskedBets
from read_models.performance import Dimension, Performance
from read_models.profit_curve import Curve, Interval

DIMENSIONS_MAX = 8

FromDay = Annotated[date | None, QueryParameter(name="from")]
ToDay = Annotated[date | None, QueryParameter(name="to")]
By = Annotated[
    list[Dimension] | None,
    QueryParameter(
        name="by",
        max_items=DIMENSIONS_MAX,
        description="What to group by, again for several; by day unless it is given",
    ),
]


@get("/reports/betting-totals", opt=only("auditor", "operator"), responses=responses(422))
async def read_betting_totals(
    desk: NamedDependency[Desk],
    start: FromDay = None,
    end: ToDay = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[DayTotals]:
    """Read bets, stakes and returns by day, currency, sport and market type."""
    await desk.fresh("betting_totals", after)
    return await betting_totals.page(desk.db, start, end, limit, cursor)


@get("/reports/performance", responses=responses(422))
async def read_performance(
    request: Asked,
    desk: NamedDependency[Desk],
    by: By = None,
    start: FromDay = None,
    end: ToDay = None,
    account_id: FromQuery[UUID | None] = None,
    owner: FromQuery[str | None] = None,
    sport: FromQuery[str | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[Performance]:
    """Read profit, turnover, yield, win rate, odds and closing-line value: a trader's own, anyone's for the other roles."""
    for model in ("performance", "prices", "balances"):
        await desk.fresh(model, after)
    asked = AskedBets(start, end, account_id, owner_seen_by(request.user, owner), sport)
    return await performance.report(desk.db, by or ["day"], asked, limit, cursor)


@get("/reports/curve", responses=responses(422))
async def read_curve(
    request: Asked,
    desk: NamedDependency[Desk],
    interval: FromQuery[Interval] = "day",
    start: FromDay = None,
    end: ToDay = None,
    account_id: FromQuery[UUID | None] = None,
    owner: FromQuery[str | None] = None,
    sport: FromQuery[str | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Curve:
    """Read the curve of profit with its peak and its drawdown: a trader's own, anyone's for the other roles."""
    asked = AskedBets(start, end, account_id, owner_seen_by(request.user, owner), sport)
    if interval == "bet" and asked.account_id is None and asked.owner is None:
        raise InvalidInput("name an account or an owner for a curve bet by bet", field="owner")
    for model in ("performance",) if interval == "day" else ("bets", "markets"):
        await desk.fresh(model, after)
    return await profit_curve.of(desk.db, interval, asked, limit, cursor)


ROUTES = [read_betting_totals, read_performance, read_curve]
