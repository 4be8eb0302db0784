"""Cash-out: what a bet is worth at the prices that are offered now, and taking it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.auth import only
from api.board import odds_board
from api.desk import After, Asked, Desk, Key
from api.problems import responses, responses_to_body
from application.answers import BetChanged, CashOutOffer
from domain.commands import CashOutBet, Command, OfferCashOut
from domain.events import PriceSeen
from domain.money import AmountMinor
from domain.refusals import BetNotFound, NotOffered
from read_models import bets, prices

WHOLE: Final = Decimal(1)


class CashOutIn(Command, frozen=True, kw_only=True):
    """Take an offer, if it still is `offer_minor` or better; only a `share` of 1, the whole bet, is cashed out so far."""

    offer_minor: AmountMinor
    share: Decimal | None = None


@get("/bets/{bet_id:uuid}/cash-out", opt=only("trader"), responses=responses(404, 409, 422))
async def offer_cash_out(
    request: Asked, bet_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> Response[CashOutOffer]:
    """Read what cashing a bet out pays now."""
    await desk.fresh("bets", after)
    await desk.fresh("prices", after)
    command = OfferCashOut(prices=await _prices(bet_id, desk), margin=desk.cash_out_margin)
    return await desk.command(request, command, None, CashOutOffer, target=bet_id, status=200)


@post(
    "/bets/{bet_id:uuid}/cash-out",
    status_code=200,
    opt=only("trader"),
    responses=responses_to_body(404, 409, 422),
)
async def cash_out_bet(
    request: Asked,
    bet_id: FromPath[UUID],
    data: JSONBody[CashOutIn],
    desk: NamedDependency[Desk],
    key: Key = None,
) -> Response[BetChanged]:
    """Cash a bet out."""
    if data.share is not None and not (data.share.is_finite() and data.share == WHOLE):
        raise NotOffered("only a whole bet is cashed out", field="share")
    command = CashOutBet(
        offer_minor=data.offer_minor,
        prices=await _prices(bet_id, desk),
        margin=desk.cash_out_margin,
    )
    return await desk.command(request, command, key, BetChanged, target=bet_id, status=200)


async def _prices(bet_id: UUID, desk: Desk) -> tuple[PriceSeen, ...]:
    """Give the best fresh price to back each leg at, live or kept: the highest, so the book never buys too dear."""
    bet = await bets.get(desk.db, bet_id)
    if bet is None:
        raise BetNotFound
    now = datetime.now(UTC)
    seen: list[PriceSeen] = []
    for leg in bet.legs:
        kept = await prices.latest(desk.db, leg.market_id)
        live = await desk.board.quotes(leg.market_id) if desk.board else []
        seen += [
            PriceSeen(leg.market_id, leg.selection_id, best.bookmaker, best.odds, best.at)
            for best in odds_board(kept, live, desk.max_ages, now).best
            if best.selection_id == leg.selection_id and best.side == "back"
        ]
    return tuple(seen)


ROUTES = [offer_cash_out, cash_out_bet]
