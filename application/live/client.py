"""What waits for one client: bounded, prices coalesced, facts never lost without a word."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Literal

from application import meters
from application.live.messages import (
    Message,
    Price,
    coalesced,
    message,
    prices_message,
    resync,
    signals_message,
)
from application.live.topics import FACTS
from application.live.wheel import Wheel
from domain.actors import Actor

FLUSH_SECONDS: Final = 0.1
"""Prices, signals and facts go out at most ten times a second."""
GATHER_SECONDS: Final = 0.005
"""What comes together goes out together."""
PRICES_MAX: Final = 2_000
SIGNALS_MAX: Final = 500
FACTS_MAX: Final = 5_000
FACT_BYTES_MAX: Final = 4 * 1024 * 1024
ROOM_FACTS: Final = 500

End = Literal["gone", "shutdown", "token_expired", "too_slow", "too_many_messages"]
PriceKey = tuple[str, int, str]
"""A topic, a market's number and a bookmaker: ids are numbers here because theirs is the faster hash."""


def price_key(topic: str, price: Price) -> PriceKey:
    """Give what a price of a topic is coalesced by."""
    return topic, price.message.market_id.int, price.message.bookmaker


class Client:
    """One open stream. Whoever writes it to the socket waits for `ready`, then sends what `take` gives, until it `is_done`.

    `expires_at` is the UNIX time at which its token ends; `abort` cuts its connection when nothing else helps.
    """

    def __init__(
        self, actor: Actor, expires_at: float, wheel: Wheel, abort: Callable[[], None]
    ) -> None:
        self.actor = actor
        self.expires_at = expires_at
        self.abort = abort
        self.topics: set[str] = set()
        self.floors: dict[str, int] = {}
        self.last_position: int | None = None
        self.ended: End | None = None
        self.is_done = False
        self.sent_at = asyncio.get_running_loop().time()
        self.writing_since: float | None = None
        self._wheel = wheel
        self._notes: deque[Message] = deque()
        self._prices: dict[PriceKey, tuple[Price, ...]] = {}
        self._signals: deque[tuple[str, bytes]] = deque()
        self._facts: deque[Message] = deque()
        self._fact_bytes = 0
        self._lost: dict[str, None] = {}
        self._snapshots_to_come = 0
        self._due = 0.0
        self._waiting: asyncio.Future[None] | None = None
        self._is_scheduled = False
        self._oldest: float | None = None
        self._room = asyncio.Event()

    @property
    def owner(self) -> str | None:
        """Whose bets and accounts it shows; None for everybody's."""
        return self.actor.user if self.actor.role == "trader" else None

    # ---- what comes in

    def say(self, note: Message) -> None:
        """Send a note at once."""
        self._notes.append(note)
        self._wake()

    def add_price(self, key: PriceKey, price: Price) -> None:
        """Tell a price with the next flush, in the place of what waits of the same bookmaker and market."""
        prices = self._prices
        waiting = prices.pop(key, None)
        prices[key] = (price,) if waiting is None else coalesced(waiting, price)
        if len(prices) > PRICES_MAX:
            oldest = next(iter(prices))
            del prices[oldest]
            self._lose(oldest[0])
        self._note_age(price.received)

    def add_signal(self, topic: str, body: bytes, received: float) -> None:
        """Tell a signal with the next flush."""
        self._signals.append((topic, body))
        if len(self._signals) > SIGNALS_MAX:
            self._lose(self._signals.popleft()[0])
        self._note_age(received)

    def add_fact(self, fact: Message, received: float) -> None:
        """Tell a fact with the next flush; a client that is too slow for its facts is let go."""
        if self.ended is not None:
            return
        self._facts.append(fact)
        self._fact_bytes += len(fact.body)
        if len(self._facts) > FACTS_MAX or self._fact_bytes > FACT_BYTES_MAX:
            self.end("too_slow")
            return
        self._note_age(received)

    def lose(self, topics: Iterable[str]) -> None:
        """Note that something of these topics did not arrive."""
        for topic in topics:
            self._lose(topic)
        self._schedule()

    def end(self, reason: End) -> None:
        """End the stream after what is said already."""
        if self.ended is None:
            self.ended = reason
            self._wake()

    def beat(self) -> None:
        """Have the stream show that it lives: it wakes with nothing to send."""
        self._wake()

    # ---- while a snapshot is fetched, newer prices wait behind it

    def expect_snapshots(self, number: int) -> None:
        """Hold prices back until so many more snapshots are there, or not to be had."""
        self._snapshots_to_come += number
        self._schedule()

    # ---- what goes out

    async def ready(self) -> None:
        """Wait until there is something to send."""
        self.writing_since = None
        if self._has_notes() or self.ended is not None:
            return
        self._waiting = asyncio.get_running_loop().create_future()
        self._schedule()
        try:
            await self._waiting
        finally:
            self._waiting = None

    async def room(self) -> None:
        """Wait until few facts wait; it returns also when the stream has ended."""
        while len(self._facts) >= ROOM_FACTS and self.ended is None:
            self._room.clear()
            await self._room.wait()

    def take(self) -> list[Message]:
        """Give everything that may be sent now, in order; after the last note of an ended stream there is no more."""
        now = asyncio.get_running_loop().time()
        self.writing_since = self.sent_at = now
        taken = list(self._notes)
        self._notes.clear()
        if self.ended == "too_slow":
            self._facts.clear()
            owed = sorted(self.topics & FACTS)
            taken.append(resync(owed, "too_slow", self.last_position))
            meters.live_resyncs.add(labels=("too_slow",))
        elif now >= self._due and self._has_paced():
            taken += self._paced(now)
        if self.ended is not None:
            taken.append(message("end", reason=self.ended))
            self.is_done = True
            self._room.set()
        for each in taken:
            if each.position is not None:
                self.last_position = each.position
        meters.live_sent.add(len(taken))
        return taken

    def _paced(self, now: float) -> list[Message]:
        self._due = now + FLUSH_SECONDS
        taken: list[Message] = []
        if self._lost:
            taken.append(resync(self._lost, "missed"))
            meters.live_resyncs.add(labels=("missed",))
            self._lost.clear()
        taken += self._facts
        self._facts.clear()
        self._fact_bytes = 0
        self._room.set()
        by_topic: dict[str, list[bytes]] = {}
        for topic, body in self._signals:
            by_topic.setdefault(topic, []).append(body)
        taken += [signals_message(topic, bodies) for topic, bodies in by_topic.items()]
        self._signals.clear()
        if not self._snapshots_to_come:
            prices: dict[str, list[Price]] = {}
            for key, told in self._prices.items():
                prices.setdefault(key[0], []).extend(told)
            taken += [prices_message(topic, told) for topic, told in prices.items()]
            self._prices.clear()
        if self._oldest is not None:
            meters.live_delay_seconds.observe(now - self._oldest)
            self._oldest = None
        return taken

    def forget(self, topics: Iterable[str]) -> None:
        """Tell nothing more of these topics."""
        gone = set(topics)
        self._prices = {key: told for key, told in self._prices.items() if key[0] not in gone}
        self._signals = deque(each for each in self._signals if each[0] not in gone)
        self._facts = deque(each for each in self._facts if each.type not in gone)
        self._fact_bytes = sum(len(each.body) for each in self._facts)

    # ---- when

    def _has_notes(self) -> bool:
        return bool(self._notes)

    def _has_paced(self) -> bool:
        prices = self._prices and not self._snapshots_to_come
        return bool(prices or self._facts or self._signals or self._lost)

    def _note_age(self, received: float) -> None:
        if self._oldest is None:
            self._oldest = received
        if self._waiting is not None and not self._is_scheduled:
            self._schedule()

    def _lose(self, topic: str) -> None:
        self._lost[topic] = None
        meters.live_dropped.add()

    def _schedule(self) -> None:
        if self._waiting is None or self._is_scheduled or not self._has_paced():
            return
        self._is_scheduled = True
        now = asyncio.get_running_loop().time()
        self._wheel.at(max(self._due, now + GATHER_SECONDS), self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
