"""The HTTP application: routes, problems, and what stands before them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, cast

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from api import (
    accounts,
    arbitrage,
    audit,
    bets,
    cash_out,
    docs,
    exposure,
    feed_names,
    health,
    limits,
    live,
    markets,
    models,
    odds,
    problems,
    reports,
    repricing,
    solve,
)
from api.auth import Tokens, check_request
from api.desk import Desk
from api.exact import (
    DecimalsAreNumbers,
    ExactRequest,
    ExactResponse,
    TuplesAreLists,
    UnknownFieldsAreRefused,
)
from api.express import BetLane
from api.front import Asgi, Front
from api.health import Probes
from api.sampling import Sampler

BODY_MAX_BYTES: Final = 8 * 1024 * 1024
VERSION: Final = "0.1.0"

Start = Callable[[], AbstractAsyncContextManager[tuple[Desk, Probes]]]


def create_app(start: Start, secret: str, *, trace_ratio: float) -> tuple[Front, BetLane]:
    """Make the application and its express lane; `start` opens what it stands on when the server starts, and closes it at the end.

    `secret` verifies tokens, `trace_ratio` is the share of requests that are traced unless the caller decides.
    """
    opened: dict[str, Any] = {}
    tokens = Tokens(secret)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with start() as (opened["desk"], opened["probes"]):
            yield

    app = Litestar(
        route_handlers=[
            Router(
                "/v1",
                route_handlers=[
                    *accounts.ROUTES,
                    *arbitrage.ROUTES,
                    *audit.ROUTES,
                    *bets.ROUTES,
                    *cash_out.ROUTES,
                    *exposure.ROUTES,
                    *limits.ROUTES,
                    *live.ROUTES,
                    *feed_names.ROUTES,
                    *markets.ROUTES,
                    *models.ROUTES,
                    *odds.ROUTES,
                    *reports.ROUTES,
                    *repricing.ROUTES,
                    *solve.ROUTES,
                ],
                security=[{"bearer": []}],
                before_request=check_request,
            ),
            *health.ROUTES,
        ],
        dependencies={
            "desk": Provide(lambda: opened["desk"], sync_to_thread=False, use_cache=False),
            "tokens": Provide(lambda: tokens, sync_to_thread=False, use_cache=False),
            "probes": Provide(lambda: opened["probes"], sync_to_thread=False, use_cache=False),
        },
        request_class=ExactRequest,
        response_class=ExactResponse,
        plugins=[DecimalsAreNumbers(), TuplesAreLists(), UnknownFieldsAreRefused()],
        exception_handlers=problems.HANDLERS,
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(
            title="fairbook",
            version=VERSION,
            description="An event-sourced ledger for betting and trading desks.",
            path="/schema",
            render_plugins=[docs.OfflineDocs(), JsonRenderPlugin(), YamlRenderPlugin()],
            components=Components(
                security_schemes={
                    "bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
                }
            ),
        ),
        request_max_body_size=BODY_MAX_BYTES,
        logging_config=None,
        pdb_on_exception=False,
    )
    sampler = Sampler(trace_ratio)
    lane = BetLane(lambda: cast("Desk", opened["desk"]).ledger, tokens, sampler)
    return Front(cast("Asgi", app), tokens, sampler), lane
