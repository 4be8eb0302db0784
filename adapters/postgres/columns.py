"""Whole columns as PostgreSQL's binary arrays, by the names that projections give their types."""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from adapters.postgres import arrays
from adapters.postgres.arrays import BoolArray, ByteaArray, Int8Array, TextArray, UuidArray
from read_models.projection import Change, ColumnType

_length = struct.Struct(">i").pack
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class TimestampArray(Int8Array):
    """timestamptz[]: microseconds since 2000."""

    element_oid, array_oid = 1184, 1185


class _Encoded(dict[str | None, bytes]):
    """Text behind its length, each value encoded once: columns repeat themselves."""

    def __missing__(self, value: str | None) -> bytes:
        data = b"" if value is None else value.encode()
        self[value] = encoded = _length(-1 if value is None else len(data)) + data
        return encoded


def _pack_text(values: Sequence[str | None]) -> bytes:
    return TextArray._of(len(values), b"".join(map(_Encoded().__getitem__, values)))  # noqa: SLF001  see arrays


def _pack_integers(values: Sequence[int]) -> bytes:
    return _pack_numbers(Int8Array, values)


def _pack_sums(values: Sequence[int]) -> bytes:
    """Pack as numbers of 64 bits; when one does not fit, as text: the statement casts either to numeric[]."""
    try:
        return _pack_numbers(Int8Array, values)
    except OverflowError:
        return _pack_text([str(value) for value in values])


def _pack_times(values: Sequence[datetime]) -> bytes:
    known, number = _EPOCH, 0
    microseconds = []
    for value in values:
        if value != known:  # the events of one commit share their time
            known, number = value, (value - _EPOCH) // _MICROSECOND
        microseconds.append(number)
    return _pack_numbers(TimestampArray, microseconds)


def _pack_numbers(array: type[Int8Array], values: Sequence[int]) -> bytes:
    elements = np.empty(len(values), _NUMBER)
    elements["length"] = 8
    elements["value"] = np.array(values, np.int64)  # refuses what does not fit
    return array._of(len(values), elements.tobytes())  # noqa: SLF001  (the same)


def _pack_ids(values: Sequence[UUID]) -> bytes:
    elements = np.empty(len(values), _ID)
    elements["length"] = 16
    joined = b"".join([value.int.to_bytes(16, "big") for value in values])
    elements["value"] = np.frombuffer(joined, "V16")
    return UuidArray._of(len(values), elements.tobytes())  # noqa: SLF001  (the same)


_NUMBER: Final = np.dtype([("length", ">i4"), ("value", ">i8")])
_ID: Final = np.dtype([("length", ">i4"), ("value", "V16")])
_PACK: Final[dict[ColumnType, Callable[[Sequence[Any]], bytes]]] = {
    "uuid": _pack_ids,
    "bigint": _pack_integers,
    "numeric": _pack_sums,
    "boolean": BoolArray.of,
    "bytea": ByteaArray.of,
    "text": _pack_text,
    "timestamptz": _pack_times,
}


def pack(change: Change) -> tuple[str, list[bytes]]:
    """Give a change's SQL and its columns, packed."""
    statement, columns = change
    return statement.sql, [
        _PACK[kind](column) for kind, column in zip(statement.types, columns, strict=True)
    ]


class _TimestampDumper(Dumper):
    format = Format.BINARY
    oid = TimestampArray.array_oid

    def dump(self, obj: Buffer) -> Buffer:
        return obj


def register(connection: Connection[Any]) -> None:
    """Let a connection take packed columns as parameters."""
    arrays.register(connection)
    connection.adapters.register_dumper(TimestampArray, _TimestampDumper)
