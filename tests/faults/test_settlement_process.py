"""The settlement process against work that fails: it logs, and works on; steps that fail pass over nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest

from adapters.postgres.reader import Reader
from application import settlement_process
from application.log import LogUnavailable
from application.settlement_process import SettlementProcess
from application.settlement_steps import QUIET_SECONDS, STEP_BETS, MarketDue, Steps, Visit
from domain.commands.bet import PlaceBets
from domain.commands.market import RollBackResult
from domain.events.bet import BetSettled
from domain.events.settlement import SettlementCompleted, SettlementProgressed
from domain.refusals import MarketStateConflict
from domain.settling import Settling, settlement_id
from fairbook.settlement import SettlementWork
from tests.application.desk import Desk, Log, a_desk, read_log
from tests.builders import OPERATOR, place_bet
from tests.read_models.business import follow

pytestmark = pytest.mark.anyio


class FailingWork(SettlementWork):
    """The real work, each of whose parts fails when it is asked the first times."""

    def __init__(self, database_url: str, reader: Reader) -> None:
        super().__init__(database_url, reader)
        self.faults: list[Exception] = []

    def _fail(self) -> None:
        if self.faults:
            raise self.faults.pop()

    async def leads(self) -> bool:
        self._fail()
        return await super().leads()

    async def markets_due(self, after: int, limit: int) -> Sequence[tuple[UUID, int, int, int]]:
        self._fail()
        return await super().markets_due(after, limit)

    async def bets_on(
        self, market_id: UUID, changed_at: int, after: int, limit: int
    ) -> Sequence[Visit]:
        self._fail()
        return await super().bets_on(market_id, changed_at, after, limit)

    async def bets_seen(self, position: int, timeout_seconds: float) -> bool:
        self._fail()
        return await super().bets_seen(position, timeout_seconds)

    async def news(self, timeout_seconds: float) -> None:
        self._fail()
        await super().news(timeout_seconds)


@asynccontextmanager
async def a_reader(database_url: str) -> AsyncIterator[Reader]:
    reader = Reader(database_url)
    await reader.open()
    try:
        yield reader
    finally:
        await reader.close()


async def placed(desk: Desk, bets: int) -> UUID:
    """A market with so many bets of one unit on it, half of which will win."""
    account_id, market_id = await desk.account(bets), await desk.market()
    sides = ("home", "away")
    asked = [place_bet(account_id, market_id, 1, selection_id=sides[n % 2]) for n in range(bets)]
    for start in range(0, bets, 500):
        await desk.ask(PlaceBets(bets=asked[start : start + 500]))
    return market_id


async def test_no_fault_of_its_work_ends_the_process(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_desk(database_url) as desk, a_reader(database_url) as reader:
        market_id = await placed(desk, 10)
        await desk.score(market_id, 1, 0)
        await asyncio.to_thread(follow, database_url)
        work = FailingWork(database_url, reader)
        work.faults = [LogUnavailable("away"), RuntimeError("odd"), LookupError("odder")]
        with caplog.at_level(logging.WARNING):
            running = asyncio.create_task(SettlementProcess(desk.ledger, work).run())
            for _ in range(1_500):
                await asyncio.sleep(0.02)
                if read_log(database_url).of(SettlementCompleted):
                    break
            assert not running.done()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        await work.close()
    log = read_log(database_url)
    assert len(log.of(SettlementCompleted)) == 1
    assert len(log.of(BetSettled)) == 10
    assert "odd" in caplog.text
    assert "waits for the database" in caplog.text


class WatchedWork(SettlementWork):
    """The real work, which remembers in which order it was asked to look and to wait."""

    def __init__(self, database_url: str, reader: Reader) -> None:
        super().__init__(database_url, reader)
        self.asked: list[str] = []

    async def markets_due(self, after: int, limit: int) -> Sequence[tuple[UUID, int, int, int]]:
        found = await super().markets_due(after, limit)
        self.asked.append("full look" if len(found) == limit else "look")
        return found

    async def news(self, timeout_seconds: float) -> None:
        self.asked.append("wait")
        await super().news(timeout_seconds)


async def test_as_long_as_a_look_shows_as_much_as_it_can_the_next_one_waits_for_no_news(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement_process, "MARKETS_A_LOOK", 3)
    async with a_desk(database_url) as desk, a_reader(database_url) as reader:
        for market_id in [await placed(desk, 2) for _ in range(7)]:
            await desk.score(market_id, 1, 0)
        await asyncio.to_thread(follow, database_url)
        work = WatchedWork(database_url, reader)
        running = asyncio.create_task(SettlementProcess(desk.ledger, work).run())
        for _ in range(1_500):
            await asyncio.sleep(0.02)
            if len(read_log(database_url).of(SettlementCompleted)) == 7:
                break
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await work.close()
    assert work.asked[:4] == ["full look", "full look", "look", "wait"]
    assert len(read_log(database_url).of(BetSettled)) == 14


async def test_a_step_that_fails_stops_those_behind_it_and_is_made_up_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bets = 5 * STEP_BETS
    async with a_desk(database_url) as desk, a_reader(database_url) as reader:
        market_id = await placed(desk, bets)
        declared = await desk.score(market_id, 1, 0)
        await asyncio.to_thread(follow, database_url)
        await asyncio.sleep(QUIET_SECONDS)  # from now on steps are large
        steps = Steps(desk.ledger, SettlementWork(database_url, reader).bets_on)
        due = MarketDue(market_id, declared["position"], 1, 0)
        enqueue, handed_over = desk.ledger.enqueue, [0]

        def lose_the_third(*order: Any, **options: Any) -> Any:
            handed_over[0] += 1
            if handed_over[0] == 3:
                lost = asyncio.get_running_loop().create_future()
                lost.set_exception(LogUnavailable("the step is lost"))
                return lost
            return enqueue(*order, **options)

        monkeypatch.setattr(desk.ledger, "enqueue", lose_the_third)
        with pytest.raises((LogUnavailable, MarketStateConflict)):
            await steps.settle(due)
        monkeypatch.undo()
        halfway = read_log(database_url)
        assert reached(halfway, market_id) == position_of_bet(halfway, 2 * STEP_BETS)
        assert not halfway.of(SettlementCompleted)
        await steps.settle(due)
    log = read_log(database_url)
    assert_settled_once(log, bets)
    assert reached(log, market_id) == position_of_bet(log, bets)


async def test_a_settlement_whose_result_is_taken_back_stops(database_url: str) -> None:
    async with a_desk(database_url) as desk, a_reader(database_url) as reader:
        market_id = await placed(desk, 10)
        declared = await desk.score(market_id, 1, 0)
        await asyncio.to_thread(follow, database_url)
        await asyncio.sleep(QUIET_SECONDS)  # from now on steps are large
        steps = Steps(desk.ledger, SettlementWork(database_url, reader).bets_on)
        await desk.ask(RollBackResult(), OPERATOR, target=market_id)
        with pytest.raises(MarketStateConflict):
            await steps.settle(MarketDue(market_id, declared["position"], 1, 0))
    assert not read_log(database_url).of(BetSettled)


async def test_what_was_settled_is_forgotten(database_url: str) -> None:
    async with a_desk(database_url) as desk, a_reader(database_url) as reader:
        market_id = await placed(desk, 3 * STEP_BETS)
        declared = await desk.score(market_id, 1, 0)
        await asyncio.to_thread(follow, database_url)
        await asyncio.sleep(QUIET_SECONDS)
        before = desk.ledger.streams_in_memory
        steps = Steps(desk.ledger, SettlementWork(database_url, reader).bets_on)
        await steps.settle(MarketDue(market_id, declared["position"], 1, 0))
        assert desk.ledger.streams_in_memory <= before + 1 + STEP_BETS
    assert_settled_once(read_log(database_url), 3 * STEP_BETS)


def reached(log: Log, market_id: UUID) -> int:
    state = log.states[settlement_id(market_id)]
    assert isinstance(state, Settling)
    return state.after


def position_of_bet(log: Log, number: int) -> int:
    """Position of the placing of the n-th bet, from 1."""
    placings = [each.position for each in log.events if each.event.topic == "bet.placed"]
    return placings[number - 1]


def assert_settled_once(log: Log, bets: int) -> None:
    settled = log.of(BetSettled)
    assert len(settled) == len({each.stream_id for each in settled}) == bets
    totals = [
        each.event.totals[0]
        for each in log.of(SettlementCompleted)
        if isinstance(each.event, SettlementCompleted)
    ]
    assert [total.bets for total in totals] == [bets]
    assert len(log.of(SettlementProgressed)) >= bets // STEP_BETS
