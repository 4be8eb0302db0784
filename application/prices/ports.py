"""What the price handler needs of the world."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from application.live.source import Fact
from domain.board import BoardQuote
from domain.commands.arbitrage import ArbitrageChange
from domain.events.arbitrage import Opportunity
from domain.events.bet import Side
from domain.quotes import QuoteMessage


class Incoming(Protocol):
    """A message of the price stream; `sequence` is its place there."""

    @property
    def data(self) -> bytes:
        """What it carries."""

    @property
    def sequence(self) -> int:
        """1, 2, 3 … in the order of the stream."""


class Inbox(Protocol):
    """The price stream, from after the last message that was done: what was taken and not done comes again, in order."""

    def batches(self) -> AsyncIterator[Sequence[Any]]:
        """Give messages in order, as many as there are now; an empty batch when none came for a while."""

    async def is_drained(self) -> bool:
        """Tell whether there is no message that has not been given."""

    async def done(self, messages: Sequence[Any]) -> None:
        """Take note that messages need not come again."""

    async def dead_letter(self, message: Any, reason: str) -> None:
        """Put a message that can never be used where an operator finds it; when this returns it is there and done."""


class Facts(Protocol):
    """The ledger's events of markets and prices, as they are published."""

    def facts(self, after: int, words: Collection[str] = ()) -> AsyncIterator[Sequence[Fact]]:
        """Give the facts after a position whose topics begin with one of these words, in order, for ever."""


class Outlet(Protocol):
    """Where signals and prices go out. A message that was sent under the same id before is not sent again."""

    async def signal(self, change: ArbitrageChange, position: int) -> None:
        """Tell what became of an opportunity: the event at this position of the ledger."""

    async def last_signalled(self) -> int:
        """Give the highest position that was told with a signal, 0 when there is none."""

    async def price(self, message: QuoteMessage, message_id: str) -> None:
        """Publish prices that came into the ledger another way."""


class KeptPrice(Struct, frozen=True):
    """A bookmaker's latest price for a side of a selection, as the ledger holds it; `odds` is the last one when withdrawn."""

    market_id: UUID
    bookmaker: str
    selection_id: str
    side: Side
    odds: Decimal
    size: Decimal | None
    withdrawn: bool
    at: datetime

    def on_board(self) -> BoardQuote:
        """Give it as the board takes it; one that is withdrawn is not offered."""
        return BoardQuote(
            market_id=self.market_id,
            selection_id=self.selection_id,
            side=self.side,
            bookmaker=self.bookmaker,
            odds=Decimal(0) if self.withdrawn else self.odds,
            at=self.at,
            size=self.size,
        )


class Start(Struct, frozen=True):
    """What the ledger holds at a `position`: where the handler begins.

    `sequence` is the highest place in the price stream that an arbitrage was recorded for.
    """

    position: int
    prices: Sequence[KeptPrice]
    opportunities: Sequence[tuple[UUID, Opportunity]]
    sequence: int


class Known(Protocol):
    """The ledger's views and its log, as the handler reads them."""

    async def start(self) -> Start:
        """Wait until the views show all that the ledger holds now, and give it."""

    def arbitrages(self, after: int) -> AsyncIterator[tuple[ArbitrageChange, int]]:
        """Give what became of opportunities after a position, each with its own position."""
