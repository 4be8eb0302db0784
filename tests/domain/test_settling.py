"""The count of a market's settlement."""

from decimal import Decimal

import pytest

from domain.bet import BetChange
from domain.events.bet import BetReopened, BetResettled, BetSettled
from domain.events.settlement import (
    AccountAmount,
    SettlementCompleted,
    SettlementProgressed,
    SettlementTotal,
)
from domain.refusals import MarketStateConflict
from domain.settling import Settling, add_totals
from tests.builders import ACCOUNT, MARKET, given


def settled(stake: int, returned: int, currency: str = "EUR") -> BetSettled:
    return BetSettled(
        account_id=ACCOUNT,
        status="won",
        results=(),
        stake_minor=stake,
        return_minor=returned,
        currency=currency,
    )


def progressed(
    *totals: SettlementTotal, generation: int = 1, after: int = 0
) -> SettlementProgressed:
    return SettlementProgressed(market_id=MARKET, totals=totals, generation=generation, after=after)


def settling(*events: SettlementProgressed | SettlementCompleted) -> Settling:
    state = given(MARKET, *events)
    assert isinstance(state, Settling)
    return state


def test_progress_counts_bets_by_currency() -> None:
    bets = [settled(100, 250), settled(50, 0), settled(7, 7, "GBP")]
    assert Settling(0).progress(MARKET, bets, 1, 9) == SettlementProgressed(
        market_id=MARKET,
        totals=(SettlementTotal("EUR", 2, 150, 250), SettlementTotal("GBP", 1, 7, 7)),
        generation=1,
        after=9,
    )


def test_a_correction_counts_the_difference_and_a_rollback_takes_away() -> None:
    bets: list[BetChange] = [
        BetResettled(
            account_id=ACCOUNT,
            status="won",
            results=(),
            stake_minor=100,
            return_minor=250,
            difference_minor=250,
            currency="EUR",
        ),
        BetReopened(account_id=ACCOUNT, stake_minor=50, return_minor=20, currency="EUR"),
    ]
    event = Settling(0).progress(MARKET, bets, 2, 9)
    assert event is not None
    assert event.totals == (SettlementTotal("EUR", -1, -50, 230),)


def test_a_step_that_changed_nothing_moves_the_cursor_or_says_nothing() -> None:
    state = settling(progressed(generation=1, after=5))
    assert (state.generation, state.after) == (1, 5)
    assert state.progress(MARKET, [], 1, 5) is None
    assert state.progress(MARKET, [], 1, 6) == progressed(generation=1, after=6)
    again = state.progress(MARKET, [settled(1, 2)], 1, 3)
    assert again is not None
    assert again.after == 5
    assert state.progress(MARKET, [], 2, 3) == progressed(generation=2, after=3)


def test_another_generation_is_settled_after_a_completed_one() -> None:
    total = SettlementTotal("EUR", 2, 150, 250)
    state = settling(progressed(total), SettlementCompleted(market_id=MARKET, totals=(total,)))
    state = state.evolve(progressed(SettlementTotal("EUR", 0, 0, -250), generation=2, after=3))
    assert not state.completed
    done = state.complete(MARKET, 2)
    assert done == SettlementCompleted(
        market_id=MARKET, totals=(SettlementTotal("EUR", 2, 150, 0),), generation=2
    )
    assert (state.evolve(done).completed, state.evolve(done).generation) == (True, 2)


def test_the_end_adds_all_progress_up() -> None:
    state = settling(
        progressed(SettlementTotal("EUR", 2, 150, 250)),
        progressed(SettlementTotal("GBP", 1, 7, 7), SettlementTotal("EUR", 1, 1, 0)),
    )
    assert state.complete(MARKET, 1) == SettlementCompleted(
        market_id=MARKET,
        totals=(SettlementTotal("EUR", 3, 151, 250), SettlementTotal("GBP", 1, 7, 7)),
    )


def test_a_market_without_bets_completes_at_once() -> None:
    done = Settling(0).complete(MARKET, 1)
    assert done == SettlementCompleted(market_id=MARKET, totals=())
    assert settling(done) == Settling(1, (), completed=True, generation=1)


def test_a_completed_settlement_takes_nothing_more() -> None:
    state = settling(progressed(), SettlementCompleted(market_id=MARKET, totals=()))
    assert (state.completed, state.version) == (True, 2)
    assert state.complete(MARKET, 1) is None
    assert state.progress(MARKET, [], 1, 99) is None
    with pytest.raises(MarketStateConflict):
        state.progress(MARKET, [settled(1, 1)], 1, 99)


def test_commission_is_charged_on_a_net_profit_and_by_the_difference_afterwards() -> None:
    rates = {ACCOUNT: Decimal("0.05")}
    state = Settling(0)
    for profit in (1_010, -200):
        event = state.progress(MARKET, [settled(1, 1)], 1, 0, {ACCOUNT: profit})
        assert event is not None
        state = state.evolve(event)
    done = state.complete(MARKET, 1, rates)
    assert done is not None
    assert done.commissions == (AccountAmount(ACCOUNT, 41),)  # 5% of 810 is 40.5
    state = state.evolve(done)
    corrected = state.progress(MARKET, [settled(1, 1)], 2, 0, {ACCOUNT: -1_000})
    assert corrected is not None
    state = state.evolve(corrected)
    again = state.complete(MARKET, 2, rates)
    assert again is not None
    assert again.commissions == (AccountAmount(ACCOUNT, -41),)
    assert state.evolve(again).charged == {ACCOUNT: 0}


def test_totals_add_up_in_the_order_of_the_codes() -> None:
    gbp, eur = SettlementTotal("GBP", 1, 2, 3), SettlementTotal("EUR", 1, 2, 3)
    assert add_totals((gbp,), (eur, gbp)) == (eur, SettlementTotal("GBP", 2, 4, 6))
