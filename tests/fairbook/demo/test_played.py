"""Small seasons played and imported on a real service: servers, API and workers."""

import asyncio
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from adapters.embedded import EmbeddedServers
from adapters.football_data import read_season
from fairbook.cli import main
from fairbook.client import LedgerClient
from fairbook.demo.book import returned_minor
from fairbook.demo.service import Service
from read_models.markets import SettlementRow
from tests.service import a_service, token

HEADER = (
    "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,B365H,B365D,B365A,PSH,PSD,PSA,B365>2.5,B365<2.5,"
    "B365CH,B365CD,B365CA,PSCH,PSCD,PSCA\n"
)
ROWS = (
    "E0,12/08/2023,12:30,Arsenal,Burnley,2,1,1.5,4.5,7,1.53,4.4,6.8,1.8,2,1.45,4.6,7.5,1.48,4.5,7.2\n",
    "E0,12/08/2023,15:00,Luton,Everton,1,1,2.6,3.2,2.8,2.7,3.1,2.75,2.1,1.72,2.8,3.2,2.6,2.85,3.15,2.6\n",
    "E0,19/08/2023,15:00,Everton,Arsenal,0,3,5,4,1.65,5.2,3.9,1.66,1.7,2.15,5.5,4.1,1.6,5.6,4,1.6\n",
    "E0,22/08/2023,20:00,Burnley,Luton,0,0,2,3.4,3.8,2.05,3.3,3.75,,,1.95,3.4,4,2,3.35,3.9\n",
)


@pytest.fixture(scope="module")
def service(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with a_service(tmp_path_factory.mktemp("played"), servers) as running:
        yield Service(running.url, token("admin", "demo"), running.database_url)


@pytest.fixture
def season(tmp_path: Path) -> Path:
    file = tmp_path / "season.csv"
    file.write_text(HEADER + "".join(ROWS))
    return file


def demo(service: Service, *words: str) -> int:
    return main(["demo", "--url", service.url, "--token", service.token, *words])


def import_(service: Service, *words: str) -> int:
    return main(["import", "football-data", *words, "--url", service.url, "--token", service.token])


def market_status(service: Service, market_id: UUID) -> str:
    """The market's status once the view of markets has seen everything that was asked for before."""

    async def read() -> str:
        assert service.database_url is not None
        with psycopg.connect(service.database_url) as connection:
            row = connection.execute("SELECT max(notification_id) FROM ledger_events").fetchone()
        assert row is not None
        address = f"/v1/markets/{market_id}/settlement?after={row[0]}"
        async with LedgerClient(service.url, service.token) as client:
            return (await client.read(address, SettlementRow)).status

    return asyncio.run(read())


def test_a_season_on_a_service_of_its_own_agrees_in_everything(
    season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["demo", "--data", str(season), "--bets", "200"])
    said = capsys.readouterr().out
    assert status == 0, said
    assert "agrees balances equal the demo's own arithmetic (15 accounts)" in said
    assert "agrees bets of every kind end as the demo's own rules say (180 bets" in said
    assert "agrees the trial balance is zero in every currency (EUR 0, GBP 0)" in said
    assert re.search(r"agrees a replay of [0-9,]+ events gives the same digest", said)
    assert "DISAGREES" not in said


def test_a_season_can_be_played_again_on_the_same_ledger(
    service: Service, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in ("1", "1"):
        status = demo(service, "--data", str(season), "--bets", "100", "--seed", seed)
        assert status == 0, capsys.readouterr().out


def test_a_difference_of_one_minor_unit_is_found(
    service: Service,
    season: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def short_by_one(stake_minor: int, odds: Decimal) -> int:
        return returned_minor(stake_minor, odds) - 1

    monkeypatch.setattr("fairbook.demo.book.returned_minor", short_by_one)
    assert demo(service, "--data", str(season), "--bets", "50", "--seed", "2") == 1
    said = capsys.readouterr().out
    assert "DISAGREES not so: balances equal the demo's own arithmetic" in said
    assert "DISAGREES not so: settlements equal the demo's own arithmetic" in said
    assert said.count("DISAGREES") == 2


def test_an_import_reports_what_it_leaves_out_and_adds_nothing_twice(
    service: Service, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with season.open("a") as file:
        file.write("E0,31/02/2024,,Luton,Fulham,,,2,3,4\n")
    assert import_(service, str(season)) == 1
    first = capsys.readouterr().out
    assert f"{season}:6: row left out: Date '31/02/2024' is not in the calendar" in first
    assert "4 fixtures, 8 markets, 54 prices, 0 results; 0 commands had been carried out" in first
    assert import_(service, str(season)) == 1
    again = capsys.readouterr().out
    assert "4 fixtures, 8 markets, 54 prices, 0 results; 16 commands had been carried out" in again


def test_a_longer_file_adds_only_what_is_new_and_a_changed_fixture_is_refused_by_row(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "growing.csv"
    rows = [row.replace("E0", "E2") for row in ROWS]
    without_closing = rows[0].rpartition(",1.45,")[0] + "\n"
    file.write_text(HEADER + without_closing)
    assert import_(service, str(file)) == 0
    file.write_text(HEADER + rows[0] + rows[1])
    assert import_(service, str(file)) == 0
    # Of the first match, two markets and the opening prices were known; its closing prices are new.
    assert "2 fixtures, 4 markets, 28 prices, 0 results; 3 commands" in capsys.readouterr().out
    file.write_text(HEADER + rows[0].replace("12:30", "13:30") + rows[1])
    assert import_(service, str(file)) == 1
    said = capsys.readouterr().out
    assert f"{file}:2: row refused by the service: 409 id_taken" in said
    assert "1 fixtures, 2 markets" in said


def test_results_are_declared_only_when_asked_for(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "another.csv"
    file.write_text(HEADER + ROWS[0].replace("E0", "E1"))
    market_id = read_season(file).matches[0].markets[0].market_id
    assert import_(service, str(file)) == 0
    assert market_status(service, market_id) == "open"
    assert import_(service, str(file), "--results") == 0
    assert market_status(service, market_id) in ("resulted", "settled")


def test_a_wrong_token_is_said_and_nothing_is_tried_further(
    service: Service, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["football-data", str(season), "--url", service.url, "--token", "forged"]
    assert main(["import", *words]) == 2
    assert "does not accept the token" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["import", "football-data"], ["demo", "--data"]], ids=str)
def test_a_service_that_is_not_there_is_said(
    words: list[str], season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, str(season), "--url", "http://127.0.0.1:1", "--token", "t"]) == 2
    assert "did not answer" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["import", "football-data"], ["demo", "--data"]], ids=str)
def test_a_token_is_asked_for(
    words: list[str],
    season: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("FAIRBOOK_TOKEN", raising=False)
    assert main([*words, str(season), "--url", "http://127.0.0.1:1"]) == 2
    assert "FAIRBOOK_TOKEN" in capsys.readouterr().out


def test_a_season_without_scores_is_nothing_to_play(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fixtures.csv"
    file.write_text("Div,Date,HomeTeam,AwayTeam,B365H\nE0,12/08/2023,Arsenal,Burnley,2\n")
    assert main(["demo", "--data", str(file), "--url", "http://127.0.0.1:1", "--token", "t"]) == 2
    assert "nothing to play" in capsys.readouterr().out


@pytest.mark.parametrize("bets", ["0", "-1", "many", "1.5"])
def test_an_impossible_number_of_bets_is_refused(bets: str) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--bets", bets])
