"""The command `fairbook evaluate` prints the targets beside their references, whatever could not be measured."""

import sys
from pathlib import Path

import msgspec
import pytest

from application.football.comparison import (
    CLOSING,
    ELO,
    GOALS,
    OPENING,
    PEER,
    PINNACLE_OPENING,
    STACK,
)
from domain.prediction.losses import Interval
from fairbook.cli import main
from fairbook.evaluate import Evaluation
from fairbook.evaluation_times import fit_times, handler_speed
from fairbook.football_files import read_matches
from fairbook.peer import PYTHON, PeerMissing, ask, chances_of, question
from fairbook.racing_part import racing_part
from fairbook.targets import (
    FootballTimes,
    Target,
    handler_targets,
    interval,
    met_in_words,
    speed_targets,
)
from tests.fairbook.season_files import write_seasons

ALONE = ["--no-peer", "--no-racing", "--no-times"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seasons")


@pytest.fixture(scope="module")
def files(folder: Path) -> list[Path]:
    return write_seasons(folder)


def test_the_targets_stand_beside_their_references(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "found.json"
    asked = ["--league", "X0", *ALONE, "--json", str(written)]
    assert main(["evaluate", *map(str, files), *asked]) == 0
    printed = capsys.readouterr().out
    for words in (
        "targets",
        "X0: RPS from results only",
        "within 0.002",
        "benchmarks.value",
    ):
        assert words in printed
    found = msgspec.json.decode(written.read_bytes(), type=Evaluation)
    forecasters = {line.forecaster for line in found.results_only.lines}
    assert forecasters == {GOALS, ELO, OPENING, PINNACLE_OPENING, CLOSING}
    assert STACK not in forecasters
    assert found.held_out == "2023/24"
    # One season of forecasts is not enough to learn a stack from and to judge it.
    assert any("two seasons" in note for note in found.notes)
    by_aim = {target.what: target.met for target in found.targets}
    assert by_aim["X0: the same"] is None
    assert by_aim["X0: RPS from results only"] in {True, False}


def test_seasons_that_are_not_to_be_looked_at_are_not_read(
    files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--league", "X0", *ALONE, "--until", "2023-03-01"]
    assert main(["evaluate", *map(str, files), *asked]) == 2
    assert "matches before the first forecast and after it are needed" in capsys.readouterr().err


def test_a_league_without_files_is_named(
    files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *map(str, files), "--league", "Z9", *ALONE]) == 2
    assert "no season files of Z9" in capsys.readouterr().err


# ---- the peer


def test_the_peer_is_told_only_what_was_over_when_a_day_began(files: list[Path]) -> None:
    matches = read_matches(files)["X0"]
    asked = question({"X0": matches}, {"X0": matches[30].played.played_at})["leagues"]["X0"]
    assert sum(len(fixtures) for _, _, fixtures in asked["days"]) == len(matches) - 30
    for day, known, _ in asked["days"]:
        assert all(match[4] < day for match in asked["matches"][:known])
        assert asked["matches"][known][4] >= f"{day[:10]}T00" or known == 0


def test_without_its_packages_the_peer_is_missing_in_words(
    files: list[Path], tmp_path: Path
) -> None:
    matches = read_matches(files)["X0"][:2]
    asked = question({"X0": matches}, {"X0": matches[1].played.played_at})
    with pytest.raises(PeerMissing, match="make evaluate"):
        ask(asked, python=tmp_path / "python")
    with pytest.raises(PeerMissing, match="status 1: ModuleNotFoundError"):
        ask(asked, python=Path(sys.executable))


@pytest.mark.skipif(not PYTHON.exists(), reason="penaltyblog is not installed (tools/compare.sh)")
def test_the_peer_answers_for_every_match(files: list[Path]) -> None:
    matches = read_matches(files)["X0"]
    asked = question({"X0": matches}, {"X0": matches[-2].played.played_at})
    asked["fits"] = {"league": "X0", "rounds": 2}
    steps: list[tuple[str, float]] = []
    answer = ask(asked, lambda step, share: steps.append((step, share)))
    chances = chances_of(answer, "X0")
    assert chances.shape == (2, 3)
    assert chances.sum(1) == pytest.approx([1, 1])
    assert len(answer.seconds) == 2
    assert steps[-1] == ("penaltyblog X0", 1.0)


# ---- the table


def test_a_target_that_was_not_measured_is_neither_met_nor_missed() -> None:
    target = Target("what", "reference", "aim", "–", None)
    assert met_in_words(target) == "–"
    [row] = speed_targets(None)
    assert row.met is None


def test_fits_are_held_against_the_peers_in_the_same_run() -> None:
    for peer, met in ((0.2, True), (0.01, False), (None, None)):
        fit, posterior = speed_targets(FootballTimes(1520, 0.05, 3.0, peer))
        assert fit.met is met
        assert posterior.met is True
        assert PEER in fit.reference


def test_a_difference_is_written_with_its_interval() -> None:
    assert interval(Interval(-0.00123, -0.002, 0.0004, 0.95)) == "-0.0012 [-0.0020, +0.0004]"


def test_racing_without_its_data_is_a_note(tmp_path: Path) -> None:
    notes: list[str] = []
    assert racing_part(tmp_path, notes, lambda step, share: None) is None
    assert len(notes) == 1
    assert notes[0].startswith("racing was not evaluated: ")


def test_fits_are_timed_in_a_process_of_their_own(files: list[Path]) -> None:
    notes: list[str] = []
    shares: list[float] = []
    leagues = read_matches(files)
    times = fit_times(
        files, leagues, notes, lambda step, share: shares.append(share), with_peer=False, rounds=1
    )
    assert notes == []
    assert times is not None
    assert times.matches == len(leagues["X0"])
    assert 0 < times.median < times.posterior
    assert times.peer_median is None
    assert shares[-1] == 1.0


def test_fits_that_cannot_be_timed_are_a_note(files: list[Path], tmp_path: Path) -> None:
    notes: list[str] = []
    leagues = read_matches(files)
    broken = tmp_path / "X0_2021.csv"
    broken.write_text("nothing")
    assert fit_times([broken], leagues, notes, lambda step, share: None, with_peer=False) is None
    assert "X0_2021.csv" in notes[0]


def test_a_benchmark_that_does_not_run_is_a_note() -> None:
    notes: list[str] = []
    assert handler_speed(notes, "benchmarks.nothing") == ()
    assert "No module named benchmarks.nothing" in notes[0]
    [row] = handler_targets(())
    assert row.met is None
