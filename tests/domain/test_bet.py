"""Decisions of a bet."""

from decimal import Decimal

import pytest

from domain.bet import place_single
from domain.events import (
    BetSettled,
    Event,
    MarketLimits,
    MarketSuspended,
    SelectionResult,
    StakeSettled,
)
from domain.refusals import (
    BetAlreadySettled,
    InvalidInput,
    LimitExceeded,
    MarketNotOpen,
    Refusal,
    SelectionNotInMarket,
)
from tests.builders import (
    ACCOUNT,
    BET,
    bet_placed,
    given_account,
    given_bet,
    given_market,
    leg,
    market_opened,
)


@pytest.mark.parametrize(
    ("stake", "odds", "returned"),
    [
        (1_000, "2.5", 2_500),
        (1, "1.001", 1),
        (1, "1.5", 2),
        (3, "1.5", 5),
        (10, "1.05", 11),
        (10, "1.049", 10),
        (333, "1.333", 444),
        (1, "1E+2", 100),
        (7, "1E+5", 700_000),
    ],
)
def test_a_bet_promises_its_return_rounded_half_up(stake: int, odds: str, returned: int) -> None:
    placed = place_single(given_account(), given_market(), leg(odds), stake)
    assert placed == bet_placed(stake, returned, odds)


@pytest.mark.parametrize(
    ("events", "odds", "selection", "stake", "refusal"),
    [
        ([MarketSuspended()], "2.5", "home", 1, MarketNotOpen),
        ([], "2.5", "nobody", 1, SelectionNotInMarket),
        ([], "1", "home", 1, InvalidInput),
        ([], "2.5001", "home", 1, InvalidInput),
        ([], "NaN", "home", 1, InvalidInput),
        ([], "2.5", "home", 1_001, LimitExceeded),
        ([], "5", "home", 1_000, LimitExceeded),
    ],
)
def test_a_bet_is_refused(
    events: list[Event], odds: str, selection: str, stake: int, refusal: type[Refusal]
) -> None:
    limits = MarketLimits(max_stake_minor=1_000, max_return_minor=3_000)
    market = given_market(*events, opened=market_opened(limits=limits))
    with pytest.raises(refusal) as caught:
        place_single(given_account(), market, leg(odds, selection), stake)
    assert type(caught.value) is refusal


def test_a_bet_returns_no_more_than_an_account_can_hold() -> None:
    with pytest.raises(LimitExceeded):
        place_single(given_account(), given_market(), leg("100000"), 10**15)


@pytest.mark.parametrize(
    ("result", "status", "returned"),
    [
        ("won", "won", 2_500),
        ("lost", "lost", 0),
        ("void", "void", 1_000),
        ("push", "void", 1_000),
        ("half_won", "part_won", 1_750),
        ("half_lost", "part_won", 500),
    ],
)
def test_a_bet_settles_by_the_result_of_its_leg(result: str, status: str, returned: int) -> None:
    results = (SelectionResult("home", result),)  # type: ignore[arg-type]
    assert given_bet().settle(results) == (
        BetSettled(
            account_id=ACCOUNT,
            status=status,  # type: ignore[arg-type]
            results=results,
            stake_minor=1_000,
            return_minor=returned,
            currency="EUR",
        ),
        StakeSettled(
            bet_id=BET,
            stake_minor=1_000,
            return_minor=returned,
            potential_return_minor=2_500,
            currency="EUR",
        ),
    )


def test_a_settled_bet_is_not_settled_again() -> None:
    won = (SelectionResult("home", "won"),)
    settled, _ = given_bet().settle(won)
    bet = given_bet(settled)
    assert (bet.status, bet.version) == ("won", 2)
    with pytest.raises(BetAlreadySettled):
        bet.settle(won)


def test_a_bet_is_placed_once() -> None:
    with pytest.raises(ValueError, match="placed once"):
        given_bet(bet_placed())


def test_a_bet_keeps_the_odds_as_they_were_given() -> None:
    placed = place_single(given_account(), given_market(), leg("2.50"), 100)
    assert str(placed.legs[0].odds) == "2.50"
    assert placed.legs[0].odds == Decimal("2.5")
