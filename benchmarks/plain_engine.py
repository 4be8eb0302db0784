"""The plain algorithm that the engine is measured beside: objects by name, and a scan at every price.

For each price it looks through all quotes of its fixture, as an engine of objects in Python or JavaScript does: the best
price of each selection, all pairs of back and lay, and all combinations of different bookmakers where the best prices
would pay. It does less than the engine: it sets no bets of different markets against each other, takes handicaps with a
push for two-way markets, and stakes nothing.
"""

from itertools import product

from msgspec import Struct

from domain.board import MarketDescription
from domain.events.bet import Side


class Quote(Struct):
    """A price as an object."""

    bookmaker: str
    selection_id: str
    side: Side
    odds: float
    at: int


class PlainEngine:
    """Quotes by fixture, market, and (selection, side, bookmaker).

    Without `whole_fixture` it looks through the price's own market only, which is all that the checks it makes need.
    """

    def __init__(
        self,
        markets: tuple[MarketDescription, ...],
        commissions: dict[str, float],
        *,
        whole_fixture: bool,
    ) -> None:
        self._whole_fixture = whole_fixture
        self._markets = {str(each.market_id): each for each in markets}
        self._commissions = commissions
        self._fixtures: dict[str, dict[str, dict[tuple[str, Side, str], Quote]]] = {}
        for each in markets:
            self._fixtures.setdefault(str(each.fixture_id), {})[str(each.market_id)] = {}
        self.found: dict[str, float] = {}

    def fill(self, market_id: str, quote: Quote) -> None:
        """Take one price without looking at anything."""
        market = self._markets[market_id]
        key = quote.selection_id, quote.side, quote.bookmaker
        self._fixtures[str(market.fixture_id)][market_id][key] = quote

    def apply(self, market_id: str, quote: Quote) -> None:
        """Take one price, and look through its fixture."""
        market = self._markets[market_id]
        quotes = self._fixtures[str(market.fixture_id)]
        key = quote.selection_id, quote.side, quote.bookmaker
        known = quotes[market_id].get(key)
        if known is not None and known.at > quote.at:
            return
        quotes[market_id][key] = quote
        if not self._whole_fixture:
            self._scan(market, quotes[market_id])
            return
        for other_id, its in quotes.items():
            self._scan(self._markets[other_id], its)

    def _scan(self, market: MarketDescription, quotes: dict[tuple[str, Side, str], Quote]) -> None:
        backs: dict[str, list[Quote]] = {each: [] for each in market.selections}
        lays: dict[str, list[Quote]] = {each: [] for each in market.selections}
        for quote in quotes.values():
            (backs if quote.side == "back" else lays)[quote.selection_id].append(quote)
        best = [max((self._odds(q) for q in each), default=0.0) for each in backs.values()]
        key = f"market:{market.market_id}"
        self.found.pop(key, None)
        if all(best) and sum(1 / each for each in best) < 1:
            for choice in product(*backs.values()):
                if len({quote.bookmaker for quote in choice}) == len(choice):
                    total = sum(1 / self._odds(quote) for quote in choice)
                    if total < 1 / self.found.get(key, 1.0):
                        self.found[key] = 1 / total
        for selection in market.selections:
            key = f"back_lay:{market.market_id}:{selection}"
            self.found.pop(key, None)
            for back, lay in product(backs[selection], lays[selection]):
                if back.bookmaker != lay.bookmaker:
                    total = 1 / self._odds(back) + 1 / self._odds(lay)
                    if total < 1 / self.found.get(key, 1.0):
                        self.found[key] = 1 / total

    def _odds(self, quote: Quote) -> float:
        kept = 1 - self._commissions.get(quote.bookmaker, 0.0)
        profit = quote.odds - 1
        return 1 + profit * kept if quote.side == "back" else 1 + kept / profit
