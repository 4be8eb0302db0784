"""Pages of prices without a browser: descriptions, printed odds and kick-offs, robots.txt."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from urllib.robotparser import RobotFileParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.readings import Unusable
from adapters.feeds.robots import Robots
from adapters.feeds.site_description import (
    Field,
    OddsFormat,
    SiteError,
    StartField,
    parse_site,
    read_site,
)
from adapters.feeds.site_odds import line_text, odds_of
from adapters.feeds.site_reader import EventTexts, LineTexts, SiteReader, start_of
from application.feeds import FeedHealth

NOW = datetime(2026, 12, 30, 12, tzinfo=UTC)
TOML = """
name = "example"
bookmaker = "example"
url = "https://odds.example/football"
terms_allow = true
sport = "football"
competition = "Premier League"
row = ".match"
event_name = {selector = "h2"}
interval_seconds = 2.5
[starts_at]
selector = "time"
format = "%d %b %H:%M"
time_zone = "Europe/London"
[[markets]]
type = "AH"
line = {selector = ".line", pattern = "[+−-]?[0-9.]+"}
selections = {home = {selector = ".h"}, away = {selector = ".a"}}
[[markets]]
type = "OU"
fixed_line = 2.5
odds_format = "american"
selections = {over = {selector = ".o"}}
"""


class Clock:
    """Time that stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


# ---- descriptions


def test_a_description_is_read_from_toml_and_json(tmp_path: Path) -> None:
    site = parse_site(TOML.encode())
    assert (site.interval_seconds, site.pages, site.scrolls) == (2.5, None, 0)
    assert site.markets[1].fixed_line == Decimal("2.5")
    written = """{"name": "x", "bookmaker": "x", "url": "http://x.example", "terms_allow": true, "sport": "s",
        "competition": "c", "row": "tr", "event_name": {}, "starts_at": {}, "markets":
        [{"type": "OU", "fixed_line": 2.5, "selections": {"over": {}}}]}"""
    file = tmp_path / "site.json"
    file.write_text(written)
    assert read_site(file).markets[0].fixed_line == Decimal("2.5")
    with pytest.raises(SiteError, match=r"site\.toml cannot be read"):
        read_site(tmp_path / "site.toml")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("terms_allow = true", "", "write terms_allow = true"),
        ("terms_allow = true", "terms_allow = false", "write terms_allow = true"),
        ("https://odds.example", "ftp://odds.example", "not an address"),
        ('bookmaker = "example"', 'bookmaker = "Ex ample"', "small letters"),
        ('event_name = {selector = "h2"}', "", "home and away"),
        ("Europe/London", "Europe/Nowhere", "time_zone"),
        ("Europe/London", "../../etc", "time_zone"),
        ("[+−-]?[0-9.]+", "[", "pattern"),
        ("fixed_line = 2.5", "", "needs line"),
        ('type = "OU"', 'type = "BTTS"', "has no line"),
        ('type = "OU"', 'type = "CS"', "cannot be read"),
        ("{over =", "{more =", "has no selection more"),
        ('row = ".match"', "", "row"),
        ("interval_seconds = 2.5", "interval_seconds = 0.5", "interval_seconds"),
        ('row = ".match"', 'row = ".match"\nstealth = true', "stealth"),
        ("[starts_at]", "[starts_at", "line"),
    ],
)
def test_a_description_that_cannot_be_used_says_what_to_change(
    before: str, after: str, message: str
) -> None:
    assert before in TOML
    with pytest.raises(SiteError, match=message):
        parse_site(TOML.replace(before, after).encode())


# ---- odds


@pytest.mark.parametrize(
    ("text", "odds_format", "odds"),
    [
        ("2.05", "decimal", "2.05"),
        (" 1,909 ", "decimal", "1.909"),
        ("10", "decimal", "10"),
        ("5/2", "fractional", "3.5"),
        ("8 / 13", "fractional", "1.615"),
        ("5-4", "fractional", "2.25"),
        ("EVS", "fractional", "2"),
        ("1/500", "fractional", "1.002"),
        ("+150", "american", "2.5"),
        ("150", "american", "2.5"),
        ("-110", "american", "1.909"),
        ("−200", "american", "1.5"),
        ("Even", "american", "2"),
    ],
)
def test_printed_odds_become_decimal_odds(text: str, odds_format: OddsFormat, odds: str) -> None:
    assert str(odds_of(text, odds_format)) == odds


@pytest.mark.parametrize(
    ("text", "odds_format"),
    [
        *((text, "decimal") for text in ("", "SP", "1", "0.5", "5/2", "1.2.3", "NaN", "1e5", "-2")),
        *((text, "fractional") for text in ("2.5", "5/0", "0/5", "1/5000", "a/b", "9999999/1")),
        *((text, "american") for text in ("99", "+-100", "1.5", "+99999999", "SP")),
    ],
)
def test_what_is_no_price_is_refused(text: str, odds_format: OddsFormat) -> None:
    with pytest.raises(Unusable):
        odds_of(text, odds_format)


