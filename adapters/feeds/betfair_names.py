"""Names of Betfair's events and runners, which its live stream leaves out: the market catalogue of the Betting API."""

import asyncio
import math
from collections.abc import Iterable, Mapping
from heapq import nsmallest
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from adapters.feeds.betfair import MarketNames
from adapters.feeds.polling import PollingClient
from application.feeds import Clock, FeedHealth

URL: Final = "https://api.betfair.com/exchange/betting/rest/v1.0/"
# What one request may weigh: 200 points, of which these projections take 2 a market.
MARKETS_A_REQUEST: Final = 100
# A market that the catalogue did not know may be there a little later.
ASK_AGAIN_SECONDS: Final = 60.0


class Catalogue(Protocol):
    """Where names come from."""

    async def names(self, market_ids: Iterable[str]) -> Mapping[str, MarketNames]:
        """Give the names of those markets that are known."""
        ...


class _Named(Struct, frozen=True):
    name: str


class _Runner(Struct, frozen=True, rename="camel"):
    selection_id: int
    runner_name: str


class _Market(Struct, frozen=True, rename="camel"):
    market_id: str
    event: _Named
    competition: _Named | None = None
    runners: tuple[_Runner, ...] = ()


class BetfairCatalogue:
    """Asks listMarketCatalogue."""

    def __init__(self, client: PollingClient, health: FeedHealth) -> None:
        """Take a client of URL whose headers hold X-Application and X-Authentication."""
        self._client = client
        self._health = health

    async def names(self, market_ids: Iterable[str]) -> Mapping[str, MarketNames]:
        """Give the names of those markets that are known, of MARKETS_A_REQUEST at most; raises FeedDenied."""
        answer = await self._client.post(
            "listMarketCatalogue/",
            {
                "filter": {"marketIds": list(market_ids)},
                "marketProjection": ["EVENT", "COMPETITION", "RUNNER_DESCRIPTION"],
                "maxResults": str(MARKETS_A_REQUEST),
            },
        )
        try:
            markets = msgspec.json.decode(answer.content, type=list[_Market])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._health.rejections.add("catalogue is not as documented", str(error))
            return {}
        return {
            market.market_id: MarketNames(
                market.event.name,
                market.competition.name if market.competition else None,
                {runner.selection_id: runner.runner_name for runner in market.runners},
            )
            for market in markets
        }


class NameLookup:
    """Looks names up beside the stream, which must not wait for them."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        """Begin with nothing asked."""
        self._catalogue = catalogue
        self._clock = clock
        self._asked_at: dict[str, float] = {}
        self._asking: asyncio.Task[Mapping[str, MarketNames]] | None = None

    def found(self, missing: Iterable[str]) -> Mapping[str, MarketNames]:
        """Give what was found since the last call, and begin to ask for what is missing; raises FeedDenied."""
        found: Mapping[str, MarketNames] = {}
        if self._asking is not None:
            if not self._asking.done():
                return found
            found, self._asking = self._asking.result(), None
        now = self._clock.monotonic()
        wanted = nsmallest(
            MARKETS_A_REQUEST,
            (
                each
                for each in missing
                if each not in found
                and now - self._asked_at.get(each, -math.inf) > ASK_AGAIN_SECONDS
            ),
        )
        if wanted:
            self._asked_at |= dict.fromkeys(wanted, now)
            self._asking = asyncio.create_task(self._catalogue.names(wanted))
        return found

    def stop(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
