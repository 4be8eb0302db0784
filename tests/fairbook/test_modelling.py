"""Active models speak of what opens, learn anew on a schedule, and are not replaced by worse ones."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from application.football.training import Lesson, learn
from domain.events.model import ModelActivated, ModelTrained
from domain.events.prediction import PredictionMade
from domain.prediction.goals_table import PlayedMatch
from fairbook.model_desk import ModelDesk, model_desk
from fairbook.modelling import Modelling
from fairbook.settings import Settings
from tests.application.desk import Desk, Log, a_desk, read_log
from tests.fairbook.leagues import BEGIN, COMPETITION, a_season, open_match, play
from tests.read_models.business import follow

pytestmark = pytest.mark.anyio

YEAR = timedelta(days=364)
VIEWS = ("markets", "models", "predictions")


@pytest.fixture
async def models(database_url: str, tmp_path: Path) -> AsyncIterator[ModelDesk]:
    variables = {"DATABASE_URL": database_url, "FAIRBOOK_ARTEFACTS": str(tmp_path)}
    async with model_desk(Settings.from_environment(variables)) as desk:
        yield desk


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with a_desk(database_url) as running:
        yield running


async def activated(models: ModelDesk, matches: list[PlayedMatch]) -> UUID:
    learned = learn(Lesson(COMPETITION, "ledger", tuple(matches), "0.1.0"))
    model_id = await models.keep_learned(learned)
    await models.activate(model_id)
    return model_id


def active(log: Log) -> list[UUID]:
    """The models that were activated, in order."""
    events = [recorded.event for recorded in log.of(ModelActivated)]
    return [event.model_id for event in events if isinstance(event, ModelActivated)]


async def test_a_fixture_is_predicted_once_for_each_set_of_its_markets(
    models: ModelDesk, desk: Desk, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    model_id = await activated(models, a_season())
    modelling = Modelling(models, None)

    async def look() -> list[int]:
        """Give how many markets each prediction has named."""
        follow(database_url, VIEWS)
        await modelling.look(datetime.now(UTC))
        made = [recorded.event for recorded in read_log(database_url).of(PredictionMade)]
        return [len(event.markets) for event in made if isinstance(event, PredictionMade)]

    at = BEGIN + YEAR
    await open_match(desk, "one", "Arsenal", "Manchester United", at)
    await open_match(desk, "unknown", "Arsenal", "Norwich Rovers", at)
    await open_match(desk, "before", "Arsenal", "Chelsea", BEGIN)
    with caplog.at_level(logging.INFO, "fairbook.models"):
        assert await look() == [1]
        assert await look() == [1]
        assert caplog.text.count("Norwich Rovers") == 2, "one line, which names the fixture and why"
    await open_match(desk, "one", "Arsenal", "Manchester United", at, "BTTS")
    assert await look() == [1, 1]
    modelling = Modelling(models, None)  # after a restart
    assert await look() == [1, 1]
    assert active(read_log(database_url)) == [model_id]


async def test_a_model_learns_when_it_is_due_and_takes_over_unless_it_is_worse(
    models: ModelDesk, desk: Desk, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, more = a_season(12), a_season(6, 2, BEGIN + timedelta(days=7 * 12))
    await play(desk, first)
    before = await activated(models, first)
    modelling = Modelling(models, 24)
    now = datetime.now(UTC)

    async def look(hours: int) -> list[UUID]:
        follow(database_url, VIEWS)
        await modelling.look(now + timedelta(hours=hours))
        return active(read_log(database_url))

    assert await look(23) == [before], "it is not due"
    with caplog.at_level(logging.INFO, "fairbook.models"):
        assert await look(25) == [before]
        assert "nothing new" in caplog.text
        await play(desk, more)
        assert await look(26) == [before], "it was tried an hour ago"
        old, new = await look(50)
        assert f"model {new} of {COMPETITION} is active, before {old}" in caplog.text
        assert (await models.model(new)).trained.data.rows == 36

        # Another kind of league; whoever learned from the first one is worse there than who knew it beforehand.
        other = a_season(20, 3, BEGIN + YEAR, edge=-4)
        knows = a_season(20, 4, BEGIN + timedelta(days=7), edge=-4)
        cheat = learn(Lesson(COMPETITION, "elsewhere", tuple(knows), "0.1.0"))
        cheating = await models.keep_learned(cheat)
        await models.activate(cheating, force=True, reason="a test")
        await play(desk, other)
        assert (await look(100))[-1] == cheating
        assert "is not activated" in caplog.text
    assert len(read_log(database_url).of(ModelTrained)) == 4


def cut_short(folder: Path) -> str:
    """Take a byte off the only artefact, and give its name."""
    (artefact,) = [each for each in folder.rglob("*") if each.is_file()]
    artefact.write_bytes(artefact.read_bytes()[:-1])
    return artefact.name


async def test_an_artefact_that_was_touched_is_said_once_and_stops_nobody(
    models: ModelDesk,
    desk: Desk,
    database_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await activated(models, a_season(6))
    await open_match(desk, "one", "Arsenal", "Chelsea", BEGIN + YEAR)
    name = cut_short(tmp_path)
    follow(database_url, VIEWS)
    modelling = Modelling(models, None)
    for _ in range(2):
        await modelling.look(datetime.now(UTC))
    assert caplog.text.count("cannot be used") == 1
    assert name in caplog.text
    assert not read_log(database_url).of(PredictionMade)
