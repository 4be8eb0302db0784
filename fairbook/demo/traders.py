"""A dozen traders, each with one simple stated strategy; none of them is advice.

A strategy looks at one market's prices and names what it backs, at whose price, for how much. Probabilities are
fractions and stakes are whole minor units: no float touches money.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Literal
from uuid import UUID

from msgspec import Struct

from adapters.football_data import PricedMarket
from fairbook.demo.book import Purse

Prices = Mapping[str, Mapping[str, Decimal]]  # selection -> bookmaker -> odds

VALUE_MARGIN = Fraction(103, 100)
MOVE = Fraction(97, 100)
KELLY_DIVISOR = 4
KELLY_SHARE_MAX = Fraction(1, 50)
CHASES_MAX = 12


class Desk(Struct, frozen=True):
    """What a trader has in front of him: one market's prices now and a snapshot earlier, his purse, and desk.dice."""

    market: PricedMarket
    now: Prices
    before: Prices
    purse: Purse
    dice: Random


class Pick(Struct, frozen=True):
    """What a trader wants to back, at which price, for how much in all (minor units)."""

    market_id: UUID
    selection_id: str
    odds: Decimal
    stake_minor: int


class Trader(Struct, frozen=True):
    """Who bets how; bots send batches, people one bet at a time."""

    name: str
    strategy: str
    currency: str
    deposit_minor: int
    sends: Literal["singly", "batches"]
    picks: Callable[[Desk], Iterator[Pick]]


def prices(market: PricedMarket) -> Prices:
    """Arrange a snapshot's quotes by selection and bookmaker."""
    table: dict[str, dict[str, Decimal]] = {}
    for quote in market.quotes:
        table.setdefault(quote.selection_id, {})[quote.bookmaker] = quote.odds
    return table


def _everywhere(desk: Desk, selection_id: str, stake_minor: int) -> Iterator[Pick]:
    """Back a selection with every bookmaker, as one does whose accounts are limited."""
    for odds in desk.now.get(selection_id, {}).values():
        yield Pick(desk.market.market_id, selection_id, odds, stake_minor)


def _average(desk: Desk, selection_id: str) -> Fraction:
    odds = [Fraction(price) for price in desk.now[selection_id].values()]
    return sum(odds, Fraction(0)) / len(odds)


def _always(selection_id: str, stake_minor: int) -> Callable[[Desk], Iterator[Pick]]:
    def picks(desk: Desk) -> Iterator[Pick]:
        yield from _everywhere(desk, selection_id, stake_minor)

    return picks


def favourite(desk: Desk) -> Iterator[Pick]:
    """Back the shortest average price of every 1X2, the same stake each time."""
    if desk.market.type == "1X2" and desk.now:
        shortest = min(desk.now, key=lambda selection: _average(desk, selection))
        yield from _everywhere(desk, shortest, 500)


def longshot(desk: Desk) -> Iterator[Pick]:
    """Back the longest average price of every 1X2 with a small stake."""
    if desk.market.type == "1X2" and desk.now:
        longest = max(desk.now, key=lambda selection: _average(desk, selection))
        yield from _everywhere(desk, longest, 200)


def value(desk: Desk) -> Iterator[Pick]:
    """Back whatever a bookmaker offers at 3% or more above the average price."""
    for selection_id, offers in desk.now.items():
        enough = _average(desk, selection_id) * VALUE_MARGIN
        for odds in offers.values():
            if odds >= enough:
                yield Pick(desk.market.market_id, selection_id, odds, 1_000)


def kelly(desk: Desk) -> Iterator[Pick]:
    """Stake a quarter of Kelly's fraction (p x o - 1) / (o - 1) where a price beats the average book without its margin."""
    fair = {selection: 1 / _average(desk, selection) for selection in desk.now}
    book = sum(fair.values(), Fraction(0))
    for selection_id, offers in desk.now.items():
        odds = max(offers.values())
        edge = fair[selection_id] / book * Fraction(odds) - 1
        if edge > 0:
            share = min(edge / (Fraction(odds) - 1) / KELLY_DIVISOR, KELLY_SHARE_MAX)
            stake_minor = int(desk.purse.available_minor * share)
            yield Pick(desk.market.market_id, selection_id, odds, stake_minor)


def steam(desk: Desk) -> Iterator[Pick]:
    """Follow money: back a selection wherever its price has shortened by 3% or more."""
    yield from _moved(desk, lambda odds, before: odds <= before * MOVE)


def drift(desk: Desk) -> Iterator[Pick]:
    """Go against it: back a selection wherever its price has lengthened by as much."""
    yield from _moved(desk, lambda odds, before: odds * MOVE >= before)


def _moved(desk: Desk, moved: Callable[[Fraction, Fraction], bool]) -> Iterator[Pick]:
    for selection_id, offers in desk.now.items():
        for bookmaker, odds in offers.items():
            before = desk.before.get(selection_id, {}).get(bookmaker)
            if before is not None and moved(Fraction(odds), Fraction(before)):
                yield Pick(desk.market.market_id, selection_id, odds, 1_000)


def whim(desk: Desk) -> Iterator[Pick]:
    """Back anything at the best price."""
    if desk.now:
        selection_id = desk.dice.choice(sorted(desk.now))
        odds = max(desk.now[selection_id].values())
        yield Pick(desk.market.market_id, selection_id, odds, desk.dice.randrange(100, 2_000))


def chaser(desk: Desk) -> Iterator[Pick]:
    """Double the stake after every losing round, until the money refuses."""
    if desk.market.type == "1X2" and desk.now:
        shortest = min(desk.now, key=lambda selection: _average(desk, selection))
        odds = max(desk.now[shortest].values())
        stake_minor = 2_000 * 2 ** min(desk.purse.losing_rounds, CHASES_MAX)
        yield Pick(desk.market.market_id, shortest, odds, stake_minor)


TRADERS: tuple[Trader, ...] = (
    Trader("ada", "the favourite, flat", "GBP", 1_000_000, "singly", favourite),
    Trader("basil", "the longshot, flat", "GBP", 1_000_000, "singly", longshot),
    Trader("chloe", "always the home side", "GBP", 1_000_000, "singly", _always("home", 400)),
    Trader("dmitri", "always the draw", "EUR", 1_000_000, "singly", _always("draw", 300)),
    Trader("elena", "over 2.5 goals", "EUR", 1_000_000, "singly", _always("over", 500)),
    Trader("femi", "under 2.5 goals", "GBP", 1_000_000, "batches", _always("under", 500)),
    Trader("greta", "value: 3% over the average", "GBP", 2_500_000, "batches", value),
    Trader("hiro", "quarter Kelly", "GBP", 2_500_000, "batches", kelly),
    Trader("ines", "follows shortening prices", "EUR", 1_000_000, "batches", steam),
    Trader("jonas", "backs drifting prices", "GBP", 1_000_000, "batches", drift),
    Trader("kofi", "whatever takes his fancy", "GBP", 500_000, "singly", whim),
    Trader("lola", "doubles after each loss", "GBP", 200_000, "batches", chaser),
)
