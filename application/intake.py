"""From a feed's words to the price stream: find the fixture, open the market where it is missing, publish."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Final, Protocol
from uuid import UUID, uuid5

from msgspec import Struct

from application import meters
from application.fixture_names import DeskAway, FixtureNames, Found
from domain.commands.market import FixtureBody, OpenMarket, SelectionBody
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.matching import swap_sides
from domain.quotes import QuoteBatch, QuoteLine, QuoteMessage, encode_message, subject_of

OPENED_AT_ONCE: Final = 16
RACE_MARKETS: Final = frozenset({"WIN", "PLACE", "EW"})

Place = tuple[UUID, MarketType, str | None]
"""Fixture, market type, line as text without trailing zeros."""
Offer = tuple[str, Side]
"""A selection and its side."""


class KnownMarket(Struct, frozen=True):
    """A market of the ledger."""

    market_id: UUID
    type: MarketType
    line: str | None
    selections: frozenset[str]


class OpeningRefused(Exception):  # noqa: N818  a rule of the ledger said no
    """The ledger does not open a market; the message says why."""


class MarketDesk(Protocol):
    """Where markets are kept. Every method raises DeskAway while the ledger stays away."""

    async def markets_of(self, fixture_id: UUID) -> Sequence[KnownMarket]:
        """Give a fixture's markets, the oldest first."""
        ...

    async def open(self, command: OpenMarket) -> None:
        """Open a market, or find it open; raises OpeningRefused."""


class Outlet(Protocol):
    """The price stream."""

    async def publish(self, subject: str, data: bytes, message_id: str) -> None:
        """Send a message; a second one of the same id is not stored."""

    async def flush(self) -> None:
        """Wait until everything that was sent is stored."""


class IntakeTally(Struct):
    """What an intake did; `prices` are single ones.

    `refused` are batches whose market the ledger does not open, `left_out` those that came while it was away.
    """

    batches: int = 0
    prices: int = 0
    published: int = 0
    unchanged: int = 0
    unmatched: int = 0
    refused: int = 0
    left_out: int = 0
    unknown_selections: int = 0
    fixtures_begun: int = 0
    markets_opened: int = 0


