"""One key, one effect, one answer, for ever."""

import asyncio
from uuid import UUID, uuid4

import pytest

from application.ledger import Ledger
from application.order import Receipt
from domain.actors import Actor
from domain.commands.account import CompleteWithdrawal, Deposit, OpenAccount, Withdraw
from domain.commands.bet import PlaceBet, PlaceBets
from domain.commands.command import Command
from domain.commands.market import CloseMarket, SuspendMarket
from domain.events.account import FundsDeposited
from domain.events.bet import Leg
from domain.odds import odds_id
from domain.refusals import (
    AccountNotFound,
    IdempotencyKeyReused,
    IdTaken,
    InsufficientFunds,
    MarketNotOpen,
    Refusal,
)
from domain.settling import settlement_id
from tests.application.desk import Desk, a_desk, read_log, row_counts
from tests.builders import ADMIN, ALICE, BOB, NOW, OPERATOR, open_market, place_bet

pytestmark = pytest.mark.anyio


async def refused(ledger: Ledger, command: Command, actor: Actor, **options: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await ledger.submit(command, actor, **options)  # type: ignore[arg-type]
    return caught.value


# ---- keys


async def test_the_same_key_gives_the_first_answer_byte_for_byte(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        command = Deposit(amount_minor=500, method="card")
        first = await desk.ledger.submit(command, ALICE, target=account_id, key="k")
        await desk.deposit(account_id, 1)
        again = await desk.ledger.submit(command, ALICE, target=account_id, key="k")
        assert not first.replayed
        assert again == Receipt(first.answer, replayed=True)
    assert read_log(database_url).account(account_id).available_minor == 501


async def test_the_same_key_with_another_request_is_refused(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, other_id = await desk.account(), await desk.account()
        command = Deposit(amount_minor=500, method="card")
        await desk.ledger.submit(command, ALICE, target=account_id, key="k")
        before = row_counts(database_url)
        for changed, target in (
            (Deposit(amount_minor=501, method="card"), account_id),
            (Withdraw(amount_minor=500, method="card"), account_id),
            (command, other_id),
        ):
            refusal = await refused(desk.ledger, changed, ALICE, target=target, key="k")
            assert type(refusal) is IdempotencyKeyReused
            assert not refusal.replayed
        assert row_counts(database_url) == before


async def test_another_users_key_is_another_key(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        for actor in (ALICE, BOB):
            account_id = await desk.account(owner=actor)
            await desk.deposit(account_id, 500, owner=actor, key="k")
    assert len(read_log(database_url).of(FundsDeposited)) == 2


async def test_a_user_whose_name_looks_like_a_scope_takes_nobodys_id(database_url: str) -> None:
    bet_id = uuid4()
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market()
        await desk.bet(account_id, market_id, 100, bet_id=bet_id)
        sly = Actor("#bet", "trader")
        opened = OpenAccount(currency="EUR", name="x")
        receipt = await asyncio.wait_for(desk.ledger.submit(opened, sly, key=str(bet_id)), 5)
        assert not receipt.replayed
        assert not (await desk.ledger.submit(opened, sly, key=str(uuid4()))).replayed


async def test_a_refusal_is_an_answer_too(database_url: str) -> None:
    command = Withdraw(amount_minor=500, method="bank")
    async with a_desk(database_url) as desk:
        account_id = await desk.account(499)
        first = await refused(desk.ledger, command, ALICE, target=account_id, key="k")
        await desk.deposit(account_id, 1_000)
        again = await refused(desk.ledger, command, ALICE, target=account_id, key="k")
        assert type(first) is type(again) is InsufficientFunds
        assert (first.replayed, again.replayed) == (False, True)
        assert (first.detail, first.field) == (again.detail, again.field)
        await desk.ask(command, target=account_id, key="another")


async def test_an_id_that_is_taken_stays_taken_under_every_key(database_url: str) -> None:
    account_id = uuid4()
    async with a_desk(database_url) as desk:
        opened = OpenAccount(account_id=account_id, currency="EUR", name="x")
        await desk.ask(opened)
        other = OpenAccount(account_id=account_id, currency="GBP", name="x")
        first = await refused(desk.ledger, other, ALICE, key="k")
        again = await refused(desk.ledger, other, ALICE, key="k")
        assert type(first) is type(again) is IdTaken
        assert first.detail == again.detail


async def test_answers_outlive_the_ledger(database_url: str) -> None:
    deposit, too_much = (
        Deposit(amount_minor=500, method="card"),
        Withdraw(amount_minor=9_999, method="bank"),
    )
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        first = await desk.ledger.submit(deposit, ALICE, target=account_id, key="k1")
        no = await refused(desk.ledger, too_much, ALICE, target=account_id, key="k2")
    before = row_counts(database_url)
    for _ in range(2):
        async with a_desk(database_url) as desk:
            again = await desk.ledger.submit(deposit, ALICE, target=account_id, key="k1")
            assert again == Receipt(first.answer, replayed=True)
            still_no = await refused(desk.ledger, too_much, ALICE, target=account_id, key="k2")
            assert (type(still_no), still_no.detail) == (type(no), no.detail)
            assert still_no.replayed
    assert row_counts(database_url) == before


async def test_the_same_key_many_times_at_once_takes_effect_once(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        command = Deposit(amount_minor=500, method="card")
        receipts = await asyncio.gather(
            *(desk.ledger.submit(command, ALICE, target=account_id, key="k") for _ in range(20))
        )
        assert len({receipt.answer for receipt in receipts}) == 1
        assert sorted(receipt.replayed for receipt in receipts) == [False] + [True] * 19
    assert read_log(database_url).account(account_id).available_minor == 500


async def test_different_requests_under_one_key_at_once_leave_one_winner(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        outcomes = await asyncio.gather(
            *(desk.ask(d, target=account_id, key="k") for d in deposits(range(1, 11))),
            return_exceptions=True,
        )
        won = [each for each in outcomes if isinstance(each, dict)]
        assert len(won) == 1
        assert {type(each) for each in outcomes if each not in won} == {IdempotencyKeyReused}
    assert len(read_log(database_url).of(FundsDeposited)) == 1


def deposits(amounts: range) -> list[Deposit]:
    return [Deposit(amount_minor=amount, method="card") for amount in amounts]


# ---- chosen ids


async def chosen(desk: Desk, kind: str) -> tuple[Command, Command, UUID | None]:
    """A command with a chosen id, one with the same id and other content, and their target."""
    account_id, market_id, chosen_id = await desk.account(1_000), await desk.market(), uuid4()

    def pair(
        one: Command, two: Command, target: UUID | None = None
    ) -> tuple[Command, Command, UUID | None]:
        return one, two, target

    match kind:
        case "account":
            return pair(
                OpenAccount(account_id=chosen_id, currency="EUR", name="x"),
                OpenAccount(account_id=chosen_id, currency="EUR", name="y"),
            )
        case "market":
            return pair(open_market(chosen_id), open_market(chosen_id, pricing="house"))
        case "deposit":
            return pair(
                Deposit(transfer_id=chosen_id, amount_minor=5, method="card"),
                Deposit(transfer_id=chosen_id, amount_minor=6, method="card"),
                account_id,
            )
        case "withdrawal":
            return pair(
                Withdraw(transfer_id=chosen_id, amount_minor=1_000, method="bank"),
                Withdraw(transfer_id=chosen_id, amount_minor=1, method="bank"),
                account_id,
            )
        case _:
            return pair(
                place_bet(account_id, market_id, 1_000, bet_id=chosen_id),
                place_bet(account_id, market_id, 1, bet_id=chosen_id),
            )


KINDS = ["account", "market", "deposit", "withdrawal", "bet"]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_id_with_the_same_content_gives_the_first_answer(
    database_url: str, kind: str, restarted: bool
) -> None:
    async with a_desk(database_url) as desk:
        command, _, target = await chosen(desk, kind)
        first = await desk.ledger.submit(command, ALICE, target=target)
        before = row_counts(database_url)
        if not restarted:
            again = await desk.ledger.submit(command, ALICE, target=target)
            assert again == Receipt(first.answer, replayed=True)
    async with a_desk(database_url) as desk:
        for key in (None, "a new key"):
            again = await desk.ledger.submit(command, ALICE, target=target, key=key)
            assert again == Receipt(first.answer, replayed=True)
        assert row_counts(database_url)["ledger_events"] == before["ledger_events"]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_id_with_other_content_is_taken(
    database_url: str, kind: str, restarted: bool
) -> None:
    async with a_desk(database_url) as desk:
        command, other, target = await chosen(desk, kind)
        await desk.ask(command, target=target)
        before = row_counts(database_url)
        if not restarted:
            assert type(await refused(desk.ledger, other, ALICE, target=target)) is IdTaken
    async with a_desk(database_url) as desk:
        assert type(await refused(desk.ledger, other, ALICE, target=target)) is IdTaken
        assert type(await refused(desk.ledger, command, ADMIN, target=target)) is IdTaken
        assert row_counts(database_url) == before


async def test_a_bet_is_answered_again_when_its_market_takes_no_bets_any_more(
    database_url: str,
) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id, bet_id = await desk.account(1_000), await desk.market(), uuid4()
        command = place_bet(account_id, market_id, 1_000, bet_id=bet_id)
        first = await desk.ledger.submit(command, ALICE)
        await desk.ask(CloseMarket(), OPERATOR, target=market_id)
        again = await desk.ledger.submit(command, ALICE)
        assert again == Receipt(first.answer, replayed=True)
        batch = PlaceBets(bets=[command, place_bet(account_id, market_id, 1)])
        results = (await desk.ask(batch))["results"]
        assert results[0]["position"] == 4 + 1
        assert results[1]["error"]["type"] == MarketNotOpen.type


async def test_a_refused_command_takes_no_id(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id, bet_id = await desk.account(10), await desk.market(), uuid4()
        command = place_bet(account_id, market_id, 100, bet_id=bet_id)
        assert type(await refused(desk.ledger, command, ALICE)) is InsufficientFunds
        await desk.deposit(account_id, 100)
        assert (await desk.ask(command))["bet_id"] == str(bet_id)


async def test_the_same_chosen_id_at_once_takes_effect_once(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id, bet_id = await desk.account(1_000), await desk.market(), uuid4()
        command = place_bet(account_id, market_id, 600, bet_id=bet_id)
        receipts = await asyncio.gather(*(desk.ledger.submit(command, ALICE) for _ in range(10)))
        assert len({receipt.answer for receipt in receipts}) == 1
        assert sum(not receipt.replayed for receipt in receipts) == 1
    assert read_log(database_url).account(account_id).in_play_minor == 600


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_an_id_that_names_something_else_is_taken(database_url: str, restarted: bool) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id, bet_id = await desk.account(1_000), await desk.market(), uuid4()
        transfer_id = await desk.withdraw(account_id, 100)
        await desk.bet(account_id, market_id, 100, bet_id=bet_id)
        if not restarted:
            await check_all_taken(desk, account_id, market_id, transfer_id, bet_id)
    async with a_desk(database_url) as desk:
        before = row_counts(database_url)
        await check_all_taken(desk, account_id, market_id, transfer_id, bet_id)
        assert row_counts(database_url) == before


async def check_all_taken(
    desk: Desk, account_id: UUID, market_id: UUID, transfer_id: UUID, bet_id: UUID
) -> None:
    for each in (market_id, transfer_id, bet_id):
        command = OpenAccount(account_id=each, currency="EUR", name="x")
        assert type(await refused(desk.ledger, command, ALICE)) is IdTaken
    for each in (account_id, transfer_id, bet_id):
        assert type(await refused(desk.ledger, open_market(each), OPERATOR)) is IdTaken
    for each in (account_id, market_id, transfer_id):
        bet = place_bet(account_id, market_id, 1, bet_id=each)
        assert type(await refused(desk.ledger, bet, ALICE)) is IdTaken
    for each in (account_id, market_id, bet_id):
        withdraw = Withdraw(transfer_id=each, amount_minor=1, method="bank")
        assert type(await refused(desk.ledger, withdraw, ALICE, target=account_id)) is IdTaken


@pytest.mark.parametrize("kind", ["account", "market", "withdrawal", "bet", "batch"])
async def test_nobody_takes_the_ids_of_a_markets_own_streams(database_url: str, kind: str) -> None:
    """They follow from the market's id: a bet under one would stop the market's settlement for ever."""
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market(pricing="house")
        for stream_id in (settlement_id(market_id), odds_id(market_id)):
            bet = place_bet(account_id, await desk.market(), 1, bet_id=stream_id)
            commands: dict[str, tuple[Command, UUID | None]] = {
                "account": (OpenAccount(account_id=stream_id, currency="EUR", name="x"), None),
                "market": (open_market(stream_id), None),
                "withdrawal": (
                    Withdraw(transfer_id=stream_id, amount_minor=1, method="x"),
                    account_id,
                ),
                "bet": (bet, None),
                "batch": (PlaceBets(bets=[bet], atomic=True), None),
            }
            command, target = commands[kind]
            assert (await refused(desk.ledger, command, ALICE, target=target)).status in (409, 422)
        assert odds_id(market_id) not in read_log(database_url).states


# ---- batches


async def test_the_bets_of_a_batch_are_answered_one_by_one(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id, closed_id = (
            await desk.account(1_000),
            await desk.market(),
            await desk.market(),
        )
        others_id = await desk.account(owner=BOB)
        await desk.ask(SuspendMarket(), OPERATOR, target=closed_id)
        head = read_log(database_url).events[-1].position
        bets = [
            place_bet(account_id, market_id, 600),
            place_bet(account_id, market_id, 401),
            place_bet(account_id, closed_id, 1),
            place_bet(account_id, uuid4(), 1),
            place_bet(uuid4(), market_id, 1),
            place_bet(others_id, market_id, 1),
            place_bet(account_id, market_id, 1, odds="1"),
            place_bet(account_id, market_id, 1, selection_id="nobody"),
            PlaceBet(
                account_id=account_id,
                kind="each_way",
                legs=bets_leg(market_id),
                stake_minor=1,
            ),
            place_bet(account_id, market_id, 400),
        ]
        answer = await desk.ask(PlaceBets(bets=bets))
        kinds = [each.get("status") or each["error"]["type"] for each in answer["results"]]
        assert kinds == [
            "open",
            "insufficient_funds",
            "market_not_open",
            "market_not_found",
            "account_not_found",
            "account_not_found",
            "invalid_input",
            "selection_not_in_market",
            "not_offered",
            "open",
        ]
        assert answer["position"] == head + 4
        positions = [each["position"] for each in answer["results"] if "position" in each]
        assert positions == [head + 2, head + 4]
    assert read_log(database_url).account(account_id).available_minor == 0


def bets_leg(market_id: UUID) -> tuple[Leg, ...]:
    return place_bet(uuid4(), market_id, 1).legs


async def test_an_atomic_batch_places_all_or_none(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market()
        good, bad = place_bet(account_id, market_id, 500), place_bet(account_id, market_id, 501)
        before = row_counts(database_url)
        refusal = await refused(desk.ledger, PlaceBets(bets=[good, bad], atomic=True), ALICE)
        assert refusal.type == "batch_refused"
        assert refusal.field == "bets[1]"
        assert "insufficient_funds" in refusal.detail
        assert row_counts(database_url) == before
        done = await desk.ask(PlaceBets(bets=[good, good], atomic=True))
        assert [each["status"] for each in done["results"]] == ["open", "open"]
        assert done["results"][0]["bet_id"] != done["results"][1]["bet_id"]


async def test_an_id_twice_in_one_batch_places_one_bet(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id, bet_id = await desk.account(1_000), await desk.market(), uuid4()
        bet = place_bet(account_id, market_id, 100, bet_id=bet_id)
        other = place_bet(account_id, market_id, 101, bet_id=bet_id)
        batch = PlaceBets(bets=[bet, bet, other])
        first = await asyncio.wait_for(desk.ask(batch), 5)
        assert first["results"][0] == first["results"][1]
        assert first["results"][2]["error"]["type"] == "id_taken"
        again = await asyncio.wait_for(desk.ask(batch), 5)
        assert again["results"][:2] == first["results"][:2]
        assert again["results"][2]["error"]["type"] == "id_taken"
        assert (await desk.ask(bet)) == first["results"][0]
    assert read_log(database_url).account(account_id).in_play_minor == 100


async def test_a_batch_answers_its_known_bets_again_and_places_the_others(
    database_url: str,
) -> None:
    ids = [uuid4() for _ in range(4)]
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market()

        def bet(number: int, stake: int) -> PlaceBet:
            return place_bet(account_id, market_id, stake, bet_id=ids[number])

        single = await desk.ask(bet(0, 100))
        first = await desk.ask(PlaceBets(bets=[bet(1, 100), bet(2, 100)]))
        mixed = PlaceBets(bets=[bet(0, 100), bet(1, 99), bet(3, 100), bet(2, 100)])
        answer = await desk.ask(mixed, key="k")
        assert answer["results"][0] == single
        assert answer["results"][1]["error"]["type"] == "id_taken"
        assert answer["results"][2]["available_minor"] == 600
        assert answer["results"][3] == first["results"][1]
        assert await desk.ask(mixed, key="k") == answer
        assert (await desk.ask(bet(2, 100))) == first["results"][1]
        atomic = PlaceBets(bets=[bet(0, 100), place_bet(account_id, market_id, 1)], atomic=True)
        assert (await desk.ask(atomic))["results"][0] == single
    assert read_log(database_url).account(account_id).in_play_minor == 401


async def test_a_batch_larger_than_a_transaction_usually_is_stays_whole(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(10**9), await desk.market()
        bets = [place_bet(account_id, market_id, 1, bet_id=uuid4()) for _ in range(2_500)]
        first = await desk.ledger.submit(PlaceBets(bets=bets), ALICE, key="k")
        again = await desk.ledger.submit(PlaceBets(bets=bets), ALICE, key="k")
        assert again == Receipt(first.answer, replayed=True)
    assert read_log(database_url).account(account_id).in_play_minor == 2_500


# ---- refusals change nothing


async def test_a_refused_command_changes_nothing(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market()
        transfer_id = await desk.withdraw(account_id, 100)
        await desk.ask(CompleteWithdrawal(), OPERATOR, target=transfer_id)
        before, log = row_counts(database_url), read_log(database_url)
        for command, actor, target in [
            (OpenAccount(currency="XXX", name="x"), ALICE, None),
            (OpenAccount(currency="EUR", name="x", owner="bob"), ALICE, None),
            (Deposit(amount_minor=1, method="card"), ALICE, uuid4()),
            (Deposit(amount_minor=1, method="card"), ALICE, market_id),
            (Deposit(amount_minor=1, method="card"), BOB, account_id),
            (Deposit(amount_minor=1, method="card"), OPERATOR, account_id),
            (Withdraw(amount_minor=901, method="bank"), ALICE, account_id),
            (CompleteWithdrawal(), OPERATOR, transfer_id),
            (CompleteWithdrawal(), OPERATOR, uuid4()),
            (CompleteWithdrawal(), OPERATOR, account_id),
            (SuspendMarket(), OPERATOR, account_id),
            (place_bet(account_id, market_id, 901), ALICE, None),
            (place_bet(account_id, account_id, 1), ALICE, None),
            (place_bet(market_id, market_id, 1), ALICE, None),
            (place_bet(account_id, market_id, 1), BOB, None),
        ]:
            await refused(desk.ledger, command, actor, target=target)
        assert row_counts(database_url) == before
        assert read_log(database_url).states == log.states
        await desk.bet(account_id, market_id, 900)
        with pytest.raises(AccountNotFound):
            await desk.deposit(account_id, 1, owner=BOB)
    assert read_log(database_url).events[-1].at > NOW
