"""Bells: every batch rings one, changed results of markets ring another and say where."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from msgspec.structs import replace

from adapters.postgres.bell import RESULTS, LedgerBell
from domain.commands.command import Command
from domain.commands.market import (
    AbandonMarket,
    CloseMarket,
    DeclareResult,
    ReinstateRunner,
    RollBackResult,
    ScoreBody,
    SuspendMarket,
    VoidMarket,
    WithdrawRunner,
)
from domain.events import ALL_EVENTS
from domain.events.market import RESULT_EVENTS, MarketType
from tests.application.desk import Desk, a_desk
from tests.builders import OPERATOR, open_market

pytestmark = pytest.mark.anyio

SILENCE = 0.3
PATIENCE = 30.0
REINSTATE = ReinstateRunner(selection_id="home", reason="another horse")


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with a_desk(database_url) as made:
        yield made


async def test_bets_and_what_changes_no_result_ring_the_bell_of_events_alone(
    database_url: str, desk: Desk
) -> None:
    async with LedgerBell(database_url) as events, LedgerBell(database_url, RESULTS) as results:
        account_id, market_id = await desk.account(1_000), await desk.market()
        await desk.bet(account_id, market_id, 100)
        await desk.ask(SuspendMarket(), OPERATOR, target=market_id)
        await desk.ask(CloseMarket(), OPERATOR, target=market_id)
        assert await events.wait(PATIENCE) == ""
        assert await results.wait(SILENCE) == ""


@pytest.mark.parametrize(
    ("kind", "commands"),
    [
        ("1X2", [DeclareResult(score=ScoreBody(home=1, away=0)), RollBackResult()]),
        ("1X2", [VoidMarket(reason="fog")]),
        ("1X2", [AbandonMarket(reason="fog")]),
        ("WIN", [WithdrawRunner(selection_id="home"), REINSTATE]),
    ],
)
async def test_each_change_of_a_result_rings_with_its_position(
    database_url: str, desk: Desk, kind: MarketType, commands: list[Command]
) -> None:
    opened = await desk.ask(replace(open_market(), type=kind), OPERATOR)
    market_id = UUID(opened["market_id"])
    async with LedgerBell(database_url, RESULTS) as results:
        for command in commands:
            answer = await desk.ask(command, OPERATOR, target=market_id)
            assert await results.wait(PATIENCE) == str(answer["position"])


async def test_one_look_serves_all_that_rang_and_goes_as_far_as_the_last(
    database_url: str, desk: Desk
) -> None:
    async with LedgerBell(database_url, RESULTS) as results:
        answers = [await desk.score(await desk.market(), 1, 0) for _ in range(3)]
        said = await results.wait(PATIENCE)
        while said != str(answers[-1]["position"]):  # a ring may be on its way still
            said = await results.wait(PATIENCE)
        assert await results.wait(SILENCE) == ""


def test_what_begins_a_generation_of_a_market_is_what_rings() -> None:
    begin = [
        event
        for event in ALL_EVENTS
        if event.topic.startswith("market.") and "generation" in event.__struct_fields__
    ]
    assert set(begin) == set(RESULT_EVENTS)
