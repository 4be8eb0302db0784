"""What football models would have said, day by day, had they known only what had happened: walk-forward forecasts.

Each day every model learns from the matches that were over when the day began and forecasts the day's; nothing else
reaches it. Losses
are compared match by match on the same matches.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, time
from itertools import groupby

import numpy as np
from msgspec import Struct

from application.football.forecaster import GoalsSettings, LeagueForecaster
from domain.prediction.checks import Floats, Ints
from domain.prediction.goals_model import result_chances
from domain.prediction.goals_table import PlayedMatch
from domain.prediction.losses import (
    Interval,
    bootstrap_mean,
    brier_scores,
    log_losses,
    rank_probability_scores,
)
from domain.refusals import NoMatches


class Forecasts(Struct, frozen=True, eq=False):
    """Chances of home, draw, away by model, each (matches, 3), of `matches`, and what happened (matches,)."""

    matches: tuple[PlayedMatch, ...]
    outcomes: Ints
    by_model: dict[str, Floats]


class Scores(Struct, frozen=True):
    """Mean losses of one model on some matches, the lower the better."""

    model: str
    matches: int
    rps: float
    log_loss: float
    brier: float


def walk_forward(
    matches: Sequence[PlayedMatch],
    since: datetime,
    rng: np.random.Generator,
    settings: GoalsSettings | None = None,
    on_day: Callable[[datetime], None] | None = None,
) -> Forecasts:
    """Forecast each match of one league from the day of `since` (UTC) on, by the goals model (`goals`) and by Elo (`elo`).

    `rng` makes the model's draws. Raises NoMatches when nothing was played before or after `since`.
    """
    played = sorted(matches, key=lambda match: match.played_at)
    first_day = datetime.combine(since.astimezone(UTC).date(), time(), UTC)
    if not played or played[0].played_at >= first_day or played[-1].played_at < first_day:
        raise NoMatches("matches before the first forecast and after it are needed")
    league = LeagueForecaster(played, rng, settings)
    said: dict[str, list[Floats]] = {"goals": [], "elo": []}
    forecast: list[PlayedMatch] = []
    for day, today in _days(played):
        if day >= first_day:
            fixtures = [(match.home, match.away) for match in today]
            said["goals"].append(result_chances(league.goals(fixtures, day)))
            said["elo"].append(result_chances(league.elo(fixtures, day)))
            forecast += today
            if on_day is not None:
                on_day(day)
    return Forecasts(
        matches=tuple(forecast),
        outcomes=outcomes_of(forecast),
        by_model={model: np.concatenate(chances) for model, chances in said.items()},
    )


def outcomes_of(matches: Sequence[PlayedMatch]) -> Ints:
    """Give 0 for a home win, 1 for a draw, 2 for an away win, shape (matches,)."""
    leads = np.array([match.home_goals - match.away_goals for match in matches], np.int64)
    return 1 - np.sign(leads)


def scores_of(model: str, chances: Floats, outcomes: Ints) -> Scores:
    """Give the mean losses of forecasts (matches, 3)."""
    return Scores(
        model=model,
        matches=len(outcomes),
        rps=float(rank_probability_scores(chances, outcomes).mean()),
        log_loss=float(log_losses(chances, outcomes).mean()),
        brier=float(brier_scores(chances, outcomes).mean()),
    )


def difference_of(
    losses: Callable[[Floats, Ints], Floats],
    one: Floats,
    other: Floats,
    outcomes: Ints,
    rng: np.random.Generator,
    resamples: int = 2000,
) -> Interval:
    """Give how much more one loses than the other on the same matches, with its bootstrap interval."""
    each = losses(one, outcomes) - losses(other, outcomes)
    return bootstrap_mean(each, rng.integers(0, len(each), (resamples, len(each))))


def _days(played: Sequence[PlayedMatch]) -> Iterator[tuple[datetime, list[PlayedMatch]]]:
    """Give each day's beginning (UTC) and its matches."""
    for day, matches in groupby(played, key=lambda match: match.played_at.astimezone(UTC).date()):
        yield datetime.combine(day, time(), UTC), list(matches)
