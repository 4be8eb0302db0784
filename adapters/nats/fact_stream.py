"""The stream LEDGER as the outbox writes it: each event once, and the stream's sequence is the ledger's position.

Every message says which sequence must come before it, so the server refuses doubles and gaps. Only the last one of a batch asks
for an answer: when it was taken, all before it were. JetStream's own atomic batches were measured beside it: twice the
processor time in the server (docs/decisions/0008).
"""

import asyncio
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from adapters.nats.connection import AWAY, Connection, ConnectionLost
from adapters.nats.streams import LEDGER
from application.facts import fact_line
from application.outbox import LastFact, StreamMoved, StreamUnavailable
from domain.events.event import Recorded

ANSWER_SECONDS: Final = 5.0
WRITE_BYTES: Final = 1_000_000
WRONG_LAST_SEQUENCE: Final = 10071
"""JetStream's code for a message that does not follow the one it says."""

HEADERS_BYTES_MAX: Final = 512
OMITTED: Final = "Fairbook-Omitted-Bytes"
"""On a line whose `data` is null because the event is larger than the server lets through: its size."""


class LedgerStream:
    """An application.outbox.FactStream over one connection, between `async with` and its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = connection.client.new_inbox()
        self._batch = 0
        self._answer: asyncio.Future[dict[str, Any]] | None = None

    async def __aenter__(self) -> Self:
        await self._connection.client.subscribe(f"{self._inbox}.*", cb=self._answered)
        self._connection.when_lost(self._lost)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._answer = None

    def check(self) -> None:
        """Raise StreamUnavailable when the connection is lost."""
        try:
            self._connection.check()
        except ConnectionLost as error:
            raise StreamUnavailable(str(error)) from error

    async def last(self) -> LastFact:
        """Tell where it ends."""
        jetstream = self._connection.jetstream
        try:
            state = (await jetstream.stream_info(LEDGER)).state
            if not state.messages:
                return LastFact(state.last_seq, None)
            return LastFact(
                state.last_seq, (await jetstream.get_msg(LEDGER, state.last_seq, direct=False)).data
            )
        except NotFoundError as error:
            raise StreamUnavailable(f"there is no stream {LEDGER} (any more)") from error
        except AWAY as error:
            raise StreamUnavailable(f"{type(error).__name__} {error}".strip()) from error

    async def append(self, events: Sequence[Recorded]) -> None:
        """Append consecutive events, and wait until the last one is stored."""
        self._batch += 1
        reply = f"{self._inbox}.{self._batch}"
        self._answer = asyncio.get_running_loop().create_future()
        try:
            await self._send(events, reply)
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._answer
        except AWAY as error:
            raise StreamUnavailable(f"{type(error).__name__} {error}".strip()) from error
        if refused := answer.get("error"):
            said = refused.get("description", str(refused))
            if refused.get("err_code") == WRONG_LAST_SEQUENCE:
                raise StreamMoved(said)
            raise StreamUnavailable(said)
        if answer["seq"] != events[-1].position:  # a double by its message id: it was there before
            raise StreamMoved(f"position {events[-1].position} is at sequence {answer['seq']}")

    async def _send(self, events: Sequence[Recorded], reply: str) -> None:
        line_bytes_max = self._connection.client.max_payload - HEADERS_BYTES_MAX
        last = events[-1]
        parts: list[bytes] = []
        size = 0
        for recorded in events:
            line = fact_line(recorded)
            more = "" if recorded.trace is None else f"traceparent: {recorded.trace}\r\n"
            if len(line) > line_bytes_max:
                more += f"{OMITTED}: {len(line)}\r\n"
                line = fact_line(recorded, with_data=False)
            position = recorded.position
            headers = (
                f"NATS/1.0\r\nNats-Msg-Id: {position}\r\n"
                f"Nats-Expected-Last-Sequence: {position - 1}\r\n{more}\r\n"
            )
            head = (
                f"HPUB ledger.{recorded.event.topic}.{recorded.stream_id} "
                f"{reply if recorded is last else ''} {len(headers)} {len(headers) + len(line)}\r\n{headers}"
            )
            parts += (head.encode(), line, b"\r\n")
            size += len(line)
            if size > WRITE_BYTES:
                await self._connection.send(b"".join(parts))
                parts, size = [], 0
        if parts:
            await self._connection.send(b"".join(parts))

    async def _answered(self, message: Msg) -> None:
        if (
            self._answer is None
            or self._answer.done()
            or not message.subject.endswith(f".{self._batch}")
        ):
            return  # of a batch that was given up
        if not message.data:  # nobody listens: 503
            self._answer.set_exception(NatsError(f"no stream takes ledger.> ({message.headers})"))
        else:
            self._answer.set_result(json.loads(message.data))

    def _lost(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLost("the connection to NATS was lost"))
