"""Value signals on their way out: what is told when one opens, changes or ends."""

from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from application.answers import to_json
from domain.commands.value import ValueChange
from domain.events.event import Recorded
from domain.events.value import ValueChanged, ValueClosed, ValueDetected, ValueEnd, ValueSignal


class ValueMessage(Struct, frozen=True, omit_defaults=True):
    """What subscribers of `signals.value.>` read; `position` is the event's in the ledger."""

    signal_id: UUID
    status: Literal["open", "closed"]
    position: int
    signal: ValueSignal | UnsetType = UNSET
    ended: ValueEnd | UnsetType = UNSET


def value_message(change: ValueChange, position: int) -> bytes:
    """Give the signal as JSON, odds and shares as exact numbers."""
    shape = change.signal
    return to_json(
        ValueMessage(
            change.signal_id,
            "open" if shape is not None else "closed",
            position,
            shape if shape is not None else UNSET,
            change.ended if change.ended is not None else UNSET,
        )
    )


def value_change_of(recorded: Recorded) -> ValueChange | None:
    """Give what an event of the ledger says of a value signal; None when it is about something else."""
    match recorded.event:
        case ValueDetected(signal=shape) | ValueChanged(signal=shape):
            return ValueChange(recorded.stream_id, shape.sequence, signal=shape)
        case ValueClosed(reason=reason, sequence=sequence):
            return ValueChange(recorded.stream_id, sequence, ended=reason)
        case _:
            return None
