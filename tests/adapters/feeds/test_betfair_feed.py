"""The live stream against a server on loopback that misbehaves, and recordings of it."""

import asyncio
import bz2
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from adapters.feeds.back_off import BackOff
from adapters.feeds.betfair_connection import Address
from adapters.feeds.betfair_feed import (
    BetfairFeed,
    BetfairLogin,
    RecordedBetfairFeed,
    Subscription,
)
from adapters.feeds.betfair_names import BetfairCatalogue
from adapters.feeds.circuit_breaker import CircuitBreaker
from adapters.feeds.clock import SystemClock
from adapters.feeds.polling import PollingClient
from adapters.feeds.provider import Provider
from application.feeds import FeedDenied, FeedHealth
from domain.quotes import QuoteBatch
from tests.adapters.feeds.betfair_lines import change, line, race, runner
from tests.adapters.feeds.clock import HandClock
from tests.adapters.feeds.provider_server import answers, is_silent, provider_server

pytestmark = pytest.mark.anyio
DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[3] / "../shared/data"))
SUCCESS = {"op": "status", "statusCode": "SUCCESS", "connectionClosed": False}

Session = Callable[["Stream"], Awaitable[None]]


class Stream:
    """One connection of the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = msgspec.json.decode(await self.reader.readline())
        return asked

    async def say(self, *lines: bytes | dict[str, Any]) -> None:
        for each in lines:
            raw = each if isinstance(each, bytes) else msgspec.json.encode(each)
            self.writer.write(raw + b"\r\n")
        await self.writer.drain()

    async def begin(self) -> dict[str, Any]:
        """Greet, log in, and take the subscription, which is given."""
        await self.say({"op": "connection", "connectionId": "1"})
        assert (await self.asked())["op"] == "authentication"
        await self.say({**SUCCESS, "id": 1})
        wanted = await self.asked()
        await self.say({**SUCCESS, "id": 2})
        return wanted


@contextlib.asynccontextmanager
async def betfair(*sessions: Session) -> AsyncIterator[Address]:
    """Serve one session after the other, the last one for ever."""
    left = list(sessions)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = left.pop(0) if len(left) > 1 else left[0]
        with contextlib.suppress(OSError, msgspec.DecodeError), contextlib.closing(writer):
            await session(Stream(reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1], tls=False)
    finally:
        server.close()


def live(address: Address, clock: HandClock, **options: Any) -> BetfairFeed:
    return BetfairFeed(
        BetfairLogin("the-key", "the-session"),
        Subscription({"eventTypeIds": ["7"]}, heartbeat_ms=100),
        clock=clock,
        randomness=Random(1),
        address=address,
        back_off=BackOff(Random(1)),
        breaker=CircuitBreaker(clock, failures_max=3, rest_seconds=30),
        **options,
    )


async def first(feed: BetfairFeed, count: int) -> list[QuoteBatch]:
    """The feed's first batches; it is ended then."""
    batches: list[QuoteBatch] = []
    async with asyncio.timeout(20), contextlib.aclosing(feed.batches()) as coming:
        async for each in coming:
            batches += each
            if len(batches) >= count:
                return batches
    raise AssertionError("a live feed does not end")


def image(price: float, clk: str = "AA") -> bytes:
    rc = [{"id": 10, "batb": [[0, price, 5]]}]
    market = change(img=True, marketDefinition=race(), rc=rc)
    return line(market, ct="SUB_IMAGE", initialClk="II", clk=clk)


async def healthy(stream: Stream) -> None:
    await stream.begin()
    await stream.say(image(2))
    await stream.reader.read()


