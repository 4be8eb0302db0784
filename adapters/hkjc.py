"""Read the results of Hong Kong's races: one row a runner, text in Chinese, one file of several seasons.

Columns: docs/predictions-racing.md. Odds are final odds of a pool, so they were known at the off and not before.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from domain.prediction.racing.races import Finish, Going, Race, Runner, check_race
from domain.refusals import InvalidInput

VENUES: Final = {"沙田": "Sha Tin", "跑馬地": "Happy Valley"}
GOINGS: Final = {
    "快地": Going.FIRM,
    "好地至快地": Going.GOOD_TO_FIRM,
    "好地": Going.GOOD,
    "好地至黏地": Going.GOOD_TO_YIELDING,
    "黏地": Going.YIELDING,
    "黏地至軟地": Going.YIELDING_TO_SOFT,
    "軟地": Going.SOFT,
    "大爛地": Going.HEAVY,
    "濕快地": Going.WET_FAST,
    "濕慢地": Going.WET_SLOW,
}
CLASSES: Final = {"第一班": 1, "第二班": 2, "第三班": 3, "第四班": 4, "第五班": 5}
ALL_WEATHER: Final = "全天候跑道"
WITHDRAWN: Final = ("WV", "WX")
# Pulled up, unseated, fell, did not finish, took no part from the gate, disqualified: they started and did not win.
WITHOUT_A_PLACE: Final = frozenset({"PU", "UR", "FE", "DNF", "TNP", "DISQ"})
DEAD_HEAT: Final = "平頭馬"
_UNKNOWN: Final = ("", "---")
_RACE_COLUMNS: Final = (
    "date",
    "venue",
    "race_no",
    "race_class",
    "distance_m",
    "going",
    "course",
    "prize_hkd",
    "sectional_times_header",
)
_RUNNER_COLUMNS: Final = (
    "place",
    "horse_no",
    "horse_name",
    "jockey",
    "trainer",
    "actual_wt_lbs",
    "declared_wt_lbs",
    "draw",
    "running_position",
    "finish_time",
    "win_odds",
)
_CONDITIONS: Final = "\uff08"  # a bracket of full width
_LARGEST: Final = 1 << 30
_T = TypeVar("_T")


class HkjcError(ValueError):
    """The file as a whole is not one of Hong Kong's results."""


class Rejected(Struct, frozen=True):
    """A row, or a whole race by its first row, that was left out and why."""

    line_number: int
    reason: str


class ResultsFile(Struct, frozen=True):
    """Everything that a file gave: its races in order of time, what was rejected, how many were withdrawn."""

    races: tuple[Race, ...]
    rejected: tuple[Rejected, ...]
    withdrawn: int


class _RowError(ValueError):
    """A row that cannot be used."""


class _Rows(Struct):
    """The runners of one race while the file is read."""

    line_number: int
    first: Mapping[str, str]
    runners: list[Runner]
    broken: bool = False


def read_results(path: Path) -> ResultsFile:
    """Read a results file, gzipped or not; raises HkjcError when it has no usable header."""
    try:
        return parse_results(path.read_bytes())
    except HkjcError as error:
        raise HkjcError(f"{path}: {error}") from None


def parse_results(content: bytes) -> ResultsFile:
    """Read the bytes of a results file: CSV in UTF-8, gzipped or not."""
    reader = csv.DictReader(io.StringIO(_decode(content), newline=""), strict=True)
    try:
        names = set(reader.fieldnames or ())
    except csv.Error as error:
        raise HkjcError(f"the header is broken: {error}") from error
    missing = [name for name in (*_RACE_COLUMNS, *_RUNNER_COLUMNS) if name not in names]
    if missing:
        raise HkjcError(f"the header lacks {', '.join(missing)}")
    races: dict[tuple[str, str, str], _Rows] = {}
    rejected: list[Rejected] = []
    withdrawn = 0
    while True:
        line_number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            rejected.append(Rejected(line_number, f"not a CSV row: {error}"))
            continue
        cells = {name: (row.get(name) or "").strip() for name in names}
        key = (cells["date"], cells["venue"], cells["race_no"])
        race = races.setdefault(key, _Rows(line_number, cells, []))
        try:
            if cells["place"].startswith(WITHDRAWN):
                withdrawn += 1
            else:
                race.runners.append(_runner(cells))
        except _RowError as error:
            # A race short of a runner has chances that no longer sum to 1: it goes as a whole.
            race.broken = True
            rejected.append(Rejected(line_number, str(error)))
    found = []
    for race in races.values():
        if race.broken:
            rejected.append(Rejected(race.line_number, "a runner of this race was rejected"))
            continue
        try:
            found.append(_race(race))
        except (_RowError, InvalidInput) as error:
            reason = error.detail if isinstance(error, InvalidInput) else str(error)
            rejected.append(Rejected(race.line_number, reason or "not a race"))
    found.sort(key=lambda race: (race.day, race.venue, race.number))
    return ResultsFile(tuple(found), tuple(rejected), withdrawn)


