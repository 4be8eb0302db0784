"""The goals model: its derivatives, a published fit, what pooling does, and what is refused."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.prediction.goals_density import (
    HOME,
    LEVEL,
    NEWCOMER,
    RHO,
    SHARED,
    likelihood_hessian,
    log_likelihood,
)
from domain.prediction.goals_fit import GoalsFit, fit_goals
from domain.prediction.goals_prior import GoalsPrior, Normal, Pooling, Scales
from domain.prediction.goals_table import GoalsTable, PlayedMatch
from domain.refusals import FitFailed, InvalidInput, NoMatches
from tests.builders import NOW
from tests.domain.prediction.leagues import HOME_AHEAD, league, small_table
from tests.domain.prediction.premier_league_2017_18 import ENDED, season

PRIOR = GoalsPrior()


def of_team(table: GoalsTable, fit: GoalsFit, team: str) -> tuple[float, float]:
    """Attack and defence."""
    at, teams = SHARED + table.teams.index(team), len(table.teams)
    return float(fit.mode[at]), float(fit.mode[at + teams])


def by_formula(match: PlayedMatch, table: GoalsTable, vector: np.ndarray) -> float:
    """A match's log likelihood as Dixon and Coles write it."""
    home, away = table.teams.index(match.home), table.teams.index(match.away)
    attack, defence = vector[SHARED:].reshape(2, -1)
    lam = np.exp(vector[LEVEL] + vector[HOME] + attack[home] - defence[away])
    nu = np.exp(vector[LEVEL] + attack[away] - defence[home])
    rho, score = vector[RHO], (match.home_goals, match.away_goals)
    tau = {
        (0, 0): 1 - lam * nu * rho,
        (0, 1): 1 + lam * rho,
        (1, 0): 1 + nu * rho,
        (1, 1): 1 - rho,
    }
    return float(
        np.log(tau.get(score, 1)) + score[0] * np.log(lam) - lam + score[1] * np.log(nu) - nu
    )


def test_the_published_fit_of_the_premier_league_2017_18() -> None:
    # Home 0.29446, rho −0.12852 (D. Sheehan, "Predicting football results with statistical modelling", part 2).
    table = GoalsTable.of(season(), ENDED, half_life_days=np.inf)
    fit = fit_goals(table, GoalsPrior.flat())
    assert table.matches == 380
    assert fit.mode[HOME] == pytest.approx(0.29446, abs=2e-5)
    assert fit.mode[RHO] == pytest.approx(-0.12852, abs=2e-5)
    attack, defence = fit.mode[SHARED:].reshape(2, -1)
    assert (attack.sum(), defence.sum()) == pytest.approx((0, 0), abs=1e-9)
    assert table.teams[int(attack.argmax())] == "Man City"


def test_the_table_gives_the_likelihood_of_the_matches_one_by_one() -> None:
    matches, _, _ = league(5, 2, np.random.default_rng(3))
    table = GoalsTable.of(matches, NOW, half_life_days=200)
    vector = np.random.default_rng(4).normal(0, 0.15, SHARED + 10)
    weights = [0.5 ** ((NOW - match.played_at).days / 200) for match in matches]
    expected = sum(
        weight * by_formula(match, table, vector)
        for weight, match in zip(weights, matches, strict=True)
    )
    assert log_likelihood(table, vector)[0] == pytest.approx(expected)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_gradient_and_hessian_are_those_of_small_differences(seed: int) -> None:
    table = small_table()
    vector = np.random.default_rng(seed).normal(0, 0.1, SHARED + 12)
    step = 1e-5 * np.eye(len(vector))
    up, down = log_likelihood(table, vector + step), log_likelihood(table, vector - step)
    _, gradient = log_likelihood(table, vector)
    assert (up[0] - down[0]) / 2e-5 == pytest.approx(gradient, abs=1e-5)
    assert (up[1] - down[1]) / 2e-5 == pytest.approx(likelihood_hessian(table, vector), abs=1e-5)


def test_the_prior_pulls_as_its_hessian_says() -> None:
    table = small_table()
    pooling = Pooling(PRIOR, table.newcomers)
    precisions = pooling.precisions(Scales(0.3, 0.1))
    one, other = np.random.default_rng(1).normal(0, 0.3, (2, SHARED + 12))
    _, pull_of_one = pooling.log_prior(one, precisions)
    _, pull_of_other = pooling.log_prior(other, precisions)
    assert pull_of_one - pull_of_other == pytest.approx(pooling.hessian(precisions) @ (one - other))


