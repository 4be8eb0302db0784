"""A football model learns: from what was over at a moment, and held against the active one on the same matches."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
from msgspec import Struct

from application.football.evaluation import difference_of, outcomes_of, scores_of
from application.football.forecaster import GoalsSettings, LeagueForecaster
from domain.events.model import Estimate, ModelEvaluated, ModelTrained, TrainingData
from domain.model import PLACES
from domain.names import likeness
from domain.prediction.checks import Floats
from domain.prediction.goals_artefact import goals_from_bytes, goals_to_bytes
from domain.prediction.goals_fit import fit_goals
from domain.prediction.goals_model import GoalsModel, result_chances
from domain.prediction.goals_table import (
    FINISHED_AFTER,
    GoalsTable,
    PlayedMatch,
    newcomers_of,
)
from domain.prediction.losses import log_losses
from domain.refusals import NoMatches

KIND: Final = "football.goals"
DRAWS: Final = 500
EVALUATED_MATCHES: Final = 380
"""How many of the last matches are forecast walk-forward: about a season."""

EVALUATED_MIN: Final = 10
ALIKE: Final = Decimal("0.6")
"""Names that are so like may mean the same side."""

UNSEEN_MIN: Final = 30
"""Fewer matches than these since the active model learned tell nothing about it."""


class Active(Struct, frozen=True):
    """The model that speaks for the slot now."""

    model_id: UUID
    trained: ModelTrained
    content: bytes


class Learned(Struct, frozen=True):
    """A model with the bytes of its artefact, named there by a hash that is still to be filled in by the store.

    `evaluations` are of the way it learns, walk-forward: alone and, where there is an active model, against it.
    """

    content: bytes
    trained: ModelTrained
    evaluations: tuple[ModelEvaluated, ...]


class Lesson(Struct, frozen=True):
    """What to learn from: matches of `scope` out of `source`, as of a moment (the end of the last match by default).

    `coming` are sides of fixtures to come: those that never played are newcomers, unless their names are like a known
    side's: that may be the same one spelt otherwise, which nobody should take for a newcomer. `named` are sides that
    somebody says are newcomers.
    """

    scope: str
    source: str
    matches: tuple[PlayedMatch, ...]
    code_version: str
    as_of: datetime | None = None
    coming: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    half_life_days: float = GoalsSettings().half_life_days
    active: Active | None = None


def learn(lesson: Lesson, on_step: Callable[[float], None] | None = None) -> Learned:
    """Fit a goals model to what was over at the lesson's moment, and forecast the last matches walk-forward.

    The same matches give the same bytes; later ones change nothing. `on_step` is told the share that is done. Raises
    NoMatches, FitFailed, InvalidInput.
    """
    known, as_of = over_by(lesson.matches, lesson.as_of)
    settings = GoalsSettings(half_life_days=lesson.half_life_days)
    digest = digest_of(known)
    evaluations = tuple(_evaluations(known, settings, lesson.active, digest, on_step))
    coming = [*new_sides(lesson.coming, known), *lesson.named]
    model = _fitted(known, as_of, coming, settings, digest)
    content = goals_to_bytes(model)
    return Learned(
        content,
        ModelTrained(
            kind=KIND,
            scope=lesson.scope,
            artefact=hashlib.sha256(content).hexdigest(),
            artefact_bytes=len(content),
            code_version=lesson.code_version,
            data=TrainingData(lesson.source, len(known), known[0].played_at, as_of, digest),
            parameters={"half_life_days": f"{settings.half_life_days:g}", "draws": str(DRAWS)},
            metrics=evaluations[0].metrics if evaluations else {},
        ),
        evaluations,
    )


def over_by(
    matches: Iterable[PlayedMatch], as_of: datetime | None
) -> tuple[list[PlayedMatch], datetime]:
    """Give the matches that were over at a moment, in order, and that moment: by default when the last one was over."""
    played = sorted(matches, key=lambda each: (each.played_at, each.home, each.away))
    if not played:
        raise NoMatches("there are no results to learn from")
    moment = played[-1].played_at + FINISHED_AFTER if as_of is None else as_of
    known = [match for match in played if match.played_at + FINISHED_AFTER <= moment]
    if not known:
        raise NoMatches(f"no match was over at {moment.isoformat()}")
    return known, moment


def new_sides(coming: Iterable[str], known: Iterable[PlayedMatch]) -> list[str]:
    """Give those sides whose names are like no side's that has played, or are just its name."""
    teams = {team for match in known for team in (match.home, match.away)}
    return [
        side
        for side in coming
        if side in teams or all(likeness(side, team) < ALIKE for team in teams)
    ]


def digest_of(matches: Sequence[PlayedMatch]) -> str:
    """Give the SHA-256 of matches in their order."""
    rows = [
        (m.home, m.away, m.home_goals, m.away_goals, m.played_at.astimezone(UTC)) for m in matches
    ]
    return hashlib.sha256(msgspec.msgpack.encode(rows)).hexdigest()


def _rng(digest: str) -> np.random.Generator:
    """Make draws that follow from the data: the same model again has the same name."""
    return np.random.default_rng(int(digest[:16], 16))


