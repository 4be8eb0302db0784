"""Results and coming fixtures as models learn from and predict them; read from the view of markets."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events.market import Fixture, MarketType, Score, Selection
from domain.outcomes import Proposition
from domain.prediction.goals_table import FINISHED_AFTER, PlayedMatch
from read_models.db import Db, query

BY_SCORE: Final[tuple[MarketType, ...]] = ("1X2", "DC", "DNB", "OU", "AH", "BTTS", "CS")
"""Markets that the score after full time decides."""


class MarketToPredict(Struct, frozen=True):
    """A market, and the fixture that it is on."""

    market_id: UUID
    fixture: Fixture
    proposition: Proposition


async def played(db: Db, competition: str, now: datetime) -> list[PlayedMatch]:
    """Give the football matches of a competition that are over by `now` and whose score was declared on a 1X2 market.

    They come in the order of time.
    """
    sql = """
        SELECT DISTINCT ON (starts_at, coalesce(fixture_id, market_id)) fixture::text, score::text FROM markets
        WHERE sport = 'football' AND type = '1X2' AND period = 'full_time' AND status = 'resulted'
          AND starts_at <= %(begun)s AND score IS NOT NULL AND fixture->>'competition' = %(competition)s
          AND fixture->>'home' IS NOT NULL AND fixture->>'away' IS NOT NULL
        ORDER BY starts_at, coalesce(fixture_id, market_id), result_position DESC"""
    parameters = {"competition": competition, "begun": now - FINISHED_AFTER}
    return await db.rows(sql, parameters, _match)


_SELECT = "SELECT m.market_id, m.fixture::text, m.type, m.line, m.selections::text FROM markets m"
_PRICED: Final = [
    "m.sport = 'football'",
    "m.period = 'full_time'",
    "m.type = ANY(%(types)s)",
    "m.fixture_id IS NOT NULL",
]


async def of_fixture(db: Db, fixture_id: UUID) -> list[MarketToPredict]:
    """Give the football markets of a fixture that scores decide."""
    sql = query(_SELECT, [*_PRICED, "m.fixture_id = %(fixture_id)s"], "ORDER BY m.market_id")
    return await db.rows(sql, {"types": list(BY_SCORE), "fixture_id": fixture_id}, _market)


async def to_predict(
    db: Db, model_id: UUID, competition: str, since: datetime, passed_over: Sequence[UUID] = ()
) -> list[MarketToPredict]:
    """Give markets of a competition's fixtures from `since` on that take bets and that a model has not predicted.

    Those `passed_over` are left out.
    """
    where = [
        *_PRICED,
        "m.status IN ('open', 'suspended')",
        "m.fixture->>'competition' = %(competition)s",
        "m.starts_at >= %(since)s",
        "NOT m.market_id = ANY(%(passed_over)s)",
        "NOT EXISTS (SELECT FROM prediction_markets p WHERE p.model_id = %(model_id)s AND p.market_id = m.market_id)",
    ]
    sql = query(_SELECT, where, "ORDER BY m.starts_at, m.fixture_id, m.market_id LIMIT 1000")
    parameters = {
        "types": list(BY_SCORE),
        "model_id": model_id,
        "competition": competition,
        "since": since,
        "passed_over": list(passed_over),
    }
    return await db.rows(sql, parameters, _market)


async def coming_sides(db: Db, competition: str, since: datetime) -> list[str]:
    """Name the sides of a competition's fixtures from `since` on that take bets, in the order of their names."""
    sql = """
        SELECT DISTINCT side FROM markets m
        CROSS JOIN LATERAL (VALUES (m.fixture->>'home'), (m.fixture->>'away')) AS named(side)
        WHERE m.sport = 'football' AND m.status IN ('open', 'suspended') AND m.starts_at >= %(since)s
          AND m.fixture->>'competition' = %(competition)s AND side IS NOT NULL"""
    return sorted(await db.rows(sql, {"competition": competition, "since": since}, str))


_fixture = msgspec.json.Decoder(Fixture).decode
_score = msgspec.json.Decoder(Score).decode
_selections = msgspec.json.Decoder(list[Selection]).decode


def _match(fixture_text: str, score_text: str) -> PlayedMatch:
    fixture, score = _fixture(fixture_text), _score(score_text)
    home, away = cast("str", fixture.home), cast("str", fixture.away)  # the query asks for both
    return PlayedMatch(home, away, score.home, score.away, fixture.starts_at)


def _market(
    market_id: UUID, fixture: str, market_type: MarketType, line: Decimal | None, selections: str
) -> MarketToPredict:
    ids = tuple(each.selection_id for each in _selections(selections))
    return MarketToPredict(market_id, _fixture(fixture), Proposition(market_type, line, ids))
