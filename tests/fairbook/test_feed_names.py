"""The names of one feed's events, asked of a real service: what an operator says while the feed runs is noticed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.embedded.supervisor import EmbeddedServers
from application.fixture_names import ASK_AGAIN_SECONDS, FixtureNames
from domain.quotes import FeedEvent
from fairbook.client import LedgerClient
from fairbook.feed_desk import FeedDesk
from tests.adapters.feeds.clock import HandClock
from tests.service import Client, Json, Service, a_service, token, until

START = datetime(2027, 5, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def service(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with a_service(tmp_path_factory.mktemp("names"), servers) as running:
        yield running


def an_event(feed: str, home: str, away: str, days: int = 0) -> FeedEvent:
    return FeedEvent(
        feed=feed,
        event_id=f"{home} {days}",
        sport="football",
        competition="Cup",
        name=f"{home} v {away}",
        starts_at=START + timedelta(days=days),
        home=home,
        away=away,
    )


def a_fixture(desk: Client, home: str, away: str) -> str:
    """Open a market on a match that starts at START, and give its fixture."""
    fixture = {
        "sport": "football",
        "competition": "Cup",
        "name": f"{home} v {away}",
        "starts_at": START.isoformat(),
        "home": home,
        "away": away,
    }
    market_id = desk.market(fixture=fixture)
    until(lambda: desk.get(f"/v1/markets/{market_id}").status == 200)
    fixture_id: str = desk.get(f"/v1/markets/{market_id}").ok()["fixture"]["fixture_id"]
    return fixture_id


@pytest.mark.anyio
async def test_an_operators_word_and_a_later_one_are_noticed_while_the_feed_runs(
    service: Service,
) -> None:
    desk = Client(service.url, token("operator", "ann"))
    first = a_fixture(desk, "Kelvinside Rangers", "Paisley Rovers")
    second = a_fixture(desk, "Duntocher Hibernian", "Renton Academicals")

    def say(fixture_id: str) -> None:
        [name] = [each for each in said() if each["home"] == "Kelvinside Rangers"]
        desk.post(f"/v1/feed-names/{name['name_id']}/match", {"fixture_id": fixture_id}).ok()
        until(lambda: fixture_id in {each["fixture_id"] for each in said()})

    def said() -> list[Json]:
        items: list[Json] = desk.get("/v1/feed-names", feed="a-feed").ok()["items"]
        return items

    clock = HandClock()
    moved = an_event("a-feed", "Kelvinside Rangers", "Paisley Rovers", days=4)
    async with LedgerClient(service.url, token("operator", "feed")) as client:
        names = FixtureNames("a-feed", FeedDesk(client), clock)
        assert await names.fixture_of(moved) is None
        assert [each.home for each in names.unmatched.values()] == ["Kelvinside Rangers"]
        until(lambda: len(said()) == 1)
        say(first)
        assert await names.fixture_of(moved) is None  # it was asked a moment ago
        clock.turn(ASK_AGAIN_SECONDS)
        found = await names.fixture_of(moved)
        assert found is not None
        assert str(found.fixture.fixture_id) == first
        assert not names.unmatched

        say(second)
        clock.turn(ASK_AGAIN_SECONDS)
        begun = await names.fixture_of(an_event("a-feed", "Newcomers", "Latecomers"))
        assert begun is not None
        assert begun.begun
        found = await names.fixture_of(moved)
        assert found is not None
        assert str(found.fixture.fixture_id) == second
    desk.close()
