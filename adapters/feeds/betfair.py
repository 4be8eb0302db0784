"""Betfair's messages as batches of quotes: the best price to back and to lay of every runner, whenever it changes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from adapters.feeds.betfair_book import BetfairBook, Offer
from adapters.feeds.betfair_messages import MarketDefinition, StreamMessage
from adapters.feeds.betfair_shapes import FEED, Face, Shape, shape_of
from adapters.feeds.readings import Unusable, check_past, from_milliseconds, read_odds, read_size
from application.feeds import Clock, FeedHealth
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.quotes import QuoteBatch, QuoteLine

SUB_IMAGE: Final = "SUB_IMAGE"
RESUB_DELTA: Final = "RESUB_DELTA"
HEARTBEAT: Final = "HEARTBEAT"
UNHEALTHY: Final = 503
# The stream says only what changes: an unchanged price is said again, or it would look stale to everybody else.
REFRESH_AFTER: Final = timedelta(seconds=30)

Offered = dict[tuple[str, Side], tuple[Decimal, Decimal | None]]


class MarketNames(Struct, frozen=True):
    """What the live stream leaves out and the market catalogue knows."""

    event_name: str
    competition_name: str | None = None
    runners: dict[int, str] = {}


class _Face(Struct):
    """A face of a market with what was last said of it."""

    face: Face
    said: Offered | None = None
    """None when nobody knows what we last said, or everything has to be said again."""
    said_at: datetime | None = None


class _Market(Struct):
    book: BetfairBook
    shape: Shape | None = None
    faces: tuple[_Face, ...] = ()


class BetfairMarkets:
    """The markets of one stream: takes messages, gives batches."""

    def __init__(
        self,
        health: FeedHealth,
        clock: Clock,
        bookmaker: str = FEED,
        *,
        withhold_unnamed: bool = False,
    ) -> None:
        """Begin with none; `bookmaker` is the key to quote under (betfair_ex_uk, …).

        With `withhold_unnamed` a market is quoted only once its names are all known, as live; else stand-ins will do.
        """
        self._names: dict[str, MarketNames] = {}
        self._withhold_unnamed = withhold_unnamed
        self._health = health
        self._clock = clock
        self._bookmaker = bookmaker
        self._markets: dict[str, _Market] = {}
        self._touched: dict[str, None] = {}
        self._unnamed: set[str] = set()
        self._is_unhealthy = False
        self._image: set[str] | None = None
        """The markets of an image that is coming in; None when none is."""

    @property
    def unnamed(self) -> set[str]:
        """Ids of the markets that wait for their names."""
        return self._unnamed

    def named(self, names: Mapping[str, MarketNames]) -> None:
        """Learn names by market id; the markets are quoted from the next message on."""
        self._names.update(names)
        for market_id in self._unnamed & names.keys() & self._markets.keys():
            self._reshape(self._markets[market_id])
            self._touched[market_id] = None

    def take(self, message: StreamMessage) -> Sequence[QuoteBatch]:
        """Take one message of market changes; the batches that follow from it."""
        at = self._at(message)
        if message.ct == SUB_IMAGE and message.segment_type in {None, "SEG_START"}:
            self._image = set()
        for change in message.mc:
            market = self._markets.get(change.id)
            if market is None:
                market = self._markets[change.id] = _Market(BetfairBook(change.id))
            market.book.apply(change)
            if change.con:
                self._health.notes["merged updates"] += 1
            if change.market_definition is not None:
                self._reshape(market)
            if change.img:
                self._say_again(market)
            self._touched[change.id] = None
            if self._image is not None:
                self._image.add(change.id)
        if message.segment_type in {"SEG_START", "SEG"}:
            return []  # what comes in parts is quoted when it is whole
        batches = self._gone(at)
        if (message.status == UNHEALTHY) != self._is_unhealthy:
            self._is_unhealthy = not self._is_unhealthy
            if self._is_unhealthy:
                self._health.notes["stream fell behind (503)"] += 1
                self._touched.clear()
                return [*batches, *self.withdraw(at)]
            self._touched.update(dict.fromkeys(self._markets))
        if self._is_unhealthy:
            return batches
        touched = list(self._touched)
        self._touched.clear()
        for market_id in touched:
            batches += self._changed(self._markets[market_id], at)
        batches += self._refreshed(at)
        return batches

    def withdraw(self, at: datetime) -> list[QuoteBatch]:
        """Say that nothing is offered for now: nobody knows what is."""
        return [each for market in self._markets.values() for each in self._suspended(market, at)]

    def resume(self) -> None:
        """Say everything again with the next message."""
        for market in self._markets.values():
            self._say_again(market)
        self._touched.update(dict.fromkeys(self._markets))

    def _at(self, message: StreamMessage) -> datetime:
        now = self._clock.now()
        try:
            if message.pt is None:
                raise Unusable("publish time is missing")
            at = from_milliseconds(message.pt, "publish time")
            check_past(at, "publish time", now)
        except Unusable as fault:
            self._health.rejections.add(fault.reason, f"message {message.clk}")
            return now
        return at

    def _gone(self, at: datetime) -> list[QuoteBatch]:
        """Forget the markets that a new image does not hold; withdraw what they offered."""
        if self._image is None:
            return []
        gone = [self._markets.pop(each) for each in self._markets.keys() - self._image]
        self._image = None
        self._touched = {each: None for each in self._touched if each in self._markets}
        return [each for market in gone for each in self._suspended(market, at)]

    def _say_again(self, market: _Market) -> None:
        for each in market.faces:
            each.said = None

    def _reshape(self, market: _Market) -> None:
        """Look at a market's definition anew; what was said of its faces stays known."""
        assert market.book.definition is not None
        market_id = market.book.market_id
        definition = self._with_names(market_id, market.book.definition)
        self._unnamed.discard(market_id)
        if self._withhold_unnamed and not _is_named(definition):
            self._unnamed.add(market_id)
            return
        try:
            shape = shape_of(definition)
        except Unusable as fault:
            self._health.rejections.add(
                fault.reason, f"market {market_id} {definition.market_type}"
            )
            market.shape, market.faces = None, ()
            return
        before = {(each.face.type, each.face.line): each for each in market.faces}
        market.shape = shape
        market.faces = tuple(_known(face, before) for face in shape.faces)

    def _with_names(self, market_id: str, definition: MarketDefinition) -> MarketDefinition:
        names = self._names.get(market_id)
        if names is None:
            return definition
        return replace(
            definition,
            event_name=names.event_name,
            competition_name=names.competition_name,
            runners=tuple(
                replace(each, name=each.name or names.runners.get(each.id))
                for each in definition.runners
            ),
        )

    def _suspended(self, market: _Market, at: datetime) -> Iterator[QuoteBatch]:
        if market.shape is None:
            return
        for each in market.faces:
            if each.said != {}:
                each.said, each.said_at = {}, at
                yield self._batch(market.shape, each.face, at, (), suspended=True)

    def _refreshed(self, at: datetime) -> Iterator[QuoteBatch]:
        for market in self._markets.values():
            for each in market.faces:
                if (
                    market.shape
                    and each.said
                    and each.said_at
                    and at - each.said_at > REFRESH_AFTER
                ):
                    each.said_at = at
                    lines = tuple(
                        QuoteLine(selection_id, price, side, size)
                        for (selection_id, side), (price, size) in each.said.items()
                    )
                    yield self._batch(market.shape, each.face, at, lines)

    def _changed(self, market: _Market, at: datetime) -> Iterator[QuoteBatch]:
        if market.book.definition is None:
            self._health.rejections.add(
                "prices before the market's definition", f"market {market.book.market_id}"
            )
            return
        if market.shape is None:
            return
        if not market.book.is_open:
            yield from self._suspended(market, at)
            return
        for each in market.faces:
            offered = self._offered(market, each.face)
            said = each.said
            if said == offered:
                continue
            if said:
                lines = [
                    QuoteLine(selection_id, price, side, size)
                    for (selection_id, side), (price, size) in offered.items()
                    if said.get((selection_id, side)) != (price, size)
                ]
                lines += [
                    QuoteLine(selection_id, None, side)
                    for selection_id, side in said.keys() - offered.keys()
                ]
                # Within a burst of changes only those lines are said; nothing is known to be missing.
                yield self._batch(market.shape, each.face, at, tuple(lines), complete=False)
            else:
                lines = [
                    QuoteLine(selection_id, price, side, size)
                    for (selection_id, side), (price, size) in offered.items()
                ]
                yield self._batch(market.shape, each.face, at, tuple(lines))
                each.said_at = at
            each.said = offered

    def _offered(self, market: _Market, face: Face) -> Offered:
        offered: Offered = {}
        for runner, book in market.book.active():
            selection_id = face.runners.get((runner.id, runner.hc or Decimal(0)))
            if selection_id is None or book is None:
                continue
            best: tuple[tuple[Side, Offer | None], ...] = (
                ("back", book.best_back()),
                ("lay", book.best_lay()),
            )
            for side, offer in best:
                if offer is None:
                    continue
                try:
                    offered[selection_id, side] = (
                        read_odds(offer.price, side),
                        read_size(offer.size),
                    )
                except Unusable as fault:
                    self._health.rejections.add(
                        fault.reason, f"market {market.book.market_id} runner {runner.id}"
                    )
        return offered

    def _batch(
        self,
        shape: Shape,
        face: Face,
        at: datetime,
        lines: tuple[QuoteLine, ...],
        *,
        complete: bool = True,
        suspended: bool = False,
    ) -> QuoteBatch:
        return QuoteBatch(
            event=shape.event,
            bookmaker=self._bookmaker,
            type=face.type,
            line=face.line,
            at=at,
            selections=face.selections,
            quotes=lines,
            complete=complete,
            suspended=suspended,
        )


def _known(face: Face, before: dict[tuple[MarketType, Decimal | None], _Face]) -> _Face:
    known = before.get((face.type, face.line))
    return _Face(face) if known is None else _Face(face, known.said, known.said_at)


def _is_named(definition: MarketDefinition) -> bool:
    return definition.event_name is not None and all(each.name for each in definition.runners)
