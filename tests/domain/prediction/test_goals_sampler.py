"""The sampler against distributions that are known, and the fit's normal approximation against the sampler."""

from decimal import Decimal

import numpy as np
import pytest

from domain.outcomes import Proposition
from domain.prediction.checks import Floats
from domain.prediction.goals_density import SHARED
from domain.prediction.goals_fit import fit_goals
from domain.prediction.goals_model import GoalsModel, expected_goals, result_chances, worth
from domain.prediction.goals_prior import GoalsPrior
from domain.prediction.goals_sampler import goals_density, sample_goals
from domain.prediction.goals_table import GoalsTable
from domain.prediction.hamilton import effective_draws, sample, split_r_hat
from domain.refusals import FitFailed, InvalidInput
from tests.builders import NOW
from tests.domain.prediction.leagues import league, small_table


def test_draws_from_a_normal_have_its_moments() -> None:
    centre, deviations = np.array([1.0, -2.0, 0.0]), np.array([0.5, 1.0, 2.0])

    def density(points: Floats) -> tuple[Floats, Floats]:
        away = (points - centre) / deviations
        return -0.5 * (away**2).sum(1), -away / deviations

    found = sample(density, np.zeros((4, 3)), draws=2000, warm_up=300, rng=np.random.default_rng(1))
    assert found.flat().mean(0) == pytest.approx(centre, abs=0.1)
    assert found.flat().std(0) == pytest.approx(deviations, rel=0.1)
    assert 0.6 < found.acceptance < 0.95
    assert split_r_hat(found.draws).max() < 1.02
    assert effective_draws(found.draws).min() > 500


def test_draws_from_a_skewed_distribution_have_its_moments() -> None:
    # The log of a gamma variable of shape 3: mean ψ(3) = 0.9228, variance ψ′(3) = 0.3949.
    def density(points: Floats) -> tuple[Floats, Floats]:
        return (3 * points - np.exp(points)).sum(1), 3 - np.exp(points)

    found = sample(density, np.zeros((8, 1)), draws=2000, warm_up=300, rng=np.random.default_rng(2))
    assert found.flat().mean() == pytest.approx(0.9228, abs=0.02)
    assert found.flat().var() == pytest.approx(0.3949, abs=0.03)


def test_the_same_generator_gives_the_same_draws() -> None:
    table = small_table()
    fit = fit_goals(table)
    one, again = (
        sample_goals(table, fit, np.random.default_rng(3), draws=20, warm_up=20).draws
        for _ in range(2)
    )
    assert (one == again).all()


def test_chains_that_disagree_are_told() -> None:
    draws = np.random.default_rng(0).standard_normal((200, 4, 1))
    assert split_r_hat(draws) == pytest.approx([1], abs=0.02)
    assert split_r_hat(draws + np.arange(4)[:, None])[0] > 1.3
    assert effective_draws(draws)[0] == pytest.approx(800, rel=0.3)
    walk = np.cumsum(draws, axis=0)
    assert effective_draws(walk)[0] < 100


def test_the_posteriors_gradient_is_that_of_small_differences() -> None:
    density = goals_density(small_table(), GoalsPrior())
    row = np.append(np.random.default_rng(1).normal(0, 0.1, SHARED + 12), [-1.2, -2.1])
    step = 1e-5 * np.eye(len(row))
    values_up, values_down = density(row + step)[0], density(row - step)[0]
    assert (values_up - values_down) / 2e-5 == pytest.approx(density(row[None])[1][0], abs=1e-5)


def test_the_normal_approximation_is_close_to_the_whole_posterior() -> None:
    matches, _, _ = league(12, 2, np.random.default_rng(21))
    table = GoalsTable.of(matches, NOW, half_life_days=400)
    fit = fit_goals(table)
    found = sample_goals(table, fit, np.random.default_rng(4), draws=500, warm_up=250)
    assert split_r_hat(found.draws).max() < 1.05
    vectors = found.flat()[:, : len(fit.mode)]
    deviations = vectors.std(0)
    assert (abs(vectors.mean(0) - fit.mean) / deviations).max() < 0.2
    assert np.sqrt(np.diag(fit.covariance)) / deviations == pytest.approx(
        np.ones(len(fit.mode)), abs=0.15
    )
    fixtures = [(home, away) for home in table.teams for away in table.teams if home != away]
    normals = np.random.default_rng(5).standard_normal((1000, len(fit.mode)))
    whole, approximate = (
        GoalsModel.of(table, draws).chances(fixtures)
        for draws in (found.flat()[::2], fit.draw(normals))
    )
    differences = abs(result_chances(whole) - result_chances(approximate))
    assert differences.max() < 0.02
    assert differences.mean() < 0.005
    over = Proposition("OU", Decimal("2.5"), ("over", "under"))
    exact, normal = (
        np.array(
            [
                (each.value, each.low, each.high)
                for each in worth(chances, over, "over").probability()
            ]
        )
        for chances in (whole, approximate)
    )
    # The approximation takes the deviations between the sides as known: single matches may differ a little.
    assert abs(exact - normal)[:, 0].max() < 0.02
    assert abs(exact - normal)[:, 0].mean() < 0.006
    assert (normal[:, 2] - normal[:, 1]) / (exact[:, 2] - exact[:, 1]) == pytest.approx(
        np.ones(len(exact)), abs=0.25
    )
    for of_whole, of_approximate in zip(
        expected_goals(whole), expected_goals(approximate), strict=True
    ):
        assert of_whole[0].value == pytest.approx(of_approximate[0].value, rel=0.06)


def test_what_cannot_be_sampled_is_refused_by_name() -> None:
    table = small_table()
    fit = fit_goals(table)
    with pytest.raises(InvalidInput) as refused:
        sample_goals(table, fit, np.random.default_rng(0), GoalsPrior.flat())
    assert refused.value.field == "prior"
    with pytest.raises(InvalidInput):
        sample_goals(table, fit, np.random.default_rng(0), draws=0)

    def nowhere(points: Floats) -> tuple[Floats, Floats]:
        return np.full(len(points), -np.inf), points

    with pytest.raises(FitFailed):
        sample(nowhere, np.zeros((1, 1)), draws=1, warm_up=1, rng=np.random.default_rng(0))
    with pytest.raises(InvalidInput):
        split_r_hat(np.zeros((3, 1, 1)))
