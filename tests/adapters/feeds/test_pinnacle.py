import asyncio
import contextlib
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds.pinnacle import PinnacleFeed, RecordedPinnacleFeed
from adapters.feeds.pinnacle_reader import PinnacleReader
from adapters.feeds.provider import Provider
from application.feeds import FeedDenied, FeedHealth
from domain.quotes import QuoteBatch
from tests.adapters.feeds.clock import BEGINNING, HandClock
from tests.adapters.feeds.provider_server import ProviderServer, answers, provider_server

Json = dict[str, Any]
CUTOFF = "2026-06-12T19:00:00Z"


def fixtures(*events: Json, sport: int = 29) -> bytes:
    return msgspec.json.encode(
        {"sportId": sport, "last": 7, "league": [{"id": 1, "name": "Cup", "events": list(events)}]}
    )


def fixture(match_id: int = 5, **more: Any) -> Json:
    return {
        "id": match_id,
        "starts": CUTOFF,
        "home": "Reds",
        "away": "Blues",
        "status": "O",
        **more,
    }


def odds(*events: Json, last: int = 100) -> bytes:
    return msgspec.json.encode(
        {"sportId": 29, "last": last, "leagues": [{"id": 1, "events": list(events)}]}
    )


def period(number: int = 0, **markets: Any) -> Json:
    return {"lineId": 1, "number": number, "cutoff": CUTOFF, "status": 1, **markets}


def priced(*periods: Json, match_id: int = 5) -> Json:
    return {"id": match_id, "periods": list(periods)}


MONEYLINE = {"home": 2.05, "draw": 3.4, "away": 3.6}
SPREADS = [
    {"hdp": -0.5, "home": 2.04, "away": 1.87},
    {"altLineId": 9, "hdp": -0.25, "home": 1.8, "away": 2.1, "max": 500},
]
TOTALS = [{"points": 2.5, "over": 1.95, "under": 1.961}]
WHOLE = priced(
    period(moneyline=MONEYLINE, spreads=SPREADS, totals=TOTALS, maxSpread=1000, maxMoneyline=750)
)


def reader(*events: Json) -> tuple[PinnacleReader, FeedHealth]:
    health = FeedHealth("pinnacle")
    read = PinnacleReader(health)
    read.take_fixtures(fixtures(*(events or (fixture(),))))
    return read, health


def take(
    read: PinnacleReader,
    content: bytes,
    seconds: float = 0,
    kind: Literal["snapshot", "delta"] = "delta",
) -> dict[tuple[str, str], QuoteBatch]:
    batches, _ = read.take_odds(content, BEGINNING + timedelta(seconds=seconds), kind)
    return {(batch.type, str(batch.line)): batch for batch in batches}


def said(batch: QuoteBatch) -> dict[str, str]:
    return {each.selection_id: str(each.odds) for each in batch.quotes}


def test_a_snapshot_gives_moneyline_spreads_and_totals_of_the_whole_match() -> None:
    read, health = reader()
    batches = take(read, odds(WHOLE), kind="snapshot")
    assert {place: said(batch) for place, batch in batches.items()} == {
        ("1X2", "None"): {"home": "2.05", "draw": "3.4", "away": "3.6"},
        ("AH", "-0.5"): {"home": "2.04", "away": "1.87"},
        ("AH", "-0.25"): {"home": "1.8", "away": "2.1"},
        ("OU", "2.5"): {"over": "1.95", "under": "1.961"},
    }
    assert batches["AH", "-0.5"].quotes[0].size == Decimal(1000)
    assert batches["AH", "-0.25"].quotes[0].size == Decimal(500)
    assert batches["OU", "2.5"].quotes[0].size is None
    event = batches["1X2", "None"].event
    assert (event.sport, event.competition, event.name, event.event_id) == (
        "football",
        "Cup",
        "Reds v Blues",
        "5",
    )
    assert health.rejections.total == 0


def test_a_moneyline_without_a_draw_is_two_way() -> None:
    read, _ = reader()
    batches = take(read, odds(priced(period(moneyline={"home": 1.5, "away": 2.6}))))
    assert list(batches) == [("ML", "None")]


def test_what_a_delta_lacks_is_withdrawn_and_what_it_repeats_is_not_said_again() -> None:
    read, _ = reader()
    take(read, odds(WHOLE), kind="snapshot")
    batches = take(
        read,
        odds(
            priced(
                period(
                    moneyline=MONEYLINE,
                    maxMoneyline=750,
                    totals=[{"points": 2.75, "over": 2, "under": 1.8}],
                )
            )
        ),
    )
    assert {place: batch.suspended for place, batch in batches.items()} == {
        ("OU", "2.75"): False,
        ("OU", "2.5"): True,
        ("AH", "-0.5"): True,
        ("AH", "-0.25"): True,
    }
    assert take(read, odds()) == {}


