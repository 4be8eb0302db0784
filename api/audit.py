"""For auditors: every event in order, and the books in balance."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from api.auth import only
from api.desk import After, Desk
from api.problems import responses
from api.times import AsOf, moment
from application.facts import fact_line
from read_models import journal
from read_models.journal import TrialBalance

EVENTS_MAX = 10_000_000


@get(
    "/audit/events",
    opt=only("auditor"),
    media_type="application/x-ndjson",
    responses=responses(422),
)
async def read_events(
    desk: NamedDependency[Desk],
    after: Annotated[int, QueryParameter(ge=0, le=2**62)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=EVENTS_MAX)] = EVENTS_MAX,
    stream: FromQuery[UUID | None] = None,
) -> Stream:
    """Stream events after a position as NDJSON, one line an event."""
    events = desk.feed.events(after, stream, limit)
    # Before the answer begins: what fails now is still a problem with its status.
    first = await anext(events, None)

    async def lines() -> AsyncIterator[bytes]:
        pending = [] if first is None else [fact_line(first)]
        async for recorded in events:
            pending.append(fact_line(recorded))
            if len(pending) >= 256:  # noqa: PLR2004  few enough to hold, enough to fill packets
                yield b"\n".join([*pending, b""])
                pending.clear()
        yield b"\n".join([*pending, b""])

    return Stream(lines, media_type="application/x-ndjson")


@get("/audit/trial-balance", opt=only("auditor", "operator"), responses=responses(422))
async def read_trial_balance(
    desk: NamedDependency[Desk], as_of: AsOf = None, after: After = None
) -> TrialBalance:
    """Read the balance of every book; the sum is zero in each currency."""
    await desk.fresh("journal", after)
    return await journal.trial_balance(desk.db, None if as_of is None else moment(as_of))


ROUTES = [read_events, read_trial_balance]
