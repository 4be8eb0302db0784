"""Recorded quotes in a CSV file: one row a price, as docs/feeds.md describes it."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from adapters.feeds.readings import (
    Unusable,
    read_key,
    read_line,
    read_name,
    read_odds,
    read_past,
    read_size,
    read_time,
)
from adapters.feeds.selections import selections_of
from application.feeds import Clock, FeedHealth
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.quotes import FeedEvent, QuoteBatch, QuoteLine

COLUMNS: Final = ("ts_utc", "match", "kickoff_utc", "bookmaker", "market", "outcome", "price")
"""Columns that a file must have; `point`, `size`, `sport`, `competition` and `closing` it may have."""

SAME_MATCH_WITHIN: Final = timedelta(hours=12)
"""A kick-off that is corrected by less names the same match; two sides do not meet twice within it."""

SPORT: Final = "football"
OUTCOMES: Final[dict[MarketType, dict[str, str]]] = {
    "OU": {"over": "over", "under": "under"},
    "BTTS": {"yes": "yes", "no": "no"},
}
MARKETS: Final[dict[str, tuple[MarketType, Side]]] = {
    "h2h": ("1X2", "back"),
    "h2h_lay": ("1X2", "lay"),
    "totals": ("OU", "back"),
    "totals_lay": ("OU", "lay"),
    "spreads": ("AH", "back"),
    "spreads_lay": ("AH", "lay"),
    "btts": ("BTTS", "back"),
    "draw_no_bet": ("DNB", "back"),
}

Place = tuple[str, MarketType, Decimal | None]
"""Where a bookmaker quotes: bookmaker, market type, line."""


class RecordedCsvError(ValueError):
    """The file as a whole is not one of recorded quotes."""


class _Row(Struct, frozen=True):
    at: datetime
    event: FeedEvent
    bookmaker: str
    type: MarketType
    line: Decimal | None
    closing: bool
    selection_id: str
    side: Side
    odds: Decimal | None
    size: Decimal | None


class RecordedCsvFeed:
    """Plays a file of recorded quotes: each moment's snapshot at once, a batch for every bookmaker's market in it."""

    def __init__(
        self, content: bytes, clock: Clock, name: str = "recorded", competition: str = "Unknown"
    ) -> None:
        """Take a file's bytes (UTF-8, with or without BOM); raises RecordedCsvError when it has no usable header.

        `competition` is of the matches whose rows do not name one.
        """
        self.name = name
        self.health = FeedHealth(name)
        self._clock = clock
        self._competition = competition
        self._reader = csv.DictReader(
            io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""), strict=True
        )
        self._events: dict[tuple[str, str], list[FeedEvent]] = {}
        try:
            columns = self._reader.fieldnames or ()
        except csv.Error as error:
            raise RecordedCsvError(f"the header is broken: {error}") from error
        if missing := [name for name in COLUMNS if name not in columns]:
            raise RecordedCsvError(f"the header lacks {', '.join(missing)}")

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """Give the snapshots by time, also where the file has them out of order."""
        snapshots: dict[datetime, list[_Row]] = {}
        for row in self._rows():
            snapshots.setdefault(row.at, []).append(row)
        offered: dict[tuple[str, str, MarketType], dict[Decimal | None, QuoteBatch]] = {}
        for at in sorted(snapshots):
            self.health.succeeded(self._clock.now())
            yield list(_with_withdrawn(self._snapshot(snapshots[at]), offered, at))

    def _rows(self) -> Iterator[_Row]:
        while True:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._reject(f"not a CSV row: {error}")
                continue
            try:
                yield self._row(cells)
            except Unusable as fault:
                self._reject(fault.reason)

    def _reject(self, reason: str) -> None:
        self.health.rejections.add(reason, f"line {self._reader.line_num}")

    def _row(self, cells: dict[str, str | None]) -> _Row:
        if None in cells.values() or None in cells:
            raise Unusable("a row of another length than the header")
        if any("\ufffd" in (text or "") for text in cells.values()):
            raise Unusable("text is not UTF-8")
        market = MARKETS.get(cells["market"] or "")
        if market is None:
            raise Unusable("market is of an unknown kind")
        market_type, side = market
        event = self._event(cells)
        outcome = read_name(cells["outcome"], "outcome")
        selection_id = _selection_id(market_type, outcome, event)
        line = None
        if market_type in {"OU", "AH"}:
            line = read_line(cells.get("point") or "")
            # A row carries its own side's handicap; the market's line is the home side's.
            line = -line if market_type == "AH" and selection_id == "away" and line else line
        at = read_past(cells["ts_utc"], "ts_utc", self._clock.now())
        bookmaker = read_key(cells["bookmaker"], "bookmaker")
        # The row says that there is a market, even if its price is of no use: it then counts as withdrawn.
        odds: Decimal | None = None
        try:
            odds = read_odds(cells["price"], side)
        except Unusable as fault:
            self._reject(fault.reason)
        return _Row(
            at=at,
            event=event,
            bookmaker=bookmaker,
            type=market_type,
            line=line,
            closing=cells.get("closing") in {"1", "true", "True"},
            selection_id=selection_id,
            side=side,
            odds=odds,
            size=read_size(cells.get("size") or None),
        )

    def _event(self, cells: dict[str, str | None]) -> FeedEvent:
        name = read_name(cells["match"], "match")
        sport = cells.get("sport") or SPORT
        home, separator, away = name.partition(" v ")
        home, away = home.strip(), away.strip()
        if not separator or not home or not away or home == away:
            raise Unusable("match does not name two sides as “home v away”")
        starts_at = read_time(cells["kickoff_utc"], "kickoff_utc")
        known = self._events.setdefault((sport, name), [])
        for event in known:
            if abs(event.starts_at - starts_at) < SAME_MATCH_WITHIN:
                return event
        event = FeedEvent(
            feed=self.name,
            event_id=f"{name} {starts_at:%Y-%m-%dT%H:%MZ}",
            sport=read_name(sport, "sport"),
            competition=read_name(cells.get("competition") or self._competition, "competition"),
            name=name,
            starts_at=starts_at,
            home=home,
            away=away,
        )
        known.append(event)
        return event

    def _snapshot(self, rows: Iterable[_Row]) -> Iterator[QuoteBatch]:
        """Give the batches of one moment; of rows that repeat a selection the last stands."""
        groups: dict[tuple[str, Place], dict[tuple[str, Side], _Row]] = {}
        for row in rows:
            group = groups.setdefault((row.event.event_id, (row.bookmaker, row.type, row.line)), {})
            before = group.get((row.selection_id, row.side))
            if before is not None:
                repeats = (
                    "repeats a row" if before == row else "two prices at once: the last stands"
                )
                self.health.notes[repeats] += 1
            group[row.selection_id, row.side] = row
        for group in groups.values():
            first = next(iter(group.values()))
            event = first.event
            yield QuoteBatch(
                event=event,
                bookmaker=first.bookmaker,
                type=first.type,
                line=first.line,
                at=first.at,
                selections=selections_of(first.type, first.line, event.home, event.away),
                quotes=tuple(
                    QuoteLine(row.selection_id, row.odds, row.side, row.size)
                    for row in group.values()
                    if row.odds is not None
                ),
                closing=first.closing,
            )


def _with_withdrawn(
    snapshot: Iterable[QuoteBatch],
    offered: dict[tuple[str, str, MarketType], dict[Decimal | None, QuoteBatch]],
    at: datetime,
) -> Iterator[QuoteBatch]:
    """Add what a bookmaker no longer offers: lines that it quoted before of a kind of market that it still quotes.

    A kind that it does not quote at all may not have been asked for at that moment: nothing is said about it.
    """
    now: dict[tuple[str, str, MarketType], dict[Decimal | None, QuoteBatch]] = {}
    for batch in snapshot:
        now.setdefault((batch.event.event_id, batch.bookmaker, batch.type), {})[batch.line] = batch
        yield batch
    for kind, lines in now.items():
        for line, before in offered.get(kind, {}).items():
            if line not in lines:
                yield QuoteBatch(
                    event=before.event,
                    bookmaker=before.bookmaker,
                    type=before.type,
                    line=line,
                    at=at,
                    selections=before.selections,
                    quotes=(),
                    suspended=True,
                )
        offered[kind] = lines


def _selection_id(market_type: MarketType, outcome: str, event: FeedEvent) -> str:
    if market_type in OUTCOMES:
        selection_id = OUTCOMES[market_type].get(outcome.lower())
    else:
        sides = {event.home: "home", event.away: "away"}
        if market_type == "1X2":
            sides["Draw"] = "draw"
        selection_id = sides.get(outcome)
    if selection_id is None:
        raise Unusable("outcome is none of the market's")
    return selection_id
