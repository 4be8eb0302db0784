"""The facts of models: trained, evaluated, activated."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.events.event import Event

ModelKind = Literal["football.goals", "football.stack", "racing.logit"]


class Estimate(Struct, frozen=True, gc=False):
    """A number with the interval that holds it with probability 95%."""

    mean: Decimal
    low: Decimal
    high: Decimal


class TrainingData(Struct, frozen=True, gc=False):
    """What a model has learned from: `rows` results that were known from `since` on and before `until`.

    `digest` is the SHA-256 of them, `source` says where they came from: `ledger`, or the names of files.
    """

    source: str
    rows: int
    since: datetime
    until: datetime
    digest: str


class ModelTrained(Event, frozen=True, kw_only=True):
    """A model has learned; `artefact` is the SHA-256 of the file that holds it, `scope` what it speaks of (`E0`, `HK`)."""

    topic = "model.trained"
    kind: ModelKind
    scope: str
    artefact: str
    artefact_bytes: int
    code_version: str
    data: TrainingData
    parameters: dict[str, str]
    metrics: dict[str, Decimal]


class ModelEvaluated(Event, frozen=True, kw_only=True):
    """How good the model's forecasts were of matches from `since` to before `until` that it had not seen.

    `difference` is of the log loss to that of the model `against` on the same matches: below 0 this one is better.
    """

    topic = "model.evaluated"
    since: datetime
    until: datetime
    matches: int
    metrics: dict[str, Decimal]
    against: UUID | None = None
    difference: Estimate | None = None


class ModelActivated(Event, frozen=True, kw_only=True):
    """From now on this model speaks for its slot; `forced`: whether or not it is worse than the one `before`."""

    topic = "model.activated"
    model_id: UUID
    before: UUID | None = None
    forced: bool = False
    reason: str | None = None
