"""How old a quote may be."""

from datetime import timedelta

import pytest

from domain.freshness import DEFAULT_SECONDS, MaxAges
from tests.builders import NOW


def test_a_bookmaker_has_its_own_age_or_the_default() -> None:
    ages = MaxAges.parse("default=60, Betfair=2.5")
    assert (ages.seconds("betfair"), ages.seconds("BETFAIR"), ages.seconds("b365")) == (
        2.5,
        2.5,
        60,
    )
    assert MaxAges.parse("betfair=10").seconds("b365") == DEFAULT_SECONDS


def test_a_quote_is_stale_once_it_is_older_than_that() -> None:
    ages = MaxAges.parse("default=10")
    assert not ages.is_stale("b365", NOW, NOW + timedelta(seconds=10))
    assert ages.is_stale("b365", NOW, NOW + timedelta(seconds=10, microseconds=1))
    assert not ages.is_stale("b365", NOW + timedelta(seconds=5), NOW)


@pytest.mark.parametrize(
    "text", ["", "300", "=5", "a=", "a=0", "a=-1", "a=nan", "a=inf", "a=1,A=2", "a=1,"]
)
def test_ages_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        MaxAges.parse(text)