def test_the_fit_is_where_nothing_pulls() -> None:
    table = small_table()
    fit = fit_goals(table)
    pooling = Pooling(PRIOR, table.newcomers)
    _, slope = log_likelihood(table, fit.mode)
    _, pull = pooling.log_prior(fit.mode, pooling.precisions(fit.scales))
    assert slope + pull == pytest.approx(np.zeros(len(fit.mode)), abs=1e-4)
    curvature = -likelihood_hessian(table, fit.mode) - pooling.hessian(
        pooling.precisions(fit.scales)
    )
    assert fit.covariance @ curvature == pytest.approx(np.eye(len(fit.mode)), abs=1e-6)


def test_known_strengths_are_found_again() -> None:
    matches, attack, defence = league(18, 5, np.random.default_rng(8))
    table = GoalsTable.of(matches, NOW, half_life_days=np.inf)
    fit = fit_goals(table)
    found_attack, found_defence = fit.mode[SHARED:].reshape(2, -1)
    errors = np.sqrt(np.diag(fit.covariance))
    assert fit.mode[HOME] == pytest.approx(HOME_AHEAD, abs=4 * errors[HOME])
    truth = np.concatenate([attack - attack.mean(), defence - defence.mean()])
    found = np.concatenate([found_attack, found_defence])
    assert np.corrcoef(truth, found)[0, 1] > 0.95
    assert fit.scales.quality == pytest.approx(0.25, abs=0.12)


def test_flat_pooling_is_what_wide_deviations_come_to() -> None:
    table = small_table(half_life_days=np.inf)
    wide = Normal(0, 100)
    widest = Normal(4, 1e-3)
    pooled = fit_goals(
        table,
        GoalsPrior(wide, wide, wide, Normal(0, 1), log_quality=widest, log_style=widest),
    )
    flat = fit_goals(table, GoalsPrior.flat())
    strengths, by_likelihood = (
        fit.mode[SHARED:].reshape(2, -1) - fit.mode[SHARED:].reshape(2, -1).mean(1, keepdims=True)
        for fit in (pooled, flat)
    )
    assert strengths == pytest.approx(by_likelihood, abs=1e-3)
    assert pooled.mode[RHO] == pytest.approx(flat.mode[RHO], abs=1e-3)


def test_a_side_that_hardly_played_is_pulled_to_the_others() -> None:
    matches, _, _ = league(8, 1, np.random.default_rng(2))
    once = PlayedMatch("Newly", "T01", 6, 0, NOW - timedelta(days=3))
    table = GoalsTable.of([*matches, once], NOW, half_life_days=400)
    hardly = GoalsPrior(log_quality=Normal(1, 1e-3), log_style=Normal(1, 1e-3))
    pooled, by_itself = (
        of_team(table, fit_goals(table, prior), "Newly")[0] for prior in (PRIOR, hardly)
    )
    assert 0 < pooled < by_itself / 2


def test_a_newcomer_without_matches_is_an_ordinary_newcomer_and_uncertain() -> None:
    matches, _, _ = league(8, 2, np.random.default_rng(2))
    table = GoalsTable.of(matches, NOW, half_life_days=400, newcomers={"Up"})
    fit = fit_goals(table)
    attack, defence = of_team(table, fit, "Up")
    assert attack == pytest.approx(defence)
    assert attack == pytest.approx(fit.mode[NEWCOMER]) == pytest.approx(PRIOR.newcomer.mean)
    errors = np.sqrt(np.diag(fit.covariance))[SHARED:]
    assert errors[table.teams.index("Up")] == errors[: len(table.teams)].max()


def test_weak_newcomers_make_the_next_one_weaker() -> None:
    matches, _, _ = league(8, 2, np.random.default_rng(2))
    beaten = [
        PlayedMatch(side, f"T{at:02}", 0, 4, NOW - timedelta(days=30 + at))
        for side in ("Low", "Lower")
        for at in range(8)
    ]
    table = GoalsTable.of(
        [*matches, *beaten], NOW, half_life_days=400, newcomers={"Low", "Lower", "Next"}
    )
    assert of_team(table, fit_goals(table), "Next")[0] < PRIOR.newcomer.mean - 0.02


def test_old_matches_count_less() -> None:
    matches, _, _ = league(6, 1, np.random.default_rng(9))
    long_ago = [
        PlayedMatch("T00", f"T{at:02}", 5, 0, NOW - timedelta(days=3000)) for at in range(1, 6)
    ]
    last_week = [replace(match, played_at=NOW - timedelta(days=7)) for match in long_ago]

    def strength(more: list[PlayedMatch]) -> float:
        table = GoalsTable.of([*matches, *more], NOW, half_life_days=300)
        return of_team(table, fit_goals(table), "T00")[0]

    assert strength(long_ago) == pytest.approx(strength([]), abs=0.02)
    assert strength(last_week) > strength([]) + 0.1


