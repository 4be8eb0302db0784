"""What fairbook's own price handler asks, never over HTTP: to keep what became of arbitrages."""

from uuid import UUID

from msgspec import Struct

from domain.commands.command import Command
from domain.events.arbitrage import ArbitrageEnd, Opportunity


class ArbitrageChange(Struct, frozen=True, gc=False):
    """What became of one opportunity: it has this shape now, or (`opportunity` None) it ended for a reason.

    `opens` says that it was not there before, as far as the sender knows: the log need not be asked for it first.
    """

    opportunity_id: UUID
    sequence: int
    opportunity: Opportunity | None = None
    ended: ArbitrageEnd | None = None
    opens: bool = False


class RecordArbitrages(Command, frozen=True, kw_only=True):
    """Keep what became of opportunities, in order; what is known already is passed over."""

    changes: tuple[ArbitrageChange, ...]
