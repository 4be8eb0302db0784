"""What tests of models, predictions and value signals begin with."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.commands.model import ActivateModel, EvaluateModel, RegisterModel
from domain.events.model import Estimate, ModelEvaluated, ModelKind, ModelTrained, TrainingData
from domain.events.prediction import Chance, MarketChances, PredictionMade
from domain.events.value import ValueSignal
from domain.model import model_id_of
from tests.builders import FIXTURE, MARKET, NOW, an_id

FIXTURE_ID = FIXTURE.fixture_id or an_id("fixture")
SURE = ("0.500000", "0.300000", "0.200000")


def trained(
    name: str = "one",
    *,
    kind: ModelKind = "football.goals",
    scope: str = "Premier League",
    until: datetime = NOW,
) -> ModelTrained:
    """A model that has learned from 380 results of before `until`."""
    return ModelTrained(
        kind=kind,
        scope=scope,
        artefact=an_id(name).hex * 2,
        artefact_bytes=1_000,
        code_version="0.1.0",
        data=TrainingData("ledger", 380, until - timedelta(days=300), until, "ab" * 32),
        parameters={"half_life_days": "400"},
        metrics={"log_loss": Decimal("0.9731")},
    )


def evaluated(
    against: UUID | None = None, *, low: str = "-0.02", high: str = "0.01", matches: int = 100
) -> ModelEvaluated:
    """An evaluation whose difference to `against` lies in an interval, its mean in the middle."""
    middle = (Decimal(low) + Decimal(high)) / 2
    return ModelEvaluated(
        since=NOW - timedelta(days=100),
        until=NOW,
        matches=matches,
        metrics={"log_loss": Decimal("0.98"), "rps": Decimal("0.2")},
        against=against,
        difference=Estimate(middle, Decimal(low), Decimal(high)) if against else None,
    )


def predicted(
    model: ModelTrained,
    *markets: MarketChances,
    as_of: datetime = NOW,
    fixture_id: UUID = FIXTURE_ID,
) -> PredictionMade:
    """What a model says of the fixture: by default of the 1X2 market."""
    return PredictionMade(
        model_id=model_id_of(model),
        fixture_id=fixture_id,
        as_of=as_of,
        markets=markets or (chances(),),
    )


def chances(*probabilities: str, market_id: UUID = MARKET) -> MarketChances:
    """Chances of home, draw and away."""
    return MarketChances(
        market_id,
        "1X2",
        None,
        tuple(
            Chance(side, p, p, p)
            for side, p in zip(
                ("home", "draw", "away"), map(Decimal, probabilities or SURE), strict=True
            )
        ),
    )


def signal(
    sequence: int,
    expected_value: str = "0.05",
    *,
    odds: str = "2.1",
    market_id: UUID = MARKET,
    model_id: UUID | None = None,
) -> ValueSignal:
    """A value signal as message `sequence` of the price stream has made it."""
    return ValueSignal(
        fixture_id=FIXTURE_ID,
        market_id=market_id,
        selection_id="home",
        side="back",
        bookmaker="pinnacle",
        model_id=model_id or an_id("model"),
        odds=Decimal(odds),
        probability=Decimal("0.5"),
        low=Decimal("0.45"),
        high=Decimal("0.55"),
        fair_odds=Decimal(2),
        edge=Decimal("0.02381"),
        expected_value=Decimal(expected_value),
        kelly=Decimal("0.045455"),
        stake_share=Decimal("0.011364"),
        quoted_at=NOW,
        expires_at=NOW + timedelta(seconds=30),
        sequence=sequence,
    )


# ---- commands


def register(model: ModelTrained) -> RegisterModel:
    return RegisterModel(trained=model)


def evaluate(evaluation: ModelEvaluated) -> EvaluateModel:
    return EvaluateModel(evaluation=evaluation)


FORCED = ActivateModel(force=True, reason="the other one's data were wrong")
