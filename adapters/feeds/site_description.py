"""What a page of prices looks like, written by the operator: where the events, names and odds stand, and how often to look."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from adapters.feeds.readings import Unusable, read_key
from adapters.feeds.selections import selections_of
from domain.events.market import MarketType

OddsFormat = Literal["decimal", "fractional", "american"]

_WITH_LINE: Final = frozenset({"OU", "AH", "SPREAD"})
_READABLE: Final = _WITH_LINE | {"1X2", "ML", "DNB", "DC", "BTTS"}
_Seconds = Annotated[float, Meta(ge=1, le=86_400)]


class SiteError(Exception):
    """The description cannot be used; the message says what to change."""


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a text stands inside an event: a CSS selector (none: the event itself), and an attribute in place of the text.

    `pattern` takes a part of it: its first group, or all that it matches.
    """

    selector: str = ""
    attribute: str | None = None
    pattern: str | None = None

    def cut(self, text: str) -> str | None:
        """Give the part of a text that is meant; None where the pattern finds none."""
        if self.pattern is None:
            return text.strip()
        found = re.search(self.pattern, text)
        return None if found is None else (found[1] if found.re.groups else found[0]).strip()


class StartField(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the kick-off stands; `format` as strptime has it (none: RFC 3339), in `time_zone` where it names none."""

    selector: str = ""
    attribute: str | None = None
    format: str | None = None
    time_zone: str = "UTC"


class SiteMarket(Struct, frozen=True, forbid_unknown_fields=True):
    """A market of every event; `each` selects its lines inside the event where it has several.

    `selections` are by id (home, draw, away, over, under, yes, no, home_draw, home_away, draw_away). The line is the
    total, or the home side's handicap: read from `line`, or always `fixed_line`.
    """

    type: MarketType
    selections: Annotated[dict[str, Field], Meta(min_length=1)]
    odds_format: OddsFormat = "decimal"
    each: str | None = None
    line: Field | None = None
    fixed_line: Decimal | None = None


class Pages(Struct, frozen=True, forbid_unknown_fields=True):
    """How to come to the next page: what to click, and how many pages to read at most."""

    next: str
    most: Annotated[int, Meta(ge=1, le=50)] = 5


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of prices. `terms_allow` is the operator's word that the site's terms allow a program to read it."""

    name: str
    bookmaker: str
    url: str
    sport: str
    competition: str
    row: str
    starts_at: StartField
    markets: Annotated[list[SiteMarket], Meta(min_length=1)]
    terms_allow: bool = False
    home: Field | None = None
    away: Field | None = None
    event_name: Field | None = None
    event_id: Field | None = None
    pages: Pages | None = None
    scrolls: Annotated[int, Meta(ge=0, le=50)] = 0
    interval_seconds: _Seconds = 60.0
    seconds_between_loads: _Seconds = 5.0
    timeout_seconds: _Seconds = 20.0


def read_site(path: Path) -> Site:
    """Read a description from a TOML or JSON file; raises SiteError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SiteError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return parse_site(content, is_json=path.suffix.lower() == ".json")
    except SiteError as error:
        raise SiteError(f"{path}: {error}") from None


def parse_site(content: bytes, *, is_json: bool = False) -> Site:
    """Read a description; raises SiteError with what to change."""
    try:
        if is_json:
            site = msgspec.json.decode(content, type=Site)
        else:
            # Numbers with a point stay exact for lines; seconds may be floats.
            read = tomllib.loads(content.decode(), parse_float=Decimal)
            site = msgspec.convert(read, Site, strict=False)
    except (msgspec.MsgspecError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SiteError(str(error)) from error
    _check(site)
    return site


def _check(site: Site) -> None:
    if not site.terms_allow:
        raise SiteError(
            "write terms_allow = true once you have read the site's terms and they allow a program to read its "
            "prices; fairbook reads no other site"
        )
    address = urlsplit(site.url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise SiteError(f"url {site.url!r} is not an address such as https://odds.example/football")
    for what, text in (("name", site.name), ("bookmaker", site.bookmaker)):
        try:
            if read_key(text, what) == text:
                continue
        except Unusable as fault:
            raise SiteError(f"{what}: {fault.reason}") from fault
        raise SiteError(f"{what} {text!r}: use small letters, digits, - and _")
    if site.event_name is None and (site.home is None or site.away is None):
        raise SiteError('give home and away, or event_name where both stand together ("A v B")')
    try:
        ZoneInfo(site.starts_at.time_zone)
    except (ValueError, KeyError, OSError) as error:  # KeyError: unknown, OSError: a folder
        raise SiteError(f"time_zone {site.starts_at.time_zone!r} is not known") from error
    for field in _fields(site):
        try:
            re.compile(field.pattern or "")
        except re.error as error:
            raise SiteError(f"pattern {field.pattern!r}: {error}") from error
    for market in site.markets:
        _check_market(market)


def _fields(site: Site) -> list[Field]:
    named = (site.home, site.away, site.event_name, site.event_id)
    lines = [market.line for market in site.markets]
    odds = [field for market in site.markets for field in market.selections.values()]
    return [field for field in (*named, *lines, *odds) if field is not None]


def _check_market(market: SiteMarket) -> None:
    if market.type not in _READABLE:
        raise SiteError(f"markets of type {market.type} cannot be read from a page")
    has_line = market.line is not None or market.fixed_line is not None
    if has_line != (market.type in _WITH_LINE):
        needs = "needs line or fixed_line" if market.type in _WITH_LINE else "has no line"
        raise SiteError(f"a market of type {market.type} {needs}")
    known = {each for each, _ in selections_of(market.type, Decimal(1), None, None)}
    if unknown := market.selections.keys() - known:
        raise SiteError(
            f"{market.type} has no selection {', '.join(sorted(unknown))}: its ids are {', '.join(sorted(known))}"
        )
