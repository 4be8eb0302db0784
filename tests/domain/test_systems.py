"""Bets of several legs, by published cases and against enumeration."""

import sys
from decimal import Decimal
from fractions import Fraction
from itertools import chain, combinations
from math import prod
from types import FrameType
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.deductions import after_rule4, place_odds
from domain.events.bet import BetKind
from domain.events.market import Result, SelectionResult
from domain.money import round_half_up
from domain.refusals import InvalidInput
from domain.settlement import leg_multiplier
from domain.systems import (
    FULL_COVERS,
    LEGS_OF,
    WITH_SINGLES,
    check_legs,
    line_count,
    return_per_line_stake,
    winnings_per_line_stake,
)

MULTIPLIERS = st.fractions(0, 20, max_denominator=1000)
KINDS = st.sampled_from(sorted(FULL_COVERS))


def lines_of(kind: BetKind, legs: list[Fraction]) -> list[Fraction]:
    """What each line returns per unit staked on it."""
    smallest = 1 if kind in WITH_SINGLES else 2
    lines = chain.from_iterable(combinations(legs, n) for n in range(smallest, len(legs) + 1))
    return [prod(line, start=Fraction(1)) for line in lines]


def multipliers(*legs: tuple[str, Result]) -> list[Fraction]:
    return [leg_multiplier(Decimal(odds), SelectionResult("x", result)) for odds, result in legs]


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("trixie", 4),
        ("patent", 7),
        ("yankee", 11),
        ("lucky15", 15),
        ("canadian", 26),
        ("lucky31", 31),
        ("heinz", 57),
        ("lucky63", 63),
        ("super_heinz", 120),
        ("goliath", 247),
        ("single", 1),
    ],
)
def test_the_lines_of_each_kind(kind: BetKind, lines: int) -> None:
    assert line_count(kind, LEGS_OF[kind]) == lines


def test_every_kind_has_its_number_of_legs() -> None:
    assert set(LEGS_OF) | {"accumulator"} == set(get_args(BetKind))
    for kind, legs in LEGS_OF.items():
        check_legs(kind, legs)
        for wrong in (legs - 1, legs + 1):
            with pytest.raises(InvalidInput):
                check_legs(kind, wrong)
    check_legs("accumulator", 2)
    with pytest.raises(InvalidInput):
        check_legs("accumulator", 1)


@pytest.mark.parametrize(
    ("publisher", "first", "return_minor"),
    [
        ("knoqnoq: 100 × 1.95 × 1.84 × 2.10", "won", 75_348),
        ("knoqnoq: the same, first leg half won", "half_won", 56_994),
    ],
)
def test_a_published_accumulator(publisher: str, first: Result, return_minor: int) -> None:
    legs = multipliers(("1.95", first), ("1.84", "won"), ("2.10", "won"))
    returned = 10_000 * return_per_line_stake("accumulator", legs)
    assert round_half_up(returned) == return_minor, publisher


@pytest.mark.parametrize(
    ("publisher", "stake_minor", "odds", "divisor", "win", "place", "pence", "return_minor"),
    [
        ("OddsMonkey: 1/5, 5 e/w @ 10/1, won", 500, "11", 5, "1", "1", 0, 7_000),
        ("Betfair: 1/4, 10 e/w @ 7/4, won", 1_000, "2.75", 4, "1", "1", 0, 4_188),
        ("Betfair: 1/4, 10 e/w @ 7/4, placed", 1_000, "2.75", 4, "0", "1", 0, 1_438),
        ("DAZN Bet: 1/4, 20 e/w @ 16/1, third", 2_000, "17", 4, "0", "1", 0, 10_000),
        ("DAZN Bet: 1/4, 20 e/w @ 16/1, tied third", 2_000, "17", 4, "0", "1/2", 0, 5_000),
        ("Betfair: 1/5 with 35p, 10 e/w @ 7/4, won", 1_000, "2.75", 5, "1", "1", 35, 3_365),
        ("Betfair: the same without 35p", 1_000, "2.75", 5, "1", "1", 0, 4_100),
    ],
)
def test_a_published_each_way(
    publisher: str,
    stake_minor: int,
    odds: str,
    divisor: int,
    win: str,
    place: str,
    pence: int,
    return_minor: int,
) -> None:
    after = after_rule4(Fraction(odds), pence)
    returned = Fraction(win) * after + Fraction(place) * place_odds(after, divisor)
    # Rounded once: the two bets of an each-way are one return.
    assert round_half_up(stake_minor * returned) == return_minor, publisher


@settings(max_examples=50)  # a Goliath is 247 lines
@given(kind=KINDS, data=st.data())
def test_a_full_cover_is_the_sum_of_its_accumulators(kind: BetKind, data: st.DataObject) -> None:
    size = LEGS_OF[kind]
    legs = data.draw(st.lists(MULTIPLIERS, min_size=size, max_size=size))
    returned = lines_of(kind, legs)
    assert return_per_line_stake(kind, legs) == sum(returned)
    assert winnings_per_line_stake(kind, legs) == sum(each - 1 for each in returned if each > 1)


@settings(max_examples=50)  # a Goliath is 247 lines
@given(kind=KINDS, data=st.data())
def test_voids_return_every_stake(kind: BetKind, data: st.DataObject) -> None:
    legs = LEGS_OF[kind]
    assert return_per_line_stake(kind, [Fraction(1)] * legs) == line_count(kind, legs)
    # A void leg leaves what the bet would be without it, and one line of the void leg alone where there are singles.
    others = data.draw(st.lists(MULTIPLIERS, min_size=legs - 1, max_size=legs - 1))
    lines = lines_of(kind, [Fraction(1), *others])
    assert sum(lines) == return_per_line_stake(kind, [Fraction(1), *others])


@given(legs=st.lists(MULTIPLIERS, min_size=3, max_size=3), more=st.fractions(0, 5))
def test_a_better_leg_never_returns_less(legs: list[Fraction], more: Fraction) -> None:
    better = [legs[0] + more, *legs[1:]]
    for kind in ("accumulator", "trixie", "patent"):
        assert return_per_line_stake(kind, better) >= return_per_line_stake(kind, legs)


@settings(max_examples=50)  # a Goliath is 247 lines
@given(kind=KINDS, data=st.data())
def test_a_free_bet_wins_what_a_paid_one_would_less_the_stake_of_its_winning_lines(
    kind: BetKind, data: st.DataObject
) -> None:
    legs = LEGS_OF[kind]
    # Legs that win or lose whole: then every line either returns nothing or more than its stake.
    drawn = data.draw(
        st.lists(
            st.just(Fraction(0)) | st.fractions(Fraction(11, 10), 9, max_denominator=100),
            min_size=legs,
            max_size=legs,
        )
    )
    winning = sum(line > 0 for line in lines_of(kind, drawn))
    assert winnings_per_line_stake(kind, drawn) == return_per_line_stake(kind, drawn) - winning


def test_what_a_free_goliath_wins_is_worked_out_in_few_steps() -> None:
    """In fractions a batch of them, which anybody may send, held up the whole process for half a minute."""
    legs = [Fraction(1001 + 777 * leg, 1000) for leg in range(LEGS_OF["goliath"])]
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        winnings_per_line_stake("goliath", legs)
    finally:
        sys.setprofile(before)
    assert 0 < calls < line_count("goliath", len(legs)) * 3
