"""Arbitrages: those that exist, those that were, and what their lives were like."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from api.desk import After, Cursor, Desk, Limit
from api.problems import responses
from api.times import From, To, instant
from domain.events import ArbitrageKind
from domain.refusals import OpportunityNotFound
from read_models import arbitrages
from read_models.arbitrages import ArbitrageDay, ArbitrageRow
from read_models.db import Page

MinMargin = Annotated[
    Decimal | None,
    QueryParameter(
        ge=-1, le=1_000, description="Least margin, such as 0.01; of closed ones, the best they had"
    ),
]
Active = Annotated[
    bool | None, QueryParameter(description="true: those open now; false: those closed")
]


@get("/arbitrage", responses=responses(422))
async def list_arbitrages(
    desk: NamedDependency[Desk],
    min_margin: MinMargin = None,
    active: Active = None,
    kind: FromQuery[ArbitrageKind | None] = None,
    fixture_id: FromQuery[UUID | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[ArbitrageRow]:
    """List arbitrages, newest first, each with its legs and the age of their quotes."""
    await desk.fresh("arbitrages", after)
    return await arbitrages.page(
        desk.db,
        min_margin=min_margin,
        active=active,
        kind=kind,
        fixture_id=fixture_id,
        limit=limit,
        cursor=cursor,
    )


@get("/arbitrage/statistics", responses=responses(422))
async def read_statistics(
    desk: NamedDependency[Desk],
    start: From = None,
    end: To = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[ArbitrageDay]:
    """Read how many arbitrages opened on each day, how long they lived and what they paid, by kind."""
    await desk.fresh("arbitrages", after)
    return await arbitrages.statistics(
        desk.db, instant(start, "from"), instant(end, "to"), limit, cursor
    )


@get("/arbitrage/{opportunity_id:uuid}", responses=responses(404, 422))
async def read_arbitrage(
    opportunity_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> ArbitrageRow:
    """Read an arbitrage."""
    await desk.fresh("arbitrages", after)
    found = await arbitrages.get(desk.db, opportunity_id)
    if found is None:
        raise OpportunityNotFound
    return found


ROUTES = [list_arbitrages, read_statistics, read_arbitrage]
