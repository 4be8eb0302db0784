"""The racing model: what is remembered of the past, members, and how they are weighed; chances of a coming race."""

from collections.abc import Mapping
from datetime import date
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from application.racing.members import Learner, Member
from domain.prediction.checks import Floats
from domain.prediction.conditional_logit import LogitFit
from domain.prediction.racing.joint import check_joint
from domain.prediction.racing.memory import Past
from domain.prediction.racing.orders import place_chances
from domain.prediction.racing.race_stack import RaceStack, log_chances, market_logs
from domain.prediction.racing.race_table import RaceTable, card_table
from domain.prediction.racing.races import Race, check_race
from domain.prediction.racing.reading import FEATURES
from domain.refusals import InvalidInput

KIND: Final = "racing.logit"
VERSIONS: Final = 400
LEVEL: Final = 0.95
_FLOAT: Final = np.dtype("<f8")


class Chance(Struct, frozen=True):
    """A probability with the interval that holds it with probability 0.95, as far as the model knows itself."""

    mean: float
    low: float
    high: float


class RunnerChances(Struct, frozen=True):
    """What a runner's chances are: to win, to be among the first two, among the first three."""

    horse: str
    number: int | None
    win: Chance
    first_two: Chance
    first_three: Chance


class RaceChances(Struct, frozen=True):
    """Chances of a race's runners, in the card's order; `with_market` when its odds were weighed, too.

    `powers` are what `domain.prediction.racing.orders` needs for exactas, quinellas and trifectas of `win()`.
    """

    race_id: str
    with_market: bool
    runners: tuple[RunnerChances, ...]
    powers: tuple[float, float]

    def win(self) -> Floats:
        """Give the chances of winning (runners,)."""
        return np.array([runner.win.mean for runner in self.runners])


class RacingModel(Struct, frozen=True, eq=False):
    """A trained model; `with_market` is None when no race had odds, `without_market` when each member needs them."""

    past: Past
    members: dict[str, Member]
    with_market: RaceStack | None
    without_market: RaceStack | None
    powers: tuple[float, float]

    def as_of(self) -> date:
        """Give the last day of races that it knows: it speaks of later days."""
        return date.fromordinal(self.past.last_day)

    def chances(
        self, race: Race, *, with_market: bool = True, versions: int = VERSIONS
    ) -> RaceChances:
        """Give the chances of a race on a later day than `as_of`; unknown names are newcomers.

        `with_market=False` leaves odds aside. Raises InvalidInput naming `runners`, `odds`, `day` or another field.
        """
        check_race(race)
        if any(runner.finish is not None for runner in race.runners):
            raise InvalidInput("the race has been run", field="finish")
        if with_market:
            missing = [runner.horse for runner in race.runners if runner.odds is None]
            if missing:
                raise InvalidInput(
                    f"odds are missing of {', '.join(missing)}; or ask for chances without the market",
                    field="odds",
                )
        stack = self.with_market if with_market else self.without_market
        if stack is None:
            without = "without" if with_market else "with"
            raise InvalidInput(
                f"this model was trained {without} odds alone: ask for chances {without} the market",
                field="odds",
            )
        table = card_table(self.past, [race])
        said = {name: self.members[name].utilities(table) for name in stack.members}
        win = stack.chances(table, said)[0]
        drawn = self._versions(stack, table, versions)
        return RaceChances(
            race_id=race.race_id,
            with_market=with_market,
            runners=tuple(
                RunnerChances(runner.horse, runner.number, *chances)
                for runner, chances in zip(
                    race.runners,
                    zip(
                        *(_with_intervals(win, drawn, places, self.powers) for places in (1, 2, 3)),
                        strict=True,
                    ),
                    strict=True,
                )
            ),
            powers=self.powers,
        )

    def _versions(self, stack: RaceStack, table: RaceTable, count: int) -> Floats:
        """Give chances of winning by equally likely versions of members and weights (versions, runners).

        The generator's seed is fixed: the same question has the same answer.
        """
        rng = np.random.default_rng(0)
        weights = rng.multivariate_normal(stack.fit.coefficients, stack.fit.covariance, count)
        utilities = np.zeros((count, table.present.shape[1]))
        at = 0
        if stack.market:
            utilities += weights[:, :1] * market_logs(table)[0]
            at = 1
        for name in stack.members:
            versions = self.members[name].utility_versions(table)
            logs = log_chances(versions, table)[:, 0]
            utilities += weights[:, at : at + 1] * logs[rng.integers(0, len(logs), count)]
            at += 1
        chances = np.exp(utilities - utilities.max(1, keepdims=True))
        drawn: Floats = chances / chances.sum(1, keepdims=True)
        return drawn


