"""A model: what it learned from, how good it was found; and a slot, for which one model at a time speaks."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events.model import Estimate, ModelActivated, ModelEvaluated, ModelKind, ModelTrained
from domain.ids import derived_id
from domain.money import has_at_most_places
from domain.refusals import InvalidInput, ModelWorse
from domain.times import check_time

ModelEvent = ModelTrained | ModelEvaluated

PLACES: Final = 6
"""Decimals of probabilities, losses and metrics."""

ENTRIES_MAX: Final = 100
TEXT_MAX: Final = 200
SCOPE_MAX: Final = 100
METRIC_MAX: Final = Decimal(10**9)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Model(Struct, frozen=True):
    """State of a model; `verdicts` holds its latest evaluation against each other model, and alone under None."""

    model_id: UUID
    version: int
    trained: ModelTrained
    verdicts: dict[UUID | None, ModelEvaluated] = {}

    @property
    def slot_id(self) -> UUID:
        """The slot that the model may speak for."""
        return slot_id(self.trained.kind, self.trained.scope)

    def evaluate(self, evaluation: ModelEvaluated) -> ModelEvaluated | None:
        """Note how good it was; None when that is known. Refuses what no evaluation can say."""
        _check_evaluation(evaluation)
        if evaluation.against == self.model_id:
            raise InvalidInput("a model is compared with another one", field="evaluation.against")
        if evaluation == self.verdicts.get(evaluation.against):
            return None
        return evaluation

    def check_no_worse(self, active: UUID) -> None:
        """Refuse a model that lost more than the active one on the same matches, or was not compared with it."""
        verdict = self.verdicts.get(active)
        if verdict is None or verdict.difference is None:
            raise ModelWorse(f"the model was not compared with the active one, {active}")
        found = verdict.difference
        if found.low > 0:
            raise ModelWorse(
                f"on {verdict.matches} matches it lost {found.mean} more than the active model "
                f"({found.low} to {found.high})"
            )

    @classmethod
    def start(cls, model_id: UUID, event: ModelTrained) -> Self:
        """Begin the state with the stream's first event."""
        return cls(model_id, 1, event)

    def evolve(self, event: ModelEvent) -> "Model":
        """Give the state after `event`; decides nothing."""
        match event:
            case ModelEvaluated():
                verdicts = {**self.verdicts, event.against: event}
                return replace(self, version=self.version + 1, verdicts=verdicts)
            case ModelTrained():
                raise ValueError("a model is trained once: what learns again is another one")
            case _:
                assert_never(event)


class Slot(Struct, frozen=True):
    """State of a slot: the model that speaks for it."""

    slot_id: UUID
    version: int
    model_id: UUID

    @classmethod
    def start(cls, slot_id: UUID, event: ModelActivated) -> Self:
        """Begin the state with the stream's first event."""
        return cls(slot_id, 1, event.model_id)

    def evolve(self, event: ModelActivated) -> "Slot":
        """Give the state after `event`; decides nothing."""
        return replace(self, version=self.version + 1, model_id=event.model_id)


def activate(
    model: Model, slot: Slot | None, *, force: bool, reason: str | None
) -> ModelActivated | None:
    """Let a model speak for its slot; None when it does already. Raises ModelWorse unless forced.

    `forced` is kept only where the rule would have refused.
    """
    if force and reason is None:
        raise InvalidInput("say why the model is activated all the same", field="reason")
    if slot is None:
        return ModelActivated(model_id=model.model_id, reason=reason)
    if slot.model_id == model.model_id:
        return None
    forced = False
    try:
        model.check_no_worse(slot.model_id)
    except ModelWorse:
        if not force:
            raise
        forced = True
    return ModelActivated(
        model_id=model.model_id, before=slot.model_id, forced=forced, reason=reason
    )


def family_of(kind: ModelKind) -> str:
    """Give what all models of a slot are about: `football` or `racing`."""
    return kind.partition(".")[0]


def slot_id(kind: ModelKind, scope: str) -> UUID:
    """Give the slot of models of this kind's family for this scope."""
    return derived_id(f"model-slot:{family_of(kind)}:{scope}")


def model_id(kind: ModelKind, scope: str, artefact: str) -> UUID:
    """Give the id of a model: the same for the same artefact."""
    return derived_id(f"model:{kind}:{artefact}:{scope}")


def model_id_of(trained: ModelTrained) -> UUID:
    """Give the id under which a model is registered."""
    return model_id(trained.kind, trained.scope, trained.artefact)


def check_trained(trained: ModelTrained) -> None:
    """Refuse what no training can say: a hash that is none, times in disorder, numbers that are none."""
    if not _SHA256.fullmatch(trained.artefact):
        raise InvalidInput("an artefact is named by its SHA-256 in hexadecimal", field="artefact")
    if not _SHA256.fullmatch(trained.data.digest):
        raise InvalidInput("the data are named by their SHA-256", field="data.digest")
    if trained.artefact_bytes < 1 or trained.data.rows < 1:
        raise InvalidInput("a model has bytes and has learned from something", field="data.rows")
    if not 1 <= len(trained.scope) <= SCOPE_MAX or not trained.scope.isprintable():
        raise InvalidInput(f"a scope has 1 to {SCOPE_MAX} printable characters", field="scope")
    _check_times(trained.data.since, trained.data.until, "data")
    check_metrics(trained.metrics)
    if len(trained.parameters) > ENTRIES_MAX or any(
        max(len(name), len(value)) > TEXT_MAX for name, value in trained.parameters.items()
    ):
        raise InvalidInput(
            f"at most {ENTRIES_MAX} parameters of {TEXT_MAX} characters", field="parameters"
        )


def check_metrics(metrics: Mapping[str, Decimal]) -> None:
    """Refuse metrics that are no numbers of at most 6 decimals."""
    if len(metrics) > ENTRIES_MAX or any(len(name) > TEXT_MAX for name in metrics):
        raise InvalidInput(f"at most {ENTRIES_MAX} metrics", field="metrics")
    for name, value in metrics.items():
        check_places(value, f"metrics.{name}")


def check_places(number: Decimal, field: str) -> None:
    """Refuse what is no number of reasonable size with at most 6 decimals."""
    if not has_at_most_places(number, PLACES) or abs(number) > METRIC_MAX:
        raise InvalidInput(f"a number with at most {PLACES} decimals", field=field)


def check_estimate(found: Estimate, field: str) -> None:
    """Refuse an interval that does not hold its mean."""
    for each in (found.low, found.mean, found.high):
        check_places(each, field)
    if not found.low <= found.mean <= found.high:
        raise InvalidInput("the mean lies outside its interval", field=field)


def _check_evaluation(evaluation: ModelEvaluated) -> None:
    if evaluation.matches < 1:
        raise InvalidInput("an evaluation needs matches", field="evaluation.matches")
    _check_times(evaluation.since, evaluation.until, "evaluation")
    check_metrics(evaluation.metrics)
    if (evaluation.against is None) != (evaluation.difference is None):
        raise InvalidInput(
            "a difference is to another model, named in `against`", field="evaluation.difference"
        )
    if evaluation.difference is not None:
        check_estimate(evaluation.difference, "evaluation.difference")


def _check_times(since: datetime, until: datetime, field: str) -> None:
    check_time(since, f"{field}.since")
    check_time(until, f"{field}.until")
    if since > until:
        raise InvalidInput("since is not after until", field=f"{field}.since")
