"""Models and predictions on their way into the ledger: each fact once, however often it is told."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from domain.actors import MODELLER
from domain.commands.market import RollBackResult
from domain.commands.model import (
    ActivateModel,
    PredictedMarket,
    RecordPredictions,
    ScorePredictions,
)
from domain.events.model import ModelActivated, ModelEvaluated, ModelTrained
from domain.events.prediction import PredictionMade, PredictionScored
from domain.model import model_id_of, slot_id
from domain.refusals import (
    InvalidInput,
    MarketNotFound,
    ModelNotFound,
    ModelWorse,
    PredictionTooLate,
)
from tests.application.desk import Answer, Desk, a_desk, read_log
from tests.builders import ALICE, OPERATOR, an_id
from tests.predicting import (
    FIXTURE_ID,
    FORCED,
    chances,
    evaluate,
    evaluated,
    predicted,
    register,
    trained,
)

pytestmark = pytest.mark.anyio

MODEL, OTHER = trained("one"), trained("other")
ONE, TWO = model_id_of(MODEL), model_id_of(OTHER)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with a_desk(database_url) as running:
        yield running


async def registered(desk: Desk, *events: ModelTrained) -> None:
    for event in events:
        await desk.ask(register(event), MODELLER)


async def predict(desk: Desk, *made: PredictionMade) -> Answer:
    return await desk.ask(RecordPredictions(predictions=made), MODELLER)


async def score(desk: Desk, market_id: UUID, model_id: UUID = ONE) -> Answer:
    one = PredictedMarket(model_id, FIXTURE_ID, market_id)
    return await desk.ask(ScorePredictions(predicted=(one, one)), MODELLER)


async def test_the_same_artefact_is_registered_once(desk: Desk, database_url: str) -> None:
    first = await desk.ask(register(MODEL), MODELLER)
    assert first == {"model_id": str(ONE), "is_new": True, "position": 1}
    again = await desk.ask(register(MODEL), MODELLER)
    assert again == {"model_id": str(ONE), "is_new": False, "position": 1}
    assert len(read_log(database_url).events) == 1


async def test_a_worse_model_is_not_activated_by_itself(desk: Desk, database_url: str) -> None:
    await registered(desk, MODEL, OTHER)
    first = await desk.ask(ActivateModel(), OPERATOR, target=TWO)
    assert (first["before"], first["forced"]) == (None, False)
    with pytest.raises(ModelWorse):
        await desk.ask(ActivateModel(), OPERATOR, target=ONE)
    worse = evaluate(evaluated(TWO, low="0.01", high="0.03"))
    assert (await desk.ask(worse, MODELLER, target=ONE))["is_new"]
    assert not (await desk.ask(worse, MODELLER, target=ONE))["is_new"]
    with pytest.raises(ModelWorse):
        await desk.ask(ActivateModel(), OPERATOR, target=ONE)
    forced = await desk.ask(FORCED, OPERATOR, target=ONE)
    assert (forced["before"], forced["forced"]) == (str(TWO), True)
    log = read_log(database_url)
    assert [type(event) for event in log.stream(ONE)] == [ModelTrained, ModelEvaluated]
    slot = slot_id(MODEL.kind, MODEL.scope)
    assert [type(event) for event in log.stream(slot)] == [ModelActivated, ModelActivated]


async def test_a_model_that_is_no_worse_takes_over_and_activating_it_again_changes_nothing(
    desk: Desk, database_url: str
) -> None:
    await registered(desk, MODEL, OTHER)
    await desk.ask(ActivateModel(), OPERATOR, target=TWO)
    await desk.ask(evaluate(evaluated(TWO)), MODELLER, target=ONE)
    taken = await desk.ask(ActivateModel(), OPERATOR, target=ONE)
    assert taken["before"] == str(TWO)
    again = await desk.ask(ActivateModel(), OPERATOR, target=ONE)
    assert (again["before"], again["position"]) == (None, taken["position"])


async def test_what_is_no_model_is_refused(desk: Desk) -> None:
    market_id = await desk.market()
    for target in (ONE, market_id):
        with pytest.raises(ModelNotFound):
            await desk.ask(ActivateModel(), OPERATOR, target=target)
        with pytest.raises(ModelNotFound):
            await desk.ask(evaluate(evaluated()), MODELLER, target=target)
    await registered(desk, MODEL, trained("elsewhere", scope="La Liga"))
    for against, refusal in (
        (TWO, ModelNotFound),
        (model_id_of(trained("elsewhere", scope="La Liga")), InvalidInput),
    ):
        with pytest.raises(refusal):
            await desk.ask(evaluate(evaluated(against)), MODELLER, target=ONE)


async def test_what_was_said_before_is_recorded_once(desk: Desk, database_url: str) -> None:
    market_id = await desk.market()
    await registered(desk, MODEL)
    made = predicted(MODEL, chances(market_id=market_id))
    assert (await predict(desk, made, made))["predictions"] == 1
    async with a_desk(database_url) as after_a_restart:
        assert (await predict(after_a_restart, made))["predictions"] == 0
    assert len(read_log(database_url).of(PredictionMade)) == 1


async def test_a_prediction_that_knows_its_future_is_refused_with_all_that_came_with_it(
    desk: Desk, database_url: str
) -> None:
    market_id = await desk.market()
    await registered(desk, MODEL)
    good = predicted(MODEL, chances(market_id=market_id))
    for bad, refusal in (
        (predicted(MODEL, chances(market_id=market_id), as_of=MODEL.data.since), PredictionTooLate),
        (predicted(MODEL, chances(market_id=an_id("no market"))), MarketNotFound),
        (predicted(OTHER, chances(market_id=market_id)), ModelNotFound),
    ):
        with pytest.raises(refusal):
            await predict(desk, good, bad)
    assert not read_log(database_url).of(PredictionMade)


async def test_results_are_scored_once_a_generation_also_by_two_at_once(
    desk: Desk, database_url: str
) -> None:
    market_id = await desk.market()
    await registered(desk, MODEL)
    await predict(desk, predicted(MODEL, chances(market_id=market_id)))
    assert (await score(desk, market_id))["scores"] == 0, "there is no result yet"
    await desk.score(market_id, 2, 0)
    async with a_desk(database_url) as other:
        answers = await asyncio.gather(*(score(each, market_id) for each in (desk, other, desk)))
    assert sum(answer["scores"] for answer in answers) == 1
    await desk.score(market_id, 0, 2)
    assert (await score(desk, market_id))["scores"] == 1
    await desk.ask(RollBackResult(), OPERATOR, target=market_id)
    assert (await score(desk, market_id))["scores"] == 1
    assert (await score(desk, market_id, TWO))["scores"] == 0
    scores = [recorded.event for recorded in read_log(database_url).of(PredictionScored)]
    assert [
        (score.generation, score.winners) for score in scores if isinstance(score, PredictionScored)
    ] == [(1, ("home",)), (2, ("away",)), (3, ())]


async def test_a_key_gives_the_first_answer_again(desk: Desk) -> None:
    await registered(desk, MODEL)
    asked = [await desk.ask(ActivateModel(), ALICE, target=ONE, key="k") for _ in range(2)]
    assert asked[0] == asked[1]
