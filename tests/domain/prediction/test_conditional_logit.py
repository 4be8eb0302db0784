"""The conditional logit, and the stack of market and model that is one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from domain.prediction.checks import Bools, Floats
from domain.prediction.conditional_logit import (
    Contests,
    fit_logit,
    pseudo_r2,
    win_probabilities,
)
from domain.prediction.losses import log_losses
from domain.prediction.stacking import fit_stack
from domain.refusals import InvalidInput, NoMatches

TRUTH = np.array([0.8, -0.5, 0.0])


def races(count: int, seed: int = 0) -> Contests:
    """Contests of 2 to 8 contenders that the truth decides."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 8, 3))
    present: Bools = rng.random((count, 8)) < 0.8
    present[:, :2] = True
    utilities = np.where(present, features @ TRUTH + rng.gumbel(size=(count, 8)), -np.inf)
    return Contests.of(features, present, np.eye(8)[utilities.argmax(1)])


def test_known_coefficients_are_found_again() -> None:
    fit = fit_logit(races(4000), ridge=1e-3)
    errors = np.sqrt(np.diag(fit.covariance))
    assert (abs(fit.coefficients - TRUTH) < 4 * errors).all()
    assert errors.max() < 0.04


def test_the_fit_is_where_nothing_pulls() -> None:
    contests = races(300)
    fit = fit_logit(contests, centre=[1, 1, 1], ridge=[1.0, 5.0, 20.0])
    assert contests.won is not None
    surprise = contests.won - fit.probabilities(contests)
    pull = np.array([1.0, 5.0, 20.0]) * (fit.coefficients - 1)
    assert np.einsum("rk,rkf->f", surprise, contests.features) == pytest.approx(pull, abs=1e-4)


def test_one_feature_of_two_contenders_is_the_logistic_regression() -> None:
    # 3 of 4 contests are won by the contender with the feature: β = log 3.
    features = [[[1.0], [0.0]]] * 4
    fit = fit_logit(Contests.of(features, won=[[1, 0], [1, 0], [1, 0], [0, 1]]), ridge=1e-9)
    assert fit.coefficients == pytest.approx([np.log(3)], abs=1e-5)
    assert fit.log_likelihood == pytest.approx(3 * np.log(0.75) + np.log(0.25))


@given(order=st.permutations(range(8)))
def test_the_order_of_the_contenders_changes_nothing(order: list[int]) -> None:
    contests = races(100)
    assert contests.won is not None
    shuffled = Contests.of(
        contests.features[:, order], contests.present[:, order], contests.won[:, order]
    )
    fit, again = fit_logit(contests), fit_logit(shuffled)
    assert fit.coefficients == pytest.approx(again.coefficients)
    assert fit.probabilities(contests)[:, order] == pytest.approx(again.probabilities(shuffled))


def test_chances_sum_to_1_and_the_absent_have_none() -> None:
    contests = races(50)
    chances = win_probabilities(contests, np.array([300.0, -300.0, 0.0]))
    assert chances.sum(1) == pytest.approx(np.ones(50))
    assert (chances[~contests.present] == 0).all()
    assert np.isfinite(chances).all()


def test_a_shared_win_counts_half_for_each() -> None:
    features = [[[1.0], [0.0]]]
    fit = fit_logit(Contests.of(features, won=[[0.5, 0.5]]), ridge=1e-6)
    assert fit.coefficients == pytest.approx([0], abs=1e-6)


def test_weights_are_as_many_contests() -> None:
    contests = races(40)
    assert contests.won is not None
    doubled = Contests.of(
        np.concatenate([contests.features, contests.features[:10]]),
        np.concatenate([contests.present, contests.present[:10]]),
        np.concatenate([contests.won, contests.won[:10]]),
    )
    weights = np.where(np.arange(40) < 10, 2.0, 1.0)
    assert fit_logit(contests, weights=weights).coefficients == pytest.approx(
        fit_logit(doubled).coefficients, abs=1e-6
    )


def test_separable_contests_have_a_fit_by_the_ridge() -> None:
    fit = fit_logit(Contests.of([[[1.0], [0.0]]] * 50, won=[[1, 0]] * 50))
    assert 1 < fit.coefficients[0] < 10


def test_pseudo_r2_is_0_for_equal_chances_and_1_for_certainty() -> None:
    contests = races(200)
    assert contests.won is not None
    even = contests.present / contests.present.sum(1, keepdims=True)
    assert pseudo_r2(even, contests) == pytest.approx(0)
    assert pseudo_r2(contests.won, contests) == 1
    assert 0 < pseudo_r2(fit_logit(contests).probabilities(contests), contests) < 1


