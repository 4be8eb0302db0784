import numpy as np
import pytest
from msgspec.structs import replace

from domain.prediction.racing.form_logit import exploded
from domain.prediction.racing.race_stack import fit_race_stack, log_chances, market_logs
from domain.prediction.racing.race_table import race_table
from domain.prediction.racing.races import Race
from domain.refusals import InvalidInput, NoMatches
from tests.racing_maker import make_races

RACES = make_races(seasons=2)
TABLE, _ = race_table(RACES)
NOISE = np.random.default_rng(1).standard_normal(TABLE.present.shape)
TRUTH = np.log(np.where(TABLE.won > 0, 0.5, 0.07))


def without_odds(race: Race) -> Race:
    return replace(race, runners=(replace(race.runners[0], odds=None), *race.runners[1:]))


def test_noise_has_no_weight_and_the_market_keeps_its_own() -> None:
    stack = fit_race_stack(TABLE, {"noise": NOISE}, ["noise"], market=True)
    market, noise = stack.fit.coefficients
    assert abs(noise) < 0.15
    assert market > 0.4


def test_a_member_that_knows_gains_weight() -> None:
    stack = fit_race_stack(TABLE, {"truth": TRUTH, "noise": NOISE}, ["truth", "noise"], market=True)
    _, truth, noise = stack.fit.coefficients
    assert truth > 0.5 > abs(noise)


def test_with_few_races_the_prior_holds() -> None:
    few = TABLE.part(np.arange(len(TABLE.races)) < 1)
    said = {"a": NOISE[:1], "b": NOISE[:1]}
    trusting = fit_race_stack(few, said, ["a", "b"], market=True)
    np.testing.assert_allclose(trusting.fit.coefficients, [1, 0, 0], atol=0.1)
    begun = fit_race_stack(few, said, ["a", "b"], market=True, on_market=["b"])
    np.testing.assert_allclose(begun.fit.coefficients, [0, 0, 1], atol=0.1)
    alone = fit_race_stack(few, said, ["a", "b"], market=False)
    np.testing.assert_allclose(alone.fit.coefficients, [0.5, 0.5], atol=0.1)


def test_chances_sum_to_1_and_a_constant_a_race_changes_nothing() -> None:
    stack = fit_race_stack(TABLE, {"noise": NOISE}, ["noise"], market=True)
    chances = stack.chances(TABLE, {"noise": NOISE})
    np.testing.assert_allclose(chances.sum(1), 1)
    np.testing.assert_allclose(stack.chances(TABLE, {"noise": NOISE + 7}), chances)


def test_races_without_all_odds_are_refused_and_nothing_is_learned_from_nothing() -> None:
    table, _ = race_table([*RACES[:-1], without_odds(RACES[-1])])
    with pytest.raises(InvalidInput, match="odds"):
        fit_race_stack(table, {}, [], market=True)
    with pytest.raises(NoMatches):
        fit_race_stack(TABLE.part(np.zeros(len(RACES), np.bool_)), {}, [], market=True)
    with pytest.raises(InvalidInput, match="members"):
        fit_race_stack(TABLE, {}, [], market=False)


def test_logs_of_chances_are_of_those_present() -> None:
    logs = log_chances(np.full(TABLE.present.shape, 3.0), TABLE)
    np.testing.assert_allclose(np.exp(logs).sum(1), 1)
    np.testing.assert_allclose(np.exp(market_logs(TABLE)), TABLE.market)


def test_places_behind_the_winner_are_races_of_their_own() -> None:
    contests, weights, ahead = exploded(TABLE, NOISE[..., None], (1.0, 0.5))
    assert contests.won is not None
    count = len(TABLE.races)
    assert (contests.present[:count].sum(1) == 8).all()
    assert (contests.present[count:].sum(1) == 7).all()
    assert set(weights[:count]) == {1.0}
    assert set(ahead[count:]) == {1.0}
    assert (TABLE.places[contests.won[:count] > 0] == 1).all()
