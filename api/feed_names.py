"""What feeds call fixtures: what was seen, what it was matched to, and an operator's word; and the fixtures themselves."""

from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from api.auth import only
from api.desk import After, Asked, Cursor, Desk, Key, Limit
from api.problems import responses, responses_to_body
from api.times import StartsAfter, instant
from application.answers import NameSeen
from domain.commands.feed_name import MatchFeedName, SeeFeedName
from domain.feed_name import NameStatus
from domain.refusals import FixtureNotFound
from read_models import feed_names, fixtures
from read_models.db import Page
from read_models.feed_names import FeedNameRow
from read_models.fixtures import FixtureRow


@post("/feed-names", opt=only("operator"), responses=responses_to_body(409, 422))
async def see_feed_name(
    request: Asked, data: JSONBody[SeeFeedName], desk: NamedDependency[Desk], key: Key = None
) -> Response[NameSeen]:
    """Report an event of a feed; the answer tells the fixture that it means, if that is known."""
    return await desk.command(request, data, key, NameSeen)


@post(
    "/feed-names/{name_id:uuid}/match",
    status_code=200,
    opt=only("operator"),
    responses=responses_to_body(404, 409, 422),
)
async def match_feed_name(
    request: Asked,
    name_id: FromPath[UUID],
    data: JSONBody[MatchFeedName],
    desk: NamedDependency[Desk],
    key: Key = None,
    after: After = None,
) -> Response[NameSeen]:
    """Say which fixture a feed's name means; `swapped` when the feed names its sides in reverse."""
    # Fixtures live in markets, which the write path finds by their own ids alone: the view of markets knows them.
    await desk.fresh("markets", after)
    if not await fixtures.exists(desk.db, data.fixture_id):
        raise FixtureNotFound(f"no market is on fixture {data.fixture_id}", field="fixture_id")
    return await desk.command(request, data, key, NameSeen, target=name_id, status=200)


@get("/feed-names", opt=only("operator", "auditor"), responses=responses(422))
async def list_feed_names(
    desk: NamedDependency[Desk],
    feed: FromQuery[str | None] = None,
    status: FromQuery[NameStatus | None] = None,
    starts_after: StartsAfter = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[FeedNameRow]:
    """List what feeds call fixtures, by the start of what they name; `unmatched` ones wait for an operator."""
    await desk.fresh("feed_names", after)
    return await feed_names.page(
        desk.db, feed, status, instant(starts_after, "starts_after"), limit, cursor
    )


@get("/fixtures", responses=responses(422))
async def list_fixtures(
    desk: NamedDependency[Desk],
    sport: FromQuery[str | None] = None,
    starts_after: StartsAfter = None,
    starts_before: StartsAfter = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    after: After = None,
) -> Page[FixtureRow]:
    """List the fixtures that markets are on, by their start."""
    await desk.fresh("markets", after)
    return await fixtures.page(
        desk.db,
        sport,
        instant(starts_after, "starts_after"),
        instant(starts_before, "starts_before"),
        limit,
        cursor,
    )


ROUTES = [see_feed_name, match_feed_name, list_feed_names, list_fixtures]
