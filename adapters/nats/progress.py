"""How far another consumer of a stream has come."""

from nats.js.errors import NotFoundError

from adapters.nats.connection import AWAY, Connection
from adapters.nats.streams import ODDS

PRICES = "prices"
"""The durable consumer of the price handler."""


class KeptPrices:
    """An application.value.ports.KeptPrices: what the price handler has acknowledged is in the ledger."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def kept_through(self) -> int:
        """Give the sequence up to which all messages are acknowledged; 0 while there is no price handler, or no NATS."""
        try:
            info = await self._connection.jetstream.consumer_info(ODDS, PRICES)
        except (NotFoundError, *AWAY):
            return 0
        return info.ack_floor.stream_seq if info.ack_floor else 0

    async def last(self) -> int:
        """Give the sequence of the last message in the stream."""
        return int((await self._connection.jetstream.stream_info(ODDS)).state.last_seq)
