"""The best set of bets at different bookmakers, and the proof that there is no better one.

The proof is a list of leaves of a search tree. Every set of bets with different bookmakers is allowed by some leaf, and a
leaf's state prices value no bet that it allows above the bound. So as long as no new quote is worth more than the bound
at the prices of a leaf that allows it, there is nothing to search again: the filter of DOMAIN.md, "Arbitrage", for
bookmakers that must differ. `application.arbitrage` has the other search: of given bets, under limits, without a proof that
must last while prices move.
"""

import heapq
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from application.arbitrage import NODES_MAX, SMALLEST_STAKE, Solution, Solver
from application.detection.centre import centre
from application.detection.single import is_partition

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TOLERANCE: Final = 1e-12
"""How far above its bound a value counts as rounding. Odds of three decimals differ by more where they can pay."""


class Bets(Struct, frozen=True, eq=False):
    """What a bet on each row pays per unit at risk at odds o: c0 + c1·o, both of shape (rows, states).

    `kind_of` numbers the rows by what they pay, equal rows alike; `c0` and `c1` of a kind are those of its first row.
    """

    c0: Floats
    c1: Floats
    kind_of: Ints
    first_of_kind: Ints

    @classmethod
    def of(cls, c0: Floats, c1: Floats) -> "Bets":
        """Number the rows by what they pay."""
        _, first, kind_of = np.unique(
            np.hstack([c0, c1]), axis=0, return_index=True, return_inverse=True
        )
        return cls(c0, c1, kind_of.ravel(), first)

    def are_partition(self, rows: Ints) -> bool:
        """Tell whether in every state exactly one of these rows wins and the others lose: all selections of a market, say."""
        return is_partition(self.c0[rows], self.c1[rows])


class Leaf(Struct, frozen=True, eq=False):
    """State prices that hold for all quotes but the `barred` ones, by row and column (None: none is).

    `is_even` prices value all bets alike: no others keep further away from all of them.
    """

    prices: Floats
    barred: Bools | None
    is_even: bool = False

    def allows(self, columns: int) -> Bools:
        """Tell which cells it allows, (rows, columns); columns beyond the barred ones are bookmakers that came later."""
        assert self.barred is not None
        allowed = np.ones((len(self.barred), columns), np.bool_)
        allowed[:, : self.barred.shape[1]] = ~self.barred
        return allowed


class Portfolio(Struct, frozen=True, eq=False):
    """Bets at different bookmakers that return `value` per unit at risk in every state: one (row, column) each."""

    value: float
    cells: tuple[tuple[int, int], ...]
    stakes: tuple[float, ...]


class Searched(Struct, frozen=True, eq=False):
    """What a search found: the best portfolio above the floor, and leaves that prove that none is better.

    Without `complete` the search met its bound on nodes: the leaves prove nothing.
    """

    best: Portfolio | None
    leaves: tuple[Leaf, ...]
    programmes: int
    complete: bool = True


class Relaxed(Struct, frozen=True, eq=False):
    """The best bets when a bookmaker may have several of them: cells with their stakes; `most` bounds what any guarantees."""

    most: float
    value: float
    prices: Floats
    cells: tuple[tuple[int, int], ...]
    stakes: tuple[float, ...]
    is_even: bool = False

    def leaf(self, barred: Bools | None) -> Leaf:
        """Give the proof that nothing guarantees more."""
        return Leaf(self.prices, barred, self.is_even)


def relax(solver: Solver, bets: Bets, odds: Floats, barred: Bools | None = None) -> Relaxed:
    """Find the best bets among the best odds of every kind of bet, whoever offers them.

    `odds` has shape (rows, columns): after commission, 0 where nothing is offered.
    """
    allowed = odds if barred is None else np.where(barred, 0, odds)
    columns = allowed.argmax(axis=1)
    best = allowed[np.arange(len(columns)), columns]
    order = np.lexsort((-best, bets.kind_of))
    rows = order[np.searchsorted(bets.kind_of[order], np.arange(len(bets.first_of_kind)))]
    rows = rows[best[rows] > 0]
    if not len(rows):
        prices = np.zeros(bets.c0.shape[1])
        prices[0] = 1
        return Relaxed(0.0, 0.0, prices, (), ())
    is_even = bets.are_partition(rows)
    if is_even:
        solution = _even(bets.c1[rows], best[rows])
    else:
        solution = solver.solve(bets.c0[rows] + bets.c1[rows] * best[rows, None])
    staked = np.flatnonzero(solution.stakes > SMALLEST_STAKE)
    return Relaxed(
        most=1 + solution.bound,
        value=1 + solution.profit,
        prices=solution.prices,
        cells=tuple(zip(rows[staked].tolist(), columns[rows[staked]].tolist(), strict=True)),
        stakes=tuple(solution.stakes[staked].tolist()),
        is_even=is_even,
    )


