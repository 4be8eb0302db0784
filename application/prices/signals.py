"""Signals of arbitrages: what goes out when an opportunity opens, changes or ends."""

from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from application.answers import to_json
from domain.commands.arbitrage import ArbitrageChange
from domain.events.arbitrage import (
    ArbitrageChanged,
    ArbitrageClosed,
    ArbitrageDetected,
    ArbitrageEnd,
    Opportunity,
)
from domain.events.event import Recorded

Became = Literal["open", "closed"]


class ArbitrageSignal(Struct, frozen=True, omit_defaults=True):
    """What subscribers of `signals.arbitrage.>` read; `position` is the event's in the ledger."""

    opportunity_id: UUID
    status: Became
    position: int
    opportunity: Opportunity | UnsetType = UNSET
    ended: ArbitrageEnd | UnsetType = UNSET


def arbitrage_signal(change: ArbitrageChange, position: int) -> bytes:
    """Give the signal as JSON, money and odds as exact numbers."""
    shape = change.opportunity
    return to_json(
        ArbitrageSignal(
            change.opportunity_id,
            "open" if shape is not None else "closed",
            position,
            shape if shape is not None else UNSET,
            change.ended if change.ended is not None else UNSET,
        )
    )


def change_of(recorded: Recorded) -> ArbitrageChange | None:
    """Give what an event of the ledger says of an opportunity; None when it is about something else."""
    match recorded.event:
        case ArbitrageDetected(opportunity=shape) | ArbitrageChanged(opportunity=shape):
            return ArbitrageChange(recorded.stream_id, shape.sequence, opportunity=shape)
        case ArbitrageClosed(reason=reason, sequence=sequence):
            return ArbitrageChange(recorded.stream_id, sequence, ended=reason)
        case _:
            return None