def test_a_delta_leaves_matches_alone_that_it_does_not_name_and_a_snapshot_does_not() -> None:
    read, _ = reader()
    take(read, odds(WHOLE), kind="snapshot")
    assert take(read, odds()) == {}
    assert all(batch.suspended for batch in take(read, odds(), kind="snapshot").values())


@pytest.mark.parametrize(
    "gone",
    [
        priced(period(moneyline=MONEYLINE, status=2)),
        priced(period()),
        priced(),
        priced(period(moneyline=MONEYLINE, cutoff="2026-06-12T11:59:00Z")),
    ],
    ids=["closed", "empty period", "no periods", "cut-off passed"],
)
def test_a_match_that_takes_no_bets_withdraws_everything(gone: Json) -> None:
    read, _ = reader()
    take(read, odds(WHOLE), kind="snapshot")
    batches = take(read, odds(gone))
    assert len(batches) == 4
    assert all(batch.suspended and not batch.quotes for batch in batches.values())


def test_prices_end_at_their_cut_off_without_another_word() -> None:
    read, _ = reader()
    take(read, odds(WHOLE), kind="snapshot")
    batches = read.say(BEGINNING + timedelta(hours=7))
    assert len(batches) == 4
    assert all(batch.suspended for batch in batches)


def test_a_match_that_is_unavailable_for_now_says_so_until_it_is_back() -> None:
    read, _ = reader()
    take(read, odds(WHOLE), kind="snapshot")
    read.take_fixtures(fixtures(fixture(status="H")))
    assert len(take(read, odds())) == 4
    read.take_fixtures(fixtures(fixture(status="I")))
    assert len(take(read, odds())) == 4


def test_prices_wait_for_their_names() -> None:
    read, _ = reader(fixture(6))
    assert take(read, odds(WHOLE), kind="snapshot") == {}
    read.take_fixtures(fixtures(fixture()))
    assert len(take(read, odds())) == 4


def test_what_does_not_change_is_affirmed_after_a_while() -> None:
    read, _ = reader()
    take(read, odds(WHOLE), kind="snapshot")
    assert take(read, odds(), seconds=29) == {}
    assert len(take(read, odds(), seconds=31)) == 4
    assert take(read, odds(), seconds=40) == {}


def test_other_periods_live_matches_and_corners_are_counted_and_left_out() -> None:
    read, health = reader(
        fixture(),
        fixture(6, parentId=5),
        fixture(7, liveStatus=1),
        fixture(8, resultingUnit="Corners"),
    )
    halves = priced(period(1, moneyline=MONEYLINE))
    others = [priced(period(moneyline=MONEYLINE), match_id=each) for each in (6, 7, 8)]
    assert take(read, odds(halves, *others)) == {}
    assert health.notes == {
        "in running, not read": 2,
        "corners, bookings and the like, not read": 1,
        "period other than full time, not read": 1,
    }


def test_a_finished_match_is_forgotten() -> None:
    read, _ = reader()
    take(read, odds(WHOLE), kind="snapshot")
    read.say(BEGINNING + timedelta(hours=7))
    read.say(BEGINNING + timedelta(days=3))
    assert not read._matches


@pytest.mark.parametrize(
    ("markets", "left", "reason"),
    [
        (
            {"moneyline": {"home": 0.5, "draw": 3, "away": 4}},
            {"1X2"},
            "odds are not above 1 and at most 100000",
        ),
        (
            {"moneyline": {"home": 1e9, "draw": 3, "away": 4}},
            {"1X2"},
            "odds are not above 1 and at most 100000",
        ),
        ({"moneyline": 7, "totals": TOTALS}, {"OU"}, "moneyline is not as documented"),
        ({"spreads": [{"hdp": -0.5}], "totals": TOTALS}, {"OU"}, "spread is not as documented"),
        (
            {"totals": [{"points": 2.3, "over": 2, "under": 2}]},
            set(),
            "line is not a multiple of 0.25",
        ),
        ({"totals": TOTALS, "cutoff": "whenever"}, set(), "cutoff is not a time"),
    ],
)
def test_a_malformed_part_is_counted_and_the_rest_is_read(
    markets: Json, left: set[str], reason: str
) -> None:
    read, health = reader()
    batches = take(read, odds(priced(period(**markets))))
    assert {kind for kind, _ in batches} == left
    assert reason in health.rejections.counts


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sportId": "x"}', b'{"\xff": 1}'])
def test_an_answer_that_is_none_changes_nothing(content: bytes) -> None:
    read, health = reader()
    take(read, odds(WHOLE), kind="snapshot")
    assert read.take_odds(content, BEGINNING, "snapshot") == ([], None)
    assert read.take_fixtures(content) is None
    assert health.rejections.counts == {"answer is not as documented": 2}


