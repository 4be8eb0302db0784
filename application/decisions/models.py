"""Decisions about models: registered, evaluated, activated, what they predict and how that turned out."""

from uuid import UUID

from application import answers
from application.answers import Answer
from application.decisions.context import Context
from domain.commands.model import (
    ActivateModel,
    EvaluateModel,
    RecordPredictions,
    RegisterModel,
    ScorePredictions,
)
from domain.forecast import Forecast, check_prediction, prediction_id
from domain.market import Market
from domain.model import Model, Slot, activate, check_trained, model_id_of
from domain.refusals import InvalidInput, MarketNotFound, ModelNotFound


def register_model(command: RegisterModel, ctx: Context) -> Answer:
    """Keep that a model has learned; what is registered already stays as it is."""
    check_trained(command.trained)
    model_id = model_id_of(command.trained)
    is_new = ctx.book.get(model_id) is None
    if is_new:
        ctx.book.record(model_id, command.trained)
    return answers.ModelKept(model_id, is_new, ctx.book.position)


def evaluate_model(command: EvaluateModel, ctx: Context) -> Answer:
    """Keep how good a model's forecasts were, beside those of another model of its slot or alone."""
    model = ctx.find(Model, ctx.target, ModelNotFound)
    against = command.evaluation.against
    if against is not None:
        other = ctx.find(Model, against, ModelNotFound)
        if other.slot_id != model.slot_id:
            raise InvalidInput("the models speak for different slots", field="evaluation.against")
    event = model.evaluate(command.evaluation)
    if event is not None:
        ctx.book.record(model.model_id, event)
    return answers.ModelKept(model.model_id, event is not None, ctx.book.position)


def activate_model(command: ActivateModel, ctx: Context) -> Answer:
    """Let a model speak for its slot; it does already: nothing changes."""
    model = ctx.find(Model, ctx.target, ModelNotFound)
    slot = ctx.book.get(model.slot_id)
    assert slot is None or isinstance(slot, Slot)
    event = activate(model, slot, force=command.force, reason=command.reason)
    if event is not None:
        ctx.book.record(model.slot_id, event)
    before = slot.model_id if slot is not None else None
    return answers.ModelInUse(
        model.model_id,
        before if event is not None else None,
        event is not None and event.forced,
        ctx.book.position,
    )


def record_predictions(command: RecordPredictions, ctx: Context) -> Answer:
    """Keep what models say of fixtures; what was said before, or something newer, is passed over."""
    recorded = 0
    for made in command.predictions:
        model = ctx.find(Model, made.model_id, ModelNotFound)
        markets: dict[UUID, Market] = {
            each.market_id: ctx.find(Market, each.market_id, MarketNotFound)
            for each in made.markets
        }
        check_prediction(made, model, markets, ctx.now)
        stream_id = prediction_id(made.model_id, made.fixture_id)
        state = ctx.book.get(stream_id)
        assert state is None or isinstance(state, Forecast)
        event = made if state is None else state.predict(made)
        if event is not None:
            ctx.book.record(stream_id, event)
            recorded += 1
    return answers.PredictionsRecorded(recorded, ctx.book.position)


def score_predictions(command: ScorePredictions, ctx: Context) -> Answer:
    """Score predictions by the results that stand now; what is scored by these already is passed over."""
    scored = 0
    for each in command.predicted:
        stream_id = prediction_id(each.model_id, each.fixture_id)
        forecast, market = ctx.book.get(stream_id), ctx.book.get(each.market_id)
        if isinstance(forecast, Forecast) and isinstance(market, Market):
            event = forecast.score(market)
            if event is not None:
                ctx.book.record(stream_id, event)
                scored += 1
    return answers.PredictionsScored(scored, ctx.book.position)
