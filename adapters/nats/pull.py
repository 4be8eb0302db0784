"""Pulling messages from a consumer: a standing request, renewed while there is room for more."""

import asyncio
import json
import logging
from collections import deque
from types import TracebackType
from typing import Final, Self

from msgspec import Struct
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from adapters.nats.connection import AWAY, Connection, ConnectionLost

REQUEST_SECONDS: Final = 30
HEARTBEAT_SECONDS: Final = 2
"""The server says so often that it is there; when two are missed, the request is taken for lost."""

NANOSECONDS: Final = 1_000_000_000
HEARTBEAT: Final = "100"
ENDED: Final = frozenset({"404", "408"})
"""Statuses with which a request ends in good order."""

_log = logging.getLogger("fairbook.nats")


class Message(Struct, frozen=True, gc=False):
    """A message of a stream as a consumer got it.

    `sequence` is its place in the stream, `delivery` counts what the consumer was sent, `tries` how often this message was.
    """

    subject: str
    data: bytes
    headers: dict[str, str]
    sequence: int
    delivery: int
    tries: int
    reply: str


def _message(raw: Msg) -> Message:
    # $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<tries>.<sequence>.<delivery>.<time>.<pending>[.<token>]
    words = raw.reply.split(".")
    at = 4 if len(words) == 9 else 6  # noqa: PLR2004  the short form has nine words
    return Message(
        raw.subject,
        raw.data,
        raw.headers or {},
        sequence=int(words[at + 1]),
        delivery=int(words[at + 2]),
        tries=int(words[at]),
        reply=raw.reply,
    )


class Pull:
    """Messages of one consumer over one connection, between `async with` and its end.

    At most `room` messages wait here. Nothing is asked for before `take`: with room for one, none waits while another is handled.
    """

    def __init__(self, connection: Connection, stream: str, consumer: str, room: int) -> None:
        self._connection = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = connection.client.new_inbox()
        self._room = room
        self._asked = 0
        self._waiting: deque[Message] = deque()
        self._wake = asyncio.Event()
        self._heard_at = 0.0
        self._broken: str | None = None
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._subscription = await self._connection.client.subscribe(
            self._inbox, cb=self._take, pending_bytes_limit=0
        )
        self._connection.when_lost(self._wake.set)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._subscription is not None and not self._connection.lost:
            try:
                await self._subscription.unsubscribe()
            except AWAY as gone:
                _log.debug("unsubscribe: %s", gone)

    async def take(self, most: int, seconds: float) -> list[Message]:
        """Give what is there, at most so many messages; wait at most so long for the first one.

        Raises:
            ConnectionLost: the connection or the consumer is gone, or the server is silent.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + seconds
        await self._ask()
        while not self._waiting:
            self._check(loop.time())
            await self._ask()
            left = min(give_up_at - loop.time(), HEARTBEAT_SECONDS)
            if left <= 0:
                return []
            self._wake.clear()
            timer = loop.call_later(left, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(most, len(waiting)))]

    def _check(self, now: float) -> None:
        self._connection.check()
        if self._broken is not None:
            raise ConnectionLost(self._broken)
        if self._asked and now - self._heard_at > 2 * HEARTBEAT_SECONDS + 1:
            raise ConnectionLost("the consumer is silent")

    async def _ask(self) -> None:
        """Ask for as many as there is room for, once less than half of that is asked for."""
        more = self._room - self._asked - len(self._waiting)
        if more <= 0 or self._asked > self._room // 2 or self._connection.lost:
            return
        self._asked += more
        self._heard_at = asyncio.get_running_loop().time()
        request = {
            "batch": more,
            "expires": REQUEST_SECONDS * NANOSECONDS,
            "idle_heartbeat": HEARTBEAT_SECONDS * NANOSECONDS,
        }
        await self._connection.client.publish(
            self._subject, json.dumps(request).encode(), reply=self._inbox
        )

    async def _take(self, raw: Msg) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if raw.reply:
            self._waiting.append(_message(raw))
            self._asked -= 1
        else:
            status = (raw.headers or {}).get("Status", "")
            if status == HEARTBEAT:
                return
            if status in ENDED:
                unserved = (raw.headers or {}).get("Nats-Pending-Messages", "0")
                self._asked = max(0, self._asked - int(unserved))
            else:
                said = (raw.headers or {}).get("Description", "")
                self._broken = f"the consumer says {status} {said}".strip()
        self._wake.set()
