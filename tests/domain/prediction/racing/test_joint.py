from datetime import date, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from domain.prediction.racing.joint import COLUMNS, check_joint, known
from domain.prediction.racing.memory import Joint
from domain.prediction.racing.race_table import race_table
from domain.prediction.racing.races import Finish, Going, Race, Runner
from domain.refusals import InvalidInput
from tests.racing_maker import card_of, make_races


def race_of(when: date, seconds: dict[str, float], jockeys: dict[str, str] | None = None) -> Race:
    """Run a race in which each horse takes so many seconds for a kilometre."""
    order = sorted(seconds.values())
    return Race(
        race_id=f"{when}",
        day=when,
        number=1,
        venue="V",
        surface="turf",
        going=Going.GOOD,
        distance_m=1000,
        race_class=4,
        runners=tuple(
            Runner(
                horse=horse,
                jockey=(jockeys or {}).get(horse, "usual"),
                trainer="t",
                weight_lbs=124.0,
                finish=Finish(order.index(took) + 1, took),
            )
            for horse, took in seconds.items()
        ),
    )


def long_horse(races: list[Race], horse: str) -> float:
    _, past = race_table(races)
    race = races[-1]
    runner = replace(race.runners[0], horse=horse, jockey="nobody")
    return known(past.joint, race, runner)[COLUMNS.index("long_horse")]


def test_horses_that_never_met_are_compared_through_a_third() -> None:
    days = [date(2020, 9, 1) + timedelta(at) for at in range(20)]
    races = []
    for at, day in enumerate(days):
        # b is a second behind a, and c a second behind b; a and c never meet.
        pair = {"a": 60.0, "b": 60.6} if at % 2 else {"b": 61.0, "c": 61.6}
        races.append(race_of(day, pair))
    speeds = {horse: long_horse(races, horse) for horse in "abc"}
    assert speeds["a"] > speeds["b"] + 0.2 > speeds["c"] + 0.4


def test_a_rivals_later_run_speaks_of_an_earlier_race() -> None:
    first = race_of(date(2020, 9, 1), {"a": 60.0, "b": 60.2})
    others = {f"o{at}": 62.0 + at / 10 for at in range(4)}
    good = [first, race_of(date(2020, 9, 8), {"b": 60.0, **others})]
    bad = [first, race_of(date(2020, 9, 8), {"b": 63.5, **others})]
    assert long_horse(good, "a") > long_horse(bad, "a") + 0.1


def test_a_good_jockey_takes_the_credit_and_his_horses_lose_it() -> None:
    days = [date(2020, 9, 1) + timedelta(at) for at in range(80)]
    races = []
    for at, day in enumerate(days):
        horses = [f"h{(at * 4 + one) % 40}" for one in range(4)]
        races.append(
            race_of(
                day,
                {
                    horse: 60.0 + (0.0 if one == at % 4 else 0.5) + one / 100
                    for one, horse in enumerate(horses)
                },
                {horses[at % 4]: "star"},
            )
        )
    _, past = race_table(races)
    last = races[-1]
    star, usual = (
        known(past.joint, last, replace(last.runners[0], horse="new", jockey=jockey))
        for jockey in ("star", "usual")
    )
    at = COLUMNS.index("long_jockey")
    assert star[at] - usual[at] > 0.1


def test_what_is_unknown_has_no_effect() -> None:
    race = make_races(seasons=1, days=1)[0]
    assert known(Joint(), race, race.runners[0]) == (0.0,) * len(COLUMNS)


def test_the_chances_that_odds_gave_are_explained_apart_from_margins() -> None:
    races = make_races(seasons=2)
    bare = [
        replace(race, runners=tuple(replace(runner, odds=None) for runner in race.runners))
        for race in races
    ]
    _, past = race_table(races)
    _, without = race_table(bare)
    race, runner = races[-1], races[-1].runners[0]
    effects, bare_effects = known(past.joint, race, runner), known(without.joint, race, runner)
    for at, column in enumerate(COLUMNS):
        if column.startswith("price_"):
            assert bare_effects[at] == 0
        else:
            assert effects[at] == pytest.approx(bare_effects[at], abs=1e-12)
    assert any(effects[COLUMNS.index(f"price_{kind}")] for kind in ("horse", "jockey"))


def test_runs_older_than_four_years_are_forgotten() -> None:
    races = [
        race_of(date(2015, 9, 1), {"old": 60.0, "older": 61.0}),
        race_of(date(2020, 9, 1), {"a": 60.0, "b": 61.0}),
    ]
    _, past = race_table(races)
    assert len(np.frombuffer(past.joint.columns["day"], "<i4")) == 2


def test_races_without_times_teach_nothing_and_break_nothing() -> None:
    race = make_races(seasons=1, days=1)[0]
    untimed = replace(
        race,
        runners=tuple(
            replace(runner, finish=Finish(at + 1)) for at, runner in enumerate(race.runners)
        ),
    )
    table, past = race_table([untimed])
    assert np.isfinite(table.features).all()
    assert past.joint.columns["day"] == b""
    card_of(race)


def test_a_memory_whose_arrays_do_not_fit_is_refused() -> None:
    _, past = race_table(make_races(seasons=1, days=2))
    joint = past.joint
    check_joint(joint)
    check_joint(Joint())
    for broken in (
        replace(joint, columns={**joint.columns, "margin": joint.columns["margin"][:-8]}),
        replace(joint, effects={**joint.effects, "evidence": b""}),
        replace(joint, effects={**joint.effects, "long dog": b""}),
        replace(
            joint, effects={**joint.effects, "evidence": b"\xff" * len(joint.effects["evidence"])}
        ),
    ):
        with pytest.raises(InvalidInput) as refused:
            check_joint(broken)
        assert refused.value.field == "artefact"


def test_after_a_pause_of_years_untimed_races_find_nothing_to_remember() -> None:
    first = race_of(date(2015, 9, 1), {"a": 60.0, "b": 61.0})
    untimed = replace(
        race_of(date(2021, 9, 1), {"a": 60.0, "b": 61.0}),
        runners=tuple(
            replace(runner, finish=Finish(at + 1)) for at, runner in enumerate(first.runners)
        ),
    )
    _, past = race_table([first, untimed])
    check_joint(past.joint)
    assert past.joint.columns["day"] == b""
