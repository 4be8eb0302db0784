"""Where live messages come from, and what they look like up to the clients: the ports of the hub."""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct


class Fact(Struct, frozen=True, gc=False):
    """A ledger event as it is published: its position, its ledger topic, and its line of the audit feed (JSON)."""

    position: int
    topic: str
    line: bytes


class LiveUnavailable(Exception):  # noqa: N818  a state, not a fault
    """Live streams are not there at the moment."""


class TooManyStreams(Exception):  # noqa: N818  (the same)
    """Too many streams are open."""


class Source(Protocol):
    """Messages as they are published: prices and signals from now on, facts from any position."""

    def listen(
        self, take: Callable[[str, bytes], None], lost: Callable[[str | None], None]
    ) -> None:
        """Say who takes the messages of the topics that are watched (topic, JSON).

        `lost` hears that some of a topic's messages, or of all of them (None), did not arrive.
        """

    async def watch(self, topics: Collection[str]) -> None:
        """Take what is published on these topics too, from now on; raises LiveUnavailable, also when there are none."""

    async def forget(self, topics: Collection[str]) -> None:
        """Take it no more."""

    async def bounds(self) -> tuple[int, int]:
        """Give the positions of the first and the last fact that are there; raises LiveUnavailable."""

    def facts(self, after: int) -> AsyncGenerator[Sequence[Fact], None]:
        """Give all facts after a position in order, for ever; it waits while there is nobody to ask."""

    def history(
        self, after: int, upto: int, words: Collection[str]
    ) -> AsyncGenerator[Sequence[Fact], None]:
        """Give the facts after a position up to another whose ledger topics begin with one of these words.

        Raises LiveUnavailable.
        """


class Views(Protocol):
    """What the hub asks of the read models."""

    async def prices(self, market_id: UUID) -> bytes:
        """Give a market's latest prices as `GET /v1/markets/{id}/odds` does, in JSON."""

    async def owner(self, account_id: UUID, position: int) -> str | None:
        """Give whose account this is, from a view that shows `position`; None when it cannot be told now."""
