"""The odds board: the latest price of every selection at every bookmaker, in arrays.

A row is one side of one selection of one market, a column is a bookmaker; rows and columns are handed out as markets
and bookmakers appear, and stay. A cell holds odds in integer thousandths (0: not offered), the time of the quote in
microseconds since 1970 UTC, and its size in thousandths of the bookmaker's money, rounded down (−1: not told).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from domain.events.bet import Side
from domain.events.market import MarketType, Period
from domain.freshness import MaxAges
from domain.money import MAX_ODDS, check_odds, has_at_most_places
from domain.odds import CLOCK_SKEW, MAX_SIZE, SIZE_PLACES
from domain.quotes import QuoteMessage
from domain.refusals import InvalidInput, MarketNotFound, SelectionNotInMarket
from domain.times import check_time

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SIDES: Final[tuple[Side, ...]] = ("back", "lay")
EVEN: Final = 1000
"""Odds of 1 in thousandths: the stake comes back, nothing is won."""
NOT_TOLD: Final = -1
_THOUSAND: Final = Decimal(1000)
_MAX_THOUSANDTHS: Final = int(MAX_ODDS * _THOUSAND)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SKEW: Final = CLOCK_SKEW // _MICROSECOND
_LONG_AGO: Final = -(2**62)
_FIRST_ROWS: Final = 64
_FIRST_COLUMNS: Final = 8


def to_microseconds(at: datetime) -> int:
    """Give a time as whole microseconds since 1970 UTC."""
    return (at - _EPOCH) // _MICROSECOND


def to_time(microseconds: int) -> datetime:
    """Give the UTC time of microseconds since 1970."""
    return _EPOCH + int(microseconds) * _MICROSECOND


def to_odds(thousandths: int) -> Decimal:
    """Give exact decimal odds of integer thousandths."""
    return int(thousandths) / _THOUSAND


class MarketDescription(Struct, frozen=True, gc=False):
    """What the board and the search for arbitrages need to know of a market; `line` as in `MarketOpened`."""

    market_id: UUID
    fixture_id: UUID
    type: MarketType
    line: Decimal | None
    selections: tuple[str, ...]
    period: Period = "full_time"


class BoardQuote(Struct, frozen=True, gc=False):
    """One cell of the board that is offered."""

    market_id: UUID
    selection_id: str
    side: Side
    bookmaker: str
    odds: Decimal
    at: datetime
    size: Decimal | None = None


class Cells(Struct, frozen=True):
    """Some cells of the board: equally long arrays of rows and of columns."""

    rows: Ints
    columns: Ints

    def __len__(self) -> int:
        return len(self.rows)


class Lines(Struct, frozen=True, gc=False):
    """What a message says of one market at one bookmaker: `market` is its index, `at` in microseconds.

    Of each quote `cells` has the row, the odds in thousandths (0: withdrawn) and the size.
    """

    market: int
    column: int
    at: int
    cells: list[tuple[int, int, int]]


class Applied(Struct, frozen=True):
    """What a batch did: `heard` are the cells whose quote was taken, each once; `changed` those of them with other odds or another size.

    `late` counts quotes that were older than what the board had, or overtaken within the batch; `refused` marks quotes
    of the batch that nobody can mean.
    """

    heard: Cells
    changed: Bools
    late: int
    refused: Bools


class Board:
    """The latest prices; `max_ages` tells how long a bookmaker's quote is believed when it is not heard again."""

    def __init__(self, max_ages: MaxAges | None = None) -> None:
        self.max_ages = MaxAges() if max_ages is None else max_ages
        self.markets: list[MarketDescription] = []
        self.bookmakers: list[str] = []
        self.rows = 0
        self.odds: Ints = np.zeros((_FIRST_ROWS, _FIRST_COLUMNS), np.int64)
        self.at: Ints = np.full((_FIRST_ROWS, _FIRST_COLUMNS), _LONG_AGO, np.int64)
        self.sizes: Ints = np.full((_FIRST_ROWS, _FIRST_COLUMNS), NOT_TOLD, np.int64)
        # By row: the index of its market, and whether it is a lay.
        self.market_of: Ints = np.zeros(_FIRST_ROWS, np.int64)
        self.is_lay: Bools = np.zeros(_FIRST_ROWS, np.bool_)
        # By market: its first row. Backs of all its selections come first, then the lays.
        self.first_row: list[int] = []
        self._latest: Ints = np.zeros(_FIRST_ROWS * _FIRST_COLUMNS, np.int64)
        self._market_index: dict[UUID, int] = {}
        self._row_index: list[dict[tuple[str, str], int]] = []
        self._column_index: dict[str, int] = {}
        # By column: how long its quotes hold, and no quote of it is older than this.
        self._ages: Ints = np.zeros(0, np.int64)
        self._oldest: Ints = np.zeros(0, np.int64)

    # ---- what there is

    def describe(self, market: MarketDescription) -> int:
        """Give a market its rows; returns its index. A known market keeps what it has."""
        known = self._market_index.get(market.market_id)
        if known is not None:
            return known
        index, first = len(self.markets), self.rows
        count = len(market.selections)
        self._grow(first + 2 * count, len(self.bookmakers))
        self.markets.append(market)
        self.first_row.append(first)
        self._market_index[market.market_id] = index
        self._row_index.append(
            {
                (selection, side): first + number * count + at
                for number, side in enumerate(SIDES)
                for at, selection in enumerate(market.selections)
            }
        )
        self.rows = first + 2 * count
        self.market_of[first : self.rows] = index
        self.is_lay[first + count : self.rows] = True
        return index

    def index(self, market_id: UUID) -> int | None:
        """Give the index of a market, if the board knows it."""
        return self._market_index.get(market_id)

    def row(self, market_id: UUID, selection_id: str, side: Side) -> int:
        """Give the row of a side of a selection; raises MarketNotFound, SelectionNotInMarket."""
        index = self._market_index.get(market_id)
        if index is None:
            raise MarketNotFound(f"the board has no market {market_id}")
        row = self._row_index[index].get((selection_id, side))
        if row is None:
            raise SelectionNotInMarket(
                f"market {market_id} has no selection {selection_id[:100]!r}"
            )
        return row

    def column(self, bookmaker: str) -> int:
        """Give the column of a bookmaker, a new one when it is heard of for the first time."""
        column = self._column_index.get(bookmaker)
        if column is None:
            column = len(self.bookmakers)
            self._grow(self.rows, column + 1)
            self.bookmakers.append(bookmaker)
            self._column_index[bookmaker] = column
            age = timedelta(seconds=self.max_ages.seconds(bookmaker)) // _MICROSECOND
            self._ages = np.append(self._ages, age)
            self._oldest = np.append(self._oldest, -_LONG_AGO)
        return column

    def selection(self, row: int) -> tuple[MarketDescription, str, Side]:
        """Tell what a row stands for."""
        index = int(self.market_of[row])
        market = self.markets[index]
        side, at = divmod(row - self.first_row[index], len(market.selections))
        return market, market.selections[at], SIDES[side]

    def _grow(self, rows: int, columns: int) -> None:
        have_rows, have_columns = self.odds.shape
        if rows <= have_rows and columns <= have_columns:
            return
        shape = (_doubled(have_rows, rows), _doubled(have_columns, columns))
        self.odds = _larger(self.odds, shape, 0)
        self.at = _larger(self.at, shape, _LONG_AGO)
        self.sizes = _larger(self.sizes, shape, NOT_TOLD)
        self.market_of = _larger(self.market_of, shape[:1], 0)
        self.is_lay = _larger(self.is_lay, shape[:1], False)  # noqa: FBT003  what new cells hold
        self._latest = np.zeros(shape[0] * shape[1], np.int64)

    # ---- quotes

    def apply(self, message: QuoteMessage, now: datetime) -> Applied:
        """Take one message's quotes, all or none; raises a Refusal that says what is wrong with them."""
        return self.put(self.read(message, now))

    def read(self, message: QuoteMessage, now: datetime) -> Lines:
        """Find the cells of a message's quotes, which are not taken yet; raises a Refusal as `apply` does."""
        if message.at.tzinfo is None:
            raise InvalidInput("a time needs its offset, such as Z", field="at")
        check_time(message.at, "at")
        if message.at > now + CLOCK_SKEW:
            raise InvalidInput("a quote's time lies in the future", field="at")
        index = self._market_index.get(message.market_id)
        if index is None:
            raise MarketNotFound(f"the board has no market {message.market_id}")
        if self.markets[index].fixture_id != message.fixture_id:
            raise InvalidInput("the market belongs to another fixture", field="fixture_id")
        rows, cells = self._row_index[index], []
        for quote in message.quotes:
            row = rows.get((quote.selection_id, quote.side))
            if row is None:
                row = self.row(message.market_id, quote.selection_id, quote.side)
            if quote.odds is None:
                cells.append((row, 0, NOT_TOLD))
            else:
                cells.append((row, _thousandths(quote.odds), _size(quote.size)))
        return Lines(index, self.column(message.bookmaker), to_microseconds(message.at), cells)

    def put(self, lines: Lines) -> Applied:
        """Take what was read of a message."""
        column, at = lines.column, lines.at
        self._oldest[column] = min(self._oldest[column], at)
        heard: dict[int, bool] = {}
        late = 0
        for row, odds, size in lines.cells:
            if at < self.at[row, column]:
                late += 1
                continue
            changed = odds != self.odds[row, column] or size != self.sizes[row, column]
            heard[row] = bool(changed) or heard.get(row, False)
            self.odds[row, column] = odds
            self.at[row, column] = at
            self.sizes[row, column] = size
        rows = np.fromiter(heard, np.int64, len(heard))
        return Applied(
            heard=Cells(rows, np.full(len(rows), column)),
            changed=np.fromiter(heard.values(), np.bool_, len(heard)),
            late=late,
            refused=np.zeros(len(lines.cells), np.bool_),
        )

    def apply_many(
        self, rows: Ints, columns: Ints, odds: Ints, at: Ints, sizes: Ints | None = None
    ) -> Applied:
        """Take quotes in the order in which they came: the board is then as if each had been applied by itself.

        Arrays of equal length n: rows and columns of the board, odds in thousandths (0: withdrawn), times in
        microseconds, sizes in thousandths. Raises IndexError for rows or columns that were never handed out; odds that
        nobody can mean are marked in `refused` and change nothing. Whether a time lies in the future is the caller's
        to check: a batch from memory has no clock.
        """
        n = len(rows)
        known = self.rows, len(self.bookmakers)
        if n and (
            min(rows.min(), columns.min()) < 0
            or rows.max() >= known[0]
            or columns.max() >= known[1]
        ):
            raise IndexError("the board has no such row or column")
        refused = ((odds <= EVEN) & (odds != 0)) | (odds > _MAX_THOUSANDTHS)
        if any_refused := bool(refused.any()):
            keep = ~refused
            rows, columns, odds, at = rows[keep], columns[keep], odds[keep], at[keep]
            sizes = sizes[keep] if sizes is not None else None
        if (at[1:] < at[:-1]).any():
            order = np.argsort(at, kind="stable")
            rows, columns, odds, at = rows[order], columns[order], odds[order], at[order]
            sizes = sizes[order] if sizes is not None else None
        cells = rows * self.odds.shape[1] + columns
        # Times do not fall any more, so of several quotes for one cell the last one holds. Of repeated indices,
        # assignment keeps the last.
        numbers = np.arange(len(cells))
        self._latest[cells] = numbers
        holds = (self._latest[cells] == numbers) & (at >= self.at.ravel()[cells])
        cells, at, odds = cells[holds], at[holds], odds[holds]
        changed = self.odds.ravel()[cells] != odds
        if sizes is None:
            self.sizes.ravel()[cells] = NOT_TOLD
        else:
            changed |= self.sizes.ravel()[cells] != sizes[holds]
            self.sizes.ravel()[cells] = sizes[holds]
        self.odds.ravel()[cells] = odds
        self.at.ravel()[cells] = at
        columns = columns[holds]
        np.minimum.at(self._oldest, columns, at)
        return Applied(
            heard=Cells(rows[holds], columns),
            changed=changed,
            late=n - len(cells) - (int(refused.sum()) if any_refused else 0),
            refused=refused,
        )

    def load(self, quotes: Iterable[BoardQuote]) -> None:
        """Restore prices, in any order; those of markets or selections that are not described are passed over."""
        for quote in quotes:
            index = self._market_index.get(quote.market_id)
            row = self._row_index[index].get((quote.selection_id, quote.side)) if index is not None else None  # fmt: skip
            if row is None:
                continue
            column, at = self.column(quote.bookmaker), to_microseconds(quote.at)
            if at >= self.at[row, column]:
                self.odds[row, column] = int(quote.odds * _THOUSAND)
                self.at[row, column] = at
                self.sizes[row, column] = _size(quote.size)
                self._oldest[column] = min(self._oldest[column], at)

    def expire(self, now: datetime) -> Cells:
        """Take back every quote that was not heard again for its bookmaker's age; gives their cells.

        A bookmaker is looked through only when its oldest quote may be too old.
        """
        limits = to_microseconds(now) - self._ages
        found_rows: list[Ints] = []
        found_columns: list[Ints] = []
        for column in np.flatnonzero(self._oldest < limits):
            offered = np.flatnonzero(self.odds[: self.rows, column])
            times = self.at[offered, column]
            stale = times < limits[column]
            rows = offered[stale]
            self.odds[rows, column] = 0
            kept = times[~stale]
            self._oldest[column] = kept.min() if len(kept) else -_LONG_AGO
            found_rows.append(rows)
            found_columns.append(np.full(len(rows), column))
        if not found_rows:
            return Cells(np.zeros(0, np.int64), np.zeros(0, np.int64))
        return Cells(np.concatenate(found_rows), np.concatenate(found_columns))

    def next_expiry(self) -> datetime | None:
        """Tell the earliest time at which `expire` may find something; None while nothing is offered."""
        if not len(self._oldest):
            return None
        earliest = int((self._oldest.clip(max=2**61) + self._ages).min())
        return to_time(earliest) if earliest < 2**60 else None

    # ---- what is read

    def quotes(self, market_id: UUID) -> list[BoardQuote]:
        """Give everything that is offered on a market: by side, selection, bookmaker; empty when it is not known."""
        index = self._market_index.get(market_id)
        if index is None:
            return []
        first = self.first_row[index]
        count = 2 * len(self.markets[index].selections)
        found = np.argwhere(self.odds[first : first + count, : len(self.bookmakers)])
        return [self.quote(first + int(row), int(column)) for row, column in found]

    def best(self, market_id: UUID) -> list[BoardQuote]:
        """Give the best price of every side of every selection: the highest to back, the lowest to lay.

        Of equal prices that of the bookmaker that was heard of first.
        """
        index = self._market_index.get(market_id)
        if index is None or not self.bookmakers:
            return []
        first = self.first_row[index]
        last = first + 2 * len(self.markets[index].selections)
        odds = self.odds[first:last, : len(self.bookmakers)]
        worth = np.where(
            self.is_lay[first:last, None] & (odds > 0), _MAX_THOUSANDTHS + 1 - odds, odds
        )
        columns = worth.argmax(axis=1)
        return [
            self.quote(first + at, int(column))
            for at, column in enumerate(columns)
            if odds[at, column]
        ]

    def quote(self, row: int, column: int) -> BoardQuote:
        """Give one cell that is offered."""
        market, selection_id, side = self.selection(row)
        size = int(self.sizes[row, column])
        return BoardQuote(
            market_id=market.market_id,
            selection_id=selection_id,
            side=side,
            bookmaker=self.bookmakers[column],
            odds=to_odds(self.odds[row, column]),
            at=to_time(self.at[row, column]),
            size=None if size == NOT_TOLD else size / _THOUSAND,
        )


def _thousandths(odds: Decimal) -> int:
    """Check odds, and give them in thousandths. The rule is `check_odds`; most prices pass a quicker look."""
    if odds.is_finite() and 1 < odds <= MAX_ODDS:
        scaled = odds * _THOUSAND
        whole = int(scaled)
        if whole == scaled:
            return whole
    check_odds(odds, "quotes.odds")
    return int(odds * _THOUSAND)


def _size(size: Decimal | None) -> int:
    if size is None:
        return NOT_TOLD
    if not (has_at_most_places(size, SIZE_PLACES) and 0 <= size <= MAX_SIZE):
        raise InvalidInput(
            f"a size is from 0 to {MAX_SIZE} with at most {SIZE_PLACES} decimals",
            field="quotes.size",
        )
    return int((size * _THOUSAND).to_integral_value(ROUND_DOWN))


def _doubled(have: int, need: int) -> int:
    while have < need:
        have *= 2
    return have


def _larger(array: NDArray[Any], shape: tuple[int, ...], fill: int) -> NDArray[Any]:
    larger = np.full(shape, fill, array.dtype)
    larger[tuple(slice(length) for length in array.shape)] = array
    return larger
