"""What fairbook's own value handler asks, never over HTTP: to keep what became of value signals."""

from uuid import UUID

from msgspec import Struct

from domain.commands.command import Command
from domain.events.value import ValueEnd, ValueSignal


class ValueChange(Struct, frozen=True, gc=False):
    """What became of one value signal: it has this shape now, or (`signal` None) it ended for a reason.

    `opens` says that it was not there before, as far as the sender knows: the log need not be asked for it first.
    """

    signal_id: UUID
    sequence: int
    signal: ValueSignal | None = None
    ended: ValueEnd | None = None
    opens: bool = False


class RecordValueSignals(Command, frozen=True, kw_only=True):
    """Keep what became of value signals, in order; what is known already is passed over."""

    changes: tuple[ValueChange, ...]
