"""Models: one row each with how good it was found, and which of them speaks for its slot."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events.model import (
    Estimate,
    ModelActivated,
    ModelEvaluated,
    ModelKind,
    ModelTrained,
    TrainingData,
)
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import Batch, Change, Projection, columns, over


class Evaluation(Struct, frozen=True):
    """How good a model's forecasts were of matches from `since` to before `until`; losses: the lower the better.

    `difference` is of the log loss to that of the model `against` on the same matches: below 0 this one is better.
    """

    since: datetime
    until: datetime
    matches: int
    metrics: dict[str, Decimal]
    against: UUID | None
    difference: Estimate | None
    at: datetime
    position: int


class ModelRow(Struct, frozen=True):
    """A model; `active` when it speaks for its slot now, since `active_since`. `evaluations` come oldest first.

    `position` is that of its last event, its activation included.
    """

    model_id: UUID
    kind: ModelKind
    scope: str
    active: bool
    active_since: datetime | None
    forced: bool
    reason: str | None
    artefact: str
    artefact_bytes: int
    code_version: str
    data: TrainingData
    parameters: dict[str, str]
    metrics: dict[str, Decimal]
    evaluations: list[Evaluation]
    trained_at: datetime
    trained_position: int
    position: int


_SELECT = """
SELECT m.data::text, m.parameters::text, m.metrics::text,
       coalesce((SELECT json_agg(json_build_object(
           'since', e.since, 'until', e.until, 'matches', e.matches, 'metrics', e.metrics, 'against', e.against,
           'difference', e.difference, 'at', e.at, 'position', e.position) ORDER BY e.position)
        FROM model_evaluations e WHERE e.model_id = m.model_id), '[]')::text,
       m.model_id, m.kind, m.scope, s.model_id IS NOT NULL, s.since, coalesce(s.forced, false), s.reason, m.artefact,
       m.artefact_bytes, m.code_version, m.trained_at, m.trained_position, greatest(m.position, s.position)
