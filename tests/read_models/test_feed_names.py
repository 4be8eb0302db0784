"""The view of feeds' names and the list of fixtures, against what was said."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from msgspec.structs import replace

from adapters.postgres.build import Build
from adapters.postgres.reader import Reader
from adapters.postgres.schema import connect, digest
from adapters.postgres.snapshot_projection import PROJECTIONS
from domain.commands.feed_name import CandidateBody, CertainMatchBody, MatchFeedName, SeeFeedName
from domain.commands.market import FixtureBody, SelectionBody
from domain.events.feed_name import FixtureCandidate
from read_models import feed_names, fixtures
from tests.application.desk import Desk
from tests.builders import FIXTURE, OPERATOR, an_id, open_market
from tests.read_models.business import digests, follow, head

pytestmark = pytest.mark.anyio

ONE, OTHER = an_id("one"), an_id("other")


async def see(
    desk: Desk,
    day: int,
    feed: str = "betfair",
    candidates: tuple[CandidateBody, ...] = (),
    matched: CertainMatchBody | None = None,
) -> UUID:
    command = SeeFeedName(
        feed=feed,
        sport="football",
        competition="Premier League",
        name="Arsenal v Chelsea",
        starts_at=FIXTURE.starts_at + timedelta(days=day),
        candidates=candidates,
        matched=matched,
    )
    return UUID((await desk.ask(command, OPERATOR))["name_id"])


async def test_a_name_is_shown_as_it_was_last_seen_and_matched(
    desk: Desk, db: Reader, database_url: str
) -> None:
    name_id = await see(desk, 0)
    candidate = CandidateBody(fixture_id=OTHER, likeness=Decimal("0.712"), swapped=True)
    await see(desk, 0, candidates=(candidate,))
    follow(database_url)
    row = await feed_names.get(db, name_id)
    assert row is not None
    assert row.candidates == [FixtureCandidate(OTHER, Decimal("0.712"), swapped=True)]
    assert (row.feed, row.name, row.home, row.status) == (
        "betfair",
        "Arsenal v Chelsea",
        None,
        "unmatched",
    )
    assert (row.fixture_id, row.swapped, row.by, row.matched_at) == (None, False, None, None)
    await desk.ask(MatchFeedName(fixture_id=ONE), OPERATOR, target=name_id)
    last = await desk.ask(MatchFeedName(fixture_id=OTHER, swapped=True), OPERATOR, target=name_id)
    follow(database_url)
    row = await feed_names.get(db, name_id)
    assert row is not None
    assert (row.fixture_id, row.swapped, row.by) == (OTHER, True, "operator")
    assert (row.status, row.position) == ("matched", last["position"])
    assert row.matched_at is not None
    assert row.matched_at >= row.seen_at
    assert await feed_names.get(db, an_id("nobody")) is None


async def test_names_are_listed_by_feed_status_and_start(
    desk: Desk, db: Reader, database_url: str
) -> None:
    certain = CertainMatchBody(fixture_id=ONE, by="same_name")
    waiting = [await see(desk, day) for day in (3, 1, 2)]
    known = [await see(desk, day, matched=certain) for day in (5, 4)]
    other = await see(desk, 6, feed="pinnacle")
    follow(database_url)

    async def found(**filters: object) -> list[UUID]:
        page = await feed_names.page(db, **filters)  # type: ignore[arg-type]
        return [row.name_id for row in page.items]

    by_start = [waiting[1], waiting[2], waiting[0], known[1], known[0], other]
    assert await found() == by_start
    assert await found(feed="betfair") == by_start[:5]
    assert await found(status="unmatched") == [*by_start[:3], other]
    assert await found(status="matched") == by_start[3:5]
    assert await found(status="matched", feed="pinnacle") == []
    assert await found(starts_after=FIXTURE.starts_at + timedelta(days=3)) == by_start[3:]
    first = await feed_names.page(db, limit=4)
    second = await feed_names.page(db, limit=4, cursor=first.next_cursor)
    assert [row.name_id for row in (*first.items, *second.items)] == by_start
    assert second.next_cursor is None


async def test_it_does_not_matter_in_which_batch_a_name_is_matched(
    desk: Desk, database_url: str
) -> None:
    for day in range(6):
        name_id = await see(desk, day)
        candidate = CandidateBody(fixture_id=OTHER, likeness=Decimal(1))
        await see(desk, day, candidates=(candidate,) * (day % 2))
        if day % 3:
            await desk.ask(MatchFeedName(fixture_id=ONE), OPERATOR, target=name_id)
        if day % 3 == 2:
            await desk.ask(MatchFeedName(fixture_id=OTHER), OPERATOR, target=name_id)
    follow(database_url)
    end, names = head(database_url), PROJECTIONS["feed_names"]
    live = digests(database_url, ["feed_names"])["feed_names"]
    assert all(each.rows for each in live)
    for step in (1, 2, 5, end):
        with Build(database_url, [names], "split") as build:
            for position in range(step, end + step, step):
                build.advance({"feed_names": min(position, end)}, lambda *_: None)
            with connect(database_url) as connection:
                assert digest(connection, names, build.schema_of(names)) == live


async def test_fixtures_are_those_that_markets_are_on_each_once(
    desk: Desk, db: Reader, database_url: str
) -> None:
    async def fixture(name: str, day: int, sport: str = "football") -> UUID:
        body = FixtureBody(
            fixture_id=an_id(name),
            sport=sport,
            competition="Cup",
            name=name,
            starts_at=FIXTURE.starts_at + timedelta(days=day),
        )
        for change in ("", " again"):
            renamed = FixtureBody(
                fixture_id=body.fixture_id,
                sport=sport,
                competition=body.competition,
                name=name + change,
                starts_at=body.starts_at,
            )
            await desk.ask(replace(open_market(), fixture=renamed), OPERATOR)
        return an_id(name)

    late, early = await fixture("late", 3), await fixture("early", 1)
    other = await fixture("other", 2, "rugby")
    race = FixtureBody(
        fixture_id=an_id("race"),
        sport="racing",
        competition="Ascot",
        name="14:30 Ascot",
        starts_at=FIXTURE.starts_at,
    )
    field = [SelectionBody(selection_id=str(at), name=f"Horse {at}") for at in range(3)]
    opened = replace(open_market(), type="WIN", fixture=race, selections=field)
    await desk.ask(opened, OPERATOR)
    follow(database_url)

    async def found(**filters: object) -> list[UUID]:
        page = await fixtures.page(db, **filters)  # type: ignore[arg-type]
        assert all("again" not in row.name for row in page.items)
        return [row.fixture_id for row in page.items]

    by_start = [an_id("race"), early, other, late]
    assert await found() == by_start
    assert await found(sport="football") == [early, late]
    assert await found(starts_after=FIXTURE.starts_at + timedelta(days=1)) == [other, late]
    assert await found(starts_before=FIXTURE.starts_at + timedelta(days=2)) == by_start[:2]
    first = await fixtures.page(db, limit=2)
    second = await fixtures.page(db, limit=2, cursor=first.next_cursor)
    assert [row.fixture_id for row in (*first.items, *second.items)] == by_start
    assert first.items[0].runners == ["Horse 0", "Horse 1", "Horse 2"]
    assert second.items[0].runners == []
    assert await fixtures.exists(db, early)
    assert not await fixtures.exists(db, an_id("nobody"))
