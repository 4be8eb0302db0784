"""Live streams under fire: whatever is killed, facts are neither missed nor doubled, and a stop does not hang."""

import asyncio
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from uuid import UUID, uuid4

import pytest

from adapters.embedded import EmbeddedServers
from adapters.embedded.processes import wait_until
from tests.live import LiveService, Sse, a_live_service, bearer, prices, sse, ws
from tests.service import an_id

pytestmark = pytest.mark.anyio

STREAMS = 50
STOP_SECONDS = 9.0
"""More than it takes, also on a busy machine; a stop that waits for streams would take ten."""


@pytest.fixture(scope="module")
def live(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    with a_live_service(tmp_path_factory.mktemp("live"), servers) as running:
        yield running


class Reader:
    """A client that connects again whenever its stream ends, from the last fact that it heard."""

    def __init__(self, live: LiveService, user: str) -> None:
        self._live, self._bearer = live, bearer(user)
        self.after = live.service.head()
        self.told: list[int] = []
        self.connected = 0

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.05)

    async def _listen(self) -> None:
        async with sse(
            self._live.port, "accounts", self._bearer, Last_Event_ID=self.after
        ) as stream:
            if stream.status != 200:
                await asyncio.sleep(0.05)
                return
            self.connected += 1
            before = list(self.told)
            try:
                while not stream.ended:  # noqa: ASYNC110  whoever reads tells nobody
                    await asyncio.sleep(0.01)
            finally:
                self.told = before + stream.positions("accounts")
                self.after = self.told[-1] if self.told else self.after


async def survives(live: LiveService, kill: Callable[[], None], times: int) -> None:
    """Write without pause, kill now and then, and hold what was heard against what was written."""
    alice = live.people.trader()
    account = alice.account()
    await live.published()
    reader = Reader(live, alice.user)
    reading = asyncio.create_task(reader.run())
    written: list[int] = []
    stopping = asyncio.Event()

    def deposit(number: int) -> int | None:
        try:
            answer = alice.deposit(account, 1, key=f"{account}-{number}")
        except (OSError, HTTPException):
            return None
        return answer.json["position"] if answer.status == 201 else None

    async def write() -> None:
        number = 0
        while not stopping.is_set():
            position = await asyncio.to_thread(deposit, number)
            if position is None:
                await asyncio.sleep(0.05)  # sent again under its key
                continue
            number += 1
            written.append(position)

    async def some_more() -> None:
        """Let it write for a while, on a busy machine for longer."""
        wanted = len(written) + 5
        await asyncio.sleep(0.7)
        async with asyncio.timeout(60):
            while len(written) < wanted:  # noqa: ASYNC110  whoever writes tells nobody
                await asyncio.sleep(0.01)

    writing = asyncio.create_task(write())
    for _ in range(times):
        await some_more()
        kill()  # in this thread: what a thread has started ends with it
        await asyncio.to_thread(live.service.wait_ready)
    await some_more()
    stopping.set()
    await writing
    await asyncio.to_thread(live.service.wait_ready)
    await live.published()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    async with sse(live.port, "accounts", bearer(alice.user), Last_Event_ID=reader.after) as last:
        await last.until(lambda s: (reader.told + s.positions("accounts"))[-1:] == written[-1:])
        told = reader.told + last.positions("accounts")
    assert len(written) > 10
    assert told == written


async def test_facts_survive_the_killing_of_the_api(live: LiveService) -> None:
    def kill() -> None:
        live.service.api.kill()
        live.service.start_api()

    await survives(live, kill, times=2)


async def test_facts_survive_the_killing_of_nats(live: LiveService) -> None:
    def kill() -> None:
        live.nats.kill()
        live.nats.start_again()

    await survives(live, kill, times=3)


async def test_facts_survive_the_killing_of_the_outbox(live: LiveService) -> None:
    def kill() -> None:
        live.handlers.kill()
        live.handlers.start()

    await survives(live, kill, times=2)


async def test_after_nats_was_away_streams_are_told_and_prices_come_again(
    live: LiveService,
) -> None:
    market = an_id()
    async with sse(live.port, f"odds.{market},arbitrage", bearer("alice")) as stream:
        await stream.first("snapshot")
        live.nats.kill()

        async def is_refused() -> bool:
            async with sse(live.port, "arbitrage", bearer("bob")) as other:
                return other.status == 503 and other.problem["type"] == "live_unavailable"

        async with asyncio.timeout(60):
            while not await is_refused():  # noqa: ASYNC110  the service may take a moment to notice
                await asyncio.sleep(0.05)
        live.nats.start_again()
        note = await stream.first("resync")
        assert note.data == {
            "type": "resync",
            "topics": ["arbitrage", f"odds.{market}"],
            "reason": "missed",
            "read": ["/v1/arbitrage", f"/v1/markets/{market}/odds"],
        }
        await live.publish(prices(market, 2.5))
        await stream.first("odds")
    await asyncio.to_thread(live.service.wait_ready)


async def test_the_service_stops_at_once_with_many_streams_open_and_tells_them(
    live: LiveService,
) -> None:
    users = [bearer(f"user-{number}") for number in range(STREAMS)]
    contexts = [sse(live.port, f"odds.{an_id()}", user) for user in users]
    streams = [await each.__aenter__() for each in contexts]
    fixture = uuid4()
    async with (
        ws(live.port, bearer("alice")) as socket,
        sse(live.port, f"odds.fixture.{fixture}", bearer("stuck"), receive_buffer=4_096) as stuck,
    ):
        await stuck.first("subscribed")
        await make_stuck(live, stuck, fixture)
        await socket.send(type="subscribe", topics=["markets"])
        await socket.first("subscribed")
        for stream in streams:
            await stream.first("snapshot")
        begun = time.monotonic()
        live.service.api.ask_to_stop()
        gone = await asyncio.to_thread(
            wait_until, lambda: live.service.api.exit_status is not None, 60
        )
        seconds = time.monotonic() - begun
        assert gone
        for stream in streams:
            await stream.until(lambda s: s.ended)
            assert stream.heard[-1].data == {"type": "end", "reason": "shutdown"}
        assert (await socket.first("end")).data["reason"] == "shutdown"
    for each in contexts:
        await each.__aexit__(None, None, None)
    live.service.start_api()
    await asyncio.to_thread(live.service.wait_ready)
    assert seconds < STOP_SECONDS


async def make_stuck(live: LiveService, stream: Sse, fixture: UUID) -> None:
    """Fill a client's connection until the service keeps prices back and drops the oldest of them."""
    stream.pause()
    dropped = live.metric("fairbook_live_dropped_total")
    async with asyncio.timeout(30):
        while live.metric("fairbook_live_dropped_total") == dropped:
            await live.publish(*(prices(uuid4(), 2, fixture_id=fixture) for _ in range(2_000)))
            await asyncio.sleep(0.15)
