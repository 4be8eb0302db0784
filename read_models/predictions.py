"""Predictions: what each model said last of a fixture, market by market, and how that turned out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.commands.model import PredictedMarket
from domain.events.event import Recorded
from domain.events.market import MarketType
from domain.events.model import ModelKind, ModelTrained
from domain.events.prediction import ExpectedGoals, PredictionMade, PredictionScored
from domain.forecast import Forecast
from read_models.db import Db, query
from read_models.projection import Batch, Change, Projection, StreamKey, columns, over


class ShownChance(Struct, frozen=True):
    """What a model gives a selection; see domain.events.prediction.Chance."""

    selection_id: str
    probability: Decimal
    low: Decimal
    high: Decimal
    refund: Decimal


class PredictedChances(Struct, frozen=True):
    """What a model gives the selections of a market, and, once that has a result, what it lost by it.

    `generation` counts the results of the market: the one that the score goes by. Losses are None where nothing was
    decided, or the result was rolled back.
    """

    market_id: UUID
    type: MarketType
    line: Decimal | None
    chances: list[ShownChance]
    generation: int | None
    winners: list[str] | None
    log_loss: Decimal | None
    brier: Decimal | None
    rps: Decimal | None


class PredictionRow(Struct, frozen=True):
    """What a model says of a fixture, knowing nothing of `as_of` or later; `active`: it speaks for its slot now."""

    prediction_id: UUID
    model_id: UUID
    kind: ModelKind
    scope: str
    active: bool
    fixture_id: UUID
    as_of: datetime
    expected_goals: ExpectedGoals | None
    markets: list[PredictedChances]
    changed_at: datetime
    position: int


_SELECT = """
SELECT p.expected_goals::text,
       (SELECT json_agg(json_build_object(
           'market_id', m.market_id, 'type', m.type, 'line', m.line, 'chances', m.chances, 'generation', m.generation,
           'winners', m.winners, 'log_loss', m.log_loss::text, 'brier', m.brier::text, 'rps', m.rps::text)
           ORDER BY m.type, m.line::numeric, m.market_id)
        FROM prediction_markets m WHERE m.prediction_id = p.prediction_id)::text,
       p.prediction_id, p.model_id, p.kind, p.scope,
       EXISTS (SELECT FROM model_slots s WHERE s.model_id = p.model_id), p.fixture_id, p.as_of, p.changed_at, p.position
