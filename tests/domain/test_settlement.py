"""Settlement of singles, by published cases, by tables, and by properties."""

from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.bet import EndStatus
from domain.events.market import DeadHeat, Result, SelectionResult
from domain.refusals import ResultNotDerivable
from domain.settlement import (
    VOID_FACTOR,
    check_settles,
    leg_multiplier,
    settle_single,
)

ODDS = st.decimals("1.001", "1000", places=3)


def outcome(
    result: Result, stake_minor: int, odds: str, tie: tuple[int, int] | None = None
) -> tuple[EndStatus, int]:
    dead_heat = DeadHeat(*tie) if tie else None
    ended = SelectionResult("home", result, dead_heat)
    settled = settle_single(Decimal(odds), ended, stake_minor)
    assert settled.results == (ended,)
    return settled.status, settled.return_minor


# ---- DOMAIN.md, "Published worked cases": those whose rules exist by now (odds are decimal, 10/1 is 11.0)


@pytest.mark.parametrize(
    ("publisher", "result", "tie", "stake_minor", "odds", "return_minor"),
    [
        ("Unibet: AH +1.5, 10 @ 2.05, loses by 1", "won", None, 1_000, "2.05", 2_050),
        ("vptop: AH -0.25, draw", "half_lost", None, 1_000, "1.9", 500),
        ("vptop: AH -0.75, wins by 1", "half_won", None, 1_000, "1.9", 1_450),
        ("vptop: over 2.25, 2 goals", "half_lost", None, 1_000, "1.95", 500),
        ("vptop: over 2.75, 3 goals", "half_won", None, 1_000, "1.95", 1_475),
        ("Betfair: dead heat of 2 to win, 10 @ 10/1", "won", (2, 1), 1_000, "11", 5_500),
        ("Betdaq: 4 tie for 2 places, 60 @ 6.0", "won", (4, 2), 6_000, "6.0", 18_000),
        ("Smarkets: dead heat of 3, back 20 @ 4.0", "won", (3, 1), 2_000, "4.0", 2_667),
        ("DraftKings: dead heat, 6 for 3 places, 50 @ 3.0", "won", (6, 3), 5_000, "3.0", 7_500),
        ("betting-offers.com: palpable error, 5 @ Evens", "won", None, 500, "2", 1_000),
    ],
)
def test_a_published_case_comes_out_as_published(
    publisher: str,
    result: Result,
    tie: tuple[int, int] | None,
    stake_minor: int,
    odds: str,
    return_minor: int,
) -> None:
    assert outcome(result, stake_minor, odds, tie)[1] == return_minor, publisher


@pytest.mark.parametrize(
    ("result", "multiplier"),
    [
        ("won", Fraction(39, 20)),
        ("lost", Fraction(0)),
        ("push", Fraction(1)),
        ("void", Fraction(1)),
        ("half_won", Fraction(59, 40)),
        ("half_lost", Fraction(1, 2)),
    ],
)
def test_the_multiplier_of_each_result_at_1_95(result: Result, multiplier: Fraction) -> None:
    assert leg_multiplier(Decimal("1.95"), SelectionResult("home", result)) == multiplier


def test_runners_are_placed_and_sides_are_not() -> None:
    assert set(get_args(Result)) == VOID_FACTOR.keys()
    check_settles(SelectionResult("home", "placed"), "WIN")
    with pytest.raises(ResultNotDerivable):
        check_settles(SelectionResult("home", "placed"), "1X2")


@pytest.mark.parametrize(
    ("result", "odds", "tie", "status"),
    [
        ("won", "2.5", None, "won"),
        ("lost", "2.5", None, "lost"),
        ("void", "2.5", None, "void"),
        ("push", "2.5", None, "void"),
        ("half_won", "2.5", None, "part_won"),
        ("half_lost", "2.5", None, "part_won"),
        ("won", "2.5", (2, 1), "part_won"),
        ("won", "2.0", (2, 1), "part_won"),  # its return equals the stake, yet nothing was voided
        ("won", "1.5", (2, 1), "part_won"),
    ],
)
def test_the_status_says_how_a_bet_ended(
    result: Result, odds: str, tie: tuple[int, int] | None, status: EndStatus
) -> None:
    assert outcome(result, 1_000, odds, tie)[0] == status


@given(odds=ODDS, stake=st.integers(1, 10**12))
def test_a_void_returns_the_stake_to_the_unit(odds: Decimal, stake: int) -> None:
    assert outcome("void", stake, str(odds)) == ("void", stake)
    assert outcome("push", stake, str(odds)) == ("void", stake)


@given(
    odds=st.tuples(ODDS, ODDS),
    stake=st.integers(1, 10**12),
    result=st.sampled_from(sorted(VOID_FACTOR.keys() - {"placed"})),
    tie=st.none() | st.sampled_from([(2, 1), (3, 1), (3, 2), (6, 3)]),
)
def test_a_better_price_never_returns_less(
    odds: tuple[Decimal, Decimal], stake: int, result: Result, tie: tuple[int, int] | None
) -> None:
    worse, better = sorted(odds)
    assert outcome(result, stake, str(worse), tie)[1] <= outcome(result, stake, str(better), tie)[1]


@given(
    odds=ODDS,
    stake=st.integers(1, 10**12),
    result=st.sampled_from(sorted(VOID_FACTOR.keys() - {"placed"})),
    tie=st.none() | st.sampled_from([(2, 1), (3, 1), (3, 2), (6, 3)]),
)
def test_no_result_returns_more_than_was_promised(
    odds: Decimal, stake: int, result: Result, tie: tuple[int, int] | None
) -> None:
    assert 0 <= outcome(result, stake, str(odds), tie)[1] <= outcome("won", stake, str(odds))[1]


@given(odds=ODDS, stake=st.integers(1, 10**6))
def test_half_won_and_half_lost_share_out_a_win(odds: Decimal, stake: int) -> None:
    won = leg_multiplier(odds, SelectionResult("x", "won"))
    half_won = leg_multiplier(odds, SelectionResult("x", "half_won"))
    half_lost = leg_multiplier(odds, SelectionResult("x", "half_lost"))
    assert half_won + half_lost == (won + 2) / 2
