"""Arbitrages within one market, by closed form: all its selections backed, or one backed and laid; and middles.

Sources: DOMAIN.md, "Arbitrage". Different bookmakers make backing all selections an assignment problem (Kuhn 1955).
"""

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from domain.events.arbitrage import ArbitrageKind

Floats = NDArray[np.float64]

FIXTURE_KEY: Final = "fixture:"
"""How the key of a portfolio over a whole group of markets begins."""

_MARGIN_OF_FILTER: Final = 1e-9


class Found(Struct, frozen=True):
    """A set of bets at different bookmakers; `value` is the least that it returns per unit at risk.

    `key` says which proposition it is about: there is at most one open opportunity for each. Cells are (row, column).
    `shares` are of the money at risk; None where each bet is to return the same if it wins.
    """

    kind: ArbitrageKind
    key: str
    value: float
    cells: tuple[tuple[int, int], ...]
    shares: tuple[float, ...] | None = None


class TwoBets(Struct, frozen=True, eq=False):
    """Two rows whose bets are set against each other, and what they pay: pairs (c0, c1) by distinct state."""

    kind: ArbitrageKind
    key: str
    rows: tuple[int, int]
    one: tuple[tuple[float, float], ...]
    other: tuple[tuple[float, float], ...]


class AllSelections(Struct, frozen=True, eq=False):
    """Rows of backs of which exactly one wins, whatever happens."""

    kind: ArbitrageKind
    key: str
    rows: tuple[int, ...]


def is_partition(c0: Floats, c1: Floats) -> bool:
    """Tell whether in every state exactly one of the bets wins and the others lose; arrays are (bets, states)."""
    return bool((c0 == 0).all() and np.isin(c1, (0.0, 1.0)).all() and (c1.sum(axis=0) == 1).all())


def two_bets(
    kind: ArbitrageKind, key: str, rows: tuple[int, int], c0: Floats, c1: Floats
) -> TwoBets:
    """Set two bets against each other; c0 and c1 are (2, states)."""
    states = dict.fromkeys(zip(*c0.tolist(), *c1.tolist(), strict=True))
    one = tuple((each[0], each[2]) for each in states)
    return TwoBets(kind, key, rows, one, tuple((each[1], each[3]) for each in states))


def best_split(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Give the most that two bets guarantee together, max over x in [0, 1] of the least x·one + (1 − x)·other, and x.

    `one` and `other` are what a unit on each returns by state. The maximum lies at an end, or where a line that rises
    with x crosses one that falls.
    """
    lines = [(b, a - b) for a, b in zip(one, other, strict=True)]
    shares = [0.0, 1.0]
    for low, rise in lines:
        for high, fall in lines:
            if rise > 0 > fall and low < high:
                share = (high - low) / (rise - fall)
                if share < 1:
                    shares.append(share)
    return max((min(at + share * slope for at, slope in lines), share) for share in shares)


def split_of_two(bets: TwoBets, odds: float, other_odds: float) -> tuple[float, float]:
    """Give the least that two bets at these odds return per unit at risk when split best, and the share of the one."""
    return best_split(
        [c0 + c1 * odds for c0, c1 in bets.one], [c0 + c1 * other_odds for c0, c1 in bets.other]
    )


def value_of_all(odds: Sequence[float]) -> float:
    """Give 1/K, K = Σ 1/o: what backing all selections in proportion to 1/o returns, per unit staked."""
    return 1 / sum(1 / each for each in odds)


def best_two(bets: TwoBets, odds: Floats, other_odds: Floats, least: float) -> Found | None:
    """Find the two different bookmakers' prices that guarantee most, if it is at least about `least`.

    `odds` and `other_odds` are (columns,), after commission, 0 where nothing is offered. What two bets guarantee rises
    with the odds of each, so the best two prices of each are enough.
    """
    if not other_odds.any():
        return None  # as of nearly all lays
    ones, others = _highest(odds, 2), _highest(other_odds, 2)
    if not ones or not others:
        return None
    if split_of_two(bets, ones[0][0], others[0][0])[0] < least - _MARGIN_OF_FILTER:
        return None
    choices = [
        (*split_of_two(bets, a, b), (bets.rows[0], at), (bets.rows[1], bt))
        for (a, at), (b, bt) in product(ones, others)
        if at != bt
    ]
    if not choices:
        return None
    value, share, one, other = max(choices, key=lambda choice: choice[0])
    if value < least - _MARGIN_OF_FILTER:
        return None
    return Found(bets.kind, bets.key, value, (one, other), (share, 1 - share))


def best_of_all(bets: AllSelections, odds: Floats, least: float) -> Found | None:
    """Find different bookmakers' prices, one for each selection, that guarantee most, if it is at least about `least`.

    `odds` is (selections, columns). Of each selection only as many prices as there are selections can be needed.
    """
    highest = odds.max(axis=1)
    if not highest.all() or 1 / float((1 / highest).sum()) < least - _MARGIN_OF_FILTER:
        return None
    count = len(bets.rows)
    prices = [_highest(each, count) for each in odds]
    columns = sorted({column for row in prices for _, column in row})
    if len(columns) < count:
        return None
    costs = np.full((count, len(columns)), np.inf)
    np.divide(1, odds[:, columns], out=costs, where=odds[:, columns] > 0)
    chosen = assign(costs.tolist())
    if chosen is None:
        return None
    value = value_of_all([float(odds[row, columns[at]]) for row, at in enumerate(chosen)])
    if value < least - _MARGIN_OF_FILTER:
        return None
    cells = tuple((row, columns[at]) for row, at in zip(bets.rows, chosen, strict=True))
    return Found(bets.kind, bets.key, value, cells)


def assign(costs: list[list[float]]) -> list[int] | None:
    """Choose a different column for each row so that the costs' sum is least; None when there is no way.

    `costs` has no fewer columns than rows; infinite where a column will not do. The Hungarian method with potentials,
    O(rows² · columns).
    """
    rows, columns = len(costs), len(costs[0])
    row_potential = [0.0] * (rows + 1)
    potential = [0.0] * (columns + 1)
    row_of = [0] * (columns + 1)
    for row in range(1, rows + 1):
        row_of[0] = row
        slack = [float("inf")] * (columns + 1)
        came_from = [0] * (columns + 1)
        done = [False] * (columns + 1)
        at = 0
        while row_of[at]:
            done[at] = True
            here = row_of[at]
            least, following = float("inf"), -1
            for column in range(1, columns + 1):
                if done[column]:
                    continue
                reduced = costs[here - 1][column - 1] - row_potential[here] - potential[column]
                if reduced < slack[column]:
                    slack[column], came_from[column] = reduced, at
                if slack[column] < least:
                    least, following = slack[column], column
            if following < 0:
                return None
            for column in range(columns + 1):
                if done[column]:
                    row_potential[row_of[column]] += least
                    potential[column] -= least
                else:
                    slack[column] -= least
            at = following
        while at:
            row_of[at] = row_of[came_from[at]]
            at = came_from[at]
    chosen = [0] * rows
    for column in range(1, columns + 1):
        if row_of[column]:
            chosen[row_of[column] - 1] = column - 1
    return chosen


def _highest(odds: Floats, count: int) -> list[tuple[float, int]]:
    """Give the highest odds with their columns, best first, of equal ones the first column."""
    columns = np.argsort(-odds, kind="stable")[:count]
    return [(float(odds[column]), int(column)) for column in columns if odds[column] > 0]
