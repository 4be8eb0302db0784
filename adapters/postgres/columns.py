"""Whole columns as PostgreSQL's binary arrays, by the names that projections give their types."""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from adapters.postgres import arrays
from adapters.postgres.arrays import BoolArray, ByteaArray, Int8Array, TextArray, UuidArray
from read_models.projection import Change, ColumnType

_length = struct.Struct(">i").pack
_NULL: Final = _length(-1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class TimestampArray(Int8Array):
    """timestamptz[]: microseconds since 2000."""

    element_oid, array_oid = 1184, 1185


class NullableTextArray(TextArray):
    """text[] that may hold nulls."""

    @classmethod
    def of(cls, values: Sequence[str | None]) -> "NullableTextArray":
        """Pack text as UTF-8, None as null."""
        parts: list[bytes] = []
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                data = value.encode()
                parts.append(_length(len(data)))
                parts.append(data)
        return cls(cls._of(len(values), b"".join(parts)))


def _pack_times(values: Sequence[datetime]) -> TimestampArray:
    known: dict[datetime, int] = {}  # the events of one commit share their time
    microseconds = []
    for value in values:
        number = known.get(value)
        if number is None:
            number = known[value] = (value - _EPOCH) // _MICROSECOND
        microseconds.append(number)
    return TimestampArray(TimestampArray.of(microseconds))


_PACK: Final[dict[ColumnType, Callable[[Sequence[Any]], bytes]]] = {
    "uuid": UuidArray.of,
    "bigint": Int8Array.of,
    "boolean": BoolArray.of,
    "bytea": ByteaArray.of,
    "text": NullableTextArray.of,
    "timestamptz": _pack_times,
}


def pack(change: Change) -> tuple[str, list[bytes]]:
    """Give a change's SQL and its columns, packed."""
    statement, columns = change
    return statement.sql, [
        _PACK[kind](column) for kind, column in zip(statement.types, columns, strict=True)
    ]


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Buffer) -> Buffer:
        return obj


def register(connection: Connection[Any]) -> None:
    """Let a connection take packed columns as parameters."""
    arrays.register(connection)
    for packed in (TimestampArray, NullableTextArray):
        dumper = type(f"{packed.__name__}Dumper", (_PackedDumper,), {"oid": packed.array_oid})
        connection.adapters.register_dumper(packed, dumper)
