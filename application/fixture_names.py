"""Which fixture a feed's event is, asked of the ledger: what is certain is matched, what is new is begun, the rest waits.

The rules are `domain.matching`'s. What they decide is reported to the ledger, whose answer counts: an operator may have
said otherwise.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Final, Protocol
from uuid import UUID, uuid5

from msgspec import Struct

from application.feeds import Clock
from domain.commands.feed_name import CandidateBody, CertainMatchBody, SeeFeedName
from domain.events.feed_name import MatchRule
from domain.events.market import Fixture
from domain.fixtures import Fixtures, key_of
from domain.matching import MOVED, Confirmations, Confirmed, Match, resolve
from domain.quotes import FeedEvent

# A constant of the fixtures' identity: another value would begin every fixture a second time.
NAMESPACE: Final = UUID("0b6e3a52-6f0e-5d0b-8a57-4c1f8f0a9d21")

FRESH_SECONDS: Final = 1.0
"""For so long nobody else is expected to have begun a fixture: two feeds that do so at once begin two."""
ASK_AGAIN_SECONDS: Final = 30.0
"""How soon an operator's word is noticed."""
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class KnownFixture(Struct, frozen=True):
    """A fixture of the ledger; `runners` are the names of a race's."""

    fixture: Fixture
    runners: tuple[str, ...] = ()


class Found(Struct, frozen=True):
    """The fixture that an event is; `begun` when it is new to the ledger, `swapped` when the feed names its sides in reverse."""

    fixture: Fixture
    swapped: bool = False
    begun: bool = False


class Sight(Struct, frozen=True):
    """What the ledger says to a report: the fixture that the name means, None while nobody knows."""

    fixture_id: UUID | None
    swapped: bool


class DeskAway(Exception):  # noqa: N818  what happened, not a fault of the caller
    """The ledger stays away; what was asked may be asked again later."""


class NameDesk(Protocol):
    """Where names and fixtures are kept. Every method raises DeskAway while the ledger stays away."""

    async def fixtures(
        self, starts_after: datetime, starts_before: datetime
    ) -> Sequence[KnownFixture]:
        """Give the fixtures that start in between."""
        ...

    async def fixture(self, fixture_id: UUID) -> Fixture | None:
        """Give one fixture."""
        ...

    async def confirmed(self, feed: str) -> Sequence[Confirmed]:
        """Give what was said of this feed's names."""
        ...

    async def see(self, sight: SeeFeedName) -> Sight:
        """Report a feed's name."""
        ...


