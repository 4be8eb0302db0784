"""Decisions about what feeds call fixtures."""

from uuid import UUID

from application import answers
from application.answers import Answer
from application.decisions.context import Context
from domain.commands.feed_name import MatchFeedName, SeeFeedName
from domain.events.feed_name import FeedNameMatched, FeedNameSeen, FixtureCandidate
from domain.feed_name import FeedName, FeedNameEvent, check_seen, name_id_of
from domain.refusals import FeedNameNotFound


def seen_of(command: SeeFeedName) -> FeedNameSeen:
    """Give the sight that a command reports."""
    return FeedNameSeen(
        feed=command.feed,
        sport=command.sport,
        competition=command.competition,
        name=command.name,
        starts_at=command.starts_at,
        home=command.home,
        away=command.away,
        candidates=tuple(
            FixtureCandidate(each.fixture_id, each.likeness, each.swapped)
            for each in command.candidates
        ),
    )


def stream_of_name(command: SeeFeedName) -> UUID:
    """Give the stream of the name that a command reports."""
    return name_id_of(seen_of(command))


def see_feed_name(command: SeeFeedName, ctx: Context) -> Answer:
    """Keep a sight of a feed's name, and its match if a rule gave one; the same sight again changes nothing."""
    seen = seen_of(command)
    check_seen(seen)
    name_id = name_id_of(seen)
    found = command.matched
    matched = (
        FeedNameMatched(fixture_id=found.fixture_id, by=found.by, swapped=found.swapped)
        if found
        else None
    )
    state = ctx.book.get(name_id)
    if not isinstance(state, FeedName):
        state = _recorded(ctx, name_id, seen)
        event: FeedNameEvent | None = matched
    else:
        event = state.see(seen, matched)
    if event is not None:
        state = _recorded(ctx, name_id, event)
    return _answer(state, ctx)


def match_feed_name(command: MatchFeedName, ctx: Context) -> Answer:
    """Take an operator's word on which fixture the target name means."""
    state = ctx.find(FeedName, ctx.target, FeedNameNotFound)
    event = state.match(command.fixture_id, swapped=command.swapped)
    if event is not None:
        state = _recorded(ctx, state.name_id, event)
    return _answer(state, ctx)


def _recorded(ctx: Context, name_id: UUID, event: FeedNameEvent) -> FeedName:
    state = ctx.book.record(name_id, event)
    assert isinstance(state, FeedName)
    return state


def _answer(state: FeedName, ctx: Context) -> Answer:
    return answers.NameSeen(
        state.name_id,
        state.status,
        state.fixture_id,
        state.swapped,
        state.by,
        ctx.book.position,
    )
