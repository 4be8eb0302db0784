"""Stakes by Kelly: textbook cases, every subset tried, and rules that cap them."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from domain.prediction.checks import Floats
from domain.prediction.kelly import (
    StakeRule,
    growth,
    kelly_share,
    kelly_share_of_returns,
    kelly_shares,
)
from domain.refusals import InvalidInput


@st.composite
def races(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Probabilities of exclusive outcomes, sometimes of not all, and odds whose implied probabilities sum to 0.9 to 1.3."""
    size = draw(st.integers(2, 5))
    weights = np.array(draw(st.lists(st.floats(0.05, 1), min_size=size, max_size=size)))
    implied = np.array(draw(st.lists(st.floats(0.05, 1), min_size=size, max_size=size)))
    whole = draw(st.sampled_from([1.0, 0.9]))
    odds = implied.sum() / implied / draw(st.floats(0.9, 1.3))
    assume((odds > 1.02).all())
    return whole * weights / weights.sum(), odds


def best_of_all_subsets(chances: Floats, odds: Floats) -> float:
    """The growth of the best shares, found by solving each subset of outcomes and keeping what is allowed."""
    best = 0.0
    for size in range(1, len(odds) + 1):
        for subset in combinations(range(len(odds)), size):
            at = list(subset)
            left = 1 - (1 / odds[at]).sum()
            if left <= 0:
                continue
            shares = np.zeros(len(odds))
            shares[at] = chances[at] - (1 - chances[at].sum()) / left / odds[at]
            if (shares >= 0).all():
                best = max(best, growth(chances, odds, shares))
    return best


def test_textbook_cases_of_one_bet() -> None:
    assert kelly_share(0.6, 2.0) == pytest.approx(
        0.2
    )  # Kelly 1956; Thorp's coin: the edge at even money
    assert kelly_share(0.5, 2.5) == pytest.approx(1 / 6)
    assert kelly_share(0.5, 2.0) == 0
    assert kelly_share(0.3, 2.0) == 0
    assert kelly_share(1.0, 2.0) == 1
    assert kelly_share(0.6, 2.0, StakeRule(fraction=0.5)) == pytest.approx(0.1)
    assert kelly_share(0.6, 2.0, StakeRule(fraction=0.5, cap=0.03)) == pytest.approx(0.03)


def test_a_push_leaves_the_share_of_the_rest() -> None:
    # Handicap 0: 45% win, 15% push, 40% lose at 2.1. A push only delays the bet: 0.85 times that of the win by itself.
    pushed = kelly_share_of_returns([0.45, 0.15, 0.40], [2.1, 1, 0])
    assert pushed == pytest.approx(kelly_share(0.45 / 0.85, 2.1))
    assert kelly_share_of_returns([0.6, 0.4], [2.0, 0]) == pytest.approx(0.2)
    assert kelly_share_of_returns([0.4, 0.6], [2.0, 0]) == 0
    assert kelly_share_of_returns([0.5, 0.5], [2.0, 1]) == pytest.approx(1)


def test_a_quarter_line_gets_the_share_that_grows_fastest() -> None:
    chances, returns = np.array([0.5, 0.26, 0.24]), np.array([1.9, 0.5, 0.0])
    share = kelly_share_of_returns(chances, returns)
    grid = np.linspace(0, 0.99, 100_000)
    wealth = 1 + grid[:, None] * (returns - 1)
    assert share == pytest.approx(grid[(np.log(wealth) @ chances).argmax()], abs=2e-5)


def test_fair_odds_of_all_outcomes_are_bet_in_proportion_to_their_chances() -> None:
    # Cover and Thomas, "Gambling and data compression": proportional betting is log-optimal at fair or better odds.
    assert kelly_shares([0.5, 0.3, 0.2], [2.3, 3.6, 4.0]) == pytest.approx([0.5, 0.3, 0.2])


