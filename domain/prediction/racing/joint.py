"""Who was fast and why: margins of all remembered races explained at once by horse, rider, trainer, track and draw.

A margin is the race's own effect + horse + jockey + trainer + horse on this track + draw on this course + weight, each
but the race's and the weight's with a normal prior around 0 (a ridge), and runs count less with age. Horses are compared
through all that they met and all that those met, so a rival's later run also speaks of this one's past. Solved by
Gauss–Seidel (backfitting, Buja, Hastie and Tibshirani 1989): a few sweeps a day from where the day before ended.
Mixed models of this kind rate animals (Henderson 1975).

The same is done with the logs of the chances that final odds gave: what the market thought of each on earlier days,
against whom.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats, Ints
from domain.prediction.racing.memory import Joint
from domain.prediction.racing.places import course_of, track_of
from domain.prediction.racing.races import Race, Runner
from domain.prediction.racing.shown import POUND, USUAL_WEIGHT, Shown, market_of
from domain.refusals import InvalidInput

KINDS: Final = ("horse", "jockey", "trainer", "track", "draw")
_WORST: Final = -1.5
_REMEMBERED_DAYS: Final = 1500
_SWEEPS: Final = 3
_FLOAT: Final = np.dtype("<f8")
_INT: Final = np.dtype("<i4")
_LEAST: Final = 1e-12
_DOUBLES: Final = ("margin", "market")


class Speed(Struct, frozen=True):
    """What is explained, how fast runs fade (days), and the precision of each kind's prior in runs."""

    column: str
    half_life: float
    ridge: dict[str, float]


SPEEDS: Final = {
    "long": Speed(
        "margin",
        240.0,
        {"horse": 0.25, "jockey": 12.0, "trainer": 20.0, "track": 3.0, "draw": 30.0},
    ),
    "short": Speed("margin", 60.0, {"horse": 0.5, "jockey": 12.0, "trainer": 20.0, "draw": 15.0}),
    "price": Speed(
        "market", 120.0, {"horse": 0.2, "jockey": 8.0, "trainer": 12.0, "track": 2.0, "draw": 30.0}
    ),
}
"""Settings chosen on seasons up to 2021/22."""


COLUMNS: Final = (
    *(f"{speed}_{kind}" for speed, settings in SPEEDS.items() for kind in settings.ridge),
    "evidence",
)
"""What `known` gives, by name."""


def known(joint: Joint, race: Race, runner: Runner) -> tuple[float, ...]:
    """Give the effects by speed and kind, and how many runs are known of the horse; 0 for what is new."""
    positions = {
        kind: joint.names.get(kind, {}).get(name)
        for kind, name in zip(KINDS, _names(race, runner), strict=True)
    }
    effects = [
        _at(joint.effects.get(f"{speed} {kind}"), positions[kind])
        for speed, settings in SPEEDS.items()
        for kind in settings.ridge
    ]
    return (*effects, _at(joint.effects.get("evidence"), positions["horse"]))


def check_joint(joint: Joint) -> None:
    """Refuse (field `artefact`) a memory whose arrays do not fit each other or hold no numbers."""
    lengths = {
        len(column) // (_FLOAT if name in _DOUBLES else _INT).itemsize
        for name, column in joint.columns.items()
    }
    fits = len(lengths) < 2 and set(joint.columns) <= {"day", "race", *_DOUBLES, *KINDS}  # noqa: PLR2004
    sizes = {kind: len(names) for kind, names in joint.names.items()}
    for name, written in joint.effects.items():
        kind = "horse" if name == "evidence" else name.rpartition(" ")[2]
        fits = fits and len(written) == _FLOAT.itemsize * sizes.get(kind, -1)
        fits = fits and bool(np.isfinite(np.frombuffer(written, _FLOAT)).all())
    if not fits:
        raise InvalidInput("the memory's arrays do not fit each other", field="artefact")


