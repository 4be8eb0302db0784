"""Fixtures: what the markets are on, read from the view of markets. The first market of a fixture says what it is."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events.market import Fixture, Selection
from read_models.db import Db, Page, decode_cursor, page_of, query


class FixtureRow(Struct, frozen=True):
    """A fixture; `runners` are the names of its WIN market's selections, where it has one."""

    fixture_id: UUID
    sport: str
    competition: str
    name: str
    starts_at: datetime
    home: str | None
    away: str | None
    runners: list[str]


_SELECT = """
SELECT m.fixture_id, m.fixture::text,
       (SELECT w.selections::text FROM markets w WHERE w.fixture_id = m.fixture_id AND w.type = 'WIN'
        ORDER BY w.opened_at, w.market_id LIMIT 1)
FROM markets m"""
_FIRST = """m.fixture_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM markets o
    WHERE o.fixture_id = m.fixture_id AND (o.opened_at, o.market_id) < (m.opened_at, m.market_id))"""


async def exists(db: Db, fixture_id: UUID) -> bool:
    """Tell whether a market is on this fixture."""
    sql = query("SELECT 1 FROM markets m", ["m.fixture_id = %(fixture_id)s"], "LIMIT 1")
    return bool(await db.rows(sql, {"fixture_id": fixture_id}, int))


async def page(
    db: Db,
    sport: str | None = None,
    starts_after: datetime | None = None,
    starts_before: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[FixtureRow]:
    """Give the fixtures that match, in the order in which they start."""
    after = decode_cursor(cursor, tuple[datetime, UUID])
    if after and after[0].tzinfo is None:
        after = (after[0].replace(tzinfo=UTC), after[1])
    where = [_FIRST]
    if sport is not None:
        where.append("m.sport = %(sport)s")
    if starts_after is not None:
        where.append("m.starts_at > %(starts_after)s")
    if starts_before is not None:
        where.append("m.starts_at < %(starts_before)s")
    if after:
        where.append("(m.starts_at, m.fixture_id) > (%(start)s, %(fixture_id)s)")
    sql = query(_SELECT, where, "ORDER BY m.starts_at, m.fixture_id LIMIT %(limit)s")
    parameters = {
        "sport": sport,
        "starts_after": starts_after,
        "starts_before": starts_before,
        "start": after and after[0],
        "fixture_id": after and after[1],
        "limit": limit + 1,
    }
    rows = await db.rows(sql, parameters, _row)
    return page_of(rows, limit, lambda row: (row.starts_at, row.fixture_id.bytes))


def _row(fixture_id: UUID, text: str, selections: str | None) -> FixtureRow:
    fixture = msgspec.json.decode(text, type=Fixture)
    runners = msgspec.json.decode(selections, type=list[Selection]) if selections else []
    return FixtureRow(
        fixture_id,
        fixture.sport,
        fixture.competition,
        fixture.name,
        fixture.starts_at,
        fixture.home,
        fixture.away,
        [runner.name for runner in runners],
    )