def _fitted(
    known: Sequence[PlayedMatch],
    as_of: datetime,
    coming: Collection[str],
    settings: GoalsSettings,
    digest: str,
) -> GoalsModel:
    table = GoalsTable.of(
        known,
        as_of,
        half_life_days=settings.half_life_days,
        newcomers=newcomers_of(known, as_of, coming),
    )
    fit = fit_goals(table, settings.prior)
    normals = _rng(digest).standard_normal((DRAWS, len(fit.mode)))
    return GoalsModel.of(table, fit.draw(normals))


# ---- how good the way it learns is


def _evaluations(
    known: Sequence[PlayedMatch],
    settings: GoalsSettings,
    active: Active | None,
    digest: str,
    on_step: Callable[[float], None] | None,
) -> Iterable[ModelEvaluated]:
    last = known[max(len(known) - EVALUATED_MATCHES, len(known) // 2) :]
    if len(last) < EVALUATED_MIN:
        return
    steps = [0.0, 0.5] if active is not None and active.trained.kind == KIND else [0.0]

    def tell(step: int, share: float) -> None:
        if on_step is not None:
            on_step(steps[step] + share / len(steps))

    def forecast(
        matches: Sequence[PlayedMatch], how: GoalsSettings, step: int
    ) -> tuple[list[PlayedMatch], Floats]:
        return walk(known, matches[0].played_at, how, digest, lambda share: tell(step, share))

    matches, ours = forecast(last, settings, 0)
    yield _evaluation(matches, ours)
    if active is None or active.trained.kind != KIND:
        return
    # What the active model has not seen tells how it does; with too little of it, how its way of learning does.
    unseen = [match for match in known if match.played_at >= active.trained.data.until]
    # Of results that all came later, the first half is for the new one to learn from.
    judged = unseen if len(unseen) < len(known) else last
    model = goals_from_bytes(active.content)
    asked = {match for match in judged if {match.home, match.away} <= set(model.teams)}
    if len(unseen) >= UNSEEN_MIN and len(asked) >= UNSEEN_MIN:
        all_unseen, forecasts = forecast(judged, settings, 1)
        of_asked = [place for place, match in enumerate(all_unseen) if match in asked]
        matches, ours = [all_unseen[place] for place in of_asked], forecasts[of_asked]
        theirs = result_chances(model.chances([(each.home, each.away) for each in matches]))
    else:
        days = float(active.trained.parameters["half_life_days"])
        _, theirs = forecast(last, GoalsSettings(half_life_days=days), 1)
    yield _evaluation(matches, ours, active.model_id, theirs, digest)


def walk(
    known: Sequence[PlayedMatch],
    since: datetime,
    settings: GoalsSettings,
    digest: str,
    on_share: Callable[[float], None] | None = None,
) -> tuple[list[PlayedMatch], Floats]:
    """Forecast the matches from the day of `since` (UTC) on, each from what was over when its day began.

    Gives them and their chances of home, draw and away, shape (matches, 3). Days before any match was over are left out.
    """
    league = LeagueForecaster(known, _rng(digest), settings)
    first = datetime.combine(since.astimezone(UTC).date(), time(), UTC)
    later = [match for match in known if match.played_at >= first]
    forecast: list[PlayedMatch] = []
    found: list[Floats] = []
    done = 0
    for day, group in groupby(later, key=lambda match: match.played_at.astimezone(UTC).date()):
        today, begins = list(group), datetime.combine(day, time(), UTC)
        if league.known(begins):
            fixtures = [(match.home, match.away) for match in today]
            found.append(result_chances(league.goals(fixtures, begins)))
            forecast += today
        done += len(today)
        if on_share is not None:
            on_share(done / len(later))
    return forecast, np.concatenate(found) if found else np.empty((0, 3))


def _evaluation(
    matches: Sequence[PlayedMatch],
    ours: Floats,
    against: UUID | None = None,
    theirs: Floats | None = None,
    digest: str = "0",
) -> ModelEvaluated:
    outcomes = outcomes_of(matches)
    scores = scores_of("goals", ours, outcomes)
    metrics = {"log_loss": scores.log_loss, "rps": scores.rps, "brier": scores.brier}
    difference = None
    if theirs is not None:
        other = scores_of("active", theirs, outcomes)
        metrics |= {"active_log_loss": other.log_loss, "active_rps": other.rps}
        found = difference_of(log_losses, ours, theirs, outcomes, _rng(digest))
        low, high = min(found.low, found.value), max(found.high, found.value)
        difference = Estimate(rounded(found.value), rounded(low), rounded(high))
    return ModelEvaluated(
        since=matches[0].played_at,
        until=matches[-1].played_at + FINISHED_AFTER,
        matches=len(matches),
        metrics={name: rounded(value) for name, value in metrics.items()},
        against=against,
        difference=difference,
    )


def rounded(value: float) -> Decimal:
    """Give a number as events carry it, with 6 decimals."""
    return Decimal(round(float(value), PLACES)).quantize(Decimal(1).scaleb(-PLACES))
