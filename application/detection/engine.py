"""Finds every arbitrage that the board's prices hold, as they change: what opened, what changed, what is gone.

A pure function of the messages, the ends of quotes' ages and the markets' states, in their order: no clock, no I/O.
How it works: docs/arbitrage.md.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from application.arbitrage import ProgrammeError, Solver
from application.detection.group import SAME, Group, make_group, proposition
from application.detection.portfolio import (
    TOLERANCE,
    centred,
    passing_odds,
    relax,
    search,
    worth,
)
from application.detection.pricing import key_of
from application.detection.single import Found, best_of_all, best_two
from application.detection.telling import Open, Teller
from application.detection.thresholds import Thresholds
from domain.board import Applied, Board, BoardQuote, MarketDescription
from domain.commands.arbitrage import ArbitrageChange
from domain.events.arbitrage import ArbitrageEnd, Opportunity
from domain.events.market import Period
from domain.quotes import QuoteMessage
from domain.refusals import LimitExceeded, Refusal

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Cells = tuple[tuple[int, int], ...]

# Triggers: odds after commission above which a quote makes its group be looked at. What is not offered has odds of 0.
_ALWAYS: Final = -1.0
_NEVER: Final = np.inf
_ROUNDING: Final = 1e-9
_THOUSAND: Final = 1000.0
_NO_GROUP: Final = -1


class Offers(Struct, frozen=True, eq=False):
    """Odds after commission of a group, (rows, houses), 0 where nothing is offered; `columns` are the board's that offer them.

    Without `columns` houses are columns.
    """

    odds: Floats
    columns: Ints | None = None

    def at(self, cells: Cells) -> Cells:
        """Give (row, column) for cells (row, house)."""
        if self.columns is None:
            return cells
        return tuple((row, int(self.columns[row, house])) for row, house in cells)


class Engine:
    """Keeps the board and, by group of markets, the proof that there is nothing to find in it, or what there is.

    Opportunities that `restore` was given are those of the ledger, which has been told everything up to a sequence:
    what messages up to there do is not told again.
    """

    def __init__(self, thresholds: Thresholds, solver: Solver) -> None:
        self.thresholds = thresholds
        self.board = Board(thresholds.max_ages)
        self._teller = Teller(thresholds, self.board)
        self.not_compared: dict[UUID, str] = {}
        self.programmes = 0
        self.failed = 0  # searches whose linear programme could not be solved
        self._solver = solver
        margin = float(thresholds.min_margin)
        self._floor = 1 + margin - (_ROUNDING if margin else 0.0)
        self._window = (
            None
            if thresholds.window_seconds is None
            else int(thresholds.window_seconds * 1_000_000)
        )
        self._kept = np.zeros(0)  # by column: 1 − commission
        # Bookmakers known under several keys are one house: the search sees its best odds, as of one bookmaker.
        self._houses: dict[str, int] = {}
        self._house_of: Ints = np.zeros(0, np.int64)  # by column
        self._column_of: Ints = np.zeros(0, np.int64)  # by house: its first column
        # Odds after commission of every cell, 0 where nothing is offered or its market takes no bets.
        self._odds: Floats = np.zeros(self.board.odds.shape)
        self._trigger: Floats = np.full(self.board.odds.shape, _ALWAYS)
        self._group_of_row: Ints = np.full(self.board.odds.shape[0], _NO_GROUP, np.int64)
        self._takes_bets: Bools = np.ones(self.board.odds.shape[0], np.bool_)
        self._groups: list[Group] = []
        self._group_index: dict[str, int] = {}
        # Groups in which there may be something: these are looked at after every change.
        self._warm: set[int] = set()
        # The first half's score decides nothing of the whole match's: what is on either is compared apart.
        self._fixtures: dict[tuple[UUID, Period], list[int]] = {}
        # Groups that are made anew before they are looked at, and groups to be looked at whatever their triggers say.
        self._to_make: dict[tuple[UUID, Period], None] = {}
        self._pending: set[str] = set()
        # Restored opportunities of which no market is known here.
        self._lost: list[str] = []
        self._told_through = 0

    @property
    def open(self) -> dict[str, Open]:
        """Opportunities that were told and have not ended, by proposition."""
        return self._teller.open

    # ---- markets

    def describe(self, market: MarketDescription, *, is_open: bool = True) -> None:
        """Get to know a market. One whose bets cannot be compared has prices but no part in the search."""
        if self.board.index(market.market_id) is not None:
            return
        index = self.board.describe(market)
        self._fit()
        first = self.board.first_row[index]
        self._takes_bets[first : self.board.rows] = is_open
        try:
            proposition(market).check()
        except Refusal as refusal:
            self.not_compared[market.market_id] = refusal.detail
            self._trigger[first : self.board.rows] = _NEVER
            return
        part = (market.fixture_id, market.period)
        self._fixtures.setdefault(part, []).append(index)
        self._to_make[part] = None

    def close(self, market_id: UUID, sequence: int) -> list[ArbitrageChange]:
        """Note that a market takes no bets, for now or for good; nothing happens when it is not known."""
        return self._set_open(market_id, sequence, is_open=False)

    def reopen(self, market_id: UUID, sequence: int) -> list[ArbitrageChange]:
        """Note that a market takes bets again; nothing happens when it is not known."""
        return self._set_open(market_id, sequence, is_open=True)

    def _set_open(self, market_id: UUID, sequence: int, *, is_open: bool) -> list[ArbitrageChange]:
        index = self.board.index(market_id)
        if index is None:
            return []
        first = self.board.first_row[index]
        if bool(self._takes_bets[first]) == is_open:
            return []
        count = 2 * len(self.board.markets[index].selections)
        self._takes_bets[first : first + count] = is_open
        rows, columns = np.indices((count, len(self._kept))).reshape(2, -1)
        self._take_odds(first + rows, columns)
        if market_id in self.not_compared:
            return []
        self._make_groups()
        group = self._groups[self._group_of_row[first]]
        if group.name in self._pending:
            return []
        return self._settle_group(group, sequence, "not_open")

    def _make_groups(self) -> None:
        """Group the markets of fixtures to which some were added: all of a fixture's period, unless they are too many."""
        for part in self._to_make:
            fixture_id, period = part
            markets = [
                (index, self.board.first_row[index], self.board.markets[index])
                for index in self._fixtures[part]
            ]
            open_keys: set[str] = set()
            before = {int(self._group_of_row[first]) for _, first, _ in markets} - {_NO_GROUP}
            for at in before:
                open_keys |= self._groups[at].open_keys
            try:
                self._put(
                    str(fixture_id) if period == "full_time" else f"{fixture_id}:{period}", markets
                )
            except LimitExceeded:
                for market in markets:
                    self._put(f"{fixture_id}/{market[2].market_id}", [market])
            for key in open_keys:
                row, _ = self.open[key].cells[0]
                self._groups[self._group_of_row[row]].open_keys.add(key)
        self._to_make.clear()

    def _put(self, name: str, markets: list[tuple[int, int, MarketDescription]]) -> None:
        with_middles = self.thresholds.max_middle_cost is not None
        group = make_group(name, markets, with_middles=with_middles)
        at = self._group_index.setdefault(name, len(self._groups))
        self._groups[at : at + 1] = [group]
        self._group_of_row[group.rows] = at
        self._trigger[group.rows] = _ALWAYS

    def _fit(self) -> None:
        """Grow with the board."""
        shape = self.board.odds.shape
        if self._trigger.shape != shape:
            rows, columns = self._trigger.shape
            trigger, odds = np.full(shape, _ALWAYS), np.zeros(shape)
            trigger[:rows, :columns] = self._trigger
            odds[:rows, :columns] = self._odds
            group_of_row = np.full(shape[0], _NO_GROUP, np.int64)
            group_of_row[:rows] = self._group_of_row
            takes_bets = np.ones(shape[0], np.bool_)
            takes_bets[:rows] = self._takes_bets
            self._trigger, self._odds = trigger, odds
            self._group_of_row, self._takes_bets = group_of_row, takes_bets
        for bookmaker in self.board.bookmakers[len(self._kept) :]:
            self._kept = np.append(
                self._kept, 1 - float(self.thresholds.terms(bookmaker).commission)
            )
            house = self._houses.setdefault(self.thresholds.house(bookmaker), len(self._houses))
            if house == len(self._column_of):
                self._column_of = np.append(self._column_of, len(self._house_of))
            self._house_of = np.append(self._house_of, house)

    # ---- what happens

    def apply(self, message: QuoteMessage, sequence: int, now: datetime) -> list[ArbitrageChange]:
        """Take one message of prices; raises a Refusal that says what is wrong with it, and then nothing happened."""
        applied = self.board.apply(message, now)
        self._fit()
        return self._follow(applied, sequence)

    def apply_many(
        self,
        rows: Ints,
        columns: Ints,
        odds: Ints,
        at: Ints,
        sequence: int,
        sizes: Ints | None = None,
    ) -> list[ArbitrageChange]:
        """Take many quotes at once (see `Board.apply_many`): what is open then is as if they had come one by one.

        Opportunities that came and went within the batch are not told.
        """
        applied = self.board.apply_many(rows, columns, odds, at, sizes)
        self._fit()
        return self._follow(applied, sequence)

    def expire(self, sequence: int, now: datetime) -> list[ArbitrageChange]:
        """Take back quotes that are too old, and tell what ends with them."""
        cells = self.board.expire(now)
        changed = np.ones(len(cells), np.bool_)
        return self._follow(Applied(cells, changed, 0, changed[:0]), sequence, "expired")

    def settle(self, sequence: int) -> list[ArbitrageChange]:
        """Tell what has become of restored opportunities: call it when all messages that come again have come."""
        self._make_groups()
        self._told_through = 0
        changes = [self._teller.end(key, sequence, "not_open") for key in self._lost]
        self._lost.clear()
        for name in sorted(self._pending):
            group = self._groups[self._group_index[name]]
            changes += self._settle_group(group, sequence, "price_moved")
        self._pending.clear()
        return changes

    def _settle_group(
        self, group: Group, sequence: int, reason: ArbitrageEnd
    ) -> list[ArbitrageChange]:
        """Look at a group whatever its proof says."""
        group.proven = False
        self._look(group, None, alert=True)
        return self._teller.tell(group, self._takes_bets, sequence, reason)

    def restore(
        self,
        prices: Iterable[BoardQuote],
        opportunities: Mapping[UUID, Opportunity],
        told_through: int,
    ) -> None:
        """Take over latest prices, and what the ledger holds as open, after the markets were described.

        Messages up to the sequence `told_through` change the board only. The first one after it, or `settle`, tells what
        has become of these opportunities.
        """
        self.board.load(prices)
        self._fit()
        self._make_groups()
        self._take_odds(*np.nonzero(self.board.odds))
        self._told_through = told_through
        self._pending.update(group.name for group in self._groups)
        for opportunity_id, opportunity in opportunities.items():
            key = key_of(opportunity)
            cells = self._cells(opportunity)
            at = self._group_of_row[cells[0][0]] if cells else _NO_GROUP
            if at == _NO_GROUP:
                self._lost.append(key)
            else:
                key = self._groups[at].key(key)
                self._groups[at].open_keys.add(key)
            self.open[key] = Open(opportunity_id, cells, opportunity)

    def _cells(self, opportunity: Opportunity) -> tuple[tuple[int, int], ...]:
        cells: list[tuple[int, int]] = []
        for leg in opportunity.legs:
            try:
                row = self.board.row(leg.market_id, leg.selection_id, leg.side)
            except Refusal:
                return ()
            cells.append((row, self.board.column(leg.bookmaker)))
        self._fit()
        return tuple(cells)

    def holds(self) -> dict[str, Found]:
        """Give all that the prices hold now, by proposition, also what leaves no profit in whole money.

        Cells are (row, column) of the board.
        """
        return {
            found.key: replace(
                found, cells=tuple((int(group.rows[row]), column) for row, column in found.cells)
            )
            for group in self._groups
            for found in group.found()
        }

    # ---- how it is found

    def _follow(
        self, applied: Applied, sequence: int, reason: ArbitrageEnd = "price_moved"
    ) -> list[ArbitrageChange]:
        rows, columns = applied.heard.rows, applied.heard.columns
        if self._window is None and not applied.changed.all():
            rows, columns = rows[applied.changed], columns[applied.changed]
        if not len(rows):
            return []
        if self._to_make:
            self._make_groups()
        odds = self._take_odds(rows, columns)
        if sequence <= self._told_through:
            touched = np.unique(self._group_of_row[rows])
            self._pending.update(self._groups[at].name for at in touched if at != _NO_GROUP)
            return []
        changes = self.settle(sequence) if self._pending or self._lost else []
        alerts = odds > self._trigger[rows, columns]
        group_of = self._group_of_row[rows]
        alerted = set(group_of[alerts].tolist())
        warm = self._warm.intersection(group_of.tolist()) if self._warm else set()
        for at in sorted((alerted | warm) - {_NO_GROUP}):
            group = self._groups[at]
            markets: set[int] | None = None
            alert = at in alerted
            if self._window is None:
                markets = set(self.board.market_of[rows[group_of == at]].tolist())
            elif group.portfolio is not None:
                # The newest quote of the fixture may have made others too old.
                alert = True
            self._look(group, markets, alert=alert)
            changes += self._teller.tell(group, self._takes_bets, sequence, reason)
        return changes

    def _take_odds(self, rows: Ints, columns: Ints) -> Floats:
        """Bring the odds after commission of some cells up to date, and give them."""
        profit = self.board.odds[rows, columns] / _THOUSAND - 1
        counts = (profit > 0) & self._takes_bets[rows]
        kept = self._kept[columns]
        odds = 1 + profit * kept
        if (is_lay := self.board.is_lay[rows] & counts).any():
            odds[is_lay] = 1 + kept[is_lay] / profit[is_lay]
        odds[~counts] = 0
        self._odds[rows, columns] = odds
        return odds

    def _look(self, group: Group, markets: set[int] | None, *, alert: bool) -> None:
        """Find what there is in a group after quotes of some markets (None: any) have changed."""
        offers = self._offers(group)
        if group.singles:
            self._find_singles(group, offers, markets)
        if group.middles:
            self._find_middles(group, offers, markets)
        least = max(self._floor, group.best_single * (1 + SAME))
        if group.portfolio is not None:
            least = max(least, group.portfolio.value)
        if not group.proven or alert or least < group.bound - TOLERANCE:
            try:
                self._search(group, offers, least)
            except ProgrammeError:
                # The group is left without a proof: its next quote looks again. The others go on.
                self.failed += 1
        at = self._group_index[group.name]
        if group.singles or group.portfolio or group.middles:
            self._warm.add(at)
        else:
            self._warm.discard(at)

    def _search(self, group: Group, offers: Offers, least: float) -> None:
        """Find the best portfolio, or the proof that there is none; `least` is what is there if nothing else is."""
        odds = offers.odds
        if group.proven and group.portfolio is None and self._still_proven(group, odds, least):
            return
        group.portfolio = None
        # Should the programme fail, the next quote finds a group without a proof.
        group.proven = False
        self._trigger[group.rows] = _ALWAYS
        root = relax(self._solver, group.bets, odds)
        self.programmes += 1
        least = self._floor
        if root.most > self._floor + TOLERANCE:
            if not group.singles:
                self._find_singles(group, offers, None)
            least = max(least, group.best_single * (1 + SAME))
        searched = search(self._solver, group.bets, odds, least, root)
        self.programmes += searched.programmes
        best = searched.best
        group.portfolio = best and replace(best, cells=offers.at(best.cells))
        group.leaves = searched.leaves
        group.proven = searched.complete
        if len(group.leaves) == 1 and group.portfolio is None:
            leaf = centred(group.bets, group.leaves[0], odds, least)
            group.leaves = group.leaves if leaf is None else (leaf,)
        self._prove(group, least if searched.best is None else searched.best.value)

    def _still_proven(self, group: Group, odds: Floats, least: float) -> bool:
        """Try whether the proof holds for this bound too, or holds again with its prices brought up to date."""
        if any(worth(group.bets, leaf, odds) > least + TOLERANCE for leaf in group.leaves):
            leaf = (
                centred(group.bets, group.leaves[0], odds, least)
                if len(group.leaves) == 1
                else None
            )
            if leaf is None:
                return False
            group.leaves = (leaf,)
        self._prove(group, least)
        return True

    def _prove(self, group: Group, bound: float) -> None:
        """Note the bound that the leaves prove, and set the odds from which on a quote calls for another look."""
        group.bound = bound
        if group.portfolio is None and group.best_single == 0:
            group.singles = {}
        if not group.proven:
            self._trigger[group.rows] = _ALWAYS
            return
        columns = len(self._kept)
        trigger = np.full((len(group.rows), self._trigger.shape[1]), _ALWAYS)
        passing = passing_odds(group.bets, group.leaves, bound + TOLERANCE, len(self._houses))
        trigger[:, :columns] = passing if self._is_apart else passing[:, self._house_of]
        if group.portfolio is not None:
            for cell in group.portfolio.cells:
                trigger[cell] = _ALWAYS
        self._trigger[group.rows] = trigger

    @property
    def _is_apart(self) -> bool:
        """Tell whether every bookmaker is a house of its own."""
        return len(self._houses) == len(self._house_of)

    def _offers(self, group: Group) -> Offers:
        """Give what the group's houses offer: the best of their keys' odds."""
        odds = self._odds_of(group)
        if self._is_apart:
            return Offers(odds)
        best = odds[:, self._column_of]
        columns = np.tile(self._column_of, (len(odds), 1))
        for column in np.setdiff1d(np.arange(len(self._house_of)), self._column_of):
            house = self._house_of[column]
            better = odds[:, column] > best[:, house]
            best[better, house] = odds[better, column]
            columns[better, house] = column
        return Offers(best, columns)

    def _odds_of(self, group: Group) -> Floats:
        """Give the group's odds after commission, (rows, columns); 0 for what takes no part."""
        columns = len(self._kept)
        odds = self._odds[group.rows, :columns]
        if self._window is not None:
            at = self.board.at[group.rows, :columns]
            odds[at < at.max(initial=-(2**61), where=odds > 0) - self._window] = 0
        return odds

    def _find_singles(self, group: Group, offers: Offers, markets: set[int] | None) -> None:
        odds = offers.odds
        for index in group.markets if markets is None else markets:
            chances = group.chances[index]
            found = [best_of_all(each, odds[list(each.rows)], self._floor) for each in chances.alls]
            found += [
                best_two(each, odds[each.rows[0]], odds[each.rows[1]], self._floor)
                for each in chances.pairs
            ]
            group.singles[index] = tuple(
                replace(each, cells=offers.at(each.cells))
                for each in found
                if each and each.value > 1
            )

    def _find_middles(self, group: Group, offers: Offers, markets: set[int] | None) -> None:
        odds = offers.odds
        cost = self.thresholds.max_middle_cost
        assert cost is not None
        for at, (one, other, bets) in enumerate(group.middles):
            if markets is None or one in markets or other in markets:
                found = best_two(bets, odds[bets.rows[0]], odds[bets.rows[1]], 1 - float(cost))
                # One that costs nothing is an arbitrage, and is found as such.
                group.middle_found[at] = (
                    replace(found, cells=offers.at(found.cells))
                    if found and found.value <= 1
                    else None
                )
