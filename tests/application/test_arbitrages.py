"""Opportunities on their way into the ledger: each fact once, however often it is told."""

import asyncio

import pytest
from msgspec.structs import replace

from domain.actors import PRICE_HANDLER
from domain.commands.arbitrage import ArbitrageChange, RecordArbitrages
from domain.events.arbitrage import (
    ArbitrageChanged,
    ArbitrageClosed,
    ArbitrageDetected,
    ArbitrageEnd,
)
from domain.ids import derived_id
from tests.application.desk import Desk, a_desk, read_log
from tests.builders import opportunity

pytestmark = pytest.mark.anyio

OPENS = 10
ONE, TWO = derived_id("arbitrage:one"), derived_id("arbitrage:two")


def seen(sequence: int, margin: str = "0.01", of: str = "one") -> ArbitrageChange:
    shape = opportunity(sequence, margin)
    name = ONE if of == "one" else TWO
    return ArbitrageChange(name, sequence, opportunity=shape, opens=sequence == OPENS)


def gone(sequence: int, reason: ArbitrageEnd = "price_moved") -> ArbitrageChange:
    return ArbitrageChange(ONE, sequence, ended=reason)


async def record(desk: Desk, *changes: ArbitrageChange) -> tuple[int, int, int]:
    done = await desk.ask(RecordArbitrages(changes=changes), PRICE_HANDLER)
    return done["detected"], done["changed"], done["closed"]


STORY = (seen(10), seen(10, of="two"), seen(11, "0.02"), gone(12))


async def test_an_opportunity_opens_changes_and_closes(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        assert await record(desk, *STORY) == (2, 1, 1)
    log = read_log(database_url)
    assert [type(event) for event in log.stream(ONE)] == [
        ArbitrageDetected,
        ArbitrageChanged,
        ArbitrageClosed,
    ]
    assert [type(event) for event in log.stream(TWO)] == [ArbitrageDetected]
    assert {recorded.actor for recorded in log.events} == {"fairbook-prices"}


async def test_what_is_told_again_is_recorded_once(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        for change in STORY:
            await record(desk, change)
            assert await record(desk, change) == (0, 0, 0)
        assert await record(desk, *STORY) == (0, 0, 0)
    async with a_desk(database_url) as after_a_restart:
        assert await record(after_a_restart, *STORY) == (0, 0, 0)
    assert len(read_log(database_url).events) == len(STORY)


async def test_a_handler_that_starts_over_in_the_middle_adds_only_what_is_new(
    database_url: str,
) -> None:
    async with a_desk(database_url) as desk:
        await record(desk, *STORY[:2])
    async with a_desk(database_url) as desk:
        assert await record(desk, *STORY) == (0, 1, 1)


async def test_the_end_of_an_opportunity_that_nobody_saw_is_no_fact(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        assert await record(desk, gone(10), ArbitrageChange(TWO, 10)) == (0, 0, 0)
    assert read_log(database_url).events == []


async def test_what_the_sender_does_not_know_to_be_there_is_recorded_all_the_same(
    database_url: str,
) -> None:
    async with a_desk(database_url) as desk:
        again = replace(seen(11), opens=True)
        assert await record(desk, replace(seen(10), opens=False), again) == (1, 1, 0)
        assert await record(desk, again, replace(seen(12, "0.02"), opens=True)) == (0, 1, 0)


@pytest.mark.parametrize("opens", [False, True])
async def test_an_id_of_another_kind_of_stream_is_left_alone(
    database_url: str,
    opens: bool,
) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
    change = ArbitrageChange(account_id, 1, opportunity=opportunity(1), opens=opens)
    async with a_desk(database_url) as after_a_restart:
        assert await record(after_a_restart, change) == (0, 0, 0)


async def test_two_handlers_at_once_record_each_fact_once(database_url: str) -> None:
    async with a_desk(database_url) as one, a_desk(database_url) as other:
        counts = await asyncio.gather(*(record(desk, *STORY) for desk in (one, other, one, other)))
    assert tuple(map(sum, zip(*counts, strict=True))) == (2, 1, 1)
    assert len(read_log(database_url).events) == len(STORY)
