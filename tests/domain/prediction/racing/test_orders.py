from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prediction.racing.orders import (
    HARVILLE,
    HENERY,
    STERN,
    exacta_chances,
    fit_powers,
    place_chances,
    quinella_chances,
    trifecta_chances,
)
from domain.refusals import InvalidInput

WIN = [0.5, 0.3, 0.15, 0.05]
shares = st.lists(st.floats(0.01, 1), min_size=3, max_size=8).map(
    lambda weights: np.array(weights) / sum(weights)
)
powers = st.sampled_from([HARVILLE, HENERY, STERN])


def harville(order: tuple[int, ...]) -> float:
    """Multiply each one's share of what is left."""
    chance, left = 1.0, 1.0
    for one in order:
        chance *= WIN[one] / left
        left -= WIN[one]
    return chance


def test_harville_is_what_enumerating_all_orders_of_a_small_race_gives() -> None:
    orders = {order: harville(order) for order in permutations(range(4))}
    assert sum(orders.values()) == pytest.approx(1)
    threes, twos = trifecta_chances(WIN), exacta_chances(WIN)
    for first, second, third in permutations(range(4), 3):
        expected = sum(p for o, p in orders.items() if o[:3] == (first, second, third))
        assert threes[first, second, third] == pytest.approx(expected)
    for first, second in permutations(range(4), 2):
        expected = sum(p for o, p in orders.items() if o[:2] == (first, second))
        assert twos[first, second] == pytest.approx(expected)
    for places in (1, 2, 3):
        placed = [sum(p for o, p in orders.items() if one in o[:places]) for one in range(4)]
        np.testing.assert_allclose(place_chances(WIN, places), placed)


def test_a_published_exacta_of_even_chances_is_one_in_six_pairs_of_three() -> None:
    np.testing.assert_allclose(exacta_chances([1 / 3] * 3)[0, 1], 1 / 6)
    np.testing.assert_allclose(quinella_chances([1 / 3] * 3)[0, 1], 1 / 3)


@given(win=shares, kind=powers)
def test_orders_sum_to_1_and_places_to_their_number(
    win: np.ndarray[tuple[int], np.dtype[np.float64]], kind: tuple[float, float]
) -> None:
    assert trifecta_chances(win, kind).sum() == pytest.approx(1)
    np.testing.assert_allclose(trifecta_chances(win, kind).sum(2), exacta_chances(win, kind))
    np.testing.assert_allclose(exacta_chances(win, kind).sum(1), win)
    for places in (1, 2, 3):
        placed = place_chances(win, places, kind)
        assert placed.sum() == pytest.approx(places)
        assert (placed <= 1 + 1e-9).all()
        assert (placed >= win - 1e-12).all()


@given(win=shares, kind=powers, data=st.data())
def test_the_order_of_runners_changes_nothing(
    win: np.ndarray[tuple[int], np.dtype[np.float64]],
    kind: tuple[float, float],
    data: st.DataObject,
) -> None:
    order = data.draw(st.permutations(range(len(win))))
    turned = win[list(order)]
    for places in (2, 3):
        np.testing.assert_allclose(
            place_chances(turned, places, kind), place_chances(win, places, kind)[list(order)]
        )


def test_several_races_at_once_are_each_as_alone() -> None:
    races = np.array([WIN, WIN[::-1], [0.25] * 4])
    for places in (1, 2, 3):
        each = [place_chances(win, places, STERN) for win in races]
        np.testing.assert_allclose(place_chances(races, places, STERN), each)
    np.testing.assert_allclose(trifecta_chances(races)[1], trifecta_chances(WIN[::-1]))


def test_powers_below_1_make_favourites_less_sure_to_be_placed() -> None:
    assert place_chances(WIN, 3, HENERY)[0] < place_chances(WIN, 3)[0]
    assert place_chances(WIN, 3, HENERY)[3] > place_chances(WIN, 3)[3]


def test_powers_are_found_again_from_races_that_were_run_with_them() -> None:
    rng = np.random.default_rng(3)
    races, count, made = 12_000, 8, (0.8, 0.6)
    win = rng.dirichlet(np.full(count, 1.5), races)
    left = np.ones((races, count), np.bool_)
    places = np.zeros((races, count))
    for place, power in enumerate((1.0, *made), start=1):
        weights = np.where(left, win**power, 0)
        drawn = (weights.cumsum(1) < rng.random((races, 1)) * weights.sum(1, keepdims=True)).sum(1)
        places[np.arange(races), drawn] = place
        left[np.arange(races), drawn] = False
    found = fit_powers(win, np.ones((races, count), np.bool_), places)
    assert found == pytest.approx(made, abs=0.05)


def test_a_race_of_two_has_an_exacta_and_both_are_placed() -> None:
    np.testing.assert_allclose(exacta_chances([0.7, 0.3]), [[0, 0.7], [0.3, 0]])
    np.testing.assert_allclose(place_chances([0.7, 0.3], 2), [1, 1])


def test_a_sure_winner_leaves_the_rest_to_the_others() -> None:
    assert np.isfinite(trifecta_chances([1.0, 0.0, 0.0])).all()
    assert place_chances([1 - 2e-9, 1e-9, 1e-9], 2).sum() == pytest.approx(2)


@pytest.mark.parametrize(
    "win", [[0.5, 0.6], [1.0], [0.5, float("nan")], [-0.1, 1.1], [[0.5, 0.6]], ["a", "b"]]
)
def test_what_is_no_chance_is_refused_by_name(win: list[float]) -> None:
    with pytest.raises(InvalidInput) as refused:
        exacta_chances(win)
    assert refused.value.field == "win"


def test_places_beyond_the_third_are_refused() -> None:
    with pytest.raises(InvalidInput, match="places are"):
        place_chances(WIN, 4)
    with pytest.raises(InvalidInput, match="3 places need"):
        trifecta_chances([0.5, 0.5])
    with pytest.raises(InvalidInput, match="powers"):
        exacta_chances(WIN, (0.0, 1.0))
