"""Reads the season files of football-data.co.uk: results with the prices of several bookmakers.

Columns: DOMAIN.md, "Feed shapes", and the notes that football-data.co.uk publishes beside its files.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from msgspec import Struct

UK = ZoneInfo("Europe/London")
SPORT = "football"
GOALS_LINE = Decimal("2.5")

# A constant of the import's identity: another value would import every fixture a second time.
NAMESPACE = UUID("5d0f6d0e-5e0c-5c7b-9f5e-0d6b6a1f7c11")

# The usual kick-off, taken where a file (those before 2019/20) has no Time column.
KICK_OFF_IF_UNKNOWN = time(15, 0)
# "Betting odds for weekend games are collected Friday afternoons, and on Tuesday afternoons for
# midweek games"; the files do not give the hour.
COLLECTION_WEEKDAYS = (1, 4)
COLLECTION_TIME = time(15, 0)
# The files begin with 1993; a year of two digits from this one on belongs to the last century.
FIRST_TWO_DIGIT_YEAR = 69
YEARS = range(1900, 2100)

COMPETITIONS: Mapping[str, str] = {
    "E0": "Premier League",
    "E1": "Championship",
    "E2": "League One",
    "E3": "League Two",
    "EC": "National League",
    "SC0": "Scottish Premiership",
    "SC1": "Scottish Championship",
    "SC2": "Scottish League One",
    "SC3": "Scottish League Two",
    "D1": "Bundesliga",
    "D2": "2. Bundesliga",
    "I1": "Serie A",
    "I2": "Serie B",
    "SP1": "La Liga",
    "SP2": "Segunda División",
    "F1": "Ligue 1",
    "F2": "Ligue 2",
    "N1": "Eredivisie",
    "B1": "Belgian Pro League",
    "P1": "Primeira Liga",
    "T1": "Süper Lig",
    "G1": "Super League Greece",
}

# Column prefix -> bookmaker. Max, Avg (and Betbrain's BbMx, BbAv) sum up others, so they are not here.
BOOKMAKERS: Mapping[str, str] = {
    "1XB": "1xbet",
    "B365": "bet365",
    "BF": "betfair",
    "BFD": "betfred",
    "BFE": "betfair_exchange",
    "BMGM": "betmgm",
    "BS": "blue_square",
    "BV": "betvictor",
    "BW": "bwin",
    "CL": "coral",
    "GB": "gamebookers",
    "IW": "interwetten",
    "LB": "ladbrokes",
    "P": "pinnacle",
    "PS": "pinnacle",
    "SB": "sportingbet",
    "SJ": "stan_james",
    "SO": "sporting_odds",
    "SY": "stanleybet",
    "VC": "vc_bet",
    "WH": "william_hill",
}

MarketType = Literal["1X2", "OU"]
OUTCOMES: tuple[tuple[str, MarketType, str], ...] = (
    ("H", "1X2", "home"),
    ("D", "1X2", "draw"),
    ("A", "1X2", "away"),
    (">2.5", "OU", "over"),
    ("<2.5", "OU", "under"),
)


class FootballDataError(ValueError):
    """The file as a whole is not a football-data.co.uk season file."""


class Quote(Struct, frozen=True):
    """One bookmaker's price of one selection; odds are decimal, exact, with at most 3 decimals."""

    bookmaker: str
    type: MarketType
    selection_id: str
    odds: Decimal
    closing: bool


class Match(Struct, frozen=True):
    """One played or coming fixture with its prices; goals are None until it has been played."""

    fixture_id: UUID
    line_number: int
    division: str
    competition: str
    starts_at: datetime
    home: str
    away: str
    home_goals: int | None
    away_goals: int | None
    quotes: tuple[Quote, ...]


class Rejected(Struct, frozen=True):
    """What was left out and why: a whole row, or one price of it when `column` is named."""

    line_number: int
    reason: str
    column: str | None = None


class SeasonFile(Struct, frozen=True):
    """Everything that a file gave: its matches in file order, and what was rejected."""

    matches: tuple[Match, ...]
    rejected_rows: tuple[Rejected, ...]
    rejected_quotes: tuple[Rejected, ...]


