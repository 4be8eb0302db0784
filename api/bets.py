"""Bets: place one or many, look."""

from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import UNSET, Struct, UnsetType

from api.auth import only
from api.desk import After, Asked, Cursor, Desk, Key, Limit, owner_seen_by
from api.problems import ItemProblem, responses, responses_to_body
from application.answers import BetAccepted, BetChanged
from domain.bet import BetStatus
from domain.commands.bet import PlaceBet, PlaceBets, VoidBet
from domain.refusals import BetNotFound
from read_models import bets
from read_models.bets import Bet
from read_models.db import Page


class BatchItem(Struct, omit_defaults=True):
    """What became of one bet of a batch: placed, or `error` with the problem that it alone would have got."""

    bet_id: UUID | UnsetType = UNSET
    status: BetStatus | UnsetType = UNSET
    total_stake_minor: int | UnsetType = UNSET
    potential_return_minor: int | UnsetType = UNSET
    available_minor: int | UnsetType = UNSET
    position: int | UnsetType = UNSET
    error: ItemProblem | UnsetType = UNSET


class BatchAnswer(Struct):
    """What became of each bet of a batch, in order."""

    results: list[BatchItem]
    position: int


@post("/bets", opt=only("trader"), responses=responses_to_body(404, 409, 422))
async def place_bet(
    request: Asked, data: JSONBody[PlaceBet], desk: NamedDependency[Desk], key: Key = None
) -> Response[BetAccepted]:
    """Place one bet."""
    return await desk.command(request, data, key, BetAccepted)


@post(
    "/bets/batch", status_code=200, opt=only("trader"), responses=responses_to_body(404, 409, 422)
)
async def place_bets(
    request: Asked, data: JSONBody[PlaceBets], desk: NamedDependency[Desk], key: Key = None
) -> Response[BatchAnswer]:
    """Place many bets in order: each on its own, or all or none."""
    return await desk.command(request, data, key, BatchAnswer, status=200)


@get("/bets", responses=responses(422))
async def list_bets(
    request: Asked,
    desk: NamedDependency[Desk],
    account_id: FromQuery[UUID | None] = None,
    market_id: FromQuery[UUID | None] = None,
    status: FromQuery[BetStatus | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[Bet]:
    """List bets, newest first: a trader's own, anyone's for the other roles."""
    await _fresh(desk, after)
    return await bets.page(
        desk.db,
        owner=owner_seen_by(request.user),
        account_id=account_id,
        market_id=market_id,
        status=status,
        limit=limit,
        cursor=cursor,
    )


@get("/bets/{bet_id:uuid}", responses=responses(404, 422))
async def read_bet(
    request: Asked, bet_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> Bet:
    """Read a bet."""
    await _fresh(desk, after)
    bet = await bets.get(desk.db, bet_id)
    if bet is None or not request.user.may_see(bet.owner):
        raise BetNotFound
    return bet


@post(
    "/bets/{bet_id:uuid}/void",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def void_bet(
    request: Asked,
    bet_id: FromPath[UUID],
    data: JSONBody[VoidBet],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[BetChanged]:
    """Give a bet's stake back for good."""
    return await desk.command(request, data, key, BetChanged, target=bet_id, status=200)


async def _fresh(desk: Desk, after: int | None) -> None:
    """Wait for all views that a bet is shown from: closing prices are with the prices, who holds the money with balances."""
    for model in ("bets", "prices", "balances"):
        await desk.fresh(model, after)


ROUTES = [place_bet, place_bets, list_bets, read_bet, void_bet]
