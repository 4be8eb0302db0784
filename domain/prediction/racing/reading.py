"""What was known of each runner before the day of its race: the only reader of the memory.

`OWN` columns differ between runners of a race and are given less the field's mean; `CONTEXT` columns are the race's own,
equal for its runners: trees and networks weigh the others by them, a conditional logit cannot.
"""

from math import log
from typing import Final

import numpy as np

from domain.prediction.checks import Floats
from domain.prediction.racing.joint import COLUMNS, KINDS, SPEEDS, known
from domain.prediction.racing.lesson import HALF_LIFE_LATELY
from domain.prediction.racing.memory import Horse, Past, Person, Run, Sums
from domain.prediction.racing.places import course_of, pair_of, places_of, rail_of
from domain.prediction.racing.races import WET, Race, Runner
from domain.prediction.racing.shown import POUND, USUAL_WEIGHT, rating_of
from domain.refusals import InvalidInput

OWN: Final = (
    "rating",
    "rating_variance",
    "last_figure",
    "mean_figure",
    "best_figure",
    "last_margin",
    "mean_margin",
    "mean_gain",
    "form",
    "last_score",
    "win_rate",
    "place_rate",
    "runs",
    "newcomer",
    "rest",
    "long_rest",
    "short_rest",
    "since_debut",
    "weight",
    "weight_change",
    "body",
    "body_change",
    "prize_change",
    "distance_change",
    "draw",
    "draw_bias",
    "draw_bias_rail",
    "draw_missing",
    "style",
    "style_bias",
    "style_bias_rail",
    "late_kick",
    "pace_luck",
    "jockey_gain",
    "jockey_wins",
    "jockey_lately",
    "jockey_change",
    "trainer_gain",
    "trainer_wins",
    "trainer_lately",
    "trainer_change",
    "pair_gain",
    "pair_wins",
    "horse_and_jockey",
    "venue_gain",
    "surface_gain",
    "ground_gain",
    "distance_gain",
    "surface_tried",
    "past_market",
    "last_market",
    "surprise",
    "jockey_surprise",
    "trainer_surprise",
    "jockey_market",
    "trainer_market",
    *COLUMNS,
    "joint",
    "joint_price",
)
CONTEXT: Final = (
    "field",
    "distance",
    "dirt",
    "wet",
    "class",
    "prize",
    "leaders",
    "newcomers",
)
FROM_ODDS: Final = frozenset(
    {
        "past_market",
        "last_market",
        "surprise",
        "jockey_surprise",
        "trainer_surprise",
        "jockey_market",
        "trainer_market",
        *(column for column in COLUMNS if column.startswith("price_")),
        "joint_price",
    }
)
"""Columns that use final odds of earlier days' races."""
FEATURES: Final = (*OWN, *CONTEXT)

_FORM_HALF_LIFE: Final = 120.0
_LONG_REST: Final = 75
_SHORT_REST: Final = 14
_NEWCOMER_REST: Final = 60.0
_LEADER: Final = 0.25
_NOBODY: Final = Person()
_NOTHING: Final = Sums()


def features(past: Past, race: Race) -> Floats:
    """Give what was known of each runner before the race's day (runners, FEATURES), all finite.

    Raises InvalidInput when a race of that day or a later one has been heard.
    """
    if race.day.toordinal() <= past.last_day:
        raise InvalidInput(
            f"results up to the day of race {race.race_id} are known: what was known before is lost",
            field="day",
        )
    own = np.array([_own(past, race, runner) for runner in race.runners], np.float64)
    finite = np.isfinite(own)
    count = finite.sum(0)
    mean = np.where(finite, own, 0.0).sum(0) / np.maximum(count, 1)
    own = np.where(finite, own - mean, 0.0)
    styles = mean[_STYLE] + own[:, _STYLE]
    leaders = float((styles < _LEADER).sum())
    context = np.array(
        [
            len(race.runners),
            0.0 if race.distance_m is None else race.distance_m / 1000,
            float(race.surface == "dirt"),
            float(race.going in WET),
            -1.0 if race.race_class is None else race.race_class,
            log(race.prize) if race.prize else 0.0,
            leaders,
            mean[_NEWCOMER] * len(race.runners),
        ]
    )
    return np.hstack([own, np.broadcast_to(context, (len(own), len(context)))])


