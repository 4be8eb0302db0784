"""A small neural network: one hidden layer for each runner, its weights shared, and a softmax over the race.

Plain numpy: the loss is the race's, which general libraries do not offer, and the artefact is its weights.
"""

from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from domain.prediction.checks import Bools, Floats
from domain.prediction.racing.form_logit import exploded
from domain.prediction.racing.race_table import RaceTable
from domain.prediction.racing.reading import FEATURES
from domain.refusals import InvalidInput

_FLOAT: Final = np.dtype("<f8")
_FARTHEST: Final = 4.0
"""Standardised features are clipped here: an outlier shall not run a network away."""
_FADES: Final = (0.9, 0.999)
_TINY: Final = 1e-8


class Network(Struct, frozen=True, eq=False):
    """Weights of several networks: `hidden` (networks, columns + 1, units), `out` (networks, units).

    `centre` and `scale` (columns,) standardise the features.
    """

    centre: Floats
    scale: Floats
    hidden: Floats
    out: Floats

    def utilities(self, table: RaceTable) -> Floats:
        """Give the mean of the networks (races, runners)."""
        mean: Floats = self.utility_versions(table).mean(0)
        return mean

    def utility_versions(self, table: RaceTable) -> Floats:
        """Give what each network says (networks, races, runners)."""
        values = _standardised(table.features, self.centre, self.scale)
        return np.array(
            [_forward(values, *weights)[0] for weights in zip(self.hidden, self.out, strict=True)]
        )

    def to_bytes(self) -> bytes:
        """Write it down."""
        return msgspec.msgpack.encode(
            _Written(
                1,
                FEATURES,
                self.out.shape[0],
                self.out.shape[1],
                np.concatenate(
                    [part.ravel() for part in (self.centre, self.scale, self.hidden, self.out)]
                )
                .astype(_FLOAT)
                .tobytes(),
            )
        )


class _Written(Struct, frozen=True, forbid_unknown_fields=True):
    """`numbers` are little-endian doubles: centre, scale, hidden, out, each row after row."""

    layout: Literal[1]
    features: tuple[str, ...]
    networks: int
    units: int
    numbers: bytes


class NetworkLearner(Struct, frozen=True):
    """Learns a Network by Adam (Kingma and Ba 2015) on small batches of races."""

    name: str = "network"
    needs_market: bool = False
    networks: int = 3
    units: int = 16
    epochs: int = 8
    batch: int = 64
    rate: float = 0.004
    decay: float = 0.002

    def fit(self, table: RaceTable, rng: np.random.Generator) -> Network:
        """Fit the networks, each from its own beginning and order of races."""
        rows = table.features[table.present]
        centre, scale = rows.mean(0), rows.std(0)
        scale = np.where(scale > 0, scale, 1.0)
        contests, weights, _ = exploded(table, _standardised(table.features, centre, scale))
        assert contests.won is not None
        found = [
            self._fit_one(contests.features, contests.present, contests.won, weights, rng)
            for _ in range(self.networks)
        ]
        hidden, out = (np.array(parts) for parts in zip(*found, strict=True))
        return Network(centre, scale, hidden, out)

    def _fit_one(
        self, values: Floats, present: Bools, won: Floats, weights: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        columns = values.shape[2]
        hidden = rng.standard_normal((columns + 1, self.units)) / np.sqrt(columns)
        out = rng.standard_normal(self.units) / np.sqrt(self.units) * 0.3
        adam = [_Adam(hidden.shape), _Adam(out.shape)]
        steps = self.epochs * -(-len(values) // self.batch)
        step = 0
        for _ in range(self.epochs):
            order = rng.permutation(len(values))
            for start in range(0, len(order), self.batch):
                chosen = order[start : start + self.batch]
                here = values[chosen]
                scores, lit = _forward(here, hidden, out)
                scores = np.where(present[chosen], scores, -np.inf)
                grown = np.exp(scores - scores.max(1, keepdims=True))
                chances = grown / grown.sum(1, keepdims=True)
                slope = weights[chosen, None] * (chances - won[chosen]) / len(chosen)
                towards = slope[..., None] * out * (1 - lit**2)
                flat = here.reshape(-1, columns)
                moved = np.vstack(
                    [flat.T @ towards.reshape(-1, self.units), towards.sum((0, 1))[None]]
                )
                turned = np.einsum("rk,rku->u", slope, lit)
                rate = self.rate * (1 - step / steps)
                hidden = hidden - rate * (adam[0].step(moved) + self.decay * hidden * 10)
                out = out - rate * (adam[1].step(turned) + self.decay * out * 10)
                step += 1
        return hidden, out

    def read(self, content: bytes) -> Network:
        """Read what `to_bytes` wrote; refuses other bytes (field `artefact`)."""
        try:
            found = msgspec.msgpack.decode(content, type=_Written)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"this is no network: {error}", field="artefact") from error
        columns, count, units = len(FEATURES), found.networks, found.units
        sizes = [columns, columns, count * (columns + 1) * units, count * units]
        if found.features != FEATURES or count < 1 or units < 1:
            raise InvalidInput("the network knows other features: train again", field="artefact")
        if len(found.numbers) != _FLOAT.itemsize * sum(sizes):
            raise InvalidInput("the network's weights are cut short", field="artefact")
        numbers = np.frombuffer(found.numbers, _FLOAT).astype(np.float64)
        if not np.isfinite(numbers).all():
            raise InvalidInput("the network has weights that are no numbers", field="artefact")
        centre, scale, hidden, out = np.split(numbers, np.cumsum(sizes)[:-1])
        return Network(
            centre, scale, hidden.reshape(count, columns + 1, units), out.reshape(count, units)
        )


class _Adam:
    """The running means of one array's gradient and its square."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._mean = np.zeros(shape)
        self._square = np.zeros(shape)
        self._steps = 0

    def step(self, gradient: Floats) -> Floats:
        """Give the direction to go against."""
        self._steps += 1
        self._mean = _FADES[0] * self._mean + (1 - _FADES[0]) * gradient
        self._square = _FADES[1] * self._square + (1 - _FADES[1]) * gradient**2
        mean = self._mean / (1 - _FADES[0] ** self._steps)
        square = self._square / (1 - _FADES[1] ** self._steps)
        direction: Floats = mean / (np.sqrt(square) + _TINY)
        return direction


def _standardised(features: Floats, centre: Floats, scale: Floats) -> Floats:
    return np.clip((features - centre) / scale, -_FARTHEST, _FARTHEST)


def _forward(values: Floats, hidden: Floats, out: Floats) -> tuple[Floats, Floats]:
    """Give scores (races, runners) and the hidden units' light (races, runners, units)."""
    lit = np.tanh(values @ hidden[:-1] + hidden[-1])
    scores: Floats = lit @ out
    return scores, lit
