"""Exposure: what open bets make or cost, by market, by fixture over all of its markets, and by account."""

from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from api.auth import only
from api.desk import After, Asked, Desk
from api.problems import responses
from domain.refusals import AccountNotFound, FixtureNotFound, MarketNotFound
from read_models import balances, exposure, fixture_exposure
from read_models.exposure import MarketExposure
from read_models.fixture_exposure import AccountExposure, FixtureExposure


@get(
    "/markets/{market_id:uuid}/exposure",
    opt=only("operator", "auditor"),
    responses=responses(404, 422),
)
async def read_market_exposure(
    market_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> MarketExposure:
    """Read what the house wins or loses on a market in each state in which it can end."""
    await _fresh(desk, after, "exposure", "markets", "prices")
    shown = await exposure.of_market(desk.db, market_id)
    if shown is None:
        raise MarketNotFound
    return shown


@get(
    "/fixtures/{fixture_id:uuid}/exposure",
    opt=only("operator", "auditor"),
    responses=responses(404, 422),
)
async def read_fixture_exposure(
    fixture_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> FixtureExposure:
    """Read what the house wins or loses on all markets of a fixture: worst, best and expected."""
    await _fresh(desk, after, "exposure", "markets", "prices")
    shown = await fixture_exposure.of_fixture(desk.db, fixture_id)
    if shown is None:
        raise FixtureNotFound
    return shown


@get("/accounts/{account_id:uuid}/exposure", responses=responses(404, 422))
async def read_account_exposure(
    request: Asked, account_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> AccountExposure:
    """Read what an account has at stake, and the worst and the best that can come of it."""
    await _fresh(desk, after, "balances", "bets", "markets")
    account = await balances.get(desk.db, account_id)
    if account is None or not request.user.may_see(account.owner):
        raise AccountNotFound
    return await fixture_exposure.of_account(desk.db, account_id, account.currency)


async def _fresh(desk: Desk, after: int | None, *models: str) -> None:
    for model in models:
        await desk.fresh(model, after)


ROUTES = [read_market_exposure, read_fixture_exposure, read_account_exposure]
