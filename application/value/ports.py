"""What the value handler needs of the world, beside what the price handler's ports say."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from application.prices.ports import KeptPrice
from application.value.models import ActiveModel
from domain.commands.value import ValueChange
from domain.events.value import ValueSignal


class ValueOutlet(Protocol):
    """Where value signals go out. A message that was sent under the same id before is not sent again."""

    async def signal(self, change: ValueChange, position: int) -> None:
        """Tell what became of a signal: the event at this position of the ledger."""

    async def last_signalled(self) -> int:
        """Give the highest position that was told with a signal, 0 when there is none."""


class KeptPrices(Protocol):
    """How far the price handler has come: its prices are in the ledger, and so need not come again."""

    async def kept_through(self) -> int:
        """Give the place in the price stream up to which all prices are kept; 0 while that cannot be told."""

    async def last(self) -> int:
        """Give the place of the last message in the price stream."""


class ValueStart(Struct, frozen=True):
    """What the ledger holds at a `position`: where the handler begins.

    `sequence` is the highest place in the price stream that a signal was recorded for, `closed` the signals that ended
    there.
    """

    position: int
    models: Sequence[ActiveModel]
    prices: Sequence[KeptPrice]
    signals: Sequence[tuple[UUID, ValueSignal]]
    sequence: int
    closed: Sequence[UUID]


class KnownValues(Protocol):
    """The ledger's views and its log, as the handler reads them."""

    async def start(self) -> ValueStart:
        """Wait until the views show all that the ledger holds now, and give it."""

    def changes(self, after: int) -> AsyncIterator[tuple[ValueChange, int]]:
        """Give what became of value signals after a position, each with its own position."""
