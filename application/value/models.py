"""The active models as the value handler uses them: what they say of a market that the ledger describes."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from msgspec import Struct

from application.artefacts import Artefacts
from application.football.predicting import known_side
from domain.board import MarketDescription
from domain.events.model import ModelKind
from domain.market import Market
from domain.prediction.goals_artefact import goals_from_bytes
from domain.prediction.goals_model import GoalsModel
from domain.prediction.score_chances import ScoreChances
from domain.refusals import InvalidInput, PredictionTooLate, Refusal
from domain.value import PricedMarket, price_market

FOOTBALL: Final = "football"
GOALS: Final = "football.goals"
FIXTURES_MAX: Final = 5_000
"""Of how many fixtures the chances of scores are kept: their markets come one after another."""

_log = logging.getLogger("fairbook.value")


class ActiveModel(Struct, frozen=True):
    """A model that speaks for its slot, as the ledger's views show it; it has learned from results before `until`."""

    model_id: UUID
    kind: ModelKind
    scope: str
    artefact: str
    until: datetime


class FootballModel(Struct, frozen=True, eq=False):
    """An active model, read."""

    model_id: UUID
    goals: GoalsModel
    until: datetime


class Models:
    """Prices the markets of fixtures for whose competition a football model is active."""

    def __init__(self, football: Mapping[str, FootballModel]) -> None:
        self._football = football
        self._chances: dict[UUID, ScoreChances] = {}

    def __bool__(self) -> bool:
        return bool(self._football)

    @property
    def scopes(self) -> list[str]:
        """The competitions that can be priced."""
        return sorted(self._football)

    @classmethod
    def load(cls, active: Iterable[ActiveModel], artefacts: Artefacts) -> Self:
        """Read the models that can be used; of the others it is logged why they cannot."""
        found: dict[str, FootballModel] = {}
        for each in active:
            if each.kind != GOALS:
                _log.info(
                    "model %s (%s of %s) gives no value signals: only models of kind %s do",
                    each.model_id, each.kind, each.scope, GOALS,
                )  # fmt: skip
                continue
            try:
                goals = goals_from_bytes(artefacts.get(each.artefact))
            except Refusal as refusal:
                _log.warning(
                    "model %s of %s cannot be used: %s", each.model_id, each.scope, refusal.detail
                )
                continue
            found[each.scope] = FootballModel(each.model_id, goals, each.until)
        return cls(found)

    def price(self, market: Market, description: MarketDescription) -> PricedMarket | None:
        """Price a market; None where no active model speaks of its fixture.

        Raises a Refusal when one does, but not of this market: unknown sides, markets that scores do not decide, fixtures
        that began before the model had finished learning.
        """
        fixture = market.fixture
        model = self._football.get(fixture.competition) if fixture.sport == FOOTBALL else None
        if model is None:
            return None
        if market.period != "full_time":
            raise InvalidInput("the model speaks of whole matches", field="period")
        if not fixture.home or not fixture.away:
            raise InvalidInput("the fixture does not name its sides", field="fixture")
        if model.until > fixture.starts_at:
            raise PredictionTooLate("the model has learned from results after the fixture's start")
        chances = self._chances.get(description.fixture_id)
        if chances is None:
            sides = tuple(
                known_side(each, model.goals.teams) for each in (fixture.home, fixture.away)
            )
            chances = model.goals.chances([(sides[0], sides[1])])
            if len(self._chances) >= FIXTURES_MAX:
                self._chances.clear()
            self._chances[description.fixture_id] = chances
        return price_market(chances, description, model.model_id)
