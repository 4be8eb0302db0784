"""An express lane for the one request that has to be fast: placing a bet.

A plain `POST /v1/bets` goes from the parser straight to the ledger, and its answer straight to the socket: no task, no
scope, no framework, which together take longer than the ledger takes to decide. What is not plain (another address, a
traced request, a body that is large or not acceptable, a token or header that has to be argued about, a second request
before the first is answered) goes the usual way, through the route, which also documents it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from api import problems
from api.auth import Tokens
from api.exact import has_odds_that_are_no_number, is_json
from api.problems import BadToken
from api.sampling import Sampler
from api.wire import BoundedHttp
from application import meters
from application.ledger import Ledger
from application.order import Receipt
from domain.actors import Actor
from domain.commands.bet import PlaceBet

BETS: Final = b"/v1/bets"
CLIENT_GONE: Final = 499
"""What the metrics show for a request whose client went away before it was answered."""

Header = tuple[bytes, bytes]

_decode: Final = msgspec.json.Decoder(PlaceBet).decode
_ROLES: Final = frozenset({"trader", "admin"})
_ARGUABLE: Final = frozenset({b"transfer-encoding", b"expect", b"traceparent"})
_KEY_MAX: Final = 255
_BODY_MAX: Final = 64 * 1024
_CREATED: Final = b"content-type: application/json\r\ncontent-length: %d\r\n"
_REPLAYED: Final = b"idempotency-replayed: true\r\n"
KEY_CHARACTERS: Final = frozenset(range(0x21, 0x7F))


class BetLane:
    """What the lane needs of the service; `ledger` gives the ledger once the service has started."""

    def __init__(self, ledger: Callable[[], Ledger], tokens: Tokens, sampler: Sampler) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self.sampler = sampler

    def asked_by(self, headers: Sequence[Header]) -> tuple[Actor, str | None] | None:
        """Give who asks and the Idempotency-Key, or None when the headers are not plain."""
        authorization = content_type = b""
        key = None
        for name, value in headers:
            if name == b"authorization":
                authorization = value
            elif name == b"idempotency-key":
                if key is not None:
                    return None
                key = value
            elif name == b"content-type":
                content_type = value
            elif name in _ARGUABLE:
                return None
        try:
            actor = self._tokens.actor(authorization)
        except BadToken:
            return None
        if actor.role not in _ROLES or not is_json(content_type):
            return None
        if key is None:
            return actor, None
        if not (0 < len(key) <= _KEY_MAX and KEY_CHARACTERS.issuperset(key)):
            return None
        return actor, key.decode("ascii")

    def submit(
        self, body: bytes, actor: Actor, key: str | None
    ) -> "asyncio.Future[Receipt] | None":
        """Hand the bet to the ledger; None when the body is not acceptable. Raises what the ledger raises."""
        try:
            command = _decode(body)
        except (ValueError, RecursionError):
            return None
        if has_odds_that_are_no_number(body):
            return None
        return self._ledger().enqueue(command, actor, key=key)


class _Flight(Struct, eq=False):
    """A bet on its way, in the place of the server's own request-response cycle: what the server asks of that."""

    message_event: asyncio.Event
    response_complete: bool = False
    disconnected: bool = False
    keep_alive: bool = True