_STYLE: Final = OWN.index("style")
_NEWCOMER: Final = OWN.index("newcomer")


def _own(past: Past, race: Race, runner: Runner) -> list[float]:
    """Give the columns OWN of one runner, NaN where nothing is known."""
    day, count = race.day.toordinal(), len(race.runners)
    horse = past.horses.get(runner.horse)
    rating, variance = rating_of(past, runner.horse, race)
    draw = np.nan if runner.draw is None else (runner.draw - (count + 1) / 2) / count
    style = _style(horse, day)
    return [
        rating,
        variance,
        *_form(horse, day),
        *_history(horse, day),
        *_weights(horse, race, runner),
        draw,
        *_biases(past, race, 0.0 if runner.draw is None else draw, style),
        *_running(horse, day),
        *_people(past, horse, runner, day),
        *_suits(horse, race),
        *_prices(past, horse, runner, day),
        *_joint(past, race, runner),
    ]


def _faded(horse: Horse | None, day: int, column: str, shrink: float) -> float:
    """Give the mean of a column of the last runs, which counts less with age, shrunk to 0."""
    if horse is None:
        return np.nan
    total = whole = 0.0
    for run in horse.recent:
        value = getattr(run, column)
        if value is not None:
            weight = 0.5 ** ((day - run.day) / _FORM_HALF_LIFE)
            total += weight * value
            whole += weight
    return total / (whole + shrink) if whole else np.nan


def _form(horse: Horse | None, day: int) -> tuple[float, ...]:
    if horse is None:
        return (np.nan,) * 8
    figures = [run.figure for run in horse.recent if run.figure is not None]
    last = horse.recent[0]
    return (
        figures[0] if figures else np.nan,
        _faded(horse, day, "figure", 0.0),
        max(figures[:5]) if figures else np.nan,
        np.nan if last.margin is None else last.margin,
        _faded(horse, day, "margin", 0.3),
        _faded(horse, day, "gain", 0.5),
        _faded(horse, day, "score", 0.0),
        last.score,
    )


def _history(horse: Horse | None, day: int) -> tuple[float, ...]:
    """Give win_rate, place_rate, runs, newcomer, rest, long_rest, short_rest, since_debut."""
    if horse is None:
        return (1 / 12, 3 / 12, 0.0, 1.0, log(_NEWCOMER_REST), 0.0, 0.0, 0.0)
    rest = day - horse.day
    return (
        (horse.wins + 0.5) / (horse.runs + 6),
        (horse.placed + 1.5) / (horse.runs + 6),
        log(1 + horse.runs),
        0.0,
        log(rest),
        float(rest > _LONG_REST),
        float(rest < _SHORT_REST),
        log(1 + (day - horse.first_day) / 365),
    )


def _weights(horse: Horse | None, race: Race, runner: Runner) -> tuple[float, ...]:
    """Give weight, weight_change, body, body_change, prize_change, distance_change."""
    body = np.nan if runner.body_lbs is None else runner.body_lbs / 100
    if horse is None:
        return (runner.weight_lbs, 0.0, body, 0.0, 0.0, 0.0)
    last = horse.recent[0]
    moved = 0.0
    if runner.body_lbs is not None and last.body is not None:
        moved = (runner.body_lbs - last.body) / 10
    return (
        runner.weight_lbs,
        runner.weight_lbs - last.weight,
        body,
        moved,
        log(race.prize / last.prize) if race.prize and last.prize else 0.0,
        (race.distance_m - last.distance) / 1000 if race.distance_m and last.distance else 0.0,
    )


def _biases(past: Past, race: Race, draw: float, style: float) -> tuple[float, ...]:
    """Give draw_bias, draw_bias_rail, draw_missing, style, style_bias, style_bias_rail."""
    course, rail = course_of(race), rail_of(race)
    from_middle = 0.0 if np.isnan(style) else style - 0.5
    by_course, by_rail = past.draws.get(course), past.draws.get(rail)
    pace, pace_rail = past.styles.get(course), past.styles.get(rail)
    return (
        draw * by_course.value(20.0) if by_course else 0.0,
        draw * by_rail.value(20.0) if by_rail else 0.0,
        float(draw == 0),
        style,
        from_middle * pace.value(20.0) if pace else 0.0,
        from_middle * pace_rail.value(20.0) if pace_rail else 0.0,
    )


