"""Pinnacle's answers as batches: a changed period comes whole, so what it lacks is withdrawn."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from adapters.feeds.pinnacle_answers import (
    FixtureEvent,
    FixturesAnswer,
    Moneyline,
    OddsAnswer,
    OddsEvent,
    Period,
    Spread,
    Total,
)
from adapters.feeds.readings import (
    NOT_JSON,
    Unusable,
    decode_json,
    read_line,
    read_name,
    read_odds,
    read_size,
    read_time,
)
from adapters.feeds.selections import selections_of
from application.feeds import FeedHealth
from domain.events.market import MarketType
from domain.quotes import FeedEvent, QuoteBatch, QuoteLine

FEED: Final = "pinnacle"
SPORTS: Final[Mapping[int, str]] = {
    3: "baseball",
    4: "basketball",
    15: "american_football",
    19: "ice_hockey",
    29: "football",
    33: "tennis",
}
FOOTBALL: Final = "football"
FULL_TIME: Final = 0
OPEN: Final = 1
IN_RUNNING: Final = 1
TAKES_BETS: Final = frozenset({"O", "I"})
"""Statuses of a match: O open, I open with lower limits, H unavailable for now."""
REFRESH_AFTER: Final = timedelta(seconds=30)
KEPT_FOR: Final = timedelta(days=1)

Place = tuple[MarketType, Decimal | None]
Lines = tuple[QuoteLine, ...]
T = TypeVar("T")


class _Match(Struct):
    """A match: its names once they are known, what it offers, and what of that has been said."""

    event: FeedEvent | None = None
    takes_bets: bool = True
    offers: dict[Place, Lines] = {}
    cutoff: datetime | None = None
    said: dict[Place, Lines] = {}
    said_at: datetime | None = None

    def is_over(self, at: datetime) -> bool:
        """Whether nothing more will come of it: it began a day ago, and nothing is offered."""
        return self.event is not None and not self.said and at - self.event.starts_at > KEPT_FOR


class PinnacleReader:
    """Turns answers into batches. A changed period comes whole, so what it lacks is withdrawn."""

    def __init__(self, health: FeedHealth) -> None:
        """Begin with nothing known."""
        self._health = health
        self._matches: dict[int, _Match] = {}
        self._ignored: set[int] = set()

    def take_fixtures(self, content: bytes) -> int | None:
        """Take an answer of /fixtures: the names of matches; its `last`, None when it is of no use."""
        answer = self._read(content, FixturesAnswer)
        if answer is None:
            return None
        sport = SPORTS.get(answer.sport_id, f"pinnacle-{answer.sport_id}")
        for league in answer.league:
            for raw in league.events:
                try:
                    self._name(_part(raw, FixtureEvent, "fixture"), sport, league.name)
                except Unusable as fault:
                    self._health.rejections.add(fault.reason, f"league {league.id} {raw}")
        return answer.last

    def take_odds(
        self, content: bytes, at: datetime, kind: Literal["snapshot", "delta"]
    ) -> tuple[list[QuoteBatch], int | None]:
        """Take an answer of /odds; the batches that follow from it, and its `last`, None when it is of no use."""
        answer = self._read(content, OddsAnswer)
        if answer is None:
            return [], None
        seen: set[int] = set()
        for league in answer.leagues:
            for raw in league.events:
                try:
                    event = _part(raw, OddsEvent, "odds of a match")
                except Unusable as fault:
                    self._health.rejections.add(fault.reason, f"league {league.id} {raw}")
                    continue
                seen.add(event.id)
                self._offer(event)
        if kind == "snapshot":
            for match_id in self._matches.keys() - seen:
                self._matches[match_id].offers = {}
        return self.say(at), answer.last

    def say(self, at: datetime) -> list[QuoteBatch]:
        """Say what has changed, and after a while what has not: an answer affirms all that it does not mention."""
        batches = [each for match in self._matches.values() for each in self._said(match, at)]
        over = [key for key, match in self._matches.items() if match.is_over(at)]
        for key in over:
            del self._matches[key]
        return batches

    def _read(self, content: bytes, answer: type[T]) -> T | None:
        try:
            return msgspec.convert(decode_json(content), answer)
        except NOT_JSON as error:
            self._health.rejections.add("answer is not as documented", str(error))
            return None

    def _name(self, fixture: FixtureEvent, sport: str, league: str) -> None:
        if fixture.parent_id is not None or fixture.live_status == IN_RUNNING:
            self._ignore(fixture.id, "in running, not read")
            return
        if fixture.resulting_unit != "Regular":
            self._ignore(fixture.id, "corners, bookings and the like, not read")
            return
        home, away = read_name(fixture.home, "home"), read_name(fixture.away, "away")
        if home == away:
            raise Unusable("a side plays itself")
        match = self._matches.setdefault(fixture.id, _Match())
        match.takes_bets = fixture.status in TAKES_BETS
        match.event = FeedEvent(
            feed=FEED,
            event_id=str(fixture.id),
            sport=sport,
            competition=read_name(league or "Unknown", "league"),
            name=f"{home} v {away}"[:200],
            starts_at=read_time(fixture.starts, "starts"),
            home=home,
            away=away,
        )

    def _ignore(self, match_id: int, note: str) -> None:
        self._health.notes[note] += 1
        self._ignored.add(match_id)
        self._matches.pop(match_id, None)

    def _offer(self, event: OddsEvent) -> None:
        if event.id in self._ignored:
            return
        match = self._matches.setdefault(event.id, _Match())
        for raw in event.periods:
            try:
                period = _part(raw, Period, "period")
                if period.number != FULL_TIME:
                    self._health.notes["period other than full time, not read"] += 1
                    continue
                match.cutoff = read_time(period.cutoff, "cutoff") if period.cutoff else None
            except Unusable as fault:
                self._health.rejections.add(fault.reason, f"match {event.id}")
                # Its prices cannot be read: nobody knows what is offered.
                match.offers = {}
                continue
            is_open = period.status == OPEN
            match.offers = dict(self._places(event.id, period)) if is_open else {}
        if not event.periods:
            match.offers = {}

    def _places(self, match_id: int, period: Period) -> Iterator[tuple[Place, Lines]]:
        if period.moneyline is not None:
            moneyline = self._checked(period.moneyline, Moneyline, "moneyline", match_id)
            if moneyline is not None:
                sides = {"home": moneyline.home, "draw": moneyline.draw, "away": moneyline.away}
                kind: MarketType = "ML" if moneyline.draw is None else "1X2"
                yield (kind, None), self._lines(match_id, sides, period.max_moneyline)
        for raw in period.spreads:
            spread = self._checked(raw, Spread, "spread", match_id)
            line = None if spread is None else self._line(match_id, spread.hdp)
            if spread is not None and line is not None:
                sides = {"home": spread.home, "away": spread.away}
                size = spread.max if spread.max is not None else period.max_spread
                yield ("AH", line), self._lines(match_id, sides, size)
        for raw in period.totals:
            total = self._checked(raw, Total, "total", match_id)
            line = None if total is None else self._line(match_id, total.points)
            if total is not None and line is not None:
                sides = {"over": total.over, "under": total.under}
                size = total.max if total.max is not None else period.max_total
                yield ("OU", line), self._lines(match_id, sides, size)

    def _checked(self, raw: object, wanted: type[T], what: str, match_id: int) -> T | None:
        try:
            return _part(raw, wanted, what)
        except Unusable as fault:
            self._health.rejections.add(fault.reason, f"match {match_id}")
            return None

    def _line(self, match_id: int, value: Decimal) -> Decimal | None:
        try:
            return read_line(value)
        except Unusable as fault:
            self._health.rejections.add(fault.reason, f"match {match_id}")
            return None

    def _lines(
        self, match_id: int, prices: Mapping[str, Decimal | None], most: Decimal | None
    ) -> Lines:
        lines = []
        for selection_id, price in prices.items():
            if price is None:
                continue
            try:
                lines.append(QuoteLine(selection_id, read_odds(price), size=read_size(most)))
            except Unusable as fault:
                self._health.rejections.add(fault.reason, f"match {match_id} {selection_id}")
        return tuple(lines)

    def _said(self, match: _Match, at: datetime) -> Iterator[QuoteBatch]:
        event = match.event
        if event is None:
            return  # said once its names are known
        is_open = match.takes_bets and (match.cutoff is None or at < match.cutoff)
        offers = match.offers if is_open else {}
        is_due = match.said_at is None or at - match.said_at > REFRESH_AFTER
        for place, lines in offers.items():
            if is_due or match.said.get(place) != lines:
                yield _batch(event, place, at, lines)
        for place in match.said.keys() - offers.keys():
            yield _batch(event, place, at, (), suspended=True)
        if is_due:
            match.said_at = at
        match.said = dict(offers)


def _part(raw: object, wanted: type[T], what: str) -> T:
    try:
        return msgspec.convert(raw, wanted)
    except msgspec.MsgspecError:
        raise Unusable(f"{what} is not as documented") from None


def _batch(
    event: FeedEvent, place: Place, at: datetime, lines: Lines, *, suspended: bool = False
) -> QuoteBatch:
    market_type, line = place
    if market_type == "AH" and event.sport != FOOTBALL:
        market_type = "SPREAD"
    return QuoteBatch(
        event=event,
        bookmaker=FEED,
        type=market_type,
        line=line,
        at=at,
        selections=selections_of(market_type, line, event.home, event.away),
        quotes=lines,
        suspended=suspended,
    )
