"""Boosted trees whose loss is the race's: −log of the winner's share of exp(score) over the field.

Like the plain logit they learn from the places behind the winner, too. `on_market` trees begin with the log of the
market's chances and learn only what it left out. A member is a few boosters, each from races drawn with replacement:
their mean is its word, their spread how sure it is.
"""

from typing import Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from adapters.learners.lightgbm_library import lightgbm_module
from adapters.learners.race_rows import RaceRows
from domain.prediction.checks import Floats
from domain.prediction.racing.race_stack import market_logs
from domain.prediction.racing.race_table import RaceTable
from domain.prediction.racing.reading import FEATURES
from domain.refusals import InvalidInput

PLACE_WEIGHTS: Final = (1.0, 0.6, 0.4)
# The market says less of the places behind: powers as in domain.prediction.racing.orders, between Henery and Stern.
MARKET_POWERS: Final = (1.05, 0.84, 0.73)
_LEAST_CURVATURE: Final = 1e-3


class BoostedTrees(Struct, frozen=True, eq=False):
    """Fitted boosters; `texts` are LightGBM's own text files."""

    boosters: tuple[Any, ...]
    texts: tuple[str, ...]
    on_market: bool

    def utilities(self, table: RaceTable) -> Floats:
        """Give the mean of the boosters (races, runners)."""
        mean: Floats = self.utility_versions(table).mean(0)
        return mean

    def utility_versions(self, table: RaceTable) -> Floats:
        """Give what each booster says (boosters, races, runners)."""
        rows = RaceRows.of(table)
        begun = MARKET_POWERS[0] * market_logs(table) if self.on_market else 0.0
        return np.array(
            [
                rows.spread(booster.predict(rows.values, raw_score=True, num_threads=1)) + begun
                for booster in self.boosters
            ]
        )

    def to_bytes(self) -> bytes:
        """Write it down."""
        return msgspec.msgpack.encode(_Written(1, self.on_market, FEATURES, self.texts))


class _Written(Struct, frozen=True, forbid_unknown_fields=True):
    """`boosters` are model files in LightGBM's text format."""

    layout: Literal[1]
    on_market: bool
    features: tuple[str, ...]
    boosters: tuple[str, ...]


class BoostedLearner(Struct, frozen=True):
    """Learns BoostedTrees; the settings were chosen on seasons up to 2021/22."""

    name: str = "boosted"
    needs_market: bool = False
    rounds: int = 120
    learning_rate: float = 0.06
    leaves: int = 8
    leaf_rows: int = 200
    boosters: int = 3

    def fit(self, table: RaceTable, rng: np.random.Generator) -> BoostedTrees:
        """Fit the boosters, one core. Raises LearnerMissingError."""
        lightgbm = lightgbm_module()
        rows = RaceRows.of(table)
        begun = market_logs(table) if self.needs_market else np.zeros(table.present.shape)
        data = lightgbm.Dataset(
            rows.values,
            np.zeros(len(rows.values)),
            params={"max_bin": 63, "verbose": -1, "num_threads": 1},
            free_raw_data=False,
        )
        boosters = []
        for _ in range(self.boosters):
            drawn = np.bincount(
                rng.integers(0, len(table.races), len(table.races)), minlength=len(table.races)
            )
            loss = _RaceLoss(rows, begun, drawn.astype(np.float64))
            boosters.append(
                lightgbm.train(
                    {
                        "objective": loss,
                        "learning_rate": self.learning_rate,
                        "num_leaves": self.leaves,
                        "min_data_in_leaf": self.leaf_rows,
                        "min_sum_hessian_in_leaf": 5.0,
                        "feature_fraction": 0.4,
                        "lambda_l2": 10.0,
                        "max_bin": 63,
                        "num_threads": 1,
                        "deterministic": True,
                        "force_col_wise": True,
                        "seed": int(rng.integers(2**31)),
                        "verbose": -1,
                    },
                    data,
                    self.rounds,
                )
            )
        texts = tuple(booster.model_to_string() for booster in boosters)
        return BoostedTrees(tuple(boosters), texts, self.needs_market)

    def read(self, content: bytes) -> BoostedTrees:
        """Read what `to_bytes` wrote; refuses other bytes. Raises InvalidInput, LearnerMissingError."""
        texts, on_market = read_boosters(content)
        return BoostedTrees(boosters_of(texts), texts, on_market)


def read_boosters(content: bytes) -> tuple[tuple[str, ...], bool]:
    """Give the model texts of an artefact and whether they begin with the market."""
    try:
        found = msgspec.msgpack.decode(content, type=_Written)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"these are no trees: {error}", field="artefact") from error
    if found.features != FEATURES or not found.boosters:
        raise InvalidInput("the trees know other features: train again", field="artefact")
    return found.boosters, found.on_market


def boosters_of(texts: tuple[str, ...]) -> tuple[Any, ...]:
    """Read LightGBM's text files."""
    lightgbm = lightgbm_module()
    try:
        return tuple(lightgbm.Booster(model_str=text) for text in texts)
    except lightgbm.basic.LightGBMError as error:
        raise InvalidInput(f"these are no trees: {error}", field="artefact") from error


class _RaceLoss:
    """Gradient and curvature of the exploded race loss, as LightGBM asks for them."""

    def __init__(self, rows: RaceRows, begun: Floats, counts: Floats) -> None:
        table = rows.table
        self._rows = rows
        self._stages: list[tuple[Floats, Floats, Floats]] = []
        for ahead, (weight, power) in enumerate(zip(PLACE_WEIGHTS, MARKET_POWERS, strict=True)):
            left = table.present & ((table.places == 0) | (table.places > ahead))
            won = table.won if not ahead else (left & (table.places == ahead + 1)) * 1.0
            whole = won.sum(1)
            run = (whole > 0) & (left.sum(1) > 1)
            shares = won / np.where(run, whole, 1)[:, None]
            begins = np.where(left, power * begun, -np.inf)
            self._stages.append((begins, shares, weight * counts * run))

    def __call__(self, scores: Floats, _data: Any) -> tuple[Floats, Floats]:
        """Give the first and second derivatives by row."""
        table = self._rows.table
        padded = self._rows.spread(scores)
        gradient = np.zeros(padded.shape)
        curvature = np.zeros(padded.shape)
        for begins, shares, weights in self._stages:
            here = padded + begins
            grown = np.exp(here - here.max(1, keepdims=True))
            chances = grown / grown.sum(1, keepdims=True)
            gradient += weights[:, None] * (chances - shares)
            curvature += weights[:, None] * chances * (1 - chances)
        return (
            gradient[table.present],
            np.maximum(curvature[table.present], _LEAST_CURVATURE),
        )
