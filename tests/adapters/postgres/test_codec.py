"""Events to bytes and back."""

from datetime import timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest
from eventsourcing.persistence import JSONTranscoder, Notification, StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres import codec
from adapters.postgres.codec import EventMapper, UnknownTopic, decode_event, encode_event
from domain.events import ALL_EVENTS
from domain.events.event import Event, Recorded
from domain.events.market import MarketClosed, MarketSuspended
from domain.upcasts import ALIASES, UPCASTS, Data
from tests.builders import ACCOUNT, MARKET, NOW, an_id
from tests.domain.write_golden import EXAMPLES

COMMAND = an_id("command")


def roundtrip(event: Event, topic: str | None = None) -> Recorded:
    state = encode_event(event, NOW, "alice", COMMAND, None)
    return decode_event(1, MARKET, 2, topic or event.topic, state)


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.topic)
def test_an_event_comes_back_as_it_went(kind: type[Event]) -> None:
    assert roundtrip(EXAMPLES[kind]) == Recorded(
        1, MARKET, 2, NOW, "alice", COMMAND, None, EXAMPLES[kind]
    )


@given(
    actor=st.text(st.characters(exclude_categories=["Cs"])),
    at=st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30)))),
    command_id=st.uuids(),
    trace=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    reason=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
)
def test_the_envelope_comes_back_whatever_is_in_it(
    actor: str, at: Any, command_id: UUID, trace: str | None, reason: str | None
) -> None:
    event = MarketSuspended(reason=reason)
    state = encode_event(event, at, actor, command_id, trace)
    back = decode_event(5, MARKET, 9, event.topic, state)
    assert back == Recorded(5, MARKET, 9, at, actor, command_id, trace, event)
    assert back.at.utcoffset() == timedelta(0)


def test_the_bytes_are_readable_without_this_program() -> None:
    state = encode_event(MarketSuspended(reason="injury"), NOW, "alice", COMMAND, "trace")
    assert msgspec.msgpack.decode(state) == [
        1, NOW, "alice", COMMAND.bytes, "trace", {"reason": "injury"}
    ]  # fmt: skip


# ---- topics and versions that are not today's


def test_an_unknown_topic_is_named_with_its_position() -> None:
    state = encode_event(MarketClosed(), NOW, "alice", COMMAND, None)
    with pytest.raises(UnknownTopic, match=r"market\.exploded at position 42"):
        decode_event(42, MARKET, 1, "market.exploded", state)


def test_a_renamed_topic_is_read_under_its_new_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALIASES, "market.paused", "market.suspended")
    assert roundtrip(MarketSuspended(reason="x"), "market.paused").event == MarketSuspended(
        reason="x"
    )


def raise_version(monkeypatch: pytest.MonkeyPatch, topic: str, version: int) -> None:
    monkeypatch.setitem(codec._current, topic, version)


def test_an_old_shape_is_brought_to_todays_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_1(data: Data) -> Data:
        return {"cause": data["why"]}

    def from_2(data: Data) -> Data:
        return {"reason": data["cause"].upper()}

    raise_version(monkeypatch, "market.suspended", 3)
    monkeypatch.setitem(UPCASTS, ("market.suspended", 1), from_1)
    monkeypatch.setitem(UPCASTS, ("market.suspended", 2), from_2)
    state = msgspec.msgpack.encode((1, NOW, "alice", COMMAND.bytes, None, {"why": "injury"}))
    back = decode_event(1, MARKET, 1, "market.suspended", state)
    assert back.event == MarketSuspended(reason="INJURY")


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.topic)
def test_an_upcast_may_leave_every_kind_of_value_alone(
    kind: type[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_version(monkeypatch, kind.topic, kind.version + 1)
    monkeypatch.setitem(UPCASTS, (kind.topic, kind.version), dict)
    assert roundtrip(EXAMPLES[kind]).event == EXAMPLES[kind]


def test_a_step_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    raise_version(monkeypatch, "market.closed", 3)
    with pytest.raises(LookupError, match=r"market\.closed version 1 has no upcast to version 2"):
        roundtrip(MarketClosed())


def test_a_shape_newer_than_this_program_is_not_guessed_at() -> None:
    state = msgspec.msgpack.encode((2, NOW, "alice", COMMAND.bytes, None, {"reason": "?"}))
    with pytest.raises(UnknownTopic, match=r"market\.suspended version 2 at position 42"):
        decode_event(42, MARKET, 1, "market.suspended", state)


def test_every_version_fits_the_byte_in_which_it_is_looked_up() -> None:
    assert all(1 <= kind.version < 128 for kind in ALL_EVENTS)


# ---- the library's mapper


def test_the_mapper_speaks_the_librarys_stored_events() -> None:
    mapper = EventMapper(JSONTranscoder())
    recorded = Recorded(0, ACCOUNT, 3, NOW, "alice", COMMAND, None, MarketClosed())
    stored = mapper.to_stored_event(recorded)
    assert (stored.originator_id, stored.originator_version, stored.topic) == (
        ACCOUNT,
        3,
        "market.closed",
    )
    assert mapper.to_domain_event(stored) == recorded


def test_the_mapper_gives_a_notifications_position() -> None:
    state = encode_event(MarketClosed(), NOW, "alice", COMMAND, None)
    notification = Notification(MARKET, 3, "market.closed", state, id=17)
    stored = StoredEvent(MARKET, 3, "market.closed", state)
    mapper = EventMapper(JSONTranscoder())
    assert mapper.to_domain_event(notification).position == 17
    assert mapper.to_domain_event(stored).position == 0
