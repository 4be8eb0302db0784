"""Where each read model is: the library's tracking table, one row a model."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.postgres import PostgresFactory, PostgresTrackingRecorder
from eventsourcing.utils import Environment
from psycopg import Connection, Cursor
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

from adapters.postgres.settings import ledger_environment

TABLE: Final = "read_model_tracking"
TABLES: Final = {"tracking": Identifier("public", TABLE)}


class Moved(Exception):  # noqa: N818  an answer, not a fault
    """Somebody else has advanced a model; nothing was written."""


class ModelTracking(PostgresTrackingRecorder):
    """The library's table, whose `application_name` names the read model here: all of them follow one log.

    The library's own insert only refuses to go backwards: a worker that was asleep for a while could then apply a
    range of events a second time. `advance` moves a model only from where the worker read it.
    """

    def __init__(self, datastore: Any, **options: Any) -> None:
        super().__init__(datastore, **{**options, "tracking_table_name": TABLE})

    def _create_table(self, curs: Cursor[DictRow]) -> None:
        # Several processes start at once, and CREATE … IF NOT EXISTS alone is not safe against itself.
        curs.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (TABLE,))
        curs.execute("SELECT to_regclass(%s) IS NOT NULL AS found", (f"public.{TABLE}",))
        row = curs.fetchone()
        if row is None or not row["found"]:
            super()._create_table(curs)

    @classmethod
    def create(cls, database_url: str) -> None:
        """Create the log's tables and the tracking table where they are missing."""
        environment = Environment("ledger", ledger_environment(database_url))
        factory = InfrastructureFactory.construct(environment)
        assert isinstance(factory, PostgresFactory)
        try:
            factory.application_recorder()
            factory.tracking_recorder(cls)
        finally:
            factory.close()


_ADVANCE = SQL("""
UPDATE {tracking} SET notification_id = %(new)s
WHERE application_name = ANY(%(models)s) AND notification_id = %(old)s""").format(**TABLES)
_POSITIONS = SQL("""
SELECT application_name, notification_id FROM {tracking}
WHERE application_name <> '__migration__'""").format(**TABLES)


def advance(connection: Connection[Any], models: Sequence[str], old: int, new: int) -> None:
    """Move models that are still at `old` to `new`, in a transaction of the caller; raises Moved."""
    parameters = {"models": list(models), "old": old, "new": new}
    with connection.pipeline() as pipeline:
        cursor = connection.execute(_ADVANCE, parameters, prepare=True)
        pipeline.sync()
        if cursor.rowcount != len(models):
            raise Moved


def positions(connection: Connection[Any]) -> Mapping[str, int]:
    """Give where every model is."""
    return dict(connection.execute(_POSITIONS, prepare=True).fetchall())
