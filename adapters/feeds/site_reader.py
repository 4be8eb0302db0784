"""From the texts of a page to batches of quotes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from adapters.feeds.readings import Unusable, read_line, read_name, read_time
from adapters.feeds.selections import selections_of
from adapters.feeds.site_description import Field, Site, SiteMarket, StartField
from adapters.feeds.site_odds import line_text, odds_of
from application.feeds import Clock, FeedHealth
from domain.events.market import MarketType
from domain.fixtures import sides_of
from domain.quotes import FeedEvent, QuoteBatch, QuoteLine

NOTHING: Final = "selector matches nothing"

Place = tuple[str, MarketType, Decimal | None]
"""An event's id, a market's type and its line."""


class LineTexts(Struct, frozen=True):
    """The texts of one line of a market; None where a selector matched nothing."""

    line: str | None
    selections: dict[str, str | None]


class EventTexts(Struct, frozen=True):
    """The texts of one event of a page; `markets` are in the description's order."""

    home: str | None
    away: str | None
    event_name: str | None
    event_id: str | None
    starts_at: str | None
    markets: list[list[LineTexts]]


class SiteReader:
    """Turns a page's texts into batches, and says what is no longer there."""

    def __init__(self, site: Site, health: FeedHealth, clock: Clock) -> None:
        """Begin with nothing said."""
        self._site = site
        self._health = health
        self._clock = clock
        self._said: dict[Place, QuoteBatch] = {}

    def take(self, rows: Sequence[EventTexts]) -> list[QuoteBatch]:
        """Take what all pages show at one time."""
        now = self._clock.now()
        for name, selector in self._silent(rows):
            self._health.rejections.add(NOTHING, f"{name}: {selector or '(the event itself)'}")
        found: dict[Place, QuoteBatch] = {}
        for row in rows:
            try:
                event = self._event(row, now)
            except Unusable as fault:
                said = row.event_name or f"{row.home} v {row.away}"
                self._health.rejections.add(fault.reason, said)
                continue
            for batch in self._markets(event, row, now):
                found[event.event_id, batch.type, batch.line] = batch
        gone = self._said.keys() - found.keys()
        withdrawn = [
            replace(self._said[place], at=now, quotes=(), suspended=True)
            for place in sorted(gone, key=str)
        ]
        self._said = found
        return [*withdrawn, *found.values()]

    def _silent(self, rows: Sequence[EventTexts]) -> Iterator[tuple[str, str]]:
        """Name the selectors that match nothing on the whole page: the page has changed, or the description is wrong."""
        site = self._site
        if not rows:
            yield "row", site.row
            return
        for name in ("home", "away", "event_name", "event_id", "starts_at"):
            field: Field | StartField | None = getattr(site, name)
            if field is not None and all(getattr(row, name) is None for row in rows):
                yield name, field.selector
        for at, market in enumerate(site.markets):
            named = f"markets[{at}] {market.type}"
            lines = [line for row in rows for line in row.markets[at]]
            if not lines:
                yield f"{named} each", market.each or ""
                continue
            if market.line is not None and all(line.line is None for line in lines):
                yield f"{named} line", market.line.selector
            for selection_id, field in market.selections.items():
                if all(line.selections.get(selection_id) is None for line in lines):
                    yield f"{named} {selection_id}", field.selector

    def _event(self, row: EventTexts, now: datetime) -> FeedEvent:
        site = self._site
        home, away = _cut(site.home, row.home), _cut(site.away, row.away)
        if home and away:
            home, away = read_name(home, "home"), read_name(away, "away")
            name = f"{home} v {away}"[:200]
        else:
            name = read_name(_cut(site.event_name, row.event_name), "event_name")
            sides = sides_of(name, None, None)
            if sides is None:
                raise Unusable("event_name does not name two sides")
            home, away = sides
        if home == away:
            raise Unusable("a side plays itself")
        starts_at = start_of(site.starts_at, row.starts_at, now)
        event_id = _cut(site.event_id, row.event_id) or f"{name} {starts_at.isoformat()}"
        return FeedEvent(
            feed=site.name,
            event_id=read_name(event_id[:200], "event_id"),
            sport=site.sport,
            competition=site.competition,
            name=name,
            starts_at=starts_at,
            home=home,
            away=away,
        )

    def _markets(self, event: FeedEvent, row: EventTexts, now: datetime) -> Iterator[QuoteBatch]:
        for market, lines in zip(self._site.markets, row.markets, strict=True):
            for texts in lines:
                try:
                    line = _line(market, texts.line)
                except Unusable as fault:
                    self._health.rejections.add(fault.reason, f"{event.name} {market.type}")
                    continue
                if line is None and market.line is not None:
                    continue
                quotes = tuple(self._quotes(event, market, texts.selections))
                yield QuoteBatch(
                    event=event,
                    bookmaker=self._site.bookmaker,
                    type=market.type,
                    line=line,
                    at=now,
                    selections=selections_of(market.type, line, event.home, event.away),
                    quotes=quotes,
                    suspended=not quotes,
                )

    def _quotes(
        self, event: FeedEvent, market: SiteMarket, texts: Mapping[str, str | None]
    ) -> Iterator[QuoteLine]:
        for selection_id, field in market.selections.items():
            printed = _cut(field, texts.get(selection_id))
            if not printed:
                continue  # not offered at the moment
            try:
                yield QuoteLine(selection_id, odds_of(printed, market.odds_format))
            except Unusable as fault:
                where = f"{event.name} {market.type} {selection_id}: {printed[:40]}"
                self._health.rejections.add(fault.reason, where)


def start_of(field: StartField, text: str | None, now: datetime) -> datetime:
    """Read a printed kick-off; one without a year is in the year that brings it nearest to `now`. Raises Unusable."""
    if text is None or not text.strip():
        raise Unusable("starts_at is missing")
    printed, zone = " ".join(text.split()), ZoneInfo(field.time_zone)
    if field.format is None:
        try:
            local = datetime.fromisoformat(printed)
        except ValueError:
            raise Unusable("starts_at is not a time") from None
        starts_at = local if local.tzinfo else local.replace(tzinfo=zone)
        return read_time(starts_at.isoformat(), "starts_at")
    has_year = any(code in field.format for code in ("%Y", "%y", "%c", "%x", "%s"))
    years = [""] if has_year else [f"{now.year + more} " for more in (0, 1, -1)]
    layout = field.format if has_year else f"%Y {field.format}"
    times = []
    for year in years:
        try:
            local = datetime.strptime(year + printed, layout)  # noqa: DTZ007  the zone follows
        except ValueError:
            continue
        times.append(local if local.tzinfo else local.replace(tzinfo=zone))
    if not times:
        raise Unusable("starts_at is not as format says")
    nearest = min(times, key=lambda each: abs(each.astimezone(UTC) - now))
    return read_time(nearest.isoformat(), "starts_at")


def _cut(field: Field | None, text: str | None) -> str | None:
    return None if field is None or text is None else field.cut(text)


def _line(market: SiteMarket, text: str | None) -> Decimal | None:
    if market.line is None:
        return None if market.fixed_line is None else read_line(market.fixed_line)
    printed = _cut(market.line, text)
    return None if not printed else read_line(line_text(printed))
