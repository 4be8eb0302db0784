"""The ledger as a feed's intake asks it: over HTTP, with an operator's token."""

import contextlib
import hashlib
import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Generic, TypeVar
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from application.fixture_names import NAMESPACE, DeskAway, KnownFixture, Sight
from application.intake import KnownMarket, OpeningRefused, line_text
from domain.commands.command import Command
from domain.commands.feed_name import SeeFeedName
from domain.commands.market import OpenMarket
from domain.events.feed_name import MatchedBy
from domain.events.market import Fixture, MarketType, Period
from domain.matching import Confirmed
from domain.quotes import FeedEvent
from fairbook.client import LedgerClient, Receipt, Refused, ServiceError

ID_TAKEN: Final = "id_taken"
PAGE: Final = 500
AWAY_SECONDS: Final = 60.0

Item = TypeVar("Item")


class _Page(Struct, Generic[Item], frozen=True):
    items: list[Item]
    next_cursor: str | None


class _FixtureRow(Struct, frozen=True):
    fixture_id: UUID
    sport: str
    competition: str
    name: str
    starts_at: datetime
    home: str | None
    away: str | None
    runners: list[str]


class _NameRow(Struct, frozen=True):
    feed: str
    sport: str
    competition: str
    name: str
    starts_at: datetime
    home: str | None
    away: str | None
    fixture_id: UUID
    swapped: bool
    by: MatchedBy


class _SelectionRow(Struct, frozen=True):
    selection_id: str


class _MarketFixture(Struct, frozen=True):
    """A fixture as a market shows it; what the view adds to it is passed over."""

    fixture_id: UUID
    sport: str
    competition: str
    name: str
    starts_at: datetime
    home: str | None = None
    away: str | None = None


class _MarketRow(Struct, frozen=True):
    market_id: UUID
    fixture: _MarketFixture
    type: MarketType
    line: Decimal | None
    selections: list[_SelectionRow]
    opened_at: datetime
    period: Period


class FeedDesk:
    """Names, fixtures and markets of a running service.

    The client tries for half a minute before it gives a service up; then nobody asks for a while, so that the prices of
    markets that are known are not held up.
    """

    def __init__(self, client: LedgerClient) -> None:
        """Ask over this client."""
        self._client = client
        self._away_until = -math.inf
        self._away = ""

    async def fixtures(
        self, starts_after: datetime, starts_before: datetime
    ) -> Sequence[KnownFixture]:
        """Give the fixtures that start in between."""
        return [
            KnownFixture(
                Fixture(
                    sport=row.sport,
                    competition=row.competition,
                    name=row.name,
                    starts_at=row.starts_at,
                    fixture_id=row.fixture_id,
                    home=row.home,
                    away=row.away,
                ),
                tuple(row.runners),
            )
            async for row in self._rows(
                "/v1/fixtures",
                _FixtureRow,
                starts_after=starts_after.isoformat(),
                starts_before=starts_before.isoformat(),
            )
        ]

    async def fixture(self, fixture_id: UUID) -> Fixture | None:
        """Give one fixture, as its first market has it."""
        async for row in self._rows("/v1/markets", _MarketRow, fixture_id=str(fixture_id)):
            shown = row.fixture
            return Fixture(
                sport=shown.sport,
                competition=shown.competition,
                name=shown.name,
                starts_at=shown.starts_at,
                fixture_id=shown.fixture_id,
                home=shown.home,
                away=shown.away,
            )
        return None

    async def confirmed(self, feed: str) -> Sequence[Confirmed]:
        """Give what was said of this feed's names."""
        rows = self._rows("/v1/feed-names", _NameRow, feed=feed, status="matched")
        return [Confirmed(_event(row), row.fixture_id, row.swapped, row.by) async for row in rows]

    async def see(self, sight: SeeFeedName) -> Sight:
        """Report a feed's name."""
        with self._reached():
            return await self._client.command("/v1/feed-names", sight, _key(sight), Sight)

    async def markets_of(self, fixture_id: UUID) -> Sequence[KnownMarket]:
        """Give a fixture's markets on the whole match, the oldest first: feeds speak of no other."""
        rows = [
            row async for row in self._rows("/v1/markets", _MarketRow, fixture_id=str(fixture_id))
        ]
        return [
            KnownMarket(
                row.market_id,
                row.type,
                None if row.line is None else line_text(row.line),
                frozenset(each.selection_id for each in row.selections),
            )
            for row in sorted(rows, key=lambda row: (row.opened_at, row.market_id))
            if row.period == "full_time"
        ]

    async def open(self, command: OpenMarket) -> None:
        """Open a market, or find it open; raises OpeningRefused."""
        try:
            with self._reached():
                await self._client.command("/v1/markets", command, _key(command), Receipt)
        except Refused as refused:
            # Ids follow from the fixture: what has it is this market, opened with another kick-off, say.
            if refused.problem.kind != ID_TAKEN:
                raise OpeningRefused(str(refused)) from refused

    async def _rows(self, path: str, row: type[Item], **params: str) -> AsyncIterator[Item]:
        cursor: str | None = None
        while True:
            asked = params if cursor is None else {**params, "cursor": cursor}
            with self._reached():
                page = await self._client.read(path, _Page[row], limit=PAGE, **asked)  # type: ignore[valid-type]  # a type at run time
            for item in page.items:
                yield item
            if (cursor := page.next_cursor) is None:
                return

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Turn a service that stays away into DeskAway, at once where it was away a moment ago."""
        if time.monotonic() < self._away_until:
            raise DeskAway(self._away)
        try:
            yield
        except ServiceError as error:
            self._away, self._away_until = str(error), time.monotonic() + AWAY_SECONDS
            raise DeskAway(self._away) from error


def _event(row: _NameRow) -> FeedEvent:
    return FeedEvent(
        feed=row.feed,
        event_id="",
        sport=row.sport,
        competition=row.competition,
        name=row.name,
        starts_at=row.starts_at,
        home=row.home,
        away=row.away,
    )


def _key(command: Command) -> UUID:
    """Give what is asked as its idempotency key: asked twice it is done once."""
    content = msgspec.json.encode(command, order="deterministic")
    return uuid5(NAMESPACE, f"{type(command).__name__} {hashlib.sha256(content).hexdigest()}")
