"""What clients are sent: JSON objects with a `type`, each encoded once for all of them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from application.live.source import Fact
from application.live.topics import where_to_read
from domain.quotes import QuoteMessage, decode_message, encode_message


class Message(Struct, frozen=True, gc=False):
    """A message for a client: its type, its JSON, and of a fact the position to resume from."""

    type: str
    body: bytes
    position: int | None = None


_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def message(kind: str, *, position: int | None = None, **members: Any) -> Message:
    """Make a message of these members."""
    return Message(kind, _encode({"type": kind} | members), position)


def resync(topics: Iterable[str], reason: str, after: int | None = None) -> Message:
    """Tell a client that it missed something of these topics, and where it can read what is."""
    missed = list(topics)
    members: dict[str, Any] = {
        "topics": missed,
        "reason": reason,
        "read": list(dict.fromkeys(where_to_read(topic) for topic in missed)),
    }
    return message("resync", **members, **({} if after is None else {"after": after}))


# ---- facts


class _Line(Struct, gc=False):
    """A line of the audit feed without who did it by which command: that is the auditor's to see."""

    position: int
    stream: Raw
    version: int
    topic: str
    time: Raw
    data: Raw


class _Shown(Struct, gc=False):
    type: str
    position: int
    fact: str
    stream: Raw
    version: int
    time: Raw
    data: Raw


def fact_message(live_topic: str, fact: Fact) -> Message:
    """Show a fact; raises ValueError when its line is none."""
    line = _read_line(fact.line)
    shown = _Shown(
        live_topic, fact.position, line.topic, line.stream, line.version, line.time, line.data
    )
    return Message(live_topic, _encode(shown), fact.position)


_read_line: Final = msgspec.json.Decoder(_Line).decode


class _Whose(Struct, gc=False):
    owner: str | UnsetType = UNSET
    account_id: UUID | UnsetType = UNSET


class _Owned(Struct, gc=False):
    stream: UUID
    data: _Whose | None


_read_owned: Final = msgspec.json.Decoder(_Owned).decode


def whose(fact: Fact) -> tuple[UUID, str | None]:
    """Give the account of a fact of accounts or bets, and its owner where the fact itself names it."""
    owned = _read_owned(fact.line)
    data = owned.data or _Whose()  # the data of an event that is very large is left out
    account = owned.stream if data.account_id is UNSET else data.account_id
    return account, None if data.owner is UNSET else data.owner


# ---- prices


class Price(Struct, frozen=True, gc=False, eq=False):
    """A bookmaker's message of prices, and its JSON; `lines` are the (selection, side) that it tells the prices of.

    `received` is a monotonic time.
    """

    message: QuoteMessage
    body: bytes
    received: float
    lines: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, told: QuoteMessage, body: bytes, received: float) -> "Price":
        """Make it of a message and its JSON."""
        return cls(told, body, received, frozenset([(q.selection_id, q.side) for q in told.quotes]))

    @classmethod
    def read(cls, body: bytes, received: float) -> "Price":
        """Read what was published; raises ValueError when it is malformed."""
        told = decode_message(body)
        # A line of an event stream ends at a line break, and JSON may hold some between its words.
        one_line = encode_message(told) if b"\n" in body or b"\r" in body else body
        return cls.of(told, one_line, received)

    def without(self, lines: frozenset[tuple[str, str]]) -> "Price | None":
        """Give what is left without these (selection, side); None when nothing is."""
        if self.lines <= lines:
            return None
        if self.lines.isdisjoint(lines):
            return self
        quotes = self.message.quotes
        left = tuple(line for line in quotes if (line.selection_id, line.side) not in lines)
        told = replace(self.message, quotes=left)
        return Price.of(told, encode_message(told), self.received)


def coalesced(waiting: Sequence[Price], price: Price) -> tuple[Price, ...]:
    """Give what has to be told when `price` comes while earlier ones of its bookmaker and market still wait.

    Of every selection and side the latest price is told. A message may tell of some selections only: what it does not
    tell of stays.
    """
    kept: list[Price] = []
    new: Price | None = price
    for earlier in waiting:
        if new is not None and new.message.at < earlier.message.at:
            # It was overtaken on its way.
            kept.append(earlier)
            new = new.without(earlier.lines)
        elif (rest := earlier.without(price.lines)) is not None:
            kept.append(rest)
    return (*kept, new) if new is not None else tuple(kept)


def prices_message(topic: str, prices: Sequence[Price]) -> Message:
    """Tell prices of one topic."""
    bodies = b",".join([price.body for price in prices])
    return Message("odds", b'{"type":"odds","topic":"%b","prices":[%b]}' % (topic.encode(), bodies))


def snapshot_message(topic: str, prices: bytes) -> Message:
    """Tell the prices of a market as they are, in JSON."""
    return Message(
        "snapshot", b'{"type":"snapshot","topic":"%b","odds":%b}' % (topic.encode(), prices)
    )


def signals_message(topic: str, signals: Sequence[bytes]) -> Message:
    """Tell signals of one topic."""
    return Message(topic, b'{"type":"%b","signals":[%b]}' % (topic.encode(), b",".join(signals)))


def one_line(body: bytes) -> bytes:
    """Give a JSON value without line breaks, digit for digit; raises ValueError when it is none."""
    msgspec.json.decode(body)  # formatting alone does not look at what follows the value
    return msgspec.json.format(body, indent=-1) if b"\n" in body or b"\r" in body else body
