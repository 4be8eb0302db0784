"""What a price is worth by a model's chances, and from which odds on."""

from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.bet import Side
from domain.events.prediction import Chance
from domain.prediction.kelly import kelly_share
from domain.refusals import NotOffered
from domain.value import NEVER, ValueRules, expected_value, price_market, size, trigger
from tests.application.value.desk import MODEL, TEAMS, goals_model, market, priced

NONE = Decimal(0)
SIX = Decimal("0.000001")


def a_chance(probability: Decimal, refund: Decimal = NONE) -> Chance:
    low, high = max(probability - Decimal("0.05"), SIX), min(probability + Decimal("0.05"), 1 - SIX)
    return Chance("home", probability, low, high, refund)


some_chances = st.builds(
    a_chance,
    st.decimals(SIX, 1 - SIX, places=6),
    st.one_of(st.just(NONE), st.decimals(0, Decimal("0.9"), places=6)),
)


@given(
    chance=some_chances,
    side=st.sampled_from(["back", "lay"]),
    commission=st.sampled_from([NONE, Decimal("0.02"), Decimal("0.065")]),
    least=st.decimals(Decimal("0.001"), Decimal(1), places=4),
    low=st.booleans(),
)
def test_a_value_begins_exactly_where_it_earns_enough(
    chance: Chance, side: Side, commission: Decimal, least: Decimal, low: bool
) -> None:
    rules = ValueRules(min_value=least, bound="low" if low else "mean")
    found = trigger(chance, side, commission, rules)
    p = chance.probability
    if low:
        p = chance.low if side == "back" else chance.high

    def earns(thousandths: int) -> Fraction:
        return expected_value(side, p, chance.refund, Decimal(thousandths) / 1000, commission)

    worst, best = (100_000_000, 1_001) if side == "lay" else (1_001, 100_000_000)
    if found == NEVER:
        assert earns(best) < least
        return
    edge = abs(found)
    assert (found < 0) == (side == "lay")
    assert earns(edge) >= least
    if edge != worst:
        assert earns(edge + (1 if side == "lay" else -1)) < least


@given(chance=some_chances, odds=st.decimals("1.001", 1000, places=3))
def test_a_back_and_a_lay_at_the_same_odds_earn_nothing_together(
    chance: Chance, odds: Decimal
) -> None:
    backed = expected_value("back", chance.probability, chance.refund, odds, NONE)
    laid = expected_value("lay", chance.probability, chance.refund, odds, NONE)
    # A lay risks odds − 1 for every unit that is backed.
    assert backed + laid * (Fraction(odds) - 1) == 0


@pytest.mark.parametrize("kind", ["1X2", "OU", "AH", "BTTS", "DC", "DNB", "CS"])
def test_every_market_that_scores_decide_is_priced(kind: str) -> None:
    line = {"OU": "2.25", "AH": "-0.75"}.get(kind)
    found = priced(market(kind, line))  # type: ignore[arg-type]
    assert [each.selection_id for each in found.chances] == list(found.market.selections)
    for chance, ends in zip(found.chances, found.endings, strict=True):
        assert 0 < chance.low <= chance.probability <= chance.high < 1
        assert (ends is None) == (chance.refund == 0)
        assert ends is None or abs(sum(ends) - 1) < 1e-9
    if found.is_exclusive:
        assert abs(sum((each.probability for each in found.chances), NONE) - 1) <= 4 * SIX
    assert found.is_exclusive == (kind in {"1X2", "BTTS", "CS"})


def test_a_market_that_goes_beyond_the_score_is_refused() -> None:
    chances = goals_model().chances([(TEAMS[0], TEAMS[1])])
    winner = type(market("DNB"))(UUID(int=1), UUID(int=2), "ML", None, ("home", "away"))
    with pytest.raises(NotOffered):
        price_market(chances, winner, MODEL)


def test_half_a_handicap_is_the_chance_of_winning() -> None:
    result, handicap = priced(market("1X2")), priced(market("AH", "-0.5"))
    assert handicap.chances[0].probability == result.chances[0].probability
    assert handicap.chances[0].refund == 0


def test_a_bet_that_may_be_refunded_is_sized_by_all_its_endings() -> None:
    found, rules = priced(market("AH", "0")), ValueRules(fraction=1.0, cap=1.0, market_cap=1.0)
    chance = found.chances[0]
    odds = (1 / chance.probability * Decimal("1.1")).quantize(Decimal("0.01"))
    sized = size(found, 0, "back", odds, NONE, {}, rules)
    # A push leaves the bankroll as it was, so that Kelly's share is that of the bet without it.
    alone = kelly_share(float(chance.probability), float(odds))
    assert abs(float(sized.kelly) - alone) < 2e-5
    assert sized.stake_share == sized.kelly


def test_stakes_keep_the_fraction_and_the_caps() -> None:
    found = priced(market("1X2"))
    odds = (1 / found.chances[0].probability * Decimal("1.04")).quantize(Decimal("0.01"))
    full = size(found, 0, "back", odds, NONE, {}, ValueRules(fraction=1.0, cap=1.0, market_cap=1.0))
    quarter = size(found, 0, "back", odds, NONE, {}, ValueRules(cap=1.0, market_cap=1.0))
    capped = size(found, 0, "back", odds, NONE, {}, ValueRules(fraction=1.0, cap=0.01))
    assert full.kelly == quarter.kelly == capped.kelly == full.stake_share
    assert abs(quarter.stake_share - full.kelly / 4) <= SIX
    assert capped.stake_share == Decimal("0.01")
