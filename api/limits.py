"""Limits of a market: what its bets together may cost the house, and changing them."""

from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from msgspec.structs import asdict

from api.auth import only
from api.desk import Asked, Desk, Key
from api.problems import responses, responses_to_body
from application.answers import MarketChanged
from domain.commands.market import BetsSeen, ChangeMarketLimits, MarketLimitsIn
from domain.events.market import MarketLimits
from domain.liability import Liability, liability_id, liability_minor
from domain.market import Market
from domain.refusals import LimitExceeded, MarketNotFound
from domain.streams import State, evolve
from read_models import bets

COUNTED_MAX: Final = 20_000
"""Bets that are counted in one decision: it holds others up for some 10 µs each."""

EVENTS_MAX: Final = 10_000


class CurrencyLiability(Struct, frozen=True):
    """What the open bets of one currency may cost the house at the most, and what the limit leaves, in minor units."""

    currency: str
    open_bets: int
    liability_minor: int
    left_minor: int


class MarketLiability(Struct, frozen=True):
    """A market's limits, and its liability by currency: none while `max_liability_minor` is not set."""

    market_id: UUID
    limits: MarketLimits
    currencies: list[CurrencyLiability]


@post(
    "/markets/{market_id:uuid}/limits",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def change_market_limits(
    request: Asked,
    market_id: FromPath[UUID],
    data: JSONBody[MarketLimitsIn],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[MarketChanged]:
    """Set a market's limits; a limit on liability is begun while the market is suspended."""
    seen = await _seen(market_id, desk) if data.max_liability_minor is not None else None
    command = ChangeMarketLimits(**asdict(data), seen=seen)
    if command.seen is not None:
        await desk.ledger.prepare(command, market_id)
    return await desk.command(request, command, key, MarketChanged, target=market_id, status=200)


async def _seen(market_id: UUID, desk: Desk) -> BetsSeen | None:
    """Look up the bets on a market that is suspended and whose liability is not followed yet.

    Settled ones too: a result of another market that is rolled back may open them again before they are counted.
    """
    market: State | None = None
    position = 0
    async for recorded in desk.feed.events(0, market_id, EVENTS_MAX):
        market, position = evolve(market, market_id, recorded.event), recorded.position
    if (
        not isinstance(market, Market)
        or market.status != "suspended"
        or market.max_liability_minor is not None
    ):
        return None
    await desk.fresh("bets", position)
    seen = await bets.on_market(desk.db, market_id, COUNTED_MAX + 1)
    if len(seen) > COUNTED_MAX:
        raise LimitExceeded(
            f"more than {COUNTED_MAX} bets are on this market: set max_liability_minor when a market is opened",
            members={"limit": "max_liability_minor"},
        )
    return BetsSeen(market.version, tuple(seen))


@get(
    "/markets/{market_id:uuid}/liability",
    opt=only("operator", "auditor"),
    responses=responses(404, 422),
)
async def read_market_liability(
    market_id: FromPath[UUID], desk: NamedDependency[Desk]
) -> MarketLiability:
    """Read what the limit on a market's liability goes by, as it stands in the ledger."""
    market = await desk.ledger.state(market_id)
    if not isinstance(market, Market):
        raise MarketNotFound
    limits = market.limits or MarketLimits()
    shown: list[CurrencyLiability] = []
    limit = limits.max_liability_minor
    liability = await desk.ledger.state(liability_id(market_id)) if limit is not None else None
    if limit is not None and isinstance(liability, Liability):
        for currency, book in sorted(liability.books.items()):
            now = liability_minor(market, book)
            shown.append(CurrencyLiability(currency, book.bets, now, max(limit - now, 0)))
    return MarketLiability(market_id, limits, shown)


ROUTES = [change_market_limits, read_market_liability]
