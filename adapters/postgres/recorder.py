"""The ledger's tables and the library's recorder over them.

`ledger_events` is the library's own table. Positions (`notification_id`) are given out by `ledger_append` under one
advisory lock: 1, 2, 3 … in commit order and without gaps, so that an auditor sees that nothing is missing. The
library's own insert goes through the same function; its LOCK TABLE is not used because autovacuum's ANALYZE holds it
up for seconds.
"""

import zlib
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import psycopg
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.postgres import (
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
)
from eventsourcing.utils import Environment, EnvType
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Composed, Identifier, Literal

from adapters.postgres.arrays import ByteaArray, Int8Array, TextArray, UuidArray, register
from adapters.postgres.log import COMMANDS_SUFFIX, PostgresLog
from adapters.postgres.settings import CONNINFO, OURS
from adapters.postgres.snapshots import TABLE
from domain.events.market import RESULT_EVENTS

RESULTS_SUFFIX = "_results"
"""Channel that says up to which position results of markets have changed; the other one rings for every batch."""

_CREATE_COMMANDS = SQL("""
CREATE TABLE IF NOT EXISTS {schema}.{commands} (
    scope text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, digest bytea NOT NULL, refused boolean NOT NULL, answer bytea NOT NULL,
    PRIMARY KEY (scope, key)
)""")

_CREATE_SNAPSHOTS = SQL("CREATE TABLE IF NOT EXISTS {schema}.{snapshots} " + TABLE)

_CREATE_APPEND = SQL("""
CREATE OR REPLACE FUNCTION {schema}.{append}(
    expected bigint, ids uuid[], versions bigint[], topics text[], states bytea[],
    scopes text[], keys text[], digests bytea[], refused boolean[], answers bytea[],
    unknown_scopes text[], unknown_keys text[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    SELECT coalesce(max(notification_id), 0) INTO head FROM {schema}.{events};
    IF expected <> head THEN
        RETURN -1;
    END IF;
    IF cardinality(unknown_keys) > 0 AND EXISTS (
        SELECT FROM unnest(unknown_scopes, unknown_keys) AS u(scope, key) JOIN {schema}.{commands} USING (scope, key)
    ) THEN
        RAISE EXCEPTION 'a command of this batch was answered before' USING ERRCODE = 'FB001';
    END IF;
    IF cardinality(keys) > 0 THEN
        -- Not ON CONFLICT: its speculative insertion costs as much as an event.
        INSERT INTO {schema}.{commands} SELECT * FROM unnest(scopes, keys, digests, refused, answers);
    END IF;
    IF cardinality(ids) > 0 THEN
        INSERT INTO {schema}.{events} (originator_id, originator_version, topic, state, notification_id)
        SELECT id, version, topic, state, head + place
        FROM unnest(ids, versions, topics, states) WITH ORDINALITY AS e(id, version, topic, state, place);
        NOTIFY {channel};
        IF topics && {results} THEN
            PERFORM pg_notify({results_channel}, (head + cardinality(ids))::text);
        END IF;
    END IF;
    RETURN head + cardinality(ids);
END $$""")


class LedgerRecorder(PostgresLog, PostgresApplicationRecorder):
    """The library's recorder with the ledger's way of appending; PostgresLog adds the writer's asynchronous side."""

    def __init__(
        self, datastore: PostgresDatastore, *, events_table_name: str = "ledger_events"
    ) -> None:
        PostgresApplicationRecorder.__init__(self, datastore, events_table_name=events_table_name)
        prefix = events_table_name.removesuffix("_events")
        names = {
            "schema": Identifier(datastore.schema),
            "events": Identifier(events_table_name),
            "commands": Identifier(prefix + COMMANDS_SUFFIX),
            "snapshots": Identifier(f"{prefix}_snapshots"),
            "append": Identifier(f"{prefix}_append"),
            "channel": Identifier(self.channel_name),
            "results": Literal([event.topic for event in RESULT_EVENTS]),
            "results_channel": Literal(prefix + RESULTS_SUFFIX),
            "lock": Literal(zlib.crc32(f"{datastore.schema}.{events_table_name}".encode())),
        }
        self.sql_create_statements[self.create_insert_function_statement_index] = (
            _CREATE_APPEND.format(**names)
        )
        # The composite types serve the library's own insert function only, and creating them at once from several
        # processes fails: CREATE TYPE knows no IF NOT EXISTS.
        self.sql_create_statements = [
            statement
            for statement in self.sql_create_statements
            if "CREATE TYPE" not in statement.as_string()
        ]
        self.sql_create_statements += [
            statement.format(**names) for statement in (_CREATE_COMMANDS, _CREATE_SNAPSHOTS)
        ]
        self.names = names
        PostgresLog.__init__(self, datastore, names)

    def _create_table(self, curs: psycopg.Cursor[Any]) -> None:
        # Several processes start at once; CREATE … IF NOT EXISTS alone is not safe against itself.
        curs.execute(Composed([SQL("SELECT pg_advisory_xact_lock("), self.names["lock"], SQL(")")]))
        super()._create_table(curs)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Append events the library's way: whatever the head is, without a command record."""
        with self.datastore.get_connection() as connection:
            register(connection)
            row = connection.execute(
                self.append_sql,
                (
                    None,
                    UuidArray.of([cast("UUID", event.originator_id) for event in stored_events]),
                    Int8Array.of([event.originator_version for event in stored_events]),
                    TextArray.of([event.topic for event in stored_events]),
                    ByteaArray.of([event.state for event in stored_events]),
                    *self.no_records,
                    *self.no_keys,
                ),
            ).fetchone()
        assert row is not None
        last = next(iter(row.values()))
        if last < 0:
            raise IntegrityError("the log moved on")
        return range(last - len(stored_events) + 1, last + 1)


class LedgerFactory(PostgresFactory):
    """Makes the ledger's recorder."""

    application_recorder_class = LedgerRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        """Connect as DATABASE_URL says in whole: the library knows five of its parts, and no TLS."""
        super().__init__(env)
        kwargs = self.datastore.pool.kwargs
        assert isinstance(kwargs, dict)
        for name, value in conninfo_to_dict(self.env.get(CONNINFO) or "").items():
            if name not in OURS:
                kwargs.setdefault(name, value)
