"""What the log holds stays readable: one golden file for every topic and version."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.postgres.codec import decode_event
from domain.events import ALL_EVENTS, EVENT_OF_TOPIC
from domain.events.event import Event
from domain.upcasts import ALIASES
from tests.builders import ACCOUNT
from tests.domain.write_golden import (
    ACTOR,
    AT,
    COMMAND,
    EXAMPLES,
    FOLDER,
    TRACE,
    encoded,
    golden_path,
    shape,
    write_missing,
)

FILES = sorted(FOLDER.glob("*.json"))
HOW = "raise its `version`, write an upcast in domain/upcasts.py, run `python -m tests.domain.write_golden`"


def content(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def still_covers(now: Any, then: Any) -> bool:
    """Tell whether a shape is unchanged; a choice may have grown, for that changes no byte of what is there."""
    if isinstance(now, dict) and isinstance(then, dict):
        return list(now) == list(then) and all(still_covers(now[k], then[k]) for k in then)
    if isinstance(now, list) and isinstance(then, list) and all(isinstance(x, str) for x in then):
        return set(now) >= set(then)
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(still_covers, now, then))
    return bool(now == then)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_golden_event_decodes_whatever_its_version(path: Path) -> None:
    file = content(path)
    assert path.name == f"{file['topic']}.v{file['version']}.json"
    recorded = decode_event(7, ACCOUNT, 3, file["topic"], bytes.fromhex(file["hex"]))
    topic = ALIASES.get(file["topic"], file["topic"])
    assert type(recorded.event) is EVENT_OF_TOPIC[topic]
    assert (recorded.position, recorded.stream_id, recorded.version) == (7, ACCOUNT, 3)
    assert (recorded.at, recorded.actor, recorded.command_id, recorded.trace) == (
        AT,
        ACTOR,
        COMMAND,
        TRACE,
    )


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.topic)
def test_the_current_version_has_a_golden_file_and_still_its_shape(kind: type[Event]) -> None:
    path = golden_path(kind)
    if not path.exists():
        pytest.fail(f"{path.name} is missing: run `python -m tests.domain.write_golden`, commit it")
    file = content(path)
    if not still_covers(shape(kind), file["shape"]):
        pytest.fail(f"the shape of {kind.__name__} is no longer that of {path.name}: {HOW}")
    if encoded(EXAMPLES[kind]).hex() != file["hex"]:
        pytest.fail(f"the bytes of {kind.__name__} are no longer those of {path.name}: {HOW}")
    state = bytes.fromhex(file["hex"])
    assert decode_event(1, ACCOUNT, 1, kind.topic, state).event == EXAMPLES[kind]


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.topic)
def test_every_version_up_to_the_current_one_has_a_golden_file(kind: type[Event]) -> None:
    versions = {content(p)["version"] for p in FILES if content(p)["topic"] == kind.topic}
    assert versions >= set(range(min(versions, default=1), kind.version + 1))


def test_the_example_of_an_event_fills_every_field() -> None:
    for kind, example in EXAMPLES.items():
        empty = [name for name in kind.__struct_fields__ if getattr(example, name) is None]
        assert not empty, f"{kind.__name__}: {empty}"
    assert set(EXAMPLES) == set(ALL_EVENTS)


def test_the_writer_of_golden_files_leaves_those_that_exist_alone() -> None:
    before = {path: path.read_bytes() for path in FILES}
    assert list(write_missing()) == []
    assert {path: path.read_bytes() for path in FILES} == before