@pytest.mark.parametrize(
    ("features", "present", "won", "field"),
    [
        ([[1.0, 2.0]], None, None, "features"),
        ([[[1.0], [float("nan")]]], None, None, "features"),
        ([[["a"], ["b"]]], None, None, "features"),
        ([[[1.0], [2.0]], [[1.0]]], None, None, "features"),
        ([[[1.0]]], None, None, "present"),
        ([[[1.0], [2.0]]], [[True, False]], None, "present"),
        ([[[1.0], [2.0]]], [[1, 1]], None, "present"),
        ([[[1.0], [2.0]]], None, [[1, 1]], "won"),
        ([[[1.0], [2.0]]], None, [[1, 0, 0]], "won"),
        ([[[1.0], [2.0]]], None, [[2, -1]], "won"),
        ([[[1.0], [2.0], [3.0]]], [[True, True, False]], [[0, 0, 1]], "won"),
    ],
)
def test_what_is_no_contest_is_refused_by_name(
    features: ArrayLike, present: ArrayLike | None, won: ArrayLike | None, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Contests.of(features, present, won)
    assert refused.value.field == field


def test_an_absent_contender_needs_no_features() -> None:
    features = [[[1.0], [2.0], [float("nan")]]]
    contests = Contests.of(features, [[True, True, False]])
    assert win_probabilities(contests, np.array([1.0])).sum() == pytest.approx(1)


def test_what_cannot_be_fitted_is_refused_by_name() -> None:
    with pytest.raises(NoMatches):
        fit_logit(Contests.of(np.zeros((0, 2, 1)), won=np.zeros((0, 2))))
    with pytest.raises(InvalidInput, match="who won"):
        fit_logit(Contests.of(np.zeros((1, 2, 1))))
    for options, field in (
        ({"ridge": 0.0}, "ridge"),
        ({"ridge": [1.0, 1.0]}, "ridge"),
        ({"centre": [1.0]}, "weights"),
        ({"weights": [1.0]}, "weights"),
        ({"weights": [float("nan")]}, "weights"),
    ):
        with pytest.raises(InvalidInput) as refused:
            fit_logit(races(20), **options)
        assert refused.value.field == field


# ---- the stack


def forecasts(count: int, informed: float) -> tuple[Floats, Floats, Floats]:
    """Forecasts of market and model and what happened; the model knows `informed` of what the market does not."""
    rng = np.random.default_rng(7)
    known, hidden = rng.normal(0, 0.6, (2, count, 3))
    market = np.exp(known)
    truth = np.exp(known + hidden)
    model = np.exp(known + informed * hidden)
    truth /= truth.sum(1, keepdims=True)
    happened = (rng.random(count)[:, None] > truth.cumsum(1)).sum(1)
    return (
        market / market.sum(1, keepdims=True),
        model / model.sum(1, keepdims=True),
        happened.astype(np.float64),
    )


def test_a_model_that_knows_more_is_heard() -> None:
    market, model, happened = forecasts(4000, informed=0.8)
    stack = fit_stack(market[:3000], model[:3000], happened[:3000])
    stacked = stack.probabilities(market[3000:], model[3000:])
    assert stack.fit.coefficients[1] > 0.7
    losses = log_losses(stacked, happened[3000:]).mean()
    assert losses < log_losses(market[3000:], happened[3000:]).mean() - 0.05
    assert losses < log_losses(model[3000:], happened[3000:]).mean() + 0.005


def test_a_model_that_knows_nothing_more_leaves_the_market_as_it_is() -> None:
    market, model, happened = forecasts(4000, informed=0.0)
    stack = fit_stack(market, model, happened)
    # They say the same, so only the sum of their weights is known.
    assert stack.fit.coefficients[:2].sum() == pytest.approx(0.9, abs=0.15)
    few = fit_stack(market[:5], model[:5], happened[:5]).fit.coefficients
    assert few[0] == pytest.approx(1, abs=0.1)
    assert few[1:] == pytest.approx([0, 0, 0], abs=0.1)


def test_stacked_probabilities_sum_to_1_whatever_was_impossible() -> None:
    market, model, happened = forecasts(200, informed=0.5)
    stack = fit_stack(market, model, happened)
    found = stack.probabilities([[1.0, 0.0, 0.0]], [[0.2, 0.3, 0.5]])
    assert found.sum() == pytest.approx(1)
    assert np.isfinite(found).all()


def test_what_cannot_be_stacked_is_refused_by_name() -> None:
    market, model, happened = forecasts(20, informed=0.5)
    stack = fit_stack(market, model, happened)
    for args, field in (
        ((market, model[:5], happened), "model"),
        ((market, model[:, :2] / model[:, :2].sum(1, keepdims=True), happened), "model"),
        ((market, model, happened[:3]), "outcomes"),
        ((market, model, happened + 3), "outcomes"),
        ((market * 2, model, happened), "market"),
        ((market * float("nan"), model, happened), "market"),
    ):
        with pytest.raises(InvalidInput) as refused:
            fit_stack(*args)
        assert refused.value.field == field
    with pytest.raises(InvalidInput, match="3 outcomes"):
        stack.probabilities([[0.5, 0.5]], [[0.5, 0.5]])
    with pytest.raises(NoMatches):
        fit_stack(np.zeros((0, 3)), np.zeros((0, 3)), [])
