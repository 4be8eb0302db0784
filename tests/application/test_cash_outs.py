"""Cashing out through the ledger: what is paid, what the log keeps, and what a repeated request gets."""

from decimal import Decimal
from uuid import UUID

import pytest

from domain.commands.bet import CashOutBet
from domain.events.bet import BetPartCashedOut, BetSettled, PriceSeen
from domain.refusals import BetNotFound, BetStateConflict, PriceChanged
from tests.application.desk import Desk, a_desk, a_key, read_log
from tests.builders import ADMIN, BOB, NOW

pytestmark = pytest.mark.anyio


async def a_bet(desk: Desk) -> tuple[UUID, UUID]:
    """10.00 at 6.0, in an account with nothing else."""
    market_id = await desk.market()
    placed = await desk.bet(await desk.account(1_000), market_id, 1_000, odds="6")
    return market_id, UUID(placed["bet_id"])


def cash_out(
    market_id: UUID, offer: int, odds: str = "2.25", share: str | None = None, tolerance: str = "0"
) -> CashOutBet:
    return CashOutBet(
        offer_minor=offer,
        share=None if share is None else Decimal(share),
        prices=(PriceSeen(market_id, "home", "Ladder", Decimal(odds), NOW),),
        margin=Decimal("0.05"),
        tolerance=Decimal(tolerance),
    )


async def test_the_present_offer_is_paid_better_or_within_the_tolerance(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        market_id, bet_id = await a_bet(desk)
        better = cash_out(market_id, 500, share="0.4")  # 1,013 is offered
        paid = await desk.ask(better, target=bet_id)
        assert (paid["return_minor"], paid["stake_minor"], paid["open_stake_minor"]) == (
            1_013,
            400,
            600,
        )
        worse = cash_out(market_id, 1_530, tolerance="0.01")  # 1,520 is offered
        paid = await desk.ask(worse, target=bet_id)
        assert (paid["status"], paid["return_minor"]) == ("cashed_out", 1_520)
    log = read_log(database_url)
    [part], [last] = log.of(BetPartCashedOut), log.of(BetSettled)
    assert isinstance(part.event, BetPartCashedOut)
    assert isinstance(last.event, BetSettled)
    assert last.event.cash_out is not None
    assert (part.event.cash_out.asked_minor, part.event.cash_out.tolerance) == (500, Decimal(0))
    assert last.event.cash_out.asked_minor == 1_530
    assert last.event.cash_out.tolerance == Decimal("0.01")
    assert last.event.cash_out.prices == worse.prices
    assert log.bet(bet_id).return_minor == 1_013 + 1_520


async def test_a_refusal_says_the_present_offer_and_says_so_again(database_url: str) -> None:
    key = a_key()
    async with a_desk(database_url) as desk:
        market_id, bet_id = await a_bet(desk)
        replayed = []
        for odds in ("2.25", "2"):  # the same request, whatever the prices are by then
            with pytest.raises(PriceChanged) as refused:
                await desk.ask(cash_out(market_id, 2_534, odds), target=bet_id, key=key)
            assert refused.value.members == {"offer_minor": 2_533}
            replayed.append(refused.value.replayed)
        assert replayed == [False, True]


async def test_parts_are_cashed_out_until_nothing_is_left(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        market_id, bet_id = await a_bet(desk)
        for _ in range(3):
            await desk.ask(cash_out(market_id, 1, share="0.5"), target=bet_id)
        await desk.ask(cash_out(market_id, 1, share="1"), ADMIN, target=bet_id)
        with pytest.raises(BetStateConflict):
            await desk.ask(cash_out(market_id, 1, share="1"), target=bet_id)
    log = read_log(database_url)
    parts = [each.event.stake_minor for each in log.of(BetPartCashedOut)]  # type: ignore[attr-defined]
    assert parts == [500, 250, 125]
    account = log.account(log.bet(bet_id).placed.account_id)
    assert (account.in_play_minor, account.promised_minor) == (0, 0)
    assert account.available_minor == log.bet(bet_id).return_minor


async def test_nobody_cashes_out_what_is_not_theirs(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        market_id, bet_id = await a_bet(desk)
        with pytest.raises(BetNotFound):
            await desk.ask(cash_out(market_id, 1, share="0.5"), BOB, target=bet_id)
