"""Whose account it is: asked once and kept, because an account's owner never changes."""

import asyncio
import logging
from typing import Final
from uuid import UUID

from application.live.source import Views

KEPT: Final = 100_000
_AGAIN_SECONDS: Final = 0.5

_log = logging.getLogger("fairbook.live")


class Owners:
    """Owners of accounts by id, at most KEPT of them."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._known: dict[UUID, str] = {}

    def learn(self, account_id: UUID, owner: str) -> None:
        """Keep what a fact says."""
        if len(self._known) >= KEPT:
            del self._known[next(iter(self._known))]
        self._known[account_id] = owner

    def known(self, account_id: UUID) -> str | None:
        """Give the owner if it is known already."""
        return self._known.get(account_id)

    async def find(self, account_id: UUID, position: int) -> str:
        """Give the owner of an account that a fact at `position` is about, however long that takes.

        Skipping the fact would lose it; and while the read models are away, there are hardly new ones.
        """
        told = False
        while (owner := await self._views.owner(account_id, position)) is None:
            if not told:
                _log.warning("the owner of account %s cannot be told now", account_id)
                told = True
            await asyncio.sleep(_AGAIN_SECONDS)
        self.learn(account_id, owner)
        return owner
