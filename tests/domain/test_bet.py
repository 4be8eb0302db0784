"""Decisions of a bet."""

from decimal import Decimal
from uuid import UUID

import pytest

from domain.bet import Bet, BetChange, place_single
from domain.events.account import StakeReopened, StakeResettled, StakeSettled
from domain.events.bet import BetReopened, BetResettled, BetSettled
from domain.events.event import Event
from domain.events.market import (
    DeadHeat,
    MarketLimits,
    MarketSuspended,
    ResultDeclared,
    SelectionResult,
)
from domain.market import Market
from domain.refusals import (
    BetStateConflict,
    InvalidInput,
    LimitExceeded,
    MarketNotOpen,
    Refusal,
    SelectionNotInMarket,
)
from tests.builders import (
    ACCOUNT,
    BET,
    MARKET,
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
    outcome = given_bet().outcome(resulted(results[0]))
    assert given_bet().bring_to(outcome) == (
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


def resulted(result: SelectionResult) -> dict[UUID, Market]:
    """The market of the bet, with a result for one of its selections."""
    return {MARKET: given_market(ResultDeclared(results=(result,), partial=True))}


WON, LOST = SelectionResult("home", "won"), SelectionResult("home", "lost")


def settled_by(result: SelectionResult) -> Bet:
    change = given_bet().bring_to(given_bet().outcome(resulted(result)))
    assert change is not None
    return given_bet(change[0])


def test_a_bet_is_undecided_while_its_selection_has_no_result() -> None:
    assert given_bet().outcome({MARKET: given_market()}) is None
    assert given_bet().outcome(resulted(SelectionResult("draw", "won"))) is None
    assert given_bet().bring_to(None) is None


def test_a_settled_bet_is_not_settled_again() -> None:
    bet = settled_by(WON)
    assert (bet.status, bet.version) == ("won", 2)
    assert bet.bring_to(bet.outcome(resulted(WON))) is None


def test_a_corrected_result_moves_the_difference_only() -> None:
    bet = settled_by(WON)
    assert bet.bring_to(bet.outcome(resulted(LOST))) == (
        BetResettled(
            account_id=ACCOUNT,
            status="lost",
            results=(LOST,),
            stake_minor=1_000,
            return_minor=0,
            difference_minor=-2_500,
            currency="EUR",
        ),
        StakeResettled(bet_id=BET, difference_minor=-2_500, currency="EUR"),
    )


def test_a_correction_that_moves_no_money_is_kept_with_the_bet_alone() -> None:
    bet = given_bet(placed=bet_placed(1_000, 2_000, "2"))
    dead_heat = SelectionResult("home", "won", DeadHeat(tied=2, places=1))
    first = bet.bring_to(bet.outcome(resulted(SelectionResult("home", "void"))))
    assert first is not None
    bet = given_bet(first[0], placed=bet_placed(1_000, 2_000, "2"))
    change = bet.bring_to(bet.outcome(resulted(dead_heat)))
    assert change is not None
    assert isinstance(change[0], BetResettled)
    assert (change[0].status, change[0].difference_minor, change[1]) == ("part_won", 0, None)


def test_a_result_that_is_rolled_back_opens_the_bet_again() -> None:
    bet = settled_by(WON)
    change = bet.bring_to(bet.outcome({MARKET: given_market()}))
    assert change == (
        BetReopened(account_id=ACCOUNT, stake_minor=1_000, return_minor=2_500, currency="EUR"),
        StakeReopened(
            bet_id=BET,
            stake_minor=1_000,
            return_minor=2_500,
            potential_return_minor=2_500,
            currency="EUR",
        ),
    )
    settled, _ = given_bet().bring_to(given_bet().outcome(resulted(WON))) or (None, None)
    assert settled is not None
    bet = given_bet(settled, change[0])
    assert (bet.status, bet.version) == ("open", 3)
    assert bet.bring_to(bet.outcome(resulted(WON))) == (settled, change_of(settled))


def change_of(settled: BetChange) -> StakeSettled:
    assert isinstance(settled, BetSettled)
    return StakeSettled(
        bet_id=BET,
        stake_minor=settled.stake_minor,
        return_minor=settled.return_minor,
        potential_return_minor=2_500,
        currency="EUR",
    )


def test_a_bet_is_placed_once() -> None:
    with pytest.raises(ValueError, match="placed once"):
        given_bet(bet_placed())


def test_a_bet_keeps_the_odds_as_they_were_given() -> None:
    placed = place_single(given_account(), given_market(), leg("2.50"), 100)
    assert str(placed.legs[0].odds) == "2.50"
    assert placed.legs[0].odds == Decimal("2.5")


def test_a_bet_made_void_gets_its_stake_back_and_stays_void() -> None:
    bet = given_bet()
    of_bet, of_account = bet.void("the wrong runner was listed")
    assert isinstance(of_bet, BetSettled)
    assert (of_bet.status, of_bet.return_minor) == ("void", 1_000)
    assert of_bet.reason == "the wrong runner was listed"
    assert isinstance(of_account, StakeSettled)
    voided = bet.evolve(of_bet)
    for result in (SelectionResult("home", "won"), SelectionResult("home", "lost")):
        assert voided.bring_to(voided.outcome(resulted(result))) is None
    assert voided.bring_to(voided.outcome({MARKET: given_market()})) is None
    with pytest.raises(BetStateConflict):
        voided.void("again")


def test_a_settled_bet_made_void_is_settled_again_with_the_difference() -> None:
    bet = given_bet()
    won = bet.bring_to(bet.outcome(resulted(SelectionResult("home", "won"))))
    assert won is not None
    bet = bet.evolve(won[0])
    of_bet, of_account = bet.void("palpable error")
    assert isinstance(of_bet, BetResettled)
    assert (of_bet.difference_minor, of_bet.reason) == (-1_500, "palpable error")
    assert of_account == StakeResettled(
        bet_id=BET, difference_minor=-1_500, currency="EUR", by_hand="void"
    )
    voided = bet.evolve(of_bet)
    assert voided.status == "void"
    assert voided.bring_to(voided.outcome(resulted(SelectionResult("home", "won")))) is None


def test_a_bet_whose_result_is_void_may_still_be_made_void_for_good() -> None:
    bet = given_bet()
    push = bet.bring_to(bet.outcome(resulted(SelectionResult("home", "void"))))
    assert push is not None
    bet = bet.evolve(push[0])
    of_bet, of_account = bet.void("postponed")
    assert of_account is None
    bet = bet.evolve(of_bet)
    assert bet.bring_to(bet.outcome(resulted(SelectionResult("home", "won")))) is None
