"""Races and their runners: what a card says before the off, and what the result says after it.

One shape for all countries; docs/predictions-racing.md names the fields beside the columns of a file.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from math import isfinite
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from domain.money import MAX_ODDS
from domain.prediction.checks import Floats
from domain.refusals import InvalidInput

RUNNERS_MIN: Final = 2
RUNNERS_MAX: Final = 40
"""The Grand National once had 66 runners; since 1984 no race of this world starts more than 40."""
_WEIGHTS: Final = (60.0, 250.0)
_BODIES: Final = (500.0, 1800.0)
_DISTANCES: Final = (500, 8000)
_NAME_LONGEST: Final = 100


class Going(StrEnum):
    """The state of the ground, from fast to slow; the all-weather words are those of Hong Kong's dirt track."""

    FIRM = "firm"
    GOOD_TO_FIRM = "good_to_firm"
    GOOD = "good"
    GOOD_TO_YIELDING = "good_to_yielding"
    YIELDING = "yielding"
    YIELDING_TO_SOFT = "yielding_to_soft"
    SOFT = "soft"
    HEAVY = "heavy"
    WET_FAST = "wet_fast"
    WET_SLOW = "wet_slow"


WET: Final = frozenset(Going) - {Going.FIRM, Going.GOOD_TO_FIRM, Going.GOOD}
"""Ground on which some horses are at home and others are not."""


class Finish(Struct, frozen=True):
    """How a runner ended: `place` is None when it did not complete or was disqualified; two with one place tied."""

    place: int | None
    seconds: float | None = None
    positions: tuple[int, ...] = ()


class Runner(Struct, frozen=True):
    """One that starts: weights in lbs, `draw` from the rail, `odds` decimal, `finish` once it has run."""

    horse: str
    jockey: str
    trainer: str
    weight_lbs: float
    body_lbs: float | None = None
    draw: int | None = None
    number: int | None = None
    odds: float | None = None
    finish: Finish | None = None


class Race(Struct, frozen=True):
    """A race with those that started; the withdrawn are left out.

    `race_class` counts from 1, the best; 0 are races above all classes. `sections` are the leader's times of the parts
    of the race, in seconds. `odds_at` says when the odds were known; None: at the off, so they are final odds.
    """

    race_id: str
    day: date
    number: int
    venue: str
    surface: str
    going: Going
    runners: tuple[Runner, ...]
    rail: str = ""
    distance_m: int | None = None
    race_class: int | None = None
    prize: float | None = None
    sections: tuple[float, ...] = ()
    odds_at: datetime | None = None

    def won(self) -> Floats:
        """Give each runner's share of the win (runners,): ½ for each of two in a dead heat. Raises InvalidInput."""
        first = np.array([_place(runner) == 1 for runner in self.runners], np.float64)
        if not first.any():
            raise InvalidInput(f"race {self.race_id} has no winner", field="place")
        shares: Floats = first / first.sum()
        return shares

    def odds(self) -> Floats:
        """Give the odds (runners,), NaN where there are none."""
        return np.array(
            [np.nan if runner.odds is None else runner.odds for runner in self.runners], np.float64
        )


def _place(runner: Runner) -> int | None:
    return None if runner.finish is None else runner.finish.place


def check_race(race: Race) -> Race:
    """Give the race back; refuses one runner, a horse twice, and numbers that no race has, naming the field."""
    if not RUNNERS_MIN <= len(race.runners) <= RUNNERS_MAX:
        raise InvalidInput(
            f"a race has {RUNNERS_MIN} to {RUNNERS_MAX} runners, not {len(race.runners)}",
            field="runners",
        )
    if race.distance_m is not None and not _DISTANCES[0] <= race.distance_m <= _DISTANCES[1]:
        raise InvalidInput(
            f"a race is {_DISTANCES[0]} to {_DISTANCES[1]} m long", field="distance_m"
        )
    if race.prize is not None and not (isfinite(race.prize) and race.prize >= 0):
        raise InvalidInput("prize money is 0 or more", field="prize")
    if race.race_class is not None and not 0 <= race.race_class <= 20:  # noqa: PLR2004
        raise InvalidInput("a class lies from 0 to 20", field="race_class")
    for name in (race.race_id, race.venue, race.surface):
        if not name or len(name) > _NAME_LONGEST:
            raise InvalidInput(
                f"race_id, venue and surface have 1 to {_NAME_LONGEST} characters", field="race"
            )
    for runner in race.runners:
        _check_runner(runner)
    _check_apart([runner.horse for runner in race.runners], "horse")
    _check_apart([runner.draw for runner in race.runners if runner.draw is not None], "draw")
    return race


def _check_runner(runner: Runner) -> None:
    for field in ("horse", "jockey", "trainer"):
        if not 0 < len(getattr(runner, field).strip()) <= _NAME_LONGEST:
            raise InvalidInput(f"every runner has a {field}", field=field)
    # Comparisons with NaN are false, so each range is asked for, not its opposite.
    if not _WEIGHTS[0] <= runner.weight_lbs <= _WEIGHTS[1]:
        raise InvalidInput(
            f"{runner.horse} carries {runner.weight_lbs} lbs; {_WEIGHTS[0]:g} to {_WEIGHTS[1]:g} are possible",
            field="weight_lbs",
        )
    if runner.body_lbs is not None and not _BODIES[0] <= runner.body_lbs <= _BODIES[1]:
        raise InvalidInput(f"{runner.horse} weighs {runner.body_lbs} lbs", field="body_lbs")
    if runner.draw is not None and not 1 <= runner.draw <= RUNNERS_MAX:
        raise InvalidInput(f"{runner.horse} has draw {runner.draw}", field="draw")
    # A pool may pay no more than the stake back.
    if runner.odds is not None and not 1 <= runner.odds <= float(MAX_ODDS):
        raise InvalidInput(f"{runner.horse} has odds {runner.odds}", field="odds")
    finish = runner.finish
    if finish is None:
        return
    if finish.place is not None and not 1 <= finish.place <= RUNNERS_MAX:
        raise InvalidInput(f"{runner.horse} has place {finish.place}", field="place")
    if finish.seconds is not None and not 10 < finish.seconds < 1000:  # noqa: PLR2004
        raise InvalidInput(f"{runner.horse} took {finish.seconds} s", field="seconds")


def _check_apart(values: Sequence[str | int], field: str) -> None:
    if len(set(values)) < len(values):
        raise InvalidInput(f"two runners have the same {field}", field=field)


def card_from_json(content: bytes) -> Race:
    """Read a race card: a JSON object with the fields of `Race`. Raises InvalidInput that names what is wrong."""
    try:
        return check_race(msgspec.json.decode(content, type=Race))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"this is no race card: {error}", field="card") from error
