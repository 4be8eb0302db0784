"""Durable consumers with explicit acknowledgements: nothing counts as handled before it is, nothing is dropped silently.

Two ways to use one. `run(handle)` handles message by message: what fails comes again, later each time, and after the last try is
kept as a dead letter with the reason. `batches` is for a handler whose work is durable only later and that needs the order of
the stream: it holds messages, acknowledges many at once with `done`, and after any break gets again, in order, what it has
not had yet.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Final, Self

from msgspec import Struct
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from adapters.nats import meters
from adapters.nats.connection import AWAY, Connection, ConnectionLost, connected
from adapters.nats.limits import StreamLimits
from adapters.nats.pull import Message, Pull
from adapters.nats.streams import DEAD, ensure_streams

TRIES: Final = 5
ACK_SECONDS: Final = 30.0
UNACKNOWLEDGED_MAX: Final = 20_000
PULLED_MAX: Final = 2_000
RETRY_SECONDS: Final = (0.5, 60.0)
RECONNECT_SECONDS: Final = (0.1, 2.0)
REASON_LETTERS: Final = 500
HEADERS_ROOM_BYTES: Final = 4_096
SUBJECT_BYTES: Final = 2_000
"""Of a dead letter's subject: the server hangs up on whoever sends a line of more than 4,096."""

REASON: Final = "Fairbook-Reason"
TRIED: Final = "Fairbook-Tries"
STREAM: Final = "Fairbook-Stream"
SEQUENCE: Final = "Fairbook-Sequence"
CUT: Final = "Fairbook-Cut-Bytes"
"""On a dead letter whose payload is cut short because the server lets no more through: how large it was."""

_log = logging.getLogger("fairbook.consumer")

ACK: Final = b"+ACK"
IN_PROGRESS: Final = b"+WPI"
TERM: Final = b"+TERM"

Handle = Callable[[Message], Awaitable[None]]


class Reject(Exception):  # noqa: N818  a verdict on the message, not a fault
    """The message can never be handled: it becomes a dead letter at once; the text is the reason."""


class _Session(Struct):
    """What lives as long as one connection."""

    connection: Connection
    pull: Pull
    next_delivery: int = 1


class _Held(Struct):
    """A message that was handed out in order and is not done; `reply` is the address of its newest delivery."""

    message: Message
    reply: str


