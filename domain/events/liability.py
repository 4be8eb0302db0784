"""The facts of what a market's open bets can cost the house."""

from uuid import UUID

from msgspec import Struct

from domain.events.bet import Side
from domain.events.event import Event


class Held(Struct, frozen=True, gc=False, omit_defaults=True):
    """Sums of open bets of one currency: what they hold in play, and what they return at the most.

    Plain singles are held by selection and side. Of all others (`selection_id` None) nobody asks on which outcome.
    """

    currency: str
    bets: int
    stake_minor: int
    return_minor: int
    selection_id: str | None = None
    side: Side = "back"


class LiabilityCounted(Event, frozen=True, kw_only=True):
    """From now on the market's liability is followed; `held` is all that is open on it at this moment."""

    topic = "liability.counted"
    market_id: UUID
    held: tuple[Held, ...]


class LiabilityChanged(Event, frozen=True, kw_only=True):
    """Bets on the market were taken, ended, opened again or changed: `held` are the differences, negative for what was let go."""

    topic = "liability.changed"
    market_id: UUID
    held: tuple[Held, ...]
