"""`GET /v1/stream`: server-sent events, until the client goes, the token ends or the service stops."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, cast

from litestar import get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from api.auth import Tokens, only
from api.desk import Asked, Desk
from api.front import Receive, Scope
from api.problems import Send, responses
from application.live.client import Client
from application.live.hub import Hub
from application.live.messages import Message
from application.live.source import LiveUnavailable
from application.live.topics import read_topics

EVENT_STREAM: Final = "text/event-stream"
RETRY_MILLISECONDS: Final = 1_000
TOPICS_LENGTH_MAX: Final = 16_000
_POSITION_MAX: Final = 2**62
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # tells proxies to pass each event on at once
]
_HEARTBEAT: Final = b": alive\n\n"


def hub_of(desk: Desk) -> Hub:
    """Give the hub; raises LiveUnavailable where there is none."""
    if desk.live is None:
        raise LiveUnavailable("live streams come from NATS: set NATS_URL for this process")
    return desk.live


def abort_of(scope: Mapping[str, Any]) -> Callable[[], None]:
    """Give what cuts the connection of a request at once."""
    abort: Callable[[], None] = scope.get("fairbook.abort", _nothing)
    return abort


def _nothing() -> None:
    """Stand for a server that does not say how to cut a connection."""


@get(
    "/stream",
    opt=only("trader", "operator", "auditor"),
    media_type=EVENT_STREAM,
    responses={
        200: ResponseSpec(
            data_container=str,
            generate_examples=False,
            description="Events until the stream ends; see docs/api.md",
            media_type=EVENT_STREAM,
        ),
        **responses(422, 429),
    },
)
async def read_stream(
    request: Asked,
    desk: NamedDependency[Desk],
    tokens: NamedDependency[Tokens],
    topics: Annotated[
        str,
        QueryParameter(
            max_length=TOPICS_LENGTH_MAX,
            description="With commas between: odds.<market_id>, odds.fixture.<fixture_id>, markets, bets, accounts, "
            "arbitrage, value, settlements",
        ),
    ],
    after: Annotated[
        int | None,
        QueryParameter(
            ge=0, le=_POSITION_MAX, description="Tell also the ledger's facts since this position"
        ),
    ] = None,
    last_event_id: Annotated[
        int | None,
        HeaderParameter(
            name="Last-Event-ID",
            ge=0,
            le=_POSITION_MAX,
            description="The same; browsers send it by themselves when they connect again",
        ),
    ] = None,
) -> Stream:
    """Stream prices, signals and facts as they are published."""
    wanted = read_topics(topics.split(","))
    hub = hub_of(desk)
    actor, expires_at = tokens.verified(
        request.headers.get("authorization", "").encode("latin-1", "replace")
    )
    client = hub.open(actor, expires_at, abort_of(cast("Scope", request.scope)))
    try:
        # What fails now is still a problem with its status.
        await hub.subscribe(client, wanted, after if last_event_id is None else last_event_id)
    except BaseException:
        await hub.close(client)
        raise
    return _EventStream(hub, client)


class _EventStream(Stream):
    """A response that writes what waits for a client, one write a flush."""

    def __init__(self, hub: Hub, client: Client) -> None:
        super().__init__((), media_type=EVENT_STREAM)
        self._hub = hub
        self._client = client

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Give what writes: the framework's own way costs a task switch and three copies for each event."""
        return self._serve

    async def _serve(self, _: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(self._until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send(send, b"retry: %d\n\n" % RETRY_MILLISECONDS)
            client = self._client
            while not client.is_done:
                await client.ready()
                messages = client.take()
                await _send(send, b"".join(map(_event, messages)) or _HEARTBEAT)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._hub.close(self._client)
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        self._client.end("gone")


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _event(message: Message) -> bytes:
    if message.position is None:
        return b"event: %b\ndata: %b\n\n" % (message.type.encode(), message.body)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (
        message.position,
        message.type.encode(),
        message.body,
    )
