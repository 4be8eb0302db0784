"""The search for the best book with one bet a bookmaker, against trying every choice."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.linear_programme import HighsSolver
from application.arbitrage import SMALLEST_STAKE, Floats, search, undominated

SOLVER = HighsSolver()
VALUES = st.one_of(st.just(0.0), st.just(1.0), st.decimals("1.01", "12", places=2).map(float))


@st.composite
def offers(draw: st.DrawFn) -> tuple[Floats, list[int]]:
    """A payoff matrix and whose each bet is: few bookmakers, so that they often have several of the best bets."""
    states = draw(st.integers(2, 4))
    bets = draw(
        st.lists(st.lists(VALUES, min_size=states, max_size=states), min_size=1, max_size=9)
    )
    bookmakers = draw(st.lists(st.integers(0, 3), min_size=len(bets), max_size=len(bets)))
    return np.array(bets), bookmakers


def choices(bookmakers: list[int]) -> Iterator[list[int]]:
    """Every way to take one bet of each bookmaker."""
    for choice in product(
        *([i for i, b in enumerate(bookmakers) if b == each] for each in sorted(set(bookmakers)))
    ):
        yield list(choice)


def best_of_all(returns: Floats, bookmakers: list[int], caps: Floats | None = None) -> float:
    return max(
        SOLVER.solve(returns[choice], None if caps is None else caps[choice]).profit
        for choice in choices(bookmakers)
    )


@given(offers())
@settings(max_examples=100)
def test_branch_and_bound_finds_what_trying_everything_finds(
    case: tuple[Floats, list[int]],
) -> None:
    returns, bookmakers = case
    found = search(SOLVER, returns, bookmakers)
    assert found.complete
    assert found.best is not None
    assert found.best.profit == pytest.approx(best_of_all(returns, bookmakers), abs=1e-8)
    used = [
        b for b, stake in zip(bookmakers, found.best.stakes, strict=True) if stake > SMALLEST_STAKE
    ]
    assert len(used) == len(set(used))
    assert found.best.profit == pytest.approx((found.best.stakes @ returns).min() - 1, abs=1e-8)
    assert found.best.profit <= found.relaxed.profit + 1e-8


@given(offers(), st.data())
@settings(max_examples=100)
def test_limits_hold_in_every_case_of_the_search(
    case: tuple[Floats, list[int]], data: st.DataObject
) -> None:
    returns, bookmakers = case
    caps = np.array(
        data.draw(st.lists(st.floats(0, 1), min_size=len(returns), max_size=len(returns)))
    )
    found = search(SOLVER, returns, bookmakers, caps=caps)
    assert found.best is not None
    assert (found.best.stakes <= caps + 1e-9).all()
    assert found.best.profit == pytest.approx(best_of_all(returns, bookmakers, caps), abs=1e-8)


@given(offers(), st.floats(-0.5, 2))
@settings(max_examples=100)
def test_with_a_floor_only_what_is_above_it_is_found(
    case: tuple[Floats, list[int]], floor: float
) -> None:
    returns, bookmakers = case
    best = best_of_all(returns, bookmakers)
    found = search(SOLVER, returns, bookmakers, floor=floor)
    assert found.complete
    if best > floor + 1e-8:
        assert found.best is not None
        assert found.best.profit == pytest.approx(best, abs=1e-8)
    elif best < floor - 1e-8:
        assert found.best is None


@given(offers())
def test_equal_states_merged_change_nothing(case: tuple[Floats, list[int]]) -> None:
    returns, bookmakers = case
    doubled = np.hstack([returns, returns[:, ::-1]])
    one, other = search(SOLVER, returns, bookmakers), search(SOLVER, doubled, bookmakers)
    assert one.best is not None
    assert other.best is not None
    assert one.best.profit == pytest.approx(other.best.profit, abs=1e-8)
    assert one.relaxed.profit == pytest.approx(other.relaxed.profit, abs=1e-8)


@given(offers())
def test_what_is_dominated_is_not_missed(case: tuple[Floats, list[int]]) -> None:
    returns, _ = case
    kept = undominated(returns)
    assert SOLVER.solve(returns[kept]).profit == pytest.approx(
        SOLVER.solve(returns).profit, abs=1e-8
    )
    for bet in returns:
        assert (returns[kept] >= bet).all(axis=1).any()


def test_of_equal_bets_one_is_kept() -> None:
    returns = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [1.9, 0.0]])
    assert undominated(returns).tolist() == [0, 2]
    assert undominated(returns, np.array([0, 1, 1, 1])).tolist() == [0, 1, 2]


def test_the_best_prices_of_one_bookmaker_are_no_arbitrage() -> None:
    returns = np.array([[2.2, 0.0], [0.0, 2.2], [1.9, 0.0], [0.0, 2.0]])
    found = search(SOLVER, returns, [0, 0, 1, 1])
    assert found.relaxed.profit == pytest.approx(0.1)
    assert found.best is not None
    assert found.best.profit == pytest.approx(1 / (1 / 2.2 + 1 / 2.0) - 1)
    assert search(SOLVER, returns, [0, 0, 0, 0], floor=0).best is None


def test_a_search_cut_short_says_so_and_gives_what_it_has() -> None:
    rng = np.random.default_rng(5)
    returns = np.where(rng.random((60, 12)) < 0.4, rng.uniform(1.5, 3.5, (60, 12)), 0.0)
    bookmakers = rng.integers(0, 4, 60)
    cut = search(SOLVER, returns, bookmakers, nodes_max=5)
    whole = search(SOLVER, returns, bookmakers, nodes_max=100_000)
    assert not cut.complete
    assert whole.complete
    assert cut.best is not None
    assert whole.best is not None
    assert cut.best.profit <= whole.best.profit + 1e-9
