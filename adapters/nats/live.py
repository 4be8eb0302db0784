"""What the live hub listens to: core subscriptions for prices and signals, JetStream consumers for facts."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from types import TracebackType
from typing import Final, Self

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from adapters.nats.connection import AWAY, Connection, ConnectionLost, cancelled, connected
from adapters.nats.streams import LEDGER
from application.live.source import Fact, LiveUnavailable
from application.live.topics import FIXTURE, MARKET

AGAIN_SECONDS: Final = 0.25
PENDING_MESSAGES_MAX: Final = 20_000
PENDING_BYTES_MAX: Final = 16_000_000
PULL_MESSAGES: Final = 1_000
PULL_SECONDS: Final = 20
HEARTBEAT_SECONDS: Final = 2
SILENCE_SECONDS: Final = 3 * HEARTBEAT_SECONDS
FORGOTTEN_SECONDS: Final = 60
"""The server forgets a consumer that nobody pulls from for so long."""
_NANOSECONDS: Final = 1_000_000_000

_Ack = tuple[int, int, int]

_log = logging.getLogger("fairbook.live")


class NatsLive:
    """An application.live.source.Source that connects again by itself; only what is watched is subscribed to."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._is_there = asyncio.Event()
        self._watched: dict[str, Subscription | None] = {}
        self._consumers: set[_Consumer] = set()
        self._take: Callable[[str, bytes], None] = lambda _topic, _body: None
        self._tell_lost: Callable[[str | None], None] = lambda _topic: None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay_connected(), name="live connection")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._task is not None:
            await cancelled(self._task)

    async def _stay_connected(self) -> None:
        is_away = False
        while True:
            try:
                async with connected(self._url, "live") as connection:
                    gone = asyncio.Event()
                    connection.when_lost(gone.set)
                    self._watched = dict.fromkeys(self._watched)
                    await self._subscribe(connection, [*self._watched])
                    self._connection = connection
                    self._is_there.set()
                    if is_away:
                        is_away = False
                        _log.warning("NATS is back")
                        self._tell_lost(None)
                    await gone.wait()
            except AWAY as error:
                if not is_away:
                    _log.warning(
                        "no live streams: NATS is away: %s %s", type(error).__name__, error
                    )
            finally:
                self._is_there.clear()
                self._connection = None
                for consumer in self._consumers:
                    consumer.interrupt()
            is_away = True
            await asyncio.sleep(AGAIN_SECONDS)

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.lost:
            raise LiveUnavailable("NATS is away; try again in a moment")
        return self._connection

    # ---- prices and signals

    def listen(
        self, take: Callable[[str, bytes], None], lost: Callable[[str | None], None]
    ) -> None:
        """Say who takes messages, and who hears that some were lost."""
        self._take, self._tell_lost = take, lost

    async def watch(self, topics: Collection[str]) -> None:
        """Take what is published on these topics too, from now on."""
        connection = self._connected()
        if not topics:
            return
        try:
            await self._subscribe(connection, topics)
        except AWAY as error:
            await self.forget(topics)
            raise LiveUnavailable("NATS is away; try again in a moment") from error

    async def _subscribe(self, connection: Connection, topics: Collection[str]) -> None:
        for topic in topics:
            self._watched[topic] = await connection.client.subscribe(
                _subject(topic),
                cb=self._taker(topic),
                pending_msgs_limit=PENDING_MESSAGES_MAX,
                pending_bytes_limit=PENDING_BYTES_MAX,
            )
        # When it has answered, the server knows the subscriptions.
        await connection.client.flush(timeout=2)

    def _taker(self, topic: str) -> Callable[[Msg], Awaitable[None]]:
        take = self._take

        async def taken(message: Msg) -> None:
            take(topic, message.data)

        return taken

    async def forget(self, topics: Collection[str]) -> None:
        """Take it no more."""
        for topic in topics:
            subscription = self._watched.pop(topic, None)
            if subscription is not None:
                with contextlib.suppress(*AWAY):  # with the connection, the subscription is gone
                    await subscription.unsubscribe()

    # ---- facts

    async def bounds(self) -> tuple[int, int]:
        """Give the positions of the first and the last fact that are there."""
        try:
            state = (await self._connected().jetstream.stream_info(LEDGER)).state
        except NotFoundError as error:
            raise LiveUnavailable(
                "the ledger is not published yet: `fairbook handle` does that"
            ) from error
        except AWAY as error:
            raise LiveUnavailable("NATS is away; try again in a moment") from error
        return state.first_seq, state.last_seq

    async def facts(
        self, after: int, words: Collection[str] = ()
    ) -> AsyncGenerator[Sequence[Fact], None]:
        """Give facts after a position in order, for ever: all, or those whose topics begin with one of these words."""
        while True:
            await self._is_there.wait()
            try:
                async with self._consumer(after, words) as consumer:
                    while True:
                        facts, _ = await consumer.pull()
                        if facts:
                            yield facts
                            after = facts[-1].position
            except (LiveUnavailable, NotFoundError, _Interrupted, *AWAY) as error:
                _log.info("facts are asked for anew after %s: %s", after, error)
                await asyncio.sleep(AGAIN_SECONDS)

    async def history(
        self, after: int, upto: int, words: Collection[str]
    ) -> AsyncGenerator[Sequence[Fact], None]:
        """Give the facts after a position up to another whose ledger topics begin with one of these words."""
        try:
            async with self._consumer(after, words) as consumer:
                pending = consumer.pending
                while pending and after < upto:
                    facts, pending = await consumer.pull()
                    if not facts:
                        raise LiveUnavailable("the published ledger does not answer")
                    after = facts[-1].position
                    yield [fact for fact in facts if fact.position <= upto]
        except (NotFoundError, _Interrupted, *AWAY) as error:
            raise LiveUnavailable(f"the published ledger cannot be read: {error}") from error

    @contextlib.asynccontextmanager
    async def _consumer(
        self, after: int, words: Collection[str] = ()
    ) -> "AsyncIterator[_Consumer]":
        """Make a consumer of the stream LEDGER that begins after a position, and forget it at the end."""
        consumer = _Consumer(self._connected())
        self._consumers.add(consumer)
        try:
            await consumer.open(after, words)
            yield consumer
        finally:
            self._consumers.discard(consumer)
            await consumer.close()


