"""Feeds' names over HTTP: reported, listed, confirmed by an operator."""

from typing import Any

import pytest

from tests.api.goldens import Golden
from tests.service import Client, Json, People, a_name, an_id, market_body


def sight(feed: str, **members: Any) -> Json:
    body = {
        "feed": feed,
        "sport": "soccer",
        "competition": "soccer_epl",
        "name": "Arsenal v Chelsea",
        "starts_at": "2030-03-02T15:00:00Z",
        "home": "Arsenal FC",
        "away": "Chelsea FC",
    }
    return body | members


def a_fixture(operator: Client) -> str:
    opened = operator.post("/v1/markets", market_body()).ok(201)
    operator.see(opened["position"])
    fixture_id: str = opened["fixture_id"]
    return fixture_id


def test_a_name_is_reported_listed_and_confirmed(people: People) -> None:
    operator, feed = people.operator, a_name("feed")
    golden = Golden(feed, "olga", "aud")
    fixture = a_fixture(operator)
    candidates = [{"fixture_id": fixture, "likeness": 0.712}]
    seen = golden.check(
        "feed_name_seen", operator.post("/v1/feed-names", sight(feed, candidates=candidates))
    )
    path = f"/v1/feed-names/{seen['name_id']}/match"
    golden.check(
        "feed_names_unmatched",
        operator.get("/v1/feed-names", feed=feed, status="unmatched", after=seen["position"]),
    )
    matched = golden.check("feed_name_matched", operator.post(path, {"fixture_id": fixture}))
    last = matched["position"]
    golden.check(
        "feed_names_matched",
        people.auditor.get("/v1/feed-names", feed=feed, status="matched", after=last),
    )
    waiting = operator.get("/v1/feed-names", feed=feed, status="unmatched", after=last).ok()
    assert waiting["items"] == []
    golden.check(
        "events_of_feed_name", people.auditor.get("/v1/audit/events", stream=seen["name_id"])
    )


def test_a_name_that_a_rule_has_matched_stays_so(operator: Client) -> None:
    feed, fixture = a_name("feed"), a_fixture(operator)
    matched = {"fixture_id": fixture, "by": "alias", "swapped": True}
    first = operator.post("/v1/feed-names", sight(feed, matched=matched)).ok(201)
    assert (first["status"], first["fixture_id"], first["by"]) == ("matched", fixture, "alias")
    other = matched | {"fixture_id": a_fixture(operator)}
    again = operator.post("/v1/feed-names", sight(feed, matched=other, home="ARSENAL")).ok(201)
    # The position is the log's: others write as well.
    assert again | {"position": 0} == first | {"position": 0}


def test_a_request_sent_again_gets_the_first_answer(operator: Client) -> None:
    body, key = sight(a_name("feed")), a_name("key").replace(" ", "-")
    first = operator.post("/v1/feed-names", body, key=key)
    again = operator.post("/v1/feed-names", body, key=key)
    assert again.is_replayed
    assert again.ok(201) == first.ok(201)


def test_a_name_is_matched_to_what_there_is(operator: Client) -> None:
    fixture = a_fixture(operator)
    seen = operator.post("/v1/feed-names", sight(a_name("feed"))).ok(201)
    path = f"/v1/feed-names/{seen['name_id']}/match"
    unknown = operator.post(path, {"fixture_id": an_id()}).problem(404, "fixture_not_found")
    assert unknown["errors"][0]["field"] == "fixture_id"
    nowhere = f"/v1/feed-names/{an_id()}/match"
    operator.post(nowhere, {"fixture_id": fixture}).problem(404, "feed_name_not_found")
    operator.post(path, {"fixture_id": fixture}).ok()


@pytest.mark.parametrize(
    "members",
    [
        {"starts_at": "0001-01-01T00:00:00+23:00"},
        {"starts_at": "9999-12-31T23:59:00-23:00"},
        {"candidates": [{"fixture_id": an_id(), "likeness": 1.001}]},
        {"candidates": [{"fixture_id": an_id(), "likeness": "0.5"}]},
        {"candidates": [{"fixture_id": an_id(), "likeness": 1e-99}]},
        {"candidates": [{"fixture_id": an_id(), "likeness": 0.5}] * 2},
        {"candidates": [{"fixture_id": an_id(), "likeness": 0.5}] * 11},
        {"matched": {"fixture_id": an_id(), "by": "operator"}},
        {"home": ""},
        {"feed": None},
        {"position": 1},
    ],
)
def test_a_sight_that_cannot_be_is_refused(operator: Client, members: Json) -> None:
    answer = operator.post("/v1/feed-names", sight(a_name("feed")) | members)
    assert answer.status in {400, 422}
    assert answer.fields, answer


def test_fixtures_are_listed_by_sport_and_start(operator: Client) -> None:
    sport = a_name("sport")
    fixtures = []
    for day in (3, 1, 2):
        body = market_body()
        body["fixture"] |= {"sport": sport, "starts_at": f"2031-01-0{day}T12:00:00Z"}
        opened = operator.post("/v1/markets", body).ok(201)
        fixtures.append(opened["fixture_id"])
        body["fixture"]["fixture_id"] = opened["fixture_id"]
        last = operator.post("/v1/markets", body | {"type": "ML"}).status
        assert last in {201, 422}
    after = operator.post("/v1/feed-names", sight(a_name("feed"))).ok(201)["position"]
    for limit in (1, 2, 500):
        shown = operator.pages("/v1/fixtures", limit, sport=sport, after=after)
        assert [each["fixture_id"] for each in shown] == [fixtures[1], fixtures[2], fixtures[0]]
    between = operator.get(
        "/v1/fixtures",
        sport=sport,
        starts_after="2031-01-01T12:00:00Z",
        starts_before="2031-01-03T12:00:00Z",
        after=after,
    ).ok()["items"]
    assert between == [
        {
            "fixture_id": fixtures[2],
            "sport": sport,
            "competition": "Premier League",
            "name": "Arsenal v Chelsea",
            "starts_at": "2031-01-02T12:00:00Z",
            "home": "Arsenal",
            "away": "Chelsea",
            "runners": [],
        }
    ]
    operator.get("/v1/fixtures", starts_before="soon").problem(422, "invalid_input")
