"""A command on its way through the writer, and what its caller gets."""

import asyncio
from uuid import UUID

from msgspec import Struct

from domain.actors import Actor
from domain.commands.command import Command
from domain.refusals import Refusal

Outcome = bytes | Refusal
"""The JSON answer of an accepted command, or the refusal of one that is not."""


class Receipt(Struct, frozen=True):
    """The durable answer to a command: JSON, and whether it is the first answer given again."""

    answer: bytes
    replayed: bool


class Order(Struct, eq=False):
    """A command with who asks, about what, under which keys, and who waits for the outcome.

    `known` holds the first outcomes of those bets of a batch that were answered before, by their place in it.
    `queued_at` is in UNIX nanoseconds.
    """

    command: Command
    target: UUID | None
    actor: Actor
    command_id: UUID
    trace: str | None
    weight: int
    keys: list[tuple[str, str]]
    future: asyncio.Future[Receipt]
    queued_at: int
    outcome: Outcome = b""
    known: dict[int, Outcome] = {}

    def resolve(self, *, replayed: bool = False) -> None:
        """Give the caller its outcome; a caller that has gone away does not mind."""
        if self.future.done():
            return
        if isinstance(self.outcome, Refusal):
            self.outcome.replayed = replayed
            self.future.set_exception(self.outcome)
        else:
            self.future.set_result(Receipt(self.outcome, replayed))

    def fail(self, error: Exception) -> None:
        """Tell the caller that the command has no outcome."""
        if not self.future.done():
            self.future.set_exception(error)
