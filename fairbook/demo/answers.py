"""What the demo reads of the service's answers."""

from uuid import UUID

from msgspec import Struct

from fairbook.client import Problem


class BatchItem(Struct, frozen=True):
    """What became of one bet of a batch."""

    bet_id: UUID | None = None
    status: str | None = None
    error: Problem | None = None


class BatchAnswer(Struct, frozen=True):
    """What became of a batch's bets, in order."""

    results: list[BatchItem]
    position: int


class Funds(Struct, frozen=True):
    """An account's balance; minor units of its currency."""

    available_minor: int
    in_play_minor: int
    currency: str
    position: int


class BetEnd(Struct, frozen=True):
    """How a bet stands; its return in minor units, None while it is open."""

    status: str
    return_minor: int | None
