"""Cash-out: what a bet, or a share of it, is worth at the prices that are offered now, and taking it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from api.auth import only
from api.board import odds_board
from api.desk import After, Asked, Desk, Key
from api.problems import responses, responses_to_body
from application.answers import BetCashedOut, CashOutOffer
from domain.bet import Bet
from domain.cash_out import SHARE_PLACES
from domain.commands.bet import CashOutBet, OfferCashOut
from domain.commands.command import Command
from domain.events.bet import PriceSeen
from domain.money import AmountMinor, has_at_most_places
from domain.refusals import BetNotFound
from read_models import prices

Share = Annotated[
    Decimal | None,
    QueryParameter(description="Share of the open stake, above 0 and at most 1 (all of it)"),
]


class CashOutIn(Command, frozen=True, kw_only=True):
    """Take the offer for a `share` of the stake that is open, all of it by default, unless it is far below `offer_minor`.

    The present offer is paid, however much better it is; how much worse it may be is the book's `tolerance`.
    """

    offer_minor: AmountMinor
    share: Decimal | None = None


@get("/bets/{bet_id:uuid}/cash-out", opt=only("trader"), responses=responses(404, 409, 422))
async def offer_cash_out(
    request: Asked,
    bet_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    share: Share = None,
    after: After = None,
) -> Response[CashOutOffer]:
    """Read what cashing a bet out pays now, or a share of what is open of it."""
    await desk.fresh("bets", after)
    await desk.fresh("prices", after)
    command = OfferCashOut(
        share=_normal(share),
        prices=await _prices(bet_id, desk),
        margin=desk.cash_out_margin,
        tolerance=desk.cash_out_tolerance,
    )
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
) -> Response[BetCashedOut]:
    """Cash a bet out, or a share of what is open of it."""
    command = CashOutBet(
        offer_minor=data.offer_minor,
        share=_normal(data.share),
        prices=await _prices(bet_id, desk),
        margin=desk.cash_out_margin,
        tolerance=desk.cash_out_tolerance,
    )
    return await desk.command(request, command, key, BetCashedOut, target=bet_id, status=200)


def _normal(share: Decimal | None) -> Decimal | None:
    """Give a share in one spelling: 1 is the whole, as no share is, and 0.50 is 0.5."""
    if share is None or not has_at_most_places(share, SHARE_PLACES):
        return share  # what is no number may not even be compared
    return None if share == 1 else share.normalize()


async def _prices(bet_id: UUID, desk: Desk) -> tuple[PriceSeen, ...]:
    """Give the best fresh price to back each leg at, live or kept: the highest, so the book never buys too dear."""
    # What the ledger knows, not what the view shows: the bet may have been placed a moment ago.
    bet = await desk.ledger.state(bet_id)
    if not isinstance(bet, Bet):
        raise BetNotFound
    now = datetime.now(UTC)
    seen: list[PriceSeen] = []
    for leg in bet.placed.legs:
        kept = await prices.latest(desk.db, leg.market_id)
        live = await desk.board.quotes(leg.market_id) if desk.board else []
        seen += [
            PriceSeen(leg.market_id, leg.selection_id, best.bookmaker, best.odds, best.at)
            for best in odds_board(kept, live, desk.max_ages, now).best
            if best.selection_id == leg.selection_id and best.side == "back"
        ]
    return tuple(seen)


ROUTES = [offer_cash_out, cash_out_bet]
