"""Markets of the score matrix: they agree with the matrix, with each other, and with how bets are settled."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events.market import MarketType, Score
from domain.outcomes import Proposition, payoff_by_score
from domain.prediction.checks import Floats
from domain.prediction.goals_density import HOME, RHO, SHARED
from domain.prediction.goals_fit import fit_goals
from domain.prediction.goals_model import (
    GoalsModel,
    ending_chances,
    expected_goals,
    result_chances,
    returns_at,
    worth,
)
from domain.prediction.kelly import kelly_share_of_returns
from domain.prediction.score_chances import ScoreChances
from domain.refusals import InvalidInput, NotOffered, SelectionNotInMarket, UnknownTeam
from domain.scores import results_from_score
from domain.settlement import leg_multiplier
from tests.builders import FIXTURE, NOW
from tests.domain.prediction.leagues import small_table

rates = st.floats(0.05, 8)
rhos = st.floats(-0.5, 0.5)
lines = st.integers(-20, 20).map(lambda quarters: Decimal(quarters) / 4)


def market(kind: MarketType, line: Decimal | str | None, *selections: str) -> Proposition:
    return Proposition(kind, None if line is None else Decimal(line), selections)


RESULT = market("1X2", None, "home", "draw", "away")
DOUBLE = market("DC", None, "home_draw", "home_away", "draw_away")
NO_BET = market("DNB", None, "home", "away")
BOTH = market("BTTS", None, "yes", "no")
EXACT = market("CS", None, "0-0", "1-0", "2-1", "0-3", "other_home", "other_draw", "other_away")


def one(home: float, away: float, rho: float = 0.0) -> ScoreChances:
    return ScoreChances.of(np.array([[home]]), np.array([[away]]), np.array([[rho]]))


def win(chances: ScoreChances, of: Proposition, selection: str) -> float:
    return float(worth(chances, of, selection).win[0, 0])


def refund(chances: ScoreChances, of: Proposition, selection: str) -> float:
    return float(worth(chances, of, selection).refund[0, 0])


@given(home=rates, away=rates, rho=rhos)
def test_chances_of_scores_sum_to_1_and_none_is_negative(
    home: float, away: float, rho: float
) -> None:
    matrix = one(home, away, rho).matrix()[0]
    assert matrix.sum() == pytest.approx(1, abs=1e-12)
    assert (matrix >= 0).all()
    goals = np.arange(len(matrix))
    # The correction moves no goals: each side's are Poisson with its rate still.
    assert goals @ matrix.sum(1) == pytest.approx(home, abs=1e-6)
    assert matrix.sum(0) @ goals == pytest.approx(away, abs=1e-6)


def test_low_scores_are_corrected_as_dixon_and_coles_do() -> None:
    plain, corrected = one(1.4, 1.1).matrix()[0], one(1.4, 1.1, -0.1).matrix()[0]
    ratios = corrected[:3, :3] / plain[:3, :3]
    tau = np.ones((3, 3))
    tau[:2, :2] = [[1 + 1.4 * 1.1 * 0.1, 1 - 1.4 * 0.1], [1 - 1.1 * 0.1, 1 + 0.1]]
    assert ratios == pytest.approx(tau)
    assert plain[2, 1] == pytest.approx(np.exp(-2.5) * 1.4**2 / 2 * 1.1)


@given(home=rates, away=rates, rho=rhos, line=lines)
@settings(max_examples=50)
def test_every_market_adds_up_to_all_that_can_happen(
    home: float, away: float, rho: float, line: Decimal
) -> None:
    chances = one(home, away, rho)
    total = market("OU", abs(line) + Decimal("0.5"), "over", "under")
    handicap = market("AH", line, "home", "away")
    for of, winners in ((RESULT, 1), (BOTH, 1), (EXACT, 1), (DOUBLE, 2)):
        assert sum(win(chances, of, each) for each in of.selections) == pytest.approx(winners)
    for of in (total, handicap, NO_BET):
        one_side, other = of.selections
        assert refund(chances, of, one_side) == pytest.approx(refund(chances, of, other))
        assert win(chances, of, one_side) + win(chances, of, other) + refund(
            chances, of, other
        ) == pytest.approx(1)


@given(home=rates, away=rates, rho=rhos)
@settings(max_examples=50)
def test_markets_agree_with_the_matrix_and_with_each_other(
    home: float, away: float, rho: float
) -> None:
    chances = one(home, away, rho)
    matrix = chances.matrix()[0]
    home_win = win(chances, RESULT, "home")
    draw = win(chances, RESULT, "draw")
    assert home_win == pytest.approx(np.tril(matrix, -1).sum())
    assert draw == pytest.approx(np.trace(matrix))
    assert win(chances, market("AH", "-0.5", "home", "away"), "home") == pytest.approx(home_win)
    assert win(chances, market("AH", "0.5", "home", "away"), "home") == pytest.approx(
        home_win + draw
    )
    level = market("AH", "0", "home", "away")
    assert win(chances, level, "home") == pytest.approx(win(chances, NO_BET, "home"))
    assert refund(chances, level, "home") == pytest.approx(draw)
    quarter = market("AH", "-0.25", "home", "away")
    assert win(chances, quarter, "home") == pytest.approx(home_win)
    assert refund(chances, quarter, "home") == pytest.approx(draw / 2)
    assert win(chances, DOUBLE, "home_draw") == pytest.approx(home_win + draw)
    assert win(chances, BOTH, "yes") == pytest.approx(matrix[1:, 1:].sum())
    assert win(chances, EXACT, "2-1") == pytest.approx(matrix[2, 1])
    goals = np.add.outer(np.arange(len(matrix)), np.arange(len(matrix)))
    over = market("OU", "2.5", "over", "under")
    assert win(chances, over, "over") == pytest.approx(matrix[goals > 2.5].sum())


@given(home=rates, away=rates, rho=rhos)
@settings(max_examples=25)
def test_longer_lines_are_never_likelier(home: float, away: float, rho: float) -> None:
    chances = one(home, away, rho)
    lines = [Decimal(quarters) / 4 for quarters in range(2, 25)]

    def fair(kind: MarketType, line: Decimal, *selections: str) -> float:
        return worth(chances, market(kind, line, *selections), selections[0]).probability()[0].value

    overs = [fair("OU", line, "over", "under") for line in lines]
    handicaps = [fair("AH", line - 3, "home", "away") for line in lines]
    assert (np.diff(overs) <= 1e-9).all()
    assert (np.diff(handicaps) >= -1e-9).all()


@pytest.mark.parametrize("line", ["-1.25", "-1", "-0.75", "-0.5", "0", "0.25"])
@pytest.mark.parametrize("kind", ["AH", "OU"])
def test_expected_returns_are_those_of_settling_every_score(kind: MarketType, line: str) -> None:
    if kind == "OU":
        line = str(abs(Decimal(line)) + 2)
    sides = ("home", "away") if kind == "AH" else ("over", "under")
    of, odds = market(kind, line, *sides), Decimal("1.95")
    chances = one(1.7, 1.2, -0.1)
    matrix = chances.matrix()[0]
    expected = 0.0
    for home in range(len(matrix)):
        for away in range(len(matrix)):
            results = results_from_score(
                kind, of.line, dict.fromkeys(sides, ""), FIXTURE, Score(home, away)
            )
            expected += matrix[home, away] * float(Fraction(leg_multiplier(odds, results[0])))
    found = worth(chances, of, sides[0])
    assert found.expected_profit(np.array([1.95]))[0] == pytest.approx(expected - 1)
    fair_odds = 1 / found.probability()[0].value
    assert found.expected_profit(np.array([fair_odds]))[0] == pytest.approx(0, abs=1e-9)


@given(home=rates, away=rates, rho=rhos, line=lines, odds=st.floats(1.01, 20))
@settings(max_examples=50)
def test_the_ways_a_bet_can_end_add_up_to_what_it_is_worth(
    home: float, away: float, rho: float, line: Decimal, odds: float
) -> None:
    chances = one(home, away, rho)
    for of in (
        market("AH", line, "home", "away"),
        market("OU", abs(line), "over", "under"),
        RESULT,
    ):
        for selection in of.selections:
            endings = ending_chances(chances, of, selection)
            assert endings.sum() == pytest.approx(1)
            # A line of quarters has no push, and ends by a half on one side only.
            assert np.count_nonzero(endings[0]) <= 3
            expected = float(endings[0] @ returns_at(odds)) - 1
            profit = worth(chances, of, selection).expected_profit(np.array([odds]))[0]
            assert expected == pytest.approx(profit, abs=1e-9)


def test_a_handicap_with_value_is_staked_on_and_one_without_is_not() -> None:
    chances = one(1.8, 1.0)
    of = market("AH", "-0.75", "home", "away")
    endings = ending_chances(chances, of, "home")[0]
    fair = 1 / worth(chances, of, "home").probability()[0].value
    assert kelly_share_of_returns(endings, returns_at(fair * 0.99)) == 0
    assert 0 < kelly_share_of_returns(endings, returns_at(fair * 1.1)) < 0.2


@given(home=st.floats(0.05, 5), away=st.floats(0.05, 5), rho=rhos, more=st.floats(0.001, 2))
def test_a_better_attack_never_lowers_the_chance_to_win(
    home: float, away: float, rho: float, more: float
) -> None:
    before, after = one(home, away, rho), one(home + more, away, rho)
    assert win(after, RESULT, "home") >= win(before, RESULT, "home") - 1e-9
    assert win(after, RESULT, "away") <= win(before, RESULT, "away") + 1e-9


@given(home=rates, away=rates, rho=rhos)
def test_sides_exchanged_exchange_their_chances(home: float, away: float, rho: float) -> None:
    here, there = one(home, away, rho).matrix()[0], one(away, home, rho).matrix()[0]
    assert here == pytest.approx(there.T)


# ---- many draws and matches


def model(draws: int = 40) -> GoalsModel:
    table = small_table()
    fit = fit_goals(table)
    normals = np.random.default_rng(0).standard_normal((draws, len(fit.mode)))
    return GoalsModel.of(table, fit.draw(normals))


FIXTURES = [("T00", "T01"), ("T01", "T00"), ("T05", "T02")]


def test_many_matches_at_once_are_each_by_itself() -> None:
    sides = model()
    together = result_chances(sides.chances(FIXTURES))
    assert together.shape == (3, 3)
    assert together.sum(1) == pytest.approx(np.ones(3))
    for fixture, row in zip(FIXTURES, together, strict=True):
        assert result_chances(sides.chances([fixture]))[0] == pytest.approx(row)
    assert sides.chances([]).matrix().shape[0] == 0


def test_the_mean_of_the_draws_is_what_each_draw_says() -> None:
    sides = model(draws=5)
    chances = sides.chances(FIXTURES)
    singles = [GoalsModel(sides.teams, row[None], NOW).chances(FIXTURES) for row in sides.draws]
    matrices: list[Floats] = [single.matrix()[:, :13, :13] for single in singles]
    assert chances.matrix()[:, :13, :13] == pytest.approx(np.mean(matrices, axis=0))
    attack, defence = sides.draws[0, SHARED:].reshape(2, -1)
    home_rate = np.exp(sides.draws[0, 0] + sides.draws[0, HOME] + attack[0] - defence[1])
    assert chances.home_rates[0, 0] == pytest.approx(home_rate)
    assert abs(sides.draws[:, RHO]).max() < 0.5


def test_intervals_hold_the_mean_and_widen_with_the_level() -> None:
    chances = model(draws=400).chances(FIXTURES)
    of_home = worth(chances, RESULT, "home")
    for wide, narrow in zip(of_home.probability(0.95), of_home.probability(0.5), strict=True):
        assert 0 < wide.low < narrow.low < narrow.value < narrow.high < wide.high < 1
    for home, away in expected_goals(chances):
        assert home.low < home.value < home.high
        assert away.low < away.value < away.high


def test_a_better_attack_in_every_draw_wins_more() -> None:
    sides = model()
    better = sides.draws.copy()
    better[:, SHARED] += 0.2
    improved = GoalsModel(sides.teams, better, NOW)
    before, after = (each.chances([("T00", "T01")]) for each in (sides, improved))
    assert (worth(after, RESULT, "home").win > worth(before, RESULT, "home").win).all()


def test_what_the_model_cannot_know_is_refused_by_name() -> None:
    sides = model()
    with pytest.raises(UnknownTeam, match="'Nobody'"):
        sides.chances([("T00", "Nobody")])
    with pytest.raises(InvalidInput, match="cannot play itself"):
        sides.chances([("T00", "T00")])
    chances = sides.chances(FIXTURES)
    with pytest.raises(NotOffered):
        worth(chances, market("ML", None, "home", "away"), "home")
    with pytest.raises(NotOffered):
        payoff_by_score(market("WIN", None, "a", "b"), "a", 5)
    with pytest.raises(InvalidInput, match=r"multiple of 0\.25"):
        worth(chances, market("OU", "2.4", "over", "under"), "over")
    with pytest.raises(SelectionNotInMarket):
        worth(chances, RESULT, "nobody")
    for level in (0.0, 1.0, float("nan")):
        with pytest.raises(InvalidInput):
            worth(chances, RESULT, "home").probability(level)
    for bad in (0.0, -1.0, 31.0, float("nan")):
        with pytest.raises(InvalidInput) as refused:
            one(bad, 1.0)
        assert refused.value.field == "rates"
    with pytest.raises(InvalidInput):
        one(1.0, 1.0, float("nan"))
    with pytest.raises(InvalidInput):
        GoalsModel.of(small_table(), np.zeros((0, 16)))
