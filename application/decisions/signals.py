"""Decisions about signals: what the handlers have found in prices becomes the life of an arbitrage or of a value.

A handler may send anything again after a crash: what is known already, or older, is passed over.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from application import answers
from application.answers import Answer
from application.decisions.context import Context
from domain.commands.arbitrage import ArbitrageChange, RecordArbitrages
from domain.commands.value import RecordValueSignals, ValueChange
from domain.events.arbitrage import ArbitrageChanged, ArbitrageClosed, ArbitrageDetected
from domain.events.event import Event
from domain.events.value import ValueChanged, ValueClosed, ValueDetected
from domain.opportunity import Arbitrage, ArbitrageEvent
from domain.streams import State
from domain.value_signal import Value, ValueEvent

Change = TypeVar("Change", ArbitrageChange, ValueChange)


def record_arbitrages(command: RecordArbitrages, ctx: Context) -> Answer:
    """Keep what became of opportunities, in order."""
    said = _record(command.changes, lambda change: change.opportunity_id, _of_arbitrage, ctx)
    counts = (said[ArbitrageDetected], said[ArbitrageChanged], said[ArbitrageClosed])
    return answers.ArbitragesRecorded(*counts, ctx.book.position)


def record_value_signals(command: RecordValueSignals, ctx: Context) -> Answer:
    """Keep what became of value signals, in order."""
    said = _record(command.changes, lambda change: change.signal_id, _of_value, ctx)
    counts = (said[ValueDetected], said[ValueChanged], said[ValueClosed])
    return answers.ValueSignalsRecorded(*counts, ctx.book.position)


def _record(
    changes: Sequence[Change],
    name: Callable[[Change], UUID],
    decide: Callable[[Change, State | None], Event | None],
    ctx: Context,
) -> Counter[type[Event]]:
    book, said = ctx.book, Counter[type[Event]]()
    for change in changes:
        stream_id = name(change)
        if change.opens and not book.knows(stream_id):
            # Taken for new. Should it be there, the log refuses the batch, and it is decided again with what is there.
            book.put_loaded({stream_id}, {})
        event = decide(change, book.get(stream_id))
        if event is not None:
            book.record(stream_id, event)
            said[type(event)] += 1
    return said


def _of_arbitrage(change: ArbitrageChange, state: State | None) -> ArbitrageEvent | None:
    shape = change.opportunity
    if state is None:
        return ArbitrageDetected(opportunity=shape) if shape is not None else None
    if not isinstance(state, Arbitrage):
        return None
    if shape is not None:
        return state.change(shape)
    return state.end(change.ended, change.sequence) if change.ended is not None else None


def _of_value(change: ValueChange, state: State | None) -> ValueEvent | None:
    shape = change.signal
    if state is None:
        return ValueDetected(signal=shape) if shape is not None else None
    if not isinstance(state, Value):
        return None
    if shape is not None:
        return state.change(shape)
    return state.end(change.ended, change.sequence) if change.ended is not None else None
