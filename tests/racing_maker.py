"""Made-up races: horses of true speeds run against each other, and a market that knows them less than well."""

from datetime import date, timedelta

import numpy as np
from msgspec.structs import replace

from domain.prediction.racing.races import Finish, Going, Race, Runner

VENUES = ("Upper", "Lower")


def make_races(
    seasons: int = 3,
    days: int = 12,
    races_a_day: int = 4,
    *,
    runners: int = 8,
    seed: int = 1,
    first_season: int = 2019,
    market_noise: float = 0.5,
) -> list[Race]:
    """Make seasons from September on; horses, jockeys and draws matter, and final odds have a margin of a fifth."""
    rng = np.random.default_rng(seed)
    horses = rng.normal(0, 0.5, 20 * runners)
    jockeys = rng.normal(0, 0.2, 12)
    races = []
    for season in range(seasons):
        for day in range(days):
            when = date(first_season + season, 9, 1) + timedelta(7 * day)
            field = rng.permutation(len(horses))
            for number in range(races_a_day):
                chosen = field[number * runners : (number + 1) * runners]
                races.append(_race(rng, when, number + 1, chosen, horses, jockeys, market_noise))
    return races


def _race(
    rng: np.random.Generator,
    when: date,
    number: int,
    chosen: np.ndarray[tuple[int], np.dtype[np.int64]],
    horses: np.ndarray[tuple[int], np.dtype[np.float64]],
    jockeys: np.ndarray[tuple[int], np.dtype[np.float64]],
    market_noise: float,
) -> Race:
    count = len(chosen)
    rides = rng.permutation(len(jockeys))[:count]
    draws = rng.permutation(count) + 1
    speed = horses[chosen] + jockeys[rides] - 0.03 * draws
    distance = int(rng.choice([1000, 1200, 1600]))
    seconds = np.round(
        (60 + rng.normal(0, 0.3) - speed - rng.gumbel(0, 0.4, count)) * distance / 1000, 2
    )
    places = 1 + (seconds[:, None] > seconds).sum(1)
    believed = np.exp((speed + rng.normal(0, market_noise, count)) / 0.4)
    odds = np.clip(np.round(believed.sum() / believed / 1.2, 1), 1.1, 500.0)
    first_calls = np.argsort(np.argsort(draws + rng.normal(0, 2, count))) + 1
    return Race(
        race_id=f"{when.isoformat()}/{number}",
        day=when,
        number=number,
        venue=VENUES[number % 2],
        surface="turf",
        going=Going.GOOD if number % 3 else Going.SOFT,
        rail="A",
        distance_m=distance,
        race_class=1 + number % 4,
        prize=100_000.0 * number,
        sections=(20.0, 21.0, float(rng.normal(20, 0.3))),
        runners=tuple(
            Runner(
                horse=f"horse {chosen[at]}",
                jockey=f"jockey {rides[at]}",
                trainer=f"trainer {chosen[at] % 9}",
                weight_lbs=float(115 + rng.integers(0, 18)),
                body_lbs=1100.0,
                draw=int(draws[at]),
                number=at + 1,
                odds=float(odds[at]),
                finish=Finish(
                    int(places[at]), float(seconds[at]), (int(first_calls[at]), int(places[at]))
                ),
            )
            for at in range(count)
        ),
    )


def card_of(race: Race, **changes: object) -> Race:
    """Give a race as it was before it was run."""
    before = replace(
        race, sections=(), runners=tuple(replace(runner, finish=None) for runner in race.runners)
    )
    return replace(before, **changes)
