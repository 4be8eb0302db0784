"""Predictions: what may be said, what it knew, and how it is scored."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from domain.events.event import Event
from domain.events.market import MarketAbandoned, ResultDeclared, ResultRolledBack, Selection
from domain.events.prediction import Chance, MarketChances, PredictionMade, PredictionScored
from domain.forecast import Forecast, check_prediction, prediction_id
from domain.market import Market
from domain.model import Model, model_id_of
from domain.refusals import InvalidInput, PredictionTooLate, Refusal, SelectionNotInMarket
from tests.builders import FIXTURE, MARKET, NOW, an_id, given, given_market, market_opened, results
from tests.predicting import FIXTURE_ID, chances, predicted, trained

MODEL = trained()
AWAY_BETTER = chances("0.200000", "0.300000", "0.500000")


def a_model() -> Model:
    state = given(model_id_of(MODEL), MODEL)
    assert isinstance(state, Model)
    return state


def a_forecast(*events: Event) -> Forecast:
    state = given(prediction_id(model_id_of(MODEL), FIXTURE_ID), predicted(MODEL), *events)
    assert isinstance(state, Forecast)
    return state


def resulted(generation: int = 1, home: str = "won", away: str = "lost") -> ResultDeclared:
    return ResultDeclared(results=results(home, "lost", away), generation=generation)


def check(made: PredictionMade, market: Market | None = None) -> None:
    found = market or given_market()
    markets = {each.market_id: found for each in made.markets}
    check_prediction(made, a_model(), markets, NOW + timedelta(days=30))


def test_a_prediction_before_the_start_from_what_was_known_is_taken() -> None:
    check(predicted(MODEL))
    check(predicted(MODEL, as_of=FIXTURE.starts_at))


def test_a_prediction_knows_nothing_of_its_future() -> None:
    late = FIXTURE.starts_at + timedelta(microseconds=1)
    with pytest.raises(PredictionTooLate):
        check(predicted(MODEL, as_of=late))
    with pytest.raises(PredictionTooLate, match="learned"):
        check(predicted(MODEL, as_of=NOW - timedelta(microseconds=1)))
    with pytest.raises(InvalidInput, match="future"):
        check_prediction(predicted(MODEL), a_model(), {}, NOW - timedelta(seconds=1))


HALF = Decimal("0.5")


@pytest.mark.parametrize(
    "wrong",
    [
        chances("0.500000", "0.300000", "0.300000"),
        chances("NaN", "0.300000", "0.300000"),
        chances("1.200000", "-0.100000", "-0.100000"),
        chances("0.5000001", "0.299999", "0.200000"),
        replace(chances(), chances=chances().chances[:2]),
        replace(chances(), chances=(*chances().chances, chances().chances[0])),
        replace(chances(), chances=(*chances().chances, Chance("nobody", HALF, HALF, HALF))),
        replace(chances(), type="ML"),
        replace(chances(), line=Decimal("2.5")),
    ],
)
def test_chances_that_are_none_of_the_market_are_refused(wrong: MarketChances) -> None:
    with pytest.raises(Refusal) as refused:
        check(predicted(MODEL, wrong))
    assert isinstance(refused.value, InvalidInput | SelectionNotInMarket)


def test_a_market_of_another_fixture_or_one_named_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="another fixture"):
        check(predicted(MODEL, fixture_id=an_id("elsewhere")))
    with pytest.raises(InvalidInput, match="once"):
        check(predicted(MODEL, chances(), AWAY_BETTER))
    with pytest.raises(InvalidInput, match="once"):
        check(replace(predicted(MODEL), markets=()))


def test_saying_it_again_says_nothing_new() -> None:
    forecast = a_forecast()
    assert forecast.predict(predicted(MODEL)) is None
    assert forecast.predict(predicted(MODEL, as_of=NOW + timedelta(hours=1))) is None
    assert forecast.predict(predicted(MODEL, AWAY_BETTER, as_of=NOW - timedelta(hours=1))) is None


def test_another_market_is_added_and_another_opinion_takes_the_place_of_the_first() -> None:
    more = predicted(MODEL, chances(market_id=an_id("another")))
    forecast = a_forecast()
    assert forecast.predict(more) is more
    both = forecast.evolve(more)
    assert set(both.markets) == {MARKET, an_id("another")}
    changed = predicted(MODEL, AWAY_BETTER)
    assert both.predict(changed) is changed
    assert both.evolve(changed).markets[MARKET] == AWAY_BETTER


def test_a_result_is_scored_once_for_each_generation() -> None:
    forecast, market = a_forecast(), given_market(resulted())
    scored = forecast.score(market)
    assert scored == PredictionScored(
        market_id=MARKET,
        generation=1,
        winners=("home",),
        log_loss=Decimal("0.693147"),
        brier=Decimal("0.380000"),
        rps=Decimal("0.145000"),
    )
    assert scored is not None
    after = forecast.evolve(scored)
    assert after.score(market) is None
    corrected = after.score(given_market(resulted(), resulted(2, "lost", "won")))
    assert corrected is not None
    assert (corrected.generation, corrected.winners) == (2, ("away",))


def test_a_result_that_is_rolled_back_takes_its_score_back() -> None:
    rolled_back = given_market(resulted(), ResultRolledBack(generation=2))
    forecast = a_forecast()
    assert forecast.score(rolled_back) is None, "what was never scored has no score to take back"
    scored = forecast.score(given_market(resulted()))
    assert scored is not None
    taken_back = forecast.evolve(scored).score(rolled_back)
    assert taken_back == PredictionScored(
        market_id=MARKET, generation=2, winners=(), log_loss=None, brier=None, rps=None
    )


def test_a_market_that_is_undecided_or_not_predicted_has_no_score() -> None:
    assert a_forecast().score(given_market()) is None
    elsewhere = replace(given_market(resulted()), market_id=an_id("another"))
    assert a_forecast().score(elsewhere) is None


def test_what_is_void_loses_nothing() -> None:
    void = MarketAbandoned(
        reason="fog", rule="void_all", results=results("void", "void", "void"), generation=1
    )
    scored = a_forecast().score(given_market(void))
    assert scored is not None
    assert (scored.winners, scored.log_loss, scored.generation) == ((), None, 1)


def test_who_is_withdrawn_after_the_result_is_left_out_as_its_bets_are() -> None:
    """So it is with who is withdrawn before: the score does not depend on what the operator did first."""
    race = market_opened("WIN")
    ran = given_market(resulted(), opened=race)
    out = ran.withdraw("draw", NOW, None, None)
    early = given_market(replace(out, generation=1), opened=race)
    declared = early.declare((*results()[::2],), None)
    for market in (ran.evolve(out), early.evolve(declared)):
        score = a_forecast().score(market)
        assert score is not None
        assert score.winners == ("home",)
        # Of 0.5 and 0.2 that are left.
        assert (score.log_loss, score.brier) == (Decimal("0.336472"), Decimal("0.163265"))


def test_another_opinion_is_scored_anew() -> None:
    forecast, market = a_forecast(), given_market(resulted())
    scored = forecast.score(market)
    assert scored is not None
    changed = forecast.evolve(scored).evolve(predicted(MODEL, AWAY_BETTER))
    again = changed.score(market)
    assert again is not None
    assert again.log_loss == Decimal("1.609438")


def test_the_chances_of_a_double_chance_sum_to_two() -> None:
    sides = ("home_draw", "home_away", "draw_away")
    opened = market_opened("DC", selections=tuple(Selection(side, side) for side in sides))
    market = given_market(opened=opened)
    two_thirds = Decimal("0.666667")
    said = tuple(Chance(side, two_thirds, two_thirds, two_thirds) for side in sides)
    check(predicted(MODEL, MarketChances(MARKET, "DC", None, said)), market)
    less = tuple(replace(each, probability=HALF, low=HALF, high=HALF) for each in said)
    with pytest.raises(InvalidInput, match="sum to"):
        check(predicted(MODEL, MarketChances(MARKET, "DC", None, less)), market)