PRICE = st.sampled_from([None, 0.5, 1.9, 2.5, "x", 1e9])


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"home": PRICE, "draw": PRICE, "away": PRICE}),
        max_size=8,
    )
)
def test_after_any_deltas_what_was_said_is_what_is_offered(moneylines: list[Json]) -> None:
    read, _ = reader()
    known: dict[tuple[str, str], dict[str, str]] = {}
    for moneyline in moneylines:
        for place, batch in take(read, odds(priced(period(moneyline=moneyline)))).items():
            known[place] = said(batch)
        fresh, _ = reader()
        whole = take(fresh, odds(priced(period(moneyline=moneyline))), kind="snapshot")
        assert {place: lines for place, lines in known.items() if lines} == {
            place: said(batch) for place, batch in whole.items() if batch.quotes
        }


# ---- live


def live(server: ProviderServer, clock: HandClock) -> PinnacleFeed:
    provider = Provider(FeedHealth("pinnacle"), clock, Random(1))
    return PinnacleFeed(
        ("ann", "s3cret"),
        clock=clock,
        randomness=Random(1),
        leagues=[1, 2],
        url=server.url,
        timeout_seconds=0.5,
        provider=provider,
    )


async def first(feed: PinnacleFeed, count: int) -> list[QuoteBatch]:
    batches: list[QuoteBatch] = []
    async with asyncio.timeout(20), contextlib.aclosing(feed.batches()) as coming:
        async for each in coming:
            batches += each
            if len(batches) >= count:
                return batches
    raise AssertionError("a live feed does not end")


@pytest.mark.anyio
async def test_it_asks_for_a_snapshot_and_then_for_what_changed_since() -> None:
    changed = odds(priced(period(moneyline={**MONEYLINE, "home": 2})), last=200)
    async with provider_server(
        answers(200, fixtures(fixture())),
        answers(503),
        answers(200, odds(WHOLE)),
        answers(200, b"<html>"),
        answers(200, changed),
    ) as server:
        feed = live(server, HandClock())
        batches = await first(feed, 5)
    asked = [line.split()[1] for line, _, _ in server.requests]
    assert asked == [
        "/v3/fixtures?sportId=29&leagueIds=1%2C2",
        "/v3/odds?sportId=29&leagueIds=1%2C2&oddsFormat=Decimal",
        "/v3/odds?sportId=29&leagueIds=1%2C2&oddsFormat=Decimal",
        "/v3/odds?sportId=29&leagueIds=1%2C2&since=100&oddsFormat=Decimal",
        "/v3/odds?sportId=29&leagueIds=1%2C2&since=100&oddsFormat=Decimal",
    ]
    assert server.requests[0][1]["authorization"] == "Basic YW5uOnMzY3JldA=="
    assert said(batches[4])["home"] == "2"
    assert feed.health.success_rate == 0.8


@pytest.mark.anyio
async def test_wrong_credentials_end_the_feed() -> None:
    async with provider_server(answers(401)) as server:
        with pytest.raises(FeedDenied, match="FAIRBOOK_"):
            await first(live(server, HandClock()), 1)


@pytest.mark.anyio
async def test_recorded_answers_play_through_the_same_code() -> None:
    def line(endpoint: str, body: bytes, **more: Any) -> bytes:
        return msgspec.json.encode(
            {"at": "2026-06-12T12:00:00Z", "endpoint": endpoint, "body": msgspec.Raw(body), **more}
        )

    content = b"\n".join(
        [
            line("fixtures", fixtures(fixture())),
            line("odds", odds(WHOLE)),
            b"{",
            line("odds", odds(priced()), since=100),
        ]
    )
    feed = RecordedPinnacleFeed(content, HandClock())
    played = [list(batches) async for batches in feed.batches()]
    assert [len(batches) for batches in played] == [4, 4]
    assert all(batch.suspended for batch in played[1])
    assert feed.health.rejections.counts == {"line is no recorded answer": 1}
