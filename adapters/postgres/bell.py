"""Bells ring when the ledger has new events, or new results of markets."""

from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from application.log import LogUnavailable

CONNECT_SECONDS: Final = 5
EVENTS: Final = "ledger_events"
RESULTS: Final = "ledger_results"


class LedgerBell:
    """Listens for the ledger's notifications, between `async with` and its end: of all events, or of `RESULTS`."""

    def __init__(self, database_url: str, channel: str = EVENTS) -> None:
        self._url = database_url
        self._channel = channel
        self._connection: AsyncConnection[Any] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._connection = await AsyncConnection.connect(
                self._url,
                autocommit=True,
                application_name="fairbook bell",
                connect_timeout=CONNECT_SECONDS,
            )
            await self._connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
        except psycopg.OperationalError as error:
            raise LogUnavailable(str(error).strip()) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def wait(self, seconds: float) -> str:
        """Wait until there may be something new since the last wait, or for so long; raises LogUnavailable.

        Gives what the last ring said: of results the position that it is about, else nothing.
        """
        assert self._connection is not None
        said = ""
        try:
            async for ring in self._connection.notifies(timeout=seconds, stop_after=1):
                said = ring.payload
            # One look at the log serves all that rang meanwhile.
            async for ring in self._connection.notifies(timeout=0):
                said = ring.payload
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise LogUnavailable(str(error).strip()) from error
        return said