async def test_it_logs_in_subscribes_and_quotes_what_comes() -> None:
    wanted: list[dict[str, Any]] = []

    async def session(stream: Stream) -> None:
        await stream.say({"op": "connection", "connectionId": "1"})
        wanted.append(await stream.asked())
        await stream.say({**SUCCESS, "id": 1})
        wanted.append(await stream.asked())
        await stream.say({**SUCCESS, "id": 2}, image(2))
        await stream.reader.read()

    async with betfair(session) as address:
        feed = live(address, HandClock())
        [batch] = await first(feed, 1)
    assert str(batch.quotes[0].odds) == "2"
    assert wanted == [
        {"op": "authentication", "id": 1, "appKey": "the-key", "session": "the-session"},
        {
            "op": "marketSubscription",
            "id": 2,
            "marketFilter": {"eventTypeIds": ["7"]},
            "marketDataFilter": {"fields": ["EX_BEST_OFFERS", "EX_MARKET_DEF"], "ladderLevels": 1},
            "heartbeatMs": 100,
            "conflateMs": 0,
            "segmentationEnabled": True,
        },
    ]
    assert feed.health.success_rate == 1
    assert "the-" not in repr(BetfairLogin("the-key", "the-session"))


async def test_a_closed_connection_is_resumed_from_its_last_clock() -> None:
    resumed: list[dict[str, Any]] = []

    async def breaks_off(stream: Stream) -> None:
        await stream.begin()
        await stream.say(image(2), line(ct="HEARTBEAT", clk="BB"))

    async def goes_on(stream: Stream) -> None:
        resumed.append(await stream.begin())
        delta = change(rc=[{"id": 11, "batb": [[0, 4, 1]]}])
        await stream.say(line(delta, ct="RESUB_DELTA", clk="CC"))
        await stream.reader.read()

    async with betfair(breaks_off, goes_on) as address:
        feed = live(address, HandClock())
        batches = await first(feed, 2)
    assert (resumed[0]["initialClk"], resumed[0]["clk"]) == ("II", "BB")
    assert {each.selection_id: str(each.odds) for each in batches[1].quotes} == {
        "10": "2",
        "11": "4",
    }
    assert feed.health.success_rate == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xfe",
        b"{",
        b'{"op":"mcm","mc":[{"id":1}]}',
        b'{"op":"mcm","mc":[{"id":"1.1","rc":[{"id":10,"atb":[["NaN?",1]]}]}]}',
        b"[" * 10_000,
    ],
    ids=["not UTF-8", "cut short", "wrong type", "no number", "deep"],
)
async def test_a_line_that_is_no_message_leads_to_a_new_image(rubbish: bytes) -> None:
    asked: list[dict[str, Any]] = []

    async def garbles(stream: Stream) -> None:
        await stream.begin()
        await stream.say(image(2), rubbish)
        await stream.reader.read()

    async def sends_anew(stream: Stream) -> None:
        asked.append(await stream.begin())
        await stream.say(image(3))
        await stream.reader.read()

    async with betfair(garbles, sends_anew) as address:
        feed = live(address, HandClock())
        batches = await first(feed, 2)
    assert "clk" not in asked[0]
    assert [str(batch.quotes[0].odds) for batch in batches] == ["2", "3"]
    assert feed.health.rejections.counts == {"line is no stream message": 1}


async def test_a_stream_without_heartbeats_is_left_for_another_connection() -> None:
    async def falls_silent(stream: Stream) -> None:
        await stream.begin()
        await stream.say(image(2))
        await asyncio.sleep(30)

    async with betfair(falls_silent, healthy) as address:
        feed = live(address, HandClock())
        await first(feed, 2)
    assert "Timeout" in feed.health.last_error


async def test_clocks_that_betfair_no_longer_knows_are_dropped() -> None:
    asked: list[dict[str, Any]] = []

    async def breaks_off(stream: Stream) -> None:
        await stream.begin()
        await stream.say(image(2))

    async def knows_nothing(stream: Stream) -> None:
        await stream.say({"op": "connection", "connectionId": "1"})
        await stream.asked()
        await stream.say({**SUCCESS, "id": 1})
        asked.append(await stream.asked())
        await stream.say(
            {
                "op": "status",
                "id": 2,
                "statusCode": "FAILURE",
                "errorCode": "INVALID_CLOCK",
                "connectionClosed": True,
            }
        )

    async def begins_anew(stream: Stream) -> None:
        asked.append(await stream.begin())
        await stream.say(image(3))
        await stream.reader.read()

    async with betfair(breaks_off, knows_nothing, begins_anew) as address:
        await first(live(address, HandClock()), 2)
    assert ["clk" in each for each in asked] == [True, False]