def _decode(content: bytes) -> str:
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                content = file.read(_LARGEST)
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise HkjcError("the text is neither UTF-8 nor gzipped UTF-8") from error


def _race(rows: _Rows) -> Race:
    row = rows.first
    course = row["course"]
    if course != ALL_WEATHER and not course.startswith("草地"):
        raise _RowError(f"course {course!r} is unknown")
    rail = re.search(r'"([^"]+)"', course)
    race_class = row["race_class"].partition(_CONDITIONS)[0]
    if race_class and race_class not in CLASSES and not race_class.startswith("香港"):
        raise _RowError(f"race_class {race_class!r} is unknown")
    day = _day(row["date"])
    number = _whole(row, "race_no")
    if number is None:
        raise _RowError("race_no is missing")
    venue = _of(VENUES, row, "venue")
    sections = [
        _seconds(text, "sectional_times_header") for text in row["sectional_times_header"].split()
    ]
    race = check_race(
        Race(
            race_id=f"HK/{day.isoformat()}/{venue}/{number}",
            day=day,
            number=number,
            venue=venue,
            surface="dirt" if course == ALL_WEATHER else "turf",
            going=_of(GOINGS, row, "going"),
            runners=tuple(rows.runners),
            rail=rail[1] if rail else "",
            distance_m=_whole(row, "distance_m"),
            race_class=CLASSES.get(race_class, 0),
            prize=_number(row, "prize_hkd"),
            sections=tuple(seconds for seconds in sections if seconds is not None),
        )
    )
    race.won()
    return race


def _runner(row: Mapping[str, str]) -> Runner:
    weight = _number(row, "actual_wt_lbs")
    odds = _number(row, "win_odds")
    if weight is None or odds is None:
        raise _RowError("a runner has a weight and odds")
    return Runner(
        horse=row["horse_name"],
        jockey=row["jockey"],
        trainer=row["trainer"],
        weight_lbs=weight,
        body_lbs=_number(row, "declared_wt_lbs"),
        draw=_whole(row, "draw"),
        number=_whole(row, "horse_no"),
        odds=odds,
        finish=Finish(
            place=_place(row["place"]),
            seconds=_seconds(row["finish_time"], "finish_time"),
            positions=_positions(row["running_position"]),
        ),
    )


def _of(known: Mapping[str, _T], row: Mapping[str, str], name: str) -> _T:
    if row[name] not in known:
        raise _RowError(f"{name} {row[name]!r} is unknown")
    return known[row[name]]


def _place(text: str) -> int | None:
    if text in WITHOUT_A_PLACE:
        return None
    found = re.fullmatch(rf"(\d{{1,2}})(?: {DEAD_HEAT})?", text, re.ASCII)
    if found is None:
        raise _RowError(f"place {text!r} is unknown")
    return int(found[1])


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _RowError(f"date {text!r} is not yyyy-mm-dd") from None


def _whole(row: Mapping[str, str], name: str) -> int | None:
    text = row[name]
    if text in _UNKNOWN:
        return None
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise _RowError(f"{name} {text!r} is not a whole number")
    return int(text)


def _number(row: Mapping[str, str], name: str) -> float | None:
    text = row[name]
    if text in _UNKNOWN:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        raise _RowError(f"{name} {text!r} is not a decimal number")
    return float(text)


def _seconds(text: str, name: str) -> float | None:
    if text in _UNKNOWN:
        return None
    found = re.fullmatch(r"(?:(\d{1,2}):)?(\d{1,2}(?:\.\d{1,3})?)", text, re.ASCII)
    if found is None:
        raise _RowError(f"{name} {text!r} is not m:ss.hh")
    return 60 * int(found[1] or 0) + float(found[2])


def _positions(text: str) -> tuple[int, ...]:
    if text in _UNKNOWN:
        return ()
    if not re.fullmatch(r"\d{1,2}( \d{1,2})*", text, re.ASCII):
        raise _RowError(f"running_position {text!r} are not positions")
    return tuple(int(part) for part in text.split())
