"""Finds every price on the board that beats the models, as prices change: what opened, what changed, what is gone.

A pure function of the messages, the ends of quotes' ages, kick-offs and the markets' states, in their order: no I/O. A
market is priced once for its model; from that follow, by row and column, the odds at which a value begins, in integer
thousandths. So a quote costs one comparison, and a market is looked at only when one of its quotes passes, or did before.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from application.detection.thresholds import Thresholds
from application.value.telling import Teller
from application.value.triggers import Triggers
from domain.board import Applied, Board, BoardQuote, Lines, MarketDescription, to_microseconds
from domain.commands.value import ValueChange
from domain.events.value import ValueEnd, ValueSignal
from domain.quotes import QuoteMessage
from domain.refusals import Refusal
from domain.value import (
    NEVER,
    PricedMarket,
    ValueRules,
    effective_odds,
    shares_bankroll,
)

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Cell = tuple[int, int]
"""A row and a column of the board."""


class _Open(Struct, frozen=True):
    """A signal that was told and has not ended. While `basis` stays, what it is made of has not changed."""

    signal_id: UUID
    told: ValueSignal
    basis: tuple[object, ...] | None = None


class _Market(Struct):
    """What is known of a market: how it is priced, when its fixture begins, and whether it takes bets."""

    starts_at: datetime
    priced: PricedMarket | None
    takes_bets: bool
    open: set[Cell] = set()

    @property
    def is_live(self) -> bool:
        return self.takes_bets and self.priced is not None


class ValueEngine:
    """Keeps the board, where values begin, and what was told.

    Signals that `restore` was given are those of the ledger, which has been told everything up to a sequence: what messages
    up to there do is not told again.
    """

    def __init__(self, rules: ValueRules, thresholds: Thresholds) -> None:
        """Begin with an empty board; of the thresholds the bookmakers' terms and ages count."""
        rules.check()
        self.rules = rules
        self.board = Board(thresholds.max_ages)
        self.open: dict[Cell, _Open] = {}
        self._teller = Teller(rules, thresholds)
        self._triggers = Triggers(self.board, rules, thresholds)
        self._markets: list[_Market] = []
        # By cell: whether a signal is open.
        self._is_open: Bools = np.zeros(self.board.odds.shape, np.bool_)
        self._starts: list[tuple[datetime, int]] = []
        self._ends: list[tuple[datetime, UUID, Cell]] = []
        # In microseconds: nothing on the board ends before, neither a quote's age nor what precedes a kick-off.
        self._due = NEVER
        self._told_through = 0
        # Until `settle`, quotes may be missing that hold: time ends nothing.
        self._is_settled = True
        self._lost: dict[UUID, ValueSignal] = {}

    # ---- markets

    def describe(
        self,
        market: MarketDescription,
        starts_at: datetime,
        priced: PricedMarket | None,
        *,
        is_open: bool = True,
    ) -> None:
        """Get to know a market; without a price by the active model it has quotes and no signals."""
        if self.board.index(market.market_id) is not None:
            return
        index = self.board.describe(market)
        self._markets.append(_Market(starts_at, priced, is_open, set()))
        heapq.heappush(self._starts, (starts_at, index))
        self._due = min(self._due, to_microseconds(starts_at))
        self._fit()
        self._set_triggers(index)

    def close(self, market_id: UUID, sequence: int, now: datetime) -> list[ValueChange]:
        """Note that a market takes no bets, for now or for good; nothing happens when it is not known."""
        return self._set_open(market_id, sequence, now, is_open=False)

    def reopen(self, market_id: UUID, sequence: int, now: datetime) -> list[ValueChange]:
        """Note that a market takes bets again; nothing happens when it is not known, or its fixture has begun."""
        return self._set_open(market_id, sequence, now, is_open=True)

    def _set_open(
        self, market_id: UUID, sequence: int, now: datetime, *, is_open: bool
    ) -> list[ValueChange]:
        index = self.board.index(market_id)
        if index is None:
            return []
        market = self._markets[index]
        is_open = is_open and now < market.starts_at
        if market.takes_bets == is_open:
            return []
        market.takes_bets = is_open
        self._set_triggers(index)
        if not self._is_settled:
            return []
        return self._look(index, sequence, "not_open", now)

    def _set_triggers(self, index: int) -> None:
        market = self._markets[index]
        self._triggers.set(index, market.priced if market.takes_bets else None)

    def _fit(self) -> None:
        """Grow with the board."""
        self._triggers.fit()
        if self._is_open.shape != self.board.odds.shape:
            rows, columns = self._is_open.shape
            is_open = np.zeros(self.board.odds.shape, np.bool_)
            is_open[:rows, :columns] = self._is_open
            self._is_open = is_open

    # ---- what happens

    def read(self, message: QuoteMessage, now: datetime) -> Lines:
        """Find the quotes of a message on the board; raises a Refusal that says what is wrong with it."""
        lines = self.board.read(message, now)
        self._fit()
        return lines

    def apply(self, message: QuoteMessage, sequence: int, now: datetime) -> list[ValueChange]:
        """Take one message of prices; raises a Refusal that says what is wrong with it, and then nothing happened."""
        return self.take([(self.read(message, now), sequence)], now)

    def take(self, messages: Sequence[tuple[Lines, int]], now: datetime) -> list[ValueChange]:
        """Take messages that were read, each with its place in the price stream: as if each had come by itself.

        Their quotes are scored together, and only markets where one of them is a value, or was told as one, are looked at
        message by message.
        """
        if len(messages) == 1:
            return self._take_one(*messages[0], now)
        lines = [each for each, _ in messages]
        columns = np.repeat([each.column for each in lines], [len(each.cells) for each in lines])
        at = np.repeat([each.at for each in lines], [len(each.cells) for each in lines])
        rows, odds, sizes = (
            np.array([cell for each in lines for cell in each.cells], np.int64).reshape(-1, 3).T
        )
        values = self._triggers.reached(rows, columns, odds) | self._is_open[rows, columns]
        loud = set(self.board.market_of[rows[values]].tolist())
        changes: list[ValueChange] = []
        for each, sequence in messages:
            if each.market in loud:
                changes += self._take_one(each, sequence, now)
        if loud:
            quiet = ~np.isin(self.board.market_of[rows], list(loud))
            rows, columns, odds, at, sizes = (
                each[quiet] for each in (rows, columns, odds, at, sizes)
            )
        if len(rows):
            self.board.apply_many(rows, columns, odds, at, sizes)
            self._expect(int(at.min()), columns)
        return changes

    def _take_one(self, lines: Lines, sequence: int, now: datetime) -> list[ValueChange]:
        begun = self._pass_time(sequence, now)
        applied = self.board.put(lines)
        self._expect(lines.at, applied.heard.columns)
        return [*begun, *self._follow(applied, sequence, now)]

    def apply_many(
        self, rows: Ints, columns: Ints, odds: Ints, at: Ints, sequence: int, now: datetime
    ) -> list[ValueChange]:
        """Take many quotes at once (see `Board.apply_many`): what is open then is as if they had come one by one.

        Signals that came and went within the batch are not told.
        """
        if not len(rows):
            return []
        begun = self._pass_time(sequence, now)
        applied = self.board.apply_many(rows, columns, odds, at)
        self._expect(int(at.min()), columns)
        return [*begun, *self._follow(applied, sequence, now)]

    def _expect(self, at: int, columns: Ints) -> None:
        """Note that quotes of this time or later were taken: some of them may be too old by then."""
        if len(columns):
            ages = self._triggers.ages[columns].min()
            self._due = min(self._due, at + int(ages))

    def expire(self, sequence: int, now: datetime) -> list[ValueChange]:
        """Take back what time has ended: quotes that are too old, fixtures that have begun; what still holds is told anew."""
        return [*self._pass_time(sequence, now), *self._renew(sequence, now)]

    def next_expiry(self) -> datetime | None:
        """Tell the earliest time at which `expire` may find something."""
        ahead = [each[0][0] for each in (self._starts, self._ends) if each]
        oldest = self.board.next_expiry()
        return min([*ahead, oldest] if oldest else ahead, default=None)

    def restore(
        self,
        signals: Iterable[tuple[UUID, ValueSignal]],
        told_through: int,
        taken: Iterable[UUID] = (),
    ) -> None:
        """Take over what the ledger holds as open, after the markets were described; `settle` says what became of it.

        `taken` are ids of closed signals that may be met again at the sequence `told_through`.
        """
        self._told_through = told_through
        self._is_settled = False
        self._teller.avoid(taken)
        for known_id, told in signals:
            try:
                row = self.board.row(told.market_id, told.selection_id, told.side)
            except Refusal:
                self._lost[known_id] = told
                continue
            cell = row, self.board.column(told.bookmaker)
            self.board.load([_quote_of(told)])
            self._fit()
            self._put(cell, _Open(known_id, told))

    def settle(
        self, sequence: int, prices: Iterable[BoardQuote], now: datetime
    ) -> list[ValueChange]:
        """Take over the latest prices where none has come since, and tell what has become of restored signals.

        Call it when all messages that come again have come: only then a price that the ledger knows is known to be older
        than they are, or the same.
        """
        self.board.load(prices)
        self._fit()
        self._due = 0  # whatever came meanwhile: now it is looked at
        self._told_through = 0
        self._is_settled = True
        changes = [
            ValueChange(known_id, max(sequence, told.sequence), ended="not_open")
            for known_id, told in sorted(self._lost.items())
        ]
        self._lost.clear()
        changes += self._pass_time(sequence, now)
        for index in range(len(self._markets)):
            changes += self._look(index, sequence, "price_moved", now)
        return changes

    # ---- how it is found

    def _follow(self, applied: Applied, sequence: int, now: datetime) -> list[ValueChange]:
        rows, columns = applied.heard.rows, applied.heard.columns
        if not applied.changed.all():
            rows, columns = rows[applied.changed], columns[applied.changed]
        # What came too old is no price any more.
        changes = self._pass_time(sequence, now)
        if not len(rows) or sequence <= self._told_through:
            return changes
        values = self._triggers.reached(rows, columns, self.board.odds[rows, columns])
        values |= self._is_open[rows, columns]
        if values.any():
            for index in np.unique(self.board.market_of[rows[values]]).tolist():
                changes += self._look(index, sequence, "price_moved", now)
        return changes

    def _pass_time(self, sequence: int, now: datetime) -> list[ValueChange]:
        at = to_microseconds(now)
        if at < self._due or not self._is_settled:
            return []
        cells = self.board.expire(now)
        touched = set(
            self.board.market_of[cells.rows[self._is_open[cells.rows, cells.columns]]].tolist()
        )
        while self._starts and self._starts[0][0] <= now:
            _, index = heapq.heappop(self._starts)
            self._markets[index].takes_bets = False
            self._set_triggers(index)
            touched.add(index)
        ahead = [self._starts[0][0]] if self._starts else []
        oldest = self.board.next_expiry()
        self._due = min(map(to_microseconds, [*ahead, oldest] if oldest else ahead), default=NEVER)
        return [
            change
            for index in sorted(touched)
            for change in self._look(index, sequence, "expired", now)
        ]

    def _renew(self, sequence: int, now: datetime) -> list[ValueChange]:
        """Tell signals again that were told to hold until now, and whose quotes were repeated since."""
        changes: list[ValueChange] = []
        if not self._is_settled:
            return changes
        while self._ends and self._ends[0][0] <= now:
            until, known_id, cell = heapq.heappop(self._ends)
            known = self.open.get(cell)
            if known is None or known.signal_id != known_id or known.told.expires_at != until:
                continue
            quote = self.board.quote(*cell)
            expires_at = self._teller.expiry(quote, self._starts_at(cell))
            if expires_at > now:
                told = replace(
                    known.told,
                    quoted_at=quote.at,
                    expires_at=expires_at,
                    sequence=max(sequence, known.told.sequence),
                )
                self._put(cell, replace(known, told=told))
                changes.append(ValueChange(known_id, told.sequence, signal=told))
        return changes

    def _look(
        self, index: int, sequence: int, reason: ValueEnd, now: datetime
    ) -> list[ValueChange]:
        """Hold all quotes of a market against the model, and tell what differs from what was told."""
        market = self._markets[index]
        first, count = self._triggers.rows(index)
        passing = self._passing(index, now) if market.is_live else []
        changes = [
            self._end(cell, sequence, self._reason(cell, market, reason))
            for cell in self._in_order(market.open - set(passing))
        ]
        if not passing:
            return changes
        assert market.priced is not None
        best = self._best(first, count, passing)
        for cell in passing:
            change = self._tell(cell, market.priced, best, sequence)
            if change is not None:
                changes.append(change)
        return changes

    def _passing(self, index: int, now: datetime) -> list[Cell]:
        first, count = self._triggers.rows(index)
        passes = self._triggers.reached_in(index)
        if not self._is_settled:
            # Nothing expires yet, but what is too old by itself opens nothing.
            cells = np.s_[first : first + count, : passes.shape[1]]
            fresh = self.board.at[cells] >= to_microseconds(now) - self._triggers.ages
            passes &= fresh | self._is_open[cells]
        rows, columns = passes.nonzero()
        return self._in_order(zip((rows + first).tolist(), columns.tolist(), strict=True))

    def _in_order(self, cells: Iterable[Cell]) -> list[Cell]:
        """Sort by selection, side and bookmaker: an order that every run has."""
        return sorted(cells, key=lambda cell: (cell[0], self.board.bookmakers[cell[1]]))

    def _best(self, first: int, count: int, passing: Iterable[Cell]) -> dict[int, float]:
        """Give the best odds after commission of every selection that is a value to back."""
        best: dict[int, float] = {}
        for row, column in passing:
            at = row - first
            if at < count // 2:
                quoted = Decimal(int(self.board.odds[row, column])) / 1000
                price = effective_odds("back", quoted, self._triggers.commissions[column])
                best[at] = max(best.get(at, 0.0), price)
        return best

    def _tell(
        self, cell: Cell, priced: PricedMarket, best: Mapping[int, float], sequence: int
    ) -> ValueChange | None:
        quote = self.board.quote(*cell)
        selection = priced.market.selections.index(quote.selection_id)
        others: dict[int, float] = {}
        if shares_bankroll(priced, quote.side):
            others = {each: odds for each, odds in best.items() if each != selection}
        known = self.open.get(cell)
        basis = (quote.odds, others, priced.model_id)
        if known is not None and known.basis == basis:
            return None
        at = max(sequence, known.told.sequence) if known is not None else sequence
        found = self._teller.signal(quote, priced, others, self._starts_at(cell), at)
        if known is not None and not self._teller.is_news(known.told, found):
            self.open[cell] = replace(known, basis=basis)
            return None
        opens = known is None
        known_id = self._teller.new_id(quote, sequence) if known is None else known.signal_id
        self._put(cell, _Open(known_id, found, basis))
        return ValueChange(known_id, at, signal=found, opens=opens)

    def _starts_at(self, cell: Cell) -> datetime:
        return self._markets[int(self.board.market_of[cell[0]])].starts_at

    def _reason(self, cell: Cell, market: _Market, reason: ValueEnd) -> ValueEnd:
        """Say why a signal is gone, when a market was looked at for a reason."""
        if market.priced is None:
            return "prediction_changed"
        if not market.takes_bets:
            return "expired" if reason == "expired" else "not_open"
        told, odds = self.open[cell].told, int(self.board.odds[cell])
        if not odds:
            return "expired" if reason == "expired" else "price_moved"
        same = told.odds * 1000 == odds
        return (
            "prediction_changed"
            if same and told.model_id != market.priced.model_id
            else "price_moved"
        )

    def _put(self, cell: Cell, known: _Open) -> None:
        self.open[cell] = known
        self._is_open[cell] = True
        self._markets[int(self.board.market_of[cell[0]])].open.add(cell)
        heapq.heappush(self._ends, (known.told.expires_at, known.signal_id, cell))

    def _end(self, cell: Cell, sequence: int, reason: ValueEnd) -> ValueChange:
        known = self.open.pop(cell)
        self._is_open[cell] = False
        self._markets[int(self.board.market_of[cell[0]])].open.discard(cell)
        return ValueChange(known.signal_id, max(sequence, known.told.sequence), ended=reason)


def _quote_of(told: ValueSignal) -> BoardQuote:
    return BoardQuote(
        market_id=told.market_id,
        selection_id=told.selection_id,
        side=told.side,
        bookmaker=told.bookmaker,
        odds=told.odds,
        at=told.quoted_at,
    )
