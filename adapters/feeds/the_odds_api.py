"""The Odds API, version 4: matches with the prices of many bookmakers, polled within a monthly quota.

Source: the-odds-api.com, "V4 API documentation".
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from msgspec import Struct

from adapters.feeds.polling import NOT_MODIFIED, PolledAnswer, PollingClient
from adapters.feeds.provider import Provider
from adapters.feeds.readings import (
    NOT_JSON,
    Unusable,
    decode_json,
    read_key,
    read_line,
    read_name,
    read_odds,
    read_past,
    read_time,
)
from adapters.feeds.selections import selections_of
from application.feeds import Clock, FeedHealth
from domain.events import MarketType, Side
from domain.quotes import FeedEvent, QuoteBatch, QuoteLine

FEED: Final = "the-odds-api"
URL: Final = "https://api.the-odds-api.com"
INTERVAL_SECONDS: Final = 60.0

SPORTS: Final[Mapping[str, str]] = {
    "soccer": "football",
    "americanfootball": "american_football",
    "icehockey": "ice_hockey",
    "rugbyleague": "rugby_league",
    "rugbyunion": "rugby_union",
}
FOOTBALL: Final = "football"
DRAW: Final = "Draw"
TWO_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "OU": {"over": "over", "under": "under"},
    "BTTS": {"yes": "yes", "no": "no"},
}

Book = tuple[str, str]
"""A match's id and a bookmaker."""
Place = tuple[MarketType, Decimal | None]


class Subscription(Struct, frozen=True):
    """What to ask for, as the API's parameters have it; each region (or ten bookmakers) times market costs one."""

    sport: str
    regions: str = "uk,eu"
    markets: str = "h2h,totals"
    bookmakers: str = ""


class Quota:
    """What is left of the month's requests, and how often to ask so that they last."""

    def __init__(self, clock: Clock, interval_seconds: float) -> None:
        """Ask every `interval_seconds` where the quota allows it."""
        self._clock = clock
        self._interval_seconds = interval_seconds
        self.remaining: int | None = None
        self.last_cost = 1

    def learn(self, headers: Mapping[str, str]) -> None:
        """Read the headers of an answer."""
        remaining = _count(headers.get("x-requests-remaining"))
        if remaining is not None:
            self.remaining = remaining
        self.last_cost = max(1, _count(headers.get("x-requests-last")) or self.last_cost)

    @property
    def wait_seconds(self) -> float:
        """Seconds until the next question: the interval, longer where the rest of the month needs it.

        The quota begins anew with each month; before it is used up, nothing is asked until then.
        """
        if self.remaining is None:
            return self._interval_seconds
        now = self._clock.now()
        until_reset = (_next_month(now) - now).total_seconds()
        questions = self.remaining // self.last_cost
        if not questions:
            return until_reset
        return max(self._interval_seconds, min(until_reset, until_reset / questions))


