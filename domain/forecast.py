"""A forecast: what one model says of one fixture, and how each market of it turned out."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events.prediction import ExpectedGoals, MarketChances, PredictionMade, PredictionScored
from domain.ids import derived_id
from domain.market import Market
from domain.model import Model, check_estimate, check_places
from domain.odds import WINNERS
from domain.refusals import InvalidInput, PredictionTooLate, SelectionNotInMarket
from domain.scoring import losses_of
from domain.times import check_time

ForecastEvent = PredictionMade | PredictionScored

SUM_TOLERANCE: Final = Decimal("0.001")
"""How far a market's probabilities may sum from what they must: each was rounded to 6 decimals."""


class Forecast(Struct, frozen=True):
    """State of a prediction: the latest chances of each market, and how those were last scored."""

    prediction_id: UUID
    version: int
    model_id: UUID
    fixture_id: UUID
    as_of: datetime
    markets: dict[UUID, MarketChances]
    expected_goals: ExpectedGoals | None
    scored: dict[UUID, PredictionScored] = {}

    def predict(self, made: PredictionMade) -> PredictionMade | None:
        """Say something of more markets, or something else; None when it was said before, or something newer was."""
        if made.as_of < self.as_of:
            return None
        same = all(self.markets.get(each.market_id) == each for each in made.markets)
        return None if same and made.expected_goals == self.expected_goals else made

    def score(self, market: Market) -> PredictionScored | None:
        """Score the prediction of a market by its result; None when that was done, or there is nothing to score.

        A result that was rolled back takes its score back.
        """
        chances = self.markets.get(market.market_id)
        before = self.scored.get(market.market_id)
        if chances is None or (before is not None and before.generation >= market.generation):
            return None
        if market.status != "resulted":
            return None if before is None else _without_losses(market)
        lost = losses_of(chances, market.settled_results)
        return PredictionScored(
            market_id=market.market_id,
            generation=market.generation,
            winners=lost.winners,
            log_loss=lost.log_loss,
            brier=lost.brier,
            rps=lost.rps,
        )

    @classmethod
    def start(cls, prediction_id: UUID, event: PredictionMade) -> Self:
        """Begin the state with the stream's first event."""
        return cls(
            prediction_id,
            1,
            event.model_id,
            event.fixture_id,
            event.as_of,
            {each.market_id: each for each in event.markets},
            event.expected_goals,
        )

    def evolve(self, event: ForecastEvent) -> "Forecast":
        """Give the state after `event`; decides nothing."""
        version = self.version + 1
        match event:
            case PredictionMade():
                new = {each.market_id: each for each in event.markets}
                changed = {key for key, each in new.items() if self.markets.get(key) != each}
                return replace(
                    self,
                    version=version,
                    as_of=event.as_of,
                    markets=self.markets | new,
                    expected_goals=event.expected_goals,
                    scored={key: each for key, each in self.scored.items() if key not in changed},
                )
            case PredictionScored():
                scored = self.scored | {event.market_id: event}
                return replace(self, version=version, scored=scored)
            case _:
                assert_never(event)


def prediction_id(model_id: UUID, fixture_id: UUID) -> UUID:
    """Give the stream of what a model says of a fixture."""
    return derived_id(f"prediction:{model_id}:{fixture_id}")


def check_prediction(
    made: PredictionMade, model: Model, markets: Mapping[UUID, Market], now: datetime
) -> None:
    """Refuse a prediction that knows too much, or whose chances are none of these markets'.

    `markets` are those that it names. It is as of a time before its fixture starts, and its model has learned from
    nothing later.
    """
    check_time(made.as_of, "as_of")
    if made.as_of > now:
        raise InvalidInput("the time lies in the future", field="as_of")
    if model.trained.data.until > made.as_of:
        raise PredictionTooLate("the model has learned from what was later than `as_of`")
    if len({each.market_id for each in made.markets}) < len(made.markets) or not made.markets:
        raise InvalidInput("a prediction names each market once, and one at least", field="markets")
    for each in made.markets:
        market = markets[each.market_id]
        if market.fixture.fixture_id != made.fixture_id:
            raise InvalidInput("the market is of another fixture", field="markets.market_id")
        if made.as_of > market.fixture.starts_at:
            raise PredictionTooLate
        _check_chances(each, market)
    if made.expected_goals is not None:
        check_estimate(made.expected_goals.home, "expected_goals.home")
        check_estimate(made.expected_goals.away, "expected_goals.away")


def _check_chances(predicted: MarketChances, market: Market) -> None:
    if (predicted.type, predicted.line) != (market.type, market.line):
        raise InvalidInput("the market has another type or line", field="markets.type")
    named = {each.selection_id for each in predicted.chances}
    if len(named) < len(predicted.chances):
        raise InvalidInput("a selection is named twice", field="markets.chances")
    if unknown := named - market.selections.keys():
        raise SelectionNotInMarket(f"the market has no selection {min(unknown)[:100]!r}")
    running = {each for each in market.selections if not market.is_withdrawn(each)}
    if missing := running - named:
        raise InvalidInput(f"no chance of {min(missing)[:100]!r}", field="markets.chances")
    for each in predicted.chances:
        for number in (each.probability, each.low, each.high, each.refund):
            check_places(number, "markets.chances")
        if not 0 <= each.low <= each.probability <= each.high <= 1 or not 0 <= each.refund <= 1:
            raise InvalidInput("a probability lies in its interval, from 0 to 1", field="chances")
    winners = WINNERS.get(market.type)
    total = sum((each.probability for each in predicted.chances), Decimal(0))
    if winners is not None and abs(total - winners) > SUM_TOLERANCE:
        raise InvalidInput(f"the probabilities sum to {total}, not {winners}", field="chances")
    if market.type == "CS" and total > 1 + SUM_TOLERANCE:
        raise InvalidInput(f"the probabilities sum to {total}", field="chances")


def _without_losses(market: Market) -> PredictionScored:
    return PredictionScored(
        market_id=market.market_id,
        generation=market.generation,
        winners=(),
        log_loss=None,
        brier=None,
        rps=None,
    )