def _style(horse: Horse | None, day: int) -> float:
    return _faded(horse, day, "early", 0.0)


def _running(horse: Horse | None, day: int) -> tuple[float, ...]:
    """Give late_kick, places made after the first call, and pace_luck: coming from behind off a slow pace, or leading off a fast one."""
    if horse is None:
        return (np.nan, 0.0)
    kick = luck = whole = 0.0
    for run in horse.recent:
        if run.early is not None:
            weight = 0.5 ** ((day - run.day) / _FORM_HALF_LIFE)
            kick += weight * (run.score - (1 - run.early))
            luck += weight * run.pace * (run.early - 0.5)
            whole += weight
    return (kick / whole, luck / whole) if whole else (np.nan, 0.0)


def _gain(person: Person, shrink: float) -> float:
    return person.gained / (person.timed + shrink)


def _wins(person: Person, shrink: float) -> float:
    return log((person.wins + shrink) / (person.even + shrink))


def _left(person: Person, day: int, half_life: float) -> float:
    return 0.5 ** ((day - person.day) / half_life) if person.day else 0.0


def _people(past: Past, horse: Horse | None, runner: Runner, day: int) -> tuple[float, ...]:
    """Give jockey_gain to horse_and_jockey."""
    jockey = past.jockeys.get(runner.jockey, _NOBODY)
    trainer = past.trainers.get(runner.trainer, _NOBODY)
    pair = past.pairs.get(pair_of(runner), _NOBODY)
    before = None if horse is None else past.jockeys.get(horse.recent[0].jockey, _NOBODY)
    skill = _wins(jockey, 3.0)
    return (
        _gain(jockey, 30.0),
        skill,
        _lately(past.jockeys_lately.get(runner.jockey, _NOBODY), day),
        0.0 if before is None else skill - _wins(before, 3.0),
        _gain(trainer, 30.0),
        _wins(trainer, 3.0),
        _lately(past.trainers_lately.get(runner.trainer, _NOBODY), day),
        float(horse is not None and horse.trainer != runner.trainer),
        _gain(pair, 20.0),
        _wins(pair, 2.0),
        0.0 if horse is None else horse.at.get(f"j|{runner.jockey}", _NOTHING).mean(3.0),
    )


def _lately(person: Person, day: int) -> float:
    """Give wins above even ones in the last weeks, shrunk."""
    left = _left(person, day, HALF_LIFE_LATELY)
    return log((person.wins * left + 1.5) / (person.even * left + 1.5))


def _suits(horse: Horse | None, race: Race) -> tuple[float, ...]:
    """Give venue_gain, surface_gain, ground_gain, distance_gain, surface_tried."""
    if horse is None:
        return (0.0, 0.0, 0.0, 0.0, 0.0)
    kinds = [horse.at.get(kind, _NOTHING) for kind in places_of(race)]
    return (*(kind.mean(3.0) for kind in kinds), float(kinds[1].count > 0))


def _prices(past: Past, horse: Horse | None, runner: Runner, day: int) -> tuple[float, ...]:
    """Give past_market to trainer_market: what final odds of earlier days said."""
    jockey = past.jockeys.get(runner.jockey, _NOBODY)
    trainer = past.trainers.get(runner.trainer, _NOBODY)
    last: Run | None = None if horse is None else horse.recent[0]
    return (
        _faded(horse, day, "market", 0.0),
        np.nan if last is None or last.market is None else last.market,
        _faded(horse, day, "surprise", 1.0),
        jockey.surprises / (jockey.even + 3.0),
        trainer.surprises / (trainer.even + 3.0),
        log((jockey.market + 1.0) / (jockey.even + 1.0)),
        log((trainer.market + 1.0) / (trainer.even + 1.0)),
    )


def _joint(past: Past, race: Race, runner: Runner) -> tuple[float, ...]:
    """Give the effects of COLUMNS, and what the long ones add up to with the weight, and those of prices."""
    *effects, evidence = known(past.joint, race, runner)
    weight = POUND * (runner.weight_lbs - USUAL_WEIGHT)
    priced = effects[-len(SPEEDS["price"].ridge) :]
    return (*effects, log(1 + evidence), sum(effects[: len(KINDS)]) - weight, sum(priced))
