"""Markets as the handlers of prices know them: learned from the ledger once, followed by its facts."""

import asyncio
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec

from application.ledger import Ledger
from application.live.source import Fact
from domain.board import MarketDescription
from domain.events.market import MarketClosed, MarketResumed, MarketSuspended, ResultDeclared
from domain.market import Market
from domain.refusals import MarketNotFound

FORGET_SECONDS: Final = 2.0
"""How long a market that the ledger does not have is taken not to be there."""
UNKNOWN_MAX: Final = 10_000
OVER_MAX: Final = 5_000
"""How many markets on the board may be over before a handler begins anew without them."""
TAKES_BETS: Final = {
    MarketSuspended.topic: False,
    MarketClosed.topic: False,
    ResultDeclared.topic: False,
    MarketResumed.topic: True,
}
"""Whether a market takes bets after a fact of this topic."""


class FactLine(msgspec.Struct):
    """What the handlers read of a fact's line."""

    stream: UUID
    actor: str
    data: msgspec.Raw


def read_fact(fact: Fact) -> FactLine:
    """Read a fact's line."""
    return msgspec.json.decode(fact.line, type=FactLine)


class LiveMarkets:
    """The markets that prices came for; `learned` hears of each when the ledger tells it, before it is found."""

    def __init__(
        self, ledger: Ledger, learned: Callable[[Market, MarketDescription], None]
    ) -> None:
        self._ledger = ledger
        self._learned = learned
        self._markets: dict[UUID, MarketDescription] = {}
        self._unknown: dict[UUID, float] = {}
        self._over: set[UUID] = set()

    @property
    def are_mostly_over(self) -> bool:
        """Whether so many are over that it is worth beginning anew without them."""
        return len(self._over) > max(OVER_MAX, len(self._markets))

    async def find(self, market_id: UUID) -> MarketDescription:
        """Give a market; raises MarketNotFound. What the ledger did not have a moment ago, it is not asked for again."""
        known = self._markets.get(market_id)
        if known is not None:
            return known
        until = self._unknown.get(market_id)
        if until is None or until < time.monotonic():
            if await self.learn(market_id):
                return self._markets[market_id]
            if len(self._unknown) >= UNKNOWN_MAX:
                self._unknown.clear()
            self._unknown[market_id] = time.monotonic() + FORGET_SECONDS
        raise MarketNotFound(f"the ledger has no market {market_id}")

    async def learn(self, market_id: UUID) -> bool:
        """Learn of a market what the ledger knows now, not what a view shows; tells whether there is such."""
        state = await self._ledger.state(market_id)
        if not isinstance(state, Market):
            return False
        assert state.fixture.fixture_id is not None
        description = MarketDescription(
            market_id,
            state.fixture.fixture_id,
            state.type,
            state.line,
            tuple(state.selections),
            state.period,
        )
        self._markets[market_id] = description
        self._learned(state, description)
        # To price a market takes a while, and many come at once: others go in between.
        await asyncio.sleep(0)
        return True

    def ask_again(self, market_id: UUID) -> None:
        """Note that the ledger has a market, whatever was found a moment ago."""
        self._unknown.pop(market_id, None)

    def end(self, market_id: UUID) -> bool:
        """Note that a market is over; tells whether it was known."""
        if self._markets.pop(market_id, None) is None:
            return False
        self._over.add(market_id)
        return True
