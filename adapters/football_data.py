"""Read the season files of football-data.co.uk: results with the prices of several bookmakers.

Columns: DOMAIN.md, "Feed shapes", and the notes that football-data.co.uk publishes beside its files.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from msgspec import Struct

from adapters.football_data_columns import COMPETITIONS, LINES, PRICE_COLUMNS, PriceColumn
from domain.events.market import Fixture, MarketType, Score
from domain.events.odds import Quote
from domain.money import check_odds
from domain.refusals import InvalidInput

UK = ZoneInfo("Europe/London")
SPORT = "football"

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


class FootballDataError(ValueError):
    """The file as a whole is not a football-data.co.uk season file."""


class PricedMarket(Struct, frozen=True):
    """A market of a fixture with its bookmakers' prices, opening before closing."""

    market_id: UUID
    type: MarketType
    line: Decimal | None
    quotes: tuple[Quote, ...]


class Match(Struct, frozen=True):
    """One played or coming fixture with its two markets; `score` is None until it has been played."""

    line_number: int
    fixture: Fixture
    score: Score | None
    markets: tuple[PricedMarket, ...]


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
    """Give a fixture the same UUID in every import."""
    return uuid5(NAMESPACE, f"{division}/{played_on.isoformat()}/{home}/{away}")


def market_id(fixture: UUID, market_type: MarketType, line: Decimal | None = None) -> UUID:
    """Give a fixture's market the same UUID in every import."""
    kind = market_type if line is None else f"{market_type}/{line.normalize():f}"
    return uuid5(fixture, kind)


def opening_at(starts_at: datetime) -> datetime:
    """Tell when the pre-match prices were collected (UTC): the last Tuesday or Friday afternoon before."""
    local = starts_at.astimezone(UK)
    for days in range(8):
        day = local.date() - timedelta(days=days)
        collected = datetime.combine(day, COLLECTION_TIME, tzinfo=UK)
        if day.weekday() in COLLECTION_WEEKDAYS and collected < local:
            return collected.astimezone(UTC)
    raise AssertionError("a week has a Tuesday")


def read_season(path: Path) -> SeasonFile:
    """Read one season file; raises FootballDataError when the file has no usable header."""
    try:
        return parse_season(path.read_bytes())
    except FootballDataError as error:
        raise FootballDataError(f"{path}: {error}") from None


def parse_season(content: bytes) -> SeasonFile:
    """Read a season file's bytes (UTF-8 with or without BOM, else Windows-1252)."""
    reader = csv.reader(io.StringIO(_decode(content), newline=""))
    columns = _header(reader)
    price_columns = [column for column in PRICE_COLUMNS if column.name in columns]
    matches: dict[UUID, Match] = {}
    rejected_rows: list[Rejected] = []
    rejected_quotes: list[Rejected] = []
    for line_number, cells in _rows(reader, rejected_rows):
        row = {name: cells[at].strip() for name, at in columns.items() if at < len(cells)}
        if not any(row.values()):
            continue
        try:
            identity, fixture = _fixture(row)
            if identity in matches:
                first = matches[identity].line_number
                raise _RowError(f"repeats the fixture of line {first}")
            score = _score(row)
        except _RowError as error:
            rejected_rows.append(Rejected(line_number, str(error)))
            continue
        prices, broken = _prices(line_number, row, price_columns)
        markets = tuple(
            PricedMarket(
                market_id(identity, market_type, line),
                market_type,
                line,
                _quotes(prices, market_type, fixture.starts_at),
            )
            for market_type, line in LINES.items()
        )
        matches[identity] = Match(line_number, fixture, score, markets)
        rejected_quotes.extend(broken)
    return SeasonFile(tuple(matches.values()), tuple(rejected_rows), tuple(rejected_quotes))


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


def _rows(
    reader: Iterator[list[str]], rejected_rows: list[Rejected]
) -> Iterator[tuple[int, list[str]]]:
    """Give each row with the number of the line that it starts on."""
    while True:
        line_number = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            yield line_number, next(reader)
        except csv.Error as error:
            rejected_rows.append(Rejected(line_number, f"not a CSV row: {error}"))
        except StopIteration:
            return


def _fixture(row: Mapping[str, str]) -> tuple[UUID, Fixture]:
    division, home, away = (_required(row, name) for name in ("Div", "HomeTeam", "AwayTeam"))
    if home == away:
        raise _RowError(f"{home} cannot play itself")
    played_on = _date(_required(row, "Date"))
    kick_off = _time(row.get("Time", ""))
    identity = fixture_id(division, played_on, home, away)
    return identity, Fixture(
        sport=SPORT,
        competition=COMPETITIONS.get(division, division),
        name=f"{home} v {away}",
        starts_at=datetime.combine(played_on, kick_off, tzinfo=UK).astimezone(UTC),
        fixture_id=identity,
        home=home,
        away=away,
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


def _score(row: Mapping[str, str]) -> Score | None:
    home, away = _goals(row, "FTHG"), _goals(row, "FTAG")
    if home is None and away is None:
        return None
    if home is None or away is None:
        raise _RowError("only one side's goals are given")
    return Score(home, away)


def _goals(row: Mapping[str, str], name: str) -> int | None:
    text = row.get(name, "")
    if not text:
        return None
    # Spreadsheets that add a decimal point to whole numbers are common among older files.
    if not re.fullmatch(r"\d{1,2}(\.0+)?", text, re.ASCII):
        raise _RowError(f"{name} {text!r} is not a number of goals")
    return int(text.partition(".")[0])


def _prices(
    line_number: int, row: Mapping[str, str], columns: Iterable[PriceColumn]
) -> tuple[list[tuple[PriceColumn, Decimal]], list[Rejected]]:
    prices: list[tuple[PriceColumn, Decimal]] = []
    broken: list[Rejected] = []
    for column in columns:
        if text := row.get(column.name, ""):
            try:
                prices.append((column, _odds(text)))
            except InvalidInput as error:
                broken.append(Rejected(line_number, f"{text!r}: {error.detail}", column.name))
    return prices, broken


def _odds(text: str) -> Decimal:
    if not re.fullmatch(r"\d{1,20}(\.\d{1,20})?", text, re.ASCII):
        raise InvalidInput("not a decimal number")
    odds = Decimal(text).normalize()
    check_odds(odds)
    # normalize() writes 10 as 1E+1, which no bookmaker does.
    return odds.quantize(Decimal(1)) if odds == odds.to_integral_value() else odds


def _quotes(
    prices: Iterable[tuple[PriceColumn, Decimal]], market_type: MarketType, starts_at: datetime
) -> tuple[Quote, ...]:
    quotes: dict[tuple[bool, str, str], Quote] = {}
    opening = opening_at(starts_at)
    for column, odds in prices:
        if column.type != market_type:
            continue
        # Pinnacle has two prefixes; where a file had both, the first column speaks for it.
        quotes.setdefault(
            (column.closing, column.bookmaker, column.selection_id),
            Quote(
                bookmaker=column.bookmaker,
                selection_id=column.selection_id,
                odds=odds,
                at=starts_at if column.closing else opening,
                closing=column.closing,
            ),
        )
    return tuple(sorted(quotes.values(), key=lambda quote: quote.closing))
