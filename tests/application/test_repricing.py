"""Repricing through the ledger: what a market's settlement, its commission and its liability say afterwards."""

from decimal import Decimal
from uuid import UUID

import pytest

from application.decisions.context import settlement_id
from application.decisions.liabilities import liability_id
from domain.actors import SETTLER
from domain.commands.account import OpenAccount
from domain.commands.bet import ApproveRepricing, CashOutBet, ProposeRepricing
from domain.commands.market import LimitsBody, RollBackResult
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.events.account import CommissionCharged
from domain.events.bet import BetReopened, BetResettled, PriceSeen
from domain.liability import Liability, Sums
from domain.settling import Settling
from tests.application.desk import Desk, Log, a_desk, read_log
from tests.builders import ADMIN, NOW, OPERATOR

pytestmark = pytest.mark.anyio


async def settle(desk: Desk, market_id: UUID, bet_id: UUID, generation: int = 1) -> None:
    for command in (
        SettleBets(bet_ids=[bet_id], generation=generation, after=generation),
        CompleteSettlement(generation=generation),
    ):
        await desk.ask(command, SETTLER, target=market_id)


async def reprice(desk: Desk, bet_id: UUID, odds: str) -> None:
    asked = ProposeRepricing(selection_id="home", odds=Decimal(odds), reason="a slip")
    proposed = await desk.ask(asked, OPERATOR, target=bet_id)
    this = ApproveRepricing(repricing_id=UUID(proposed["repricing_id"]))
    await desk.ask(this, ADMIN, target=bet_id)


def settling(log: Log, market_id: UUID) -> Settling:
    state = log.states[settlement_id(market_id)]
    assert isinstance(state, Settling)
    return state


async def test_the_settlement_and_the_commission_follow(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        opened = OpenAccount(currency="EUR", name="x", commission=Decimal("0.05"))
        account_id = UUID((await desk.ask(opened))["account_id"])
        await desk.deposit(account_id, 1_000)
        market_id = await desk.market()
        bet_id = UUID((await desk.bet(account_id, market_id, 500, odds="19"))["bet_id"])
        await desk.score(market_id, 1, 0)
        await settle(desk, market_id, bet_id)
        assert read_log(database_url).account(account_id).available_minor == 10_000 - 450
        await reprice(desk, bet_id, "2")
        log = read_log(database_url)
        assert log.account(account_id).available_minor == 1_500 - 25
        charged = [each.event.amount_minor for each in log.of(CommissionCharged)]  # type: ignore[attr-defined]
        assert charged == [450, -425]
        [total] = settling(log, market_id).totals
        assert (total.bets, total.stake_minor, total.return_minor) == (1, 500, 1_000)
        # A rollback and the same result once more end there again.
        await desk.ask(RollBackResult(), OPERATOR, target=market_id)
        await settle(desk, market_id, bet_id, 2)
        await desk.score(market_id, 1, 0)
        await settle(desk, market_id, bet_id, 3)
        log = read_log(database_url)
        assert log.account(account_id).available_minor == 1_500 - 25
        assert settling(log, market_id).totals == (total,)


async def test_a_bet_that_its_rollback_has_not_reached_is_opened_by_the_repricing(
    database_url: str,
) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(500), await desk.market()
        bet_id = UUID((await desk.bet(account_id, market_id, 500, odds="19"))["bet_id"])
        await desk.score(market_id, 1, 0)
        await settle(desk, market_id, bet_id)
        await desk.ask(RollBackResult(), OPERATOR, target=market_id)
        await reprice(desk, bet_id, "2")
        log = read_log(database_url)
        assert len(log.of(BetReopened)) == 1
        account = log.account(account_id)
        assert (account.available_minor, account.in_play_minor) == (0, 500)
        assert account.promised_minor == 1_000
        await settle(desk, market_id, bet_id, 2)
        await desk.score(market_id, 1, 0)
        await settle(desk, market_id, bet_id, 3)
        log = read_log(database_url)
        assert log.account(account_id).available_minor == 1_000
        assert not log.of(BetResettled)


async def test_the_liability_of_the_market_follows_parts_and_odds(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account(1_000)
        market_id = await desk.market(limits=LimitsBody(max_liability_minor=9_000))
        bet_id = UUID((await desk.bet(account_id, market_id, 500, odds="19"))["bet_id"])

        def held() -> Sums:
            state = read_log(database_url).states[liability_id(market_id)]
            assert isinstance(state, Liability)
            return state.book("EUR").backs["home"]

        assert held() == Sums(1, 500, 9_500)
        price = PriceSeen(market_id, "home", "Ladder", Decimal(19), NOW)
        part = CashOutBet(offer_minor=1, share=Decimal("0.4"), prices=(price,))
        await desk.ask(part, target=bet_id)
        assert held() == Sums(1, 300, 5_700)
        await reprice(desk, bet_id, "2")
        assert held() == Sums(1, 300, 600)
