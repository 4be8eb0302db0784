"""What the price handler sends out: signals of arbitrages, and prices that were posted to the ledger."""

from typing import Final

from nats.js.errors import NotFoundError

from adapters.nats.connection import Connection
from adapters.nats.publisher import Publisher
from adapters.nats.streams import SIGNALS
from application.prices.signals import arbitrage_signal
from domain.commands import ArbitrageChange
from domain.quotes import QuoteMessage, encode_message, subject_of

POSITION: Final = "Fairbook-Position"
ARBITRAGES: Final = "signals.arbitrage"


class PriceOutlet:
    """An application.prices.ports.Outlet: published in order, answered by JetStream, sent again until it is."""

    def __init__(self, publisher: Publisher, connection: Connection) -> None:
        self._publisher = publisher
        self._connection = connection

    async def signal(self, change: ArbitrageChange, position: int) -> None:
        """Tell what became of an opportunity, on `signals.arbitrage.<opportunity>`."""
        await self._publisher.publish(
            f"{ARBITRAGES}.{change.opportunity_id}",
            arbitrage_signal(change, position),
            f"arbitrage:{position}",
            {POSITION: str(position)},
        )

    async def last_signalled(self) -> int:
        """Give the highest position that was told with a signal, 0 when there is none."""
        try:
            last = await self._connection.jetstream.get_last_msg(SIGNALS, f"{ARBITRAGES}.>")
        except NotFoundError:
            return 0
        return int((last.headers or {}).get(POSITION, "0"))

    async def price(self, message: QuoteMessage, message_id: str) -> None:
        """Publish prices that came into the ledger another way."""
        await self._publisher.publish(subject_of(message), encode_message(message), message_id)
