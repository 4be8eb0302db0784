"""Decisions about value signals: what the value handler has found becomes the life of a signal."""

from application import answers
from application.answers import Answer
from application.decisions.context import Context
from domain.commands import RecordValueSignals
from domain.events import ValueChanged, ValueClosed, ValueDetected
from domain.value_signal import Value, ValueEvent


def record_value_signals(command: RecordValueSignals, ctx: Context) -> Answer:
    """Keep what became of signals, in order; what is known already, or older, is passed over.

    So the handler may send anything again after a crash: it takes effect once.
    """
    counts: dict[type[ValueEvent], int] = {}
    for change in command.changes:
        if change.opens and not ctx.book.knows(change.signal_id):
            # Taken for new. Should it be there, the log refuses the batch, and it is decided again with what is there.
            ctx.book.put_loaded({change.signal_id}, {})
        state = ctx.book.get(change.signal_id)
        event: ValueEvent | None = None
        if isinstance(state, Value):
            if change.signal is not None:
                event = state.change(change.signal)
            elif change.ended is not None:
                event = state.end(change.ended, change.sequence)
        elif state is None and change.signal is not None:
            event = ValueDetected(signal=change.signal)
        if event is not None:
            ctx.book.record(change.signal_id, event)
            counts[type(event)] = counts.get(type(event), 0) + 1
    return answers.ValueSignalsRecorded(
        counts.get(ValueDetected, 0),
        counts.get(ValueChanged, 0),
        counts.get(ValueClosed, 0),
        ctx.book.position,
    )