@pytest.mark.parametrize(
    "code", ["INVALID_SESSION_INFORMATION", "NO_APP_KEY", "SUBSCRIPTION_LIMIT_EXCEEDED"]
)
async def test_a_refused_login_ends_the_feed_and_says_what_to_do(code: str) -> None:
    async def refuses(stream: Stream) -> None:
        await stream.say({"op": "connection", "connectionId": "1"})
        await stream.asked()
        await stream.say(
            {
                "op": "status",
                "id": 1,
                "statusCode": "FAILURE",
                "errorCode": code,
                "connectionClosed": True,
            }
        )

    async with betfair(refuses) as address:
        with pytest.raises(FeedDenied, match=f"{code}.*FAIRBOOK_BETFAIR_SESSION") as refusal:
            await first(live(address, HandClock()), 1)
    assert "the-session" not in str(refusal.value)


async def test_an_outage_opens_the_breaker_withdraws_everything_and_ends() -> None:
    async def breaks_off(stream: Stream) -> None:
        await stream.begin()
        await stream.say(image(2))

    async def is_down(stream: Stream) -> None:
        stream.writer.transport.abort()

    clock = HandClock()
    async with betfair(breaks_off, is_down, is_down, is_down, healthy) as address:
        feed = live(address, clock)
        batches = await first(feed, 4)
    assert [batch.suspended for batch in batches] == [False, True, False] or [
        batch.suspended for batch in batches
    ][:3] == [False, True, False]
    assert 30.0 in [round(seconds, 6) for seconds in clock.sleeps]
    assert feed.health.breaker == "closed"


async def test_names_come_from_the_catalogue_beside_the_stream() -> None:
    async def nameless(stream: Stream) -> None:
        await stream.begin()
        without = race(eventName=None, runners=[runner(10, 1), runner(11, 2)])
        rc = [{"id": 10, "batb": [[0, 2, 5]]}]
        await stream.say(line(change(img=True, marketDefinition=without, rc=rc), ct="SUB_IMAGE"))
        while True:
            await asyncio.sleep(0.05)
            await stream.say(line(ct="HEARTBEAT"))

    catalogued = [
        {
            "marketId": "1.1",
            "event": {"name": "Ascot 12th Jun"},
            "competition": None,
            "runners": [
                {"selectionId": 10, "runnerName": "Comet"},
                {"selectionId": 11, "runnerName": "Nova"},
            ],
        }
    ]
    clock = HandClock()
    health = FeedHealth("betfair")
    steps = (answers(500), answers(200, b"[{}]"), answers(200, msgspec.json.encode(catalogued)))
    async with provider_server(*steps) as server, betfair(nameless) as address:
        provider = Provider(health, clock, Random(1), per_second=1_000)
        async with PollingClient(server.url, provider) as client:
            feed = live(address, clock, catalogue=BetfairCatalogue(client, health), health=health)
            # The first answer of use names nothing: it is asked for again after a minute.
            turning = asyncio.create_task(_turn(clock))
            [batch] = await first(feed, 1)
            turning.cancel()
    assert batch.selections == (("10", "Comet"), ("11", "Nova"))
    assert health.rejections.counts == {"catalogue is not as documented": 1}
    assert b'"1.1"' in server.requests[0][2]


async def _turn(clock: HandClock) -> None:
    while True:
        await asyncio.sleep(0.05)
        clock.turn(20)


