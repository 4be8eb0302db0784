"""The life of an arbitrage opportunity."""

from decimal import Decimal

import pytest

from domain.events.arbitrage import ArbitrageChanged, ArbitrageClosed, ArbitrageDetected
from domain.opportunity import Arbitrage, ArbitrageEvent
from tests.builders import an_id, given, opportunity

OPPORTUNITY = an_id("opportunity")


def given_arbitrage(*events: ArbitrageEvent) -> Arbitrage:
    """An opportunity that was detected at message 10, and to which `events` happened."""
    state = given(OPPORTUNITY, ArbitrageDetected(opportunity=opportunity(10)), *events)
    assert isinstance(state, Arbitrage)
    return state


def changed(sequence: int, margin: str = "0.01") -> ArbitrageChanged:
    return ArbitrageChanged(opportunity=opportunity(sequence, margin))


CLOSED = ArbitrageClosed(reason="price_moved", best_margin=Decimal("0.01"), sequence=12)


def test_a_detected_opportunity_is_open_and_its_own_best() -> None:
    state = given_arbitrage()
    assert (state.is_open, state.version, state.sequence) == (True, 1, 10)
    assert state.latest == state.best == opportunity(10)


def test_a_newer_shape_changes_it() -> None:
    assert given_arbitrage().change(opportunity(11, "0.02")) == changed(11, "0.02")


@pytest.mark.parametrize(("sequence", "margin"), [(9, "0.02"), (10, "0.01")])
def test_a_shape_that_is_known_or_older_changes_nothing(sequence: int, margin: str) -> None:
    assert given_arbitrage().change(opportunity(sequence, margin)) is None


def test_it_may_change_where_it_was_last_seen() -> None:
    later = opportunity(10, "0.02")
    assert given_arbitrage().change(later) == ArbitrageChanged(opportunity=later)


def test_the_best_margin_outlives_worse_ones() -> None:
    state = given_arbitrage(changed(11, "0.03"), changed(12, "0.02"))
    assert (state.best.margin, state.latest.margin) == (Decimal("0.03"), Decimal("0.02"))
    assert state.end("price_moved", 13) == ArbitrageClosed(
        reason="price_moved", best_margin=Decimal("0.03"), sequence=13
    )


def test_it_may_expire_without_another_message() -> None:
    ended = given_arbitrage().end("expired", 10)
    assert ended == ArbitrageClosed(reason="expired", best_margin=Decimal("0.01"), sequence=10)


def test_an_end_that_is_older_than_its_last_shape_is_passed_over() -> None:
    assert given_arbitrage(changed(12)).end("price_moved", 11) is None


def test_once_closed_nothing_happens_to_it() -> None:
    state = given_arbitrage(CLOSED)
    assert (state.is_open, state.sequence, state.version) == (False, 12, 2)
    assert state.change(opportunity(13)) is None
    assert state.end("expired", 13) is None


def test_it_is_detected_once() -> None:
    with pytest.raises(ValueError, match="once"):
        given_arbitrage().evolve(ArbitrageDetected(opportunity=opportunity(11)))
