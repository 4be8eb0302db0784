"""An event as everyone outside the ledger reads it: one line of JSON, in the audit feed as on NATS."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.answers import to_json
from domain.events.event import Recorded


class AuditedEvent(Struct, frozen=True):
    """One line of the audit feed."""

    position: int
    stream: UUID
    version: int
    topic: str
    actor: str
    command: UUID
    time: datetime
    data: Any


def fact_line(recorded: Recorded, *, with_data: bool = True) -> bytes:
    """Give an event as JSON, without a line break; `data` is null when it is left out."""
    return to_json(
        AuditedEvent(
            position=recorded.position,
            stream=recorded.stream_id,
            version=recorded.version,
            topic=recorded.event.topic,
            actor=recorded.actor,
            command=recorded.command_id,
            time=recorded.at,
            data=recorded.event if with_data else None,
        )
    )
