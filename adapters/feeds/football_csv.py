"""Season files of football-data.co.uk as a feed: the prices of their day of collection, then the closing ones."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters.feeds.packing import unpacked
from adapters.feeds.readings import plain
from adapters.feeds.selections import selections_of
from adapters.football_data import (
    FootballDataError,
    Match,
    PricedMarket,
    SeasonFile,
    parse_season,
)
from application.feeds import Clock, FeedHealth
from domain.events.odds import Quote
from domain.quotes import FeedEvent, QuoteBatch, QuoteLine

FEED: Final = "football-data"


class FootballDataFeed:
    """Plays whole seasons in the order of their times, also of several files at once."""

    def __init__(self, paths: Sequence[Path], clock: Clock) -> None:
        """Read the files; raises FootballDataError when one is not a season file."""
        self.name = FEED
        self.health = FeedHealth(FEED)
        self._clock = clock
        self._matches: list[Match] = []
        for path in paths:
            season = _season(path)
            self._matches += season.matches
            for row in season.rejected_rows:
                self.health.rejections.add(
                    "row is unusable", f"{path.name}:{row.line_number} {row.reason}"
                )
            for quote in season.rejected_quotes:
                self.health.rejections.add(
                    "price is unusable",
                    f"{path.name}:{quote.line_number} {quote.column} {quote.reason}",
                )

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """Give, for every time at which prices were collected, all of them."""
        moments: dict[datetime, list[QuoteBatch]] = {}
        for match in self._matches:
            for batch in _batches(match):
                moments.setdefault(batch.at, []).append(batch)
        for at in sorted(moments):
            self.health.heard(self._clock.now())
            yield moments[at]


def _season(path: Path) -> SeasonFile:
    with unpacked(path) as file:
        content = file.read()
    try:
        return parse_season(content)
    except FootballDataError as error:
        raise FootballDataError(f"{path.name}: {error}") from None


def _batches(match: Match) -> Iterator[QuoteBatch]:
    fixture = match.fixture
    event = FeedEvent(
        feed=FEED,
        event_id=str(fixture.fixture_id),
        sport=fixture.sport,
        competition=fixture.competition,
        name=fixture.name,
        starts_at=fixture.starts_at,
        home=fixture.home,
        away=fixture.away,
    )
    for market in match.markets:
        groups: dict[tuple[str, bool], list[Quote]] = {}
        for quote in market.quotes:
            groups.setdefault((quote.bookmaker, quote.closing), []).append(quote)
        for (bookmaker, closing), quotes in groups.items():
            yield _batch(event, market, bookmaker, quotes, closing=closing)


def _batch(
    event: FeedEvent, market: PricedMarket, bookmaker: str, quotes: list[Quote], *, closing: bool
) -> QuoteBatch:
    line = None if market.line is None else plain(market.line)
    return QuoteBatch(
        event=event,
        bookmaker=bookmaker,
        type=market.type,
        line=line,
        at=quotes[0].at,
        selections=selections_of(market.type, line, event.home, event.away),
        quotes=tuple(QuoteLine(quote.selection_id, quote.odds) for quote in quotes),
        closing=closing,
    )
