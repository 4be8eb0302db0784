"""Value signals on their way into the ledger: each fact once, however often it is told."""

import asyncio

import pytest
from msgspec.structs import replace

from domain.actors import VALUE_HANDLER
from domain.commands.value import RecordValueSignals, ValueChange
from domain.events.value import ValueChanged, ValueClosed, ValueDetected
from domain.value_signal import signal_id
from tests.application.desk import Desk, a_desk, read_log
from tests.builders import MARKET
from tests.predicting import signal

pytestmark = pytest.mark.anyio

OPENS = 10
ONE, TWO = (signal_id(MARKET, each, "back", "pinnacle", OPENS) for each in ("home", "away"))


def seen(sequence: int, value: str = "0.05", of: str = "one") -> ValueChange:
    name = ONE if of == "one" else TWO
    return ValueChange(name, sequence, signal=signal(sequence, value), opens=sequence == OPENS)


STORY = (
    seen(10),
    seen(10, of="two"),
    seen(11, "0.06"),
    ValueChange(ONE, 12, ended="prediction_changed"),
)


async def record(desk: Desk, *changes: ValueChange) -> tuple[int, int, int]:
    done = await desk.ask(RecordValueSignals(changes=changes), VALUE_HANDLER)
    return done["detected"], done["changed"], done["closed"]


async def test_what_is_told_again_is_recorded_once(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        assert await record(desk, *STORY) == (2, 1, 1)
        assert await record(desk, *STORY) == (0, 0, 0)
    async with a_desk(database_url) as after_a_restart:
        assert await record(after_a_restart, *STORY) == (0, 0, 0)
    log = read_log(database_url)
    assert [type(event) for event in log.stream(ONE)] == [ValueDetected, ValueChanged, ValueClosed]
    assert [type(event) for event in log.stream(TWO)] == [ValueDetected]
    assert {recorded.actor for recorded in log.events} == {"fairbook-value"}


async def test_a_handler_that_starts_over_in_the_middle_adds_only_what_is_new(
    database_url: str,
) -> None:
    async with a_desk(database_url) as desk:
        await record(desk, *STORY[:2])
    async with a_desk(database_url) as desk:
        assert await record(desk, *STORY) == (0, 1, 1)


async def test_the_end_of_a_signal_that_nobody_saw_is_no_fact(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        assert await record(desk, STORY[-1], ValueChange(TWO, 10)) == (0, 0, 0)
    assert read_log(database_url).events == []


async def test_an_id_of_another_kind_of_stream_is_left_alone(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
    async with a_desk(database_url) as after_a_restart:
        change = replace(seen(10), signal_id=account_id)
        assert await record(after_a_restart, change) == (0, 0, 0)


async def test_two_handlers_at_once_record_each_fact_once(database_url: str) -> None:
    async with a_desk(database_url) as one, a_desk(database_url) as other:
        counts = await asyncio.gather(*(record(desk, *STORY) for desk in (one, other, one, other)))
    assert tuple(map(sum, zip(*counts, strict=True))) == (2, 1, 1)
