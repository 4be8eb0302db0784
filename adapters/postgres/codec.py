"""Events to bytes and back: MessagePack, with an envelope that says shape, when, who and by which command.

An envelope is the array [shape version, time, actor, command id, traceparent or nil, data], where data is a map by
field name: readable for ever without this program. Ids are 16 bytes, odds are decimal strings.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from eventsourcing.persistence import Mapper, StoredEvent

from domain.events import EVENT_OF_TOPIC
from domain.events.event import Event, Recorded
from domain.upcasts import ALIASES, upcast

Envelope = tuple[int, datetime, str, UUID, str | None, Any]

_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode_any = msgspec.msgpack.Decoder(Envelope).decode
_decode: Final = {
    topic: msgspec.msgpack.Decoder(
        tuple[int, datetime, str, UUID, str | None, event]  # type: ignore[valid-type]
    ).decode
    for topic, event in EVENT_OF_TOPIC.items()
}
_current: Final = {topic: event.version for topic, event in EVENT_OF_TOPIC.items()}
_VERSION_BYTE = 1
"""An array header of one byte comes first, so the shape's version (below 128) is the second byte."""


class UnknownTopic(Exception):  # noqa: N818  what the log holds, not a fault of the reader
    """The log holds a topic that this program does not know: it was written by a newer one."""


def encode_event(
    event: Event, at: datetime, actor: str, command_id: UUID, trace: str | None
) -> bytes:
    """Encode an event with its envelope."""
    return _encode((event.version, at, actor, command_id, trace, event))


def decode_event(
    position: int, stream_id: UUID, version: int, topic: str, state: bytes
) -> Recorded:
    """Decode what the log holds, bringing old shapes to today's; raises UnknownTopic."""
    topic = ALIASES.get(topic, topic)
    decode = _decode.get(topic)
    if decode is None:
        raise UnknownTopic(f"{topic} at position {position}")
    shape = state[_VERSION_BYTE]
    if shape == _current[topic]:
        _, at, actor, command_id, trace, event = decode(state)
    elif shape > _current[topic]:
        raise UnknownTopic(f"{topic} version {shape} at position {position}")
    else:
        _, at, actor, command_id, trace, data = _decode_any(state)
        data = upcast(topic, shape, _current[topic], data)
        event = msgspec.convert(data, EVENT_OF_TOPIC[topic])
    return Recorded(position, stream_id, version, at, actor, command_id, trace, event)


class EventMapper(Mapper[UUID]):
    """The library's mapper over this codec: domain events here are `Recorded`."""

    encode = staticmethod(encode_event)

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Give the stored form of a `Recorded`; its position is the log's to say."""
        recorded: Recorded = domain_event
        return StoredEvent(
            originator_id=recorded.stream_id,
            originator_version=recorded.version,
            topic=recorded.event.topic,
            state=encode_event(
                recorded.event, recorded.at, recorded.actor, recorded.command_id, recorded.trace
            ),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """Give the `Recorded` of a stored event or notification."""
        assert isinstance(stored_event.originator_id, UUID)
        return decode_event(
            getattr(stored_event, "id", 0),
            stored_event.originator_id,
            stored_event.originator_version,
            stored_event.topic,
            stored_event.state,
        )
