"""What feeds call fixtures: one row a name, matched or waiting for an operator."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events.feed_name import FeedNameMatched, FeedNameSeen, FixtureCandidate, MatchedBy
from domain.feed_name import NameStatus
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import Batch, Change, Projection, StreamKey, columns, over


class FeedNameRow(Struct, frozen=True):
    """A feed's name; `candidates` come best first, `by` tells who or what matched it, `position` is that of its last event."""

    name_id: UUID
    feed: str
    sport: str
    competition: str
    name: str
    starts_at: datetime
    home: str | None
    away: str | None
    candidates: list[FixtureCandidate]
    status: NameStatus
    fixture_id: UUID | None
    swapped: bool
    by: MatchedBy | None
    seen_at: datetime
    matched_at: datetime | None
    position: int


_SELECT = """
SELECT n.name_id, n.feed, n.sport, n.competition, n.name, n.starts_at, n.home, n.away, n.candidates::text,
       n.fixture_id, n.swapped, n.matched_by, n.seen_at, n.matched_at, n.position
FROM feed_names n"""


async def get(db: Db, name_id: UUID) -> FeedNameRow | None:
    """Give a name, None when there is no such name."""
    sql = query(_SELECT, ["n.name_id = %(name_id)s"], "")
    found = await db.rows(sql, {"name_id": name_id}, _row)
    return found[0] if found else None


async def page(
    db: Db,
    feed: str | None = None,
    status: NameStatus | None = None,
    starts_after: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[FeedNameRow]:
    """Give the names that match, in the order in which what they name starts."""
    after = decode_cursor(cursor, tuple[datetime, UUID])
    if after and after[0].tzinfo is None:
        after = (after[0].replace(tzinfo=UTC), after[1])
    where = ["true"]
    if feed is not None:
        where.append("n.feed = %(feed)s")
    if status is not None:
        where.append(f"n.fixture_id IS {'NOT ' if status == 'matched' else ''}NULL")
    if starts_after is not None:
        where.append("n.starts_at > %(starts_after)s")
    if after:
        where.append("(n.starts_at, n.name_id) > (%(start)s, %(name_id)s)")
    sql = query(_SELECT, where, "ORDER BY n.starts_at, n.name_id LIMIT %(limit)s")
    parameters = {
        "feed": feed,
        "starts_after": starts_after,
        "start": after and after[0],
        "name_id": after and after[1],
        "limit": limit + 1,
    }
    rows = await db.rows(sql, parameters, _row)
    return page_of(rows, limit, lambda row: (row.starts_at, row.name_id.bytes))


def _row(  # the columns of _SELECT
    name_id: UUID,
    feed: str,
    sport: str,
    competition: str,
    name: str,
    starts_at: datetime,
    home: str | None,
    away: str | None,
    candidates: str,
    fixture_id: UUID | None,
    swapped: bool,  # noqa: FBT001  a column
    matched_by: MatchedBy | None,
    seen_at: datetime,
    matched_at: datetime | None,
    position: int,
) -> FeedNameRow:
    return FeedNameRow(
        name_id,
        feed,
        sport,
        competition,
        name,
        starts_at,
        home,
        away,
        msgspec.json.decode(candidates, type=list[FixtureCandidate]),
        "unmatched" if fixture_id is None else "matched",
        fixture_id,
        swapped,
        matched_by,
        seen_at,
        matched_at,
        position,
    )


# ---- projection

_CREATE = """
CREATE TABLE feed_names (
    name_id uuid PRIMARY KEY, feed text NOT NULL, sport text NOT NULL, competition text NOT NULL, name text NOT NULL,
    starts_at timestamptz NOT NULL, home text, away text, candidates json NOT NULL, fixture_id uuid,
    swapped boolean NOT NULL, matched_by text, seen_at timestamptz NOT NULL, matched_at timestamptz,
    position bigint NOT NULL
) WITH (fillfactor = 80)"""

_INDEX = """
CREATE INDEX ON feed_names (starts_at, name_id);
CREATE INDEX ON feed_names (feed, starts_at, name_id);
CREATE INDEX ON feed_names (starts_at, name_id) WHERE fixture_id IS NULL"""

_SEE = over(
    """
    INSERT INTO feed_names AS n (name_id, feed, sport, competition, name, starts_at, home, away, candidates, swapped,
                                 seen_at, position)
    SELECT e.a, e.b, e.c, e.d, e.e, e.f, e.g, e.h, e.i::json, false, e.j, e.k
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k)
    ON CONFLICT (name_id) DO UPDATE SET
        feed = excluded.feed, sport = excluded.sport, competition = excluded.competition, name = excluded.name,
        starts_at = excluded.starts_at, home = excluded.home, away = excluded.away, candidates = excluded.candidates,
        seen_at = excluded.seen_at, position = excluded.position""",
    *("uuid", "text", "text", "text", "text", "timestamptz", "text", "text", "text"),
    *("timestamptz", "bigint"),
)
_MATCH = over(
    """
    UPDATE feed_names n SET
        fixture_id = e.fixture_id, swapped = e.swapped, matched_by = e.matched_by, matched_at = e.matched_at,
        position = e.position
    FROM {} AS e(name_id, fixture_id, swapped, matched_by, matched_at, position) WHERE n.name_id = e.name_id""",
    *("uuid", "uuid", "boolean", "text", "timestamptz", "bigint"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    # The last sight and the last match of each name; a name is matched after it was seen, and seldom seen again.
    seen: dict[StreamKey, tuple[Any, ...]] = {}
    for recorded in batch.of(FeedNameSeen):
        event = cast("FeedNameSeen", recorded.event)
        seen[recorded.stream_id.int] = (
            recorded.stream_id,
            event.feed,
            event.sport,
            event.competition,
            event.name,
            event.starts_at,
            event.home,
            event.away,
            msgspec.json.encode(event.candidates).decode(),
            recorded.at,
            recorded.position,
        )
    if seen:
        yield _SEE, columns(seen.values())
    matched: dict[StreamKey, tuple[Any, ...]] = {}
    for recorded in batch.of(FeedNameMatched):
        match = cast("FeedNameMatched", recorded.event)
        matched[recorded.stream_id.int] = (
            recorded.stream_id,
            match.fixture_id,
            match.swapped,
            match.by,
            recorded.at,
            recorded.position,
        )
    if matched:
        yield _MATCH, columns(matched.values())


PROJECTION = Projection(
    name="feed_names",
    tables=("feed_names",),
    create=_CREATE,
    index=_INDEX,
    follows=(FeedNameSeen, FeedNameMatched),
    changes=_changes,
)
