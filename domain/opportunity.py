"""An arbitrage opportunity: it opens, changes and closes, and is a stream of its own so that its life can be studied."""

from typing import Self
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events.arbitrage import (
    ArbitrageChanged,
    ArbitrageClosed,
    ArbitrageDetected,
    ArbitrageEnd,
    Opportunity,
)

ArbitrageEvent = ArbitrageDetected | ArbitrageChanged | ArbitrageClosed


class Arbitrage(Struct, frozen=True):
    """State of an opportunity: its latest shape, the best one, and whether it still exists."""

    opportunity_id: UUID
    version: int
    latest: Opportunity
    best: Opportunity
    sequence: int
    is_open: bool = True

    def change(self, opportunity: Opportunity) -> ArbitrageChanged | None:
        """Note its new shape; None when it is closed for good, has been further already, or has this shape.

        It may change where it was last seen: a price can expire without a message.
        """
        if not self.is_open or opportunity.sequence < self.sequence or opportunity == self.latest:
            return None
        return ArbitrageChanged(opportunity=opportunity)

    def end(self, reason: ArbitrageEnd, sequence: int) -> ArbitrageClosed | None:
        """Note that it is gone; None when that is known, or it was seen alive later in the price stream.

        It may end where it was last seen: time passes without a message.
        """
        if not self.is_open or sequence < self.sequence:
            return None
        return ArbitrageClosed(reason=reason, best_margin=self.best.margin, sequence=sequence)

    @classmethod
    def start(cls, opportunity_id: UUID, event: ArbitrageDetected) -> Self:
        """Begin the state with the stream's first event."""
        shape = event.opportunity
        return cls(opportunity_id, 1, latest=shape, best=shape, sequence=shape.sequence)

    def evolve(self, event: ArbitrageEvent) -> "Arbitrage":
        """Give the state after `event`; decides nothing."""
        version = self.version + 1
        match event:
            case ArbitrageChanged(opportunity=shape):
                best = shape if shape.margin > self.best.margin else self.best
                return replace(
                    self, version=version, latest=shape, best=best, sequence=shape.sequence
                )
            case ArbitrageClosed():
                return replace(self, version=version, sequence=event.sequence, is_open=False)
            case ArbitrageDetected():
                raise ValueError("an opportunity is detected once")