class ExpressHttp(BoundedHttp):
    """The server's protocol with the express lane; everything that is not plain is the server's own business."""

    def __init__(self, lane: BetLane, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lane = lane
        self._asked: tuple[Actor, str | None] | None = None
        self._gathered = b""
        self._head: tuple[Sequence[Header], bytes] = ((), b"")

    def on_message_begin(self) -> None:
        """Begin a request, without the scope that the lane does not need."""
        self.begin_head()
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Take the request if it is plain as far as its head tells."""
        self.end_head()
        if self._is_plain() and (asked := self._lane.asked_by(self.headers)):
            if not self._lane.sampler.is_due():
                self._asked = asked
                return
            self._leave(is_sampled=True)
        else:
            self._leave()

    def _is_plain(self) -> bool:
        parser = self.parser
        before = cast("RequestResponseCycle | None", self.cycle)
        return (
            self.url == BETS
            and parser.get_method() == b"POST"
            and (before is None or before.response_complete)
            and not self.flow.write_paused
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        )

    def on_body(self, body: bytes) -> None:
        """Gather the body, unless it is a large one."""
        if self._asked is None:
            super().on_body(body)
            return
        self._gathered += body
        if len(self._gathered) > _BODY_MAX:
            self._leave(is_sampled=False)

    def on_message_complete(self) -> None:
        """Submit the bet; its answer is written when the ledger has it."""
        if self._asked is None:
            super().on_message_complete()
            return
        started = time.perf_counter()
        flight = _Flight(_EVENT)
        try:
            future = self._lane.submit(self._gathered, *self._asked)
        except Exception as error:  # noqa: BLE001  every exception has its problem, as it has behind the route
            self._begin(flight)
            self._finish(flight, self._problem(error), started)
            return
        if future is None:
            self._leave(is_sampled=False)
            super().on_message_complete()
            return
        self._begin(flight)
        future.add_done_callback(lambda done: self._landed(flight, done, started))

    def _begin(self, flight: _Flight) -> None:
        """Stand where the server keeps the request that it is answering: what comes now waits for the answer."""
        self._asked, self._gathered = None, b""
        self.cycle = cast("RequestResponseCycle", flight)

    def _leave(self, *, is_sampled: bool | None = None) -> None:
        """Leave the request to the server, as if it had just sent its head and what there is of its body.

        `is_sampled` tells what the draw said about tracing it, if it has been in the draw.
        """
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        body, self._asked, self._gathered = self._gathered, None, b""
        super().on_message_begin()
        # Live streams cut a connection that takes nothing any more; nothing else could.
        cast("dict[str, Any]", self.scope)["fairbook.abort"] = self.transport.abort
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        if is_sampled is not None:
            cast("dict[str, Any]", self.scope)["fairbook.sampled"] = is_sampled
        super().on_headers_complete()
        if body:
            super().on_body(body)

    # ---- the answer

    def _landed(self, flight: _Flight, done: "asyncio.Future[Receipt]", started: float) -> None:
        error = done.exception()
        if error is None:
            receipt = done.result()
            answer = receipt.answer
            head = _CREATED % len(answer)
            if receipt.replayed:
                head += _REPLAYED
            self._finish(flight, (201, head, answer), started)
        elif isinstance(error, Exception):
            self._finish(flight, self._problem(error), started)
        else:
            raise error

    def _problem(self, error: Exception) -> tuple[int, bytes, bytes]:
        status, body, headers = problems.rendered(error, BETS.decode(), f"POST {BETS.decode()}")
        lines = [f"content-type: {problems.PROBLEM_JSON}", f"content-length: {len(body)}"]
        lines += [f"{name.lower()}: {value}" for name, value in headers.items()]
        return status, "".join(f"{line}\r\n" for line in lines).encode("latin-1"), body

    def _finish(self, flight: _Flight, answer: tuple[int, bytes, bytes], started: float) -> None:
        status, head, body = answer
        flight.response_complete = True
        transport = self.transport
        if flight.disconnected or transport.is_closing():
            status = CLIENT_GONE
        else:
            close = b"" if flight.keep_alive else b"connection: close\r\n"
            transport.write(
                b"%b%b%b%b\r\n%b" % (STATUS_LINE[status], self._common(), head, close, body)
            )
            if not flight.keep_alive:
                transport.close()
        meters.request_seconds.observe(
            time.perf_counter() - started, ("POST", "/v1/bets", str(status))
        )
        self.on_response_complete()

    def _common(self) -> bytes:
        """Give the headers of every answer, which the server renews each second."""
        headers = self.server_state.default_headers
        if self._head[0] is not headers:
            self._head = headers, b"".join(b"%b: %b\r\n" % each for each in headers)
        return self._head[1]


class _NobodyWaits(asyncio.Event):
    """The server sets this when the client goes away; nobody waits for it, because the ledger is not interrupted."""


_EVENT: Final = _NobodyWaits()
