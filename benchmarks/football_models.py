"""Football models beside prices, walk-forward: `python -m benchmarks.football_models --league E0 --until 2022-07-01`.

Reads season files of football-data.co.uk (FAIRBOOK_DATA, the folder `football` in it). The first season is only learned
from. `--until` leaves later matches out of reading altogether: settings are chosen on early seasons with it, and the
last two are looked at once, for the figures that are told.
"""

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from adapters.football_data import Match, read_season
from application.football_evaluation import (
    Forecasts,
    difference_of,
    outcomes_of,
    scores_of,
    walk_forward,
)
from application.football_forecaster import GoalsSettings
from domain.prediction.checks import Bools, Floats, Ints
from domain.prediction.devig import METHODS, without_margin
from domain.prediction.goals_table import PlayedMatch
from domain.prediction.losses import log_losses, rank_probability_scores
from domain.prediction.stacking import fit_stack

SIDES: Final = ("home", "draw", "away")
SEASON_STARTS_IN: Final = 7
SEED: Final = 20


def main() -> int:
    """Print losses by season, and what stacking with opening prices adds."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.football_models", description=__doc__
    )
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("FAIRBOOK_DATA", "../shared/data"))
    )
    parser.add_argument("--league", default="E0", help="prefix of the season files, such as E0")
    parser.add_argument(
        "--until", type=_day, default=None, help="leave out matches from this day on"
    )
    parser.add_argument(
        "--half-life", type=float, default=GoalsSettings().half_life_days, metavar="DAYS"
    )
    arguments = parser.parse_args()
    played = _read(arguments.data / "football", arguments.league, arguments.until)
    if not played:
        parser.error(f"{arguments.data / 'football'} has no played matches of {arguments.league}")
    began = time.perf_counter()
    forecasts = walk_forward(
        [match for match, _ in played],
        _second_season([match for match, _ in played]),
        np.random.default_rng(SEED),
        GoalsSettings(half_life_days=arguments.half_life),
    )
    took = time.perf_counter() - began
    print(
        f"{arguments.league}: {len(forecasts.matches)} matches forecast in {took:.1f} s, "
        f"half-life {arguments.half_life:g} days",
        file=sys.stderr,
    )
    prices = dict(played)
    _print_seasons(forecasts, prices)
    _print_stack(forecasts, prices)
    return 0


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _read(folder: Path, league: str, until: datetime | None) -> list[tuple[PlayedMatch, Match]]:
    played = []
    for file in sorted(folder.glob(f"{league}_*.csv")):
        for match in read_season(file).matches:
            fixture, score = match.fixture, match.score
            if score is None or not fixture.home or not fixture.away:
                continue
            if until is None or fixture.starts_at < until:
                result = PlayedMatch(
                    fixture.home, fixture.away, score.home, score.away, fixture.starts_at
                )
                played.append((result, match))
    return played


def _season(match: PlayedMatch) -> int:
    return match.played_at.year - (match.played_at.month < SEASON_STARTS_IN)


def _second_season(matches: list[PlayedMatch]) -> datetime:
    return datetime(min(map(_season, matches)) + 1, SEASON_STARTS_IN, 1, tzinfo=UTC)


def _consensus(match: Match, *, closing: bool) -> list[list[float]]:
    """Give the full sets of 1X2 odds, one a bookmaker."""
    by_bookmaker: dict[str, dict[str, float]] = {}
    for market in match.markets:
        if market.type == "1X2":
            for quote in market.quotes:
                if quote.closing == closing:
                    by_bookmaker.setdefault(quote.bookmaker, {})[quote.selection_id] = float(
                        quote.odds
                    )
    return [
        [odds[side] for side in SIDES] for odds in by_bookmaker.values() if len(odds) == len(SIDES)
    ]


def _market(
    matches: tuple[PlayedMatch, ...],
    prices: dict[PlayedMatch, Match],
    method: str,
    *,
    closing: bool,
) -> tuple[Floats, Bools]:
    """Give the mean no-vig probabilities over the bookmakers (matches, 3), and which matches have any."""
    chances, known = np.full((len(matches), 3), 1 / 3), np.zeros(len(matches), np.bool_)
    for at, match in enumerate(matches):
        if sets := _consensus(prices[match], closing=closing):
            mean = without_margin(sets, method).mean(0)  # type: ignore[arg-type]  # one of METHODS
            chances[at], known[at] = mean / mean.sum(), True
    return chances, known


def _print_seasons(forecasts: Forecasts, prices: dict[PlayedMatch, Match]) -> None:
    opening, has_opening = _market(forecasts.matches, prices, "shin", closing=False)
    closing, has_closing = _market(forecasts.matches, prices, "shin", closing=True)
    by_model = {**forecasts.by_model, "opening": opening, "closing": closing}
    seasons = np.array([_season(match) for match in forecasts.matches])
    print(f"{'season':>8} {'matches':>8} {'model':>8} {'RPS':>8} {'log loss':>9} {'Brier':>8}")
    for season in [*np.unique(seasons), None]:
        chosen = has_opening & has_closing & (True if season is None else seasons == season)
        for model, chances in by_model.items():
            found = scores_of(model, chances[chosen], forecasts.outcomes[chosen])
            label = "all" if season is None else f"{season}/{(season + 1) % 100:02}"
            print(
                f"{label:>8} {found.matches:>8} {model:>8} {found.rps:8.4f} {found.log_loss:9.4f} {found.brier:8.4f}"
            )
    chosen = has_opening & has_closing
    for other in ("elo", "opening"):
        gap = difference_of(
            rank_probability_scores,
            by_model["goals"][chosen],
            by_model[other][chosen],
            forecasts.outcomes[chosen],
            np.random.default_rng(SEED),
        )
        print(f"RPS goals − {other}: {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]")


def _print_stack(forecasts: Forecasts, prices: dict[PlayedMatch, Match]) -> None:
    """Learn the stack on all seasons but the last forecast one, and judge it there, by de-vig method."""
    seasons = np.array([_season(match) for match in forecasts.matches])
    learned = seasons < seasons.max()
    if not learned.any():
        return
    outcomes: Ints = outcomes_of(forecasts.matches)
    for method in METHODS:
        market, known = _market(forecasts.matches, prices, method, closing=False)
        past, last = known & learned, known & ~learned
        goals = forecasts.by_model["goals"]
        stack = fit_stack(market[past], goals[past], outcomes[past])
        stacked = stack.probabilities(market[last], goals[last])
        gap = difference_of(
            log_losses, stacked, market[last], outcomes[last], np.random.default_rng(SEED)
        )
        print(
            f"stack on opening, {method}: log loss {log_losses(stacked, outcomes[last]).mean():.4f}, "
            f"opening {log_losses(market[last], outcomes[last]).mean():.4f}, "
            f"difference {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}], weights {stack.fit.coefficients.round(2)}"
        )


if __name__ == "__main__":
    sys.exit(main())
