"""The conditional logit: one of several contenders wins, each with the chance exp(x·β) over the sum of all.

Contests may have any number of contenders: home, draw, away, or the runners of a race. Source: McFadden 1974; in
racing Benter 1994. Fitted by Newton with a normal prior on β (a ridge), so a fit exists whatever the data are.
"""

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from domain.prediction.checks import Bools, Floats, check_number, to_array, to_floats
from domain.refusals import FitFailed, InvalidInput, NoMatches

_STEPS_MAX: Final = 100
_HALVINGS_MAX: Final = 40
_CLOSE: Final = 1e-10
_SUM_TOLERANCE: Final = 1e-9
_LEAST: Final = float(np.finfo(np.float64).tiny)


class Contests(Struct, frozen=True, eq=False):
    """Contests to learn from, or to predict.

    `features` (contests, contenders, features) are finite where a contender is `present` (contests, contenders), and
    ignored elsewhere; `won` (contests, contenders) sums to 1: 1 for the winner, ½ for each of two that share the win.
    """

    features: Floats
    present: Bools
    won: Floats | None = None

    @classmethod
    def of(
        cls, features: ArrayLike, present: ArrayLike | None = None, won: ArrayLike | None = None
    ) -> "Contests":
        """Check what is given; without `present` all contenders are. Raises InvalidInput."""
        values = to_array(features, "features").astype(np.float64)
        if values.ndim != 3:  # noqa: PLR2004
            raise InvalidInput("features have 3 dimensions", field="features")
        here = (
            np.ones(values.shape[:2], np.bool_) if present is None else to_array(present, "present")
        )
        if here.shape != values.shape[:2] or here.dtype != np.bool_:
            raise InvalidInput(
                "present says of each contender whether it takes part", field="present"
            )
        if (here.sum(1) < 2).any():  # noqa: PLR2004
            raise InvalidInput("a contest has two contenders or more", field="present")
        values = to_floats(np.where(here[..., None], values, 0.0), "features")
        if won is None:
            return cls(values, here)
        shares = to_floats(won, "won", dimensions=2)
        if shares.shape != here.shape:
            raise InvalidInput("won says of each contender how much it won", field="won")
        if (shares < 0).any() or (shares[~here] != 0).any():
            raise InvalidInput("only those who take part win", field="won")
        if (abs(shares.sum(1) - 1) > _SUM_TOLERANCE).any():
            raise InvalidInput("one contender wins, or several share it", field="won")
        return cls(values, here, shares)


class LogitFit(Struct, frozen=True, eq=False):
    """Coefficients (features,) with their covariance, and the log likelihood without the prior, in nats."""

    coefficients: Floats
    covariance: Floats
    log_likelihood: float

    def probabilities(self, contests: Contests) -> Floats:
        """Give each contender's chance (contests, contenders), 0 where it is not present."""
        return win_probabilities(contests, self.coefficients)


def win_probabilities(contests: Contests, coefficients: Floats) -> Floats:
    """Give exp(x·β) over the sum of the contest, shape (contests, contenders)."""
    if coefficients.shape != contests.features.shape[2:]:
        raise InvalidInput(
            f"there are {len(coefficients)} coefficients for {contests.features.shape[2]} features",
            field="features",
        )
    utilities = np.where(contests.present, contests.features @ coefficients, -np.inf)
    weights = np.exp(utilities - utilities.max(1, keepdims=True))
    chances: Floats = weights / weights.sum(1, keepdims=True)
    return chances


def fit_logit(
    contests: Contests,
    *,
    centre: ArrayLike | None = None,
    ridge: ArrayLike = 1.0,
    weights: ArrayLike | None = None,
) -> LogitFit:
    """Find the likeliest coefficients; `ridge` is the prior's precision around `centre` (0), one or one a feature.

    `weights` (contests,) let contests count more or less. Raises NoMatches, InvalidInput, FitFailed.
    """
    if contests.won is None:
        raise InvalidInput("to learn, tell who won", field="won")
    count, _, size = contests.features.shape
    if not count:
        raise NoMatches("there are no contests to learn from")
    middle = np.zeros(size) if centre is None else to_floats(centre, "centre", dimensions=1)
    precision = to_floats(ridge, "ridge")
    if (precision <= 0).any() or precision.shape not in {(), (size,)}:
        raise InvalidInput("a ridge is above 0, one or one a feature", field="ridge")
    counts = np.ones(count) if weights is None else to_floats(weights, "weights", dimensions=1)
    if len(middle) != size or len(counts) != count or (counts < 0).any():
        raise InvalidInput("centre and weights fit the features", field="weights")
    precision = np.broadcast_to(precision, size)
    contest = _Objective(contests, contests.won, counts, middle, precision)
    beta = middle
    for _ in range(_STEPS_MAX):
        gradient, curvature = contest.slopes(beta)
        move = np.linalg.solve(curvature, gradient).astype(np.float64)
        if float(gradient @ move) < _CLOSE:
            covariance = np.linalg.inv(curvature).astype(np.float64)
            return LogitFit(beta, covariance, contest.log_likelihood(beta))
        beta = contest.ascend(beta, move)
    raise FitFailed("no coefficients fit: scale the features")


class _Objective(Struct, frozen=True, eq=False):
    """The log posterior of the coefficients, which is concave."""

    contests: Contests
    won: Floats
    counts: Floats
    middle: Floats
    precision: Floats

    def log_likelihood(self, beta: Floats) -> float:
        chances = np.maximum(win_probabilities(self.contests, beta), _LEAST)
        return float(self.counts @ (self.won * np.log(chances)).sum(1))

    def value(self, beta: Floats) -> float:
        return self.log_likelihood(beta) - 0.5 * float(self.precision @ (beta - self.middle) ** 2)

    def slopes(self, beta: Floats) -> tuple[Floats, Floats]:
        """Give the gradient and the negative Hessian."""
        features = self.contests.features
        chances = win_probabilities(self.contests, beta)
        surprise = self.counts[:, None] * (self.won - chances)
        gradient = np.einsum("rk,rkf->f", surprise, features)
        from_mean = features - np.einsum("rk,rkf->rf", chances, features)[:, None]
        rows = (np.sqrt(self.counts[:, None] * chances)[..., None] * from_mean).reshape(
            -1, len(beta)
        )
        return gradient - self.precision * (beta - self.middle), rows.T @ rows + np.diag(
            self.precision
        )

    def ascend(self, beta: Floats, move: Floats) -> Floats:
        """Take Newton's step, halved until it does not lose."""
        before = self.value(beta)
        for _ in range(_HALVINGS_MAX):
            if self.value(beta + move) >= before - _CLOSE:
                break
            move = move / 2
        return beta + move


def pseudo_r2(probabilities: ArrayLike, contests: Contests) -> float:
    """Give McFadden's pseudo-R² of forecasts (contests, contenders): 1 − their log likelihood over that of equal chances."""
    if contests.won is None or not len(contests.won):
        raise InvalidInput("to judge, tell who won", field="won")
    chances = to_floats(probabilities, "probabilities", dimensions=2)
    if chances.shape != contests.won.shape:
        raise InvalidInput("each contender has a probability", field="probabilities")
    check_number(float(chances.min()), "probabilities", 0, 1)
    logs = np.log(np.maximum(chances, _LEAST))
    said = float((contests.won * logs)[contests.won > 0].sum())
    return 1 - said / -float(np.log(contests.present.sum(1)).sum())
