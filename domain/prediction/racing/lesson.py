"""What a day of races teaches: the only writer of the memory.

Ratings follow Kalman: a horse's true speed moves at random between its runs, and each race shows it relative to those
that ran in it. Times are compared with standards of course and distance that were learned from earlier days, less what
the day's races have in common, the going above all.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats
from domain.prediction.racing.memory import RUNS_KEPT, Horse, Past, Person, Run, Slope, Sums
from domain.prediction.racing.places import (
    course_of,
    level_of,
    pair_of,
    places_of,
    rail_of,
)
from domain.prediction.racing.races import Race
from domain.refusals import InvalidInput

# Seconds a kilometre, squared: one run around a horse's form, a newcomer around its class, and form's drift a day.
NOISE: Final = 0.30
NEWCOMER: Final = 0.25
DRIFT: Final = 0.0003
POUND: Final = 0.006
"""What a pound more costs, in seconds a kilometre."""
USUAL_WEIGHT: Final = 124.0
HALF_LIFE: Final = 540.0
HALF_LIFE_LATELY: Final = 45.0
# Eased horses say little about themselves.
_WORST: Final = -2.5
_SECONDS_A_KM: Final = 60.0
_RUNS_FOR_A_STANDARD: Final = 30
_KEEP_LEVEL: Final = 0.999
_KEEP_SLOPE: Final = 0.9998


def hear(past: Past, day: Sequence[Race]) -> None:
    """Learn from all races of one day, which comes after all that were heard. Raises InvalidInput."""
    days = {race.day for race in day}
    if len(days) != 1 or min(days).toordinal() <= past.last_day:
        raise InvalidInput("days are heard whole and in their order", field="day")
    known = [_Known.of(past, race) for race in day]
    variants = _variants(past, known)
    for race in known:
        _remember(past, race, variants)
    past.last_day = min(days).toordinal()
    past.races += len(day)


def rating_of(past: Past, name: str, race: Race) -> tuple[float, float]:
    """Give a horse's rating and its variance on the day of a race; a newcomer's is that of its class."""
    horse = past.horses.get(name)
    if horse is None:
        level = past.levels.get(level_of(race))
        return (0.0 if level is None else level.mean(20.0)), NEWCOMER
    rested = race.day.toordinal() - horse.day
    return horse.rating, min(horse.variance + DRIFT * rested, NEWCOMER)


class _Known(Struct, eq=False):
    """One race with what was known before it, and what it showed (runners,): NaN without a time."""

    race: Race
    ratings: Floats
    variances: Floats
    expected: Floats
    seconds: Floats
    margins: Floats
    gains: Floats

    @classmethod
    def of(cls, past: Past, race: Race) -> "_Known":
        pairs = np.array([rating_of(past, runner.horse, race) for runner in race.runners])
        ratings, variances = pairs[:, 0], pairs[:, 1]
        weights = np.array([runner.weight_lbs for runner in race.runners])
        expected = ratings - POUND * (weights - USUAL_WEIGHT)
        seconds = np.array(
            [
                np.nan
                if runner.finish is None or runner.finish.seconds is None
                else runner.finish.seconds
                for runner in race.runners
            ]
        )
        timed = np.isfinite(seconds)
        margins = np.full(len(seconds), np.nan)
        gains = margins.copy()
        if timed.sum() > 1:
            margins = -_SECONDS_A_KM * (seconds / np.median(seconds[timed]) - 1)
            margins = np.maximum(margins, _WORST)
            margins -= margins[timed].mean()
            beyond = margins - expected
            trust = 1 / (variances + NOISE)
            gains = beyond - (beyond * trust)[timed].sum() / trust[timed].sum()
        return cls(race, ratings, variances, expected, seconds, margins, gains)


def _variants(past: Past, races: Sequence[_Known]) -> dict[str, float]:
    """Give by how much each venue and surface was slow that day, in seconds a kilometre, shrunk by one race of 0.

    Standards are also learned here, after they were read.
    """
    found: dict[str, list[float]] = {}
    for known in races:
        race = known.race
        standard = past.standards.get(course_of(race))
        timed = np.isfinite(known.seconds)
        if race.distance_m is None or not timed.any():
            continue
        if standard is not None and standard.count >= _RUNS_FOR_A_STANDARD:
            slow = known.seconds / race.distance_m * 1000 + known.expected - standard.mean(0.0)
            found.setdefault(f"{race.venue}|{race.surface}", []).append(
                float(np.median(slow[timed]))
            )
    for known in races:
        race = known.race
        if race.distance_m is not None:
            standard = past.standards.setdefault(course_of(race), Sums())
            for seconds, expected in zip(known.seconds, known.expected, strict=True):
                if np.isfinite(seconds):
                    standard.add(float(seconds / race.distance_m * 1000 + expected), _KEEP_SLOPE)
    return {place: sum(slow) / (len(slow) + 1) for place, slow in found.items()}


def _remember(past: Past, known: _Known, variants: dict[str, float]) -> None:
    race = known.race
    day, count = race.day.toordinal(), len(race.runners)
    won = race.won()
    market = market_of(race)
    pace = _pace(past, race)
    standard = past.standards.get(course_of(race))
    variant = variants.get(f"{race.venue}|{race.surface}")
    course, rail = course_of(race), rail_of(race)
    draws = np.array(
        [np.nan if runner.draw is None else runner.draw for runner in race.runners], np.float64
    )
    level = past.levels.setdefault(level_of(race), Sums())
    for at, runner in enumerate(race.runners):
        finish = runner.finish
        timed = bool(np.isfinite(known.gains[at]))
        gain = float(known.gains[at])
        figure = None
        if timed and variant is not None and standard is not None and race.distance_m is not None:
            took = float(known.seconds[at]) / race.distance_m * 1000
            figure = standard.mean(0.0) - took + variant + POUND * (runner.weight_lbs - USUAL_WEIGHT)
        early = None
        if finish is not None and finish.positions:
            early = min((finish.positions[0] - 1) / (count - 1), 1.0)
        place = None if finish is None else finish.place
        score = 0.0 if place is None else max(0.0, 1 - (place - 1) / (count - 1))
        chance = None if market is None else float(market[at])
        surprise = 0.0 if chance is None else float(won[at]) - chance
        horse = past.horses.get(runner.horse)
        if horse is None:
            horse = Horse(float(known.ratings[at]), NEWCOMER, first_day=day)
            past.horses[runner.horse] = horse
        horse.variance = float(known.variances[at])
        if timed:
            kalman = horse.variance / (horse.variance + NOISE)
            horse.rating += kalman * gain
            horse.variance *= 1 - kalman
            level.add(horse.rating, _KEEP_LEVEL)
            for place_kind in places_of(race):
                horse.at.setdefault(place_kind, Sums()).add(gain)
            horse.at.setdefault(f"j|{runner.jockey}", Sums()).add(gain)
            if np.isfinite(draws[at]):
                x = float(draws[at] - (count + 1) / 2) / count
                past.draws.setdefault(course, Slope()).add(x, gain, _KEEP_SLOPE)
                past.draws.setdefault(rail, Slope()).add(x, gain, _KEEP_SLOPE)
            if early is not None:
                past.styles.setdefault(course, Slope()).add(early - 0.5, gain, _KEEP_SLOPE)
                past.styles.setdefault(rail, Slope()).add(early - 0.5, gain, _KEEP_SLOPE)
        horse.day, horse.trainer = day, runner.trainer
        horse.runs += 1
        horse.wins += float(won[at])
        horse.placed += place is not None and place <= 3  # noqa: PLR2004
        horse.recent.insert(
            0,
            Run(
                day=day,
                gain=gain if timed else None,
                margin=float(known.margins[at]) if timed else None,
                figure=figure,
                score=score,
                early=early,
                pace=pace,
                market=None if chance is None else float(np.log(chance * count)),
                surprise=surprise,
                weight=runner.weight_lbs,
                body=runner.body_lbs,
                distance=race.distance_m,
                prize=race.prize,
                jockey=runner.jockey,
            ),
        )
        del horse.recent[RUNS_KEPT:]
        for book, name, half_life in (
            (past.jockeys, runner.jockey, HALF_LIFE),
            (past.trainers, runner.trainer, HALF_LIFE),
            (past.pairs, pair_of(runner), HALF_LIFE),
            (past.jockeys_lately, runner.jockey, HALF_LIFE_LATELY),
            (past.trainers_lately, runner.trainer, HALF_LIFE_LATELY),
        ):
            person = book.setdefault(name, Person(day))
            person.fade(day, half_life)
            person.rides += 1
            person.wins += float(won[at])
            person.even += 1 / count
            person.surprises += surprise
            person.market += 0.0 if chance is None else chance
            if timed:
                person.gained += gain
                person.timed += 1


def market_of(race: Race) -> Floats | None:
    """Give the chances that the odds imply, scaled to 1 (runners,); None unless every runner has odds."""
    odds = race.odds()
    if not np.isfinite(odds).all():
        return None
    implied: Floats = 1 / odds
    return implied / implied.sum()


def _pace(past: Past, race: Race) -> float:
    """Give by how many percent more of the leader's time than usual went before the last section, and learn what is usual."""
    whole = sum(race.sections)
    if len(race.sections) < 2 or whole <= 0:  # noqa: PLR2004
        return 0.0
    share = 100 * (whole - race.sections[-1]) / whole
    usual = past.early_shares.setdefault(course_of(race), Sums())
    slow = share - usual.mean(0.0) if usual.count >= 5 else 0.0  # noqa: PLR2004
    usual.add(share)
    return slow
