"""What a race showed beside what was known before it: margins and gains over the ratings.

Units: seconds a kilometre at a usual speed (60 s a kilometre), the more the better, so that distances compare.
"""

from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Bools, Floats
from domain.prediction.racing.memory import Past
from domain.prediction.racing.places import level_of
from domain.prediction.racing.races import Race

# Seconds a kilometre, squared: one run around a horse's form, a newcomer around its class, and form's drift a day.
NOISE: Final = 0.25
NEWCOMER: Final = 0.25
DRIFT: Final = 0.0003
POUND: Final = 0.008
"""What a pound more costs, in seconds a kilometre."""
USUAL_WEIGHT: Final = 124.0
# Eased horses say little about themselves.
_WORST: Final = -2.5
_SECONDS_A_KM: Final = 60.0
_LEVEL_SHRINK: Final = 20.0


class Shown(Struct, frozen=True, eq=False):
    """One race (runners,): ratings and variances before it, what they `expected` of each with its weight, and the result.

    `seconds` are NaN without a time; `margins` are about the field's mean, `gains` beyond what was expected of all.
    """

    race: Race
    ratings: Floats
    variances: Floats
    expected: Floats
    seconds: Floats
    margins: Floats
    gains: Floats

    @classmethod
    def of(cls, past: Past, race: Race) -> "Shown":
        """Compare a result with what `past` knew."""
        pairs = np.array([rating_of(past, runner.horse, race) for runner in race.runners])
        ratings, variances = pairs[:, 0], pairs[:, 1]
        weights = np.array([runner.weight_lbs for runner in race.runners])
        expected = ratings - POUND * (weights - USUAL_WEIGHT)
        times = [
            None if runner.finish is None else runner.finish.seconds for runner in race.runners
        ]
        seconds = np.array([np.nan if took is None else took for took in times])
        timed = np.isfinite(seconds)
        margins = np.full(len(seconds), np.nan)
        gains = margins.copy()
        if timed.sum() > 1:
            margins = _SECONDS_A_KM * (1 - seconds / np.median(seconds[timed]))
            margins = np.maximum(margins, _WORST)
            margins -= margins[timed].mean()
            beyond = margins - expected
            trust = 1 / (variances + NOISE)
            gains = beyond - (beyond * trust)[timed].sum() / trust[timed].sum()
        return cls(race, ratings, variances, expected, seconds, margins, gains)

    def timed(self) -> Bools:
        """Tell who was timed beside another (runners,)."""
        return np.isfinite(self.gains)

    def paces(self) -> Floats | None:
        """Give what a horse of rating 0 with the usual weight would have taken (runners,), seconds a kilometre."""
        if self.race.distance_m is None:
            return None
        paces: Floats = self.seconds / self.race.distance_m * 1000 + self.expected
        return paces


def rating_of(past: Past, name: str, race: Race) -> tuple[float, float]:
    """Give a horse's rating and its variance on the day of a race; a newcomer's is that of its class."""
    horse = past.horses.get(name)
    if horse is None:
        level = past.levels.get(level_of(race))
        return (0.0 if level is None else level.mean(_LEVEL_SHRINK)), NEWCOMER
    rested = race.day.toordinal() - horse.day
    return horse.rating, min(horse.variance + DRIFT * rested, NEWCOMER)


def market_of(race: Race) -> Floats | None:
    """Give the chances that the odds imply, scaled to 1 (runners,); None unless every runner has odds."""
    odds = race.odds()
    if not np.isfinite(odds).all():
        return None
    implied = 1 / odds
    chances: Floats = implied / implied.sum()
    return chances
