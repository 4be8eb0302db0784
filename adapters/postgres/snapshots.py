"""Snapshots of the streams that grow without end: accounts, the house's prices, and liabilities that are limited.

They only save time: a state is always what folding its stream gives. `SNAPSHOT_VERSION` is raised when the struct of
a state changes; older snapshots are then ignored until they are written again.
"""

from collections.abc import Callable
from typing import Final, LiteralString

import msgspec

from domain.account import Account
from domain.liability import Liability
from domain.odds import HousePrices
from domain.streams import State

SNAPSHOT_VERSION: Final = 4
_SHAPE_OF: Final[dict[type[State], str]] = {
    kind: f"{kind.__name__}.{SNAPSHOT_VERSION}" for kind in (Account, HousePrices, Liability)
}
TABLE: Final[LiteralString] = """(
    stream_id uuid PRIMARY KEY, version bigint NOT NULL, shape text NOT NULL, state bytea NOT NULL
) WITH (fillfactor = 70)"""
"""The table that holds them, behind its name."""

SHAPES: Final = list(_SHAPE_OF.values())
_decode: Final[dict[str, Callable[[bytes], State]]] = {
    shape: msgspec.msgpack.Decoder(kind).decode for kind, shape in _SHAPE_OF.items()
}
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


def shape_of(state: State) -> str | None:
    """Give the shape under which a state is kept, None when its stream stays short."""
    return _SHAPE_OF.get(type(state))


def encode_snapshot(state: State) -> bytes:
    """Encode a state; raises OverflowError where a sum is beyond the 64 bits that MessagePack holds."""
    return _encode(state)


def decode_snapshot(shape: str, state: bytes) -> State:
    """Decode a state of one of SHAPES."""
    return _decode[shape](state)
