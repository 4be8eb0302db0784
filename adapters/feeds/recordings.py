"""Recorded files: which format one has, and the feed that plays it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from adapters.feeds.betfair_feed import RecordedBetfairFeed
from adapters.feeds.football_csv import FootballDataFeed
from adapters.feeds.packing import CANNOT_UNPACK, unpacked
from adapters.feeds.pinnacle import RecordedPinnacleFeed
from adapters.feeds.recorded_csv import COLUMNS, RecordedCsvError, RecordedCsvFeed
from adapters.feeds.the_odds_api import RecordedTheOddsApiFeed
from adapters.football_data import FootballDataError
from application.feeds import Clock, Feed

Format = Literal["betfair", "the-odds-api", "pinnacle", "football-data", "quotes-csv"]
FORMATS: Final[tuple[str, ...]] = get_args(Format)
HEAD_BYTES: Final = 65_536
FILE_BYTES_MAX: Final = 2_000_000_000


class RecordingError(ValueError):
    """A file cannot be played; the message says why, and what can be."""


def open_recording(paths: Sequence[Path], clock: Clock, wanted: Format | None = None) -> Feed:
    """Give the feed that plays these files, in the format that is wanted or that they look like.

    Raises:
        RecordingError: they are in no known format, cannot be unpacked, or are several of a format that is played alone.
        OSError: one cannot be read.
    """
    first = paths[0]
    try:
        kind = wanted or guessed(head_of(first), first)
        if kind == "football-data":
            return FootballDataFeed(paths, clock)
        if len(paths) > 1:
            raise RecordingError(f"only season files are played together; {first} is of {kind}")
        if kind == "betfair":
            return RecordedBetfairFeed(first, clock)
        with unpacked(first) as file:
            content = file.read(FILE_BYTES_MAX)
        if kind == "quotes-csv":
            competition = first.name.partition(".")[0].replace("_", " ") or "Unknown"
            return RecordedCsvFeed(content, clock, competition=competition[:200])
        recorded = RecordedPinnacleFeed if kind == "pinnacle" else RecordedTheOddsApiFeed
        return recorded(content, clock)
    except (RecordedCsvError, FootballDataError) as error:
        raise RecordingError(f"{first}: {error}") from error
    except CANNOT_UNPACK as error:
        raise RecordingError(f"{first} cannot be unpacked: {error}") from error


def head_of(path: Path) -> bytes:
    """Give the beginning of what a file holds."""
    with unpacked(path) as file:
        return file.read(HEAD_BYTES)


def guessed(head: bytes, path: Path) -> Format:
    """Tell the format by how a file begins; raises RecordingError when it is none that is known."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{") and b'"op"' in text:
        return "betfair"
    if text.startswith(b"{") and b'"endpoint"' in text:
        return "pinnacle"
    if text.startswith((b"[", b"{")) and (b'"bookmakers"' in text or b'"sport_key"' in text):
        return "the-odds-api"
    columns = text.split(b"\n", 1)[0].decode("latin-1").strip().split(",")
    if set(COLUMNS) <= set(columns):
        return "quotes-csv"
    if {"Date", "HomeTeam"} <= set(columns) or {"Date", "Home"} <= set(columns):
        return "football-data"
    raise RecordingError(
        f"{path} looks like no format that is known; name one with --format: {', '.join(FORMATS)}"
    )
