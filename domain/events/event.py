"""What every fact is, and how the log holds one."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """Base of every fact; the shape's `topic` and `version` are class constants."""

    topic: ClassVar[str]
    version: ClassVar[int] = 1


class Recorded(Struct, frozen=True, gc=False):
    """An event as the log holds it: what, where in which stream, when, who, by which command.

    `position` is its place in the whole log (1, 2, 3 … without gaps), `version` its place in its stream, `trace` a
    W3C traceparent when the command was traced.
    """

    position: int
    stream_id: UUID
    version: int
    at: datetime
    actor: str
    command_id: UUID
    trace: str | None
    event: Event
