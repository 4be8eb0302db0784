"""The facts of feeds' names: which fixture each of them means."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.events.event import Event

MatchRule = Literal["same_name", "alias", "likeness"]
MatchedBy = Literal[MatchRule, "operator"]


class FixtureCandidate(Struct, frozen=True, gc=False):
    """A fixture that a feed's name may mean; `likeness` is from 0 to 1, `swapped` when the sides are named in reverse."""

    fixture_id: UUID
    likeness: Decimal
    swapped: bool = False


class FeedNameSeen(Event, frozen=True, kw_only=True):
    """A feed names an event that matches no fixture beyond doubt; `candidates` come best first."""

    topic = "feed_name.seen"
    feed: str
    sport: str
    competition: str
    name: str
    starts_at: datetime
    home: str | None = None
    away: str | None = None
    candidates: tuple[FixtureCandidate, ...] = ()


class FeedNameMatched(Event, frozen=True, kw_only=True):
    """What the feed names is this fixture; `swapped` when the feed names its sides in reverse."""

    topic = "feed_name.matched"
    fixture_id: UUID
    by: MatchedBy
    swapped: bool = False
