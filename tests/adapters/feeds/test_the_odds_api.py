import asyncio
import contextlib
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.provider import Provider
from adapters.feeds.the_odds_api import (
    Quota,
    RecordedTheOddsApiFeed,
    Subscription,
    TheOddsApiFeed,
)
from adapters.feeds.the_odds_api_reader import TheOddsApiReader
from application.feeds import FeedDenied, FeedHealth
from domain.quotes import QuoteBatch
from tests.adapters.feeds.clock import BEGINNING, HandClock
from tests.adapters.feeds.provider_server import ProviderServer, answers, provider_server

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[3] / "../shared/data"))
RECORDED = DATA / "odds" / "the_odds_api_v4_soccer.json"
MINUTE = "2026-06-12T11:59:00Z"
LATER = "2026-06-12T11:59:30Z"

Json = dict[str, Any]


def outcome(name: str, price: Any, point: Any = None) -> Json:
    return {"name": name, "price": price, **({} if point is None else {"point": point})}


def market(key: str, *outcomes: Any, at: str | None = MINUTE) -> Json:
    return {"key": key, "outcomes": list(outcomes), **({} if at is None else {"last_update": at})}


def match(*markets: Json, sport: str = "soccer_epl", key: str = "onexbet", **more: Any) -> Json:
    return {
        "id": "abc",
        "sport_key": sport,
        "sport_title": "EPL",
        "commence_time": "2026-06-12T19:00:00Z",
        "home_team": "Reds",
        "away_team": "Blues",
        "bookmakers": [
            {"key": key, "title": "1xBet", "last_update": MINUTE, "markets": list(markets)}
        ],
        **more,
    }


H2H = market("h2h", outcome("Blues", 3.6), outcome("Reds", 2.05), outcome("Draw", 3.4))


def reader() -> tuple[TheOddsApiReader, FeedHealth]:
    health = FeedHealth("the-odds-api")
    return TheOddsApiReader(health, HandClock()), health


def taken(read: TheOddsApiReader, *matches: Any) -> list[QuoteBatch]:
    return read.take(msgspec.json.encode(list(matches)))


def said(batch: QuoteBatch) -> dict[tuple[str, str], str]:
    return {(each.selection_id, each.side): str(each.odds) for each in batch.quotes}


def test_a_match_is_read_with_canonical_ids() -> None:
    read, health = reader()
    [batch] = taken(read, match(H2H))
    assert said(batch) == {
        ("away", "back"): "3.6",
        ("home", "back"): "2.05",
        ("draw", "back"): "3.4",
    }
    assert (batch.bookmaker, batch.type, batch.at) == (
        "onexbet",
        "1X2",
        datetime(2026, 6, 12, 11, 59, tzinfo=UTC),
    )
    event = batch.event
    assert (event.sport, event.competition, event.event_id) == ("football", "EPL", "abc")
    assert (event.name, event.home, event.away) == ("Reds v Blues", "Reds", "Blues")
    assert health.rejections.total == 0


def test_lay_prices_are_in_the_same_market_as_what_they_lay() -> None:
    read, _ = reader()
    [batch] = taken(read, match(H2H, market("h2h_lay", outcome("Reds", 2.1), at=LATER)))
    assert said(batch)["home", "lay"] == "2.1"
    assert len(batch.quotes) == 4
    assert batch.at == datetime(2026, 6, 12, 11, 59, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sport", "names", "expected"),
    [
        ("tennis_atp", ["Reds", "Blues"], "ML"),
        ("icehockey_nhl", ["Reds", "Blues", "Draw"], "1X2"),
        ("soccer_epl", ["Reds", "Blues"], "1X2"),
    ],
)
def test_a_result_is_two_way_or_three_way_by_its_draw_and_football_always_has_one(
    sport: str, names: list[str], expected: str
) -> None:
    read, _ = reader()
    [batch] = taken(read, match(market("h2h", *(outcome(name, 2) for name in names)), sport=sport))
    assert batch.type == expected


def test_spreads_and_totals_have_a_market_for_each_point() -> None:
    read, health = reader()
    batches = taken(
        read,
        match(
            market("spreads", outcome("Reds", 1.9, -0.5), outcome("Blues", 2.0, 0.5)),
            market("alternate_spreads", outcome("Blues", 1.5, 1.25), outcome("Reds", 2.9, -1.25)),
            market("totals", outcome("Over", 1.9, 2.5), outcome("Under", 1.95, 2.5)),
            market("btts", outcome("Yes", 1.8), outcome("No", 2)),
        ),
    )
    assert {(batch.type, str(batch.line)): list(said(batch)) for batch in batches} == {
        ("AH", "-0.5"): [("home", "back"), ("away", "back")],
        ("AH", "-1.25"): [("away", "back"), ("home", "back")],
        ("OU", "2.5"): [("over", "back"), ("under", "back")],
        ("BTTS", "None"): [("yes", "back"), ("no", "back")],
    }
    assert health.rejections.total == 0


