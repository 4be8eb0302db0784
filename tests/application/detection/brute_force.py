"""Every arbitrage by trying everything: what the engine is compared with. Written from the rules, not from the engine."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, permutations, product
from uuid import UUID

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from domain.board import MarketDescription
from domain.events.bet import Side
from domain.events.market import MarketType

Floats = NDArray[np.float64]
GOALS = range(10)
TINY = 1e-9
SAME = {"betfair_ex_uk": "betfair", "betfair_ex_eu": "betfair", "betfair_exchange": "betfair"}
SAME |= {"williamhill": "william_hill", "e": "a"}
"""Keys of one bookmaker: the usual ones, and what the tests' own terms say."""
_ANY = UUID(int=0)


class Price(Struct, frozen=True):
    market: MarketDescription
    selection_id: str
    side: Side
    bookmaker: str
    odds: float

    @property
    def house(self) -> str:
        return SAME.get(self.bookmaker, self.bookmaker)


def back_return(price: Price, home: int, away: int, runner: str | None = None) -> float:
    """What a unit on the selection returns at a final score (or, in a race, when a runner wins)."""
    selection = price.selection_id
    if price.market.type == "WIN":
        return price.odds if selection == runner else 0.0
    sides = {"home": home > away, "draw": home == away, "away": home < away}
    match price.market.type:
        case "1X2":
            won = sides[selection]
        case "DC":
            won = any(sides[side] for side in selection.split("_"))
        case "DNB":
            if home == away:
                return 1.0
            won = sides[selection]
        case "BTTS":
            won = (home > 0 and away > 0) == (selection == "yes")
        case "OU" | "AH":
            assert price.market.line is not None
            line = float(price.market.line)
            halves = [line, line] if line * 2 == int(line * 2) else [line - 0.25, line + 0.25]
            return sum(half_return(price, half, home, away) for half in halves) / 2
        case _:
            raise AssertionError(price.market.type)
    return price.odds if won else 0.0


def half_return(price: Price, line: float, home: int, away: int) -> float:
    margin = home + away - line if price.market.type == "OU" else home - away + line
    if price.selection_id in ("under", "away"):
        margin = -margin
    return price.odds if margin > 0 else 1.0 if margin == 0 else 0.0


def shares(market: MarketDescription, selection_id: str) -> tuple[Floats, Floats]:
    """What a back returns at every score is c0 + c1·odds, the same for all markets of a type and line."""
    return _shares(market.type, market.line, market.selections, selection_id)


@lru_cache(maxsize=1_000)
def _shares(
    kind: MarketType, line: Decimal | None, selections: tuple[str, ...], selection_id: str
) -> tuple[Floats, Floats]:
    """Found from what it returns at two odds."""
    market = MarketDescription(_ANY, _ANY, kind, line, selections)
    at_two, at_three = (
        np.array(
            [
                back_return(Price(market, selection_id, "back", "", odds), *end)
                for end in ends(market)
            ]
        )
        for odds in (2.0, 3.0)
    )
    c1 = at_three - at_two
    return at_two - 2 * c1, c1


def ends(market: MarketDescription) -> list[tuple[int, int, str | None]]:
    if market.type == "WIN":
        return [(0, 0, runner) for runner in market.selections]
    return [(home, away, None) for home in GOALS for away in GOALS]


def returns(price: Price, commission: float) -> Floats:
    """Gross returns per unit at risk, at every end: a lay risks odds − 1 to win the backer's stake."""
    c0, c1 = shares(price.market, price.selection_id)
    profits = c0 + c1 * price.odds - 1
    if price.side == "lay":
        profits = -profits / (price.odds - 1)
    return 1 + np.where(profits > 0, profits * (1 - commission), profits)