def _subject(topic: str) -> str:
    if topic.startswith(FIXTURE):
        return f"odds.*.{topic.removeprefix(FIXTURE)}.*"
    if topic.startswith(MARKET):
        return f"odds.*.*.{topic.removeprefix(MARKET)}"
    return f"signals.{topic}.>"


class _Interrupted(Exception):  # noqa: N818  a state: whoever reads begins anew
    """A consumer has missed something, or is gone."""


class _Consumer:
    """Pulls facts a thousand at a time, so that whoever is slow is not flooded, and sees that none is missing."""

    def __init__(self, connection: Connection) -> None:
        self.pending = 0
        self._connection = connection
        self._inbox = connection.client.new_inbox()
        self._messages: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._subscription: Subscription | None = None
        self._name = ""
        self._asked = 0
        self._seen = 0

    async def open(self, after: int, words: Collection[str]) -> None:
        self._subscription = await self._connection.client.subscribe(self._inbox, cb=self._put)
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=AckPolicy.NONE,
            filter_subjects=[f"ledger.{word}.>" for word in words] or None,
            inactive_threshold=FORGOTTEN_SECONDS,
            num_replicas=1,
            mem_storage=True,
        )
        made = await self._connection.jetstream.add_consumer(LEDGER, config)
        self._name = made.name
        self.pending = made.num_pending or 0

    async def close(self) -> None:
        with contextlib.suppress(*AWAY, NotFoundError):  # then it is gone already
            if self._subscription is not None:
                await self._subscription.unsubscribe()
            if self._name:
                await self._connection.jetstream.delete_consumer(LEDGER, self._name)

    def interrupt(self) -> None:
        """Say that the connection is gone."""
        self._messages.put_nowait(None)

    async def _put(self, message: Msg) -> None:
        self._messages.put_nowait(message)

    async def pull(self) -> tuple[list[Fact], int]:
        """Wait for the next facts, and tell how many are there after them; none when only a heartbeat came."""
        if self._asked <= PULL_MESSAGES // 2:
            await self._ask()
        facts: list[Fact] = []
        async with asyncio.timeout(SILENCE_SECONDS):
            message = await self._messages.get()
        while True:
            if message is None:
                raise ConnectionLost("the connection to NATS was lost")
            if fact := self._read(message):
                facts.append(fact)
            if self._messages.empty() or len(facts) >= PULL_MESSAGES:
                return facts, self.pending
            message = self._messages.get_nowait()

    async def _ask(self) -> None:
        request = {
            "batch": PULL_MESSAGES,
            "expires": PULL_SECONDS * _NANOSECONDS,
            "idle_heartbeat": HEARTBEAT_SECONDS * _NANOSECONDS,
        }
        await self._connection.client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{LEDGER}.{self._name}",
            json.dumps(request).encode(),
            self._inbox,
        )
        self._asked += PULL_MESSAGES

    def _read(self, message: Msg) -> Fact | None:
        if not message.reply.startswith("$JS.ACK."):
            self._heed(message)
            return None
        position, number, self.pending = _ack(message.reply)
        if number != self._seen + 1:
            raise _Interrupted(f"message {number} of the consumer came after {self._seen}")
        self._seen = number
        self._asked -= 1
        topic = message.subject.removeprefix("ledger.").rpartition(".")[0]
        return Fact(position, topic, message.data)

    def _heed(self, message: Msg) -> None:
        """Take what the server says instead of a message."""
        headers = message.headers or {}
        status = headers.get("Status", "")
        if status == "100":
            return
        if status == "408":  # a request has run out
            self._asked -= int(headers.get("Nats-Pending-Messages", "0"))
            return
        raise _Interrupted(f"{status} {headers.get('Description', '')}")


def _ack(reply: str) -> _Ack:
    """Give stream sequence, consumer sequence and number of messages still to come, from $JS.ACK.….

    In the newer form domain and account come before the stream's name, and a random word last.
    """
    words = reply.split(".")
    first = 5 if len(words) == 9 else 7  # noqa: PLR2004  (see above)
    return int(words[first]), int(words[first + 1]), int(words[first + 3])