def test_what_is_not_newer_is_not_said_again() -> None:
    read, health = reader()
    assert taken(read, match(H2H))
    assert taken(read, match(H2H)) == []
    assert health.notes == {"not newer than before": 1}
    [batch] = taken(read, match(market("h2h", outcome("Reds", 2), at=LATER)))
    assert said(batch) == {("home", "back"): "2"}


def test_an_answer_that_comes_late_says_nothing_of_the_past() -> None:
    read, _ = reader()
    taken(read, match(market("h2h", outcome("Reds", 2), at=LATER)))
    assert taken(read, match(H2H)) == []


def test_a_market_a_bookmaker_and_a_match_that_are_missing_are_withdrawn() -> None:
    read, _ = reader()
    totals = market("totals", outcome("Over", 1.9, 2.5))
    taken(read, match(H2H, totals), match(H2H, id="other", key="b"))
    [gone] = taken(read, match(H2H), match(H2H, id="other", key="b"))
    assert (gone.type, gone.suspended) == ("OU", True)
    [gone] = taken(read, match(H2H), match(id="other", key="b"))
    assert (gone.event.event_id, gone.suspended) == ("other", True)
    [gone] = taken(read)
    assert (gone.event.event_id, gone.type, gone.suspended) == ("abc", "1X2", True)
    assert taken(read) == []
    assert len(taken(read, match(H2H))) == 1


@pytest.mark.parametrize("price", [1, 0.5, 1e9, "NaN", None, "evens", [2], True])
def test_an_absurd_price_is_counted_and_its_selection_counts_as_withdrawn(price: Any) -> None:
    read, health = reader()
    [batch] = taken(read, match(market("h2h", outcome("Reds", price), outcome("Draw", 3.4))))
    assert said(batch) == {("draw", "back"): "3.4"}
    assert batch.complete
    assert health.rejections.total == 1


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (7, "match is no object"),
        (match(H2H, home_team=None), "home_team is missing"),
        (match(H2H, home_team="Blues"), "a side plays itself"),
        (match(H2H, commence_time="soon"), "commence_time is not a time"),
        (match(H2H, id=None), "id is missing"),
        (match(H2H, key=""), "bookmaker is missing"),
        (match(market("corners", outcome("Over", 2))), "market is of an unknown kind"),
        (match(market("h2h", outcome("Greens", 2))), "outcome is none of the market's"),
        (match(market("totals", outcome("Over", 2))), "line is not a number"),
        (
            match(market("h2h", outcome("Reds", 2), at="2026-06-12T12:02:00Z")),
            "last_update lies in the future",
        ),
        (match(market("h2h", 5, {"name": {}})), "outcome is missing"),
    ],
)
def test_what_is_malformed_is_counted_with_its_reason_and_harms_no_other(
    broken: Any, reason: str
) -> None:
    read, health = reader()
    batches = taken(read, broken, match(H2H, id="good"))
    assert [batch.event.event_id for batch in batches] == ["good"]
    assert reason in health.rejections.counts


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[NaN]", b'["\xff"]', b"[" * 100_000, b"3", b'{"message": "no"}']
)
def test_an_answer_that_is_none_is_counted_and_withdraws_nothing(content: bytes) -> None:
    read, health = reader()
    taken(read, match(H2H))
    assert read.take(content) == []
    assert health.rejections.total == 1
    assert taken(read, match(H2H)) == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["h2h", "totals", "Reds", "Draw", MINUTE, "soccer_epl"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "sport_key",
                    "home_team",
                    "away_team",
                    "commence_time",
                    "bookmakers",
                    "key",
                    "markets",
                    "outcomes",
                    "name",
                    "price",
                    "point",
                    "last_update",
                ]
            ),
            inner,
            max_size=8,
        )
    ),
    max_leaves=25,
)


@given(JSON)
def test_no_json_breaks_the_reader(document: Any) -> None:
    read, _ = reader()
    read.take(msgspec.json.encode(document))
    taken(
        read, match(bookmakers=document), match(H2H, id="2", bookmakers=[document]), match(document)
    )


# ---- the quota


def quota(remaining: int, last: int, **when: Any) -> float:
    one = Quota(HandClock(datetime(2026, 6, 12, 12, tzinfo=UTC).replace(**when)), 60)
    one.learn({"x-requests-remaining": str(remaining), "x-requests-last": str(last)})
    return one.wait_seconds


def test_what_is_left_of_the_quota_is_spread_over_what_is_left_of_the_month() -> None:
    assert quota(1_000_000, 2) == 60
    assert quota(100, 4, day=30, hour=23, minute=0) == pytest.approx(3_600 / 25)
    assert quota(3, 4, day=30, hour=23, minute=0) == 3_600
    assert quota(0, 1, month=12, day=31, hour=12, minute=0) == 12 * 3_600


