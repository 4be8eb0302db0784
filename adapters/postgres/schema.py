"""The tables of the read models: where they live, how they are made, and what tells two builds apart."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final, cast

import psycopg
from msgspec import Struct
from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from adapters.postgres import columns
from adapters.postgres.tracking import TABLES, ModelTracking
from read_models.projection import Projection

LIVE: Final = "read_models"


def connect(
    database_url: str, *, path: Iterable[str] = (LIVE,), settings: str = ""
) -> Connection[tuple[Any, ...]]:
    """Connect to where the tables of `path` are, with packed columns and times in UTC."""
    search_path = ",".join([*path, "public"])
    connection = psycopg.connect(
        database_url,
        autocommit=True,
        row_factory=tuple_row,
        options=f"-c search_path={search_path} -c timezone=UTC {settings}",
        application_name="fairbook projections",
    )
    columns.register(connection)
    return connection


_CREATE_FAULTS = """
CREATE TABLE IF NOT EXISTS projection_faults (
    model text PRIMARY KEY, position bigint NOT NULL, reason text NOT NULL, since timestamptz NOT NULL DEFAULT now()
)"""
_CREATE_SHAPES = """
CREATE TABLE IF NOT EXISTS public.read_model_shapes (model text PRIMARY KEY, shape text NOT NULL)"""
_RECORD_SHAPE = """
INSERT INTO public.read_model_shapes (model, shape) VALUES (%s, %s)
ON CONFLICT (model) DO UPDATE SET shape = excluded.shape"""
_BEGIN_TRACKING = SQL("""
INSERT INTO {tracking} (application_name, notification_id) VALUES (%s, 0)
ON CONFLICT DO NOTHING RETURNING 1""").format(**TABLES)


def create_live(database_url: str, projections: Iterable[Projection]) -> None:
    """Create what is missing: the log, the tracking table, and the tables of models that were never begun."""
    # Connect first: that fails at once when the database is away, the library only after half a minute.
    with connect(database_url) as connection, connection.transaction():
        ModelTracking.create(database_url)
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('fairbook read models'))")
        connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(LIVE)))
        connection.execute(_CREATE_FAULTS.replace("projection_faults", "public.projection_faults"))
        connection.execute(_CREATE_SHAPES)
        for projection in projections:
            if connection.execute(_BEGIN_TRACKING, (projection.name,)).fetchone():
                path = f"{projection.schema}, {LIVE}, public"
                connection.execute("SELECT set_config('search_path', %s, true)", (path,))
                create_tables(connection, projection)
                create_indexes(connection, projection)
                record_shape(connection, projection)


def shape_of(projection: Projection) -> str:
    """Give a short word that changes with a model's tables, its indexes, or the revision of what it writes."""
    made = [*projection.tables, *projection.create.split(), *projection.index.split()]
    return hashlib.sha256(repr((projection.revision, made)).encode()).hexdigest()[:16]


def record_shape(connection: Connection[Any], projection: Projection) -> None:
    """Note that a model's live tables are as this version makes them."""
    connection.execute(_RECORD_SHAPE, (projection.name, shape_of(projection)))


def outdated(connection: Connection[Any], projections: Iterable[Projection]) -> list[Projection]:
    """Give the models whose live tables another version of this program made."""
    rows = connection.execute("SELECT model, shape FROM public.read_model_shapes").fetchall()
    shapes = dict(rows)
    return [each for each in projections if shapes.get(each.name) != shape_of(each)]


def create_tables(connection: Connection[Any], projection: Projection) -> None:
    """Create a model's tables in the first schema of the search path."""
    _execute_all(connection, projection.create)


def create_indexes(connection: Connection[Any], projection: Projection) -> None:
    """Create a model's secondary indexes."""
    _execute_all(connection, projection.index)


def _execute_all(connection: Connection[Any], statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            connection.execute(cast("Any", statement))


# ---- digests


class TableDigest(Struct, frozen=True):
    """Rows of a table, and the sum of a 64-bit hash of each: the same for the same rows in any order."""

    table: str
    rows: int
    hash: int


_DIGEST = SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} AS t")


def digest(
    connection: Connection[Any], projection: Projection, schema: str
) -> tuple[TableDigest, ...]:
    """Give the digest of a model's tables as they stand in a schema."""
    found = []
    for table in projection.tables:
        row = connection.execute(_DIGEST.format(Identifier(schema, table))).fetchone()
        assert row is not None
        found.append(TableDigest(table, row[0], int(row[1])))
    return tuple(found)
