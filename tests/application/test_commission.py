"""Commission is charged on what an account wins on a market: of a bet on several markets no market can say that."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from domain.actors import SETTLER
from domain.commands.account import OpenAccount
from domain.commands.bet import PlaceBet, VoidBet
from domain.commands.market import RollBackResult
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.events.account import CommissionCharged
from tests.application.desk import Desk, a_desk, read_log
from tests.builders import OPERATOR, leg, open_market

pytestmark = pytest.mark.anyio


async def a_market(desk: Desk) -> UUID:
    command = open_market()
    command = replace(command, fixture=replace(command.fixture, fixture_id=uuid4()))
    return UUID((await desk.ask(command, OPERATOR))["market_id"])


async def settle(desk: Desk, market_id: UUID, bets: list[UUID], generation: int = 1) -> None:
    for command in (
        SettleBets(bet_ids=bets, generation=generation),
        CompleteSettlement(generation=generation),
    ):
        await desk.ask(command, SETTLER, target=market_id)


async def test_a_double_bears_no_commission_and_counts_in_no_market(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        opened = OpenAccount(currency="EUR", name="x", commission=Decimal("0.05"))
        account_id = UUID((await desk.ask(opened))["account_id"])
        await desk.deposit(account_id, 1_000)
        first, second = [await a_market(desk) for _ in range(2)]
        double = PlaceBet(
            account_id=account_id,
            kind="accumulator",
            legs=tuple(leg("3", "home", each) for each in (first, second)),
            stake_minor=100,
        )
        placed = await desk.ask(double)
        single = await desk.bet(account_id, second, 100, odds="3")
        bets = [UUID(each["bet_id"]) for each in (placed, single)]
        for market_id in (first, second):
            await desk.score(market_id, 1, 0)
            await settle(desk, market_id, bets)
        # 800 won on both markets by the double, and 200 on the second by the single, which cost 10.
        log = read_log(database_url)
        assert log.account(account_id).available_minor == 2_000 - 10
        assert len(log.of(CommissionCharged)) == 1
        # Nor does it come into what is charged when results, or the bet itself, are changed.
        await desk.ask(RollBackResult(), OPERATOR, target=second)
        await desk.score(second, 1, 0)
        await settle(desk, second, bets, 3)
        await desk.ask(VoidBet(reason="an error"), OPERATOR, target=bets[0])
        log = read_log(database_url)
        assert log.account(account_id).available_minor == 1_200 - 10
        assert len(log.of(CommissionCharged)) == 1
