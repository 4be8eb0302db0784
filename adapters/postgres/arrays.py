"""PostgreSQL's binary arrays, packed by hand: psycopg's own list dumper takes a quarter of an append's time.

Format: https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-FORMAT-CODES and the array_recv
function: dimensions, null flag, element type, then length and lower bound, then each element behind its length.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import ClassVar
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_header = struct.Struct(">iiIii").pack
_length = struct.Struct(">i").pack
_length_int8 = struct.Struct(">iq").pack
_SMALL = 4096
_LENGTHS = [_length(n) for n in range(_SMALL)]
_TRUE, _FALSE = _length(1) + b"\x01", _length(1) + b"\x00"


class _Packed(bytes):
    """A packed array; its class names the element type."""

    element_oid: ClassVar[int]
    array_oid: ClassVar[int]

    @classmethod
    def _of(cls, count: int, elements: bytes) -> "_Packed":
        return cls(
            _header(1 if count else 0, 0, cls.element_oid, count, 1)[: None if count else 12]
            + elements
        )


class UuidArray(_Packed):
    """An array of uuid."""

    element_oid, array_oid = 2950, 2951

    @classmethod
    def of(cls, values: Sequence[UUID]) -> _Packed:
        """Pack ids."""
        prefix = _LENGTHS[16]
        return cls._of(len(values), b"".join([prefix + value.bytes for value in values]))


class Int8Array(_Packed):
    """An array of bigint."""

    element_oid, array_oid = 20, 1016

    @classmethod
    def of(cls, values: Sequence[int]) -> _Packed:
        """Pack 64-bit integers."""
        return cls._of(len(values), b"".join([_length_int8(8, value) for value in values]))


class BoolArray(_Packed):
    """An array of boolean."""

    element_oid, array_oid = 16, 1000

    @classmethod
    def of(cls, values: Sequence[bool]) -> _Packed:
        """Pack truth values."""
        return cls._of(len(values), b"".join([_TRUE if value else _FALSE for value in values]))


class ByteaArray(_Packed):
    """An array of bytea."""

    element_oid, array_oid = 17, 1001

    @classmethod
    def of(cls, values: Sequence[bytes]) -> _Packed:
        """Pack byte strings."""
        return cls._of(len(values), b"".join(_prefixed(values)))


class TextArray(_Packed):
    """An array of text."""

    element_oid, array_oid = 25, 1009

    @classmethod
    def of(cls, values: Sequence[str]) -> _Packed:
        """Pack text as UTF-8."""
        return cls._of(len(values), b"".join(_prefixed([value.encode() for value in values])))


def _prefixed(values: Iterable[bytes]) -> list[bytes]:
    small = _LENGTHS
    return [
        part
        for value in values
        for part in (small[len(value)] if len(value) < _SMALL else _length(len(value)), value)
    ]


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Buffer) -> Buffer:
        return obj


def register(connection: Connection[object] | AsyncConnection[object]) -> None:
    """Let a connection take the packed arrays as parameters."""
    for packed in (UuidArray, Int8Array, BoolArray, ByteaArray, TextArray):
        dumper = type(f"{packed.__name__}Dumper", (_PackedDumper,), {"oid": packed.array_oid})
        connection.adapters.register_dumper(packed, dumper)
