"""Answers of The Odds API, version 4, as batches: what is newer than what was said before, and what is gone.

Source: the-odds-api.com, "V4 API documentation".
"""

from collections.abc import Iterator, Mapping, Set
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

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
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.quotes import FeedEvent, QuoteBatch, QuoteLine

FEED: Final = "the-odds-api"
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
