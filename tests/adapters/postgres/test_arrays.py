"""Arrays packed by hand are what PostgreSQL and psycopg take them for."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.arrays import (
    BoolArray,
    ByteaArray,
    Int8Array,
    TextArray,
    UuidArray,
    register,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
KINDS: list[tuple[Any, str, st.SearchStrategy[Any]]] = [
    (UuidArray, "uuid[]", st.uuids()),
    (Int8Array, "bigint[]", st.integers(-(2**63), 2**63 - 1)),
    (BoolArray, "boolean[]", st.booleans()),
    (ByteaArray, "bytea[]", st.binary(max_size=300)),
    (TextArray, "text[]", TEXT),
]


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        register(opened)
        yield opened


def echo(connection: psycopg.Connection[Any], packed: bytes, kind: str) -> Any:
    row = connection.cursor(binary=True).execute(f"SELECT %b::{kind}", (packed,)).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(("array", "kind", "elements"), KINDS, ids=[k for _, k, _ in KINDS])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_array_arrives_as_it_was_packed(
    connection: psycopg.Connection[Any],
    array: Any,
    kind: str,
    elements: st.SearchStrategy[Any],
    data: st.DataObject,
) -> None:
    values = data.draw(st.lists(elements, max_size=20))
    assert echo(connection, array.of(values), kind) == values


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 70_000])
def test_the_length_of_an_element_may_be_anything(
    connection: psycopg.Connection[Any], size: int
) -> None:
    assert echo(connection, ByteaArray.of([b"x" * size, b""]), "bytea[]") == [b"x" * size, b""]
    assert echo(connection, TextArray.of(["é" * size, ""]), "text[]") == ["é" * size, ""]


def test_a_long_array_has_one_dimension_from_1(connection: psycopg.Connection[Any]) -> None:
    values: Sequence[UUID] = [uuid4() for _ in range(20_000)]
    row = connection.execute(
        "SELECT array_ndims(a), array_lower(a, 1), cardinality(a), a[20000]"
        " FROM (SELECT %b::uuid[] AS a) AS s",
        (UuidArray.of(values),),
    ).fetchone()
    assert row == (1, 1, 20_000, values[-1])


def test_an_empty_array_is_not_null(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(
        "SELECT %b::uuid[] = '{}', cardinality(%b::bigint[])", (UuidArray.of([]), Int8Array.of([]))
    ).fetchone()
    assert row == (True, 0)


def test_a_number_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(struct.error):
        Int8Array.of([2**63])
