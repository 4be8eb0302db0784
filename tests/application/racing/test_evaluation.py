import numpy as np
import pytest

from application.racing.evaluation import evaluate_races, top_shares
from domain.prediction.racing.form_logit import FormLogitLearner
from domain.prediction.racing.race_table import race_table
from domain.refusals import NoMatches
from tests.racing_maker import make_races

LEARNERS = (
    FormLogitLearner(),
    FormLogitLearner(name="short", without=frozenset({"rating", "mean_margin", "best_figure"})),
)


def test_against_a_poor_market_form_gains_and_the_table_says_by_how_much() -> None:
    races = make_races(seasons=6, days=13, market_noise=0.8)
    found = evaluate_races(races, LEARNERS, ["logit"])
    r2, top, covered = found.rows
    assert r2.reached
    assert r2.difference.low > 0
    assert r2.difference.value == pytest.approx(r2.figure - r2.reference_figure)
    assert r2.races == top.races == 2 * 13 * 4
    assert top.figure > top.reference_figure
    assert top.difference.low <= top.difference.value <= top.difference.high
    assert covered.races == pytest.approx(found.coverage * r2.races)
    assert covered.figure > top.figure
    assert found.held_out == ("2023/24", "2024/25")
    assert {row.forecaster for row in found.seasons} == {"market", "form", "stack"}
    assert sum(row.runners for row in found.reliability) == r2.races * 8
    assert "FINAL odds" in found.note
    names = [row.members for row in found.ablation]
    assert "market + logit" in names
    assert "market + all 2 but logit" in names
    assert set(found.weights) == {"market", "logit"}


def test_a_market_that_knows_all_leaves_no_gain() -> None:
    races = make_races(seasons=6, days=7, market_noise=0.0)
    found = evaluate_races(races, LEARNERS[:1], ["logit"])
    assert found.rows[0].difference.value < 0.05


def test_level_favourites_share_the_first_choice() -> None:
    table, _ = race_table(make_races(seasons=1, days=1))
    level = table.present / table.present.sum(1, keepdims=True)
    np.testing.assert_allclose(top_shares(level, table), 1 / 8)


def test_a_few_seasons_are_too_few_to_hold_two_out() -> None:
    with pytest.raises(NoMatches, match="six seasons"):
        evaluate_races(make_races(seasons=4, days=4), LEARNERS[:1], ["logit"])
