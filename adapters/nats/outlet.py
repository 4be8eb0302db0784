"""What the handlers of prices send out: signals of arbitrages and of values, and prices that were posted to the ledger."""

from typing import Final

from nats.js.errors import NotFoundError

from adapters.nats.connection import Connection
from adapters.nats.publisher import Publisher
from adapters.nats.streams import SIGNALS
from application.prices.signals import arbitrage_signal
from application.value.signals import value_message
from domain.commands.arbitrage import ArbitrageChange
from domain.commands.value import ValueChange
from domain.quotes import QuoteMessage, encode_message, subject_of

POSITION: Final = "Fairbook-Position"
ARBITRAGES: Final = "signals.arbitrage"
VALUES: Final = "signals.value"


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
        return await _last_position(self._connection, ARBITRAGES)

    async def price(self, message: QuoteMessage, message_id: str) -> None:
        """Publish prices that came into the ledger another way."""
        await self._publisher.publish(subject_of(message), encode_message(message), message_id)


class ValueSignalOutlet:
    """An application.value.ports.ValueOutlet, in the same way."""

    def __init__(self, publisher: Publisher, connection: Connection) -> None:
        self._publisher = publisher
        self._connection = connection

    async def signal(self, change: ValueChange, position: int) -> None:
        """Tell what became of a value signal, on `signals.value.<signal>`."""
        await self._publisher.publish(
            f"{VALUES}.{change.signal_id}",
            value_message(change, position),
            f"value:{position}",
            {POSITION: str(position)},
        )

    async def last_signalled(self) -> int:
        """Give the highest position that was told with a signal, 0 when there is none."""
        return await _last_position(self._connection, VALUES)


async def _last_position(connection: Connection, subject: str) -> int:
    try:
        last = await connection.jetstream.get_last_msg(SIGNALS, f"{subject}.>")
    except NotFoundError:
        return 0
    return int((last.headers or {}).get(POSITION, "0"))
