"""What a feed calls a fixture: seen first, matched when it is certain, by rule or by an operator."""

from decimal import Decimal
from typing import Final, Literal, Self
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events.feed_name import FeedNameMatched, FeedNameSeen, FixtureCandidate, MatchedBy
from domain.fixtures import name_key
from domain.ids import derived_id
from domain.refusals import InvalidInput
from domain.times import check_time

FeedNameEvent = FeedNameSeen | FeedNameMatched
NameStatus = Literal["unmatched", "matched"]

LIKENESS_PLACES: Final = 3


class FeedName(Struct, frozen=True):
    """State of a feed's name; `fixture_id` is None until it is matched, `by` tells who or what matched it."""

    name_id: UUID
    version: int
    seen: FeedNameSeen
    fixture_id: UUID | None = None
    swapped: bool = False
    by: MatchedBy | None = None

    @property
    def status(self) -> NameStatus:
        """Whether the name is matched."""
        return "unmatched" if self.fixture_id is None else "matched"

    def see(self, seen: FeedNameSeen, matched: FeedNameMatched | None) -> FeedNameEvent | None:
        """Take another sight of the name; None when it says nothing new.

        The first match stands, so that prices do not wander between fixtures: only an operator changes it.
        """
        if self.fixture_id is not None:
            return None
        if matched is not None:
            return matched
        return None if _fixtures_of(seen) == _fixtures_of(self.seen) else seen

    def match(self, fixture_id: UUID, *, swapped: bool) -> FeedNameMatched | None:
        """Take an operator's word on what the name means; None when they said the same before."""
        if (self.fixture_id, self.swapped, self.by) == (fixture_id, swapped, "operator"):
            return None
        return FeedNameMatched(fixture_id=fixture_id, by="operator", swapped=swapped)

    @classmethod
    def start(cls, name_id: UUID, event: FeedNameSeen) -> Self:
        """Begin the state with the stream's first event."""
        return cls(name_id, 1, event)

    def evolve(self, event: FeedNameEvent) -> "FeedName":
        """Give the state after `event`; decides nothing."""
        version = self.version + 1
        match event:
            case FeedNameMatched():
                return replace(
                    self,
                    version=version,
                    fixture_id=event.fixture_id,
                    swapped=event.swapped,
                    by=event.by,
                )
            case FeedNameSeen():
                return replace(self, version=version, seen=event)


def name_id(feed: str, key: str) -> UUID:
    """Give the stream of what a feed calls `key` (see `domain.fixtures.name_key`)."""
    return derived_id(f"feed-name/{feed}/{key}")


def name_id_of(seen: FeedNameSeen) -> UUID:
    """Give the stream of a sight: the same for every sight of the same event."""
    key = name_key(seen.sport, seen.competition, seen.name, seen.starts_at, seen.home, seen.away)
    return name_id(seen.feed, key)


def check_seen(seen: FeedNameSeen) -> None:
    """Refuse a sight that says what cannot be: a time out of reach, a likeness that is none, a fixture twice."""
    check_time(seen.starts_at, "starts_at")
    for candidate in seen.candidates:
        likeness = candidate.likeness
        exponent = likeness.as_tuple().exponent
        if not isinstance(exponent, int) or not Decimal(0) <= likeness <= Decimal(1):
            raise InvalidInput("a likeness is from 0 to 1", field="candidates.likeness")
        if exponent < -LIKENESS_PLACES:
            raise InvalidInput(
                f"a likeness has at most {LIKENESS_PLACES} places", field="candidates.likeness"
            )
    if len({candidate.fixture_id for candidate in seen.candidates}) < len(seen.candidates):
        raise InvalidInput("a fixture is a candidate once", field="candidates.fixture_id")


def _fixtures_of(seen: FeedNameSeen) -> frozenset[tuple[UUID, bool]]:
    return frozenset(map(_fixture_of, seen.candidates))


def _fixture_of(candidate: FixtureCandidate) -> tuple[UUID, bool]:
    return candidate.fixture_id, candidate.swapped
