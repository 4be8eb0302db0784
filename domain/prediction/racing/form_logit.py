"""The plainest member: a conditional logit over the runners on what was known of each (Benter 1994, first step).

Second and third places teach it too: once the winner is taken away, the rest is a race of its own (the exploded logit,
Chapman and Staelin 1982), which counts less with every place, since those behind no longer ride for it.
"""

from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats
from domain.prediction.conditional_logit import Contests, fit_logit
from domain.prediction.racing.race_table import RaceTable
from domain.prediction.racing.reading import FEATURES, OWN
from domain.refusals import InvalidInput

PLACE_WEIGHTS: Final = (1.0, 0.6)
RIDGE: Final = 10.0
VERSIONS: Final = 32
_FLOAT: Final = np.dtype("<f8")


class FormLogit(Struct, frozen=True, eq=False):
    """Coefficients (columns,) a unit of each feature, and equally likely versions of them (versions, columns).

    The versions' mean is `coefficients`.
    """

    columns: tuple[int, ...]
    coefficients: Floats
    versions: Floats

    def utilities(self, table: RaceTable) -> Floats:
        """Give log chances up to a constant a race (races, runners)."""
        found: Floats = table.features[..., list(self.columns)] @ self.coefficients
        return found

    def utility_versions(self, table: RaceTable) -> Floats:
        """Give what the equally likely versions say (versions, races, runners)."""
        chosen = table.features[..., list(self.columns)]
        return np.moveaxis(chosen @ self.versions.T, -1, 0)

    def to_bytes(self) -> bytes:
        """Write it down."""
        return msgspec.msgpack.encode(
            _Written(
                1,
                tuple(FEATURES[column] for column in self.columns),
                np.vstack([self.coefficients, self.versions]).astype(_FLOAT).tobytes(),
            )
        )


class _Written(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of little-endian doubles, a column each: coefficients, then versions."""

    layout: Literal[1]
    columns: tuple[str, ...]
    rows: bytes


class FormLogitLearner(Struct, frozen=True):
    """Learns a FormLogit from a table; `without` leaves out columns by name."""

    name: str = "logit"
    without: frozenset[str] = frozenset()
    ridge: float = RIDGE
    needs_market: bool = False

    def fit(self, table: RaceTable, rng: np.random.Generator) -> FormLogit:
        """Fit coefficients; raises NoMatches, FitFailed."""
        spread = table.features[table.present].std(0)
        columns = tuple(
            at for at, name in enumerate(OWN) if spread[at] > 0 and name not in self.without
        )
        scale = spread[list(columns)]
        contests, weights = exploded(table, table.features[..., list(columns)] / scale)
        fit = fit_logit(contests, ridge=self.ridge, weights=weights)
        half = rng.standard_normal((VERSIONS // 2, len(columns)))
        moves = half @ np.linalg.cholesky(fit.covariance).T
        return FormLogit(
            columns,
            fit.coefficients / scale,
            # Each with its mirror, so that their mean is the fit.
            (fit.coefficients + np.vstack([moves, -moves])) / scale,
        )

    def read(self, content: bytes) -> FormLogit:
        """Read what `to_bytes` wrote; refuses other bytes (field `artefact`)."""
        try:
            found = msgspec.msgpack.decode(content, type=_Written)
            columns = tuple(FEATURES.index(name) for name in found.columns)
            rows = np.frombuffer(found.rows, _FLOAT).astype(np.float64).reshape(-1, len(columns))
        except (msgspec.DecodeError, ValueError) as error:
            raise InvalidInput(f"this is no logit of racing: {error}", field="artefact") from error
        if len(rows) < 2 or not np.isfinite(rows).all():  # noqa: PLR2004
            raise InvalidInput("a logit's coefficients are missing", field="artefact")
        return FormLogit(columns, rows[0], rows[1:])


def exploded(
    table: RaceTable, values: Floats, place_weights: tuple[float, ...] = PLACE_WEIGHTS
) -> tuple[Contests, Floats]:
    """Give the race for each place among those behind the places before it, and what each counts.

    `values` (races, runners, columns) are its features.
    """
    contests: list[tuple[Floats, Floats, Floats]] = []
    counts: list[Floats] = []
    for ahead, weight in enumerate(place_weights):
        left = table.present & ((table.places == 0) | (table.places > ahead))
        won = np.where(left, table.places == ahead + 1, 0).astype(np.float64)
        if not ahead:
            won = table.won
        whole = won.sum(1)
        # After a dead heat nobody has the place behind it.
        run = (whole > 0) & (left.sum(1) > 1)
        contests.append((values[run], left[run], won[run] / whole[run, None]))
        counts.append(np.full(int(run.sum()), weight))
    features, present, won = (np.concatenate(parts) for parts in zip(*contests, strict=True))
    return Contests.of(features, present, won), np.concatenate(counts)
