"""Training, activating and predicting as an operator does it, beside a running ledger."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from adapters.football_data_columns import COMPETITIONS
from application.racing.model import racing_to_bytes
from application.racing.training import train_racing
from domain.commands.market import FixtureBody, OpenMarket, SelectionBody
from domain.events.model import ModelActivated, ModelEvaluated, ModelTrained
from domain.events.prediction import PredictionMade
from domain.prediction.racing.form_logit import FormLogitLearner
from domain.prediction.racing.races import Race
from fairbook.cli import main
from fairbook.model_desk import model_desk
from fairbook.settings import Settings
from fairbook.train import competition_of, described
from tests.application.desk import Desk, Log, a_desk, read_log
from tests.builders import OPERATOR, an_id
from tests.fairbook.leagues import BEGIN, COMPETITION, a_season, open_match, play
from tests.racing_maker import card_of, make_races
from tests.read_models.business import follow

VIEWS = ("markets", "models", "predictions")
HEADER = "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR"


@dataclasses.dataclass
class Office:
    """A ledger, and commands that are run on it."""

    url: str
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command on views that have seen everything; give its status and what it said."""
        follow(self.url, VIEWS)
        status = main(list(words))
        said = self.capture.readouterr()
        return status, said.out + said.err

    def train(self, *words: str) -> tuple[int, str]:
        return self.run("train", "football", "--scope", "E0", *words)

    @property
    def log(self) -> Log:
        return read_log(self.url)


@pytest.fixture
def office(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Office:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FAIRBOOK_HOME", str(tmp_path))
    monkeypatch.delenv("FAIRBOOK_ARTEFACTS", raising=False)
    return Office(database_url, capsys)


async def a_league(url: str) -> None:
    """A season, a fixture that the model knows, one with a side that it cannot know, and one that is over."""
    async with a_desk(url) as desk:
        await play(desk, a_season())
        await coming(desk, "coming", "Arsenal", "Manchester United", days=400)
        await coming(desk, "unknown", "Arsenal", "Norwich Rovers", days=401)


async def coming(desk: Desk, name: str, home: str, away: str, days: int) -> None:
    at = BEGIN + timedelta(days=days)
    await open_match(desk, name, home, away, at)
    await open_match(desk, name, home, away, at, "BTTS")


def trained_ids(log: Log) -> list[UUID]:
    return [recorded.stream_id for recorded in log.of(ModelTrained)]


def test_a_model_of_the_ledgers_results_is_trained_activated_and_predicts(office: Office) -> None:
    asyncio.run(a_league(office.url))
    status, said = office.train("--activate")
    assert status == 0, said
    assert "48 matches" in said
    assert "speaks for its slot" in said
    (one,) = trained_ids(office.log)
    assert office.train("--activate")[0] == 0
    assert trained_ids(office.log) == [one], "the same results give the same model"
    assert len(office.log.of(ModelActivated)) == 1

    status, said = office.train("--half-life", "100")
    assert status == 0, said
    assert "active model's" in said
    two = trained_ids(office.log)[1]
    compared = [recorded.event for recorded in office.log.of(ModelEvaluated)]
    assert any(isinstance(e, ModelEvaluated) and e.against == one for e in compared)
    status, said = office.run("activate", str(two), "--force", "--reason", "a test")
    assert status == 0, said
    status, said = office.run("models", "--scope", "E0")
    assert str(one) in said
    assert str(two) in said
    none = "no such model: `fairbook models` lists all\n"
    assert office.run("models", "--scope", "Nowhere") == (0, none)

    status, said = office.run("predict", "football", str(an_id("coming")))
    assert status == 0, said
    assert "BTTS" in said
    status, said = office.run("predict", "football", str(an_id("coming")))
    assert "said before" in said
    status, said = office.run("predict", "football", str(an_id("unknown")))
    assert status == 0, "a coming side that never played is a newcomer"
    assert len(office.log.of(PredictionMade)) == 2
    status, said = office.run("predict", "football", "--all", "--model", str(one))
    assert status == 0, said
    assert "2 fixtures predicted, 0 refused" in said


def season_file(folder: Path) -> Path:
    """A season of two matches a day among four teams."""
    rows = [
        f"E0,{(BEGIN + timedelta(days=day)):%d/%m/%Y},15:00,{home},{away},{goals % 3},{day % 2},X"
        for day in range(40)
        for goals, (home, away) in enumerate((("Arsenal", "Chelsea"), ("Leeds", "Fulham")), day)
    ]
    file = folder / "E0_2324.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n")
    return file


