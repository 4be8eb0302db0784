"""The writer's snapshots, kept up like a read model: so that no command ever has to replay a long stream."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from adapters.postgres.snapshots import TABLE, encode_snapshot, shape_of
from domain.events.liability import LiabilityChanged, LiabilityCounted
from domain.events.odds import OddsSnapshotTaken
from domain.streams import State
from read_models.catalogue import READ_MODELS
from read_models.projection import ACCOUNT_EVENTS, Batch, Change, Projection, columns, over

_CREATE = f"CREATE TABLE IF NOT EXISTS ledger_snapshots {TABLE}"

_KEEP = over(
    """
    INSERT INTO ledger_snapshots (stream_id, version, shape, state) SELECT * FROM {}
    ON CONFLICT (stream_id) DO UPDATE
    SET version = excluded.version, shape = excluded.shape, state = excluded.state""",
    *("uuid", "bigint", "text", "bytea"),
)


EVERY: Final = 64
"""Versions between two snapshots of a stream: whoever needs a state folds fewer events than this onto its snapshot."""


def _changes(batch: Batch) -> Iterable[Change]:
    due: dict[UUID, State] = {
        recorded.stream_id: state
        for recorded, _, state in (
            *batch.accounts,
            *batch.folds_of(OddsSnapshotTaken),
            *batch.folds_of(LiabilityCounted, LiabilityChanged),
        )
        if state.version % EVERY == 0
    }
    rows: list[tuple[Any, ...]] = []
    for stream_id, state in due.items():
        with suppress(OverflowError):  # it goes on with the snapshot that it has
            rows.append((stream_id, state.version, shape_of(state), encode_snapshot(state)))
    if rows:
        yield _KEEP, columns(rows)


SNAPSHOTS: Final = Projection(
    name="snapshots",
    tables=("ledger_snapshots",),
    create=_CREATE,
    follows=(*ACCOUNT_EVENTS, OddsSnapshotTaken, LiabilityCounted, LiabilityChanged),
    changes=_changes,
    schema="public",
)

PROJECTIONS: Final[dict[str, Projection]] = {**READ_MODELS, SNAPSHOTS.name: SNAPSHOTS}
"""Everything that follows the log into tables, by name."""