class TheOddsApiReader:
    """Turns answers into batches: only what is newer than what was said before, and what is no longer there."""

    def __init__(self, health: FeedHealth, clock: Clock) -> None:
        """Begin with nothing said."""
        self._health = health
        self._clock = clock
        self._said: dict[Book, dict[Place, QuoteBatch]] = {}

    def take(self, content: bytes) -> list[QuoteBatch]:
        """Take one whole answer, which names every match of the sport with everything that is offered."""
        try:
            matches = decode_json(content)
        except NOT_JSON as error:
            self._reject("answer is not JSON", str(error))
            return []
        if isinstance(matches, dict) and "bookmakers" in matches:
            matches = [matches]  # one match's own address answers with it alone
        if not isinstance(matches, list):
            self._reject("answer is no list of matches", str(matches))
            return []
        batches: list[QuoteBatch] = []
        seen: set[Book] = set()
        for match in matches:
            try:
                event = _event(match)
            except Unusable as fault:
                self._reject(fault.reason, _where(match))
                continue
            for bookmaker in _list(match.get("bookmakers")):
                try:
                    key = read_key(_field(bookmaker, "key"), "bookmaker")
                    book = (event.event_id, key)
                    batches += self._bookmaker(event, key, bookmaker)
                    seen.add(book)
                except Unusable as fault:
                    self._reject(fault.reason, f"{event.name} {_where(bookmaker)}")
        batches += self._withdrawn(seen)
        return sorted(batches, key=lambda batch: batch.at)

    def _reject(self, reason: str, where: str) -> None:
        self._health.rejections.add(reason, where)

    def _bookmaker(
        self, event: FeedEvent, key: str, bookmaker: Mapping[str, Any]
    ) -> Iterator[QuoteBatch]:
        places: dict[Place, list[QuoteLine]] = {}
        updated: dict[Place, datetime] = {}
        now = self._clock.now()
        for market in _list(bookmaker.get("markets")):
            where = f"{event.name} {key} {_where(market)}"
            try:
                kind, side = _kind(_field(market, "key"), event, market)
                said_at = market.get("last_update") or bookmaker.get("last_update")
                at = read_past(said_at, "last_update", now)
            except Unusable as fault:
                self._reject(fault.reason, where)
                continue
            for outcome in _list(market.get("outcomes")):
                try:
                    place, line = _line(kind, side, event, outcome)
                except _NoPrice as fault:
                    # The market is there, the price is not: it counts as withdrawn.
                    place, line = fault.place, None
                    self._reject(fault.reason, where)
                except Unusable as fault:
                    self._reject(fault.reason, where)
                    continue
                lines = places.setdefault(place, [])
                if line is not None:
                    lines.append(line)
                updated[place] = max(at, updated.get(place, at))
        said = self._said.setdefault((event.event_id, key), {})
        for place, lines in places.items():
            before = said.get(place)
            if before is not None and before.at >= updated[place]:
                self._health.notes["not newer than before"] += 1
                continue
            said[place] = _batch(event, key, place, updated[place], tuple(lines))
            yield said[place]
        yield from self._no_more(said, places.keys(), now)

    def _withdrawn(self, seen: set[Book]) -> Iterator[QuoteBatch]:
        now = self._clock.now()
        for book in self._said.keys() - seen:
            yield from self._no_more(self._said.pop(book), set(), now)

    def _no_more(
        self, said: dict[Place, QuoteBatch], still: Set[Place], now: datetime
    ) -> Iterator[QuoteBatch]:
        for place in said.keys() - still:
            before = said.pop(place)
            yield _batch(
                before.event, before.bookmaker, place, max(now, before.at), (), suspended=True
            )


class TheOddsApiFeed:
    """The live API, polled."""

    def __init__(
        self,
        api_key: str,
        subscription: Subscription,
        *,
        clock: Clock,
        randomness: Random,
        url: str = URL,
        interval_seconds: float = INTERVAL_SECONDS,
        timeout_seconds: float = 15.0,
        provider: Provider | None = None,
    ) -> None:
        """Ask every `interval_seconds`, or as seldom as the quota needs it."""
        self.name = FEED
        self.health = provider.health if provider else FeedHealth(FEED)
        self.quota = Quota(clock, interval_seconds)
        self._api_key = api_key
        self._subscription = subscription
        self._clock = clock
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._provider = provider or Provider(self.health, clock, randomness)
        self._reader = TheOddsApiReader(self.health, clock)

    async def batches(self) -> AsyncGenerator[Sequence[QuoteBatch], None]:
        """Give what is new in each answer."""
        wanted = self._subscription
        params = {
            "apiKey": self._api_key,
            "markets": wanted.markets,
            "oddsFormat": "decimal",
            "dateFormat": "iso",
            **(
                {"bookmakers": wanted.bookmakers}
                if wanted.bookmakers
                else {"regions": wanted.regions}
            ),
        }
        etag: str | None = None
        async with PollingClient(
            self._url, self._provider, timeout_seconds=self._timeout_seconds
        ) as client:
            while True:
                headers = {"If-None-Match": etag} if etag else {}
                answer = await client.get(f"/v4/sports/{wanted.sport}/odds", params, headers)
                self.quota.learn(answer.headers)
                etag = answer.headers.get("etag", etag)
                if batches := self._taken(answer):
                    yield batches
                await self._clock.sleep(self.quota.wait_seconds)

    def _taken(self, answer: PolledAnswer) -> list[QuoteBatch]:
        if answer.status == NOT_MODIFIED:
            self.health.notes["not modified"] += 1
            return []
        return self._reader.take(answer.content)


