"""A commit whose answer is lost on the way: the log says whether it happened."""

import asyncio
from collections.abc import Callable

import pytest

from adapters.postgres.recorder import LedgerRecorder
from application.log import Batch, LogUnavailable
from domain.commands.account import Deposit
from domain.events.account import FundsDeposited
from domain.refusals import InsufficientFunds
from tests.application.desk import Desk, a_desk, read_log
from tests.builders import ALICE

pytestmark = pytest.mark.anyio


def lose_answers(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    *,
    landed: bool,
    times: int,
    meanwhile: Callable[[], None] | None = None,
) -> list[int]:
    """Break the connection around the next appends, before or after they reach the log; count them."""
    recorder = desk.ledger.recorder
    assert isinstance(recorder, LedgerRecorder)
    append, lost = recorder.append, [0]

    async def break_off(batch: Batch) -> int:
        if lost[0] == times:
            return await append(batch)
        lost[0] += 1
        if landed:
            await append(batch)
        await recorder.disconnect()
        if meanwhile is not None:
            await asyncio.to_thread(meanwhile)
        raise LogUnavailable("the answer is lost")

    monkeypatch.setattr(recorder, "append", break_off)
    return lost


@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without a key"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "not landed"])
async def test_a_lost_answer_is_found_in_the_log(
    database_url: str, monkeypatch: pytest.MonkeyPatch, landed: bool, times: int, keyed: bool
) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(100), await desk.market()
        lost = lose_answers(desk, monkeypatch, landed=landed, times=times)
        answers = await asyncio.gather(
            *(desk.deposit(account_id, 1, key=f"k{n}" if keyed else None) for n in range(20)),
            desk.bet(account_id, market_id, 119),
        )
        assert lost == [times] or landed
        assert [each["available_minor"] for each in answers] == [*range(101, 121), 1]
        with pytest.raises(InsufficientFunds):
            await desk.bet(account_id, market_id, 2)
        assert (await desk.deposit(account_id, 1))["available_minor"] == 2
    assert len(read_log(database_url).of(FundsDeposited)) == 22


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "not landed"])
async def test_a_lost_answer_is_found_also_when_others_wrote_meanwhile(
    database_url: str, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    async with a_desk(database_url) as one:
        account_id = await one.account(100)

        def another_process_deposits() -> None:
            async def deposit() -> None:
                async with a_desk(database_url) as two:
                    for _ in range(3):
                        await two.deposit(account_id, 10)

            asyncio.run(deposit())

        lose_answers(one, monkeypatch, landed=landed, times=1, meanwhile=another_process_deposits)
        answers = await asyncio.gather(*(one.deposit(account_id, 1) for _ in range(5)))
        balances = [each["available_minor"] for each in answers]
        assert balances == ([101, 102, 103, 104, 105] if landed else [131, 132, 133, 134, 135])
        assert (await one.deposit(account_id, 1))["available_minor"] == 136
    read_log(database_url)


async def test_commands_that_come_while_an_answer_is_lost_follow_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        lose_answers(desk, monkeypatch, landed=True, times=1)
        first = asyncio.create_task(desk.deposit(account_id, 1))
        await asyncio.sleep(0.005)
        later = [asyncio.create_task(desk.deposit(account_id, 1)) for _ in range(10)]
        balances = [(await each)["available_minor"] for each in (first, *later)]
        assert balances == list(range(1, 12))
    assert read_log(database_url).account(account_id).available_minor == 11


async def test_only_refusals_in_a_lost_batch_are_answered_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        lose_answers(desk, monkeypatch, landed=True, times=1)
        with pytest.raises(InsufficientFunds):
            await desk.withdraw(account_id, 1)
        command = Deposit(amount_minor=1, method="card")
        receipt = await desk.ledger.submit(command, ALICE, target=account_id)
        assert not receipt.replayed
    assert read_log(database_url).account(account_id).available_minor == 1
