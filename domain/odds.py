"""A market's prices: a stream of snapshots, and the house's own latest price for each selection."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Self
from uuid import UUID

from msgspec import Struct

from domain.events.market import MarketType
from domain.events.odds import OddsSnapshotTaken, Quote
from domain.ids import derived_id
from domain.market import Market
from domain.money import check_odds, has_at_most_places
from domain.refusals import InvalidInput, PriceChanged, SelectionNotInMarket
from domain.times import check_time

HOUSE = "house"
"""The bookmaker whose quotes are the prices of a market that the house prices itself."""

CLOCK_SKEW = timedelta(seconds=60)
MAX_SIZE = Decimal(10**15)
SIZE_PLACES = 8


WINNERS: Final[Mapping[MarketType, int]] = {
    **dict.fromkeys(("1X2", "ML", "OU", "BTTS", "AH", "DNB", "SPREAD", "WIN"), 1),
    "DC": 2,
}
"""How many selections of a market win, where that is the same however it ends (pushes aside) and one of them must.

The implied probabilities of all its selections then add up to it in a fair market. Others (CS may leave out scores,
PLACE depends on the runners) have no no-vig price here.
"""


def odds_id(market_id: UUID) -> UUID:
    """Give the id of the market's stream of price snapshots."""
    return derived_id(f"odds:{market_id}")


class HousePrices(Struct, frozen=True):
    """State of a market's price stream: what the house offers for each selection, and since when.

    A price of None was withdrawn; its time stays, so that an older quote that arrives late does not bring it back.
    """

    version: int
    prices: dict[str, tuple[Decimal | None, datetime]] = {}

    def check_price(self, selection_id: str, odds: Decimal) -> None:
        """Refuse odds that are better than what the house offers now."""
        known = self.prices.get(selection_id)
        offered = known[0] if known else None
        if offered is None:
            raise PriceChanged("the house has no price for this selection now")
        if odds > offered:
            raise PriceChanged(f"the price is {offered} now")

    @classmethod
    def start(cls, _: UUID, event: OddsSnapshotTaken) -> Self:
        """Begin the state with the stream's first event."""
        return cls(version=1, prices=_newer({}, event.quotes))

    def evolve(self, event: OddsSnapshotTaken) -> "HousePrices":
        """Give the state after `event`; decides nothing."""
        return HousePrices(version=self.version + 1, prices=_newer(self.prices, event.quotes))


def _newer(
    prices: dict[str, tuple[Decimal | None, datetime]], quotes: tuple[Quote, ...]
) -> dict[str, tuple[Decimal | None, datetime]]:
    newer = prices
    for quote in quotes:
        if quote.bookmaker != HOUSE or quote.side != "back":
            continue
        known = newer.get(quote.selection_id)
        if known is None or quote.at >= known[1]:
            if newer is prices:
                newer = dict(prices)
            newer[quote.selection_id] = (None if quote.withdrawn else quote.odds, quote.at)
    return newer


def _is_size(size: Decimal) -> bool:
    return has_at_most_places(size, SIZE_PLACES) and 0 <= size <= MAX_SIZE


def take_snapshot(market: Market, quotes: tuple[Quote, ...], now: datetime) -> OddsSnapshotTaken:
    """Decide to record a batch of quotes for one market, withdrawn ones and lays included."""
    for quote in quotes:
        check_odds(quote.odds, "quotes.odds")
        if quote.selection_id not in market.selections:
            raise SelectionNotInMarket(
                f"market {market.market_id} has no selection {quote.selection_id!r}"
            )
        if quote.size is not None and not _is_size(quote.size):
            raise InvalidInput(
                f"a size is from 0 to {MAX_SIZE} with at most {SIZE_PLACES} decimals",
                field="quotes.size",
            )
        check_time(quote.at, "quotes.at")
        if quote.at > now + CLOCK_SKEW:
            raise InvalidInput("a quote's time lies in the future", field="quotes.at")
    return OddsSnapshotTaken(market_id=market.market_id, quotes=quotes)
