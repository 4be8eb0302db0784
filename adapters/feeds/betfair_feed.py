"""Betfair, live and recorded: one stream of messages, through the same books."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from msgspec import Struct

from adapters.feeds.back_off import BackOff
from adapters.feeds.betfair import BetfairMarkets
from adapters.feeds.betfair_connection import Address, BetfairConnection
from adapters.feeds.betfair_messages import StreamMessage, decode_stream_message
from adapters.feeds.betfair_names import Catalogue, NameLookup
from adapters.feeds.betfair_shapes import FEED
from adapters.feeds.circuit_breaker import CircuitBreaker
from adapters.feeds.packing import CANNOT_UNPACK, unpacked
from adapters.feeds.provider import Provider
from application.feeds import Clock, FeedDenied, FeedHealth
from domain.quotes import QuoteBatch

ANSWER_SECONDS: Final = 15.0
# A heartbeat may be late once; two that are missing mean that nobody is there.
HEARTBEATS_MISSED: Final = 2.5

DENIED: Final = frozenset(
    {
        "NO_APP_KEY",
        "INVALID_APP_KEY",
        "NO_SESSION",
        "INVALID_SESSION_INFORMATION",
        "NOT_AUTHORIZED",
        "INVALID_INPUT",
        "SUBSCRIPTION_LIMIT_EXCEEDED",
    }
)
INVALID_CLOCK: Final = "INVALID_CLOCK"
BROKEN_LINE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class BetfairLogin(Struct, frozen=True):
    """The application's key and a session token; neither is ever shown."""

    app_key: str
    session: str

    def __repr__(self) -> str:
        return "BetfairLogin(…)"


class Subscription(Struct, frozen=True):
    """Which markets and how: `market_filter` as Betfair defines it, times in milliseconds."""

    market_filter: dict[str, list[str]]
    heartbeat_ms: int = 5_000
    conflate_ms: int = 0
    fields: tuple[str, ...] = ("EX_BEST_OFFERS", "EX_MARKET_DEF")
    ladder_levels: int = 1


class _Broken(Exception):  # noqa: N818  never leaves this module
    """The stream cannot go on over this connection."""


