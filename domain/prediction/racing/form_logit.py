"""The plainest member: a conditional logit over the runners on what was known of each (Benter 1994, first step).

Second and third places teach it too: once the winner is taken away, the rest is a race of its own (the exploded logit,
Chapman and Staelin 1982), which counts less with every place, since those behind no longer ride for it.

On the market's logs it learns what the odds left out: the same columns, held tightly to 0, beside the market's power,
which is another for each place.
"""

from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from domain.prediction.checks import Floats
from domain.prediction.conditional_logit import Contests, fit_logit
from domain.prediction.racing.race_stack import market_logs
from domain.prediction.racing.race_table import RaceTable
from domain.prediction.racing.reading import FEATURES, OWN
from domain.refusals import InvalidInput

PLACE_WEIGHTS: Final = (1.0, 0.6)
VERSIONS: Final = 32
_FLOAT: Final = np.dtype("<f8")


class FormLogit(Struct, frozen=True, eq=False):
    """Coefficients (columns,) a unit of each feature, and equally likely versions of them (versions, columns).

    `on_market` adds a last coefficient, the power of the market's chances. The versions' mean is `coefficients`.
    """

    columns: tuple[int, ...]
    on_market: bool
    coefficients: Floats
    versions: Floats

    def utilities(self, table: RaceTable) -> Floats:
        """Give log chances up to a constant a race (races, runners)."""
        found: Floats = self._values(table) @ self.coefficients
        return found

    def utility_versions(self, table: RaceTable) -> Floats:
        """Give what the equally likely versions say (versions, races, runners)."""
        return np.moveaxis(self._values(table) @ self.versions.T, -1, 0)

    def _values(self, table: RaceTable) -> Floats:
        values = table.features[..., list(self.columns)]
        if not self.on_market:
            return values
        return np.concatenate([values, market_logs(table)[..., None]], axis=-1)

    def to_bytes(self) -> bytes:
        """Write it down."""
        return msgspec.msgpack.encode(
            _Written(
                1,
                tuple(FEATURES[column] for column in self.columns),
                self.on_market,
                np.vstack([self.coefficients, self.versions]).astype(_FLOAT).tobytes(),
            )
        )


class _Written(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of little-endian doubles, one for each column and one for the market: coefficients, then versions."""

    layout: Literal[1]
    columns: tuple[str, ...]
    on_market: bool
    rows: bytes


class FormLogitLearner(Struct, frozen=True):
    """Learns a FormLogit from a table; `without` leaves out columns by name, `needs_market` begins with odds.

    `ridge` is the precision around 0 of what one standard deviation of a column adds.
    """

    name: str = "logit"
    needs_market: bool = False
    without: frozenset[str] = frozenset()
    ridge: float = 10.0
    place_weights: tuple[float, ...] = PLACE_WEIGHTS

    def fit(self, table: RaceTable, rng: np.random.Generator) -> FormLogit:
        """Fit coefficients; raises NoMatches, FitFailed."""
        spread = table.features[table.present].std(0)
        columns = tuple(
            at for at, name in enumerate(OWN) if spread[at] > 0 and name not in self.without
        )
        values = table.features[..., list(columns)] / spread[list(columns)]
        places = len(self.place_weights) if self.needs_market else 0
        ridge, centre = np.full(len(columns) + places, self.ridge), np.zeros(len(columns) + places)
        if places:
            values = np.concatenate([values, market_logs(table)[..., None]], axis=-1)
            ridge[len(columns) :] = centre[len(columns) :] = 1.0
        contests, weights, ahead = exploded(table, values, self.place_weights)
        if places:
            contests = _by_place(contests, ahead, places)
        fit = fit_logit(contests, ridge=ridge, centre=centre, weights=weights)
        half = rng.standard_normal((VERSIONS // 2, len(ridge)))
        moves = half @ np.linalg.cholesky(fit.covariance).T
        # Each with its mirror, so that their mean is the fit; the powers of other places than the first have done theirs.
        used = len(columns) + bool(places)
        scale = np.append(spread[list(columns)], [1.0] * bool(places))
        versions = fit.coefficients + np.vstack([moves, -moves])
        return FormLogit(
            columns, self.needs_market, fit.coefficients[:used] / scale, versions[:, :used] / scale
        )

    def read(self, content: bytes) -> FormLogit:
        """Read what `to_bytes` wrote; refuses other bytes (field `artefact`)."""
        try:
            found = msgspec.msgpack.decode(content, type=_Written)
            columns = tuple(FEATURES.index(name) for name in found.columns)
            width = len(columns) + found.on_market
            rows = np.frombuffer(found.rows, _FLOAT).astype(np.float64).reshape(-1, width)
        except (msgspec.DecodeError, ValueError) as error:
            raise InvalidInput(f"this is no logit of racing: {error}", field="artefact") from error
        if len(rows) < 2 or not np.isfinite(rows).all():  # noqa: PLR2004
            raise InvalidInput("a logit's coefficients are missing", field="artefact")
        return FormLogit(columns, found.on_market, rows[0], rows[1:])


def exploded(
    table: RaceTable, values: Floats, place_weights: tuple[float, ...] = PLACE_WEIGHTS
) -> tuple[Contests, Floats, Floats]:
    """Give the race for each place among those behind the places before it, what each counts, and how many are ahead.

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
        counts.append(np.full((2, int(run.sum())), [[weight], [ahead]]))
    features, present, won = (np.concatenate(parts) for parts in zip(*contests, strict=True))
    weights, ahead_of = np.concatenate(counts, axis=1)
    return Contests.of(features, present, won), weights, ahead_of


def _by_place(contests: Contests, ahead: Floats, places: int) -> Contests:
    """Let the last column be another for each place."""
    last = contests.features[..., -1:] * (ahead[:, None, None] == np.arange(places))
    features = np.concatenate([contests.features[..., :-1], last], axis=-1)
    return Contests(features, contests.present, contests.won)
