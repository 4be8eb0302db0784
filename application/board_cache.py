"""The live odds board that processes share: fresher than the read model, and it may be lost at any moment."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.events.odds import Quote


class BoardCache(Protocol):
    """The latest quotes of markets, written by the price handler and read by the API.

    Neither raises when the cache is away or broken: prices are then as fresh as the read model. It may hold only some of a
    market's quotes, or old ones: whoever reads it takes what is newer than what the read model says.
    """

    async def put(self, changed: Mapping[UUID, Sequence[Quote]]) -> None:
        """Keep the latest quotes of markets, withdrawn ones too; those of a market that are not named stay."""

    async def quotes(self, market_id: UUID) -> Sequence[Quote]:
        """Give what is there of a market, in no order; empty when nothing is."""