FROM models m LEFT JOIN model_slots s ON s.model_id = m.model_id"""


async def get(db: Db, model_id: UUID) -> ModelRow | None:
    """Give a model, None when there is no such."""
    sql = query(_SELECT, ["m.model_id = %(model_id)s"], "")
    found = await db.rows(sql, {"model_id": model_id}, _row)
    return found[0] if found else None


async def page(
    db: Db,
    *,
    kind: ModelKind | None = None,
    scope: str | None = None,
    active: bool | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[ModelRow]:
    """Give the models that match, newest first."""
    before = decode_cursor(cursor, tuple[int])
    where = ["true"]
    if kind is not None:
        where.append("m.kind = %(kind)s")
    if scope is not None:
        where.append("m.scope = %(scope)s")
    if active is not None:
        where.append(f"s.model_id IS {'NOT ' if active else ''}NULL")
    if before:
        where.append("m.trained_position < %(before)s")
    parameters = {
        "kind": kind,
        "scope": scope,
        "before": before and before[0],
        "limit": limit + 1,
    }
    sql = query(_SELECT, where, "ORDER BY m.trained_position DESC LIMIT %(limit)s")
    rows = await db.rows(sql, parameters, _row)
    return page_of(rows, limit, lambda row: (row.trained_position,))


async def active(db: Db) -> list[ModelRow]:
    """Give the models that speak for their slots, the latest first."""
    sql = query(_SELECT, ["s.model_id IS NOT NULL"], "ORDER BY m.trained_position DESC")
    return await db.rows(sql, {}, _row)


_data = msgspec.json.Decoder(TrainingData).decode
_texts = msgspec.json.Decoder(dict[str, str]).decode
_numbers = msgspec.json.Decoder(dict[str, Decimal]).decode
_evaluations = msgspec.json.Decoder(list[Evaluation]).decode


def _row(data: str, parameters: str, metrics: str, evaluations: str, *row: Any) -> ModelRow:
    *known, trained_at, trained_position, position = row
    told = (_data(data), _texts(parameters), _numbers(metrics), _evaluations(evaluations))
    rest: tuple[Any, ...] = (*told, trained_at, trained_position, position)
    return ModelRow(*known, *rest)


# ---- projection

_CREATE = """
CREATE TABLE models (
    model_id uuid PRIMARY KEY, kind text NOT NULL, scope text NOT NULL, artefact text NOT NULL,
    artefact_bytes bigint NOT NULL, code_version text NOT NULL, data json NOT NULL, parameters json NOT NULL,
    metrics json NOT NULL, trained_at timestamptz NOT NULL, trained_position bigint NOT NULL, position bigint NOT NULL
);
CREATE TABLE model_evaluations (
    model_id uuid NOT NULL, position bigint NOT NULL, against uuid, since timestamptz NOT NULL,
    until timestamptz NOT NULL, matches bigint NOT NULL, metrics json NOT NULL, difference json, at timestamptz NOT NULL,
    PRIMARY KEY (model_id, position)
);
CREATE TABLE model_slots (
    slot_id uuid PRIMARY KEY, model_id uuid NOT NULL, since timestamptz NOT NULL, forced boolean NOT NULL, reason text,
    position bigint NOT NULL
)"""

_INDEX = """
CREATE INDEX ON models (trained_position);
CREATE INDEX ON model_slots (model_id)"""

_TRAIN = over(
    """
    INSERT INTO models SELECT e.a, e.b, e.c, e.d, e.e, e.f, e.g::json, e.h::json, e.i::json, e.j, e.k, e.k
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k)""",
    *("uuid", "text", "text", "text", "bigint", "text", "text", "text", "text"),
    *("timestamptz", "bigint"),
)
_EVALUATE = over(
    """
    WITH e AS (SELECT * FROM {} AS e(a, b, c, d, e, f, g, h, i)),
         touched AS (UPDATE models m SET position = e.b FROM (SELECT a, max(b) AS b FROM e GROUP BY a) e
                     WHERE m.model_id = e.a)
    INSERT INTO model_evaluations SELECT e.a, e.b, e.c::uuid, e.d, e.e, e.f, e.g::json, e.h::json, e.i FROM e""",
    *("uuid", "bigint", "text", "timestamptz", "timestamptz", "bigint", "text", "text"),
    "timestamptz",
)
_ACTIVATE = over(
    """
    INSERT INTO model_slots AS s SELECT * FROM {}
    ON CONFLICT (slot_id) DO UPDATE SET model_id = excluded.model_id, since = excluded.since, forced = excluded.forced,
        reason = excluded.reason, position = excluded.position""",
    *("uuid", "uuid", "timestamptz", "boolean", "text", "bigint"),
)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _changes(batch: Batch) -> Iterable[Change]:
    trained: list[tuple[Any, ...]] = []
    for recorded in batch.of(ModelTrained):
        model = cast("ModelTrained", recorded.event)
        trained.append(
            (
                recorded.stream_id,
                model.kind,
                model.scope,
                model.artefact,
                model.artefact_bytes,
                model.code_version,
                _json(model.data),
                _json(model.parameters),
                _json(model.metrics),
                recorded.at,
                recorded.position,
            )
        )
    if trained:
        yield _TRAIN, columns(trained)
    evaluated: list[tuple[Any, ...]] = []
    for recorded in batch.of(ModelEvaluated):
        found = cast("ModelEvaluated", recorded.event)
        evaluated.append(
            (
                recorded.stream_id,
                recorded.position,
                None if found.against is None else str(found.against),
                found.since,
                found.until,
                found.matches,
                _json(found.metrics),
                None if found.difference is None else _json(found.difference),
                recorded.at,
            )
        )
    if evaluated:
        yield _EVALUATE, columns(evaluated)
    slots: dict[int, tuple[Any, ...]] = {}
    for recorded in batch.of(ModelActivated):
        chosen = cast("ModelActivated", recorded.event)
        slots[recorded.stream_id.int] = (
            recorded.stream_id,
            chosen.model_id,
            recorded.at,
            chosen.forced,
            chosen.reason,
            recorded.position,
        )
    if slots:
        yield _ACTIVATE, columns(slots.values())


PROJECTION = Projection(
    name="models",
    tables=("models", "model_evaluations", "model_slots"),
    create=_CREATE,
    index=_INDEX,
    follows=(ModelTrained, ModelEvaluated, ModelActivated),
    changes=_changes,
)