class _RowError(ValueError):
    """A row that cannot be used."""


def fixture_id(division: str, played_on: date, home: str, away: str) -> UUID:
    """The same UUID for the same fixture in every import."""
    return uuid5(NAMESPACE, f"{division}/{played_on.isoformat()}/{home}/{away}")


def market_id(fixture: UUID, market_type: MarketType, line: Decimal | None = None) -> UUID:
    """The same UUID for the same market of a fixture in every import."""
    kind = market_type if line is None else f"{market_type}/{line.normalize():f}"
    return uuid5(fixture, kind)


def opening_at(starts_at: datetime) -> datetime:
    """When the pre-match prices were collected (UTC): the last Tuesday or Friday afternoon before."""
    local = starts_at.astimezone(UK)
    for days in range(8):
        day = local.date() - timedelta(days=days)
        collected = datetime.combine(day, COLLECTION_TIME, tzinfo=UK)
        if day.weekday() in COLLECTION_WEEKDAYS and collected < local:
            return collected.astimezone(UTC)
    raise AssertionError("a week has a Tuesday")


def read_season(path: Path) -> SeasonFile:
    """Reads one season file; raises FootballDataError when the file has no usable header."""
    try:
        return parse_season(path.read_bytes())
    except FootballDataError as error:
        raise FootballDataError(f"{path}: {error}") from None


def parse_season(content: bytes) -> SeasonFile:
    """Reads a season file's bytes (UTF-8 with or without BOM, else Windows-1252)."""
    reader = csv.reader(io.StringIO(_decode(content), newline=""))
    columns = _header(reader)
    price_columns = _price_columns(columns)
    matches: list[Match] = []
    rejected_rows: list[Rejected] = []
    rejected_quotes: list[Rejected] = []
    seen: dict[UUID, int] = {}
    for line_number, cells in _rows(reader, rejected_rows):
        row = {name: cells[at].strip() for name, at in columns.items() if at < len(cells)}
        if not any(row.values()):
            continue
        quotes, broken = _quotes(line_number, row, price_columns)
        try:
            match = _match(line_number, row, quotes)
            if match.fixture_id in seen:
                raise _RowError(f"repeats the fixture of line {seen[match.fixture_id]}")
        except _RowError as error:
            rejected_rows.append(Rejected(line_number, str(error)))
            continue
        seen[match.fixture_id] = line_number
        matches.append(match)
        rejected_quotes.extend(broken)
    return SeasonFile(tuple(matches), tuple(rejected_rows), tuple(rejected_quotes))


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FootballDataError("the text is neither UTF-8 nor Windows-1252")


def _header(reader: Iterator[list[str]]) -> dict[str, int]:
    try:
        names = next(reader, [])
    except csv.Error as error:
        raise FootballDataError(f"the header is broken: {error}") from error
    # Leagues outside the main set name these columns differently.
    aliases = {"League": "Div", "Home": "HomeTeam", "Away": "AwayTeam", "HG": "FTHG", "AG": "FTAG"}
    columns: dict[str, int] = {}
    for at, name in enumerate(names):
        columns.setdefault(name.strip(), at)
    for alias, name in aliases.items():
        if alias in columns:
            columns.setdefault(name, columns[alias])
    missing = [name for name in ("Div", "Date", "HomeTeam", "AwayTeam") if name not in columns]
    if missing:
        raise FootballDataError(f"the header lacks {', '.join(missing)}")
    return columns


def _price_columns(columns: Mapping[str, int]) -> list[tuple[str, str, MarketType, str, bool]]:
    return [
        (column, bookmaker, market_type, selection_id, closing)
        for prefix, bookmaker in BOOKMAKERS.items()
        for closing in (False, True)
        for suffix, market_type, selection_id in OUTCOMES
        if (column := f"{prefix}{'C' if closing else ''}{suffix}") in columns
    ]