def _with_intervals(
    win: Floats, drawn: Floats, places: int, powers: tuple[float, float]
) -> list[Chance]:
    means = place_chances(win, places, powers)
    low, high = np.quantile(
        place_chances(drawn, places, powers), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0
    )
    return [
        Chance(float(mean), float(min(at, mean)), float(max(to, mean)))
        for mean, at, to in zip(means, low, high, strict=True)
    ]


class _WrittenStack(Struct, frozen=True, forbid_unknown_fields=True):
    """Little-endian doubles: the coefficients, then the covariance row after row."""

    members: tuple[str, ...]
    market: bool
    numbers: bytes


class _Written(Struct, frozen=True, forbid_unknown_fields=True):
    """The layout of the artefact; each member's bytes are of its learner's layout."""

    kind: Literal["racing.logit"]
    layout: Literal[1]
    features: tuple[str, ...]
    past: Past
    members: dict[str, bytes]
    with_market: _WrittenStack | None
    without_market: _WrittenStack | None
    powers: tuple[float, float]


def racing_to_bytes(model: RacingModel) -> bytes:
    """Write a model down as MessagePack; the same model gives the same bytes."""
    return msgspec.msgpack.encode(
        _Written(
            "racing.logit",
            1,
            FEATURES,
            model.past,
            {name: member.to_bytes() for name, member in model.members.items()},
            _write_stack(model.with_market),
            _write_stack(model.without_market),
            model.powers,
        )
    )


def racing_from_bytes(content: bytes, learners: Mapping[str, Learner]) -> RacingModel:
    """Read a model; `learners` by name read its members. Refuses (field `artefact`) bytes that are none."""
    try:
        found = msgspec.msgpack.decode(content, type=_Written)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"this is no racing model: {error}", field="artefact") from error
    if found.features != FEATURES:
        raise InvalidInput("the model knows other features: train it again", field="artefact")
    check_joint(found.past.joint)
    unknown = sorted(set(found.members) - set(learners))
    if unknown:
        raise InvalidInput(f"no such members: {', '.join(unknown)}", field="artefact")
    return RacingModel(
        past=found.past,
        members={
            name: learners[name].read(written) for name, written in sorted(found.members.items())
        },
        with_market=_read_stack(found.with_market, set(found.members)),
        without_market=_read_stack(found.without_market, set(found.members)),
        powers=found.powers,
    )


def _write_stack(stack: RaceStack | None) -> _WrittenStack | None:
    if stack is None:
        return None
    numbers = np.concatenate([stack.fit.coefficients, stack.fit.covariance.ravel()])
    return _WrittenStack(stack.members, stack.market, numbers.astype(_FLOAT).tobytes())


def _read_stack(written: _WrittenStack | None, members: set[str]) -> RaceStack | None:
    if written is None:
        return None
    size = len(written.members) + written.market
    if len(written.numbers) != _FLOAT.itemsize * (size + size * size):
        raise InvalidInput("the weights do not fit the members", field="artefact")
    numbers = np.frombuffer(written.numbers, _FLOAT).astype(np.float64)
    if not np.isfinite(numbers).all() or not members.issuperset(written.members):
        raise InvalidInput("the weights do not fit the members", field="artefact")
    fit = LogitFit(numbers[:size], numbers[size:].reshape(size, size), float("nan"))
    return RaceStack(written.members, written.market, fit)
