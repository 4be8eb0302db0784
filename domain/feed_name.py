"""What a feed calls a fixture: seen first, matched when it is certain, by rule or by an operator."""

from typing import Self
from uuid import UUID

from msgspec import Struct

from domain.events import FeedNameMatched, FeedNameSeen

FeedNameEvent = FeedNameSeen | FeedNameMatched


class FeedName(Struct, frozen=True):
    """State of a feed's name; `fixture_id` is None until it is matched."""

    name_id: UUID
    version: int
    seen: FeedNameSeen
    fixture_id: UUID | None = None
    swapped: bool = False

    @classmethod
    def start(cls, name_id: UUID, event: FeedNameSeen) -> Self:
        """Begin the state with the stream's first event."""
        return cls(name_id, 1, event)

    def evolve(self, event: FeedNameEvent) -> "FeedName":
        """Give the state after `event`; decides nothing."""
        version = self.version + 1
        match event:
            case FeedNameMatched():
                return FeedName(self.name_id, version, self.seen, event.fixture_id, event.swapped)
            case FeedNameSeen():
                return FeedName(self.name_id, version, event, self.fixture_id, self.swapped)
