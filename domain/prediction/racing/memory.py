"""What is remembered of past races, and nothing of coming ones: plain structs that MessagePack can keep.

`lesson.hear` writes it, one day after the other; `reading.features` reads it.
"""

import msgspec
from msgspec import Struct

RUNS_KEPT = 8
"""A horse's form is in its last runs; older ones stay in its rating and its sums."""


class Run(Struct, frozen=True, array_like=True):
    """One past run of a horse, as later races need it.

    `gain` is how much faster than its field it was beyond what ratings said, `margin` without ratings, `figure` its
    speed against the standard of course, distance and day: seconds a kilometre, the more the better, None without a
    time. `score` is 1 for the winner to 0 for the last, `early` its first position, 0 led to 1 last, `pace` how much of
    the leader's time went before the last section, in percent above the usual. `market` is the log of its final chance
    over an even one, `won` its share of the win, `surprise` that share less its final chance.
    """

    day: int
    gain: float | None
    margin: float | None
    figure: float | None
    place: int | None
    score: float
    early: float | None
    pace: float
    market: float | None
    won: float
    surprise: float
    weight: float
    body: float | None
    distance: int | None
    prize: float | None
    jockey: str


class Sums(Struct, array_like=True):
    """A sum of gains; `mean(k)` is shrunk by k imagined ones of 0."""

    count: float = 0.0
    total: float = 0.0

    def add(self, value: float, keep: float = 1.0) -> None:
        """Count one more, after keeping this part of what was there."""
        self.count = self.count * keep + 1
        self.total = self.total * keep + value

    def mean(self, shrink: float) -> float:
        """Give the shrunk mean."""
        return self.total / (self.count + shrink) if self.count else 0.0


class Slope(Struct, array_like=True):
    """A regression through the origin of gains on something centred, such as the draw."""

    squares: float = 0.0
    products: float = 0.0

    def add(self, x: float, y: float, keep: float) -> None:
        """Count one more, after keeping this part of what was there."""
        self.squares = self.squares * keep + x * x
        self.products = self.products * keep + x * y

    def value(self, shrink: float) -> float:
        """Give the shrunk slope."""
        return self.products / (self.squares + shrink)


class Person(Struct, array_like=True):
    """How a jockey, a trainer or a pair of both did: sums that fade, as they stood on `day`.

    `wins` beside `even`, what even chances give; `market` what final odds gave,
    `surprises` wins beyond it; `gained`
    are gains beyond the horses' ratings, of `timed` runs.
    """

    day: int = 0
    wins: float = 0.0
    even: float = 0.0
    surprises: float = 0.0
    market: float = 0.0
    gained: float = 0.0
    timed: float = 0.0

    def fade(self, day: int, half_life: float) -> None:
        """Let what was before `day` count less."""
        if day <= self.day:
            return
        left = 0.5 ** ((day - self.day) / half_life)
        self.day = day
        self.wins *= left
        self.even *= left
        self.surprises *= left
        self.market *= left
        self.gained *= left
        self.timed *= left


class Horse(Struct):
    """A horse's rating (mean and variance, seconds a kilometre, the more the better) and what it has done.

    `at` are its gains by kind of place: venue, surface, ground, distance, jockey.
    """

    rating: float
    variance: float
    day: int = 0
    first_day: int = 0
    trainer: str = ""
    runs: int = 0
    wins: float = 0.0
    placed: int = 0
    recent: list[Run] = []
    at: dict[str, Sums] = {}


class Joint(Struct):
    """Runs and effects of `domain.prediction.racing.joint`; arrays are little-endian bytes, doubles or 4-byte integers.

    `names` by kind give each its position; `columns` are of the runs in order of time: day, race, margin, market,
    and a position for each kind; `effects` by speed and kind, and `evidence`, how many runs are known of a horse.
    """

    races: int = 0
    names: dict[str, dict[str, int]] = {}
    columns: dict[str, bytes] = {}
    effects: dict[str, bytes] = {}


class Past(Struct):
    """The memory of all races heard; `last_day` is the latest of them (proleptic ordinal), 0 before any."""

    last_day: int = 0
    races: int = 0
    horses: dict[str, Horse] = {}
    jockeys: dict[str, Person] = {}
    trainers: dict[str, Person] = {}
    pairs: dict[str, Person] = {}
    jockeys_lately: dict[str, Person] = {}
    trainers_lately: dict[str, Person] = {}
    standards: dict[str, Sums] = {}
    early_shares: dict[str, Sums] = {}
    draws: dict[str, Slope] = {}
    styles: dict[str, Slope] = {}
    levels: dict[str, Sums] = {}
    joint: Joint = msgspec.field(default_factory=Joint)