class RecordedTheOddsApiFeed:
    """Recorded answers: one JSON document, or one in each line."""

    def __init__(self, content: bytes, clock: Clock) -> None:
        """Take a file's bytes."""
        self.name = FEED
        self.health = FeedHealth(FEED)
        self._content = content
        self._clock = clock

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """Give what is new in each answer."""
        reader = TheOddsApiReader(self.health, self._clock)
        for answer in _documents(self._content):
            self.health.heard(self._clock.now())
            if batches := reader.take(answer):
                yield batches
            await asyncio.sleep(0)


def _documents(content: bytes) -> Iterator[bytes]:
    try:
        decode_json(content)
    except NOT_JSON:
        yield from (line for line in content.splitlines() if line.strip())
    else:
        yield content


class _NoPrice(Unusable):
    def __init__(self, reason: str, place: Place) -> None:
        super().__init__(reason)
        self.place = place


def _event(match: object) -> FeedEvent:
    if not isinstance(match, dict):
        raise Unusable("match is no object")
    sport_key = read_name(match.get("sport_key"), "sport_key")
    home = read_name(match.get("home_team"), "home_team")
    away = read_name(match.get("away_team"), "away_team")
    if home == away:
        raise Unusable("a side plays itself")
    sport = sport_key.partition("_")[0]
    return FeedEvent(
        feed=FEED,
        event_id=read_name(match.get("id"), "id"),
        sport=SPORTS.get(sport, sport),
        competition=read_name(match.get("sport_title") or sport_key, "sport_title"),
        name=f"{home} v {away}"[:200],
        starts_at=read_time(match.get("commence_time"), "commence_time"),
        home=home,
        away=away,
    )


def _kind(key: object, event: FeedEvent, market: Mapping[str, Any]) -> tuple[MarketType, Side]:
    name = read_name(key, "market")
    side: Side = "back"
    if name.endswith("_lay"):
        name, side = name.removesuffix("_lay"), "lay"
    name = name.removeprefix("alternate_")
    match name:
        case "h2h" | "h2h_3_way":
            names = [_field(outcome, "name") for outcome in _list(market.get("outcomes"))]
            # Football's result is three-way even where the draw has no price at the moment.
            is_three_way = event.sport == FOOTBALL or DRAW in names or name == "h2h_3_way"
            return ("1X2" if is_three_way else "ML"), side
        case "spreads":
            return ("AH" if event.sport == FOOTBALL else "SPREAD"), side
        case "totals":
            return "OU", side
        case "btts":
            return "BTTS", side
        case "draw_no_bet":
            return "DNB", side
        case _:
            raise Unusable("market is of an unknown kind")


def _line(
    kind: MarketType, side: Side, event: FeedEvent, outcome: object
) -> tuple[Place, QuoteLine]:
    name = read_name(_field(outcome, "name"), "outcome")
    if kind in TWO_WORDS:
        selection_id = TWO_WORDS[kind].get(name.lower())
    else:
        sides = {event.home: "home", event.away: "away"}
        selection_id = "draw" if name == DRAW and kind == "1X2" else sides.get(name)
    if selection_id is None:
        raise Unusable("outcome is none of the market's")
    line = None
    if kind in {"OU", "AH", "SPREAD"}:
        line = read_line(_field(outcome, "point"))
        # Each side carries its own handicap; the market's line is the home side's.
        line = -line if line and selection_id == "away" and kind != "OU" else line
    place = (kind, line)
    try:
        return place, QuoteLine(selection_id, read_odds(_field(outcome, "price"), side), side)
    except Unusable as fault:
        raise _NoPrice(fault.reason, place) from None


def _batch(
    event: FeedEvent,
    bookmaker: str,
    place: Place,
    at: datetime,
    lines: tuple[QuoteLine, ...],
    *,
    suspended: bool = False,
) -> QuoteBatch:
    market_type, line = place
    return QuoteBatch(
        event=event,
        bookmaker=bookmaker,
        type=market_type,
        line=line,
        at=at,
        selections=selections_of(market_type, line, event.home, event.away),
        quotes=lines,
        suspended=suspended,
    )


def _field(thing: object, name: str) -> object:
    return thing.get(name) if isinstance(thing, dict) else None


def _list(thing: object) -> list[Any]:
    return thing if isinstance(thing, list) else []


def _where(thing: object) -> str:
    return str(_field(thing, "id") or _field(thing, "key") or thing)[:80]


def _count(text: str | None) -> int | None:
    """Read a count; the API prints some as 12.0."""
    digits = (text or "").partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _next_month(now: datetime) -> datetime:
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