def _rows(
    reader: Iterator[list[str]], rejected_rows: list[Rejected]
) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of the line that it starts on."""
    while True:
        line_number = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            yield line_number, next(reader)
        except csv.Error as error:
            rejected_rows.append(Rejected(line_number, f"not a CSV row: {error}"))
        except StopIteration:
            return


def _match(line_number: int, row: Mapping[str, str], quotes: tuple[Quote, ...]) -> Match:
    division, home, away = (_required(row, name) for name in ("Div", "HomeTeam", "AwayTeam"))
    if home == away:
        raise _RowError(f"{home} cannot play itself")
    played_on = _date(_required(row, "Date"))
    kick_off = _time(row.get("Time", ""))
    home_goals, away_goals = _goals(row, "FTHG"), _goals(row, "FTAG")
    if (home_goals is None) != (away_goals is None):
        raise _RowError("only one side's goals are given")
    return Match(
        fixture_id=fixture_id(division, played_on, home, away),
        line_number=line_number,
        division=division,
        competition=COMPETITIONS.get(division, division),
        starts_at=datetime.combine(played_on, kick_off, tzinfo=UK).astimezone(UTC),
        home=home,
        away=away,
        home_goals=home_goals,
        away_goals=away_goals,
        quotes=quotes,
    )


def _required(row: Mapping[str, str], name: str) -> str:
    value = row.get(name, "")
    if not value:
        raise _RowError(f"{name} is missing")
    return value


def _date(text: str) -> date:
    found = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(?:(\d{2})|(\d{4}))", text, re.ASCII)
    if found is None:
        raise _RowError(f"Date {text!r} is not dd/mm/yy or dd/mm/yyyy")
    day, month = int(found[1]), int(found[2])
    year = int(found[4]) if found[4] else 2000 + int(found[3])
    if found[3] and int(found[3]) >= FIRST_TWO_DIGIT_YEAR:
        year -= 100
    if year not in YEARS:
        raise _RowError(f"Date {text!r} is not of this or the last century")
    try:
        return date(year, month, day)
    except ValueError:
        raise _RowError(f"Date {text!r} is not in the calendar") from None


def _time(text: str) -> time:
    if not text:
        return KICK_OFF_IF_UNKNOWN
    if re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text, re.ASCII):
        hour, minute = text.split(":")
        return time(int(hour), int(minute))
    raise _RowError(f"Time {text!r} is not hh:mm")


def _goals(row: Mapping[str, str], name: str) -> int | None:
    text = row.get(name, "")
    if not text:
        return None
    # Spreadsheets that add a decimal point to whole numbers are common among older files.
    if not re.fullmatch(r"\d{1,2}(\.0+)?", text, re.ASCII):
        raise _RowError(f"{name} {text!r} is not a number of goals")
    return int(text.partition(".")[0])


def _quotes(
    line_number: int,
    row: Mapping[str, str],
    price_columns: list[tuple[str, str, MarketType, str, bool]],
) -> tuple[tuple[Quote, ...], list[Rejected]]:
    quotes: dict[tuple[str, MarketType, str, bool], Quote] = {}
    broken: list[Rejected] = []
    for column, bookmaker, market_type, selection_id, closing in price_columns:
        text = row.get(column, "")
        if not text:
            continue
        odds = _odds(text)
        if odds is None:
            reason = f"{text!r} is not decimal odds above 1 with at most 3 decimals"
            broken.append(Rejected(line_number, reason, column))
            continue
        # Pinnacle has two prefixes; where a file had both, the first column speaks for it.
        key = (bookmaker, market_type, selection_id, closing)
        quotes.setdefault(key, Quote(bookmaker, market_type, selection_id, odds, closing))
    return tuple(quotes.values()), broken


def _odds(text: str) -> Decimal | None:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3}0*)?", text, re.ASCII):
        return None
    odds = Decimal(text).normalize()
    if odds <= 1:
        return None
    # normalize() writes 10 as 1E+1, which JSON readers take for a float.
    return odds.quantize(Decimal(1)) if odds == odds.to_integral_value() else odds