def test_a_model_of_files_refuses_a_side_that_it_does_not_know_by_name(
    office: Office, tmp_path: Path
) -> None:
    asyncio.run(a_league(office.url))
    status, said = office.train("--data", str(season_file(tmp_path)), "--activate")
    assert status == 0, said
    assert "80 matches" in said
    status, said = office.run("predict", "football", "--all")
    assert status == 1
    assert "Norwich Rovers" in said
    assert "0 fixtures predicted, 2 refused" in said
    status, said = office.run("predict", "football", str(an_id(f"{BEGIN}/{a_season()[0].home}")))
    assert status == 2, "it began before the model had learned"


def test_what_cannot_be_done_is_said(office: Office, tmp_path: Path) -> None:
    for words, says in (
        (("train", "football", "--scope", "E0"), "import results first"),
        (("train", "football", "--scope", "E0", "--data", str(tmp_path / "none.csv")), "none.csv"),
        (("activate", str(an_id("no model"))), "there is no model"),
        (("predict", "football", "--all"), "no football model is active"),
        (("predict", "football", str(an_id("nothing"))), "no football market"),
        (("predict", "racing", "--card", "x.json"), "no racing model is active"),
    ):
        status, said = office.run(*words)
        assert status == 2, said
        assert says in said
    assert office.run("models") == (0, "no model has been trained: `fairbook train` does it\n")


def test_an_artefact_that_was_touched_is_refused_by_name(office: Office, tmp_path: Path) -> None:
    asyncio.run(a_league(office.url))
    assert office.train()[0] == 0
    (model_id,) = trained_ids(office.log)
    (artefact,) = [each for each in (tmp_path / "artefacts").rglob("*") if each.is_file()]
    content = bytearray(artefact.read_bytes())
    content[len(content) // 2] ^= 1
    artefact.write_bytes(content)
    status, said = office.run("activate", str(model_id))
    assert status == 2
    assert artefact.name in said
    status, said = office.run("predict", "football", "--all", "--model", str(model_id))
    assert status == 2
    assert artefact.name in said


async def race_market(url: str, race: Race) -> UUID:
    """Open a WIN market on a race, half a day before it."""
    async with a_desk(url) as desk:
        command = OpenMarket(
            fixture=FixtureBody(
                fixture_id=an_id("race"),
                sport="racing",
                competition="HK",
                name=race.race_id,
                starts_at=datetime.combine(race.day, datetime.min.time(), UTC)
                + timedelta(hours=12),
            ),
            type="WIN",
            selections=[
                SelectionBody(selection_id=str(each.number), name=each.horse.upper())
                for each in race.runners
            ],
            pricing="external",
        )
        return UUID((await desk.ask(command, OPERATOR))["market_id"])


def test_a_race_is_predicted_from_its_card_and_kept_when_its_odds_have_a_time(
    office: Office, tmp_path: Path
) -> None:
    races = make_races(seasons=3, races_a_day=2)
    race = card_of(races[-1])
    content = racing_to_bytes(train_racing(races[:-2], (FormLogitLearner(),)))
    trained = described(content, "races.csv", races[:-2], ("form",))

    async def register() -> UUID:
        async with model_desk(Settings.from_environment()) as desk:
            model_id = await desk.keep(content, trained, ())
            await desk.activate(model_id)
            return model_id

    model_id = asyncio.run(register())
    market_id = asyncio.run(race_market(office.url, race))
    card = tmp_path / "card.json"
    words = ("predict", "racing", "--card", str(card), "--market", str(market_id))

    def predict(odds_at: datetime | None, *more: str) -> tuple[int, str]:
        card.write_bytes(msgspec.json.encode(replace(race, odds_at=odds_at)))
        return office.run(*words, *more)

    status, said = predict(None)
    assert status == 2
    assert "odds_at" in said, "final odds are known to nobody before the start"
    status, said = predict(None, "--without-odds")
    assert status == 0, said
    at = datetime.combine(race.day, datetime.min.time(), UTC) + timedelta(hours=11)
    status, said = predict(at)
    assert status == 0, said
    assert race.runners[0].horse in said
    assert predict(at + timedelta(hours=2))[0] == 2, "those odds were of after the start"
    made = [recorded.event for recorded in office.log.of(PredictionMade)]
    assert [event.as_of for event in made if isinstance(event, PredictionMade)] == [
        trained.data.until,
        at,
    ]
    assert all(isinstance(e, PredictionMade) and e.model_id == model_id for e in made)


def test_a_code_stands_for_a_competition() -> None:
    assert competition_of("E0") == COMPETITION == COMPETITIONS["E0"]
    assert competition_of("Premier League") == "Premier League"
