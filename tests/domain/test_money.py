"""Money is rounded once, half up; odds and currencies are what they must be."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import (
    MAX_AMOUNT_MINOR,
    MAX_ODDS,
    MINOR_DIGITS,
    check_currency,
    check_odds,
    round_half_up,
    single_return_minor,
)
from domain.refusals import InvalidInput

ODDS = st.decimals(min_value="1.001", max_value=MAX_ODDS, places=3)


def half_up(exact: Decimal) -> int:
    with localcontext() as context:
        context.prec = 100
        return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        ("0", 0),
        ("1/2", 1),
        ("1/3", 0),
        ("2/3", 1),
        ("5/2", 3),
        ("-1/2", -1),
        ("-1/3", 0),
        ("-5/2", -3),
    ],
)
def test_halves_go_away_from_zero(amount: str, rounded: int) -> None:
    assert round_half_up(Fraction(amount)) == rounded


@given(st.decimals(-(10**12), 10**12, places=6))
def test_rounding_agrees_with_the_decimal_module(amount: Decimal) -> None:
    assert round_half_up(Fraction(amount)) == half_up(amount)


@given(stake=st.integers(1, MAX_AMOUNT_MINOR), odds=ODDS)
def test_a_return_agrees_with_the_decimal_module(stake: int, odds: Decimal) -> None:
    with localcontext() as context:
        context.prec = 100
        exact = stake * odds
    assert single_return_minor(stake, odds) == half_up(exact)
    assert single_return_minor(stake, odds) == round_half_up(stake * Fraction(odds))


@given(stake=st.integers(1, MAX_AMOUNT_MINOR), odds=ODDS)
def test_a_return_is_never_less_than_the_stake(stake: int, odds: Decimal) -> None:
    assert single_return_minor(stake, odds) >= stake


@pytest.mark.parametrize(
    "odds",
    ["1.001", "1.01", "2", "2.50", "2.5000", "100000", "1E+2", "1E+5", "1.1E+1", "99999.999"],
)
def test_odds_are_decimal_odds_with_at_most_three_decimals(odds: str) -> None:
    check_odds(Decimal(odds))


@pytest.mark.parametrize(
    "odds",
    [
        "1",
        "1.000",
        "0.5",
        "0",
        "-2",
        "-0",
        "1.0001",
        "2.0005",
        "1.9999999999",
        "100000.001",
        "1E+6",
        "1E+1000000",
        "1E-1000000",
        "NaN",
        "-NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
    ],
)
def test_anything_else_is_refused_with_its_field_named(odds: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_odds(Decimal(odds), "legs[0].odds")
    assert caught.value.field == "legs[0].odds"


@pytest.mark.parametrize("code", sorted(MINOR_DIGITS))
def test_a_listed_currency_is_known(code: str) -> None:
    check_currency(code)
    assert len(code) == 3
    assert code.isupper()
    assert MINOR_DIGITS[code] in (0, 2, 3)


@pytest.mark.parametrize("code", ["", "EU", "EURO", "eur", "XXX", "BTC", "EUR ", "\u0415UR"])
def test_another_currency_is_unknown(code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_currency(code)
    assert caught.value.field == "currency"
