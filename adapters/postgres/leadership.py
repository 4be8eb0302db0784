"""Which of several processes does a job: who holds an advisory lock of the database."""

import asyncio
import zlib
from typing import Final

import psycopg

from application.log import LogUnavailable

STANDBY_SECONDS: Final = 1.0
"""How often whoever waits for the lead, or works under it, asks who has it."""


class Leadership:
    """Held as long as its connection lives; when the process dies, another one gets it."""

    def __init__(self, database_url: str, job: str) -> None:
        self._url = database_url
        self._lock = zlib.crc32(job.encode())
        self._connection: psycopg.AsyncConnection[tuple[bool]] | None = None
        self._held = False

    async def held(self) -> bool:
        """Tell whether this process leads, taking the lead if nobody has it; raises LogUnavailable."""
        try:
            if self._connection is None or self._connection.closed:
                self._held = False
                self._connection = await psycopg.AsyncConnection[tuple[bool]].connect(
                    self._url, autocommit=True, application_name="fairbook leadership"
                )
            if self._held:
                await self._connection.execute("SELECT")
                return True
            row = await (
                await self._connection.execute("SELECT pg_try_advisory_lock(%s)", (self._lock,))
            ).fetchone()
        except psycopg.OperationalError as error:
            self._held = False
            await self.release()
            raise LogUnavailable(str(error).strip()) from error
        self._held = row is not None and row[0]
        return self._held

    async def won(self) -> None:
        """Wait until this process leads; raises LogUnavailable."""
        while not await self.held():  # noqa: ASYNC110  another process holds it: there is nothing here to wait for
            await asyncio.sleep(STANDBY_SECONDS)

    async def release(self) -> None:
        """Let go."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
