"""What is shown of models, predictions and value signals, against what the log says."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from uuid import UUID

import pytest
from msgspec.structs import asdict

from adapters.embedded import EmbeddedServers
from adapters.postgres.build import Build
from adapters.postgres.reader import Reader
from adapters.postgres.schema import connect, digest
from adapters.postgres.snapshot_projection import PROJECTIONS
from domain.actors import MODELLER, VALUE_HANDLER
from domain.commands.market import CloseMarket, RollBackResult
from domain.commands.model import ActivateModel, RecordPredictions, ScorePredictions
from domain.commands.odds import QuoteBody, RecordOdds
from domain.commands.value import RecordValueSignals, ValueChange
from domain.forecast import Forecast
from domain.model import Model, model_id_of
from domain.refusals import Refusal
from domain.value_signal import Value, signal_id
from read_models import models, predictions, value_signals
from tests.application.desk import Desk, a_desk, read_log
from tests.builders import FIXTURE, OPERATOR
from tests.predicting import (
    FIXTURE_ID,
    FORCED,
    chances,
    evaluate,
    evaluated,
    predicted,
    register,
    signal,
    trained,
)
from tests.read_models.business import digests, follow, head
from tests.service import a_database

pytestmark = pytest.mark.anyio

VIEWS = ("models", "predictions", "value_signals")
MODELS = [trained(name) for name in ("one", "two", "three")]
IDS = [model_id_of(model) for model in MODELS]
OPINIONS = (
    ("0.500000", "0.300000", "0.200000"),
    ("0.200000", "0.300000", "0.500000"),
)


async def a_life(
    desk: Desk, db: Reader, database_url: str, seed: int, steps: int = 60
) -> list[UUID]:
    """Models that are trained, compared, activated, predict and are scored, and signals, all at random."""
    rng = random.Random(seed)
    markets = [await desk.market() for _ in range(3)]
    for sequence in range(1, steps):
        model, market_id = rng.choice(MODELS), rng.choice(markets)
        target = model_id_of(model)
        try:
            match rng.choice("teaappprrbsvvv"):
                case "t":
                    await desk.ask(register(model), MODELLER)
                case "e":
                    against = rng.choice([None, *IDS])
                    found = evaluate(evaluated(against, matches=rng.randint(1, 9)))
                    await desk.ask(found, MODELLER, target=target)
                case "a":
                    how = rng.choice((ActivateModel(), FORCED))
                    await desk.ask(how, OPERATOR, target=target)
                case "p":
                    said = chances(*rng.choice(OPINIONS), market_id=market_id)
                    made = predicted(model, said)
                    await desk.ask(RecordPredictions(predictions=(made,)), MODELLER)
                case "r":
                    await desk.score(market_id, rng.randint(0, 2), rng.randint(0, 2))
                case "b":
                    await desk.ask(RollBackResult(), OPERATOR, target=market_id)
                case "s":
                    follow(database_url, ("markets", "predictions"))
                    due = await predictions.unscored(db, 100)
                    await desk.ask(ScorePredictions(predicted=tuple(due)), MODELLER)
                case _:
                    change = a_change(rng, sequence, market_id)
                    await desk.ask(RecordValueSignals(changes=(change,)), VALUE_HANDLER)
        except Refusal:
            continue
    return markets


def a_change(rng: random.Random, sequence: int, market_id: UUID) -> ValueChange:
    name = signal_id(market_id, "home", "back", "pinnacle", rng.randint(1, 4))
    if rng.random() < 0.3:
        return ValueChange(name, sequence, ended="price_moved")
    value = str(Decimal(rng.randint(1, 99)) / 1000)
    return ValueChange(name, sequence, signal=signal(sequence, value, market_id=market_id))


@pytest.fixture(scope="module")
def told(servers: EmbeddedServers) -> Iterator[str]:
    """A database on which all this has happened, and been followed."""

    async def happen(url: str) -> None:
        reader = Reader(url)
        await reader.open()
        async with a_desk(url) as desk:
            for model in MODELS:
                await desk.ask(register(model), MODELLER)
            await a_life(desk, reader, url, 5)
        await reader.close()

    with a_database(servers.urls.database) as url:
        asyncio.run(happen(url))
        follow(url)
        yield url


@pytest.fixture
async def views(told: str) -> AsyncIterator[Reader]:
    reader = Reader(told)
    await reader.open()
    yield reader
    await reader.close()


async def test_everything_is_shown_as_the_log_has_it(told: str, views: Reader) -> None:
    states = read_log(told).states
    shown = {row.model_id: row for row in (await models.page(views)).items}
    folded = {key: state for key, state in states.items() if isinstance(state, Model)}
    assert shown.keys() == folded.keys()
    for key, state in folded.items():
        row = shown[key]
        assert await models.get(views, key) == row
        assert row.data == state.trained.data
        assert row.metrics == state.trained.metrics
        latest = {each.against: each.metrics for each in row.evaluations}
        assert latest == {key: each.metrics for key, each in state.verdicts.items()}
    assert [row.model_id for row in await models.active(views)] == [
        row.model_id for row in shown.values() if row.active
    ]
    assert len(await models.active(views)) == 1
    said = {
        row.prediction_id: row
        for row in await predictions.of_fixture(views, FIXTURE_ID, "football")
    }
    forecasts = {key: each for key, each in states.items() if isinstance(each, Forecast)}
    assert said.keys() == forecasts.keys()
    assert await predictions.of_fixture(views, FIXTURE_ID, "racing") == []
    scores = 0
    for key, forecast in forecasts.items():
        for market in said[key].markets:
            known = forecast.markets[market.market_id].chances
            assert [asdict(each) for each in market.chances] == [asdict(each) for each in known]
            score = forecast.scored.get(market.market_id)
            scores += score is not None
            assert market.generation == (score.generation if score else None)
            assert market.log_loss == (score.log_loss if score else None)
            assert market.rps == (score.rps if score else None)
    assert scores
    rows = {row.signal_id: row for row in (await value_signals.page(views)).items}
    values = {key: each for key, each in states.items() if isinstance(each, Value)}
    assert rows.keys() == values.keys()
    for key, value in values.items():
        assert (rows[key].status == "open") == value.is_open
        assert rows[key].best_expected_value == value.best.expected_value
        assert await value_signals.get(views, key) is not None
    opened = dict(await value_signals.open_signals(views))
    assert opened == {key: value.latest for key, value in values.items() if value.is_open}
    assert await value_signals.last_sequence(views) == max(
        each.sequence for each in values.values()
    )


async def test_any_split_of_the_log_gives_the_same_digests(told: str) -> None:
    end = head(told)
    for step in (1, 7):
        with Build(told, [PROJECTIONS[name] for name in VIEWS], "split") as build:
            for cut in [*range(step, end, step), end]:
                build.advance(dict.fromkeys(VIEWS, cut), lambda *_: None)
            build.finish()
            with connect(told) as connection:
                built = {
                    name: digest(connection, PROJECTIONS[name], build.schema_of(PROJECTIONS[name]))
                    for name in VIEWS
                }
        assert built == digests(told, VIEWS)


async def test_models_are_filtered_and_paged(views: Reader) -> None:
    first = await models.page(views, limit=2)
    rest = await models.page(views, limit=2, cursor=first.next_cursor)
    assert [row.model_id for row in (*first.items, *rest.items)] == IDS[::-1]
    assert rest.next_cursor is None
    assert len((await models.page(views, active=True)).items) == 1
    assert len((await models.page(views, active=False)).items) == 2
    assert not (await models.page(views, kind="racing.logit")).items
    assert not (await models.page(views, scope="E1")).items
    assert len((await models.page(views, scope=MODELS[0].scope)).items) == 3


async def test_what_is_scored_waits_no_longer(told: str, views: Reader) -> None:
    due = await predictions.unscored(views, 100)
    async with a_desk(told) as desk:
        await desk.ask(ScorePredictions(predicted=tuple(due)), MODELLER)
    follow(told)
    assert await predictions.unscored(views, 100) == []
    shown = await predictions.of_fixture(views, FIXTURE_ID, "football")
    for row in shown:
        ids = [market.market_id for market in row.markets]
        assert await predictions.markets_predicted(views, row.model_id, ids) == set(ids)


async def test_closing_prices_say_what_a_signal_was_worth(
    desk: Desk, db: Reader, database_url: str
) -> None:
    market_id = await desk.market()
    name = signal_id(market_id, "home", "back", "pinnacle", 1)
    for sequence, odds in ((1, "2.1"), (2, "2.3")):
        shape = signal(sequence, odds=odds, market_id=market_id)
        change = ValueChange(name, sequence, signal=shape)
        await desk.ask(RecordValueSignals(changes=(change,)), VALUE_HANDLER)
    quotes = [
        QuoteBody(
            bookmaker=bookmaker,
            market_id=market_id,
            selection_id=side,
            odds=Decimal(odds),
            at=FIXTURE.starts_at,
        )
        for bookmaker in ("pinnacle", "betfair")
        for side, odds in (("home", "2.0"), ("draw", "4.0"), ("away", "4.0"))
    ]
    follow(database_url)
    before = await value_signals.get(db, name)
    assert before is not None
    assert (before.closing_odds, before.clv) == (None, None)
    await desk.ask(RecordOdds(quotes=quotes), OPERATOR)
    await desk.ask(CloseMarket(), OPERATOR, target=market_id)
    follow(database_url)
    row = await value_signals.get(db, name)
    assert row is not None
    assert (row.opened_odds, row.odds) == (Decimal("2.1"), Decimal("2.3"))
    assert (row.closing_odds, row.closing_fair_odds) == (Decimal(2), Decimal(2))
    assert row.clv == row.clv_fair == Decimal("0.05")


async def test_signals_are_filtered(desk: Desk, db: Reader, database_url: str) -> None:
    market_id = await desk.market()
    names = [signal_id(market_id, "home", "back", "pinnacle", number) for number in (1, 2)]
    changes = [ValueChange(each, 1, signal=signal(1, market_id=market_id)) for each in names]
    changes.append(ValueChange(names[0], 2, ended="expired"))
    await desk.ask(RecordValueSignals(changes=tuple(changes)), VALUE_HANDLER)
    follow(database_url)

    async def found(**asked: object) -> list[UUID]:
        page = await value_signals.page(db, **asked)  # type: ignore[arg-type]
        return [row.signal_id for row in page.items]

    assert await found(active=True) == [names[1]]
    assert await found(active=False) == [names[0]]
    assert await found(min_edge=Decimal("0.02381")) == names[::-1]
    assert await found(min_edge=Decimal("0.02382")) == []
    assert await found(bookmaker="betfair") == []
    assert (
        await found(bookmaker="pinnacle", market_id=market_id, fixture_id=FIXTURE_ID) == names[::-1]
    )
    assert await found(market_id=FIXTURE_ID) == []
    first = await value_signals.page(db, limit=1)
    assert await found(cursor=first.next_cursor) == [names[0]]
