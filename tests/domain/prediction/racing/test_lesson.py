"""What races teach about horses, people and tracks."""

from datetime import date, timedelta

import numpy as np
from msgspec.structs import replace

from domain.prediction.racing.memory import Past
from domain.prediction.racing.places import course_of
from domain.prediction.racing.race_table import race_table
from domain.prediction.racing.races import Finish, Race, Runner
from domain.prediction.racing.reading import FEATURES, features
from tests.racing_maker import card_of, make_races


def column(past: Past, race: Race, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = features(past, card_of(race))[
        :, FEATURES.index(name)
    ]
    return found


def place_of(runner: Runner) -> int | None:
    return None if runner.finish is None else runner.finish.place


def slowed(race: Race, seconds_a_km: float) -> Race:
    """Give the same race on ground that costs everybody so much."""
    assert race.distance_m is not None
    more = seconds_a_km * race.distance_m / 1000
    runners = []
    for runner in race.runners:
        assert runner.finish is not None
        assert runner.finish.seconds is not None
        finish = replace(runner.finish, seconds=runner.finish.seconds + more)
        runners.append(replace(runner, finish=finish))
    return replace(race, runners=tuple(runners))


def test_a_slow_day_is_no_slow_horse() -> None:
    races = make_races(seasons=1, days=20)
    last_day = races[-5].day
    coming = replace(races[-1], day=races[-1].day + timedelta(1))
    figures = []
    for cost in (0.0, 2.0):
        run = [slowed(race, cost) if race.day == last_day else race for race in races[:-4]]
        _, past = race_table(run)
        known = [
            horse.recent[0].figure
            for horse in past.horses.values()
            if horse.recent[0].day == last_day.toordinal()
        ]
        assert None not in known
        figures.append(np.array(known, np.float64))
    # A race of 0 shrinks the day's slowness: most of the two seconds is gone, not all.
    assert abs(figures[1] - figures[0]).max() < 1.2
    assert coming.day > last_day


def test_good_draws_are_found_by_course() -> None:
    races = make_races(seasons=2, days=20)
    _, past = race_table(races)
    # In made-up races a low draw is worth 0.03 s a kilometre a place.
    slopes = [past.draws[course_of(race)].value(20.0) for race in races[-4:]]
    assert max(slopes) < 0
    race = replace(races[-1], day=races[-1].day + timedelta(7))
    draws = np.array([runner.draw for runner in race.runners], np.float64)
    assert np.corrcoef(draws, column(past, race, "draw_bias"))[0, 1] < -0.99


def test_rest_weights_and_moves_are_counted_from_the_last_run() -> None:
    races = make_races(seasons=1, days=10)
    _, past = race_table(races)
    last = races[-1]
    runners = tuple(
        replace(runner, weight_lbs=runner.weight_lbs + at, body_lbs=1100.0 + 10 * at)
        for at, runner in enumerate(last.runners)
    )
    card = card_of(last, day=last.day + timedelta(10), runners=runners)
    card = card_of(card)
    change = column(past, card, "weight_change")
    np.testing.assert_allclose(np.diff(change), 1)
    np.testing.assert_allclose(np.diff(column(past, card, "body_change")), 1)
    np.testing.assert_allclose(column(past, card, "short_rest"), 0)


def test_who_is_pulled_up_ran_and_has_no_gain() -> None:
    races = make_races(seasons=1, days=4)
    race = races[-1]
    loser = max(race.runners, key=lambda runner: place_of(runner) or 0)
    pulled = replace(loser, finish=Finish(None, None, (3,)))
    others = [runner for runner in race.runners if runner is not loser]
    _, past = race_table([*races[:-1], replace(race, runners=(pulled, *others))])
    horse = past.horses[pulled.horse]
    assert horse.recent[0].gain is None
    assert horse.recent[0].score == 0
    assert horse.day == race.day.toordinal()


def test_one_lucky_win_makes_no_great_jockey() -> None:
    races = make_races(seasons=1, days=10)
    race = races[-1]
    won = next(runner for runner in race.runners if place_of(runner) == 1)
    lucky = replace(
        race,
        runners=tuple(
            replace(runner, jockey="lucky") if runner is won else runner for runner in race.runners
        ),
    )
    _, past = race_table([*races[:-1], lucky])
    card = card_of(race, day=race.day + timedelta(7))
    jockeys = [jockey for jockey in past.jockeys if past.jockeys[jockey].even > 3]
    best = max(jockeys, key=lambda name: past.jockeys[name].wins / past.jockeys[name].even)
    card = replace(
        card,
        runners=(
            replace(card.runners[0], jockey="lucky"),
            replace(card.runners[1], jockey=best),
            *card.runners[2:],
        ),
    )
    gains = column(past, card, "long_jockey")
    assert gains[0] < gains[1]


def test_a_days_date_is_all_that_orders_it() -> None:
    races = make_races(seasons=1, days=3)
    one, _ = race_table(races)
    other, _ = race_table(races[::-1])
    assert [race.race_id for race in one.races] == [race.race_id for race in other.races]
    assert (one.features == other.features).all()
    assert one.races[0].day == date(2019, 9, 1)