async def test_a_look_up_that_hangs_does_not_outlive_the_feed() -> None:
    async def session(stream: Stream) -> None:
        await stream.begin()
        nameless = change("1.2", marketDefinition=race(eventName=None))
        await stream.say(image(2), line(nameless), line(ct="HEARTBEAT"))
        await stream.reader.read()

    clock = HandClock()
    health = FeedHealth("betfair")
    async with provider_server(is_silent) as server, betfair(session) as address:
        provider = Provider(health, clock, Random(1))
        async with PollingClient(server.url, provider) as client:
            feed = live(address, clock, catalogue=BetfairCatalogue(client, health), health=health)
            reading = asyncio.create_task(first(feed, 2))
            async with asyncio.timeout(20):
                while not server.requests:  # noqa: ASYNC110  it tells nobody
                    await asyncio.sleep(0.02)
            asking = [each for each in asyncio.all_tasks() if "names" in repr(each.get_coro())]
            reading.cancel()
            await asyncio.wait([reading, *asking], timeout=20)
    assert len(server.requests) == 1
    assert [each.cancelled() for each in asking] == [True]


async def test_the_stream_goes_through_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.closing(writer):
            await healthy(Stream(reader, writer))

    proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://ann:s%40fe@127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "")
    [batch] = await first(live(Address("stream.invalid", 443, tls=False), HandClock()), 1)
    proxy.close()
    assert str(batch.quotes[0].odds) == "2"
    assert heads[0].split(b"\r\n")[0] == b"CONNECT stream.invalid:443 HTTP/1.1"
    assert b"Proxy-Authorization: Basic YW5uOnNAZmU=" in heads[0]


async def test_a_proxy_that_refuses_is_a_failure_like_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with provider_server(answers(403)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        feed = live(Address("stream.invalid", 443, tls=False), HandClock())
        task = asyncio.create_task(first(feed, 1))
        async with asyncio.timeout(20):
            while not feed.health.last_error:  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert "the proxy answers HTTP/1.1 403" in feed.health.last_error


# ---- recordings


async def played(path: Path) -> tuple[list[QuoteBatch], FeedHealth]:
    feed = RecordedBetfairFeed(path, SystemClock())
    batches = [each async for batches in feed.batches() for each in batches]
    return batches, feed.health


@pytest.mark.skipif(not (DATA / "betfair").is_dir(), reason=f"no Betfair data in {DATA}")
async def test_the_recorded_race_plays_through_the_same_code() -> None:
    batches, health = await played(DATA / "betfair" / "horse_win_1.206064380.bz2")
    assert health.rejections.total == 0
    assert health.notes == {"merged updates": 18_793}
    assert {(batch.type, batch.event.name) for batch in batches} == {
        ("WIN", "04:30 Moe (AUS) 7th Nov")
    }
    offered: dict[tuple[str, str], Any] = {}
    for batch in batches:
        if batch.complete or batch.suspended:
            offered.clear()
        for each in batch.quotes:
            offered.pop((each.selection_id, each.side), None)
            if each.odds is not None:
                offered[each.selection_id, each.side] = each.odds
        for selection_id in {each.selection_id for each in batch.quotes}:
            # An exchange matches what crosses: nobody can back at more than they can lay at.
            back, lay = (offered.get((selection_id, side)) for side in ("back", "lay"))
            assert back is None or lay is None or back < lay
    assert batches[-1].suspended


@pytest.mark.skipif(not (DATA / "betfair").is_dir(), reason=f"no Betfair data in {DATA}")
async def test_a_message_printed_over_many_lines_is_read() -> None:
    [batch], _ = await played(DATA / "betfair" / "market_definition_runner_removed.json")
    assert [(each.selection_id, str(each.odds), each.side) for each in batch.quotes] == [
        ("28460059", "9.6", "back"),
        ("28460059", "10", "lay"),
    ]


async def test_broken_lines_of_a_recording_are_counted_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "recorded.txt"
    path.write_bytes(b"\n".join([image(2), b"\xff", b"{", b'{"op":"connection"}', image(3), b""]))
    batches, health = await played(path)
    assert [str(batch.quotes[0].odds) for batch in batches] == ["2", "3"]
    assert health.rejections.counts == {"line is no stream message": 2}


async def test_a_recording_that_was_cut_off_plays_up_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "recorded.bz2"
    whole = bz2.compress(b"\n".join([image(2), *(image(3 + n / 10) for n in range(200))]))
    path.write_bytes(whole[: len(whole) // 2])
    _, health = await played(path)
    assert health.rejections.counts == {"the file ends too early": 1}
