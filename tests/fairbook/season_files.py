"""Season files as football-data.co.uk writes them, of small leagues that are made up."""

import csv
from pathlib import Path
from zoneinfo import ZoneInfo

from application.football.matches import PricedMatch
from tests.application.priced_leagues import priced_league

PREFIXES = {"pinnacle": "PS", "other": "B365"}
SUFFIXES = {"home": "H", "draw": "D", "away": "A", "over": ">2.5", "under": "<2.5"}


def write_seasons(folder: Path, league: str = "X0", seed: int = 3) -> list[Path]:
    """Write a file a season of a made-up league; its closing odds are all there."""
    by_season: dict[int, list[PricedMatch]] = {}
    for match in priced_league(seed, league):
        by_season.setdefault(match.season, []).append(match)
    files = []
    for season, matches in by_season.items():
        file = folder / f"{league}_{season % 100:02}{season % 100 + 1:02}.csv"
        rows = [_row(match) for match in matches]
        with file.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        files.append(file)
    return files


def _row(match: PricedMatch) -> dict[str, str]:
    at = match.played.played_at.astimezone(ZoneInfo("Europe/London"))
    row = {
        "Div": match.league,
        "Date": f"{at:%d/%m/%Y}",
        "Time": f"{at:%H:%M}",
        "HomeTeam": match.played.home,
        "AwayTeam": match.played.away,
        "FTHG": str(match.played.home_goals),
        "FTAG": str(match.played.away_goals),
    }
    for market in match.markets:
        for quote in market.quotes:
            prefix = "P" if market.type == "OU" else PREFIXES[quote.bookmaker]
            closing = "C" if quote.closing else ""
            row[f"{prefix}{closing}{SUFFIXES[quote.selection_id]}"] = str(quote.odds)
    return row
