"""The count of a market's settlement."""

import pytest

from domain.events import (
    BetSettled,
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


def progressed(*totals: SettlementTotal) -> SettlementProgressed:
    return SettlementProgressed(market_id=MARKET, totals=totals)


def settling(*events: SettlementProgressed | SettlementCompleted) -> Settling:
    state = given(MARKET, *events)
    assert isinstance(state, Settling)
    return state


def test_progress_counts_bets_by_currency() -> None:
    bets = [settled(100, 250), settled(50, 0), settled(7, 7, "GBP")]
    assert Settling(0).progress(MARKET, bets) == progressed(
        SettlementTotal("EUR", 2, 150, 250), SettlementTotal("GBP", 1, 7, 7)
    )


def test_the_end_adds_all_progress_up() -> None:
    state = settling(
        progressed(SettlementTotal("EUR", 2, 150, 250)),
        progressed(SettlementTotal("GBP", 1, 7, 7), SettlementTotal("EUR", 1, 1, 0)),
    )
    assert state.complete(MARKET) == SettlementCompleted(
        market_id=MARKET,
        totals=(SettlementTotal("EUR", 3, 151, 250), SettlementTotal("GBP", 1, 7, 7)),
    )


def test_a_market_without_bets_completes_at_once() -> None:
    done = Settling(0).complete(MARKET)
    assert done == SettlementCompleted(market_id=MARKET, totals=())
    assert settling(done) == Settling(1, (), completed=True)


def test_a_completed_settlement_takes_nothing_more() -> None:
    state = settling(progressed(), SettlementCompleted(market_id=MARKET, totals=()))
    assert (state.completed, state.version) == (True, 2)
    with pytest.raises(MarketStateConflict):
        state.complete(MARKET)
    with pytest.raises(MarketStateConflict):
        state.progress(MARKET, [settled(1, 1)])


def test_totals_add_up_in_the_order_of_the_codes() -> None:
    gbp, eur = SettlementTotal("GBP", 1, 2, 3), SettlementTotal("EUR", 1, 2, 3)
    assert add_totals((gbp,), (eur, gbp)) == (eur, SettlementTotal("GBP", 2, 4, 6))
