"""Accumulators that a lost leg decides while others are open."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.bet import Bet
from domain.events.bet import BetKind, BetPlaced, BetReopened, BetResettled, BetSettled, Leg
from domain.events.market import MarketType, Result, SelectionResult
from domain.market import Market
from tests import builders
from tests.builders import BET, an_id, bet_placed, given_market, market_opened

MARKETS = [an_id(f"market {number}") for number in range(3)]


def treble(kind: BetKind = "accumulator", *, each_way: bool = False) -> Bet:
    legs = tuple(Leg(each, "home", Decimal(2)) for each in MARKETS)
    placed: BetPlaced = replace(bet_placed(), kind=kind, legs=legs, each_way=each_way)
    bet = builders.given(BET, placed)
    assert isinstance(bet, Bet)
    return bet


def markets(*said: Result | None, market_type: MarketType = "1X2") -> dict[UUID, Market]:
    opened = given_market(opened=market_opened(market_type))
    return {
        each: replace(
            opened, results={} if result is None else {"home": SelectionResult("home", result)}
        )
        for each, result in zip(MARKETS, said, strict=True)
    }


def told(bet: Bet, *said: Sequence[Result | None]) -> Bet:
    """The bet after its markets have said this, one after the other."""
    for results in said:
        change = bet.bring_to(bet.outcome(markets(*results)))
        if change is not None:
            after = bet.evolve(change[0])
            assert isinstance(after, Bet)
            bet = after
    return bet


def test_an_accumulator_is_lost_with_its_first_lost_leg() -> None:
    bet = treble()
    change = bet.bring_to(bet.outcome(markets(None, "lost", "won")))
    assert change is not None
    settled = change[0]
    assert isinstance(settled, BetSettled)
    assert (settled.status, settled.return_minor) == ("lost", 0)
    assert settled.results == (
        None,
        SelectionResult("home", "lost"),
        SelectionResult("home", "won"),
    )


@pytest.mark.parametrize(
    ("result", "each_way", "market_type", "is_lost"),
    [
        ("placed", False, "WIN", True),
        ("placed", True, "EW", False),
        ("placed", False, "PLACE", False),
        ("lost", True, "EW", True),
        ("void", False, "1X2", False),
        ("half_lost", False, "AH", False),
    ],
)
def test_what_loses_every_line_loses_the_accumulator(
    result: Result, each_way: bool, market_type: MarketType, is_lost: bool
) -> None:
    outcome = treble(each_way=each_way).outcome(
        markets(result, None, None, market_type=market_type)
    )
    assert (outcome is not None) == is_lost


def test_a_full_cover_waits_for_all_its_legs() -> None:
    assert treble("trixie").outcome(markets("lost", "lost", None)) is None


def test_what_the_other_legs_of_a_lost_accumulator_come_to_is_not_told() -> None:
    bet = told(treble(), ("lost", None, None))
    assert bet.bring_to(bet.outcome(markets("lost", "won", "lost"))) is None


def test_a_lost_accumulator_opens_again_when_the_result_is_taken_back() -> None:
    bet = told(treble(), ("lost", None, "won"))
    change = bet.bring_to(bet.outcome(markets(None, None, "won")))
    assert change is not None
    assert isinstance(change[0], BetReopened)


def test_which_leg_lost_it_is_told_when_the_first_one_is_corrected() -> None:
    bet = told(treble(), ("lost", None, None), ("lost", "lost", None))
    change = bet.bring_to(bet.outcome(markets("won", "lost", None)))
    assert change is not None
    resettled = change[0]
    assert isinstance(resettled, BetResettled)
    assert resettled.difference_minor == 0
    assert [each and each.result for each in resettled.results] == ["won", "lost", None]


@given(
    st.lists(
        st.tuples(*[st.sampled_from((None, "won", "lost", "void"))] * 3), min_size=1, max_size=6
    )
)
def test_however_results_come_and_go_the_accumulator_ends_as_by_the_last_ones(
    said: list[tuple[Result | None, ...]],
) -> None:
    by_all, at_once = told(treble(), *said), told(treble(), said[-1])
    assert by_all.status == at_once.status
    returned = [each.settled and each.settled.return_minor for each in (by_all, at_once)]
    assert returned[0] == returned[1]