def _even(c1: Floats, odds: Floats) -> Solution:
    """Give the best stakes on bets of which exactly one wins: in proportion to 1/o, each then returns 1/K, K = Σ 1/o.

    As state prices the same shares, spread over the states in which a bet wins, prove that nothing returns more.
    """
    shares = 1 / odds
    total = float(shares.sum())
    shares /= total
    prices = (shares / c1.sum(axis=1)) @ c1
    return Solution(shares, 1 / total - 1, prices, 1 / total - 1)


def search(
    solver: Solver, bets: Bets, odds: Floats, floor: float, root: Relaxed | None = None
) -> Searched:
    """Find the portfolio of different bookmakers with the highest value above `floor`, by branch and bound.

    `root` is the relaxation, if it is known already. A bookmaker that the best bets need twice is, on one branch, barred
    from one of those bets, and on the other from all its others.
    """
    programmes = 0
    number = 0
    best: Portfolio | None = None
    leaves: list[Leaf] = []
    heap: list[tuple[float, int, Bools | None]] = [(-np.inf, 0, None)]
    while heap:
        _, _, barred = heapq.heappop(heap)
        if root is not None and barred is None:
            relaxed = root
        else:
            relaxed = relax(solver, bets, odds, barred)
            programmes += 1
        if relaxed.most <= (floor if best is None else best.value) + TOLERANCE:
            leaves.append(relaxed.leaf(barred))
            continue
        twice = _needed_twice(relaxed.cells)
        if twice is None:
            if relaxed.value > (floor if best is None else best.value):
                best = Portfolio(relaxed.value, relaxed.cells, relaxed.stakes)
            leaves.append(relaxed.leaf(barred))
            continue
        if programmes >= NODES_MAX:
            return Searched(best, (), programmes, complete=False)
        row, column = twice
        without = np.zeros(odds.shape, np.bool_) if barred is None else barred.copy()
        only = without.copy()
        without[row, column] = True
        only[:, column] = True
        only[row, column] = False
        for child in (without, only):
            number += 1
            heapq.heappush(heap, (-relaxed.most, number, child))
    return Searched(best, tuple(leaves), programmes)


def _needed_twice(cells: tuple[tuple[int, int], ...]) -> tuple[int, int] | None:
    seen: dict[int, tuple[int, int]] = {}
    for cell in cells:
        if cell[1] in seen:
            return seen[cell[1]]
        seen[cell[1]] = cell
    return None


def worth(bets: Bets, leaf: Leaf, odds: Floats) -> float:
    """Tell the most that a quote which the leaf allows is worth at its prices: no allowed portfolio guarantees more."""
    values = (bets.c0 @ leaf.prices)[:, None] + (bets.c1 @ leaf.prices)[:, None] * odds
    counted = odds > 0
    if leaf.barred is not None:
        counted &= leaf.allows(odds.shape[1])
    return float(values.max(initial=0, where=counted))


def centred(bets: Bets, leaf: Leaf, odds: Floats, bound: float) -> Leaf | None:
    """Give a leaf that proves the bound at the odds of now, its prices in the middle of those that do; None without any."""
    if leaf.barred is not None or leaf.is_even:
        return None
    best = odds.max(axis=1)
    rows = np.flatnonzero(best)
    if not len(rows):
        return leaf
    prices = centre(bets.c0[rows] + bets.c1[rows] * best[rows, None], leaf.prices, bound)
    return None if prices is None else Leaf(prices, None)


def passing_odds(bets: Bets, leaves: tuple[Leaf, ...], bound: float, columns: int) -> Floats:
    """Tell, by row and column, the odds (after commission) above which a quote is worth more than the bound.

    Infinite where no odds are. Columns that the leaves do not know are those of bookmakers that came later.
    """
    if len(leaves) == 1 and leaves[0].barred is None:
        return np.broadcast_to(_passing(bets, leaves[0], bound)[:, None], (len(bets.c0), columns))
    lowest = np.full((len(bets.c0), columns), np.inf)
    for leaf in leaves:
        passing = _passing(bets, leaf, bound)[:, None]
        if leaf.barred is not None:
            passing = np.where(leaf.allows(columns), passing, np.inf)
        np.minimum(lowest, passing, out=lowest)
    return lowest


def _passing(bets: Bets, leaf: Leaf, bound: float) -> Floats:
    slope, room = bets.c1 @ leaf.prices, bound - bets.c0 @ leaf.prices
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(slope > 0, room / slope, np.where(room < 0, 0.0, np.inf))
