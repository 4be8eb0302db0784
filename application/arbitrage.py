"""The search for arbitrages: the best book of bets by a linear programme, each bookmaker with one bet at the most.

Floats propose here; what is reported is priced again in whole money by `domain.stakes`. This search answers a question
about any given bets, with limits on stakes if need be. The one that follows prices (`application.detection.portfolio`) works
on a board, has no limits, and must leave a proof that lasts; this one gives only its best book.
"""

import heapq
from collections.abc import Sequence
from itertools import count
from typing import Final, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NODES_MAX: Final = 400
_WORK_MAX: Final = 200_000
"""Numbers of payoff matrices that one search may look at: a large matrix allows few nodes."""
SMALLEST_STAKE: Final = 1e-9
"""A share of the total below this is a rounding error of the linear programme."""

_NO_GAIN: Final = 1e-12
_COMPARED_MAX: Final = 300


class Solution(Struct, frozen=True, eq=False):
    """The best stakes on some bets: `stakes` of shape (bets,), shares of the total at risk.

    `profit` is what they earn at the least, per unit of the total. `prices`, of shape (states,), are the dual's state
    prices q: q ≥ 0, Σq = 1, and no bet returns more than 1 + `bound` at them, so nothing earns more than `bound`.
    """

    stakes: Floats
    profit: float
    prices: Floats
    bound: float


class ProgrammeError(Exception):
    """The linear programme could not be solved."""


class Solver(Protocol):
    """A linear programme: maximise t − Σs subject to Pᵀs ≥ t·1 and 0 ≤ s ≤ caps."""

    def solve(self, returns: Floats, caps: Floats | None = None) -> Solution:
        """Find the best stakes.

        `returns` P has the shape (bets, states): gross returns per unit at risk. Without caps Σs = 1, so that the least
        loss is found where there is no profit; with caps (shares of the total) Σs ≤ 1. Raises ProgrammeError.
        """


class Search(Struct, frozen=True, eq=False):
    """What was found: `relaxed` lets a bookmaker have several bets, `best` (None when nothing beats the floor) one.

    `complete` is False when the search was cut short: there may be better than `best`.
    """

    relaxed: Solution
    best: Solution | None
    complete: bool
    nodes: int


def undominated(returns: Floats, groups: Ints | None = None) -> Ints:
    """Give the bets, in order, that no other bet (of the same group, where groups are given) matches in every state.

    `returns` is (bets, states), `groups` (bets,). Of equal bets the first stays.
    """
    at_least = (returns[:, None, :] >= returns[None, :, :]).all(axis=2)
    if groups is not None:
        at_least &= groups[:, None] == groups[None, :]
    earlier = np.tri(len(returns), k=-1, dtype=np.bool_).T
    # j goes when some i is at least as good and either better somewhere or, of equals, earlier.
    beaten: Bools = at_least & (~at_least.T | earlier)
    return np.flatnonzero(~beaten.any(axis=0))


