"""What is asked of models and predictions: by fairbook's own programs, but for activating over HTTP."""

from uuid import UUID

from msgspec import Struct

from domain.commands.command import Command, Text
from domain.events.model import ModelEvaluated, ModelTrained
from domain.events.prediction import PredictionMade


class RegisterModel(Command, frozen=True, kw_only=True):
    """Keep that a model has learned; the same artefact of the same kind and scope is the same model."""

    trained: ModelTrained


class EvaluateModel(Command, frozen=True, kw_only=True):
    """Keep how good the target model's forecasts were; the same evaluation again changes nothing."""

    evaluation: ModelEvaluated


class ActivateModel(Command, frozen=True, kw_only=True):
    """Let the target model speak for its slot from now on.

    Refused when it is worse than the one that does now, or was not compared with it, unless `force` with a reason.
    """

    force: bool = False
    reason: Text | None = None


class RecordPredictions(Command, frozen=True, kw_only=True):
    """Keep what models say of fixtures; what was said before is passed over."""

    predictions: tuple[PredictionMade, ...]


class PredictedMarket(Struct, frozen=True, gc=False):
    """A market of a fixture as a model has predicted it."""

    model_id: UUID
    fixture_id: UUID
    market_id: UUID


class ScorePredictions(Command, frozen=True, kw_only=True):
    """Score predictions by what the results say now, each once for every generation of its market's result."""

    predicted: tuple[PredictedMarket, ...]
