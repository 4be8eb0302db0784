"""Markets whose bets are compared with each other: their outcome states, and what can be found in them.

Usually all markets of a fixture. Rows and columns here are the group's own: row i of a group is row `rows[i]` of the
board, columns are the board's.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import permutations
from typing import Final
from uuid import UUID

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from application.detection.portfolio import Bets, Leaf, Portfolio
from application.detection.single import (
    FIXTURE_KEY,
    AllSelections,
    Found,
    TwoBets,
    is_partition,
    two_bets,
)
from domain.board import SIDES, MarketDescription
from domain.events.arbitrage import ArbitrageKind
from domain.events.market import MarketType
from domain.outcomes import Grid, Proposition

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAIR: Final = 2
SAME: Final = 1e-9
"""Values closer than this, relatively, are the same one."""


@lru_cache(maxsize=512)
def _grid(propositions: tuple[Proposition, ...]) -> Grid:
    """Make the states of a set of markets: fixtures with the same lines share them."""
    return Grid.of(propositions)


class Chances(Struct, frozen=True, eq=False):
    """The closed forms of one market, by the group's rows."""

    alls: tuple[AllSelections, ...]
    pairs: tuple[TwoBets, ...]


class Group(Struct, eq=False):
    """Markets that are compared, and what is known of them now.

    `bound` is the value that the leaves prove nothing exceeds; `singles` are by market what closed forms found,
    `portfolio` is what the search found beyond them.
    """

    name: str
    fixture_id: UUID
    markets: tuple[int, ...]
    rows: Ints
    bets: Bets
    # By row: the index of its market.
    market_of: Ints
    # By row: the row that backs its selection, and its market's type.
    back_of: tuple[int, ...]
    types: tuple[MarketType, ...]
    chances: dict[int, Chances]
    middles: tuple[tuple[int, int, TwoBets], ...]
    leaves: tuple[Leaf, ...] = ()
    proven: bool = False
    bound: float = 0.0
    singles: dict[int, tuple[Found, ...]] = {}
    middle_found: dict[int, Found | None] = {}
    portfolio: Portfolio | None = None
    open_keys: set[str] = set()

    @property
    def best_single(self) -> float:
        """Give the highest value that closed forms found, 0 without any."""
        return max((found.value for each in self.singles.values() for found in each), default=0.0)

    def found(self) -> list[Found]:
        """Give everything that is known to be in the group; the portfolio only where it beats every closed form."""
        found = [each for singles in self.singles.values() for each in singles]
        found += [each for each in self.middle_found.values() if each is not None]
        best = self.portfolio
        if best is not None and best.value > self.best_single * (1 + SAME):
            kind: ArbitrageKind = "two_way" if len(best.cells) == PAIR else "n_way"
            if len({int(self.market_of[row]) for row, _ in best.cells}) > 1:
                kind = "cross_market"
            found.append(Found(kind, FIXTURE_KEY + self.name, best.value, best.cells, best.stakes))
        return found

    def key(self, key: str) -> str:
        """Give a closed form's key as it is, and instead of any other that of the group's portfolio."""
        known = {middle.key for _, _, middle in self.middles}
        for each in self.chances.values():
            known |= {one.key for one in each.alls} | {pair.key for pair in each.pairs}
        return key if key in known else FIXTURE_KEY + self.name

    def back_payoffs(self, row: int) -> tuple[tuple[float, float], ...]:
        """Give what the back of a row's selection pays by state, as (c0, c1), also where the row is a lay."""
        at = self.back_of[row]
        return tuple(zip(self.bets.c0[at].tolist(), self.bets.c1[at].tolist(), strict=True))


def proposition(market: MarketDescription) -> Proposition:
    """Say what decides a market, however its line is written and its selections are sorted."""
    line = None if market.line is None else Decimal(market.line).normalize()
    return Proposition(market.type, line, tuple(sorted(market.selections)))


def make_group(
    name: str, markets: Sequence[tuple[int, int, MarketDescription]], *, with_middles: bool
) -> Group:
    """Make a group of markets, each given with its index and first row on the board.

    Raises a Refusal when their bets cannot be compared.
    """
    propositions = {index: proposition(market) for index, _, market in markets}
    grid = _grid(tuple(sorted(propositions.values(), key=_order)))
    rows: list[int] = []
    market_of: list[int] = []
    back_of: list[int] = []
    types: list[MarketType] = []
    c0: list[Floats] = []
    c1: list[Floats] = []
    first: dict[int, int] = {}
    for index, first_row, market in markets:
        first[index] = len(rows)
        for side in SIDES:
            for selection in market.selections:
                payoff = grid.payoff(propositions[index], selection, side)
                c0.append(payoff.c0)
                c1.append(payoff.c1)
        count = len(SIDES) * len(market.selections)
        back_of += 2 * list(range(len(rows), len(rows) + len(market.selections)))
        types += [market.type] * count
        rows += range(first_row, first_row + count)
        market_of += [index] * count
    bets = Bets.of(np.array(c0), np.array(c1))
    return Group(
        name=name,
        fixture_id=markets[0][2].fixture_id,
        markets=tuple(propositions),
        rows=np.array(rows, np.int64),
        bets=bets,
        market_of=np.array(market_of, np.int64),
        back_of=tuple(back_of),
        types=tuple(types),
        chances={index: _chances(market, first[index], bets) for index, _, market in markets},
        middles=tuple(_middles(markets, first, bets)) if with_middles else (),
        singles={},
        middle_found={},
        open_keys=set(),
    )


def _order(each: Proposition) -> tuple[str, Decimal, tuple[str, ...]]:
    return each.type, each.line or Decimal(0), each.selections


def _chances(market: MarketDescription, first: int, bets: Bets) -> Chances:
    count = len(market.selections)
    backs = tuple(range(first, first + count))
    key = f"market:{market.market_id}"
    kind: ArbitrageKind = "two_way" if count == PAIR else "n_way"
    alls: list[AllSelections] = []
    pairs: list[TwoBets] = []
    if is_partition(bets.c0[list(backs)], bets.c1[list(backs)]):
        if count > 1:
            alls.append(AllSelections(kind, key, backs))
    elif count == PAIR:
        pairs.append(_pair(kind, key, (backs[0], backs[1]), bets))
    for at, selection in enumerate(market.selections):
        rows = (first + at, first + count + at)
        pairs.append(_pair("back_lay", f"back_lay:{market.market_id}:{selection}", rows, bets))
    return Chances(tuple(alls), tuple(pairs))


def _pair(kind: ArbitrageKind, key: str, rows: tuple[int, int], bets: Bets) -> TwoBets:
    return two_bets(kind, key, rows, bets.c0[list(rows)], bets.c1[list(rows)])


def _middles(
    markets: Sequence[tuple[int, int, MarketDescription]], first: dict[int, int], bets: Bets
) -> Iterable[tuple[int, int, TwoBets]]:
    """Pair the bets of two lines that can both win: over the lower and under the higher, or a handicap of either side."""
    lined = [each for each in markets if each[2].type in ("OU", "AH")]
    for (i, _, one), (j, _, other) in permutations(lined, PAIR):
        if one.type != other.type or one.line is None or other.line is None:
            continue
        over, under = ("over", "under") if one.type == "OU" else ("home", "away")
        wide = one.line < other.line if one.type == "OU" else one.line > other.line
        if wide and over in one.selections and under in other.selections:
            rows = (
                first[i] + one.selections.index(over),
                first[j] + other.selections.index(under),
            )
            key = f"middle:{one.market_id}:{other.market_id}"
            yield i, j, _pair("middle", key, rows, bets)
