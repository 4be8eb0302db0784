"""Races as arrays to learn from: what was known before each, who won, and what final odds said."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Bools, Floats, Ints
from domain.prediction.racing.lesson import hear
from domain.prediction.racing.memory import Past
from domain.prediction.racing.races import Race
from domain.prediction.racing.reading import FEATURES, features
from domain.prediction.racing.shown import market_of
from domain.refusals import NoMatches

SEASON_STARTS_IN = 8
"""Seasons of Hong Kong begin in September; a season is named by the year in which it begins."""


class RaceTable(Struct, frozen=True, eq=False):
    """Races in the order of their days, padded to the largest field.

    `features` (races, runners, FEATURES) and `market` (races, runners), the chances that final odds imply, are 0 where
    no runner is `present` (races, runners). `market` is all 0 where a runner had no odds. `won` (races, runners) is the
    share of the win, `places` (races, runners) the place, 0 for none; both are 0 throughout in a race still to be run.
    """

    races: tuple[Race, ...]
    features: Floats
    present: Bools
    won: Floats
    market: Floats
    places: Ints

    def part(self, chosen: Bools) -> "RaceTable":
        """Give some of the races: `chosen` (races,)."""
        return RaceTable(
            tuple(race for race, one in zip(self.races, chosen, strict=True) if one),
            self.features[chosen],
            self.present[chosen],
            self.won[chosen],
            self.market[chosen],
            self.places[chosen],
        )


def race_table(
    races: Iterable[Race],
    past: Past | None = None,
    on_day: Callable[[int], None] | None = None,
) -> tuple[RaceTable, Past]:
    """Walk through races day by day: give the table of what was known before each, and the memory after the last.

    `on_day` hears how many races are done. Raises NoMatches, InvalidInput.
    """
    past = Past() if past is None else past
    ordered = sorted(races, key=lambda race: (race.day, race.venue, race.number))
    if not ordered:
        raise NoMatches("there are no races to learn from")
    rows: list[Floats] = []
    for _, day in groupby(ordered, key=lambda race: race.day):
        today = list(day)
        rows.extend(features(past, race) for race in today)
        hear(past, today)
        if on_day is not None:
            on_day(len(rows))
    return _padded(ordered, rows), past


def card_table(past: Past, races: Sequence[Race]) -> RaceTable:
    """Give the table of coming races, all of days after those that `past` has heard. Raises InvalidInput, NoMatches."""
    if not races:
        raise NoMatches("there are no races to forecast")
    return _padded(races, [features(past, race) for race in races])


def seasons_of(table: RaceTable) -> Ints:
    """Give each race's season by the year in which it began (races,)."""
    return np.array(
        [race.day.year - (race.day.month < SEASON_STARTS_IN) for race in table.races], np.int64
    )


def _padded(races: Sequence[Race], rows: Sequence[Floats]) -> RaceTable:
    widest = max(len(race.runners) for race in races)
    shape = (len(races), widest)
    table = np.zeros((*shape, len(FEATURES)))
    present = np.zeros(shape, np.bool_)
    won, market = np.zeros(shape), np.zeros(shape)
    places = np.zeros(shape, np.int64)
    for at, (race, row) in enumerate(zip(races, rows, strict=True)):
        count = len(race.runners)
        table[at, :count] = row
        present[at, :count] = True
        if any(runner.finish is not None for runner in race.runners):
            won[at, :count] = race.won()
        chances = market_of(race)
        if chances is not None:
            market[at, :count] = chances
        places[at, :count] = [
            0 if runner.finish is None or runner.finish.place is None else runner.finish.place
            for runner in race.runners
        ]
    return RaceTable(tuple(races), table, present, won, market, places)
