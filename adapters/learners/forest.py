"""A random forest: deep trees on drawn races and columns, each voting on a runner's chance by itself.

It is LightGBM's (`boosting=rf`), so that its artefact is text. Its votes are no race's chances yet: they sum to
anything, and the stack scales their logs.
"""

from typing import Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from adapters.learners.boosted import boosters_of
from adapters.learners.lightgbm_library import lightgbm_module
from adapters.learners.race_rows import RaceRows
from domain.prediction.checks import Floats
from domain.prediction.racing.race_table import RaceTable
from domain.prediction.racing.reading import FEATURES
from domain.refusals import InvalidInput

_LEAST: Final = 1e-4


class Forest(Struct, frozen=True, eq=False):
    """Fitted forests; `texts` are LightGBM's own text files."""

    forests: tuple[Any, ...]
    texts: tuple[str, ...]

    def utilities(self, table: RaceTable) -> Floats:
        """Give the mean of the forests' log votes (races, runners)."""
        mean: Floats = self.utility_versions(table).mean(0)
        return mean

    def utility_versions(self, table: RaceTable) -> Floats:
        """Give each forest's log votes (forests, races, runners)."""
        rows = RaceRows.of(table)
        return np.array(
            [
                rows.spread(np.log(np.clip(forest.predict(rows.values, num_threads=1), _LEAST, 1)))
                for forest in self.forests
            ]
        )

    def to_bytes(self) -> bytes:
        """Write it down."""
        return msgspec.msgpack.encode(_Written(1, FEATURES, self.texts))


class _Written(Struct, frozen=True, forbid_unknown_fields=True):
    """`forests` are model files in LightGBM's text format."""

    layout: Literal[1]
    features: tuple[str, ...]
    forests: tuple[str, ...]


class ForestLearner(Struct, frozen=True):
    """Learns a Forest: several, so that their spread tells how sure it is."""

    name: str = "forest"
    needs_market: bool = False
    trees: int = 60
    forests: int = 3
    leaves: int = 63
    leaf_rows: int = 60

    def fit(self, table: RaceTable, rng: np.random.Generator) -> Forest:
        """Fit the forests, one core. Raises LearnerMissingError."""
        lightgbm = lightgbm_module()
        rows = RaceRows.of(table)
        data = lightgbm.Dataset(
            rows.values,
            rows.take(table.won),
            params={"max_bin": 63, "verbose": -1, "num_threads": 1},
            free_raw_data=False,
        )
        forests = tuple(
            lightgbm.train(
                {
                    "objective": "cross_entropy",
                    "boosting": "rf",
                    "num_leaves": self.leaves,
                    "min_data_in_leaf": self.leaf_rows,
                    "feature_fraction": 0.3,
                    "bagging_fraction": 0.6,
                    "bagging_freq": 1,
                    "max_bin": 63,
                    "num_threads": 1,
                    "deterministic": True,
                    "force_col_wise": True,
                    "seed": int(rng.integers(2**31)),
                    "verbose": -1,
                },
                data,
                self.trees,
            )
            for _ in range(self.forests)
        )
        return Forest(forests, tuple(forest.model_to_string() for forest in forests))

    def read(self, content: bytes) -> Forest:
        """Read what `to_bytes` wrote; refuses other bytes. Raises InvalidInput, LearnerMissingError."""
        try:
            found = msgspec.msgpack.decode(content, type=_Written)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"this is no forest: {error}", field="artefact") from error
        if found.features != FEATURES or not found.forests:
            raise InvalidInput("the forest knows other features: train again", field="artefact")
        return Forest(boosters_of(found.forests), found.forests)
