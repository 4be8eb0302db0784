"""`WS /v1/ws`: the topics of the stream, and bets, over one WebSocket."""

import asyncio
import contextlib
import time
from typing import Annotated, Any, Final, cast

import msgspec
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from msgspec import Meta, Raw, Struct

from api import exact, problems
from api.auth import Tokens, only
from api.desk import Desk
from api.front import Scope
from api.live.stream import abort_of, hub_of
from api.problems import BadToken, RateLimited, Send
from application.live.client import Client, End
from application.live.hub import Hub
from application.live.messages import Message, message
from application.live.source import LiveUnavailable
from application.live.topics import read_topics
from domain.commands.bet import PlaceBet
from domain.refusals import Forbidden, InvalidInput, Refusal

PATH: Final = "/v1/ws"
AUTH_SECONDS: Final = 5.0
MESSAGE_BYTES_MAX: Final = 64 * 1024
FRAME_BYTES_MAX: Final = 1024 * 1024
"""Of a larger frame the server reads no more: it closes the socket with code 1009."""
IN_FLIGHT_MAX: Final = 32
MESSAGES_A_SECOND: Final = 200
BURST_MESSAGES: Final = 400
REFUSED_MAX: Final = 400
"""Whoever has so many messages more refused than taken is let go."""

_CODES: Final[dict[End, int]] = {
    "gone": 1000,
    "shutdown": 1012,
    "token_expired": 4401,
    "too_slow": 1013,
    "too_many_messages": 1008,
}
_BETTORS: Final = frozenset({"trader", "admin"})

RequestId = Annotated[str, Meta(max_length=100)]


class _Asked(
    Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower, forbid_unknown_fields=True
):
    request_id: RequestId | None = None


class Auth(_Asked, frozen=True, kw_only=True):
    """Says who asks, where the handshake could not."""

    token: Annotated[str, Meta(max_length=8_000)]


class Subscribe(_Asked, frozen=True, kw_only=True):
    """Asks for topics; of facts also for those since `after`."""

    topics: Annotated[list[str], Meta(max_length=1_000)]
    after: Annotated[int, Meta(ge=0, le=2**62)] | None = None


class Unsubscribe(_Asked, frozen=True, kw_only=True):
    """Asks for no more of these topics."""

    topics: Annotated[list[str], Meta(max_length=1_000)]


class Ping(_Asked, frozen=True, kw_only=True):
    """Asks for a pong."""


class PlaceABet(_Asked, frozen=True, kw_only=True, tag="place_bet"):
    """Places a bet: `bet` is the body of `POST /v1/bets`."""

    bet: Raw
    idempotency_key: (
        Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$(?!\n)")] | None
    ) = None


_Incoming = Subscribe | Unsubscribe | Ping | PlaceABet
_AnyIncoming = Auth | _Incoming


class _Named(Struct):
    request_id: str | None = None


@websocket("/ws", opt=only("trader", "operator", "auditor"))
async def open_socket(
    socket: WebSocket[Any, Any, Any],
    desk: NamedDependency[Desk],
    tokens: NamedDependency[Tokens],
) -> None:
    """Serve one WebSocket, from its handshake to its end."""
    try:
        hub = hub_of(desk)
        header = socket.headers.get("authorization")
        identity = None if header is None else tokens.verified(_bytes(header))
        client = (
            None if identity is None else hub.open(*identity, abort_of(cast("Scope", socket.scope)))
        )
    except Exception as error:  # noqa: BLE001  every refusal of a handshake is a problem with its status
        await _refuse(socket, error)
        return
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        if client is None:
            client = await _authenticated(socket, hub, tokens)
        if client is not None:
            await _Conversation(socket, hub, client, desk).run()


async def _refuse(socket: WebSocket[Any, Any, Any], error: Exception) -> None:
    status, body, headers = problems.rendered(error, PATH, f"WS {PATH}")
    lines = [(b"content-type", problems.PROBLEM_JSON.encode())]
    lines += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    # The framework does not know this extension of ASGI; the server does.
    send = cast("Send", socket.send)
    await send({"type": "websocket.http.response.start", "status": status, "headers": lines})
    await send({"type": "websocket.http.response.body", "body": body})


async def _authenticated(
    socket: WebSocket[Any, Any, Any], hub: Hub, tokens: Tokens
) -> Client | None:
    """Wait for the message that says who asks, and make a client for it; None when it was not to be."""
    request_id = None
    try:
        async with asyncio.timeout(AUTH_SECONDS):
            event = await socket.receive()
        if event["type"] == "websocket.disconnect":
            return None
        body = _body_of(event)
        request_id = _request_id(body)
        asked = exact.read(body, _AnyIncoming)
        if not isinstance(asked, Auth):
            raise BadToken("the first message is {type: auth, token}")
        client = hub.open(
            *tokens.verified(b"Bearer " + _bytes(asked.token)),
            abort_of(cast("Scope", socket.scope)),
        )
    except TimeoutError:
        error: Exception = BadToken(
            f"send an Authorization header, or {{type: auth, token}} within {AUTH_SECONDS:.0f} s"
        )
    except Exception as refused:  # noqa: BLE001  every exception has its problem
        error = refused
    else:
        client.say(message("authenticated", request_id=request_id, user=client.actor.user))
        return client
    await _send(socket, _problem(error, request_id))
    await socket.close(1013 if isinstance(error, LiveUnavailable) else 4401)
    return None


