"""Arbitrages: those that exist, those that were, and what their lives were like."""

from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from api.desk import After, Cursor, Desk, Limit
from api.problems import responses
from api.times import From, To, instant
from domain.events.arbitrage import ArbitrageKind
from domain.money import has_at_most_places
from domain.refusals import InvalidInput, OpportunityNotFound
from read_models import arbitrages
from read_models.arbitrages import ArbitrageDay, ArbitrageRow
from read_models.db import Page

MARGIN_MAX: Final = 1_000
MARGIN_PLACES: Final = 6

MinMargin = Annotated[
    Decimal | None,
    QueryParameter(description="Least margin, such as 0.01; of closed ones, the best they had"),
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
    if min_margin is not None and not _is_margin(min_margin):
        raise InvalidInput(
            f"a margin is a number up to {MARGIN_MAX} with at most {MARGIN_PLACES} decimals",
            field="min_margin",
        )
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


def _is_margin(margin: Decimal) -> bool:
    return has_at_most_places(margin, MARGIN_PLACES) and abs(margin) <= MARGIN_MAX


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