class Intake:
    """Takes one feed's batches in, in order."""

    def __init__(
        self, names: FixtureNames, desk: MarketDesk, outlet: Outlet, *, is_live: bool = False
    ) -> None:
        """Publish to `outlet` what `names` and `desk` place.

        While the ledger is away, a live feed's prices of fixtures and markets that are known go on, and others are left
        out: newer ones will come. A recording stops with DeskAway instead.
        """
        self.tally = IntakeTally()
        self.refusals: dict[str, str] = {}
        """Why markets were not opened, by fixture and type."""
        self._names = names
        self._desk = desk
        self._outlet = outlet
        self._is_live = is_live
        self._markets: dict[Place, KnownMarket] = {}
        self._looked_at: set[UUID] = set()
        self._refused: set[Place] = set()
        self._offered: dict[tuple[str, UUID], set[Offer]] = {}

    async def take(self, batches: Sequence[QuoteBatch]) -> None:
        """Publish what batches say; what has no fixture or no market is counted."""
        placed = [each for batch in batches if (each := await self._placed(batch))]
        try:
            await self._open_missing(placed)
        except DeskAway:
            if not self._is_live:
                raise
        for place, batch, _ in placed:
            market = self._markets.get(place)
            if market is None and place not in self._refused:
                self._left_out(batch)
                continue
            if market is None:
                self._count(batch, "refused")
                self.tally.refused += 1
                continue
            await self._publish(batch, place[0], market)

    async def finish(self) -> None:
        """Wait until everything is stored."""
        await self._outlet.flush()

    async def _placed(self, batch: QuoteBatch) -> tuple[Place, QuoteBatch, Found] | None:
        self.tally.batches += 1
        self.tally.prices += len(batch.quotes)
        meters.feed_batches.add(labels=(batch.event.feed,))
        runners = [name for _, name in batch.selections] if batch.type in RACE_MARKETS else ()
        try:
            found = await self._names.fixture_of(batch.event, runners)
        except DeskAway:
            if not self._is_live:
                raise
            self._left_out(batch)
            return None
        self.tally.fixtures_begun = self._names.begun
        if found is None:
            self._count(batch, "unmatched")
            self.tally.unmatched += 1
            return None
        if found.swapped:
            batch = swap_sides(batch)
        fixture_id = found.fixture.fixture_id
        assert fixture_id is not None
        line = None if batch.line is None else line_text(batch.line)
        return (fixture_id, batch.type, line), batch, found

    async def _open_missing(self, placed: Sequence[tuple[Place, QuoteBatch, Found]]) -> None:
        missing: dict[Place, tuple[QuoteBatch, Found]] = {}
        for place, batch, found in placed:
            if place in self._markets or place in self._refused:
                continue
            if not found.begun and place[0] not in self._looked_at:
                await self._learn(place[0])
                if place in self._markets:
                    continue
            missing.setdefault(place, (batch, found))
        limit = asyncio.Semaphore(OPENED_AT_ONCE)

        async def open_one(place: Place, batch: QuoteBatch, found: Found) -> None:
            async with limit:
                await self._open(place, batch, found)

        if missing:
            await _all(open_one(place, *each) for place, each in missing.items())

    async def _learn(self, fixture_id: UUID) -> None:
        """Take the markets that a fixture has already: whoever opened them, prices belong there."""
        for market in await self._desk.markets_of(fixture_id):
            self._markets.setdefault((fixture_id, market.type, market.line), market)
        self._looked_at.add(fixture_id)

    async def _open(self, place: Place, batch: QuoteBatch, found: Found) -> None:
        fixture_id, market_type, line = place
        command = OpenMarket(
            market_id=market_id_of(fixture_id, market_type, line),
            fixture=FixtureBody(
                fixture_id=fixture_id,
                sport=found.fixture.sport,
                competition=found.fixture.competition,
                name=found.fixture.name,
                starts_at=found.fixture.starts_at,
                home=found.fixture.home,
                away=found.fixture.away,
            ),
            type=market_type,
            line=batch.line,
            selections=[
                SelectionBody(selection_id=selection_id, name=name)
                for selection_id, name in batch.selections
            ],
            pricing="external",
        )
        assert command.market_id is not None
        try:
            await self._desk.open(command)
        except OpeningRefused as refusal:
            self._refused.add(place)
            self.refusals[f"{found.fixture.name} {market_type} {line or ''}".strip()] = str(refusal)
            return
        self.tally.markets_opened += 1
        self._markets[place] = KnownMarket(
            command.market_id,
            market_type,
            line,
            frozenset(selection_id for selection_id, _ in batch.selections),
        )

    async def _publish(self, batch: QuoteBatch, fixture_id: UUID, market: KnownMarket) -> None:
        lines = self._lines(batch, market)
        if not lines:
            self._count(batch, "unchanged")
            self.tally.unchanged += 1
            return
        message = QuoteMessage(
            bookmaker=batch.bookmaker,
            fixture_id=fixture_id,
            market_id=market.market_id,
            at=batch.at,
            quotes=lines,
            feed=batch.event.feed,
            closing=batch.closing,
        )
        data = encode_message(message)
        # What is said is its id: the same prices of the same moment are stored once.
        await self._outlet.publish(
            subject_of(message), data, blake2b(data, digest_size=16).hexdigest()
        )
        self._count(batch, "published")
        self.tally.published += 1

    def _lines(self, batch: QuoteBatch, market: KnownMarket) -> tuple[QuoteLine, ...]:
        """Give a message's lines: what is quoted, and `odds` None for what was offered before and no longer is."""
        quoted: dict[Offer, QuoteLine] = {}
        for line in () if batch.suspended else batch.quotes:
            if line.selection_id in market.selections:
                quoted[line.selection_id, line.side] = line
            else:
                self.tally.unknown_selections += 1
        known = self._offered.get((batch.bookmaker, market.market_id))
        offered = known or set()
        if batch.complete or batch.suspended:
            gone = offered - quoted.keys()
            if known is None:
                # What an earlier run of this feed said is not known here.
                sides: set[Side] = {"back", *(side for _, side in quoted)}
                gone = {
                    (each, side) for each in market.selections for side in sides
                } - quoted.keys()
            for selection_id, side in sorted(gone):
                quoted[selection_id, side] = QuoteLine(selection_id, None, side)
        now = {offer for offer, line in quoted.items() if line.odds is not None}
        untouched = offered - quoted.keys()
        self._offered[batch.bookmaker, market.market_id] = now | untouched
        return tuple(quoted.values())

    def _left_out(self, batch: QuoteBatch) -> None:
        self._count(batch, "left_out")
        self.tally.left_out += 1

    def _count(self, batch: QuoteBatch, outcome: str) -> None:
        meters.feed_messages.add(labels=(batch.event.feed, outcome))


def market_id_of(fixture_id: UUID, market_type: MarketType, line: str | None) -> UUID:
    """Give a fixture's market the same id whoever opens it; the import of season files makes the same ones."""
    return uuid5(fixture_id, market_type if line is None else f"{market_type}/{line}")


def line_text(line: Decimal) -> str:
    """Write a line one way only: 2.5 and 2.50 are the same market."""
    return f"{line.normalize():f}"


async def _all(jobs: Iterable[Coroutine[None, None, None]]) -> None:
    """Do all jobs at once; the first failure ends all."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except ExceptionGroup as failures:
        # Others fail for the same reason; one is enough to say.
        raise failures.exceptions[0] from None
