"""What may be asked of feeds' names: which fixture each of them means."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from domain.commands.command import Command, Instant, Slug, Text
from domain.events.feed_name import MatchRule


class CandidateBody(Command, frozen=True, kw_only=True):
    """A fixture that a feed's name may mean; `likeness` is from 0 to 1, with 3 places at most."""

    fixture_id: UUID
    likeness: Decimal
    swapped: bool = False


class CertainMatchBody(Command, frozen=True, kw_only=True):
    """The fixture that a feed's name means beyond doubt, and the rule that says so."""

    fixture_id: UUID
    by: MatchRule
    swapped: bool = False


class SeeFeedName(Command, frozen=True, kw_only=True):
    """Report an event of a feed: `matched` to its fixture by a rule, or with the `candidates` for an operator."""

    feed: Slug
    sport: Text
    competition: Text
    name: Text
    starts_at: Instant
    home: Text | None = None
    away: Text | None = None
    candidates: Annotated[tuple[CandidateBody, ...], Meta(max_length=10)] = ()
    matched: CertainMatchBody | None = None


class MatchFeedName(Command, frozen=True, kw_only=True):
    """Say which fixture the target name of a feed means."""

    fixture_id: UUID
    swapped: bool = False
