"""Season files of football-data.co.uk as matches to learn from and to bet on."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.football_data import FootballDataError, Match, read_season
from application.football.matches import MarketPrices, PricedMatch, season_of
from domain.prediction.goals_table import PlayedMatch

BESIDE: Final = Path(__file__).parents[2] / "shared" / "data"
"""Where data lie when FAIRBOOK_DATA names no folder: `shared/data` beside the checkout."""


def data_folder() -> Path:
    """Give the folder that FAIRBOOK_DATA names, else the one beside the checkout."""
    named = os.environ.get("FAIRBOOK_DATA")
    return Path(named) if named else BESIDE


def season_files(files: Sequence[Path], leagues: Sequence[str] = ()) -> list[Path]:
    """Give the files to read: those named, else those of the data folder; of these leagues, if any are named.

    Raises FootballDataError when there are none.
    """
    folder = data_folder() / "football"
    found = list(files) or sorted(folder.glob("*_*.csv"))
    chosen = [file for file in found if not leagues or league_of(file) in leagues]
    if not chosen:
        where = "among the files named" if files else f"in {folder}"
        of = f" of {', '.join(leagues)}" if leagues else ""
        raise FootballDataError(
            f"no season files{of} {where}: name files such as E0_2122.csv, or set FAIRBOOK_DATA"
        )
    return chosen


def league_of(file: Path) -> str:
    """Give the league of a season file's name, such as E0 of E0_2122.csv."""
    return file.stem.partition("_")[0]


def read_matches(files: Sequence[Path]) -> dict[str, list[PricedMatch]]:
    """Read the played matches of season files by league, in the order of time. Raises FootballDataError, OSError."""
    found: dict[str, dict[object, PricedMatch]] = {}
    for file in files:
        for match in read_season(file).matches:
            priced = _priced(league_of(file), match)
            if priced is not None:
                # The same season in two files is no second season.
                found.setdefault(priced.league, {})[match.fixture.fixture_id] = priced
    if not found:
        raise FootballDataError(f"no match has been played in {', '.join(map(str, files))}")
    return {
        league: sorted(matches.values(), key=lambda match: match.played.played_at)
        for league, matches in found.items()
    }


def _priced(league: str, match: Match) -> PricedMatch | None:
    fixture, score = match.fixture, match.score
    if score is None or not fixture.home or not fixture.away:
        return None
    played = PlayedMatch(fixture.home, fixture.away, score.home, score.away, fixture.starts_at)
    markets = tuple(
        MarketPrices(market.market_id, market.type, market.line, market.quotes)
        for market in match.markets
    )
    return PricedMatch(league, season_of(played), fixture, played, markets)
