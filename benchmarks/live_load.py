"""The load of the live streams, each half in a process of its own: who publishes prices, and who listens.

Configuration comes as JSON on standard input, findings go as JSON to standard output.
"""

import asyncio
import json
import re
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, Final
from uuid import UUID

import msgspec
import nats
import uvloop
from msgspec import Struct

from domain.quotes import QuoteLine, QuoteMessage, encode_message

BOOKMAKERS: Final = 20
_SECOND: Final = 1_000_000
_AT: Final = re.compile(rb'"at":"\d{4}-\d\d-\d\dT\d\d:(\d\d):(\d\d)(?:\.(\d{1,6}))?Z"')
_HOUR: Final = 3_600 * _SECOND


class Listening(Struct):
    """Connections to open; each of `subscriptions` is a bearer token and its topics."""

    host: str
    port: int
    subscriptions: list[tuple[str, str]]
    seconds: float
    warm_up_seconds: float


class Heard(Struct):
    """What was heard after the warm-up; delays in milliseconds."""

    connected: int
    prices: int
    events: int
    resyncs: int
    ended: int
    delays: list[float]


class Publishing(Struct):
    """Prices to publish: so many a second, evenly, over these (market, fixture)."""

    url: str
    markets: list[tuple[UUID, UUID]]
    a_second: int
    seconds: float


class Published(Struct):
    """How many were published; `late_seconds` is the most that one was behind its time."""

    prices: int
    late_seconds: float


class _Listener(asyncio.Protocol):
    def __init__(self, request: bytes, heard: Heard, begin: float) -> None:
        self._request, self._heard, self._begin = request, heard, begin
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._heard.connected += 1
        transport.write(self._request)  # type: ignore[attr-defined]  # it is a socket's

    def connection_lost(self, _: Exception | None) -> None:
        self._heard.ended += 1

    def data_received(self, data: bytes) -> None:
        now = time.time()
        text = self._rest + data
        end = text.rfind(b"\n\n") + 2
        if end < 2:
            self._rest = text
            return
        whole, self._rest = text[:end], text[end:]
        if now < self._begin:
            return
        heard = self._heard
        heard.events += whole.count(b"event: odds")
        heard.resyncs += whole.count(b"event: resync")
        now_in_hour = round(now * _SECOND) % _HOUR
        for minute, second, part in _AT.findall(whole):
            told = (int(minute) * 60 + int(second)) * _SECOND + int(part.ljust(6, b"0") or 0)
            heard.prices += 1
            heard.delays.append(((now_in_hour - told) % _HOUR) / 1_000)


async def listen(wanted: Listening) -> Heard:
    """Open all streams, and note when each price arrives."""
    heard = Heard(0, 0, 0, 0, 0, [])
    loop = asyncio.get_running_loop()
    begin = time.time() + wanted.warm_up_seconds
    transports = []
    for token, topics in wanted.subscriptions:
        request = (
            f"GET /v1/stream?topics={topics} HTTP/1.1\r\nHost: {wanted.host}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()

        def make(request: bytes = request) -> _Listener:
            return _Listener(request, heard, begin)

        transport, _ = await loop.create_connection(make, wanted.host, wanted.port)
        transports.append(transport)
    await asyncio.sleep(begin + wanted.seconds - time.time())
    ended = heard.ended
    for transport in transports:
        transport.abort()
    return msgspec.structs.replace(heard, ended=ended)


async def publish(wanted: Publishing) -> Published:
    """Publish prices evenly, each with the time of its publishing."""
    random = Random(3)
    client = await nats.connect(wanted.url)
    begun = time.monotonic()
    published, late = 0, 0.0
    while (elapsed := time.monotonic() - begun) < wanted.seconds:
        while published < elapsed * wanted.a_second:
            market_id, fixture_id = random.choice(wanted.markets)
            bookmaker = f"book_{random.randrange(BOOKMAKERS)}"
            odds = Decimal(random.randrange(1_100, 9_000)) / 1_000
            told = QuoteMessage(
                bookmaker=bookmaker,
                fixture_id=fixture_id,
                market_id=market_id,
                at=datetime.now(UTC),
                quotes=tuple(QuoteLine(each, odds) for each in ("home", "draw", "away")),
            )
            subject = f"odds.{bookmaker}.{fixture_id}.{market_id}"
            await client.publish(subject, encode_message(told))
            published += 1
            late = max(late, time.monotonic() - begun - published / wanted.a_second)
        await client.flush()
        await asyncio.sleep(0.001)
    await client.close()
    return Published(published, late)


def main() -> None:
    """Be one half of the load."""
    wanted: dict[str, Any] = json.load(sys.stdin)
    if sys.argv[1] == "listen":
        found: Any = uvloop.run(listen(msgspec.convert(wanted, Listening)))
    else:
        found = uvloop.run(publish(msgspec.convert(wanted, Publishing)))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
