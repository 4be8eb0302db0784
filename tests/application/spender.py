"""A process of its own with a ledger of its own, that spends and deposits and prints what was acknowledged.

`python -m tests.application.spender DATABASE_URL SEED MARKET_ID ACCOUNT_ID…`
"""

import asyncio
import contextlib
import json
import sys
from random import Random
from uuid import UUID

from domain.commands.market import CloseMarket
from domain.refusals import InsufficientFunds, MarketNotOpen, MarketStateConflict
from tests.application.desk import Desk, a_desk
from tests.builders import OPERATOR

CLIENTS, TURNS = 8, 30


async def client(desk: Desk, random: Random, market_id: UUID, accounts: list[UUID]) -> list[int]:
    """Give the position and the balance change of what was acknowledged: position, change, position …"""
    acknowledged: list[int] = []
    for turn in range(TURNS):
        account_id, amount = random.choice(accounts), random.randint(1, 200)
        try:
            if turn % 3:
                answer = await desk.bet(account_id, market_id, amount)
                acknowledged += [answer["position"], -amount]
            else:
                answer = await desk.deposit(account_id, amount // 3 + 1)
                acknowledged += [answer["position"], amount // 3 + 1]
        except (InsufficientFunds, MarketNotOpen):
            continue
    return acknowledged


async def main(database_url: str, seed: int, market_id: UUID, accounts: list[UUID]) -> None:
    """Work, close the market, and say what was acknowledged."""
    async with a_desk(database_url) as desk:
        randoms = [Random(f"{seed} {number}") for number in range(CLIENTS)]
        found = await asyncio.gather(
            *(client(desk, random, market_id, accounts) for random in randoms)
        )
        closed = None
        with contextlib.suppress(MarketStateConflict):
            closed = (await desk.ask(CloseMarket(), OPERATOR, target=market_id))["position"]
    print(json.dumps({"acknowledged": sum(found, []), "closed": closed}))  # noqa: RUF017


if __name__ == "__main__":
    url, number, market, *rest = sys.argv[1:]
    asyncio.run(main(url, int(number), UUID(market), [UUID(each) for each in rest]))
