"""Forecasters are compared on identical matches, and a stack learns from earlier seasons only."""

import numpy as np
import pytest
from msgspec.structs import replace

from application.football.comparison import (
    CLOSING,
    GOALS,
    OPENING,
    PEER,
    PINNACLE_OPENING,
    STACK,
    Forecast,
    compare,
    forecast_of,
    reliability_of,
    with_stack,
)
from application.football.evaluation import outcomes_of
from application.football.matches import PricedMatch, consensus, season_name, season_of, sharp_line
from domain.prediction.checks import Floats
from domain.prediction.goals_table import PlayedMatch
from domain.prediction.losses import log_losses
from domain.refusals import NoMatches
from tests.application.priced_leagues import priced, priced_league
from tests.builders import NOW

EVEN = {"home": "2.7", "draw": "3.1", "away": "2.8"}
SHORT = {"home": "1.5", "draw": "4.2", "away": "7.5"}


def even(matches: list[PricedMatch]) -> Floats:
    return np.full((len(matches), 3), 1 / 3)


def forecast(seasons: int = 2) -> Forecast:
    """Two leagues; the goals model knows nothing."""
    parts = []
    for seed, name in ((3, "X0"), (4, "X1")):
        matches = [match for match in priced_league(seed, name) if match.season > 2023 - seasons]
        outcomes = outcomes_of([match.played for match in matches])
        parts.append(forecast_of(matches, outcomes, {GOALS: even(matches)}))
    return Forecast.joined(parts)


def test_matches_that_somebody_does_not_speak_of_are_left_out_for_all() -> None:
    matches = priced_league()
    silent = even(matches)
    silent[3] = np.nan
    matches[5] = priced(matches[5].played, {"pinnacle": EVEN})  # no closing odds
    outcomes = outcomes_of([match.played for match in matches])
    found = forecast_of(matches, outcomes, {GOALS: even(matches), PEER: silent})
    assert len(found.matches) == len(matches) - 2
    left = {each.played for each in found.matches}
    assert not {matches[3].played, matches[5].played} & left
    assert {len(chances) for chances in found.by_forecaster.values()} == {len(found.matches)}


def test_ranks_follow_the_losses_in_every_league_and_season() -> None:
    found = compare(forecast(), ((GOALS, OPENING),), np.random.default_rng(0))
    groups: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for line in found.lines:
        groups.setdefault((line.league, line.season), []).append((line.rank, line.rps))
    assert set(groups) == {
        (league, season)
        for league in ("X0", "X1", "all")
        for season in ("2022/23", "2023/24", "all")
    }
    for ranked in groups.values():
        assert sorted(ranked) == sorted(ranked, key=lambda each: each[1])
        assert [rank for rank, _ in sorted(ranked)] == [1, 2, 3, 4]
    [gap] = [gap for gap in found.gaps if gap.where == "all" and gap.loss == "log loss"]
    assert gap.difference.low > 0  # who knows nothing loses to who knows the truth
    assert (gap.one, gap.other, gap.matches) == (GOALS, OPENING, len(forecast().matches))


def test_a_stack_is_learned_from_earlier_seasons_only() -> None:
    before = forecast()
    stacked, learned = with_stack(before)
    assert [each.season for each in learned] == ["2023/24"]
    assert learned[0].learned_from == int((before.seasons == 2022).sum())
    assert set(stacked.seasons.tolist()) == {2023}
    # What happens in the season that is judged changes nothing of what was said of it.
    other = before.outcomes.copy()
    other[before.seasons == 2023] = 2
    again, _ = with_stack(replace(before, outcomes=other))
    assert (again.by_forecaster[STACK] == stacked.by_forecaster[STACK]).all()


def test_a_stack_with_a_model_that_knows_nothing_stays_near_the_market() -> None:
    stacked, _ = with_stack(forecast())
    gap = np.abs(stacked.by_forecaster[STACK] - stacked.sharp).max()
    assert gap < 0.1
    losses = log_losses(stacked.by_forecaster[STACK], stacked.outcomes).mean()
    assert losses < log_losses(stacked.by_forecaster[GOALS], stacked.outcomes).mean()


def test_one_season_is_not_enough_for_a_stack() -> None:
    with pytest.raises(NoMatches, match="two seasons"):
        with_stack(forecast(seasons=1))


def test_without_any_match_there_is_nothing_to_compare() -> None:
    with pytest.raises(NoMatches):
        forecast_of([], np.zeros(0, np.int64), {GOALS: np.zeros((0, 3))})
    with pytest.raises(NoMatches):
        Forecast.joined([])


# ---- the market


def test_the_line_leans_from_the_others_past_pinnacle() -> None:
    match = priced(PlayedMatch("A", "B", 1, 0, NOW), {"pinnacle": SHORT, "other": EVEN})
    books = match.markets[0].books(closing=False)
    line = sharp_line(books)
    pinnacle = consensus([books["pinnacle"]])
    mean = consensus([*books.values()])
    assert line is not None
    assert pinnacle is not None
    assert mean is not None
    assert line[0] > pinnacle[0] > mean[0]
    assert line.sum() == pytest.approx(1)
    assert sharp_line(books, lean=0.0) == pytest.approx(pinnacle)
    assert sharp_line({"pinnacle": books["pinnacle"]}) == pytest.approx(pinnacle)
    assert sharp_line({"other": books["other"]}) == pytest.approx(consensus([books["other"]]))
    assert sharp_line({}) is None


def test_the_odds_beside_the_models_are_those_of_their_moment() -> None:
    match = priced(
        PlayedMatch("A", "B", 1, 0, NOW),
        {"pinnacle": SHORT, "other": EVEN, "other:close": {"home": "3", "draw": "3", "away": "3"}},
    )
    found = forecast_of([match], np.array([0]), {}).by_forecaster
    assert found[CLOSING] == pytest.approx(np.full((1, 3), 1 / 3))
    assert found[PINNACLE_OPENING][0, 0] > found[OPENING][0, 0] > found[CLOSING][0, 0]


def test_seasons_begin_in_summer() -> None:
    assert season_name(1999) == "1999/00"
    for month, season in ((6, 2023), (7, 2024)):
        assert season_of(PlayedMatch("A", "B", 0, 0, NOW.replace(month=month))) == season


# ---- reliability


def test_who_says_what_happens_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(5)
    chances = rng.dirichlet([2, 1, 1], 4000)
    outcomes = (rng.random(4000)[:, None] > chances.cumsum(1)).sum(1)
    bins = reliability_of(chances, outcomes)
    assert sum(each.count for each in bins) == 3 * 4000
    assert sum(each.low <= each.said <= each.high for each in bins) >= len(bins) - 1
    bold = reliability_of(np.tile([1.0, 0.0, 0.0], (50, 1)), np.array([0, 1] * 25))
    assert [(each.said, each.happened) for each in bold] == [(0, 0.25), (1, 0.5)]
    assert all(0 <= each.low < each.happened < each.high <= 1 for each in bold)