class DurableConsumer:
    """One durable consumer of a stream, between `async with` and its end; it connects again by itself.

    One process at a time uses a durable with `batches` (its handler leads by an advisory lock).
    """

    def __init__(
        self,
        url: str,
        limits: StreamLimits,
        *,
        stream: str,
        durable: str,
        filter_subject: str,
        tries: int = TRIES,
        ack_seconds: float = ACK_SECONDS,
        retry_seconds: float = RETRY_SECONDS[0],
    ) -> None:
        self._url = url
        self._limits = limits
        self._stream = stream
        self._durable = durable
        self._filter_subject = filter_subject
        self._tries = tries
        self._ack_seconds = ack_seconds
        self._retry_seconds = retry_seconds
        self._in_order = False
        self._stack = contextlib.AsyncExitStack()
        self._session: _Session | None = None
        self._opening = asyncio.Lock()
        self._pause = RECONNECT_SECONDS[0]
        # For the order: the newest message that was handed out, and those that are not done.
        self._newest: Message | None = None
        self._held: dict[int, _Held] = {}
        self._born: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._close()

    # ---- batches, in the order of the stream

    async def batches(
        self, max_messages: int = 500, max_wait_seconds: float = 1.0
    ) -> AsyncIterator[list[Message]]:
        """Give batches for ever, each message once in this process and in the stream's order.

        A batch is what is there: at least one message, or none when nothing came for `max_wait_seconds`. A message stays the
        caller's until the very same object goes to `done` or `dead_letter`; with 20,000 held, no more come. After a break
        of the connection or of NATS they go on as if nothing had happened, unless the stream lost what it held: then all that
        it holds and is not done is given anew. After the end of this process the next one gets
        everything after the last message before which all are done, in order: also what was done behind it.
        """
        self._in_order = True
        while True:
            yield await self._next(max_messages, max_wait_seconds)

    async def done(self, messages: Iterable[Message]) -> None:
        """Acknowledge messages, without waiting for the server; one that gets lost is said again when it comes again."""
        await self._answer(messages, ACK, forget=True)

    async def is_drained(self) -> bool:
        """Tell whether the stream holds nothing for this consumer that `batches` has not handed out."""
        try:
            session = await self._opened()
            jetstream = session.connection.jetstream
            info = await jetstream.consumer_info(self._stream, self._durable)
        except AWAY:
            return False
        delivered = info.delivered.consumer_seq if info.delivered else 0
        return info.num_pending == 0 and delivered == session.next_delivery - 1

    async def in_progress(self, messages: Iterable[Message]) -> None:
        """Ask for more time for messages."""
        await self._answer(messages, IN_PROGRESS, forget=False)

    async def dead_letter(self, message: Message, reason: str) -> None:
        """Keep a message that cannot be handled, with the reason; it is done only once it is kept, however long that takes."""
        while True:
            try:
                session = await self._opened()
                await self._keep(session.connection, message, reason)
                break
            except AWAY as error:
                await self._lost(error)
        meters.dead_letters.add(labels=(self._durable,))
        _log.warning(
            "dead letter: %s",
            reason,
            extra={"subject": message.subject, "sequence": message.sequence},
        )
        await self._answer([message], TERM, forget=True)

    # ---- message by message

    async def run(self, handle: Handle) -> None:
        """Handle messages until cancelled; what `handle` raises (but Reject) is tried again later."""
        while True:
            for message in await self._next(1, self._ack_seconds):
                await self._handle(message, handle)

    async def _handle(self, message: Message, handle: Handle) -> None:
        if message.tries > self._tries:
            # Whoever had it ended each time before it could say anything.
            reason = f"no answer in {self._tries} tries: its handler ended or was too slow"
            await self.dead_letter(message, reason)
            return
        try:
            async with self._more_time(message):
                await handle(message)
        except Reject as rejected:
            await self.dead_letter(message, str(rejected))
        except Exception as error:  # noqa: BLE001  one message's fault must not end the others
            reason = f"{type(error).__name__}: {error}"
            _log.warning("message not handled: %s", reason, extra={"sequence": message.sequence})
            meters.failed_tries.add(labels=(self._durable,))
            if message.tries >= self._tries:
                await self.dead_letter(message, reason)
            else:
                pause = min(self._retry_seconds * 2 ** (message.tries - 1), RETRY_SECONDS[1])
                nak = b'-NAK {"delay": %d}' % int(pause * 1e9)
                await self._answer([message], nak, forget=True)
        else:
            await self.done([message])

    @contextlib.asynccontextmanager
    async def _more_time(self, message: Message) -> AsyncIterator[None]:
        """Ask for more time as long as the block takes."""

        async def ask() -> None:
            while True:
                await asyncio.sleep(self._ack_seconds / 3)
                await self.in_progress([message])

        asking = asyncio.create_task(ask())
        try:
            yield
        finally:
            asking.cancel()

    # ---- what both need

    async def _next(self, most: int, seconds: float) -> list[Message]:
        """Give the next messages, or none when none comes in time."""
        give_up_at = time.monotonic() + seconds
        while True:
            left = max(give_up_at - time.monotonic(), 0.0)
            try:
                session = await self._opened()
                messages = await session.pull.take(most, left)
                if self._in_order:
                    messages = await self._in_turn(session, messages)
            except AWAY as error:
                await self._lost(error)
                messages = []
            else:
                self._pause = RECONNECT_SECONDS[0]
            if messages or time.monotonic() >= give_up_at:
                return messages

    async def _in_turn(self, session: _Session, messages: list[Message]) -> list[Message]:
        """Give those that this process has not had; the others are still held, or done and answered again."""
        fresh, answers = [], []
        for message in messages:
            if message.delivery != session.next_delivery:
                raise ConnectionLost("a message went astray, or somebody else uses this consumer")
            session.next_delivery += 1
            if self._newest is None or message.sequence > self._newest.sequence:
                self._newest = message
                self._held[message.sequence] = _Held(message, message.reply)
                fresh.append(message)
            elif held := self._held.get(message.sequence):
                held.reply = message.reply
            else:
                answers.append(message.reply)
        await self._send(answers, ACK)
        return fresh

    async def _answer(self, messages: Iterable[Message], word: bytes, *, forget: bool) -> None:
        if not self._in_order:
            await self._send([message.reply for message in messages], word)
            return
        replies = []
        for message in messages:
            held = self._held.get(message.sequence)
            # Else it is done, or of a stream that is gone: its number may be another message's now.
            if held is not None and held.message is message:
                replies.append(held.reply)
                if forget:
                    del self._held[message.sequence]
        await self._send(replies, word)

    async def _send(self, replies: list[str], word: bytes) -> None:
        if not replies or self._session is None:
            return  # without a connection: it comes again, and is answered then
        answer = b" %d\r\n%b\r\n" % (len(word), word)
        try:
            await self._session.connection.send(
                b"".join([b"PUB " + reply.encode() + answer for reply in replies])
            )
        except AWAY as error:
            _log.debug("answers were not sent: %s", error)

    async def _keep(self, connection: Connection, message: Message, reason: str) -> None:
        payload = message.data
        headers = {
            # What is sent twice because the answer got lost is kept once.
            "Nats-Msg-Id": f"{self._stream}:{self._born}:{message.sequence}",
            REASON: " ".join(reason.split())[:REASON_LETTERS],
            TRIED: str(message.tries),
            STREAM: self._stream,
            SEQUENCE: str(message.sequence),
        }
        if parent := message.headers.get("traceparent"):
            headers["traceparent"] = parent
        room = connection.client.max_payload - HEADERS_ROOM_BYTES
        if len(payload) > room:
            headers[CUT] = str(len(payload))
            payload = payload[:room]
        subject = f"dead.{message.subject}".encode()[:SUBJECT_BYTES].decode(errors="ignore")
        await connection.jetstream.publish(
            subject.rstrip("."), payload, stream=DEAD, headers=headers
        )

    # ---- connecting

    async def _opened(self) -> _Session:
        async with self._opening:
            if self._session is None:
                self._session = await self._open()
            return self._session

    async def _open(self) -> _Session:
        try:
            connection = await self._stack.enter_async_context(connected(self._url, self._durable))
            jetstream = connection.jetstream
            await ensure_streams(jetstream, self._limits)
            await jetstream.add_consumer(self._stream, self._config())
            if self._in_order:
                await self._rewind(connection)
            await self._recognise(connection)
            room = PULLED_MAX if self._in_order else 1
            pull = Pull(connection, self._stream, self._durable, room)
            await self._stack.enter_async_context(pull)
        except BaseException:
            await self._stack.aclose()
            raise
        return _Session(connection, pull)

    def _config(self) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=self._durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._ack_seconds,
            max_deliver=-1,  # after the last try it is kept as a dead letter, not forgotten
            max_ack_pending=UNACKNOWLEDGED_MAX,
            filter_subject=self._filter_subject,
        )

    async def _rewind(self, connection: Connection) -> None:
        """Have everything after the last acknowledged message delivered again, in order and counted from 1."""
        request = f"$JS.API.CONSUMER.RESET.{self._stream}.{self._durable}"
        answer = await connection.client.request(request, b"", timeout=5)
        if b'"error"' in answer.data:
            raise APIError(description=answer.data.decode(errors="replace"))

    async def _recognise(self, connection: Connection) -> None:
        """See whether the stream still holds what was handed out; else its old numbers mean something else by now."""
        stream = await connection.jetstream.stream_info(self._stream)
        born = str(stream.created)
        if self._born is not None and born != self._born:
            self._begin_anew("was made anew")
        elif self._newest is not None and stream.state.first_seq <= self._newest.sequence:
            try:
                there = await connection.jetstream.get_msg(self._stream, self._newest.sequence)
            except NotFoundError:
                self._begin_anew("has lost its end")
            else:
                if (there.subject, there.data) != (self._newest.subject, self._newest.data):
                    # A crash of the server's machine took the last writes with it, and others came since.
                    self._begin_anew("has another end than it had")
        self._born = born

    def _begin_anew(self, what: str) -> None:
        _log.error("stream %s %s: what is not done there is handed out again", self._stream, what)
        self._newest = None
        self._held.clear()

    async def _lost(self, error: Exception) -> None:
        _log.warning("consumer %s connects again: %s", self._durable, error)
        meters.reconnects.add(labels=(self._durable,))
        await self._close()
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, RECONNECT_SECONDS[1])

    async def _close(self) -> None:
        async with self._opening:
            if self._session is not None and not self._session.connection.lost:
                with contextlib.suppress(*AWAY):  # what it did not get it asks for again
                    await self._session.connection.client.flush(timeout=1)
            self._session = None
            await self._stack.aclose()