@given(remaining=st.integers(0, 10**6), last=st.integers(1, 100), day=st.integers(1, 30))
def test_a_months_quota_is_never_exhausted(remaining: int, last: int, day: int) -> None:
    wait_seconds = quota(remaining, last, day=day)
    left_seconds = (
        datetime(2026, 7, 1, tzinfo=UTC) - datetime(2026, 6, day, 12, tzinfo=UTC)
    ).total_seconds()
    assert wait_seconds >= 60 or wait_seconds >= left_seconds
    questions = left_seconds // wait_seconds
    assert (
        questions * last <= max(remaining, last if remaining < last else 0)
        or wait_seconds >= left_seconds
    )


# ---- live


def live(server: ProviderServer, clock: HandClock) -> TheOddsApiFeed:
    provider = Provider(FeedHealth("the-odds-api"), clock, Random(1))
    return TheOddsApiFeed(
        "a-secret",
        Subscription("soccer_epl", markets="h2h"),
        clock=clock,
        randomness=Random(1),
        url=server.url,
        timeout_seconds=0.5,
        provider=provider,
    )


async def first(feed: TheOddsApiFeed, count: int) -> list[QuoteBatch]:
    batches: list[QuoteBatch] = []
    async with asyncio.timeout(20), contextlib.aclosing(feed.batches()) as coming:
        async for each in coming:
            batches += each
            if len(batches) >= count:
                return batches
    raise AssertionError("a live feed does not end")


@pytest.mark.anyio
async def test_it_polls_through_faults_with_its_etag_and_within_its_quota() -> None:
    clock = HandClock()
    newer = match(market("h2h", outcome("Reds", 2), at=LATER))
    async with provider_server(
        answers(
            200,
            msgspec.json.encode([match(H2H)]),
            ETag='"v1"',
            x_requests_remaining="500",
            x_requests_last="2",
        ),
        answers(304),
        answers(500),
        answers(200, b"rubbish"),
        answers(200, msgspec.json.encode([newer])),
    ) as server:
        feed = live(server, clock)
        batches = await first(feed, 2)
    assert [str(batch.quotes[-1].odds) for batch in batches] == ["3.4", "2"]
    lines = [line for line, _, _ in server.requests]
    assert set(lines) == {
        "GET /v4/sports/soccer_epl/odds?apiKey=a-secret&markets=h2h&oddsFormat=decimal&dateFormat=iso&regions=uk%2Ceu HTTP/1.1"
    }
    assert [headers.get("if-none-match") for _, headers, _ in server.requests] == [
        None,
        *['"v1"'] * 4,
    ]
    # 250 questions for the rest of June: every two hours or so.
    assert 6_000 < clock.sleeps[0] < 7_000
    assert feed.health.notes["not modified"] == 1
    assert feed.health.rejections.counts == {"answer is not JSON": 1}
    assert feed.quota.remaining == 500


@pytest.mark.anyio
async def test_a_wrong_key_ends_the_feed_without_showing_it() -> None:
    async with provider_server(answers(401, b'{"message": "bad key"}')) as server:
        with pytest.raises(FeedDenied, match="FAIRBOOK_") as refusal:
            await first(live(server, HandClock()), 1)
    assert "a-secret" not in str(refusal.value)


# ---- recorded


@pytest.mark.anyio
async def test_a_file_of_answers_in_lines_plays_each() -> None:
    newer = match(market("h2h", outcome("Reds", 2), at=LATER))
    content = b"\n".join(
        [msgspec.json.encode([match(H2H)]), b"rubbish", b"", msgspec.json.encode([newer])]
    )
    feed = RecordedTheOddsApiFeed(content, HandClock())
    played = [batches async for batches in feed.batches()]
    assert len(played) == 2
    assert feed.health.rejections.counts == {"answer is not JSON": 1}


@pytest.mark.anyio
@pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded answer in {DATA}")
async def test_the_recorded_answer_of_twelve_matches_is_read_whole() -> None:
    feed = RecordedTheOddsApiFeed(RECORDED.read_bytes(), HandClock(BEGINNING + timedelta(days=1)))
    [batches] = [batches async for batches in feed.batches()]
    assert feed.health.rejections.total == 0
    assert len({batch.event.event_id for batch in batches}) == 12
    assert len(batches) == 119
    assert sum(len(batch.quotes) for batch in batches) == 393
    assert sum(any(each.side == "lay" for each in batch.quotes) for batch in batches) == 12
    lazio = [batch for batch in batches if batch.event.home == "Lazio"]
    assert {batch.event.away for batch in lazio} == {"Juventus"}
    assert all(each.odds > Decimal(1) for batch in batches for each in batch.quotes if each.odds)
