"""Rebuilding live read models: built beside them, then swapped in one short transaction.

Until the swap commits nothing of the live model has changed, so a crash at any point leaves it as it was. Readers see
the old table or the new one: a statement that waits for the swap looks its tables up again afterwards.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from adapters.postgres.build import Build, Progress, is_out_of_time
from adapters.postgres.schema import connect, create_live, record_shape
from adapters.postgres.tracking import TABLES
from read_models.projection import Projection

NEAR_EVENTS: Final = 2_000  # so few that the rest is quickly done while the live model stands still
LOCK_PATIENCE_SECONDS: Final = (
    0.3  # so long at most do new readers queue behind the swap when an old one takes its time
)
SWAP_PATIENCE_SECONDS: Final = 60.0

_HOLD = SQL("""
SELECT notification_id FROM {tracking} WHERE application_name = %s FOR UPDATE""").format(**TABLES)
_TRACK = SQL("""
UPDATE {tracking} SET notification_id = %s WHERE application_name = %s""").format(**TABLES)


class SwapRefused(Exception):  # noqa: N818  a state, not a fault
    """The live tables could not be locked in time: some statement on them runs on and on."""


def rebuild(database_url: str, projections: Sequence[Projection], progress: Progress) -> int:
    """Build models anew and swap them in; give the position of the log when all were swapped.

    Raises BuildInProgress, BuildFailed or SwapRefused; the models that have not been swapped are as they were.
    """
    create_live(database_url, projections)
    with Build(database_url, projections, "rebuild") as build, connect(database_url) as connection:
        for projection in projections:
            # What a rebuild that died during a swap has left behind.
            connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(_retired(projection)))
        _catch_up(build, projections, progress)
        build.finish()
        for projection in projections:
            _swap(connection, build, projection, progress)
        return max(build.positions.values())


def _catch_up(build: Build, projections: Sequence[Projection], progress: Progress) -> None:
    """Bring models to the head, until that is near although others write on."""
    while True:
        head = build.head()
        begun = min(build.positions[projection.name] for projection in projections)
        build.advance({**build.positions, **{p.name: head for p in projections}}, progress)
        if head - begun <= NEAR_EVENTS:
            return


def _swap(
    connection: Connection[Any], build: Build, projection: Projection, progress: Progress
) -> None:
    give_up = time.monotonic() + SWAP_PATIENCE_SECONDS
    while True:
        _catch_up(build, [projection], progress)
        try:
            _swap_once(connection, build, projection)
            break
        except psycopg.Error as error:
            if not is_out_of_time(error):
                raise
            if time.monotonic() > give_up:
                raise SwapRefused(f"{projection.name}: its tables are never free") from error
        time.sleep(LOCK_PATIENCE_SECONDS)
    connection.execute(SQL("DROP SCHEMA {} CASCADE").format(_retired(projection)))


def _swap_once(connection: Connection[Any], build: Build, projection: Projection) -> None:
    retired, live = _retired(projection), Identifier(projection.schema)
    with connection.transaction():
        timeout = f"{LOCK_PATIENCE_SECONDS * 1000:.0f}ms"
        connection.execute("SELECT set_config('lock_timeout', %s, true)", (timeout,))
        # A worker advances this row before it writes: while it is held, the live model stands still.
        row = connection.execute(_HOLD, (projection.name,)).fetchone()
        assert row is not None
        if build.positions[projection.name] < row[0]:
            build.advance({**build.positions, projection.name: row[0]}, lambda *_: None)
        connection.execute(SQL("CREATE SCHEMA {}").format(retired))
        for table in projection.tables:
            old = Identifier(projection.schema, table)
            new = Identifier(build.schema_of(projection), table)
            # A table that this version adds is not there yet.
            connection.execute(SQL("ALTER TABLE IF EXISTS {} SET SCHEMA {}").format(old, retired))
            connection.execute(SQL("ALTER TABLE {} SET SCHEMA {}").format(new, live))
        connection.execute(_TRACK, (build.positions[projection.name], projection.name))
        record_shape(connection, projection)
        connection.execute(
            "DELETE FROM public.projection_faults WHERE model = %s", (projection.name,)
        )


def _retired(projection: Projection) -> Identifier:
    return Identifier(f"retired_{projection.name}")