def guaranteed(payoffs: Floats) -> tuple[float, list[int]]:
    """The most that bets (rows) guarantee over the states (columns) per unit, and which bets it needs: a dense simplex."""
    payoffs = np.unique(payoffs, axis=1)
    bets, states = payoffs.shape
    if (payoffs <= 0).all(axis=0).any():
        return 0.0, []
    tableau = np.zeros((bets + 1, states + 1))
    tableau[:bets, :states] = payoffs
    tableau[:bets, states] = 1
    tableau[bets, :states] = -1
    row_names = list(range(bets))
    column_names = list(range(bets, bets + states))
    for _ in range(2_000):
        falling = [at for at in range(states) if tableau[bets, at] < -1e-11]
        if not falling:
            break
        column = min(falling, key=lambda at: column_names[at])  # Bland: it always ends
        rows = np.flatnonzero(tableau[:bets, column] > 1e-11)
        ratios = tableau[rows, states] / tableau[rows, column]
        row = min(rows[ratios <= ratios.min() + 1e-12].tolist(), key=lambda at: row_names[at])
        pivot = tableau[row, column]
        old_column, old_row = tableau[:, column].copy(), tableau[row].copy()
        tableau -= np.outer(old_column, old_row) / pivot
        tableau[:, column] = -old_column / pivot
        tableau[row] = old_row / pivot
        tableau[row, column] = 1 / pivot
        row_names[row], column_names[column] = column_names[column], row_names[row]
    else:
        raise AssertionError("no end")
    used = [
        name for at, name in enumerate(column_names) if name < bets and tableau[bets, at] > 1e-9
    ]
    return float(1 / tableau[bets, states]), used


def best_portfolio(prices: Sequence[Price], payoffs: Floats, above: float) -> float:
    """The most that bets at different bookmakers guarantee, if more than `above`: every choice of a bookmaker's bet."""
    found = above
    waiting = [list(range(len(prices)))]
    while waiting:
        allowed = waiting.pop()
        value, used = guaranteed(payoffs[allowed]) if allowed else (0.0, [])
        if value <= found + TINY:
            continue
        books = [prices[allowed[at]].house for at in used]
        twice = next((book for book in books if books.count(book) > 1), None)
        if twice is None:
            found = value
            continue
        its = [at for at in allowed if prices[at].house == twice]
        others = [at for at in allowed if prices[at].house != twice]
        waiting.append(others)
        waiting += [[*others, at] for at in its]
    return found


def exhaustive_portfolio(prices: Sequence[Price], returned: Sequence[Floats]) -> float:
    """The same without any bound: every bookmaker gives one of its bets, or none. For a handful of prices."""
    payoffs = np.array(returned)
    books: dict[str, list[int | None]] = {}
    for at, price in enumerate(prices):
        books.setdefault(price.house, [None]).append(at)
    choices = ([at for at in choice if at is not None] for choice in product(*books.values()))
    return max((guaranteed(payoffs[choice])[0] for choice in choices if choice), default=0.0)


def single_market_values(
    prices: Sequence[Price], commissions: Mapping[str, float]
) -> dict[str, float]:
    """Value by proposition of every arbitrage within one market: all distinct combinations, by enumeration."""
    values: dict[str, float] = {}
    markets = {price.market.market_id: price.market for price in prices}
    for market_id, market in markets.items():
        sides: dict[tuple[str, Side], list[Price]] = {}
        for price in prices:
            if price.market.market_id == market_id:
                sides.setdefault((price.selection_id, price.side), []).append(price)
        sets: dict[str, list[tuple[str, Side]]] = {
            f"back_lay:{market_id}:{s}": [(s, "back"), (s, "lay")] for s in market.selections
        }
        if market.type != "DC":
            sets[f"market:{market_id}"] = [(s, "back") for s in market.selections]
        for key, chosen in sets.items():
            choices = [sides.get(each, []) for each in chosen]
            if all(choices) and (value := best_of_sets(choices, commissions)) > 1:
                values[key] = value
    return values