@given(st.permutations(range(6)))
@settings(max_examples=15)
def test_what_sides_are_called_changes_nothing(order: list[int]) -> None:
    matches, _, _ = league(6, 1, np.random.default_rng(5))
    names = {f"T{old:02}": f"T{new:02}" for old, new in enumerate(order)}
    renamed = [
        replace(match, home=names[match.home], away=names[match.away]) for match in matches[::-1]
    ]
    table = GoalsTable.of(matches, NOW, half_life_days=400)
    other = GoalsTable.of(renamed, NOW, half_life_days=400)
    fit, fit_of_other = fit_goals(table), fit_goals(other)
    for team, name in names.items():
        assert of_team(table, fit, team) == pytest.approx(
            of_team(other, fit_of_other, name), abs=1e-5
        )


def test_a_fit_begun_at_another_ends_at_the_same() -> None:
    table = small_table()
    fit = fit_goals(table)
    again = fit_goals(table, start=fit)
    assert again.mode == pytest.approx(fit.mode, abs=0.005)
    with pytest.raises(InvalidInput, match="other teams"):
        fit_goals(GoalsTable.of(season(), ENDED, half_life_days=400), start=fit)


MATCH = PlayedMatch("A", "B", 1, 0, NOW - timedelta(days=1))


@pytest.mark.parametrize(
    "match",
    [
        replace(MATCH, home_goals=-1),
        replace(MATCH, away_goals=100),
        replace(MATCH, away_goals=1.5),
        replace(MATCH, home_goals=float("nan")),
        replace(MATCH, home_goals=None),
        replace(MATCH, away="A"),
        replace(MATCH, home=""),
        replace(MATCH, played_at=NOW),
        replace(MATCH, played_at=NOW - timedelta(hours=1)),
        replace(MATCH, played_at=NOW + timedelta(days=1)),
        replace(MATCH, played_at=MATCH.played_at.replace(tzinfo=None)),
        replace(MATCH, played_at=NOW.replace(year=9)),
    ],
)
def test_a_broken_match_or_one_of_the_future_is_refused_by_name(match: PlayedMatch) -> None:
    with pytest.raises(InvalidInput) as refused:
        GoalsTable.of([MATCH, match], NOW, half_life_days=400)
    assert refused.value.field == "matches"


def test_what_nothing_can_be_learned_from_is_refused_by_name() -> None:
    with pytest.raises(NoMatches):
        GoalsTable.of([], NOW, half_life_days=400)
    with pytest.raises(NoMatches, match="too old"):
        GoalsTable.of(
            [replace(MATCH, played_at=NOW - timedelta(days=30_000))], NOW, half_life_days=90
        )
    for half_life in (0.0, -1.0, float("nan")):
        with pytest.raises(InvalidInput) as refused:
            GoalsTable.of([MATCH], NOW, half_life_days=half_life)
        assert refused.value.field == "half_life_days"
    with pytest.raises(InvalidInput, match="deviation of rho"):
        fit_goals(small_table(), GoalsPrior(rho=Normal(0, 0)))
    with pytest.raises(InvalidInput, match="home lies"):
        fit_goals(small_table(), GoalsPrior(home=Normal(float("nan"), 1)))


def test_without_pooling_one_sided_results_have_no_fit() -> None:
    table = GoalsTable.of([MATCH], NOW, half_life_days=400)
    with pytest.raises(FitFailed):
        fit_goals(table, GoalsPrior.flat())
    silent = GoalsTable.of(
        league(4, 1, np.random.default_rng(1))[0], NOW, half_life_days=400, newcomers={"Up"}
    )
    with pytest.raises(FitFailed, match="Up has not played"):
        fit_goals(silent, GoalsPrior.flat())
    # Pooled, one match is a fit all the same.
    assert np.isfinite(fit_goals(table).mode).all()


def test_draws_have_the_fits_mean_and_covariance() -> None:
    fit = fit_goals(small_table())
    draws = fit.draw(np.random.default_rng(0).standard_normal((20_000, len(fit.mode))))
    assert draws.mean(0) == pytest.approx(fit.mean, abs=0.01)
    assert np.cov(draws.T) == pytest.approx(fit.covariance, abs=0.003)
    with pytest.raises(InvalidInput) as refused:
        fit.draw(np.zeros((3, 2)))
    assert refused.value.field == "normals"