class FixtureNames:
    """Finds the fixtures of one feed's events, and remembers them."""

    def __init__(self, feed: str, desk: NameDesk, clock: Clock) -> None:
        """Begin with nothing known."""
        self.unmatched: dict[str, FeedEvent] = {}
        """Events without a fixture by their key, for who wants to say which they are."""
        self.begun = 0
        """How many fixtures were new to the ledger."""
        self._feed = feed
        self._desk = desk
        self._clock = clock
        self._found: dict[tuple[str, str], Found] = {}
        self._asked_at: dict[tuple[str, str], float] = {}
        self._read_at: dict[int, float] = {}
        self._known: dict[UUID, KnownFixture] = {}
        self._fixtures = Fixtures(())
        self._said: list[Confirmed] = []
        self._heard_at = -inf
        self._confirmations: Confirmations | None = None

    async def fixture_of(self, event: FeedEvent, runners: Collection[str] = ()) -> Found | None:
        """Give the fixture of an event; None while it is not certain, which is then an operator's to say."""
        key = event.event_id, key_of(event)
        found = self._found.get(key)
        if found is not None:
            return found
        now = self._clock.monotonic()
        asked_at = self._asked_at.get(key)
        if asked_at is not None and now - asked_at < ASK_AGAIN_SECONDS:
            return None
        found = await self._look(event, runners)
        self._asked_at[key] = now
        if found is None:
            self.unmatched[" ".join(key)] = event
            return None
        self.unmatched.pop(" ".join(key), None)
        self._found[key] = found
        return found

    async def _look(self, event: FeedEvent, runners: Collection[str]) -> Found | None:
        await self._hear()
        await self._read_near(event.starts_at)
        if self._confirmations is None:
            self._confirmations = Confirmations(self._said, self._fixtures)
        outcome = resolve(event, self._fixtures, self._confirmations, runners)
        if isinstance(outcome, Match):
            fixture_id = outcome.fixture.fixture_id
            assert fixture_id is not None
            matched = CertainMatchBody(
                fixture_id=fixture_id, by=_rule(outcome), swapped=outcome.swapped
            )
            sight = await self._desk.see(_seen(event, matched=matched))
        elif outcome.candidates:
            candidates = tuple(
                CandidateBody(
                    fixture_id=each.fixture_id, likeness=each.likeness, swapped=each.swapped
                )
                for each in outcome.candidates
            )
            sight = await self._desk.see(_seen(event, candidates=candidates))
        else:
            return await self._begin(event, tuple(runners))
        return await self._as_said(sight)

    async def _as_said(self, sight: Sight) -> Found | None:
        if sight.fixture_id is None:
            return None
        known = self._fixtures.by_id.get(sight.fixture_id)
        fixture = known or await self._desk.fixture(sight.fixture_id)
        return None if fixture is None else Found(fixture, sight.swapped)

    async def _begin(self, event: FeedEvent, runners: tuple[str, ...]) -> Found | None:
        """Begin a fixture under an id that every feed which spells it so would choose too."""
        fixture = Fixture(
            sport=event.sport,
            competition=event.competition,
            name=event.name,
            starts_at=event.starts_at,
            fixture_id=uuid5(NAMESPACE, key_of(event)),
            home=event.home,
            away=event.away,
        )
        assert fixture.fixture_id is not None
        matched = CertainMatchBody(fixture_id=fixture.fixture_id, by="same_name")
        sight = await self._desk.see(_seen(event, matched=matched))
        if sight.fixture_id != fixture.fixture_id:
            return await self._as_said(sight)
        self._add(KnownFixture(fixture, runners))
        self.begun += 1
        return Found(fixture, begun=True)

    async def _hear(self) -> None:
        """Read now and then what was said of names; what an operator says otherwise now is looked at again."""
        now = self._clock.monotonic()
        if now - self._heard_at < ASK_AGAIN_SECONDS:
            return
        said = list(await self._desk.confirmed(self._feed))
        self._heard_at = now
        if said == self._said:
            return
        self._said, self._confirmations = said, None
        words = {
            key_of(each.event): (each.fixture_id, each.swapped)
            for each in said
            if each.by == "operator"
        }
        for (event_id, name), found in list(self._found.items()):
            meant = found.fixture.fixture_id, found.swapped
            if words.get(name, meant) != meant:
                del self._found[event_id, name]
                self._asked_at.pop((event_id, name), None)

    async def _read_near(self, start: datetime) -> None:
        """Read the fixtures that start as near as the rules may look, again when they may be out of date."""
        now = self._clock.monotonic()
        middle = _period(start)
        for number in range(middle - 1, middle + 2):
            if now - self._read_at.get(number, -inf) <= FRESH_SECONDS:
                continue
            begins_at = EPOCH + number * MOVED
            # What this process began may not be in the view yet: it is kept.
            for each in await self._desk.fixtures(begins_at - _INSTANT, begins_at + MOVED):
                self._add(each)
            self._read_at[number] = now

    def _add(self, each: KnownFixture) -> None:
        """Take a fixture into the index, which is made anew only when one that is known has changed."""
        fixture_id = each.fixture.fixture_id
        assert fixture_id is not None
        before = self._known.get(fixture_id)
        if before is not None and _same(before, each):
            return
        self._known[fixture_id] = each
        if before is None:
            self._fixtures.add(each.fixture, each.runners)
        else:
            self._fixtures = Fixtures(
                (known.fixture for known in self._known.values()),
                {known: of.runners for known, of in self._known.items()},
            )
        if before is not None or any(said.fixture_id == fixture_id for said in self._said):
            self._confirmations = None


_INSTANT: Final = timedelta(microseconds=1)


def _same(one: KnownFixture, other: KnownFixture) -> bool:
    return one.fixture == other.fixture and set(one.runners) == set(other.runners)


def _period(start: datetime) -> int:
    return (start - EPOCH) // MOVED


def _rule(match: Match) -> MatchRule:
    # What an operator said is known to the ledger, which says so again; a rule is asked for all the same.
    return "alias" if match.by == "operator" else match.by


def _seen(
    event: FeedEvent,
    *,
    matched: CertainMatchBody | None = None,
    candidates: tuple[CandidateBody, ...] = (),
) -> SeeFeedName:
    return SeeFeedName(
        feed=event.feed,
        sport=event.sport,
        competition=event.competition,
        name=event.name,
        starts_at=event.starts_at,
        home=event.home,
        away=event.away,
        matched=matched,
        candidates=candidates,
    )