class _Conversation:
    """What goes back and forth on one socket."""

    def __init__(
        self, socket: WebSocket[Any, Any, Any], hub: Hub, client: Client, desk: Desk
    ) -> None:
        self._socket = socket
        self._hub = hub
        self._client = client
        self._desk = desk
        self._in_flight: set[asyncio.Task[None]] = set()
        self._credit = float(BURST_MESSAGES)
        self._credited_at = time.monotonic()
        self._refused = 0

    async def run(self) -> None:
        """Talk until one side ends it."""
        writing = asyncio.create_task(self._write())
        try:
            await self._read()
        finally:
            await self._hub.close(self._client)
            # Bets on their way are not interrupted: they take effect or not, and their keys tell which.
            with contextlib.suppress(WebSocketDisconnect, OSError):
                await writing

    # ---- out

    async def _write(self) -> None:
        client = self._client
        while not client.is_done:
            await client.ready()
            for each in client.take():
                await _send(self._socket, each)
        assert client.ended is not None
        if client.ended != "gone":
            await self._socket.close(_CODES[client.ended], client.ended)

    # ---- in

    async def _read(self) -> None:
        while (event := await self._socket.receive())["type"] != "websocket.disconnect":
            request_id = None
            try:
                self._count()
                body = _body_of(event)
                request_id = _request_id(body)
                await self._do(exact.read(body, _Incoming), request_id)
            except Exception as error:  # noqa: BLE001  every exception has its problem, and the socket goes on
                self._client.say(_problem(error, request_id))
            if self._client.ended is not None:
                return

    def _count(self) -> None:
        now = time.monotonic()
        earned = (now - self._credited_at) * MESSAGES_A_SECOND
        self._credit = min(float(BURST_MESSAGES), self._credit + earned)
        self._credited_at = now
        if self._credit < 1:
            self._refused += 1
            if self._refused > REFUSED_MAX:
                self._client.end("too_many_messages")
            raise RateLimited(f"at most {MESSAGES_A_SECOND} messages a second")
        self._credit -= 1
        self._refused = max(0, self._refused - 1)

    async def _do(self, asked: _Incoming, request_id: str | None) -> None:
        match asked:
            case Ping():
                self._client.say(message("pong", request_id=request_id))
            case Subscribe():
                topics = read_topics(asked.topics)
                await self._hub.subscribe(self._client, topics, asked.after, request_id=request_id)
            case Unsubscribe():
                topics = read_topics(asked.topics)
                await self._hub.unsubscribe(self._client, topics, request_id=request_id)
            case PlaceABet():
                self._begin_bet(asked, request_id)

    def _begin_bet(self, asked: PlaceABet, request_id: str | None) -> None:
        actor = self._client.actor
        if actor.role not in _BETTORS:
            raise Forbidden(f"this is for {' and '.join(sorted(_BETTORS))}")
        if len(self._in_flight) >= IN_FLIGHT_MAX:
            raise RateLimited(f"{IN_FLIGHT_MAX} bets are on their way: wait for an answer")
        bet: PlaceBet = exact.read(bytes(asked.bet), PlaceBet)
        task = asyncio.create_task(self._place(bet, asked.idempotency_key, request_id))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _place(self, bet: PlaceBet, key: str | None, request_id: str | None) -> None:
        try:
            receipt = await self._desk.ledger.submit(bet, self._client.actor, key=key)
        except Exception as error:  # noqa: BLE001  every exception has its problem
            self._client.say(_problem(error, request_id))
            return
        head = message("bet", request_id=request_id, replayed=receipt.replayed).body
        # The answer is JSON already, the same as over HTTP.
        self._client.say(Message("bet", head[:-1] + b"," + receipt.answer[1:]))


def _body_of(event: Any) -> bytes:
    """Give the text of a message; raises InvalidInput for what is none, or too long."""
    text = event.get("text")
    if text is None:
        raise InvalidInput("send text frames, with JSON in them")
    body: bytes = text.encode()
    if len(body) > MESSAGE_BYTES_MAX:
        raise InvalidInput(f"a message has at most {MESSAGE_BYTES_MAX} bytes")
    return body


def _request_id(body: bytes) -> str | None:
    """Give the request's id even where the rest is not acceptable."""
    with contextlib.suppress(ValueError, RecursionError):
        named = msgspec.json.decode(body, type=_Named).request_id
        return named[:100] if named else named
    return None


def _problem(error: Exception, request_id: str | None) -> Message:
    replayed = isinstance(error, Refusal) and error.replayed
    _, body, headers = problems.rendered(error, PATH, f"WS {PATH}")
    members: dict[str, Any] = {"request_id": request_id, "replayed": replayed, "problem": Raw(body)}
    if after := headers.get("Retry-After"):
        members["retry_after"] = int(after)
    return message("problem", **members)


async def _send(socket: WebSocket[Any, Any, Any], each: Message) -> None:
    await socket.send({"type": "websocket.send", "bytes": None, "text": each.body.decode()})


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")
