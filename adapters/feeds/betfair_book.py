"""A Betfair market's book, kept up from changes: pure book-keeping."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from msgspec import Struct

from adapters.feeds.betfair_messages import (
    LevelPriceSize,
    MarketChange,
    MarketDefinition,
    PriceSize,
    RunnerChange,
    RunnerDefinition,
)

RunnerKey = tuple[int, Decimal]
"""A runner's id and its handicap, 0 where the market has none."""

NO_HANDICAP: Final = Decimal(0)


class Offer(Struct, frozen=True):
    """The best price on one side, and what may be staked at it."""

    price: Decimal
    size: Decimal


class RunnerBook(Struct):
    """One runner's ladders: size by price, or (price, size) by level, 0 the best."""

    atb: dict[Decimal, Decimal] = {}
    atl: dict[Decimal, Decimal] = {}
    trd: dict[Decimal, Decimal] = {}
    batb: dict[int, PriceSize] = {}
    batl: dict[int, PriceSize] = {}
    bdatb: dict[int, PriceSize] = {}
    bdatl: dict[int, PriceSize] = {}
    last_traded: Decimal | None = None
    traded_volume: Decimal | None = None

    def apply(self, change: RunnerChange) -> None:
        """Take a change in."""
        _change_prices(self.atb, change.atb)
        _change_prices(self.atl, change.atl)
        _change_prices(self.trd, change.trd)
        _change_levels(self.batb, change.batb)
        _change_levels(self.batl, change.batl)
        _change_levels(self.bdatb, change.bdatb)
        _change_levels(self.bdatl, change.bdatl)
        if change.ltp is not None:
            self.last_traded = change.ltp
        if change.tv is not None:
            self.traded_volume = change.tv

    def best_back(self) -> Offer | None:
        """The best price available to back, of the finest ladder that the subscription gives."""
        if levels := self.bdatb or self.batb:
            return Offer(*levels[min(levels)])
        return _offer(self.atb, max(self.atb)) if self.atb else None

    def best_lay(self) -> Offer | None:
        """The best price available to lay."""
        if levels := self.bdatl or self.batl:
            return Offer(*levels[min(levels)])
        return _offer(self.atl, min(self.atl)) if self.atl else None


class BetfairBook:
    """One market: its definition, and the book of every runner that had a price."""

    def __init__(self, market_id: str) -> None:
        """Begin empty."""
        self.market_id = market_id
        self.definition: MarketDefinition | None = None
        self.runners: dict[RunnerKey, RunnerBook] = {}

    def apply(self, change: MarketChange) -> None:
        """Take a change in; an image replaces every price."""
        if change.img:
            self.runners = {}
        if change.market_definition is not None:
            self.definition = change.market_definition
        for each in change.rc:
            key = (each.id, each.hc or NO_HANDICAP)
            runner = self.runners.get(key)
            if runner is None:
                runner = self.runners[key] = RunnerBook()
            runner.apply(each)

    @property
    def is_open(self) -> bool:
        """Whether bets are matched now."""
        return self.definition is not None and self.definition.status == "OPEN"

    def active(self) -> Iterable[tuple[RunnerDefinition, RunnerBook | None]]:
        """Give the runners that take part, with their books.

        A runner that was removed keeps its last prices in the stream; they are not offered. Neither are those of a
        runner that the definition does not name.
        """
        if self.definition is None:
            return
        for runner in self.definition.runners:
            if runner.status == "ACTIVE":
                yield runner, self.runners.get((runner.id, runner.hc or NO_HANDICAP))


def _change_prices(ladder: dict[Decimal, Decimal], rows: tuple[PriceSize, ...]) -> None:
    for price, size in rows:
        if size == 0:
            ladder.pop(price, None)
        else:
            ladder[price] = size


def _change_levels(ladder: dict[int, PriceSize], rows: tuple[LevelPriceSize, ...]) -> None:
    for level, price, size in rows:
        if size == 0:
            ladder.pop(level, None)
        else:
            ladder[level] = (price, size)


def _offer(ladder: dict[Decimal, Decimal], price: Decimal) -> Offer:
    return Offer(price, ladder[price])
