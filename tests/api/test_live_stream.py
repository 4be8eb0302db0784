"""Server-sent events, as clients meet them: what they hear, whose it is, and what becomes of those that are slow."""

import asyncio
import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from adapters.embedded import EmbeddedServers
from application.live.client import FACT_BYTES_MAX, PRICES_MAX
from application.live.topics import TOPICS_MAX
from tests.live import PATIENCE_SECONDS, LiveService, a_live_service, bearer, prices, sse
from tests.service import Client, a_name, an_id, bet_body

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def live(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    with a_live_service(tmp_path_factory.mktemp("live"), servers) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def quiet(live: LiveService) -> Iterator[socket.socket]:
    """A stream that is told nothing while the tests run: its first heartbeat takes 15 seconds to come."""
    lines = (
        "GET /v1/stream?topics=value HTTP/1.1",
        "Host: test",
        f"Authorization: Bearer {bearer(a_name())}",
    )
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        yield connection


@pytest.fixture
def alice(live: LiveService) -> Client:
    return live.people.trader()


@pytest.fixture
def bob(live: LiveService) -> Client:
    return live.people.trader()


def own(client: Client) -> str:
    return bearer(client.user)


# ---- prices


async def test_prices_of_a_market_are_heard_after_what_they_were(
    live: LiveService, alice: Client
) -> None:
    market = live.people.operator.market()
    quote = {"bookmaker": "pinnacle", "market_id": market, "selection_id": "away", "odds": 3.1}
    live.people.operator.post("/v1/odds", {"quotes": [quote | {"at": "2026-01-02T03:04:05Z"}]}).ok(
        201
    )
    shown = live.people.operator.get(f"/v1/markets/{market}/odds", after=live.service.head()).ok()
    async with sse(live.port, f"odds.{market}", own(alice)) as stream:
        snapshot = await stream.first("snapshot")
        await live.publish(prices(market, 2.125))
        told = await stream.first("odds")
        assert [each.kind for each in stream.heard] == ["subscribed", "snapshot", "odds"]
    assert snapshot.data["topic"] == f"odds.{market}"
    (price,) = snapshot.data["odds"]["items"]
    assert (price["bookmaker"], price["odds"]) == ("pinnacle", 3.1)
    assert snapshot.data["odds"].keys() == shown.keys()
    assert told.data["topic"] == f"odds.{market}"
    (heard,) = told.data["prices"]
    assert (heard["bookmaker"], heard["quotes"]) == (
        "bet365",
        [{"selection_id": "home", "odds": 2.125}],
    )
    assert told.id is None, "prices are not resumed"


async def test_a_fixture_tells_the_prices_of_all_its_markets(
    live: LiveService, alice: Client
) -> None:
    fixture, markets = uuid4(), [an_id(), an_id()]
    async with sse(live.port, f"odds.fixture.{fixture}", own(alice)) as stream:
        await stream.first("subscribed")
        await live.publish(
            *(prices(market, 2, fixture_id=fixture) for market in markets), prices(an_id(), 3)
        )
        await stream.until(lambda s: sum(len(each.data["prices"]) for each in s.of("odds")) >= 2)
        await asyncio.sleep(0.15)
        told = [price["market_id"] for each in stream.of("odds") for price in each.data["prices"]]
    assert sorted(told) == sorted(markets)


async def test_a_topic_is_told_at_most_ten_times_a_second_and_the_last_price_is_the_latest(
    live: LiveService, alice: Client
) -> None:
    market = an_id()
    async with sse(live.port, f"odds.{market}", own(alice)) as stream:
        await stream.first("snapshot")
        begun = time.monotonic()
        await live.publish(prices(market, 2))
        await stream.first("odds")
        for number in range(1, 150):
            await live.publish(prices(market, 2 + number / 1000))
            await asyncio.sleep(0.005)
        await stream.until(lambda s: s.heard[-1].data["prices"][-1]["quotes"][0]["odds"] == 2.149)
        seconds = time.monotonic() - begun
        told = len(stream.of("odds"))
    assert 2 <= told <= seconds * 10 + 2


async def test_prices_of_several_selections_do_not_displace_each_other(
    live: LiveService, alice: Client
) -> None:
    market = an_id()
    async with sse(live.port, f"odds.{market}", own(alice)) as stream:
        await stream.first("snapshot")
        for round_ in range(30):
            await live.publish(
                prices(market, 2 + round_ / 100, selection_id="home"),
                prices(market, 3 + round_ / 100, selection_id="away"),
            )
        expected = {"home": 2.29, "away": 3.29}

        def book() -> dict[str, float]:
            return {
                line["selection_id"]: line["odds"]
                for each in stream.of("odds")
                for price in each.data["prices"]
                for line in price["quotes"]
            }

        await stream.until(lambda _: book() == expected)


async def test_what_is_no_price_is_not_passed_on(live: LiveService, alice: Client) -> None:
    market, fixture = an_id(), an_id()
    async with sse(live.port, f"odds.{market}", own(alice)) as stream:
        await stream.first("snapshot")
        subject = f"odds.bet365.{fixture}.{market}"
        for payload in (b"", b"{}", b"\xff\xfe", b'{"a":1}\n\nevent: odds\ndata: {}', b"[" * 5_000):
            await live.publish_raw(subject, payload)
        whole = msgspec.json.encode(
            {
                "bookmaker": "bet365",
                "fixture_id": fixture,
                "market_id": market,
                "at": "2026-01-01T00:00:00Z",
                "quotes": [{"selection_id": "home", "odds": 2.5}],
            }
        )
        # Line breaks between the words of JSON would end a line of the stream.
        await live.publish_raw(subject, msgspec.json.format(whole, indent=2))
        told = await stream.first("odds")
        assert told.data["prices"][0]["quotes"] == [{"selection_id": "home", "odds": 2.5}]
        assert len(stream.of("odds")) == 1


async def test_signals_are_heard_by_everybody(live: LiveService, alice: Client) -> None:
    async with sse(live.port, "arbitrage,value", own(alice)) as stream:
        await stream.first("subscribed")
        await live.publish_raw(f"signals.arbitrage.{an_id()}", b'{"margin": 0.0125}')
        await live.publish_raw(f"signals.value.{an_id()}", b'{"edge": 0.07}')
        arbitrage, value = await stream.first("arbitrage"), await stream.first("value")
    assert arbitrage.data == {"type": "arbitrage", "signals": [{"margin": 0.0125}]}
    assert value.data == {"type": "value", "signals": [{"edge": 0.07}]}


# ---- facts, and whose they are


async def test_a_trader_hears_their_own_bets_and_accounts_and_nobody_elses(
    live: LiveService, alice: Client, bob: Client
) -> None:
    market = live.people.operator.market()
    live.people.operator.see(live.service.head())
    async with (
        sse(live.port, "bets,accounts", own(alice)) as hers,
        sse(live.port, "bets,accounts", own(bob)) as his,
        sse(live.port, "bets,accounts", bearer("aud", "auditor")) as everything,
    ):
        for stream in (hers, his, everything):
            await stream.first("subscribed")
        bets = {}
        for client in (alice, bob):
            bets[client.user] = client.bet(client.account(1_000), market).ok(201)["bet_id"]
        score = {"score": {"home": 1, "away": 0}}
        live.people.operator.post(f"/v1/markets/{market}/result", score).ok(202)
        await everything.until(lambda s: len(s.of("bets")) == 4)
        for stream, client in ((hers, alice), (his, bob)):
            await stream.until(lambda s: len(s.of("bets")) == 2)
            placed, settled = stream.of("bets")
            assert placed.data["fact"] == "bet.placed"
            assert placed.data["data"]["owner"] == client.user
            assert settled.data["fact"] == "bet.settled"
            assert {each.data["stream"] for each in stream.of("bets")} == {bets[client.user]}
            assert [each.data["fact"] for each in stream.of("accounts")] == [
                "account.opened",
                "account.funds_deposited",
                "account.stake_reserved",
                "account.stake_settled",
            ]
        await asyncio.sleep(0.2)
        assert (len(hers.of("bets")), len(his.of("accounts"))) == (2, 4)
        positions = everything.positions("bets", "accounts")
        assert positions == sorted(set(positions))
        assert len(positions) == 12


async def test_an_account_that_was_opened_long_ago_is_still_its_owners(
    live: LiveService, alice: Client, bob: Client
) -> None:
    account = alice.account()
    await live.published()
    async with (
        sse(live.port, "accounts", own(alice)) as hers,
        sse(live.port, "accounts", own(bob)) as his,
    ):
        await hers.first("subscribed")
        await his.first("subscribed")
        alice.deposit(account, 500).ok(201)
        fact = await hers.first("accounts")
        assert fact.data["data"]["amount_minor"] == 500
        await asyncio.sleep(0.2)
        assert not his.of("accounts")


async def test_markets_and_settlements_are_everybodys_and_name_no_operator(
    live: LiveService, alice: Client
) -> None:
    async with sse(live.port, "markets,settlements", own(alice)) as stream:
        await stream.first("subscribed")
        market = live.people.operator.market()
        live.people.operator.post(f"/v1/markets/{market}/suspend", {}).ok()
        live.people.operator.post(f"/v1/markets/{market}/resume").ok()
        score = {"score": {"home": 1, "away": 0}}
        live.people.operator.post(f"/v1/markets/{market}/result", score).ok(202)
        await stream.until(lambda s: s.of("settlements"))
        facts = [each.data for each in stream.of("markets") if each.data["stream"] == market]
    assert [each["fact"] for each in facts] == [
        "market.opened",
        "market.suspended",
        "market.resumed",
        "market.result_declared",
    ]
    assert all(
        each.keys() == {"type", "position", "fact", "stream", "version", "time", "data"}
        for each in facts
    )
    assert stream.of("settlements")[-1].data["fact"] == "settlement.completed"
    assert all(each.id == each.data["position"] for each in stream.heard if each.kind == "markets")


async def test_a_correction_is_told_step_by_step_with_its_generation(
    live: LiveService, alice: Client
) -> None:
    operator = live.people.operator
    market, account = operator.market(), alice.account(1_000)
    alice.bet(account, market, 100, odds=3).ok(201)
    async with sse(live.port, "settlements", own(alice)) as stream:
        await stream.first("subscribed")
        for generation, home in enumerate((1, 0), 1):
            score = {"score": {"home": home, "away": 0}}
            operator.post(f"/v1/markets/{market}/result", score).ok(202)
            await stream.first("settlements", 2 * generation)
        told = [each.data for each in stream.of("settlements")]
    shown = [(each["fact"], each["data"]["generation"]) for each in told]
    steps = ("settlement.progressed", "settlement.completed")
    assert shown == [(step, generation) for generation in (1, 2) for step in steps]
    changed = [each["data"]["totals"][0] for each in told[::2]]
    assert [(each["bets"], each["return_minor"]) for each in changed] == [(1, 300), (0, -300)]


# ---- resuming


@pytest.mark.parametrize("way", ["header", "query"])
async def test_facts_are_resumed_after_the_last_one_that_was_heard(
    live: LiveService, alice: Client, way: str
) -> None:
    account = alice.account()
    positions = [alice.deposit(account, 100 + n).ok(201)["position"] for n in range(5)]
    header = {"Last_Event_ID": positions[1]} if way == "header" else {}
    query = f"&after={positions[1]}" if way == "query" else ""
    async with sse(live.port, "accounts", own(alice), query=query, **header) as stream:
        await stream.until(lambda s: len(s.of("accounts")) == 3)
        more = alice.deposit(account, 7).ok(201)["position"]
        await stream.until(lambda s: len(s.of("accounts")) == 4)
        assert stream.positions("accounts") == [*positions[2:], more]
        assert stream.of("subscribed")[0].id == positions[1]


async def test_nothing_is_missed_or_doubled_between_what_was_and_what_is_while_writes_run(
    live: LiveService, alice: Client
) -> None:
    account = alice.account()
    start = live.service.head()
    stopping = asyncio.Event()
    written: list[int] = []
    users, rounds = 3, 6
    everyone = asyncio.Barrier(users)

    async def write() -> None:
        while not stopping.is_set():
            answer = await asyncio.to_thread(alice.deposit, account, 100)
            written.append(answer.ok(201)["position"])

    async def resume_now_and_then(user: str) -> list[int]:
        heard: list[int] = []
        after = start
        for number in range(rounds):
            async with sse(live.port, "accounts", bearer(user), Last_Event_ID=after) as stream:
                # Sometimes cut off in the middle of what was, sometimes in what is.
                await stream.first("accounts", 1 + 2 * number)
                heard += stream.positions("accounts")
                after = heard[-1]
        async with sse(live.port, "accounts", bearer(user), Last_Event_ID=after) as stream:
            await everyone.wait()  # who still counts needs more to hear
            stopping.set()
            await writing
            await stream.until(
                lambda s: written[-1] in s.positions("accounts") or heard[-1:] == written[-1:]
            )
            return heard + stream.positions("accounts")

    writing = asyncio.create_task(write())
    told = await asyncio.gather(*(resume_now_and_then(alice.user) for _ in range(users)))
    await writing
    assert len(written) >= rounds**2
    for heard in told:
        assert heard == written


async def test_a_position_that_is_not_reached_yet_is_said_so_and_nothing_before_it_is_told(
    live: LiveService, alice: Client
) -> None:
    account = alice.account()
    ahead = live.service.head() + 3
    async with sse(live.port, "accounts", own(alice), Last_Event_ID=ahead) as stream:
        note = await stream.first("resync")
        positions = [alice.deposit(account, 1).ok(201)["position"] for _ in range(5)]
        await stream.until(lambda s: s.positions("accounts")[-1:] == positions[-1:])
        assert (note.data["reason"], note.data["read"]) == ("ahead", ["/v1/accounts"])
        assert stream.positions("accounts") == [each for each in positions if each > ahead]


# ---- who may, and what is wrong


async def test_a_stream_needs_a_token(live: LiveService) -> None:
    for bad in (None, "nonsense"):
        async with sse(live.port, "markets", bad) as stream:
            assert (stream.status, stream.problem["type"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "topics",
    ["", "everything", "odds", "odds.", "odds.1", "odds.fixture.x", "bets,exposure", "bets%0A"],
)
async def test_a_topic_that_there_is_not_is_refused_before_the_stream_begins(
    live: LiveService, alice: Client, topics: str
) -> None:
    async with sse(live.port, topics, own(alice)) as stream:
        assert stream.status == 422
        assert [each["field"] for each in stream.problem["errors"]] == ["topics"]


async def test_too_many_topics_are_refused(live: LiveService, alice: Client) -> None:
    many = [f"odds.{an_id()}" for _ in range(TOPICS_MAX + 1)]
    async with sse(live.port, ",".join(many), own(alice)) as stream:
        assert (stream.status, stream.problem["errors"][0]["field"]) == (422, "topics")
    async with sse(live.port, ",".join(many[1:]), own(alice)) as stream:
        assert stream.status == 200
        assert len((await stream.first("subscribed")).data["topics"]) == TOPICS_MAX


@pytest.mark.parametrize("after", ["-1", "x", "1.5", str(2**70)])
async def test_a_position_that_is_none_is_refused(
    live: LiveService, alice: Client, after: str
) -> None:
    async with sse(live.port, "bets", own(alice), query=f"&after={after}") as stream:
        assert stream.status in {400, 422}
    async with sse(live.port, "bets", own(alice), Last_Event_ID=after) as stream:
        assert stream.status in {400, 422}


async def test_the_stream_says_what_proxies_and_browsers_need(
    live: LiveService, alice: Client
) -> None:
    async with sse(live.port, "markets", own(alice)) as stream:
        await stream.first("subscribed")
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.retry is not None


async def test_a_token_that_ends_ends_its_stream_with_a_word(
    live: LiveService, alice: Client
) -> None:
    async with sse(live.port, "markets", bearer(alice.user, ttl_seconds=4)) as stream:
        await stream.until(lambda s: s.ended)
        assert stream.heard[-1].data == {"type": "end", "reason": "token_expired"}


async def test_one_user_opens_so_many_streams_and_no_more(live: LiveService) -> None:
    user = bearer(a_name())
    streams = [sse(live.port, "value", user) for _ in range(100)]
    opened = [await each.__aenter__() for each in streams]
    assert {each.status for each in opened} == {200}
    async with sse(live.port, "value", user) as refused:
        assert (refused.status, refused.problem["type"]) == (429, "too_many_streams")
        assert int(refused.headers["retry-after"]) > 0
    for each in streams:
        await each.__aexit__(None, None, None)

    async def opens() -> bool:
        async with sse(live.port, "value", user) as again:
            return again.status == 200

    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await opens():  # noqa: ASYNC110  the service tells nobody that it has noticed
            await asyncio.sleep(0.05)


# ---- the slow


def socket_bytes_max() -> int:
    """What this machine lets a connection hold that nobody reads."""
    return int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[-1])


async def test_a_client_that_is_too_slow_for_its_facts_is_let_go_and_resumes_without_a_gap(
    live: LiveService, alice: Client
) -> None:
    markets = [live.people.operator.market() for _ in range(16)]
    account = alice.account(10**9)
    after = live.service.head()
    # Few facts, but long ones: more than may wait, may be on its way, and may be held by the sockets.
    held = 2 * FACT_BYTES_MAX + socket_bytes_max()
    requests = math.ceil(1.3 * held / (1_600 * 2_000))
    legs = [bet_body(account, market, odds=1.1)["legs"][0] for market in markets]
    bets = [{"account_id": account, "kind": "accumulator", "legs": legs, "stake_minor": 1}] * 1_600
    async with (
        sse(live.port, "bets,accounts", own(alice), receive_buffer=4_096) as stream,
        sse(live.port, "markets", own(alice)) as another,
    ):
        await stream.first("subscribed")
        await another.first("subscribed")
        stream.pause()
        last = after
        for _ in range(requests):
            answer = await asyncio.to_thread(alice.post, "/v1/bets/batch", {"bets": bets})
            last = answer.ok()["position"]
        # Facts go out in order: who hears of this one hears it after the queue of the first has run over.
        opened = live.people.operator.market()
        await another.until(lambda s: any(e.data["stream"] == opened for e in s.of("markets")))
        stream.resume()
        await stream.until(lambda s: s.ended, seconds=120)
        resync, end = stream.heard[-2:]
        told = stream.positions("bets", "accounts")
        assert end.data == {"type": "end", "reason": "too_slow"}
        assert resync.data["topics"] == ["accounts", "bets"]
        assert resync.data["after"] == told[-1] < last
    async with sse(live.port, "bets,accounts", own(alice), Last_Event_ID=told[-1]) as stream:
        await stream.until(lambda s: s.heard and s.heard[-1].id == last, seconds=120)
        told += stream.positions("bets", "accounts")
    assert told == [*range(after + 1, last + 1)]


async def test_a_client_that_is_too_slow_for_prices_gets_the_latest_ones_and_a_note(
    live: LiveService, alice: Client
) -> None:
    fixture = uuid4()
    markets = [an_id() for _ in range(PRICES_MAX + 500)]
    names = [f"{'b' * 40}_{number}" for number in range(10)]
    topic = f"odds.fixture.{fixture}"
    lost = live.metric("fairbook_live_dropped_total")
    async with sse(live.port, topic, own(alice), receive_buffer=4_096) as stream:
        await stream.first("subscribed")
        stream.pause()
        for number, name in enumerate(names):
            if live.metric("fairbook_live_dropped_total") > lost:
                break
            told = [
                prices(each, 2 + number, bookmaker=name, fixture_id=fixture) for each in markets
            ]
            await live.publish(*told)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while live.metric("fairbook_live_dropped_total") == lost:  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0.05)
        stream.resume()
        last = prices(markets[0], 9.5, bookmaker="last", fixture_id=fixture)
        await live.publish(last)
        await stream.until(
            lambda s: any(
                price["bookmaker"] == "last"
                for each in s.of("odds")
                for price in each.data["prices"]
            )
        )
        notes = stream.of("resync")
        assert notes
        assert notes[0].data["topics"] == [topic]
        assert notes[0].data["reason"] == "missed"
        assert not stream.ended, "who is slow for prices stays"


async def test_metrics_tell_of_streams(live: LiveService, alice: Client) -> None:
    async with sse(live.port, "value", own(alice)) as stream:
        await stream.first("subscribed")
        text = live.people.nobody.get("/metrics").content.decode()
    for name in (
        "fairbook_live_clients",
        "fairbook_live_messages_total",
        "fairbook_live_delay_seconds_bucket",
    ):
        assert name in text


def test_a_quiet_stream_shows_that_it_lives(quiet: socket.socket) -> None:
    """The last one: by now the heartbeat has come, or soon will have."""
    heard = b""
    while b"\n:" not in heard:
        piece = quiet.recv(4_096)
        assert piece, "the stream ended"
        heard += piece
