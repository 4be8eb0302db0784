"""The WebSocket: the same topics, bets by the same command path, and no frame that brings it down."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from adapters.embedded import EmbeddedServers
from api.live.socket import BURST_MESSAGES, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX
from tests.live import LiveService, Ws, a_live_service, bearer, prices, ws
from tests.service import Client, Service, a_name, an_id, bet_body

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def live(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    with a_live_service(tmp_path_factory.mktemp("live"), servers) as running:
        yield running


@pytest.fixture
def alice(live: LiveService) -> Client:
    return live.people.trader()


def own(client: Client) -> str:
    return bearer(client.user)


async def answered(socket: Ws, request_id: str) -> Any:
    await socket.until(lambda s: any(e.data.get("request_id") == request_id for e in s.heard))
    return next(e.data for e in socket.heard if e.data.get("request_id") == request_id)


# ---- topics


async def test_the_topics_are_those_of_the_stream(live: LiveService, alice: Client) -> None:
    market = live.people.operator.market()
    account = alice.account(1_000)
    await live.published()
    async with ws(live.port, own(alice)) as socket:
        await socket.send(type="subscribe", topics=[f"odds.{market}", "bets"], request_id="1")
        assert (await answered(socket, "1"))["topics"] == [f"odds.{market}", "bets"]
        assert (await socket.first("snapshot")).data["topic"] == f"odds.{market}"
        await live.publish(prices(market, 2.5))
        assert (await socket.first("odds")).data["prices"][0]["quotes"][0]["odds"] == 2.5
        bet_id = alice.bet(account, market).ok(201)["bet_id"]
        placed = (await socket.first("bets")).data
        assert (placed["fact"], placed["stream"]) == ("bet.placed", bet_id)


async def test_what_is_unsubscribed_is_told_no_more(live: LiveService, alice: Client) -> None:
    here, there = an_id(), an_id()
    async with ws(live.port, own(alice)) as socket:
        await socket.send(type="subscribe", topics=[f"odds.{here}", f"odds.{there}"])
        await socket.first("snapshot", 2)
        await socket.send(type="unsubscribe", topics=[f"odds.{here}"], request_id="x")
        await answered(socket, "x")
        await live.publish(prices(here, 2.5), prices(there, 3.5))
        await asyncio.sleep(0.3)
        assert {each.data["topic"] for each in socket.of("odds")} == {f"odds.{there}"}


async def test_facts_are_told_from_a_position_on(live: LiveService, alice: Client) -> None:
    account = alice.account()
    positions = [alice.deposit(account, 1).ok(201)["position"] for _ in range(4)]
    await live.published()
    async with ws(live.port, own(alice)) as socket:
        await socket.send(type="subscribe", topics=["accounts"], after=positions[0])
        await socket.until(lambda s: len(s.of("accounts")) == 3)
        positions.append(alice.deposit(account, 1).ok(201)["position"])
        await socket.until(lambda s: len(s.of("accounts")) == 4)
        assert socket.positions("accounts") == positions[1:]


async def test_a_topic_subscribed_again_while_it_catches_up_is_told_once(
    live: LiveService, alice: Client
) -> None:
    account = alice.account()
    positions = [alice.deposit(account, 1).ok(201)["position"] for _ in range(50)]
    await live.published()
    async with ws(live.port, own(alice)) as socket:
        for number in range(4):
            await socket.send(type="subscribe", topics=["accounts"], after=positions[0])
            await socket.send(type="unsubscribe", topics=["accounts"], request_id=str(number))
            await answered(socket, str(number))
        begun = len(socket.heard)
        await socket.send(type="subscribe", topics=["accounts"], after=positions[0])
        await socket.until(lambda s: s.positions("accounts")[-1:] == positions[-1:])
        await asyncio.sleep(0.3)
        told = [each.data["position"] for each in socket.heard[begun:] if each.kind == "accounts"]
    assert told == positions[1:]


async def test_a_trader_hears_nobody_elses_bets(live: LiveService, alice: Client) -> None:
    bob = live.people.trader()
    market = live.people.operator.market()
    account = bob.account(1_000)
    async with ws(live.port, own(alice)) as hers, ws(live.port, own(bob)) as his:
        for socket in (hers, his):
            await socket.send(type="subscribe", topics=["bets", "accounts"])
            await socket.first("subscribed")
        bob.bet(account, market).ok(201)
        await his.first("bets")
        await asyncio.sleep(0.2)
        assert not hers.of("bets")
        assert not hers.of("accounts")


# ---- who asks


async def test_a_first_message_may_say_who_asks(live: LiveService, alice: Client) -> None:
    async with ws(live.port, None) as socket:
        await socket.send(type="auth", token=own(alice), request_id="a")
        assert (await answered(socket, "a")) == {
            "type": "authenticated",
            "request_id": "a",
            "user": alice.user,
        }
        await socket.send(type="ping", request_id="p")
        assert (await answered(socket, "p"))["type"] == "pong"


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic YTpi", ""])
async def test_a_bad_token_in_the_handshake_is_a_401_problem(
    live: LiveService, header: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(
            f"ws://127.0.0.1:{live.port}/v1/ws", additional_headers={"Authorization": header}
        ):
            pass
    response = refused.value.response
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert msgspec.json.decode(response.body)["type"] == "unauthenticated"


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("POST", ""),
        ("GET", "".join(f"X-{number}: a\r\n" for number in range(200))),
        ("GET", f"Cookie: {'a' * 9_000}\r\n"),
    ],
    ids=["method", "many headers", "long header"],
)
async def test_a_handshake_that_is_none_is_answered(
    live: LiveService, method: str, more: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    head = (
        f"{method} /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
    writer.write(head.encode())
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    first, _, body = answer.partition(b"\r\n")
    assert first == b"HTTP/1.1 400 Bad Request"
    assert msgspec.json.decode(body.partition(b"\r\n\r\n")[2])["type"] == "bad_request"


@pytest.mark.parametrize(
    "first",
    [
        '{"type":"auth","token":"nonsense"}',
        '{"type":"ping"}',
        '{"type":"subscribe","topics":["bets"]}',
        "rubbish",
        b"\x00\x01",
    ],
)
async def test_who_does_not_say_who_asks_gets_a_problem_and_is_let_go(
    live: LiveService, first: str | bytes
) -> None:
    async with ws(live.port, None) as socket:
        await socket.send_raw(first)
        problem = await socket.first("problem")
        assert problem.data["problem"]["status"] in {400, 401, 422}
        assert await socket.closed() == 4401


async def test_who_says_nothing_is_let_go_after_five_seconds(live: LiveService) -> None:
    async with ws(live.port, None) as socket:
        assert (await socket.first("problem")).data["problem"]["type"] == "unauthenticated"
        assert await socket.closed() == 4401


async def test_a_token_that_ends_ends_the_socket(live: LiveService, alice: Client) -> None:
    async with ws(live.port, bearer(alice.user, ttl_seconds=4)) as socket:
        assert (await socket.first("end")).data == {"type": "end", "reason": "token_expired"}
        assert await socket.closed() == 4401


# ---- bets


async def test_a_bet_is_placed_and_answered_as_over_http(live: LiveService, alice: Client) -> None:
    market, account = live.people.operator.market(), alice.account(1_000)
    async with ws(live.port, own(alice)) as socket:
        bet = bet_body(account, market, 200, odds=2.125)
        await socket.send(type="place_bet", request_id="b", bet=bet)
        answer = await answered(socket, "b")
    assert answer.pop("type") == "bet"
    assert answer.pop("request_id") == "b"
    assert answer.pop("replayed") is False
    over_http = alice.bet(account, market, 200, odds=2.125).ok(201)
    assert answer.keys() == over_http.keys()
    assert answer["potential_return_minor"] == over_http["potential_return_minor"] == 425
    shown = alice.get(f"/v1/bets/{answer['bet_id']}", after=answer["position"]).ok()
    assert shown["owner"] == alice.user


async def test_a_key_makes_one_bet_over_the_socket_and_http_together(
    live: LiveService, alice: Client
) -> None:
    market, account = live.people.operator.market(), alice.account(1_000)
    body, key = bet_body(account, market, 300), a_name("key")
    async with ws(live.port, own(alice)) as socket:
        for request_id in ("first", "again"):
            message = {"type": "place_bet", "request_id": request_id, "idempotency_key": key}
            await socket.send(**message, bet=body)
        first, again = await answered(socket, "first"), await answered(socket, "again")
        over_http = alice.post("/v1/bets", body, key=key)
        assert over_http.is_replayed
        assert [first["replayed"], again["replayed"]] == [False, True]
        assert first["bet_id"] == again["bet_id"] == over_http.ok(201)["bet_id"]
        other = bet_body(account, market, 301)
        await socket.send(type="place_bet", request_id="other", idempotency_key=key, bet=other)
        problem = await answered(socket, "other")
        assert problem["problem"] == alice.post("/v1/bets", other, key=key).json | {
            "instance": "/v1/ws"
        }
    shown = alice.get(f"/v1/accounts/{account}", after=first["position"]).ok()
    assert shown["in_play_minor"] == 300


@pytest.mark.parametrize(
    "change",
    [
        {"stake_minor": 10**9},
        {"stake_minor": -1},
        {"stake_minor": 1.5},
        {"stake_minor": "100"},
        {"legs": []},
        {"legs": [{"market_id": an_id(), "selection_id": "home", "odds": 2}]},
        {"legs": [{"market_id": "x", "selection_id": "home", "odds": 2}]},
        {"legs": "all"},
        {"account_id": an_id()},
        {"surprise": 1},
        {"kind": "sextuple"},
    ],
)
async def test_a_bet_is_refused_with_the_problem_that_http_gives(
    live: LiveService, alice: Client, change: dict[str, Any]
) -> None:
    market, account = live.people.operator.market(), alice.account(1_000)
    body = bet_body(account, market) | change
    async with ws(live.port, own(alice)) as socket:
        await socket.send(type="place_bet", request_id="r", bet=body)
        answer = await answered(socket, "r")
    assert answer["type"] == "problem"
    assert answer["problem"] == alice.post("/v1/bets", body).json | {"instance": "/v1/ws"}


async def test_odds_in_quotation_marks_are_refused_as_over_http(
    live: LiveService, alice: Client
) -> None:
    body = bet_body(an_id(), an_id())
    body["legs"][0]["odds"] = "2.5"
    async with ws(live.port, own(alice)) as socket:
        await socket.send(type="place_bet", request_id="r", bet=body)
        problem = (await answered(socket, "r"))["problem"]
    assert problem == alice.post("/v1/bets", body).json | {"instance": "/v1/ws"}


async def test_only_traders_and_admins_bet(live: LiveService) -> None:
    async with ws(live.port, bearer("olga", "operator")) as socket:
        await socket.send(type="place_bet", request_id="r", bet=bet_body(an_id(), an_id()))
        assert (await answered(socket, "r"))["problem"]["status"] == 403


async def test_many_bets_at_once_are_all_answered(live: LiveService, alice: Client) -> None:
    market, account = live.people.operator.market(), alice.account(10_000)
    async with ws(live.port, own(alice)) as socket:
        for number in range(100):
            await socket.send(
                type="place_bet", request_id=str(number), bet=bet_body(account, market)
            )
        await socket.until(lambda s: len(s.heard) == 100)
        placed = socket.of("bet")
        refused = socket.of("problem")
    assert {each.data["problem"]["type"] for each in refused} <= {"rate_limited"}
    assert len({each.data["bet_id"] for each in placed}) == len(placed) >= 32
    last = max(each.data["position"] for each in placed)
    shown = alice.get(f"/v1/accounts/{account}", after=last).ok()
    assert shown["in_play_minor"] == 100 * len(placed)


# ---- frames that are none


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        ("", 400),
        ("rubbish", 400),
        ("{", 400),
        ("[]", 400),
        ("null", 400),
        ("{}", 400),
        ('{"type":"shout"}', 400),
        ('{"type":1}', 400),
        ('{"type":"ping","surprise":1}', 400),
        ('{"type":"auth","token":"x"}', 400),
        ('{"type":"subscribe"}', 400),
        ('{"type":"subscribe","topics":"bets"}', 400),
        ('{"type":"subscribe","topics":[]}', 422),
        ('{"type":"subscribe","topics":["everything"]}', 422),
        ('{"type":"subscribe","topics":["bets"],"after":-1}', 400),
        ('{"type":"place_bet"}', 400),
        ('{"type":"place_bet","bet":null}', 400),
        ('{"type":"place_bet","bet":{},"idempotency_key":"ä"}', 400),
        ('{"type":"ping","request_id":1}', 400),
        ("[" * 5_000, 400),
        (b"\x00\xff", 422),
        (b'{"type":"ping"}', 422),
        ("x" * (MESSAGE_BYTES_MAX + 1), 422),
    ],
)
async def test_a_frame_that_is_not_acceptable_gets_a_problem_and_the_socket_goes_on(
    live: LiveService, alice: Client, frame: str | bytes, status: int
) -> None:
    async with ws(live.port, own(alice)) as socket:
        await socket.send_raw(frame)
        problem = (await socket.first("problem")).data["problem"]
        assert problem["status"] == status, problem
        await socket.send(type="ping", request_id="still")
        assert (await answered(socket, "still"))["type"] == "pong"


async def test_a_frame_beyond_all_bounds_closes_the_socket(
    live: LiveService, alice: Client
) -> None:
    async with ws(live.port, own(alice)) as socket:
        await socket.begin_frame(b"x" * (FRAME_BYTES_MAX + 1))
        assert await socket.closed() == 1009


async def test_who_sends_too_much_is_told_and_then_let_go(live: LiveService, alice: Client) -> None:
    async with ws(live.port, own(alice)) as socket:
        for _ in range(BURST_MESSAGES + 100):
            await socket.send(type="ping")
        problem = await socket.first("problem")
        assert problem.data["problem"]["type"] == "rate_limited"
        assert problem.data["retry_after"] == 1
        await asyncio.sleep(1)
        await socket.send(type="ping", request_id="later")
        assert (await answered(socket, "later"))["type"] == "pong"
        with contextlib.suppress(ConnectionClosed):
            for _ in range(20_000):
                await socket.send(type="ping")
        assert await socket.closed() == 1008


async def test_without_nats_streams_say_what_is_missing(
    servers: EmbeddedServers, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> None:
    variables = {**servers.urls.environment(), "DATABASE_URL": service.database_url}
    del variables["NATS_URL"]
    alone = Service(tmp_path_factory.mktemp("alone"), variables)
    alone.start_api()
    try:
        alone.wait_ready()
        client = Client(alone.url, bearer("alice"))
        problem = client.get("/v1/stream", topics="bets").problem(503, "live_unavailable")
        client.close()
        assert "NATS_URL" in problem["detail"]
        with pytest.raises(InvalidStatus) as refused:
            async with ws(alone.port, bearer("alice")):
                pass
        assert refused.value.response.status_code == 503
    finally:
        alone.stop()
