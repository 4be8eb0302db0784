"""What is known before a race never depends on it, nor on anything after it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from application.racing.training import forecast_seasons
from domain.prediction.racing.form_logit import FormLogitLearner
from domain.prediction.racing.lesson import hear
from domain.prediction.racing.memory import Past
from domain.prediction.racing.race_table import race_table
from domain.prediction.racing.races import Finish, Race
from domain.prediction.racing.reading import FEATURES, FROM_ODDS, OWN, features
from domain.refusals import InvalidInput
from tests.racing_maker import card_of, make_races


def upset(race: Race) -> Race:
    """Turn a race around: the last wins, times and odds are others."""
    count = len(race.runners)
    return replace(
        race,
        going=race.going,
        sections=(30.0, 10.0),
        runners=tuple(
            replace(
                runner,
                odds=1.5 + at,
                finish=Finish(count - at, 60.0 - at, (at + 1, count - at)),
            )
            for at, runner in enumerate(race.runners)
        ),
    )


@settings(max_examples=6, deadline=None)
@given(cut=st.integers(8, 90), seed=st.integers(0, 3))
def test_races_to_come_and_their_results_change_no_feature_of_the_past(cut: int, seed: int) -> None:
    races = make_races(seasons=2, seed=seed)
    day = races[cut].day
    before = [race for race in races if race.day <= day]
    known, _ = race_table(before)
    changed = [race if race.day < day else upset(race) for race in races]
    later, _ = race_table(changed)
    assert (later.features[: len(before)] == known.features).all()


def test_races_to_come_and_their_results_change_no_fit_and_no_forecast_of_the_past() -> None:
    races = make_races(seasons=4)
    learners = (FormLogitLearner(),)
    cut = races[-60].day
    ended = [race for race in races if race.day < cut]
    said, known = forecast_seasons(race_table(ended)[0], learners)
    changed = [race if race.day < cut else upset(race) for race in races]
    said_later, known_later = forecast_seasons(race_table(changed)[0], learners)
    count = len(ended)
    assert known.any()
    assert (known_later[:count] == known).all()
    assert (said_later["logit"][:count] == said["logit"]).all()


def test_a_race_does_not_see_its_own_result_nor_its_own_odds() -> None:
    races = make_races(seasons=1)
    past = Past()
    for race in races[:-4]:
        if race.day.toordinal() > past.last_day:
            hear(past, [one for one in races if one.day == race.day])
    race = races[-1]
    seen = features(past, race)
    assert (features(past, upset(race)) == seen).all()
    assert (features(past, card_of(race)) == seen).all()


def test_races_of_one_day_do_not_see_each_other() -> None:
    races = make_races(seasons=1)
    last = races[-1].day
    table, _ = race_table(races)
    changed, _ = race_table([race if race.day < last else upset(race) for race in races])
    assert (table.features == changed.features).all()


def test_what_was_known_before_a_day_that_is_over_is_lost() -> None:
    races = make_races(seasons=1)
    _, past = race_table(races)
    with pytest.raises(InvalidInput, match="results up to the day"):
        features(past, races[-1])
    with pytest.raises(InvalidInput, match="in their order"):
        hear(past, [races[0]])
    with pytest.raises(InvalidInput, match="whole"):
        hear(Past(), races[:8])


def test_columns_without_odds_do_not_move_when_all_odds_do() -> None:
    races = make_races(seasons=1)
    table, _ = race_table(races)
    moved, _ = race_table(
        [
            replace(race, runners=tuple(replace(runner, odds=3.0) for runner in race.runners))
            for race in races
        ]
    )
    by_odds = [FEATURES.index(name) for name in FROM_ODDS]
    rest = [at for at in range(len(FEATURES)) if at not in by_odds]
    assert (table.features[..., rest] == moved.features[..., rest]).all()
    assert (table.features[..., by_odds] != moved.features[..., by_odds]).any()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 5), data=st.data())
def test_the_order_of_runners_changes_nothing(seed: int, data: st.DataObject) -> None:
    races = make_races(seasons=1, days=6, seed=seed)
    _, past = race_table(races[:-4])
    race = races[-1]
    order = data.draw(st.permutations(range(len(race.runners))))
    turned = replace(race, runners=tuple(race.runners[at] for at in order))
    np.testing.assert_allclose(
        features(past, turned), features(past, race)[list(order)], rtol=0, atol=1e-12
    )


def test_features_are_finite_and_relative_to_the_field() -> None:
    table, _ = race_table(make_races(seasons=1))
    assert np.isfinite(table.features).all()
    means = table.features[..., : len(OWN)].mean(1)
    np.testing.assert_allclose(means, 0, atol=1e-9)


def test_a_faster_horse_is_rated_higher_and_newcomers_have_the_level_of_their_class() -> None:
    races = make_races(seasons=2)
    _, past = race_table(races)
    wins: dict[str, list[int]] = {}
    for race in races:
        for runner in race.runners:
            assert runner.finish is not None
            wins.setdefault(runner.horse, []).append(runner.finish.place or 99)
    ratings = [past.horses[name].rating for name in wins]
    means = [float(np.mean(places)) for places in wins.values()]
    assert np.corrcoef(ratings, means)[0, 1] < -0.7
    stranger = replace(races[-1].runners[0], horse="stranger")
    coming = card_of(races[-1], day=races[-1].day.replace(year=2030))
    coming = replace(coming, runners=(stranger, *coming.runners[1:]))
    row = features(past, coming)[0]
    assert row[FEATURES.index("newcomer")] > 0
    assert np.isfinite(row).all()
