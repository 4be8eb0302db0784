"""What a day of races teaches: the only writer of the memory.

Ratings follow Kalman: a horse's true speed moves at random between its runs, and each race shows it relative to those
that ran in it. Times are compared with standards of course and distance that were learned from earlier days, less what
the day's races have in common, the going above all.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from domain.prediction.racing import joint
from domain.prediction.racing.memory import RUNS_KEPT, Horse, Past, Person, Run, Slope, Sums
from domain.prediction.racing.places import (
    course_of,
    level_of,
    pair_of,
    places_of,
    rail_of,
    track_of,
)
from domain.prediction.racing.races import Race, Runner
from domain.prediction.racing.shown import (
    NEWCOMER,
    NOISE,
    POUND,
    USUAL_WEIGHT,
    Shown,
    market_of,
)
from domain.refusals import InvalidInput

HALF_LIFE: Final = 400.0
HALF_LIFE_LATELY: Final = 45.0
_RUNS_FOR_A_STANDARD: Final = 30
_RACES_FOR_A_SHARE: Final = 5
_KEEP_LEVEL: Final = 0.999
_KEEP: Final = 0.9998
_PLACED: Final = 3


def hear(past: Past, day: Sequence[Race]) -> None:
    """Learn from all races of one day, which comes after all that were heard. Raises InvalidInput."""
    days = {race.day for race in day}
    if len(days) != 1 or min(days).toordinal() <= past.last_day:
        raise InvalidInput("days are heard whole and in their order", field="day")
    # All of the day is compared with what was known in the morning, before any of it is learned.
    shown = [Shown.of(past, race) for race in day]
    runs = _runs(past, shown)
    for race, its_runs in zip(shown, runs, strict=True):
        _learn_course(past, race, its_runs)
        for at, runner in enumerate(race.race.runners):
            _learn_horse(past, race, at, its_runs[at])
            _learn_people(past, race.race, runner, its_runs[at])
    past.last_day = min(days).toordinal()
    joint.learn(past.joint, past.last_day, shown)
    past.races += len(day)


def _runs(past: Past, day: Sequence[Shown]) -> list[list[Run]]:
    """Give what later races need of each runner, by race; reads the memory only."""
    slow = _slowness(past, day)
    found = []
    for shown in day:
        race = shown.race
        standard = _standard(past, race)
        base = None if standard is None else standard + slow.get(track_of(race), 0.0)
        pace, market = _pace(past, race), market_of(race)
        won = race.won()
        found.append(
            [
                _run(shown, at, base, pace, float(won[at]), None if market is None else market[at])
                for at in range(len(race.runners))
            ]
        )
    return found


def _run(
    shown: Shown, at: int, base: float | None, pace: float, won: float, chance: float | None
) -> Run:
    race, runner = shown.race, shown.race.runners[at]
    behind_first = len(race.runners) - 1
    finish, timed = runner.finish, bool(shown.timed()[at])
    figure = early = None
    if timed and base is not None and race.distance_m is not None:
        took = float(shown.seconds[at]) / race.distance_m * 1000
        figure = base - took + POUND * (runner.weight_lbs - USUAL_WEIGHT)
    if finish is not None and finish.positions:
        early = min((finish.positions[0] - 1) / behind_first, 1.0)
    place = None if finish is None else finish.place
    return Run(
        day=race.day.toordinal(),
        gain=float(shown.gains[at]) if timed else None,
        margin=float(shown.margins[at]) if timed else None,
        figure=figure,
        place=place,
        score=0.0 if place is None else max(0.0, 1 - (place - 1) / behind_first),
        early=early,
        pace=pace,
        market=None if chance is None else float(np.log(chance * len(race.runners))),
        won=won,
        surprise=0.0 if chance is None else float(won - chance),
        # A whole number would be written down differently after it was read.
        weight=float(runner.weight_lbs),
        body=None if runner.body_lbs is None else float(runner.body_lbs),
        distance=race.distance_m,
        prize=None if race.prize is None else float(race.prize),
        jockey=runner.jockey,
    )


def _standard(past: Past, race: Race) -> float | None:
    """Give the seconds a kilometre of a horse of rating 0 on the race's course, once enough have run there."""
    known = past.standards.get(course_of(race))
    if race.distance_m is None or known is None or known.count < _RUNS_FOR_A_STANDARD:
        return None
    return known.mean(0.0)


