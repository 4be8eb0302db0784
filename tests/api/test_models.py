"""Models, predictions and value signals over HTTP, as processes beside the API have recorded them."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.actors import MODELLER, VALUE_HANDLER
from domain.commands.model import PredictedMarket, RecordPredictions, ScorePredictions
from domain.commands.value import RecordValueSignals, ValueChange
from domain.model import model_id_of
from domain.value_signal import signal_id
from tests.api.goldens import Golden
from tests.application.desk import Answer, a_desk
from tests.predicting import (
    chances,
    evaluate,
    evaluated,
    predicted,
    register,
    signal,
    trained,
)
from tests.service import Client, People, Service, an_id, market_body

SCOPE = "tests of the API"
FIRST, SECOND = (trained(name, scope=SCOPE) for name in ("first", "second"))
ONE, TWO = model_id_of(FIRST), model_id_of(SECOND)


def ask(service: Service, *asked: tuple[Any, Any, UUID | None]) -> Answer:
    """Have commands decided by a process beside the API; give the last answer."""

    async def tell() -> Answer:
        done: Answer = {}
        async with a_desk(service.database_url) as desk:
            for command, actor, target in asked:
                done = await desk.ask(command, actor, target=target)
        return done

    return asyncio.run(tell())


@pytest.fixture(scope="module")
def recorded(service: Service) -> int:
    """Two models of which the second has lost more than the first; gives the position."""
    worse = evaluated(ONE, low="0.01", high="0.03")
    done = ask(
        service,
        (register(FIRST), MODELLER, None),
        (register(SECOND), MODELLER, None),
        (evaluate(evaluated()), MODELLER, ONE),
        (evaluate(worse), MODELLER, TWO),
    )
    return int(done["position"])


def test_models_are_listed_read_and_activated_unless_they_are_worse(
    people: People, recorded: int
) -> None:
    trader, operator = people.trader(), people.operator
    golden = Golden(trader.user, "olga", "aud")
    activate = f"/v1/models/{TWO}/activate"
    golden.check("model_activated", operator.post(f"/v1/models/{ONE}/activate"))
    operator.post(activate).problem(422, "model_worse")
    refused = operator.post(activate, {"force": True})
    assert refused.fields == {"reason"}
    why = {"force": True, "reason": "the first one's data were wrong"}
    last = operator.post(activate, why).ok()["position"]
    assert operator.post(activate).ok() == {
        "model_id": str(TWO),
        "before": None,
        "forced": False,
        "position": last,
    }
    golden.check("model", trader.get(f"/v1/models/{TWO}", after=last))
    listed = trader.get("/v1/models", scope=SCOPE, after=last)
    golden.check("models", listed)

    def found(**query: Any) -> list[UUID]:
        items = trader.get("/v1/models", scope=SCOPE, **query).ok()["items"]
        return [UUID(each["model_id"]) for each in items]

    assert found(kind="football.goals") == [TWO, ONE]
    assert found(active="true") == [TWO]
    assert found(active="false") == [ONE]
    assert found(kind="racing.logit") == []
    pages = trader.pages("/v1/models", 1, scope=SCOPE)
    assert [UUID(each["model_id"]) for each in pages] == [TWO, ONE]


def test_a_prediction_is_read_with_its_score(
    people: People, service: Service, recorded: int
) -> None:
    trader, operator = people.trader(), people.operator
    golden = Golden(trader.user, "olga", "aud")
    opened = operator.post("/v1/markets", market_body()).ok(201)
    market, fixture = UUID(opened["market_id"]), UUID(opened["fixture_id"])
    made = predicted(FIRST, chances(market_id=market), fixture_id=fixture)
    told = ask(service, (RecordPredictions(predictions=(made,)), MODELLER, None))
    path = f"/v1/predictions/football/{fixture}"
    shown = trader.get(path, after=told["position"]).ok()["predictions"][0]["markets"][0]
    assert (shown["generation"], shown["log_loss"]) == (None, None)
    operator.post(f"/v1/markets/{market}/result", {"score": {"home": 2, "away": 1}}).ok(202)
    due = ScorePredictions(predicted=(PredictedMarket(ONE, fixture, market),))
    scored = ask(service, (due, MODELLER, None))
    assert scored["scores"] == 1
    golden.check("prediction", trader.get(path, after=scored["position"]))
    trader.get(f"/v1/predictions/racing/{fixture}").problem(404, "prediction_not_found")


def test_value_signals_are_listed_and_read(people: People, service: Service) -> None:
    trader, market = people.trader(), UUID(an_id())
    golden = Golden(trader.user)
    names = [signal_id(market, "home", "back", "pinnacle", number) for number in (1, 2)]
    changes = (
        ValueChange(names[0], 1, signal=signal(1, market_id=market)),
        ValueChange(names[1], 2, signal=signal(2, "0.08", market_id=market)),
        ValueChange(names[0], 3, ended="prediction_changed"),
    )
    told = ask(service, (RecordValueSignals(changes=changes), VALUE_HANDLER, None))
    listed = trader.get("/v1/value-signals", market_id=str(market), after=told["position"])
    golden.check("value_signals", listed)
    golden.check("value_signal", trader.get(f"/v1/value-signals/{names[1]}"))

    def found(**query: Any) -> list[UUID]:
        items = trader.get("/v1/value-signals", market_id=str(market), **query).ok()["items"]
        return [UUID(each["signal_id"]) for each in items]

    assert found() == names[::-1]
    assert found(active="true") == [names[1]]
    assert found(min_edge=Decimal("0.02")) == names[::-1]
    assert found(min_edge=Decimal("0.03")) == []
    assert found(bookmaker="betfair") == []
    pages = trader.pages("/v1/value-signals", 1, market_id=str(market))
    assert [UUID(each["signal_id"]) for each in pages] == names[::-1]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("models", {"kind": "football.magic"}, "kind"),
        ("models", {"active": "perhaps"}, "active"),
        ("models", {"cursor": "x"}, "cursor"),
        ("value-signals", {"min_edge": "nan"}, "min_edge"),
        ("value-signals", {"min_edge": "1e999999999"}, "min_edge"),
        ("value-signals", {"min_edge": "0.0000001"}, "min_edge"),
        ("value-signals", {"market_id": "x"}, "market_id"),
        ("value-signals", {"cursor": "x"}, "cursor"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(
    trader: Client, path: str, query: dict[str, str], field: str
) -> None:
    refused = trader.get(f"/v1/{path}", **query)
    assert refused.status in {400, 422}, refused
    assert refused.fields == {field}


def test_what_does_not_exist_is_not_found(people: People) -> None:
    trader, nobody = people.trader(), an_id()
    trader.get(f"/v1/models/{nobody}").problem(404, "model_not_found")
    people.operator.post(f"/v1/models/{nobody}/activate").problem(404, "model_not_found")
    trader.get(f"/v1/predictions/football/{nobody}").problem(404, "prediction_not_found")
    trader.get(f"/v1/value-signals/{nobody}").problem(404, "value_signal_not_found")


def test_a_body_that_makes_no_sense_is_refused(people: People) -> None:
    path = f"/v1/models/{an_id()}/activate"
    for body in ({"force": "yes"}, {"reason": 5}, {"why": "x"}, {"reason": ""}):
        refused = people.operator.post(path, body)
        assert refused.status in {400, 422}, refused
