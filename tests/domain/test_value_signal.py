"""The life of a value signal."""

from decimal import Decimal

import pytest

from domain.events.value import ValueChanged, ValueClosed, ValueDetected
from domain.value_signal import Value, ValueEvent, signal_id
from tests.builders import MARKET, an_id, given
from tests.predicting import signal

SIGNAL = an_id("signal")
CLOSED = ValueClosed(reason="expired", best_expected_value=Decimal("0.05"), sequence=12)


def a_value(*events: ValueEvent) -> Value:
    """A signal that was detected at message 10, and to which `events` happened."""
    state = given(SIGNAL, ValueDetected(signal=signal(10)), *events)
    assert isinstance(state, Value)
    return state


def test_a_newer_shape_changes_it_and_a_known_or_older_one_does_not() -> None:
    assert a_value().change(signal(11, "0.06")) == ValueChanged(signal=signal(11, "0.06"))
    assert a_value().change(signal(10, "0.06")) == ValueChanged(signal=signal(10, "0.06"))
    assert a_value().change(signal(10)) is None
    assert a_value().change(signal(9, "0.06")) is None


def test_the_best_value_outlives_worse_ones() -> None:
    changes = (ValueChanged(signal=signal(11, "0.08")), ValueChanged(signal=signal(12, "0.02")))
    ended = a_value(*changes).end("price_moved", 13)
    assert ended == ValueClosed(
        reason="price_moved", best_expected_value=Decimal("0.08"), sequence=13
    )
    assert a_value(*changes).end("price_moved", 11) is None


def test_once_closed_nothing_happens_to_it() -> None:
    state = a_value(CLOSED)
    assert (state.is_open, state.version, state.sequence) == (False, 2, 12)
    assert state.change(signal(13)) is None
    assert state.end("expired", 13) is None


def test_it_is_detected_once() -> None:
    with pytest.raises(ValueError, match="once"):
        a_value().evolve(ValueDetected(signal=signal(11)))


def test_names_are_those_of_one_price_and_one_opening() -> None:
    names = {
        signal_id(MARKET, "x", "back", "pinnacle", 5),
        signal_id(MARKET, "x", "back", "pinnacle", 5, times=2),
        signal_id(MARKET, "x", "back", "pinnacle", 6),
        signal_id(MARKET, "x", "lay", "pinnacle", 5),
        signal_id(MARKET, "x:5", "back", "pinnacle", 5),
        signal_id(MARKET, "x", "back", "betfair", 5),
    }
    assert len(names) == 6
    assert signal_id(MARKET, "x", "back", "pinnacle", 5) in names