def _slowness(past: Past, day: Sequence[Shown]) -> dict[str, float]:
    """Give by how many seconds a kilometre each venue's surface was slow that day, shrunk by one race of 0."""
    found: dict[str, list[float]] = {}
    for shown in day:
        standard, paces, timed = _standard(past, shown.race), shown.paces(), shown.timed()
        if standard is not None and paces is not None and timed.any():
            slow = float(np.median(paces[timed])) - standard
            found.setdefault(track_of(shown.race), []).append(slow)
    return {track: sum(slow) / (len(slow) + 1) for track, slow in found.items()}


def _pace(past: Past, race: Race) -> float:
    """Give by how many percent more of the leader's time than usual went before the last section."""
    share = _early_share(race)
    usual = past.early_shares.get(course_of(race))
    if share is None or usual is None or usual.count < _RACES_FOR_A_SHARE:
        return 0.0
    return share - usual.mean(0.0)


def _early_share(race: Race) -> float | None:
    whole = sum(race.sections)
    if len(race.sections) < 2 or whole <= 0:  # noqa: PLR2004
        return None
    return 100 * (whole - race.sections[-1]) / whole


def _learn_course(past: Past, shown: Shown, runs: Sequence[Run]) -> None:
    race = shown.race
    course, rail, count = course_of(race), rail_of(race), len(race.runners)
    paces = shown.paces()
    if paces is not None:
        standard = past.standards.setdefault(course, Sums())
        for pace in paces[shown.timed()]:
            standard.add(float(pace), _KEEP)
    share = _early_share(race)
    if share is not None:
        past.early_shares.setdefault(course, Sums()).add(share)
    for runner, run in zip(race.runners, runs, strict=True):
        if run.gain is None:
            continue
        if runner.draw is not None:
            from_middle = (runner.draw - (count + 1) / 2) / count
            for key in (course, rail):
                past.draws.setdefault(key, Slope()).add(from_middle, run.gain, _KEEP)
        if run.early is not None:
            for key in (course, rail):
                past.styles.setdefault(key, Slope()).add(run.early - 0.5, run.gain, _KEEP)


def _learn_horse(past: Past, shown: Shown, at: int, run: Run) -> None:
    race, runner = shown.race, shown.race.runners[at]
    horse = past.horses.get(runner.horse)
    if horse is None:
        horse = Horse(float(shown.ratings[at]), NEWCOMER, first_day=run.day)
        past.horses[runner.horse] = horse
    horse.variance = float(shown.variances[at])
    if run.gain is not None:
        believed = horse.variance / (horse.variance + NOISE)
        horse.rating += believed * run.gain
        horse.variance *= 1 - believed
        past.levels.setdefault(level_of(race), Sums()).add(horse.rating, _KEEP_LEVEL)
        for place in (*places_of(race), f"j|{runner.jockey}"):
            horse.at.setdefault(place, Sums()).add(run.gain)
    horse.day, horse.trainer = run.day, runner.trainer
    horse.runs += 1
    horse.wins += run.won
    horse.placed += run.place is not None and run.place <= _PLACED
    horse.recent.insert(0, run)
    del horse.recent[RUNS_KEPT:]


def _learn_people(past: Past, race: Race, runner: Runner, run: Run) -> None:
    for book, name, half_life in (
        (past.jockeys, runner.jockey, HALF_LIFE),
        (past.trainers, runner.trainer, HALF_LIFE),
        (past.pairs, pair_of(runner), HALF_LIFE),
        (past.jockeys_lately, runner.jockey, HALF_LIFE_LATELY),
        (past.trainers_lately, runner.trainer, HALF_LIFE_LATELY),
    ):
        person = book.setdefault(name, Person(run.day))
        person.fade(run.day, half_life)
        person.wins += run.won
        person.even += 1 / len(race.runners)
        person.surprises += run.surprise
        person.market += run.won - run.surprise
        if run.gain is not None:
            person.gained += run.gain
            person.timed += 1
