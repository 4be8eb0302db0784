"""Palpable errors: a bet's odds are corrected by two people, one who proposes it and another who decides."""

from uuid import UUID

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.auth import only
from api.desk import Asked, Desk, Key
from api.problems import responses_to_body
from application.answers import BetRepricing
from domain.commands.bet import ApproveRepricing, ProposeRepricing, RejectRepricing


@post(
    "/bets/{bet_id:uuid}/reprice",
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def propose_repricing(
    request: Asked,
    bet_id: FromPath[UUID],
    data: JSONBody[ProposeRepricing],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[BetRepricing]:
    """Propose other odds for a leg of a bet; nothing changes before somebody else approves."""
    return await desk.command(request, data, key, BetRepricing, target=bet_id)


@post(
    "/bets/{bet_id:uuid}/reprice/approve",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def approve_repricing(
    request: Asked,
    bet_id: FromPath[UUID],
    data: JSONBody[ApproveRepricing],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[BetRepricing]:
    """Correct a bet's odds as somebody else proposed; a settled bet is settled again."""
    return await desk.command(request, data, key, BetRepricing, target=bet_id, status=200)


@post(
    "/bets/{bet_id:uuid}/reprice/reject",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def reject_repricing(
    request: Asked,
    bet_id: FromPath[UUID],
    data: JSONBody[RejectRepricing],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[BetRepricing]:
    """Leave a bet's odds as they are, whatever somebody else proposed."""
    return await desk.command(request, data, key, BetRepricing, target=bet_id, status=200)


ROUTES = [propose_repricing, approve_repricing, reject_repricing]