def best_of_sets(choices: Sequence[Sequence[Price]], commissions: Mapping[str, float]) -> float:
    """The most that one bet of each set, all at different bookmakers, guarantee; 0 when there is no such choice."""
    pay = [[returns(p, commissions.get(p.bookmaker, 0.0)) for p in each] for each in choices]
    together = np.stack([each[0] for each in pay])
    if ((together > 0) & (together < together.max(axis=1, keepdims=True))).any():
        assert len(choices) == 2
        return max(
            (
                best_of_two(one, other)
                for (a, one), (b, other) in product(
                    *(zip(*each, strict=True) for each in zip(choices, pay, strict=True))
                )
                if a.house != b.house
            ),
            default=0.0,
        )
    total: Floats = np.zeros([1] * len(choices))
    for at, each in enumerate(pay):
        shape = [-1 if other == at else 1 for other in range(len(choices))]
        total = total + np.array([1 / one.max() for one in each]).reshape(shape)
    books = [np.array([hash(p.house) for p in each]) for each in choices]
    for a, b in combinations(range(len(choices)), 2):
        shape_a = [-1 if other == a else 1 for other in range(len(choices))]
        shape_b = [-1 if other == b else 1 for other in range(len(choices))]
        total = np.where(books[a].reshape(shape_a) == books[b].reshape(shape_b), np.inf, total)
    best = tuple(int(at) for at in np.unravel_index(int(total.argmin()), total.shape))
    if abs(float(total[best]) - 1) < TINY:
        picked = [choices[at][number] for at, number in enumerate(best)]
        return exact_value(picked)
    return float(1 / total[best])


def exact_value(bets: Sequence[Price]) -> float:
    """1/Σ(1/o) for odds so close to fair that floats cannot say; without commission."""
    odds = [Fraction(str(bet.odds)) for bet in bets]
    inverse = [
        1 / (one if bet.side == "back" else one / (one - 1))
        for bet, one in zip(bets, odds, strict=True)
    ]
    total = sum(inverse)
    return 1.0 if total >= 1 else max(float(1 / total), math.nextafter(1, 2))


def best_of_two(one: Floats, other: Floats) -> float:
    """What two bets guarantee when split best: the lines of their states cross there, or it is all on one."""
    columns = set(zip(one.tolist(), other.tolist(), strict=True))
    splits = {0.0, 1.0}
    for (a, b), (c, d) in permutations(columns, 2):
        if (slope := a - b - c + d) != 0:
            splits.add(min(1.0, max(0.0, (d - b) / slope)))
    values: list[float] = [min(x * a + (1 - x) * b for a, b in columns) for x in splits]
    return max(values)


def all_values(
    fixture: str, prices: Sequence[Price], commissions: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Value by proposition of every arbitrage among the prices of one fixture."""
    commissions = commissions or {}
    values = single_market_values(prices, commissions)
    best: dict[tuple[MarketDescription, str, Side], Price] = {}
    for price in prices:
        key = price.market, price.selection_id, price.side
        known = best.get(key)
        if known is None or worth(price, commissions) > worth(known, commissions):
            best[key] = price
    if not best or portfolio(list(best.values()), commissions, relaxed=True) <= 1 + TINY:
        return values
    single = max([1.0, *values.values()])
    value = portfolio(prices, commissions, above=single)
    if value > single + 10 * TINY:
        values[f"fixture:{fixture}"] = value
    return values


def worth(price: Price, commissions: Mapping[str, float]) -> float:
    """How good a price is for who bets: the odds of the bet, after commission."""
    kept = 1 - commissions.get(price.bookmaker, 0.0)
    return 1 + (price.odds - 1) * kept if price.side == "back" else 1 + kept / (price.odds - 1)


def portfolio(
    prices: Sequence[Price],
    commissions: Mapping[str, float],
    *,
    above: float = 1.0,
    relaxed: bool = False,
) -> float:
    """What the best set of bets guarantees: at different bookmakers, or (relaxed) whoever offers them."""
    payoffs = np.array([returns(p, commissions.get(p.bookmaker, 0.0)) for p in prices])
    payoffs = np.unique(payoffs, axis=1)
    return guaranteed(payoffs)[0] if relaxed else best_portfolio(prices, payoffs, above)