def test_one_value_bet_among_exclusive_outcomes_is_kellys_single() -> None:
    found = kelly_shares([0.5, 0.27, 0.23], [2.2, 3.3, 3.4])
    assert found == pytest.approx([kelly_share(0.5, 2.2), 0, 0])


def test_a_bet_without_value_can_be_worth_its_insurance() -> None:
    chances, odds = np.array([0.7, 0.29, 0.01]), np.array([2.0, 3.4, 20.0])
    assert chances[1] * odds[1] < 1
    shares = kelly_shares(chances, odds)
    assert shares[1] > 0
    alone = kelly_shares(chances[:1], odds[:1])
    assert growth(chances, odds, shares) > growth(chances, odds, np.append(alone, [0, 0]))


WEIGHTS = np.array([42, 49, 72, 89])
FAIR = WEIGHTS / 252 * 0.9, 252 / WEIGHTS / 0.9
"""Fair odds on some chances are worth nothing but for rounding, which made the second share −3e-17."""


@given(race=races())
@example(race=FAIR)
def test_no_subset_of_bets_grows_faster(race: tuple[Floats, Floats]) -> None:
    chances, odds = race
    shares = kelly_shares(chances, odds)
    assert (shares >= 0).all()
    assert shares.sum() <= 1 + 1e-12
    assert growth(chances, odds, shares) == pytest.approx(
        best_of_all_subsets(chances, odds), abs=1e-9
    )


@given(race=races(), data=st.data())
def test_caps_hold_and_nothing_within_them_grows_faster(
    race: tuple[Floats, Floats], data: st.DataObject
) -> None:
    chances, odds = race
    rule = StakeRule(cap=data.draw(st.floats(0.02, 0.3)), total_cap=data.draw(st.floats(0.02, 0.5)))
    shares = kelly_shares(chances, odds, rule)
    assert shares.max() <= rule.cap + 1e-9
    assert shares.sum() <= rule.total_cap + 1e-9
    best = growth(chances, odds, shares)
    for _ in range(10):
        nudges = data.draw(st.lists(st.floats(-0.05, 0.05), min_size=len(odds), max_size=len(odds)))
        other = np.clip(shares + nudges, 0, rule.cap)
        other *= min(1, rule.total_cap / max(other.sum(), 1e-12))
        assert growth(chances, odds, other) <= best + 1e-9


@given(race=races(), fraction=st.floats(0, 1))
def test_a_fraction_is_that_part_of_every_share(
    race: tuple[Floats, Floats], fraction: float
) -> None:
    assert kelly_shares(*race, StakeRule(fraction=fraction)) == pytest.approx(
        fraction * kelly_shares(*race)
    )


@pytest.mark.parametrize(
    ("chances", "odds", "field"),
    [
        ([0.5, 0.6], [2.0, 2.0], "probabilities"),
        ([-0.1, 0.6], [2.0, 2.0], "probabilities"),
        ([float("nan"), 0.6], [2.0, 2.0], "probabilities"),
        ([0.5, 0.5], [2.0, 1.0], "odds"),
        ([0.5, 0.5], [2.0, float("inf")], "odds"),
        ([0.5, 0.5], [2.0], "odds"),
        ([], [], "odds"),
    ],
)
def test_what_cannot_be_staked_on_is_refused_by_name(
    chances: list[float], odds: list[float], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        kelly_shares(chances, odds)
    assert refused.value.field == field


def test_a_single_bet_and_a_rule_are_checked_too() -> None:
    for chance, odds, rule, field in (
        (1.1, 2.0, None, "probability"),
        (float("nan"), 2.0, None, "probability"),
        (0.5, 1.0, None, "odds"),
        (0.5, float("nan"), None, "odds"),
        (0.9, 2.0, StakeRule(fraction=2), "fraction"),
        (0.9, 2.0, StakeRule(cap=-1), "cap"),
    ):
        with pytest.raises(InvalidInput) as refused:
            kelly_share(chance, odds, rule)
        assert refused.value.field == field
    with pytest.raises(InvalidInput, match="return"):
        kelly_share_of_returns([0.5, 0.5], [2.0])
