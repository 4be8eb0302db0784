"""The command `fairbook backtest` reads season files, prints and writes what became of a bankroll, and refuses by name."""

import json
from pathlib import Path

import msgspec
import pytest

from fairbook.backtest import Backtest
from fairbook.cli import main
from tests.fairbook.season_files import write_seasons


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return [str(file) for file in write_seasons(tmp_path)]


def test_a_backtest_prints_its_figures_and_writes_every_bet(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "found.json"
    asked = ["--model", "market", "--markets", "1X2", "OU", "--min-edge", "0", "--bankroll", "500"]
    assert main(["backtest", *files, *asked, "--json", str(written)]) == 0
    printed = capsys.readouterr().out
    assert "best opening prices, known when they were collected" in printed
    assert "bankroll 500.00 became" in printed
    for word in ("2023/24", "X0", "yield", "CLV", "drawdown"):
        assert word in printed
    found = msgspec.json.decode(written.read_bytes(), type=Backtest)
    assert found.markets
    assert found.report.bankroll_minor == 50_000
    assert found.report.final_minor == 50_000 + sum(each.profit_minor for each in found.markets)
    for market in found.markets:
        assert market.decided_at <= market.starts_at < market.settled_at
        for bet in market.bets:
            assert bet.priced_at <= market.decided_at


def test_the_same_backtest_finds_the_same(files: list[str], tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    for file in (one, two):
        asked = ["--model", "stack", "--since", "2023-11-01", "--json", str(file)]
        assert main(["backtest", *files, *asked]) == 0
    assert one.read_bytes() == two.read_bytes()


def test_closing_prices_are_called_what_they_are(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--model", "market", "--price", "close", "--bookmaker", "bet365", "--min-edge", "0"]
    assert main(["backtest", *files, *asked]) == 0
    assert "bet365's closing prices: final odds, known only at kick-off" in capsys.readouterr().out


def test_matches_after_the_last_day_are_not_read(files: list[str], tmp_path: Path) -> None:
    written = tmp_path / "found.json"
    asked = ["--model", "market", "--min-edge", "0", "--until", "2023-12-01"]
    assert main(["backtest", *files, *asked, "--json", str(written)]) == 0
    days = [each["starts_at"] for each in json.loads(written.read_bytes())["markets"]]
    assert days
    assert max(days) < "2023-12-01"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--bankroll", "0"], "--bankroll 0 is no amount of EUR"),
        (["--bankroll", "10.001"], "--bankroll 10.001 is no amount of EUR"),
        (["--currency", "XXX"], "unknown currency"),
        (["--fraction", "2"], "fraction lies from 0 to 1 (field fraction)"),
        (["--commission", "1"], "(field commission)"),
        (["--min-edge", "nan"], "(field edge_min)"),
        (["--staking", "flat", "--stake", "2000"], "(field flat_stake_minor)"),
        (["--limit", "1", "--least", "2"], "(field bet_max_minor)"),
        (["--half-life", "0", "--league", "X0"], "half_life_days"),
        (["--league", "Z9"], "no season files of Z9"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(
    files: list[str], capsys: pytest.CaptureFixture[str], asked: list[str], said: str
) -> None:
    assert main(["backtest", *files, *asked]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("asked", [["--since", "soon"], ["--bankroll", "much"], ["--price", "low"]])
def test_words_that_are_none_are_refused_with_the_usage(
    files: list[str], capsys: pytest.CaptureFixture[str], asked: list[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["backtest", *files, *asked])
    assert left.value.code == 2
    assert asked[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the header lacks"),
        (b"Div,Date\nE0,12/09/2020\n", "the header lacks HomeTeam, AwayTeam"),
        (
            b"Div,Date,HomeTeam,AwayTeam,FTHG,FTAG\nE0,12/09/2020,A,B,,\n",
            "no match has been played",
        ),
        (b"\xff\xfe\x00\x81", "X1_2021.csv"),
    ],
)
def test_bad_files_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    file = tmp_path / "X1_2021.csv"
    file.write_bytes(content)
    assert main(["backtest", str(file)]) == 2
    words = capsys.readouterr().err
    assert said in words
    assert "X1_2021.csv" in words


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(tmp_path / "E0_9999.csv")]) == 2
    assert "E0_9999.csv" in capsys.readouterr().err


def test_without_any_data_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRBOOK_DATA", str(tmp_path))
    assert main(["backtest"]) == 2
    assert "set FAIRBOOK_DATA" in capsys.readouterr().err
