"""Publishing many messages at once, each answered by JetStream and sent again under its id until it is."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from msgspec import Struct
from nats.aio.msg import Msg

from adapters.nats import meters
from adapters.nats.connection import AWAY, Connection, cancelled, connected, packed, packed_headers
from adapters.nats.limits import StreamLimits
from adapters.nats.streams import ensure_streams

IN_FLIGHT_MAX: Final = 1_000
ANSWER_SECONDS: Final = 2.0
RECONNECT_SECONDS: Final = (0.1, 2.0)
BAD_REQUEST: Final = 400
"""JetStream's code for what will not be taken however often it is sent."""

_log = logging.getLogger("fairbook.publisher")


class PublishRefused(Exception):  # noqa: N818  the server's answer
    """NATS will not take some messages, or some cannot be sent; the message names the first and says why."""


class _Sent(Struct):
    """A message that is not answered yet."""

    subject: str
    headers: bytes
    data: bytes
    sent_at: float


class Publisher:
    """Publishes between `async with` and its end; it connects again by itself, and then sends what is unanswered again.

    The streams remember ids for two minutes: within that, what is sent again is stored once. Messages keep their order unless
    one has to be sent again.
    """

    def __init__(self, url: str, limits: StreamLimits, name: str) -> None:
        self._url = url
        self._limits = limits
        self._name = name
        self._connection: Connection | None = None
        self._inbox = ""
        self._number = 0
        self._unanswered: dict[int, _Sent] = {}
        self._room = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._all_answered = asyncio.Event()
        self._refusal: str | None = None
        self._fault: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay_connected(), name=f"publisher {self._name}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._task is not None:
            await cancelled(self._task)
        if self._unanswered:
            _log.warning("%s: %d messages are unanswered", self._name, len(self._unanswered))

    async def publish(
        self,
        subject: str,
        data: bytes,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a message; it waits only while 1,000 are unanswered. When `flush` returns, it is stored.

        Raises:
            StreamRefused: the streams cannot be as declared.
        """
        await self._room.acquire()
        self._check()
        self._number += 1
        sent = _Sent(
            subject, packed_headers({"Nats-Msg-Id": message_id, **(headers or {})}), data, 0.0
        )
        self._unanswered[self._number] = sent
        if self._connection is not None:
            await self._send(self._connection, {self._number: sent})

    async def flush(self) -> None:
        """Wait until everything that was published is stored, however long NATS is away.

        Raises:
            PublishRefused: some of it never will be.
            StreamRefused: the streams cannot be as declared.
        """
        while self._unanswered:
            self._check()
            self._all_answered.clear()
            await self._all_answered.wait()
        self._check()
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            raise PublishRefused(refusal)

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault

    # ---- sending

    async def _stay_connected(self) -> None:
        pause = RECONNECT_SECONDS[0]
        while True:
            try:
                async with connected(self._url, self._name) as connection:
                    await ensure_streams(connection.jetstream, self._limits)
                    self._inbox = connection.client.new_inbox()
                    await connection.client.subscribe(f"{self._inbox}.*", cb=self._answered)
                    await self._send(connection, dict(self._unanswered))
                    self._connection = connection
                    pause = RECONNECT_SECONDS[0]
                    await self._send_again(connection)
            except AWAY as error:
                said = f"{type(error).__name__} {error}".strip()
                _log.warning("%s connects again: %s", self._name, said)
            except Exception as error:  # noqa: BLE001  whoever publishes is told, and does not wait for ever
                self._fault = error
                self._all_answered.set()
                for _ in range(IN_FLIGHT_MAX):
                    self._room.release()
                return
            finally:
                self._connection = None
            await asyncio.sleep(pause)
            pause = min(2 * pause, RECONNECT_SECONDS[1])

    async def _send_again(self, connection: Connection) -> None:
        """Send again what got no answer, as long as the connection lives."""
        gone = asyncio.Event()
        connection.when_lost(gone.set)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS / 4):
                    await gone.wait()
            connection.check()
            before = time.monotonic() - ANSWER_SECONDS
            late = {at: sent for at, sent in self._unanswered.items() if sent.sent_at < before}
            if late:
                meters.publish_retries.add(len(late), (self._name,))
                await self._send(connection, late)

    async def _send(self, connection: Connection, messages: Mapping[int, _Sent]) -> None:
        now = time.monotonic()
        most = connection.client.max_payload
        commands = []
        for number, sent in messages.items():
            size = len(sent.headers) + len(sent.data)
            if size > most:
                self._refused(
                    number, f"{size} bytes are more than the {most} that NATS lets through"
                )
                continue
            sent.sent_at = now
            reply = f"{self._inbox}.{number}"
            commands.append(packed(sent.subject, reply, sent.headers, sent.data))
        try:
            await connection.send(b"".join(commands))
        except AWAY as error:
            _log.debug("sent again later: %s", error)

    # ---- answers

    async def _answered(self, message: Msg) -> None:
        number = int(message.subject.rpartition(".")[2])
        if (
            number not in self._unanswered or not message.data
        ):  # no stream is there: sent again later
            return
        answer = json.loads(message.data)
        if refused := answer.get("error"):
            if refused.get("code") == BAD_REQUEST:
                self._refused(number, refused.get("description", str(refused)))
            return
        meters.published.add(labels=(self._name,))
        self._forget(number)

    def _refused(self, number: int, why: str) -> None:
        subject = self._unanswered[number].subject
        meters.publish_refused.add(labels=(self._name,))
        _log.error("message refused: %s", why, extra={"subject": subject})
        if self._refusal is None:
            self._refusal = f"{subject}: {why}"
        self._forget(number)

    def _forget(self, number: int) -> None:
        del self._unanswered[number]
        self._room.release()
        if not self._unanswered:
            self._all_answered.set()
