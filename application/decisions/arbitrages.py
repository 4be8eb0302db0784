"""Decisions about arbitrages: what the price handler has found becomes the life of an opportunity."""

from application import answers
from application.answers import Answer
from application.decisions.context import Context
from domain.commands import RecordArbitrages
from domain.events import ArbitrageChanged, ArbitrageClosed, ArbitrageDetected
from domain.opportunity import Arbitrage, ArbitrageEvent


def record_arbitrages(command: RecordArbitrages, ctx: Context) -> Answer:
    """Keep what became of opportunities, in order; what is known already, or older, is passed over.

    So the handler may send anything again after a crash: it takes effect once.
    """
    counts: dict[type[ArbitrageEvent], int] = {}
    for change in command.changes:
        if change.opens and not ctx.book.knows(change.opportunity_id):
            # Taken for new. Should it be there, the log refuses the batch, and it is decided again with what is there.
            ctx.book.put_loaded({change.opportunity_id}, {})
        state = ctx.book.get(change.opportunity_id)
        event: ArbitrageEvent | None = None
        if isinstance(state, Arbitrage):
            if change.opportunity is not None:
                event = state.change(change.opportunity)
            elif change.ended is not None:
                event = state.end(change.ended, change.sequence)
        elif state is None and change.opportunity is not None:
            event = ArbitrageDetected(opportunity=change.opportunity)
        if event is not None:
            ctx.book.record(change.opportunity_id, event)
            counts[type(event)] = counts.get(type(event), 0) + 1
    return answers.ArbitragesRecorded(
        counts.get(ArbitrageDetected, 0),
        counts.get(ArbitrageChanged, 0),
        counts.get(ArbitrageClosed, 0),
        ctx.book.position,
    )