def learn(joint: Joint, day: int, races: Sequence[Shown]) -> None:
    """Remember a day's races and solve again."""
    _append(joint, day, races)
    days = _read(joint.columns, "day", _INT)
    kept = days >= day - _REMEMBERED_DAYS
    if not kept.all():
        for name, column in joint.columns.items():
            dtype = _FLOAT if name in _DOUBLES else _INT
            joint.columns[name] = np.frombuffer(column, dtype)[kept].tobytes()
        days = days[kept]
    if not len(days):
        return
    races_at = _read(joint.columns, "race", _INT).astype(np.int64)
    races_at = races_at - races_at[0]
    positions = {kind: _read(joint.columns, kind, _INT).astype(np.int64) for kind in KINDS}
    for speed, settings in SPEEDS.items():
        weights = 0.5 ** ((day - days) / settings.half_life)
        values = _read(joint.columns, settings.column, _FLOAT)
        weights = np.where(np.isfinite(values), weights, 0.0)
        values = np.where(np.isfinite(values), values, 0.0)
        _solve(joint, speed, settings, values, weights, races_at, positions)
        if speed == "long":
            runs = np.bincount(positions["horse"], weights, len(joint.names["horse"]))
            joint.effects["evidence"] = runs.astype(_FLOAT).tobytes()


def _solve(
    joint: Joint,
    speed: str,
    settings: Speed,
    values: Floats,
    weights: Floats,
    races: Ints,
    positions: dict[str, Ints],
) -> None:
    sizes = {kind: len(joint.names[kind]) for kind in settings.ridge}
    effects = {
        kind: _grown(joint.effects.get(f"{speed} {kind}"), size) for kind, size in sizes.items()
    }
    whole = {
        kind: np.bincount(positions[kind], weights, sizes[kind]) + ridge
        for kind, ridge in settings.ridge.items()
    }
    race_weights = np.bincount(races, weights) + _LEAST
    for _ in range(_SWEEPS):
        left = values - sum(effects[kind][positions[kind]] for kind in effects)
        left -= (np.bincount(races, weights * left) / race_weights)[races]
        for kind, effect in effects.items():
            left += effect[positions[kind]]
            effects[kind] = np.bincount(positions[kind], weights * left, sizes[kind]) / whole[kind]
            left -= effects[kind][positions[kind]]
    for kind, effect in effects.items():
        joint.effects[f"{speed} {kind}"] = effect.astype(_FLOAT).tobytes()


def _append(joint: Joint, day: int, races: Sequence[Shown]) -> None:
    fresh: dict[str, list[float]] = {name: [] for name in ("day", "race", *_DOUBLES, *KINDS)}
    for shown in races:
        joint.races += 1
        timed, market = shown.timed(), market_of(shown.race)
        if not timed.any():
            continue
        for at in np.flatnonzero(timed):
            runner = shown.race.runners[at]
            fresh["day"].append(day)
            fresh["race"].append(joint.races)
            weighed = POUND * (runner.weight_lbs - USUAL_WEIGHT)
            fresh["margin"].append(max(float(shown.margins[at]), _WORST) + weighed)
            fresh["market"].append(np.nan if market is None else float(np.log(market[at])))
            for kind, name in zip(KINDS, _names(shown.race, runner), strict=True):
                names = joint.names.setdefault(kind, {})
                fresh[kind].append(names.setdefault(name, len(names)))
    for column, values in fresh.items():
        dtype = _FLOAT if column in _DOUBLES else _INT
        joint.columns[column] = joint.columns.get(column, b"") + np.array(values, dtype).tobytes()


def _names(race: Race, runner: Runner) -> tuple[str, ...]:
    """Name what each kind's effect belongs to."""
    return (
        runner.horse,
        runner.jockey,
        runner.trainer,
        f"{runner.horse}|{track_of(race)}",
        f"{course_of(race)}|{runner.draw}",
    )


def _read(columns: dict[str, bytes], name: str, dtype: np.dtype[np.generic]) -> np.ndarray:
    return np.frombuffer(columns[name], dtype)


def _grown(written: bytes | None, size: int) -> Floats:
    effect = np.zeros(size)
    if written:
        before = np.frombuffer(written, _FLOAT)
        effect[: len(before)] = before
    return effect


def _at(written: bytes | None, position: int | None) -> float:
    if written is None or position is None:
        return 0.0
    return float(np.frombuffer(written, _FLOAT, 1, position * _FLOAT.itemsize)[0])
