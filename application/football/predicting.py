"""What a football model says of a fixture's markets, as the ledger keeps it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

import numpy as np
from msgspec import Struct

from application.football.training import rounded
from domain.events.market import Fixture
from domain.events.model import Estimate
from domain.events.prediction import Chance, ExpectedGoals, MarketChances, PredictionMade
from domain.model import Model
from domain.names import canonical
from domain.outcomes import Proposition
from domain.prediction.goals_artefact import goals_from_bytes
from domain.prediction.goals_model import GoalsModel, expected_goals, worth
from domain.prediction.score_chances import ScoreChances
from domain.refusals import InvalidInput, NotOffered, PredictionTooLate, Refusal, UnknownTeam

LEVEL: Final = 0.95


class Asked(Struct, frozen=True):
    """A market to predict."""

    market_id: UUID
    proposition: Proposition


class Prediction(Struct, frozen=True):
    """What a model says of a fixture (None: of none of its markets), and why it says nothing of some markets."""

    made: PredictionMade | None
    refused: dict[UUID, str]


def known_side(name: str, teams: Sequence[str]) -> str:
    """Give the model's name of a side: the same, or the only one that the table of aliases takes for the same.

    Raises UnknownTeam.
    """
    if name in teams:
        return name
    alike = [team for team in teams if canonical(team) == canonical(name)]
    if len(alike) != 1:
        raise UnknownTeam(f"the model does not know {name[:100]!r}", field="fixture")
    return alike[0]


def read_goals(model: Model, content: bytes) -> GoalsModel:
    """Read a registered model's artefact. Raises NotOffered for a kind that this cannot use, InvalidInput."""
    if model.trained.kind != "football.goals":
        raise NotOffered(f"a model of kind {model.trained.kind} predicts no football markets here")
    return goals_from_bytes(content)


def predict(
    model: Model, goals: GoalsModel, fixture: Fixture, markets: Sequence[Asked]
) -> Prediction:
    """Say what a model gives the markets of a fixture, as of the moment until which it has learned.

    Raises UnknownTeam, PredictionTooLate, InvalidInput: nothing can be said of the fixture. A market that scores do not
    decide, or a selection that is no score, is refused alone.
    """
    if fixture.fixture_id is None or not fixture.home or not fixture.away:
        raise InvalidInput("a fixture with an id and two sides is predicted", field="fixture")
    if model.trained.data.until > fixture.starts_at:
        raise PredictionTooLate(
            f"the model has learned from results up to {model.trained.data.until.isoformat()}, "
            f"the fixture started at {fixture.starts_at.isoformat()}"
        )
    sides = known_side(fixture.home, goals.teams), known_side(fixture.away, goals.teams)
    chances = goals.chances([sides])
    found: list[MarketChances] = []
    refused: dict[UUID, str] = {}
    for market in markets:
        try:
            found.append(_market(chances, market))
        except Refusal as refusal:
            refused[market.market_id] = refusal.detail
    if not found:
        return Prediction(None, refused)
    ((home, away),) = expected_goals(chances, LEVEL)
    return Prediction(
        PredictionMade(
            model_id=model.model_id,
            fixture_id=fixture.fixture_id,
            as_of=model.trained.data.until,
            markets=tuple(found),
            expected_goals=ExpectedGoals(
                *(Estimate(*_ordered(each.value, each.low, each.high)) for each in (home, away))
            ),
        ),
        refused,
    )


def _market(chances: ScoreChances, market: Asked) -> MarketChances:
    proposition = market.proposition
    said = []
    for selection_id in proposition.selections:
        found = worth(chances, proposition, selection_id)
        (interval,) = found.probability(LEVEL)
        mean, low, high = _ordered(interval.value, interval.low, interval.high)
        refund = rounded(float(np.clip(found.refund.mean(), 0, 1)))
        said.append(Chance(selection_id, mean, low, high, refund))
    return MarketChances(market.market_id, proposition.type, proposition.line, tuple(said))


def _ordered(mean: float, low: float, high: float) -> tuple[Decimal, Decimal, Decimal]:
    """Round, and widen an interval that does not hold its mean: of few draws it may not."""
    return rounded(mean), rounded(min(low, mean)), rounded(max(high, mean))