def search(
    solver: Solver,
    returns: Floats,
    bookmakers: Sequence[int] | Ints,
    *,
    caps: Floats | None = None,
    floor: float = -np.inf,
    nodes_max: int | None = None,
) -> Search:
    """Find the best book in which every bookmaker has one bet at the most, by branch and bound.

    `returns` is (bets, states), at least one of each, `bookmakers` and `caps` (bets,). Only a profit above `floor` is of
    interest. Where the best stakes of the relaxation give a bookmaker several bets, it may have one of those, or one of
    its others; these cases are searched from the most promising one on. `nodes_max` bounds the programmes that are solved
    (by default so that the work is bounded).
    """
    if nodes_max is None:
        nodes_max = min(NODES_MAX, max(8, _WORK_MAX // returns.size))
    bookmaker_of = np.asarray(bookmakers, np.int64)
    kept = np.arange(len(returns))
    if len(returns) <= _COMPARED_MAX and caps is None:
        # Without caps a dominated bet is no use to the relaxation; most often that is all there is to do.
        kept = undominated(returns)
        relaxed = _solve(solver, returns, kept, None)
        if relaxed.profit <= floor:
            return Search(relaxed, None, complete=True, nodes=1)
        if not _conflicts(relaxed.stakes, bookmaker_of):
            return Search(relaxed, relaxed, complete=True, nodes=1)
        kept = undominated(returns, bookmaker_of)
    return _branch(solver, returns, bookmaker_of, caps, kept, floor, nodes_max)


def _branch(
    solver: Solver,
    returns: Floats,
    bookmaker_of: Ints,
    caps: Floats | None,
    kept: Ints,
    floor: float,
    nodes_max: int,
) -> Search:
    relaxed = _solve(solver, returns, kept, caps)
    found, nodes = _dive(solver, returns, bookmaker_of, caps, kept, relaxed)
    best = found if found.profit > floor else None
    least = best.profit if best else floor
    number = count()
    waiting = [(-relaxed.profit, next(number), kept, relaxed)]
    while waiting and -waiting[0][0] > least + _NO_GAIN:
        _, _, allowed, solution = heapq.heappop(waiting)
        conflicts = _conflicts(solution.stakes, bookmaker_of)
        conflict = max(conflicts, key=lambda bookmaker: conflicts[bookmaker])
        for child in _children(allowed, solution.stakes, bookmaker_of, conflict):
            if nodes >= nodes_max:
                return Search(relaxed, best, complete=False, nodes=nodes)
            nodes += 1
            solved = _solve(solver, returns, child, caps)
            if solved.profit <= least + _NO_GAIN:
                continue
            if not _conflicts(solved.stakes, bookmaker_of):
                best, least = solved, solved.profit
            else:
                heapq.heappush(waiting, (-solved.profit, next(number), child, solved))
    return Search(relaxed, best, complete=True, nodes=nodes)


def _dive(
    solver: Solver,
    returns: Floats,
    bookmaker_of: Ints,
    caps: Floats | None,
    allowed: Ints,
    solution: Solution,
) -> tuple[Solution, int]:
    """Find some book at once, by leaving each bookmaker with several bets its largest one; give it and the programmes solved."""
    nodes = 1
    while conflicts := _conflicts(solution.stakes, bookmaker_of):
        stays = np.ones(len(allowed), np.bool_)
        for bookmaker in conflicts:
            its = np.flatnonzero(bookmaker_of[allowed] == bookmaker)
            stays[its] = False
            stays[its[solution.stakes[allowed[its]].argmax()]] = True
        allowed = allowed[stays]
        solution = _solve(solver, returns, allowed, caps)
        nodes += 1
    return solution, nodes


def _solve(solver: Solver, returns: Floats, allowed: Ints, caps: Floats | None) -> Solution:
    """Solve for some of the bets, and give stakes for all of them."""
    part = solver.solve(returns[allowed], None if caps is None else caps[allowed])
    stakes = np.zeros(len(returns))
    stakes[allowed] = part.stakes
    return Solution(stakes, part.profit, part.prices, part.bound)


def _conflicts(stakes: Floats, bookmaker_of: Ints) -> dict[int, float]:
    """Give the bookmakers with several bets, each with the money that is outside its largest one."""
    of: dict[int, list[float]] = {}
    for bet in np.flatnonzero(stakes > SMALLEST_STAKE):
        of.setdefault(int(bookmaker_of[bet]), []).append(float(stakes[bet]))
    return {bookmaker: sum(its) - max(its) for bookmaker, its in of.items() if len(its) > 1}


def _children(allowed: Ints, stakes: Floats, bookmaker_of: Ints, bookmaker: int) -> list[Ints]:
    """Cut the case up: the bookmaker has one of the bets that it has in the solution, or only its others are left."""
    its = bookmaker_of[allowed] == bookmaker
    used = its & (stakes[allowed] > SMALLEST_STAKE)
    cases = [allowed[~its | (allowed == bet)] for bet in allowed[used]]
    rest = allowed[~used]
    return [*cases, rest] if len(rest) else cases
