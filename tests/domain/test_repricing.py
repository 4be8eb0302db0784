"""Palpable errors: two people correct a bet's odds, and its settlement follows."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.bet import Bet
from domain.cash_out import cash_out, check_offered
from domain.events.account import StakeRepriced, StakeResettled
from domain.events.bet import BetRepriced, CashOut, Leg, RepricingProposed
from domain.events.market import Result, ResultDeclared, SelectionResult, Terms
from domain.market import Market, open_market
from domain.money import MAX_FUNDS_MINOR, single_return_minor
from domain.placing import place_bet
from domain.refusals import (
    BetStateConflict,
    InvalidInput,
    LimitExceeded,
    NotOffered,
    Refusal,
    RepricingNotFound,
    SecondApproverNeeded,
    SelectionNotInMarket,
)
from domain.repricing import approve, propose, reject
from tests.builders import (
    FIXTURE,
    MARKET,
    NOW,
    SELECTIONS,
    an_id,
    bet_placed,
    given,
    given_account,
    given_bet,
    given_market,
)

THIS, OTHER = an_id("this repricing"), an_id("another repricing")
ACCOUNT_WITH_BET = given_account(funds_minor=1_000)


def proposed(bet: Bet, odds: str = "2.0", **options: Any) -> Bet:
    return bet.evolve(proposal(bet, odds, **options))


def proposal(bet: Bet, odds: str = "2.0", **options: Any) -> RepricingProposed:
    asked = {"market_id": None, "selection_id": "home"} | options
    return propose(bet, THIS, odds=Decimal(odds), reason="a slip", proposer="olga", **asked)


def approved(bet: Bet, market: Market | None = None) -> tuple[BetRepriced, StakeRepriced | None]:
    markets = {MARKET: market or given_market()}
    return approve(bet, ACCOUNT_WITH_BET, markets, THIS, "oscar")


def declared(result: Result) -> Market:
    return given_market(ResultDeclared(results=(SelectionResult("home", result),), partial=True))


def test_nothing_changes_until_somebody_else_approves() -> None:
    bet = given_bet(placed=bet_placed(500, 9_500, "19.0"))
    waiting = proposed(bet)
    assert waiting.standing is waiting.placed
    outcome = waiting.outcome({MARKET: declared("won")})
    assert outcome is not None
    assert outcome.return_minor == 9_500
    for decide in (
        lambda: approve(waiting, ACCOUNT_WITH_BET, {MARKET: given_market()}, THIS, "olga"),
        lambda: reject(waiting, THIS, "olga", None),
    ):
        with pytest.raises(SecondApproverNeeded):
            decide()
    rejected = waiting.evolve(reject(waiting, THIS, "oscar", "it was offered"))
    assert (rejected.repricing, rejected.standing) == (None, bet.placed)


def test_an_open_bet_is_settled_at_the_corrected_odds() -> None:
    bet = proposed(given_bet(placed=bet_placed(500, 9_500, "19.0")))
    repriced, of_account = approved(bet)
    assert (repriced.proposer, repriced.approver, repriced.reason) == ("olga", "oscar", "a slip")
    assert (repriced.odds_before, repriced.odds) == (Decimal(19), Decimal(2))
    assert not repriced.is_settled
    assert isinstance(of_account, StakeRepriced)
    assert of_account.difference_minor == 1_000 - 9_500
    bet = bet.evolve(repriced)
    assert bet.placed.legs[0].odds == 19
    change = bet.bring_to(bet.outcome({MARKET: declared("won")}))
    assert change is not None
    of_bet, of_stake = change
    assert (of_bet.return_minor, of_bet.standing.odds) == (1_000, (Decimal(2),))  # type: ignore[union-attr]
    assert of_stake.potential_return_minor == 1_000  # type: ignore[union-attr]


def test_a_settled_bet_is_settled_again_with_the_difference() -> None:
    bet = given_bet(placed=bet_placed(500, 9_500, "19.0"))
    markets = {MARKET: declared("won")}
    change = bet.bring_to(bet.outcome(markets))
    assert change is not None
    bet = proposed(bet.evolve(change[0]))
    repriced, of_account = approved(bet, markets[MARKET])
    assert (repriced.is_settled, of_account) == (True, None)
    bet = bet.evolve(repriced)
    assert bet.return_minor == 9_500
    change = bet.bring_to(bet.outcome(markets))
    assert change is not None
    assert isinstance(change[1], StakeResettled)
    assert change[1].difference_minor == -8_500
    bet = bet.evolve(change[0])
    assert (bet.status, bet.return_minor) == ("won", 1_000)
    assert bet.bring_to(bet.outcome(markets)) is None
    reopened = bet.bring_to(None)
    assert reopened is not None
    assert reopened[1].potential_return_minor == 1_000  # type: ignore[union-attr]


def test_a_lost_bet_loses_at_any_odds() -> None:
    bet = given_bet()
    markets = {MARKET: declared("lost")}
    change = bet.bring_to(bet.outcome(markets))
    assert change is not None
    bet = proposed(bet.evolve(change[0]))
    bet = bet.evolve(approved(bet, markets[MARKET])[0])
    assert bet.bring_to(bet.outcome(markets)) is None


def race() -> Market:
    terms = Terms(each_way_places=3, each_way_divisor=4)
    state = given(MARKET, open_market(FIXTURE, "WIN", None, SELECTIONS, "external", terms, None))
    assert isinstance(state, Market)
    return state


@pytest.mark.parametrize(
    ("options", "returned"),
    [({"kind": "each_way"}, 300 + 150), ({"free": True}, 200), ({"best_odds": True}, 300)],
)
def test_what_a_bet_can_return_follows_its_kind(options: dict[str, Any], returned: int) -> None:
    markets = {MARKET: race()}
    legs = (Leg(MARKET, "home", Decimal(9)),)
    placed = place_bet(given_account(), markets, legs, 100, NOW, **options)
    repriced, _ = approved(proposed(given_bet(placed=placed), "3.0"), markets[MARKET])
    assert repriced.potential_return_minor == returned


def test_only_the_rest_of_a_bet_is_repriced() -> None:
    bet = given_bet(placed=bet_placed(1_000, 6_000, "6.0"))
    of_bet, _ = cash_out(bet, 400, 1_000, CashOut(Decimal(0), ()))
    part = proposed(bet.evolve(of_bet))
    repriced, _ = approved(part)
    assert (repriced.potential_return_before_minor, repriced.potential_return_minor) == (
        3_600,
        1_200,
    )
    after = part.evolve(repriced)
    assert (after.cashed_stake_minor, after.cashed_return_minor) == (400, 1_000)
    assert after.outcome({MARKET: declared("won")}).return_minor == 1_200  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "odds", "refusal"),
    [
        ({"selection_id": "nobody"}, "2.0", SelectionNotInMarket),
        ({"market_id": an_id("elsewhere")}, "2.0", SelectionNotInMarket),
        ({}, "2.5", InvalidInput),
        ({}, "1", InvalidInput),
        ({}, "2.0001", InvalidInput),
        ({}, "NaN", InvalidInput),
        ({}, "1E+999999", InvalidInput),
    ],
)
def test_a_proposal_is_refused(options: dict[str, Any], odds: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        proposal(given_bet(), odds, **options)


def test_of_two_legs_on_such_a_selection_the_market_says_which() -> None:
    other = an_id("another market")
    legs = (Leg(MARKET, "home", Decimal(3)), Leg(other, "home", Decimal(4)))
    bet = given_bet(placed=replace(bet_placed(100, 1_200), kind="accumulator", legs=legs))
    with pytest.raises(InvalidInput, match="which"):
        proposal(bet)
    waiting = proposed(bet, market_id=other)
    repriced, _ = approved(waiting)
    assert repriced.potential_return_minor == 600
    assert [leg.odds for leg in waiting.evolve(repriced).standing.legs] == [3, 2]


def test_bets_that_are_not_repriced() -> None:
    lay = given_bet(placed=replace(bet_placed(), side="lay"))
    at_sp = given_bet(placed=replace(bet_placed(), legs=(Leg(MARKET, "home", None),)))
    for bet in (lay, at_sp):
        with pytest.raises(NotOffered):
            proposal(bet)
    open_bet = given_bet()
    cashed_out = open_bet.evolve(open_bet.cash_out(900, CashOut(Decimal(0), ()))[0])
    voided = open_bet.evolve(open_bet.void("a mistake")[0])
    for bet in (cashed_out, voided, proposed(open_bet)):
        with pytest.raises(BetStateConflict):
            proposal(bet)
    waiting = proposed(open_bet)
    voided = waiting.evolve(waiting.void("a mistake")[0])
    with pytest.raises(BetStateConflict):
        approved(voided)
    assert voided.evolve(reject(voided, THIS, "oscar", None)).repricing is None


def test_only_the_proposal_that_was_seen_is_decided() -> None:
    for bet in (given_bet(), proposed(given_bet())):
        with pytest.raises(RepricingNotFound):
            approve(bet, ACCOUNT_WITH_BET, {MARKET: given_market()}, OTHER, "oscar")
        with pytest.raises(RepricingNotFound):
            reject(bet, OTHER, "oscar", None)


def test_a_bet_under_review_is_not_cashed_out() -> None:
    with pytest.raises(BetStateConflict, match="review"):
        check_offered(proposed(given_bet()), given_account())


def test_odds_are_not_corrected_beyond_what_can_be_held() -> None:
    bet = proposed(given_bet(placed=bet_placed(10**14, 2 * 10**14, "2.0")), "100000")
    with pytest.raises(LimitExceeded):
        approved(bet)
    bet = proposed(given_bet(), "100000")
    full = replace(given_account(), available_minor=MAX_FUNDS_MINOR - 1_000)
    with pytest.raises(LimitExceeded):
        approve(bet, full, {MARKET: given_market()}, THIS, "oscar")


@for_any(
    st.integers(1, 10**6),
    st.lists(st.integers(1_001, 50_000), min_size=1, max_size=4),
    st.lists(st.sampled_from(["won", "lost", "void", None]), min_size=5, max_size=5),
)
def test_corrected_before_or_after_the_result_a_bet_ends_as_if_taken_at_its_last_odds(
    stake: int, odds: list[int], results: list[Result | None]
) -> None:
    taken = [Decimal(each) / 1_000 for each in odds]
    bet = given_bet(placed=bet_placed(stake, single_return_minor(stake, taken[0]), str(taken[0])))
    promised = bet.placed.potential_return_minor
    for result, corrected in zip(results, [*taken[1:], None], strict=False):
        market = given_market() if result is None else declared(result)
        change = bet.bring_to(bet.outcome({MARKET: market}))
        bet = bet if change is None else bet.evolve(change[0])
        if corrected is None or corrected == bet.standing.legs[0].odds:
            continue
        bet = proposed(bet, str(corrected))
        repriced, of_account = approve(bet, given_account(), {MARKET: market}, THIS, "oscar")
        bet = bet.evolve(repriced)
        promised = repriced.potential_return_minor
        assert (of_account is None) == (bet.settled is not None)
        change = bet.bring_to(bet.outcome({MARKET: market}))
        bet = bet if change is None else bet.evolve(change[0])
    last = bet.standing.legs[0].odds
    plain = given_bet(placed=bet_placed(stake, promised, str(last)))
    assert bet.standing == replace(plain.placed, legs=bet.standing.legs)
    final = declared("won")
    assert bet.outcome({MARKET: final}) == plain.outcome({MARKET: final})