FROM predictions p"""


async def of_fixture(db: Db, fixture_id: UUID, family: str) -> list[PredictionRow]:
    """Give what models of a family (`football`, `racing`) say of a fixture, the active one first, then the latest."""
    sql = query(
        _SELECT,
        ["p.fixture_id = %(fixture_id)s", "p.kind LIKE %(family)s || '.%%'"],
        "ORDER BY 7 DESC, p.opened_position DESC",
    )
    return await db.rows(sql, {"fixture_id": fixture_id, "family": family}, _row)


_expected = msgspec.json.Decoder(ExpectedGoals | None).decode
_markets = msgspec.json.Decoder(list[PredictedChances]).decode


def _row(expected: str | None, markets: str, *row: Any) -> PredictionRow:
    *known, changed_at, position = row
    goals = _expected(expected) if expected else None
    rest: tuple[Any, ...] = (goals, _markets(markets), changed_at, position)
    return PredictionRow(*known, *rest)


# ---- for the process that keeps the scores, and the one that predicts


_UNSCORED = """
SELECT p.model_id, p.fixture_id, p.market_id
FROM prediction_markets p JOIN markets m ON m.market_id = p.market_id
WHERE m.generation > coalesce(p.generation, 0) AND (m.status = 'resulted' OR p.generation IS NOT NULL)
ORDER BY p.prediction_id, p.market_id LIMIT %(limit)s"""


async def unscored(db: Db, limit: int) -> list[PredictedMarket]:
    """Give predicted markets whose score does not go by the result that stands now, as far as the views tell."""
    return await db.rows(_UNSCORED, {"limit": limit}, PredictedMarket)


async def markets_predicted(db: Db, model_id: UUID, market_ids: Sequence[UUID]) -> set[UUID]:
    """Give those of these markets that a model has predicted."""
    sql = """
        SELECT market_id FROM prediction_markets
        WHERE model_id = %(model_id)s AND market_id = ANY(%(market_ids)s)"""
    rows = await db.rows(sql, {"model_id": model_id, "market_ids": list(market_ids)}, _same)
    return set(rows)


def _same(value: UUID) -> UUID:
    return value


# ---- projection

_CREATE = """
CREATE TABLE predictions (
    prediction_id uuid PRIMARY KEY, model_id uuid NOT NULL, kind text NOT NULL, scope text NOT NULL,
    fixture_id uuid NOT NULL, as_of timestamptz NOT NULL, expected_goals json, changed_at timestamptz NOT NULL,
    opened_position bigint NOT NULL, position bigint NOT NULL
) WITH (fillfactor = 80);
CREATE TABLE prediction_markets (
    prediction_id uuid NOT NULL, market_id uuid NOT NULL, model_id uuid NOT NULL, fixture_id uuid NOT NULL,
    type text NOT NULL, line text, chances json NOT NULL, generation bigint, winners json, log_loss numeric,
    brier numeric, rps numeric, PRIMARY KEY (prediction_id, market_id)
) WITH (fillfactor = 80)"""

_INDEX = """
CREATE INDEX ON predictions (fixture_id);
CREATE INDEX ON prediction_markets (market_id);
CREATE INDEX ON prediction_markets (model_id, market_id)"""

_PREDICT = over(
    """
    INSERT INTO predictions AS p SELECT e.a, e.b, e.c, e.d, e.e, e.f, e.g::json, e.h, e.j, e.i
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j)
    ON CONFLICT (prediction_id) DO UPDATE SET as_of = excluded.as_of, expected_goals = excluded.expected_goals,
        changed_at = excluded.changed_at, position = excluded.position""",
    *("uuid", "uuid", "text", "text", "uuid", "timestamptz", "text", "timestamptz", "bigint"),
    "bigint",
)
_MARKETS = over(
    """
    INSERT INTO prediction_markets AS p
    SELECT e.a, e.b, e.c, e.d, e.e, e.f, e.g::json, e.h::bigint, e.i::json, e.j::numeric, e.k::numeric, e.l::numeric
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k, l)
    ON CONFLICT (prediction_id, market_id) DO UPDATE SET
        chances = excluded.chances, generation = excluded.generation, winners = excluded.winners,
        log_loss = excluded.log_loss, brier = excluded.brier, rps = excluded.rps""",
    *("uuid", "uuid", "uuid", "uuid", "text", "text", "text", "text", "text", "text", "text"),
    "text",
)


def _changes(batch: Batch) -> Iterable[Change]:
    last: dict[StreamKey, tuple[Recorded, Forecast]] = {}
    first: dict[StreamKey, int] = {}
    for recorded, _, state in batch.folds_of(PredictionMade, PredictionScored):
        last[recorded.stream_id.int] = (recorded, cast("Forecast", state))
        if recorded.version == 1:
            first[recorded.stream_id.int] = recorded.position
    if not last:
        return
    ids = {forecast.model_id.int: forecast.model_id for _, forecast in last.values()}
    models = batch.first_events(ModelTrained, ids)
    heads: list[tuple[Any, ...]] = []
    markets: list[tuple[Any, ...]] = []
    for recorded, forecast in last.values():
        model = models[forecast.model_id.int]
        goals = forecast.expected_goals
        heads.append(
            (
                forecast.prediction_id,
                forecast.model_id,
                model.kind,
                model.scope,
                forecast.fixture_id,
                forecast.as_of,
                None if goals is None else _json(goals),
                recorded.at,
                recorded.position,
                first.get(recorded.stream_id.int, recorded.position),
            )
        )
        markets += _rows_of(forecast)
    yield _PREDICT, columns(heads)
    yield _MARKETS, columns(markets)


def _rows_of(forecast: Forecast) -> Iterable[tuple[Any, ...]]:
    for market_id, market in forecast.markets.items():
        score = forecast.scored.get(market_id)
        yield (
            forecast.prediction_id,
            market_id,
            forecast.model_id,
            forecast.fixture_id,
            market.type,
            None if market.line is None else str(market.line),
            _json(market.chances),
            *(
                (None,) * 5
                if score is None
                else (
                    str(score.generation),
                    _json(score.winners),
                    *(
                        None if each is None else str(each)
                        for each in (score.log_loss, score.brier, score.rps)
                    ),
                )
            ),
        )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


PROJECTION = Projection(
    name="predictions",
    tables=("predictions", "prediction_markets"),
    create=_CREATE,
    index=_INDEX,
    follows=(PredictionMade, PredictionScored),
    glances_at=(ModelTrained,),
    changes=_changes,
)
