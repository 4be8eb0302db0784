"""What feeds call fixtures, through the ledger."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.commands.feed_name import CandidateBody, CertainMatchBody, MatchFeedName, SeeFeedName
from domain.events.feed_name import FeedNameMatched, FeedNameSeen
from domain.refusals import FeedNameNotFound, InvalidInput
from tests.application.desk import Answer, Desk, a_desk, read_log
from tests.builders import FIXTURE, OPERATOR, an_id

pytestmark = pytest.mark.anyio

ONE, OTHER = an_id("one"), an_id("other")


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with a_desk(database_url) as running:
        yield running


def a_sight(**members: Any) -> SeeFeedName:
    body: dict[str, Any] = {
        "feed": "betfair",
        "sport": "football",
        "competition": "Premier League",
        "name": "Arsenal v Chelsea",
        "starts_at": FIXTURE.starts_at,
        "home": "Arsenal",
        "away": "Chelsea",
    }
    return SeeFeedName(**(body | members))


async def see(desk: Desk, **members: Any) -> Answer:
    return await desk.ask(a_sight(**members), OPERATOR)


async def test_a_name_is_seen_once(desk: Desk, database_url: str) -> None:
    candidates = (CandidateBody(fixture_id=ONE, likeness=Decimal("0.712"), swapped=True),)
    first = await see(desk, candidates=candidates)
    assert first == {
        "name_id": first["name_id"],
        "status": "unmatched",
        "fixture_id": None,
        "swapped": False,
        "by": None,
        "position": 1,
    }
    assert await see(desk, candidates=candidates, home="ARSENAL F.C.") == first
    again = await see(desk)
    assert again["name_id"] == first["name_id"]
    log = read_log(database_url)
    assert [type(each.event) for each in log.events] == [FeedNameSeen, FeedNameSeen]
    assert {each.stream_id for each in log.events} == {UUID(first["name_id"])}


async def test_a_match_by_a_rule_says_which(desk: Desk, database_url: str) -> None:
    matched = CertainMatchBody(fixture_id=ONE, by="alias", swapped=True)
    answer = await see(desk, matched=matched)
    assert (answer["status"], answer["fixture_id"]) == ("matched", str(ONE))
    assert (answer["by"], answer["swapped"], answer["position"]) == ("alias", True, 2)
    assert await see(desk, matched=CertainMatchBody(fixture_id=OTHER, by="likeness")) == answer
    seen, match = read_log(database_url).events
    assert seen.command_id == match.command_id
    assert match.event == FeedNameMatched(fixture_id=ONE, by="alias", swapped=True)


async def test_an_operator_matches_and_corrects(desk: Desk, database_url: str) -> None:
    name_id = UUID((await see(desk))["name_id"])
    for fixture_id in (ONE, OTHER, OTHER):
        command = MatchFeedName(fixture_id=fixture_id)
        answer = await desk.ask(command, OPERATOR, target=name_id)
        assert (answer["fixture_id"], answer["by"]) == (str(fixture_id), "operator")
    found = await see(desk, matched=CertainMatchBody(fixture_id=ONE, by="same_name"))
    assert found["fixture_id"] == str(OTHER)
    assert len(read_log(database_url).of(FeedNameMatched)) == 2


async def test_what_was_never_seen_is_matched_to_nothing(desk: Desk, database_url: str) -> None:
    market_id = await desk.market()
    for target in (an_id("nobody"), market_id):
        with pytest.raises(FeedNameNotFound):
            await desk.ask(MatchFeedName(fixture_id=ONE), OPERATOR, target=target)
    with pytest.raises(InvalidInput):
        await see(desk, starts_at=FIXTURE.starts_at.replace(year=1))
    assert len(read_log(database_url).events) == 1


async def test_many_sights_at_once_begin_one_stream(desk: Desk, database_url: str) -> None:
    answers = await asyncio.gather(*(see(desk) for _ in range(20)))
    assert len({each["name_id"] for each in answers}) == 1
    assert len(read_log(database_url).events) == 1


async def test_names_survive_a_restart(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        first = await see(desk, matched=CertainMatchBody(fixture_id=ONE, by="alias"))
    async with a_desk(database_url) as desk:
        assert await see(desk) == first
