"""What a statement calls what was done to bets by hand."""

from decimal import Decimal
from uuid import UUID

import pytest

from adapters.postgres.reader import Reader
from domain.commands.bet import CashOutBet, VoidBet
from domain.commands.settlement import SettleBets
from domain.events.bet import PriceSeen
from read_models import statement
from tests.application.desk import Desk
from tests.builders import NOW, OPERATOR
from tests.read_models.business import follow

pytestmark = pytest.mark.anyio


async def test_a_statement_names_what_was_cashed_out_and_made_void(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id, market_id = await desk.account(10_000), await desk.market()
    bets = [
        UUID((await desk.bet(account_id, market_id, 1_000, odds="3"))["bet_id"]) for _ in range(3)
    ]
    price = PriceSeen(market_id, "home", "x", Decimal(2), NOW)
    for share in (Decimal("0.5"), None):
        command = CashOutBet(offer_minor=1, share=share, prices=(price,))
        await desk.ask(command, target=bets[0])
    await desk.ask(VoidBet(reason="placed twice"), OPERATOR, target=bets[1])
    await desk.score(market_id, 1, 0)
    await desk.ask(SettleBets(bet_ids=bets), OPERATOR, target=market_id)
    await desk.ask(VoidBet(reason="palpable error"), OPERATOR, target=bets[2])
    follow(database_url)
    rows = (await statement.page(db, account_id)).items
    assert [(row.kind, row.amount_minor, row.reference) for row in rows[:5]] == [
        ("void", -2_000, str(bets[2])),
        ("settlement", 3_000, str(bets[2])),
        ("void", 1_000, str(bets[1])),
        ("cash_out", 750, str(bets[0])),
        ("cash_out", 750, str(bets[0])),
    ]
    assert rows[0].available_after_minor == sum(row.amount_minor for row in rows)