@given(st.integers(1, 500), st.integers(1, 100))
def test_a_fraction_is_exact_to_the_thousandth_and_never_better(over: int, under: int) -> None:
    exact = 1 + Fraction(over, under)
    read = Fraction(odds_of(f"{over}/{under}", "fractional"))
    assert 0 <= exact - read < Fraction(1, 1000)


@pytest.mark.parametrize(
    ("text", "line"), [("+0.5", "0.5"), ("−0,25", "-0.25"), (" 2.5 ", "2.5"), ("–1", "-1")]
)
def test_printed_lines_become_numbers(text: str, line: str) -> None:
    assert line_text(text) == line


# ---- times


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("2026-12-31T15:00:00+01:00", StartField(), datetime(2026, 12, 31, 14, tzinfo=UTC)),
        ("2026-12-31 15:00", StartField(), datetime(2026, 12, 31, 15, tzinfo=UTC)),
        (
            "2026-07-01T15:00",
            StartField(time_zone="Europe/London"),
            datetime(2026, 7, 1, 14, tzinfo=UTC),
        ),
        (
            "02 Jan\n 15:00",
            StartField(format="%d %b %H:%M"),
            datetime(2027, 1, 2, 15, tzinfo=UTC),
        ),
        ("28 Dec 15:00", StartField(format="%d %b %H:%M"), datetime(2026, 12, 28, 15, tzinfo=UTC)),
        ("02/01/2026", StartField(format="%d/%m/%Y"), datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_printed_times_are_read(text: str, field: StartField, expected: datetime) -> None:
    assert start_of(field, text, NOW) == expected


@pytest.mark.parametrize("text", [None, "", " ", "soon", "31 Feb 15:00"])
def test_what_is_no_time_is_refused(text: str | None) -> None:
    for field in (StartField(), StartField(format="%d %b %H:%M")):
        with pytest.raises(Unusable):
            start_of(field, text, NOW)


# ---- events


def a_row(
    name: str = "Arsenal v Chelsea", line: str | None = "(−0.25)", over: str = "+120"
) -> EventTexts:
    return EventTexts(
        home=None,
        away=None,
        event_name=name,
        event_id=None,
        starts_at="02 Jan 15:00",
        markets=[
            [LineTexts(line, {"home": "1.9", "away": "2"})],
            [LineTexts(None, {"over": over})],
        ],
    )


def a_reader() -> tuple[SiteReader, FeedHealth]:
    health = FeedHealth("example")
    return SiteReader(parse_site(TOML.encode()), health, Clock()), health


def test_sides_may_stand_in_one_text() -> None:
    reader, health = a_reader()
    handicap, total = reader.take([a_row()])
    assert (handicap.event.home, handicap.event.away) == ("Arsenal", "Chelsea")
    assert (handicap.line, total.line) == (Decimal("-0.25"), Decimal("2.5"))
    assert handicap.event.starts_at == datetime(2027, 1, 2, 15, tzinfo=UTC)
    assert [str(quote.odds) for quote in total.quotes] == ["2.2"]
    assert not health.rejections.total


def test_one_broken_event_harms_no_other() -> None:
    reader, health = a_reader()
    rows = [a_row("Arsenal"), a_row("Arsenal v Arsenal"), a_row(line="x"), a_row(over="SP")]
    batches = {batch.type: batch for batch in reader.take(rows)}
    assert batches.keys() == {"AH", "OU"}
    assert batches["OU"].suspended
    assert health.rejections.counts == {
        "event_name does not name two sides": 1,
        "a side plays itself": 1,
        "odds are not American": 1,
    }


def test_a_line_that_is_gone_is_withdrawn_once() -> None:
    reader, _ = a_reader()
    reader.take([a_row()])
    moved = reader.take([a_row(line="(−0.5)")])
    assert [(batch.type, batch.line, batch.suspended) for batch in moved] == [
        ("AH", Decimal("-0.25"), True),
        ("AH", Decimal("-0.5"), False),
        ("OU", Decimal("2.5"), False),
    ]
    assert not any(batch.suspended for batch in reader.take([a_row(line="(−0.5)")]))


def test_a_pattern_takes_a_part_of_a_text() -> None:
    assert Field(pattern=r"Over (\d\.\d)").cut("Over 2.5 goals") == "2.5"
    assert Field(pattern=r"\d").cut("none") is None
    assert Field().cut(" x ") == "x"


def test_robots_txt_is_asked_for_our_name() -> None:
    rules = RobotFileParser()
    rules.parse(
        [
            *("User-agent: fairbook", "Disallow: /slow", "Crawl-delay: 20", ""),
            *("User-agent: *", "Disallow: /"),
        ]
    )
    robots = Robots("fairbook/0.1.0 (+desk@example.org)", rules)
    assert robots.allows("https://odds.example/football")
    assert not robots.allows("https://odds.example/slow/football")
    assert robots.delay_seconds == 20
