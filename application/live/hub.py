"""The hub: takes every live message once, and hands it to all clients that may see it."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, Final
from uuid import UUID

from application import meters
from application.live.client import Client, price_key
from application.live.following import Following
from application.live.messages import Message, Price, message, one_line, resync, snapshot_message
from application.live.source import LiveUnavailable, Source, TooManyStreams, Views
from application.live.topics import FACTS, SIGNALS, TOPICS_MAX, is_prices, market_of
from domain.actors import Actor
from domain.refusals import InvalidInput

CLIENTS_MAX: Final = 4_000
CLIENTS_OF_USER_MAX: Final = 100
TOPICS_WATCHED_MAX: Final = 20_000
HEARTBEAT_SECONDS: Final = 15.0
STUCK_SECONDS: Final = 30.0
GRACE_SECONDS: Final = 0.4

_log = logging.getLogger("fairbook.live")


class Hub:
    """All open streams of this process. Nothing is watched that no client asked for."""

    def __init__(self, source: Source, views: Views) -> None:
        self._source = source
        self._views = views
        self._following = Following(source, views)
        self._clients: set[Client] = set()
        self._of_user: Counter[str] = Counter()
        self._takers: dict[str, set[Client]] = {}
        self._wheel = self._following.wheel
        self._changing = asyncio.Lock()
        self._snapshots: dict[UUID, asyncio.Task[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    # ---- its life

    async def __aenter__(self) -> "Hub":
        self._source.listen(self._take, self._lose)
        self._begin(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in [*self._tasks]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._following.stop()
        await self._following.stopped()

    @property
    def clients(self) -> int:
        """Number of open streams."""
        return len(self._clients)

    def stop(self) -> None:
        """End all streams; what has not ended in GRACE_SECONDS is cut."""
        self._stopping = True
        for client in self._clients:
            client.end("shutdown")
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._cut)

    def _cut(self) -> None:
        for client in [*self._clients]:
            client.abort()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self) -> None:
        """Every second: heartbeats, tokens that end, clients that are stuck."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now, clock = loop.time(), time.time()
            for client in [*self._clients]:
                if clock >= client.expires_at:
                    client.end("token_expired")
                elif now - client.sent_at >= HEARTBEAT_SECONDS:
                    client.beat()
                if client.writing_since and now - client.writing_since >= STUCK_SECONDS:
                    client.abort()

    # ---- clients come and go

    def open(self, actor: Actor, expires_at: float, abort: Callable[[], None]) -> Client:
        """Make a client for whoever asks; raises TooManyStreams, or LiveUnavailable at the end."""
        if self._stopping:
            raise LiveUnavailable("the service is stopping")
        if len(self._clients) >= CLIENTS_MAX:
            raise LiveUnavailable(
                f"{CLIENTS_MAX} streams are open, which is as many as there may be"
            )
        if self._of_user[actor.user] >= CLIENTS_OF_USER_MAX:
            raise TooManyStreams(f"you have {CLIENTS_OF_USER_MAX} streams open; close some first")
        client = Client(actor, expires_at, self._wheel, abort)
        self._clients.add(client)
        self._of_user[actor.user] += 1
        return client

    async def close(self, client: Client) -> None:
        """Forget a client."""
        if client not in self._clients:
            return
        self._clients.discard(client)
        client.end("gone")
        self._of_user[client.actor.user] -= 1
        if not self._of_user[client.actor.user]:
            del self._of_user[client.actor.user]
        async with self._changing:
            await self._leave(client, client.topics)

    async def subscribe(
        self,
        client: Client,
        topics: Collection[str],
        after: int | None = None,
        *,
        request_id: str | None = None,
    ) -> None:
        """Tell a client what is published on these topics, and of facts also what was since `after`.

        Prices begin with a snapshot. Raises InvalidInput or LiveUnavailable; then nothing has changed.
        """
        new = [topic for topic in topics if topic not in client.topics]
        if len(client.topics) + len(new) > TOPICS_MAX:
            raise InvalidInput(f"at most {TOPICS_MAX} topics", field="topics")
        markets = [(topic, id_) for topic in new if (id_ := market_of(topic)) is not None]
        facts = [topic for topic in new if topic in FACTS]
        position, behind = None, set[str]()
        async with self._changing:
            try:
                await self._join(client, [topic for topic in new if topic not in FACTS])
                if facts:
                    position, behind = await self._following.join(client, facts, after)
            except BaseException:
                await self._leave(client, new)
                raise
        client.expect_snapshots(len(markets))
        members: dict[str, Any] = {} if position is None else {"after": position}
        members |= _named(request_id)
        client.say(message("subscribed", position=position, topics=list(topics), **members))
        if behind:
            self._begin(self._following.catch_up(client, behind, position or 0))
        if markets:
            self._begin(self._show(client, markets))

    async def unsubscribe(
        self, client: Client, topics: Collection[str], *, request_id: str | None = None
    ) -> None:
        """Tell a client no more of these topics."""
        async with self._changing:
            await self._leave(client, [topic for topic in topics if topic in client.topics])
        client.say(message("unsubscribed", topics=list(topics), **_named(request_id)))

    async def _join(self, client: Client, topics: list[str]) -> None:
        unwatched = [topic for topic in topics if topic not in self._takers]
        if len(self._takers) + len(unwatched) > TOPICS_WATCHED_MAX:
            raise LiveUnavailable(f"{TOPICS_WATCHED_MAX} topics are watched, which is the most")
        if topics:
            await self._source.watch(unwatched)
        for topic in topics:
            self._takers.setdefault(topic, set()).add(client)
        client.topics.update(topics)

    async def _leave(self, client: Client, topics: Iterable[str]) -> None:
        left = [*topics]
        client.topics.difference_update(left)
        client.forget(left)
        unwatched = []
        for topic in left:
            if (takers := self._takers.get(topic)) is not None:
                takers.discard(client)
                if not takers:
                    del self._takers[topic]
                    unwatched.append(topic)
        if unwatched:
            await self._source.forget(unwatched)
        self._following.leave(client, [topic for topic in left if topic in FACTS])

    # ---- the prices that are

    async def _show(self, client: Client, markets: list[tuple[str, UUID]]) -> None:
        for topic, market_id in markets:
            note: Message
            try:
                note = snapshot_message(topic, await self._snapshot(market_id))
            except Exception as error:  # noqa: BLE001  whatever it is, the prices that come are told
                _log.warning("no snapshot of market %s: %s", market_id, error)
                note = resync([topic], "no_snapshot")
            client.say(note)
            client.expect_snapshots(-1)

    async def _snapshot(self, market_id: UUID) -> bytes:
        """Give a market's prices; who asks while somebody else does shares the answer."""
        asked = self._snapshots.get(market_id)
        if asked is None:
            asked = asyncio.create_task(self._views.prices(market_id))
            self._snapshots[market_id] = asked
            asked.add_done_callback(lambda _: self._snapshots.pop(market_id, None))
        return await asyncio.shield(asked)

    # ---- messages come

    def _take(self, topic: str, body: bytes) -> None:
        takers = self._takers.get(topic)
        if not takers:
            return
        received = asyncio.get_running_loop().time()
        try:
            if is_prices(topic):
                price = Price.read(body, received)
                key = price_key(topic, price)
                for client in takers:
                    client.add_price(key, price)
            else:
                line = one_line(body)
                for client in takers:
                    client.add_signal(topic, line, received)
        except (ValueError, RecursionError) as error:
            # Who consumes the stream keeps it as a dead letter; here it is only not passed on.
            meters.live_refused.add(labels=("odds" if is_prices(topic) else topic,))
            _log.info("a message on %s is none: %s", topic, error)

    def _lose(self, topic: str | None) -> None:
        for client in self._clients:
            live = {each for each in client.topics if each in SIGNALS or is_prices(each)}
            if missed := live if topic is None else live & {topic}:
                client.lose(sorted(missed))


def _named(request_id: str | None) -> dict[str, Any]:
    return {} if request_id is None else {"request_id": request_id}
