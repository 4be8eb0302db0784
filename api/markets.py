"""Markets: open, suspend, resume, close, declare the result or take it back, follow the settlement."""

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.auth import only
from api.desk import After, Asked, Cursor, Desk, Key, Limit
from api.problems import responses, responses_to_body
from api.times import StartsAfter, instant
from application.answers import MarketChanged, NewMarket
from domain.commands.command import PRINTABLE
from domain.commands.market import (
    AbandonMarket,
    CloseMarket,
    DeclareResult,
    OpenMarket,
    ReinstateRunner,
    ResumeMarket,
    RollBackResult,
    SuspendMarket,
    VoidMarket,
    WithdrawRunner,
)
from domain.refusals import MarketNotFound
from read_models import markets
from read_models.db import Page
from read_models.markets import Market, SettlementRow, ShownStatus

Reason = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=200,
        pattern=PRINTABLE,
        description="Why, for whoever reads the log",
    ),
]
_LIFECYCLE = responses_to_body(404, 409, 422)


@post("/markets", opt=only("operator"), responses=responses_to_body(409, 422))
async def open_market(
    request: Asked, data: JSONBody[OpenMarket], desk: NamedDependency[Desk], key: Key = None
) -> Response[NewMarket]:
    """Offer a market on a fixture."""
    return await desk.command(request, data, key, NewMarket)


@post(
    "/markets/{market_id:uuid}/suspend",
    status_code=200,
    opt=only("operator"),
    responses=_LIFECYCLE,
)
async def suspend_market(
    request: Asked,
    market_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    data: JSONBody[SuspendMarket | None] = None,
    key: Key = None,
) -> Response[MarketChanged]:
    """Take no bets on a market for now."""
    command = data or SuspendMarket()
    return await desk.command(request, command, key, MarketChanged, target=market_id, status=200)


@post(
    "/markets/{market_id:uuid}/resume",
    status_code=200,
    opt=only("operator"),
    responses=_LIFECYCLE,
)
async def resume_market(
    request: Asked,
    market_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    data: JSONBody[ResumeMarket | None] = None,
    key: Key = None,
) -> Response[MarketChanged]:
    """Take bets on a market again."""
    command = data or ResumeMarket()
    return await desk.command(request, command, key, MarketChanged, target=market_id, status=200)


@post(
    "/markets/{market_id:uuid}/close",
    status_code=200,
    opt=only("operator"),
    responses=_LIFECYCLE,
)
async def close_market(
    request: Asked,
    market_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    data: JSONBody[CloseMarket | None] = None,
    key: Key = None,
) -> Response[MarketChanged]:
    """Take no more bets on a market."""
    command = data or CloseMarket()
    return await desk.command(request, command, key, MarketChanged, target=market_id, status=200)


@post(
    "/markets/{market_id:uuid}/result",
    status_code=202,
    opt=only("operator"),
    responses=_LIFECYCLE,
)
async def declare_result(
    request: Asked,
    market_id: FromPath[UUID],
    data: JSONBody[DeclareResult],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[MarketChanged]:
    """Say how a market ended, or correct what was said; settlement starts by itself."""
    return await desk.command(request, data, key, MarketChanged, target=market_id, status=202)


@delete(
    "/markets/{market_id:uuid}/result",
    status_code=202,
    opt=only("operator"),
    responses=responses(404, 409, 422),
)
async def roll_back_result(
    request: Asked,
    market_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    reason: Reason = None,
    key: Key = None,
) -> Response[MarketChanged]:
    """Take a market's result back: what it settled is open again, and the market stays closed for bets."""
    command = RollBackResult(reason=reason)
    return await desk.command(request, command, key, MarketChanged, target=market_id, status=202)


@post(
    "/markets/{market_id:uuid}/withdrawals",
    status_code=202,
    opt=only("operator"),
    responses=_LIFECYCLE,
)
async def withdraw_runner(
    request: Asked,
    market_id: FromPath[UUID],
    data: JSONBody[WithdrawRunner],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[MarketChanged]:
    """Take a runner out of a race: bets on it are void, and those before pay less on the others."""
    return await desk.command(request, data, key, MarketChanged, target=market_id, status=202)


@post(
    "/markets/{market_id:uuid}/reinstatements",
    status_code=202,
    opt=only("operator"),
    responses=_LIFECYCLE,
)
async def reinstate_runner(
    request: Asked,
    market_id: FromPath[UUID],
    data: JSONBody[ReinstateRunner],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[MarketChanged]:
    """Take a runner's withdrawal back, which was a mistake."""
    return await desk.command(request, data, key, MarketChanged, target=market_id, status=202)


@post(
    "/markets/{market_id:uuid}/abandon",
    status_code=202,
    opt=only("operator"),
    responses=_LIFECYCLE,
)
async def abandon_market(
    request: Asked,
    market_id: FromPath[UUID],
    data: JSONBody[AbandonMarket],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[MarketChanged]:
    """Void what a market leaves undecided, or all of it."""
    return await desk.command(request, data, key, MarketChanged, target=market_id, status=202)


@post(
    "/markets/{market_id:uuid}/void",
    status_code=202,
    opt=only("operator"),
    responses=_LIFECYCLE,
)
async def void_market(
    request: Asked,
    market_id: FromPath[UUID],
    data: JSONBody[VoidMarket],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[MarketChanged]:
    """Void every selection of a market."""
    return await desk.command(request, data, key, MarketChanged, target=market_id, status=202)


@get("/markets", responses=responses(422))
async def list_markets(
    desk: NamedDependency[Desk],
    sport: FromQuery[str | None] = None,
    status: FromQuery[ShownStatus | None] = None,
    starts_after: StartsAfter = None,
    fixture_id: FromQuery[UUID | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[Market]:
    """List markets by the start of their fixture."""
    await desk.fresh("markets", after)
    return await markets.page(
        desk.db, sport, status, instant(starts_after, "starts_after"), fixture_id, limit, cursor
    )


@get("/markets/{market_id:uuid}", responses=responses(404, 422))
async def read_market(
    market_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> Market:
    """Read a market."""
    await desk.fresh("markets", after)
    market = await markets.get(desk.db, market_id)
    if market is None:
        raise MarketNotFound
    return market


@get("/markets/{market_id:uuid}/settlement", responses=responses(404, 422))
async def read_settlement(
    market_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> SettlementRow:
    """Follow a market's settlement: progress and totals."""
    await desk.fresh("markets", after)
    await desk.fresh("bets", after)
    settlement = await markets.settlement(desk.db, market_id)
    if settlement is None:
        raise MarketNotFound
    return settlement


ROUTES = [
    open_market,
    suspend_market,
    resume_market,
    close_market,
    declare_result,
    roll_back_result,
    withdraw_runner,
    reinstate_runner,
    abandon_market,
    void_market,
    list_markets,
    read_market,
    read_settlement,
]
