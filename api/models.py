"""Models, what they predict, and the prices that beat them."""

from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api.auth import only
from api.desk import After, Asked, Cursor, Desk, Key, Limit
from api.problems import responses, responses_to_body
from application.answers import ModelInUse
from domain.commands.model import ActivateModel
from domain.events.model import ModelKind
from domain.model import PLACES
from domain.money import has_at_most_places
from domain.refusals import (
    InvalidInput,
    ModelNotFound,
    PredictionNotFound,
    ValueSignalNotFound,
)
from read_models import models, predictions, value_signals
from read_models.db import Page
from read_models.models import ModelRow
from read_models.predictions import PredictionRow
from read_models.value_signals import ValueRow

EDGE_MAX: Final = 1

Scope = Annotated[
    str | None,
    QueryParameter(name="scope", description="What models speak of: `E0`, `HK`"),
]
ActiveModel = Annotated[
    bool | None,
    QueryParameter(description="true: those that speak for their slots; false: all others"),
]
ActiveSignal = Annotated[
    bool | None, QueryParameter(description="true: those that are open now; false: those closed")
]
MinEdge = Annotated[
    Decimal | None,
    QueryParameter(description="Least probability − 1/odds, as it was last seen, such as 0.02"),
]


class FixturePredictions(Struct, frozen=True):
    """What models say of a fixture: the active one first, then the one that spoke last."""

    fixture_id: UUID
    predictions: list[PredictionRow]


@get("/models", responses=responses(422))
async def list_models(
    desk: NamedDependency[Desk],
    kind: FromQuery[ModelKind | None] = None,
    scope_name: Scope = None,  # `scope` is the connection's, to the framework
    active: ActiveModel = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[ModelRow]:
    """List models, newest first, each with how good it was found."""
    await desk.fresh("models", after)
    return await models.page(
        desk.db, kind=kind, scope=scope_name, active=active, limit=limit, cursor=cursor
    )


@get("/models/{model_id:uuid}", responses=responses(404, 422))
async def read_model(
    model_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> ModelRow:
    """Read a model."""
    await desk.fresh("models", after)
    found = await models.get(desk.db, model_id)
    if found is None:
        raise ModelNotFound
    return found


@post(
    "/models/{model_id:uuid}/activate",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def activate_model(
    request: Asked,
    model_id: FromPath[UUID],
    desk: NamedDependency[Desk],
    data: JSONBody[ActivateModel | None] = None,
    key: Key = None,
) -> Response[ModelInUse]:
    """Let a model speak for its slot, unless it is worse than the one that does; `force` needs a reason."""
    command = data or ActivateModel()
    return await desk.command(request, command, key, ModelInUse, target=model_id, status=200)


@get("/predictions/football/{fixture_id:uuid}", responses=responses(404, 422))
async def read_football_predictions(
    fixture_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> FixturePredictions:
    """Read what models say of a match."""
    return await _predictions(desk, fixture_id, "football", after)


@get("/predictions/racing/{race_id:uuid}", responses=responses(404, 422))
async def read_racing_predictions(
    race_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> FixturePredictions:
    """Read what models say of a race; its id is that of its fixture."""
    return await _predictions(desk, race_id, "racing", after)


async def _predictions(
    desk: Desk, fixture_id: UUID, family: str, after: int | None
) -> FixturePredictions:
    for view in ("predictions", "models"):
        await desk.fresh(view, after)
    found = await predictions.of_fixture(desk.db, fixture_id, family)
    if not found:
        raise PredictionNotFound
    return FixturePredictions(fixture_id, found)


@get("/value-signals", responses=responses(422))
async def list_value_signals(
    desk: NamedDependency[Desk],
    active: ActiveSignal = None,
    min_edge: MinEdge = None,
    bookmaker: FromQuery[str | None] = None,
    fixture_id: FromQuery[UUID | None] = None,
    market_id: FromQuery[UUID | None] = None,
    model_id: FromQuery[UUID | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[ValueRow]:
    """List prices that beat what a model says, newest first, with the closing-line value of those whose market closed."""
    if min_edge is not None and not (
        has_at_most_places(min_edge, PLACES) and abs(min_edge) <= EDGE_MAX
    ):
        raise InvalidInput(
            f"an edge is a number up to {EDGE_MAX} with at most {PLACES} decimals", field="min_edge"
        )
    await _fresh_signals(desk, after)
    return await value_signals.page(
        desk.db,
        active=active,
        min_edge=min_edge,
        bookmaker=bookmaker,
        fixture_id=fixture_id,
        market_id=market_id,
        model_id=model_id,
        limit=limit,
        cursor=cursor,
    )


@get("/value-signals/{signal_id:uuid}", responses=responses(404, 422))
async def read_value_signal(
    signal_id: FromPath[UUID], desk: NamedDependency[Desk], after: After = None
) -> ValueRow:
    """Read a value signal."""
    await _fresh_signals(desk, after)
    found = await value_signals.get(desk.db, signal_id)
    if found is None:
        raise ValueSignalNotFound
    return found


async def _fresh_signals(desk: Desk, after: int | None) -> None:
    """Wait for the signals, and for the closing prices that they are held against."""
    for view in ("value_signals", "prices"):
        await desk.fresh(view, after)


ROUTES = [
    list_models,
    read_model,
    activate_model,
    read_football_predictions,
    read_racing_predictions,
    list_value_signals,
    read_value_signal,
]