class BetfairFeed:
    """The live stream: connects, subscribes, resumes where it stopped, and goes on for ever."""

    def __init__(
        self,
        login: BetfairLogin,
        subscription: Subscription,
        *,
        clock: Clock,
        randomness: Random,
        catalogue: Catalogue | None = None,
        address: Address | None = None,
        bookmaker: str = FEED,
        health: FeedHealth | None = None,
        back_off: BackOff | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        """Without a catalogue, markets are quoted under whatever names their definitions have."""
        self.name = FEED
        self.health = health or FeedHealth(FEED)
        self._login = login
        self._subscription = subscription
        self._clock = clock
        self._names = None if catalogue is None else NameLookup(catalogue, clock)
        self._address = address or Address()
        self._provider = Provider(
            self.health,
            clock,
            randomness,
            per_second=0.5,
            burst=3,
            back_off=back_off,
            breaker=breaker,
        )
        self._markets = BetfairMarkets(
            self.health, clock, bookmaker, withhold_unnamed=catalogue is not None
        )
        self._initial_clk: str | None = None
        self._clk: str | None = None

    async def batches(self) -> AsyncGenerator[Sequence[QuoteBatch], None]:
        """Give the batches of each message; raises FeedDenied when Betfair refuses the login or the subscription."""
        try:
            while True:
                await self._provider.turn()
                try:
                    async for batches in self._connection():
                        yield batches
                except (OSError, EOFError, TimeoutError, _Broken) as error:
                    said = f"{type(error).__name__.lstrip('_')} {error}".strip()
                    if self._provider.failed(said):
                        # Nobody knows any longer what is offered there.
                        yield self._markets.withdraw(self._clock.now())
        finally:
            if self._names is not None:
                self._names.stop()

    async def _connection(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        async with BetfairConnection(self._address) as connection:
            await self._subscribe(connection)
            self._markets.resume()
            quiet_seconds = self._subscription.heartbeat_ms / 1000 * HEARTBEATS_MISSED
            is_first = True
            while True:
                message = self._decoded(await connection.line(quiet_seconds))
                if message.op == "status":
                    self._check(message)
                    continue
                if message.op != "mcm":
                    continue
                if is_first:
                    self._provider.succeeded()
                    is_first = False
                self.health.heard(self._clock.now())
                batches = self._markets.take(message)
                # Resumed from here on only once the message has been taken in.
                self._initial_clk = message.initial_clk or self._initial_clk
                self._clk = message.clk or self._clk
                if batches:
                    yield batches
                if self._names is not None:
                    self._markets.named(self._names.found(self._markets.unnamed))

    async def _subscribe(self, connection: BetfairConnection) -> None:
        hello = self._decoded(await connection.line(ANSWER_SECONDS))
        if hello.op != "connection":
            raise _Broken(f"the stream began with {hello.op!r}")
        await connection.send(
            {
                "op": "authentication",
                "id": 1,
                "appKey": self._login.app_key,
                "session": self._login.session,
            }
        )
        self._check(self._decoded(await connection.line(ANSWER_SECONDS)))
        wanted = self._subscription
        request: dict[str, object] = {
            "op": "marketSubscription",
            "id": 2,
            "marketFilter": wanted.market_filter,
            "marketDataFilter": {"fields": wanted.fields, "ladderLevels": wanted.ladder_levels},
            "heartbeatMs": wanted.heartbeat_ms,
            "conflateMs": wanted.conflate_ms,
            "segmentationEnabled": True,
        }
        if self._initial_clk and self._clk:
            request |= {"initialClk": self._initial_clk, "clk": self._clk}
        await connection.send(request)
        self._check(self._decoded(await connection.line(ANSWER_SECONDS)))

    def _decoded(self, line: bytes) -> StreamMessage:
        try:
            return decode_stream_message(line)
        except BROKEN_LINE as error:
            # What it changed is unknown: only a new image is sure to be right again.
            self._forget_clocks()
            self.health.rejections.add("line is no stream message", f"{error}: {line[:80]!r}")
            raise _Broken("a line is no stream message") from error

    def _check(self, status: StreamMessage) -> None:
        if status.op != "status":
            raise _Broken(f"{status.op!r} came where a status was due")
        if status.status_code == "SUCCESS" and not status.connection_closed:
            return
        said = f"{status.error_code}: {status.error_message}"
        if status.error_code == INVALID_CLOCK:
            self._forget_clocks()
        if status.error_code in DENIED:
            raise FeedDenied(
                f"Betfair refuses ({said}). Set FAIRBOOK_BETFAIR_APP_KEY and a session token of today in "
                "FAIRBOOK_BETFAIR_SESSION, and narrow the subscription if that was refused."
            )
        raise _Broken(said)

    def _forget_clocks(self) -> None:
        self._initial_clk = self._clk = None


class RecordedBetfairFeed:
    """A recording of the stream: its lines, or one message that is printed over many; plain or packed."""

    def __init__(self, path: Path, clock: Clock, bookmaker: str = FEED) -> None:
        """Read from `path` when asked for batches."""
        self.name = FEED
        self.health = FeedHealth(FEED)
        self._path = path
        self._clock = clock
        self._markets = BetfairMarkets(self.health, clock, bookmaker)

    async def batches(self) -> AsyncIterator[Sequence[QuoteBatch]]:
        """Give the batches of each message; a line that is none is counted and passed over."""
        for number, line in enumerate(self._lines(), 1):
            try:
                message = decode_stream_message(line)
            except BROKEN_LINE as error:
                self.health.rejections.add("line is no stream message", f"line {number}: {error}")
                continue
            if message.op == "mcm":
                self.health.heard(self._clock.now())
                if batches := self._markets.take(message):
                    yield batches

    def _lines(self) -> Iterator[bytes]:
        with unpacked(self._path) as lines:
            try:
                first = next(lines, b"")
                if first.strip() == b"{":
                    yield first + lines.read()
                    return
                yield first
                yield from lines
            except CANNOT_UNPACK as error:
                self.health.rejections.add("the file ends too early", str(error))
