"""Walk-forward forecasts know nothing of their future, and tell a good model from a poor one."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from adapters.football_data import read_season
from application.football.evaluation import (
    difference_of,
    outcomes_of,
    scores_of,
    walk_forward,
)
from application.football.forecaster import GoalsSettings, LeagueForecaster
from domain.prediction.elo import EloGoals
from domain.prediction.goals_model import result_chances
from domain.prediction.goals_table import PlayedMatch
from domain.prediction.losses import rank_probability_scores
from domain.refusals import InvalidInput, NoMatches
from tests.builders import NOW
from tests.domain.prediction.leagues import league

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[3] / "../shared/data"))
SETTINGS = GoalsSettings(draws=50)
SINCE = NOW - timedelta(days=330)


def matches() -> list[PlayedMatch]:
    """Two seasons of ten sides."""
    return league(10, 2, np.random.default_rng(31))[0]


def test_every_match_since_then_is_forecast_once() -> None:
    played = matches()
    days: list[datetime] = []
    found = walk_forward(played, SINCE, np.random.default_rng(0), SETTINGS, days.append)
    since = SINCE.replace(hour=0, minute=0)
    expected = [match for match in played if match.played_at >= since]
    assert sorted(map(str, found.matches)) == sorted(map(str, expected))
    assert days == sorted(set(days))
    for chances in found.by_model.values():
        assert chances.shape == (len(expected), 3)
        assert chances.sum(1) == pytest.approx(np.ones(len(expected)))


def test_later_matches_change_no_earlier_forecast() -> None:
    played = sorted(matches(), key=lambda match: match.played_at)
    cut = played[-30].played_at.astimezone(UTC).replace(hour=0, minute=0)
    known = [match for match in played if match.played_at < cut]
    other_future = [
        replace(match, home_goals=9, away_goals=0) for match in played if match.played_at >= cut
    ]
    alone, followed = (
        walk_forward(each, SINCE, np.random.default_rng(0), SETTINGS)
        for each in (known, [*other_future, *known])
    )
    count = len(alone.matches)
    assert 20 < count < len(followed.matches)
    assert followed.matches[:count] == alone.matches
    for model, chances in alone.by_model.items():
        assert (followed.by_model[model][:count] == chances).all()


def test_matches_of_the_same_day_do_not_tell_each_other() -> None:
    played = matches()
    day = max(match.played_at for match in played) + timedelta(days=2)
    morning = PlayedMatch("T00", "T01", 9, 0, day)
    evening = PlayedMatch("T00", "T02", 0, 0, day + timedelta(hours=6))
    last = [
        walk_forward([*played, each, evening], day, np.random.default_rng(0), SETTINGS)
        for each in (morning, replace(morning, home_goals=0, away_goals=9))
    ]
    assert last[0].by_model["goals"][1] == pytest.approx(last[1].by_model["goals"][1])
    assert last[0].by_model["elo"][1] == pytest.approx(last[1].by_model["elo"][1])


def test_both_models_beat_knowing_nothing_of_the_sides() -> None:
    found = walk_forward(matches(), SINCE, np.random.default_rng(0), SETTINGS)
    shares = np.bincount(found.outcomes, minlength=3) / len(found.outcomes)
    nothing = scores_of("shares", np.tile(shares, (len(found.outcomes), 1)), found.outcomes)
    for model in ("goals", "elo"):
        scores = scores_of(model, found.by_model[model], found.outcomes)
        assert scores.rps < nothing.rps
        assert scores.log_loss < nothing.log_loss
        assert scores.brier < nothing.brier
        assert scores.matches == len(found.outcomes)


def test_a_difference_has_the_sign_of_the_better_one() -> None:
    outcomes = np.array([0, 0, 2, 0] * 20)
    good, poor = np.tile([0.7, 0.1, 0.2], (80, 1)), np.tile([0.2, 0.6, 0.2], (80, 1))
    gap = difference_of(
        rank_probability_scores, good, poor, outcomes, np.random.default_rng(0), resamples=500
    )
    assert gap.low < gap.value < gap.high < 0


def test_sides_that_come_up_are_forecast_too() -> None:
    played = matches()
    coming = PlayedMatch("Up", "T01", 1, 1, max(m.played_at for m in played) + timedelta(days=90))
    again = replace(coming, home="T02", away="Up", played_at=coming.played_at + timedelta(days=7))
    found = walk_forward(
        [*played, coming, again], coming.played_at - timedelta(days=1), np.random.default_rng(0)
    )
    assert len(found.matches) == 2
    assert np.isfinite(found.by_model["goals"]).all()


def test_without_a_past_or_a_future_there_is_nothing_to_forecast() -> None:
    played = matches()
    for some, since in (([], SINCE), (played, NOW), (played, NOW - timedelta(days=9000))):
        with pytest.raises(NoMatches):
            walk_forward(some, since, np.random.default_rng(0))


def test_outcomes_are_home_draw_away() -> None:
    match = matches()[0]
    scores = ((2, 1), (0, 0), (0, 3))
    played = [replace(match, home_goals=home, away_goals=away) for home, away in scores]
    assert outcomes_of(played).tolist() == [0, 1, 2]


# ---- the reference


def test_elo_thinks_more_of_who_wins_and_of_who_plays_at_home() -> None:
    elo = EloGoals()
    level = result_chances(elo.chances([("A", "B")], NOW))[0]
    assert level[0] > level[2]
    elo.hear([PlayedMatch("A", "B", 3, 0, NOW - timedelta(days=days)) for days in range(30, 0, -1)])
    chances = result_chances(elo.chances([("A", "B"), ("B", "A"), ("A", "Up")], NOW))
    assert chances[0, 0] > level[0]
    assert chances[1, 0] < chances[0, 0]
    assert chances.sum(1) == pytest.approx(np.ones(3))


def test_a_side_that_was_long_away_begins_below_the_others() -> None:
    elo = EloGoals()
    elo.hear(PlayedMatch("A", "B", 1, 1, NOW - timedelta(days=days)) for days in range(400, 0, -7))
    chances = result_chances(elo.chances([("A", "B"), ("A", "Up")], NOW))
    assert chances[1, 0] > chances[0, 0]


def test_after_a_handful_of_matches_elo_names_no_impossible_rates() -> None:
    elo = EloGoals()
    for days in (9, 5):
        elo.hear([PlayedMatch("A", "B", 9, 0, NOW - timedelta(days=days))])
        elo.hear([PlayedMatch("B", "A", 0, 9, NOW - timedelta(days=days - 1))])
        chances = result_chances(elo.chances([("A", "B"), ("B", "A"), ("C", "D")], NOW))
        assert np.isfinite(chances).all()
        assert chances.sum(1) == pytest.approx(np.ones(3))


@pytest.mark.parametrize(
    ("field", "value"),
    [("half_life_days", 0.0), ("half_life_days", float("nan")), ("draws", 0), ("draws", 10**6)],
)
def test_settings_that_nothing_is_learned_with_are_refused_by_name(
    field: str, value: float
) -> None:
    with pytest.raises(InvalidInput) as refused:
        walk_forward(
            matches(), SINCE, np.random.default_rng(0), replace(SETTINGS, **{field: value})
        )
    assert refused.value.field == field


def test_forecasts_go_forward_in_time_and_need_a_past() -> None:
    league_so_far = LeagueForecaster(matches(), np.random.default_rng(0), SETTINGS)
    with pytest.raises(NoMatches):
        league_so_far.goals([("T00", "T01")], NOW - timedelta(days=9000))
    league_so_far.elo([("T00", "T01")], NOW)
    with pytest.raises(InvalidInput, match="forward in time"):
        league_so_far.elo([("T00", "T01")], NOW - timedelta(days=1))


# ---- real results


def test_a_month_of_the_premier_league_is_forecast_better_than_by_chance() -> None:
    files = [DATA / "football" / f"E0_{season}.csv" for season in ("2021", "2122")]
    for file in files:
        if not file.exists():
            pytest.skip(f"{file} is not there: set FAIRBOOK_DATA")
    played = [
        PlayedMatch(
            match.fixture.home or "",
            match.fixture.away or "",
            match.score.home,
            match.score.away,
            match.fixture.starts_at,
        )
        for file in files
        for match in read_season(file).matches
        if match.score is not None
    ]
    found = walk_forward(played, datetime(2022, 4, 20, tzinfo=UTC), np.random.default_rng(0))
    assert len(found.matches) > 50
    for chances in found.by_model.values():
        scores = scores_of("", chances, found.outcomes)
        assert 0.12 < scores.rps < 0.22
        assert scores.log_loss < np.log(3)
