"""How far a settlement is said to be, also of a correction."""

from uuid import UUID

import pytest

from adapters.postgres.reader import Reader
from domain.commands.market import RollBackResult
from domain.commands.settlement import CompleteSettlement, SettleBets
from read_models import markets
from tests.application.desk import Desk
from tests.builders import OPERATOR
from tests.read_models.business import follow

pytestmark = pytest.mark.anyio


async def test_a_correction_shows_how_many_bets_were_visited_in_it(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id, market_id = await desk.account(1_000), await desk.market()
    bets = [await desk.bet(account_id, market_id, 100) for _ in range(4)]

    async def visit(generation: int, count: int) -> None:
        command = SettleBets(
            bet_ids=[UUID(each["bet_id"]) for each in bets[:count]],
            generation=generation,
            after=bets[count - 1]["position"],
        )
        await desk.ask(command, OPERATOR, target=market_id)

    async def shown() -> tuple[float, bool, int]:
        follow(database_url)
        found = await markets.settlement(db, market_id)
        assert found is not None
        return found.progress, found.completed, found.open_bets

    async def complete(generation: int) -> None:
        await visit(generation, 4)
        command = CompleteSettlement(generation=generation)
        await desk.ask(command, OPERATOR, target=market_id)

    await desk.score(market_id, 1, 0)
    await visit(1, 2)
    assert await shown() == (0.5, False, 2)
    await complete(1)
    assert await shown() == (1.0, True, 0)
    await desk.score(market_id, 0, 0)
    assert await shown() == (0.0, False, 0)
    await visit(2, 3)
    assert await shown() == (0.75, False, 0)
    await complete(2)
    assert await shown() == (1.0, True, 0)
    await desk.ask(RollBackResult(), OPERATOR, target=market_id)
    await visit(3, 1)
    assert await shown() == (0.25, False, 1)
    await complete(3)
    # None of them is settled any more.
    assert await shown() == (0.0, True, 4)
