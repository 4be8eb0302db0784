"""Where values begin: for every cell of the board the odds that a quote must reach, so that one costs one comparison."""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from application.detection.thresholds import Thresholds
from domain.board import Board
from domain.value import NEVER, PricedMarket, ValueRules, trigger

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Triggers:
    """Integer thousandths by row and column of the board, negative ones for lays; see `domain.value.trigger`.

    `commissions` and `ages` (in microseconds) are the bookmakers', by column.
    """

    def __init__(self, board: Board, rules: ValueRules, thresholds: Thresholds) -> None:
        self.commissions: list[Decimal] = []
        self.ages: Ints = np.zeros(0, np.int64)
        self._board = board
        self._rules = rules
        self._thresholds = thresholds
        self._odds: Ints = np.full(board.odds.shape, NEVER, np.int64)
        # By index of a market that is live: how it is priced, and what follows for each commission.
        self._live: dict[int, PricedMarket] = {}
        self._found: dict[tuple[int, Decimal], Ints] = {}

    def set(self, index: int, priced: PricedMarket | None) -> None:
        """Note how a market is priced from now on; None: none of its quotes is a value. The board knows it already."""
        self.fit()
        if priced is None:
            self._live.pop(index, None)
            first, count = self.rows(index)
            self._odds[first : first + count] = NEVER
            return
        self._live[index] = priced
        for column in range(len(self.commissions)):
            self._fill(index, priced, column)

    def fit(self) -> None:
        """Grow with the board."""
        shape = self._board.odds.shape
        if self._odds.shape != shape:
            rows, columns = self._odds.shape
            odds = np.full(shape, NEVER, np.int64)
            odds[:rows, :columns] = self._odds
            self._odds = odds
        first = len(self.commissions)
        for column, bookmaker in enumerate(self._board.bookmakers[first:], first):
            self.commissions.append(self._thresholds.terms(bookmaker).commission)
            microseconds = self._thresholds.max_ages.seconds(bookmaker) * 1_000_000
            self.ages = np.append(self.ages, int(min(microseconds, 2**61)))
            for index, priced in self._live.items():
                self._fill(index, priced, column)

    def _fill(self, index: int, priced: PricedMarket, column: int) -> None:
        first, count = self.rows(index)
        commission = self.commissions[column]
        found = self._found.get((index, commission))
        if found is None:
            found = np.array(
                [
                    trigger(chance, side, commission, self._rules)
                    for side in ("back", "lay")
                    for chance in priced.chances
                ],
                np.int64,
            )
            self._found[index, commission] = found
        self._odds[first : first + count, column] = found

    def rows(self, index: int) -> tuple[int, int]:
        """Give a market's first row, and how many it has: backs, then lays."""
        return self._board.first_row[index], 2 * len(self._board.markets[index].selections)

    def reached(self, rows: Ints, columns: Ints, odds: Ints) -> Bools:
        """Tell which quotes are values: arrays of equal length n, odds in thousandths (0: withdrawn)."""
        signed = np.where(self._board.is_lay[rows], -odds, odds)
        found: Bools = (signed >= self._odds[rows, columns]) & (odds > 0)
        return found

    def reached_in(self, index: int) -> Bools:
        """Tell which cells of a market offer a value now, (rows, columns)."""
        first, count = self.rows(index)
        used, half = len(self.commissions), count // 2
        odds = self._board.odds[first : first + count, :used]
        least = self._odds[first : first + count, :used]
        found: Bools = odds > 0
        found[:half] &= odds[:half] >= least[:half]
        found[half:] &= -odds[half:] >= least[half:]
        return found
