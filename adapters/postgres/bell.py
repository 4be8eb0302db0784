"""It rings when the ledger has new events."""

from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg import AsyncConnection

from application.log import LogUnavailable

CONNECT_SECONDS: Final = 5


class LedgerBell:
    """Listens for the ledger's notifications, between `async with` and its end."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: AsyncConnection[Any] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._connection = await AsyncConnection.connect(
                self._url,
                autocommit=True,
                application_name="fairbook bell",
                connect_timeout=CONNECT_SECONDS,
            )
            await self._connection.execute("LISTEN ledger_events")
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

    async def wait(self, seconds: float) -> None:
        """Wait until there may be new events since the last wait, or for so long; raises LogUnavailable."""
        assert self._connection is not None
        try:
            async for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                pass
            # One look at the log serves all that rang meanwhile.
            async for _ in self._connection.notifies(timeout=0):
                pass
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise LogUnavailable(str(error).strip()) from error
