"""Rule 4 and reduction factors, by published cases and by properties."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deductions import (
    TABLES,
    TRADITIONAL,
    after_reduction,
    after_rule4,
    place_odds,
)
from domain.money import round_half_up
from domain.refusals import InvalidInput

ODDS = st.fractions(Fraction(1001, 1000), Fraction(1000)).filter(lambda odds: odds > 1)
PENCE = st.integers(0, 90)


@pytest.mark.parametrize(
    ("shortest", "longest", "pence"),
    [
        ("1/20", "1/9", 90),
        ("2/17", "2/11", 85),
        ("1/5", "1/4", 80),
        ("2/7", "3/10", 75),
        ("1/3", "2/5", 70),
        ("4/9", "8/15", 65),
        ("4/7", "8/13", 60),
        ("4/6", "4/5", 55),
        ("5/6", "20/21", 50),
        ("1", "6/5", 45),
        ("5/4", "6/4", 40),
        ("13/8", "7/4", 35),
        ("15/8", "9/4", 30),
        ("5/2", "3", 25),
        ("10/3", "4", 20),
        ("9/2", "11/2", 15),
        ("6", "9", 10),
        ("10", "14", 5),
        ("15", "500", 0),
    ],
)
def test_the_traditional_table(shortest: str, longest: str, pence: int) -> None:
    bands = [band for band, _ in TRADITIONAL.bands]
    assert bands == sorted(bands)
    for price in (shortest, longest):
        # A price in thirds has no three decimals: however it is written, it is still the same price.
        exact = (1 + Fraction(price)) * 1000
        for thousandths in (floor(exact), ceil(exact), 10 * round(exact / 10)):
            assert TRADITIONAL.pence(Decimal(thousandths) / 1000) == pence


@given(odds=st.tuples(st.decimals("1.001", "100", places=3), st.decimals("1.001", "100", places=3)))
def test_a_shorter_price_never_deducts_less(odds: tuple[Decimal, Decimal]) -> None:
    shorter, longer = sorted(odds)
    assert TRADITIONAL.pence(shorter) >= TRADITIONAL.pence(longer)


@pytest.mark.parametrize("odds", [Decimal(1), Decimal("0.5"), Decimal("NaN"), Decimal("Infinity")])
def test_a_withdrawn_runner_had_a_price(odds: Decimal) -> None:
    with pytest.raises(InvalidInput):
        TRADITIONAL.pence(odds)


@pytest.mark.parametrize(
    ("operator", "deductions", "total"),
    [
        ("traditional", [90, 55], 90),
        ("traditional", [5], 5),
        ("capped_at_75p", [90], 75),
        ("waives_5p", [5], 0),
        ("waives_5p", [5, 5], 10),
        ("traditional", [], 0),
    ],
)
def test_operators_cap_and_waive_in_their_own_ways(
    operator: str, deductions: list[int], total: int
) -> None:
    assert TABLES[operator, 1].total_pence(deductions) == total


@pytest.mark.parametrize(
    ("publisher", "stake_minor", "odds", "pence", "return_minor"),
    [
        ("Unibet: 80p, 10 @ 2.25", 1_000, "2.25", 80, 1_250),
        ("The Punters Page: 20p, 10 @ 5/1, winnings 40", 1_000, "6", 20, 5_000),
    ],
)
def test_a_published_rule_4(
    publisher: str, stake_minor: int, odds: str, pence: int, return_minor: int
) -> None:
    returned = stake_minor * after_rule4(Fraction(odds), pence)
    assert round_half_up(returned) == return_minor, publisher


def test_the_punters_page_takes_its_20p_from_a_4_to_1_shot() -> None:
    assert TRADITIONAL.pence(Decimal(5)) == 20


@pytest.mark.parametrize(
    ("publisher", "odds", "factor", "place", "after"),
    [
        ("Betfair: win, 25%", "8.0", "25", False, "6"),
        ("onlinebetfairbot: place, 40%", "3.0", "40", True, "2.2"),
    ],
)
def test_a_published_reduction_factor(
    publisher: str, odds: str, factor: str, place: bool, after: str
) -> None:
    reduced = after_reduction(Fraction(odds), [Decimal(factor)], place=place)
    assert reduced == Fraction(after), publisher


@given(odds=ODDS, factors=st.lists(st.decimals(0, 100, places=2), max_size=4), place=st.booleans())
def test_reduced_odds_stay_between_one_and_what_they_were(
    odds: Fraction, factors: list[Decimal], place: bool
) -> None:
    assert 1 <= after_reduction(odds, factors, place=place) <= odds


@given(odds=ODDS, pence=PENCE, divisor=st.integers(1, 8))
def test_rule_4_commutes_with_place_terms(odds: Fraction, pence: int, divisor: int) -> None:
    assert after_rule4(place_odds(odds, divisor), pence) == place_odds(
        after_rule4(odds, pence), divisor
    )


@pytest.mark.parametrize("wrong", [-1, 101])
def test_a_deduction_is_a_share(wrong: int) -> None:
    with pytest.raises(InvalidInput):
        after_rule4(Fraction(2), wrong)
    with pytest.raises(InvalidInput):
        after_reduction(Fraction(2), [Decimal(wrong)])
