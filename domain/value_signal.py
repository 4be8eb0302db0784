"""A value signal: a price beats what a model says, changes and goes; a stream of its own, so that its life can be studied."""

from typing import Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events.bet import Side
from domain.events.value import ValueChanged, ValueClosed, ValueDetected, ValueEnd, ValueSignal
from domain.ids import derived_id

ValueEvent = ValueDetected | ValueChanged | ValueClosed


class Value(Struct, frozen=True):
    """State of a value signal: its latest shape, the best one, and whether it still holds."""

    signal_id: UUID
    version: int
    latest: ValueSignal
    best: ValueSignal
    sequence: int
    is_open: bool = True

    def change(self, signal: ValueSignal) -> ValueChanged | None:
        """Note its new shape; None when it is closed for good, has been further already, or has this shape.

        It may change where it was last seen: another prediction is no message of the price stream.
        """
        if not self.is_open or signal.sequence < self.sequence or signal == self.latest:
            return None
        return ValueChanged(signal=signal)

    def end(self, reason: ValueEnd, sequence: int) -> ValueClosed | None:
        """Note that it is gone; None when that is known, or it was seen alive later in the price stream.

        It may end where it was last seen: time passes without a message.
        """
        if not self.is_open or sequence < self.sequence:
            return None
        return ValueClosed(
            reason=reason, best_expected_value=self.best.expected_value, sequence=sequence
        )

    @classmethod
    def start(cls, signal_id: UUID, event: ValueDetected) -> Self:
        """Begin the state with the stream's first event."""
        shape = event.signal
        return cls(signal_id, 1, latest=shape, best=shape, sequence=shape.sequence)

    def evolve(self, event: ValueEvent) -> "Value":
        """Give the state after `event`; decides nothing."""
        version = self.version + 1
        match event:
            case ValueChanged(signal=shape):
                best = shape if shape.expected_value > self.best.expected_value else self.best
                return replace(
                    self, version=version, latest=shape, best=best, sequence=shape.sequence
                )
            case ValueClosed():
                return replace(self, version=version, sequence=event.sequence, is_open=False)
            case ValueDetected():
                raise ValueError("a value signal is detected once")
            case _:
                assert_never(event)


def signal_id(
    market_id: UUID, selection_id: str, side: Side, bookmaker: str, sequence: int, times: int = 1
) -> UUID:
    """Name a signal after its price and the message at which it opened, for the `times`th time at that one."""
    return derived_id(f"value:{market_id}:{side}:{sequence}:{times}:{bookmaker}:{selection_id}")
