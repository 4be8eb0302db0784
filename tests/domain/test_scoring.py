"""What predictions lose by results of every kind."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.market import DeadHeat, MarketType, Result, SelectionResult
from domain.events.prediction import Chance, MarketChances
from domain.prediction.losses import brier_scores, log_losses, rank_probability_scores
from domain.scoring import losses_of
from tests.builders import MARKET

SIDES = ("home", "draw", "away")


def market(market_type: MarketType, **probabilities: float) -> MarketChances:
    found = tuple(
        Chance(side, p := Decimal(str(value)), p, p) for side, value in probabilities.items()
    )
    return MarketChances(MARKET, market_type, None, found)


def results(**words: Result) -> dict[str, SelectionResult]:
    return {side: SelectionResult(side, word) for side, word in words.items()}


@given(st.lists(st.integers(1, 10**6), min_size=3, max_size=3), st.integers(0, 2))
def test_a_1x2_loses_what_the_models_of_losses_say(weights: list[int], winner: int) -> None:
    shares = [round(weight / sum(weights), 6) for weight in weights]
    said = market("1X2", **dict(zip(SIDES, shares, strict=True)))
    words: dict[str, Result] = {
        side: "won" if place == winner else "lost" for place, side in enumerate(SIDES)
    }
    lost = losses_of(said, results(**words))
    chances, happened = np.array([shares]) / sum(shares), np.array([winner])
    assert lost.winners == (SIDES[winner],)
    for found, expected in (
        (lost.log_loss, log_losses(np.maximum(chances, 5e-7), happened)),
        (lost.brier, brier_scores(chances, happened)),
        (lost.rps, rank_probability_scores(chances, happened)),
    ):
        assert float(found or 0) == pytest.approx(expected[0], abs=2e-6)


def test_a_push_loses_nothing_and_halves_count_as_whole() -> None:
    said = market("AH", home=0.6, away=0.4)
    assert losses_of(said, results(home="push", away="push")).log_loss is None
    halves = losses_of(said, results(home="half_won", away="half_lost"))
    assert halves == losses_of(said, results(home="won", away="lost"))
    assert halves.winners == ("home",)
    assert halves.rps is None


def test_a_withdrawn_runner_is_left_out_and_the_others_share_its_chance() -> None:
    said = market("WIN", red=0.5, green=0.25, blue=0.25)
    lost = losses_of(said, results(red="void", green="won", blue="placed"))
    assert (lost.winners, lost.log_loss) == (("green",), Decimal("0.693147"))


def test_a_dead_heat_shares_the_win() -> None:
    said = market("WIN", red=0.5, green=0.25, blue=0.25)
    tied = {
        side: SelectionResult(side, "won", DeadHeat(tied=2, places=1)) for side in ("red", "green")
    }
    lost = losses_of(said, tied | results(blue="lost"))
    assert float(lost.log_loss or 0) == pytest.approx(
        -(math.log(0.5) + math.log(0.25)) / 2, abs=1e-6
    )
    assert lost.brier == Decimal("0.125000")


def test_places_are_forecasts_of_their_own() -> None:
    said = market("PLACE", red=0.8, green=0.7, blue=0.5)
    lost = losses_of(said, results(red="placed", green="won", blue="lost"))
    assert lost.winners == ("red", "green")
    expected = -(math.log(0.8) + math.log(0.7) + math.log(0.5)) / 3
    assert float(lost.log_loss or 0) == pytest.approx(expected, abs=1e-6)


def test_a_score_that_was_no_selection_leaves_nothing_to_score() -> None:
    assert losses_of(market("CS", one=0.1), results(one="lost")).log_loss is None


def test_what_was_said_to_be_impossible_costs_much_and_not_infinity() -> None:
    lost = losses_of(market("ML", home=1, away=0), results(home="lost", away="won"))
    assert lost.log_loss == Decimal("14.508658")
