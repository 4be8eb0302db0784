"""Losses of forecasts, by published examples and by what a loss must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from domain.prediction.losses import (
    bootstrap_mean,
    brier_scores,
    log_losses,
    rank_probability_scores,
)
from domain.refusals import InvalidInput

HOME, DRAW, AWAY = 0, 1, 2

# Constantinou and Fenton 2012, table 2: forecast of home, draw, away, what happened, and its rank probability score.
PUBLISHED = [
    ((1.0, 0.0, 0.0), HOME, 0.0),
    ((0.9, 0.1, 0.0), HOME, 0.0050),
    ((0.8, 0.1, 0.1), HOME, 0.0250),
    ((0.5, 0.25, 0.25), HOME, 0.15625),
    ((0.35, 0.30, 0.35), DRAW, 0.1225),
    ((0.60, 0.30, 0.10), DRAW, 0.1850),
    ((0.60, 0.25, 0.15), HOME, 0.09125),
    ((0.60, 0.15, 0.25), HOME, 0.11125),
    ((0.57, 0.33, 0.10), HOME, 0.09745),
    ((0.60, 0.20, 0.20), HOME, 0.1000),
]
LOSSES = (rank_probability_scores, log_losses, brier_scores)

chances = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
    lambda weights: np.array(weights) / sum(weights)
)


@pytest.mark.parametrize(("forecast", "happened", "score"), PUBLISHED)
def test_published_rank_probability_scores(
    forecast: tuple[float, ...], happened: int, score: float
) -> None:
    assert rank_probability_scores([forecast], [happened]) == pytest.approx([score])


def test_near_misses_cost_less_only_where_outcomes_are_ordered() -> None:
    near, far = [[0.1, 0.8, 0.1]], [[0.1, 0.1, 0.8]]
    assert rank_probability_scores(near, [HOME]) < rank_probability_scores(far, [HOME])
    assert brier_scores(near, [HOME]) == pytest.approx(brier_scores(far, [HOME]))
    assert log_losses(near, [HOME]) == pytest.approx(log_losses(far, [HOME]))


def test_log_loss_of_knowing_nothing_is_the_log_of_the_number_of_outcomes() -> None:
    assert log_losses(np.full((2, 14), 1 / 14), [0, 13]) == pytest.approx(np.log(14))


def test_what_was_impossible_and_happened_is_dear_but_finite() -> None:
    assert log_losses([[1.0, 0.0]], [1]) == pytest.approx([34.54], abs=0.01)


def test_brier_scores_lie_from_0_to_2() -> None:
    assert brier_scores([[1.0, 0.0], [1.0, 0.0], [0.7, 0.3]], [0, 1, 0]) == pytest.approx(
        [0, 2, 0.18]
    )


@given(truth=chances, said=chances)
def test_nobody_expects_to_gain_by_saying_what_he_does_not_believe(
    truth: np.ndarray, said: np.ndarray
) -> None:
    for losses in LOSSES:
        honest = truth @ losses([truth] * 3, [HOME, DRAW, AWAY])
        other = truth @ losses([said] * 3, [HOME, DRAW, AWAY])
        assert honest <= other + 1e-12


def test_the_interval_of_a_mean_is_that_of_its_resamples() -> None:
    rng = np.random.default_rng(5)
    losses = rng.normal(0.1, 1, 400)
    found = bootstrap_mean(losses, rng.integers(0, 400, (4000, 400)))
    assert found.value == pytest.approx(losses.mean())
    # The normal interval of a mean of 400, which the bootstrap's comes close to.
    half = 1.96 * losses.std() / 20
    assert found.low == pytest.approx(losses.mean() - half, abs=0.01)
    assert found.high == pytest.approx(losses.mean() + half, abs=0.01)
    assert bootstrap_mean([2.0], [[0], [0]]).high == 2


@pytest.mark.parametrize(
    ("forecasts", "outcomes", "field"),
    [
        ([[0.5, 0.6]], [0], "probabilities"),
        ([[1.5, -0.5]], [0], "probabilities"),
        ([[0.5, float("nan")]], [0], "probabilities"),
        ([[1.0]], [0], "probabilities"),
        ([0.5, 0.5], [0], "probabilities"),
        ([["a", "b"]], [0], "probabilities"),
        ([[0.5, 0.5]], [2], "outcomes"),
        ([[0.5, 0.5]], [-1], "outcomes"),
        ([[0.5, 0.5]], [0.5], "outcomes"),
        ([[0.5, 0.5]], [float("nan")], "outcomes"),
        ([[0.5, 0.5]], [0, 1], "outcomes"),
        ([[0.5, 0.5]], [[0]], "outcomes"),
    ],
)
def test_what_is_no_forecast_is_refused_by_name(
    forecasts: ArrayLike, outcomes: ArrayLike, field: str
) -> None:
    for losses in LOSSES:
        with pytest.raises(InvalidInput) as refused:
            losses(forecasts, outcomes)
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("losses", "resamples", "level", "field"),
    [
        ([], [[0]], 0.95, "losses"),
        ([float("inf")], [[0]], 0.95, "losses"),
        ([1.0], [[1]], 0.95, "resamples"),
        ([1.0], [[0, 0]], 0.95, "resamples"),
        ([1.0], [0], 0.95, "resamples"),
        ([1.0], [[0]], 95, "level"),
    ],
)
def test_what_cannot_be_resampled_is_refused_by_name(
    losses: ArrayLike, resamples: ArrayLike, level: float, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        bootstrap_mean(losses, resamples, level)
    assert refused.value.field == field
