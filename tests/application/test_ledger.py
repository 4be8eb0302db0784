"""The ledger on a real database: order, concurrency, memory, restarts, ends."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.snapshots import encode_snapshot, shape_of
from application import writer
from application.order import Receipt
from application.writer import Overloaded, Unavailable
from domain.actors import SETTLER
from domain.commands.account import Deposit, OpenAccount, RejectWithdrawal, Withdraw
from domain.commands.bet import PlaceBets
from domain.commands.command import Command
from domain.commands.market import CloseMarket, SuspendMarket
from domain.commands.odds import QuoteBody, RecordOdds
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.events.account import FundsDeposited
from domain.events.bet import BetPlaced, BetSettled
from domain.odds import HOUSE, HousePrices, odds_id
from domain.refusals import InsufficientFunds, MarketNotOpen, PriceChanged, Refusal
from domain.settling import Settling, settlement_id
from tests.application.desk import Desk, Log, a_desk, kill_writers, read_log, row_counts
from tests.builders import ALICE, NOW, OPERATOR, place_bet

pytestmark = pytest.mark.anyio


# ---- one after the other


async def test_a_command_answers_with_the_position_of_its_last_event(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market()
        answer = await desk.bet(account_id, market_id, 400)
        assert answer == {
            "bet_id": answer["bet_id"],
            "status": "open",
            "total_stake_minor": 400,
            "potential_return_minor": 1_000,
            "available_minor": 600,
            "position": 5,
        }
    log = read_log(database_url)
    assert [each.event.topic for each in log.events] == [
        "account.opened",
        "account.funds_deposited",
        "market.opened",
        "bet.placed",
        "account.stake_reserved",
    ]
    placed, reserved = log.events[-2:]
    assert placed.command_id == reserved.command_id
    assert placed.actor == "alice"
    assert len({each.command_id for each in log.events}) == 4


async def test_events_carry_the_time_the_actor_and_the_trace(database_url: str) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with a_desk(database_url, clock=lambda: NOW) as desk:
        account_id = await desk.account()
        await desk.ledger.submit(
            Deposit(amount_minor=1, method="card"), ALICE, target=account_id, trace=trace
        )
    opened, deposited = read_log(database_url).events
    assert (opened.at, opened.actor, opened.trace) == (NOW, "alice", None)
    assert (deposited.at, deposited.actor, deposited.trace) == (NOW, "alice", trace)


async def test_a_market_is_settled_bet_by_bet(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id, other_id = (
            await desk.account(1_000),
            await desk.market(),
            await desk.market(),
        )
        bets = [
            UUID((await desk.bet(account_id, market, 100, selection_id=side))["bet_id"])
            for market, side in [
                (market_id, "home"),
                (market_id, "draw"),
                (market_id, "away"),
                (other_id, "home"),
            ]
        ]
        with pytest.raises(Refusal) as too_early:
            await desk.ask(SettleBets(bet_ids=bets), SETTLER, target=market_id)
        assert too_early.value.type == "market_state_conflict"
        with pytest.raises(Refusal) as still_open:
            await desk.ask(CompleteSettlement(), SETTLER, target=market_id)
        assert still_open.value.type == "market_state_conflict"
        await desk.score(market_id, 2, 1)
        first = await desk.ask(SettleBets(bet_ids=bets[:2]), SETTLER, target=market_id)
        again = await desk.ask(SettleBets(bet_ids=bets[:2]), SETTLER, target=market_id)
        rest = await desk.ask(
            SettleBets(bet_ids=[*bets, bets[2], uuid4(), account_id]), SETTLER, target=market_id
        )
        assert [each["settled"] for each in (first, again, rest)] == [2, 0, 1]
        await desk.ask(CompleteSettlement(), SETTLER, target=market_id)
        await desk.ask(CompleteSettlement(), SETTLER, target=market_id)
    log = read_log(database_url)
    assert [log.bet(each).status for each in bets] == ["won", "lost", "lost", "open"]
    account = log.account(account_id)
    assert (account.available_minor, account.in_play_minor) == (850, 100)
    settling = log.states[settlement_id(market_id)]
    assert isinstance(settling, Settling)
    assert settling.completed
    assert [(t.bets, t.stake_minor, t.return_minor) for t in settling.totals] == [(3, 300, 250)]


async def test_an_exchange_account_pays_commission_on_what_it_wins_on_a_market(
    database_url: str,
) -> None:
    async with a_desk(database_url) as desk:
        opened = OpenAccount(currency="EUR", name="x", commission=Decimal("0.05"))
        account_id = UUID((await desk.ask(opened))["account_id"])
        await desk.deposit(account_id, 1_000)
        market_id = await desk.market()
        bets = [
            UUID((await desk.bet(account_id, market_id, 100, selection_id=side))["bet_id"])
            for side in ("home", "draw")
        ]
        for generation, (home, away) in enumerate([(1, 0), (0, 1)], 1):
            await desk.score(market_id, home, away)
            for command in (
                SettleBets(bet_ids=bets, generation=generation),
                CompleteSettlement(generation=generation),
                CompleteSettlement(generation=generation),
            ):
                await desk.ask(command, SETTLER, target=market_id)
            # It wins 150 on one bet and loses 100 on the other, which leaves 50 and costs 2.50; then it loses both.
            expected = 1_050 - 3 if generation == 1 else 800
            assert read_log(database_url).account(account_id).available_minor == expected


async def test_a_house_market_takes_bets_at_its_latest_price(database_url: str) -> None:
    def quoted(market_id: UUID, odds: str, bookmaker: str = HOUSE) -> RecordOdds:
        quote = QuoteBody(
            bookmaker=bookmaker,
            market_id=market_id,
            selection_id="home",
            odds=Decimal(odds),
            at=NOW,
        )
        return RecordOdds(quotes=[quote])

    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market(pricing="house")
        with pytest.raises(PriceChanged):
            await desk.bet(account_id, market_id, 1)
        await desk.ask(quoted(market_id, "2.5"), OPERATOR)
        await desk.ask(quoted(market_id, "9", "Pinnacle"), OPERATOR)
        await desk.bet(account_id, market_id, 1, odds="2.5")
    async with a_desk(database_url) as desk:
        with pytest.raises(PriceChanged):
            await desk.bet(account_id, market_id, 1, odds="2.6")
        await desk.ask(quoted(market_id, "2.6"), OPERATOR)
        await desk.bet(account_id, market_id, 1, odds="2.6")


async def test_a_fault_in_one_decision_harms_no_other_command(database_url: str) -> None:
    class Unheard(Command, frozen=True):
        """A command for which there is no decision."""

    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        outcomes = await asyncio.gather(
            desk.deposit(account_id, 1),
            desk.ledger.submit(Unheard(), ALICE),
            desk.deposit(account_id, 2),
            return_exceptions=True,
        )
        assert [type(each) for each in outcomes] == [dict, TypeError, dict]
        assert desk.ledger.waiting == 0
    assert read_log(database_url).account(account_id).available_minor == 3


# ---- many at once


async def test_64_at_once_never_overspend_an_account(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market()
        outcomes = await asyncio.gather(
            *(desk.bet(account_id, market_id, 100) for _ in range(32)),
            *(desk.withdraw(account_id, 30) for _ in range(32)),
            return_exceptions=True,
        )
        refused = [each for each in outcomes if isinstance(each, BaseException)]
        assert {type(each) for each in refused} == {InsufficientFunds}
        available = [each["available_minor"] for each in outcomes if isinstance(each, dict)]
        assert available == [900, 800, 700, 600, 500, 400, 300, 200, 100, 0]
    account = read_log(database_url).account(account_id)
    assert (account.available_minor, account.in_play_minor) == (0, 1_000)


async def test_a_caller_that_goes_away_disturbs_nobody(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        tasks = [asyncio.create_task(desk.deposit(account_id, 1)) for _ in range(40)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        answered = sum(isinstance(each, dict) for each in outcomes)
        assert answered == 20
        await desk.deposit(account_id, 1_000)
        assert desk.ledger.waiting == 0
    assert 1_020 <= read_log(database_url).account(account_id).available_minor <= 1_040


async def test_an_overloaded_ledger_says_so_and_recovers(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_QUEUE_WEIGHT", 50)
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(10**6), await desk.market()
        outcomes = await asyncio.gather(
            *(desk.deposit(account_id, 1) for _ in range(300)), return_exceptions=True
        )
        accepted = sum(isinstance(each, dict) for each in outcomes)
        assert {type(each) for each in outcomes} == {dict, Overloaded}
        assert accepted >= 50
        assert desk.ledger.waiting == 0
        await desk.deposit(account_id, 1)
        batch = PlaceBets(bets=[place_bet(account_id, market_id, 1)] * 200)
        assert len((await desk.ask(batch))["results"]) == 200, "alone it may be larger than that"
    assert read_log(database_url).account(account_id).available_minor == 10**6 + accepted + 1 - 200


async def test_the_end_answers_everybody_who_waits(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        ledger = desk.ledger
        tasks = [asyncio.create_task(desk.deposit(account_id, 1)) for _ in range(2_500)]
        await asyncio.sleep(0)
    outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    accepted = sum(isinstance(each, dict) for each in outcomes)
    assert {type(each) for each in outcomes} <= {dict, Unavailable}
    assert len(read_log(database_url).of(FundsDeposited)) == accepted
    with pytest.raises(Unavailable):
        await asyncio.wait_for(
            ledger.submit(Deposit(amount_minor=1, method="card"), ALICE, target=account_id), 5
        )


# ---- memory


def random_commands(
    random: Random, accounts: list[UUID], markets: list[UUID]
) -> list[tuple[Command, UUID | None]]:
    commands: list[tuple[Command, UUID | None]] = []
    for _ in range(150):
        account_id, market_id = random.choice(accounts), random.choice(markets)
        amount = random.randint(1, 400)
        kinds: list[tuple[Command, UUID | None]] = [
            (Deposit(amount_minor=amount, method="card"), account_id),
            (Withdraw(amount_minor=amount, method="bank"), account_id),
            (place_bet(account_id, market_id, amount), None),
            (
                PlaceBets(
                    bets=[
                        place_bet(each, market_id, amount, bet_id=random_id(random))
                        for each in accounts
                    ]
                ),
                None,
            ),
            (place_bet(account_id, random_id(random), amount), None),
        ]
        commands.append(random.choice(kinds))
    return commands


def random_id(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)


def counted() -> tuple[Callable[[], UUID], Callable[[], datetime]]:
    """Ids and times that are the same in every run."""
    ids, seconds = count(1), count()
    return (lambda: UUID(int=next(ids), version=4)), lambda: NOW + timedelta(seconds=next(seconds))


async def answers(database_url: str, capacity: int, *, restarts: bool) -> list[object]:
    ids, clock = counted()
    options = {"ids": ids, "clock": clock, "capacity": capacity}
    found: list[object] = []
    random = Random(7)
    async with a_desk(database_url, **options) as desk:
        accounts = [await desk.account() for _ in range(12)]
        markets = [await desk.market() for _ in range(4)]
    commands = random_commands(random, accounts, markets)
    while commands:
        share = 50 if restarts else len(commands)
        async with a_desk(database_url, **options) as desk:
            for command, target in commands[:share]:
                try:
                    found.append((await desk.ledger.submit(command, ALICE, target=target)).answer)
                except Refusal as refusal:
                    found.append((refusal.type, refusal.detail))
                assert desk.ledger.streams_in_memory <= capacity + 20
        commands = commands[share:]
    return found


async def test_little_memory_and_restarts_give_the_same_answers(
    database_url: str, second_database_url: str
) -> None:
    ample = await answers(database_url, 10_000, restarts=False)
    scarce = await answers(second_database_url, 10, restarts=True)
    assert ample == scarce
    assert len({type(each) for each in ample}) == 2, "some are accepted and some refused"
    assert read_log(database_url).states == read_log(second_database_url).states


async def test_memory_stays_bounded_under_many_accounts(database_url: str) -> None:
    async with a_desk(database_url, capacity=10) as desk:
        accounts = [await desk.account() for _ in range(60)]
        for _ in range(2):
            await asyncio.gather(*(desk.deposit(each, 5) for each in accounts))
            for each in accounts[:20]:
                await desk.deposit(each, 1)
        assert desk.ledger.streams_in_memory <= 20
    log = read_log(database_url)
    assert [log.account(each).available_minor for each in accounts] == [12] * 20 + [10] * 40


# ---- restarts


def write_snapshots(database_url: str, log: Log, *, shape: str | None = None) -> int:
    rows = [
        (stream_id, state.version, shape or shape_of(state), encode_snapshot(state))
        for stream_id, state in log.states.items()
        if shape_of(state)
    ]
    with psycopg.connect(database_url) as connection:
        connection.cursor().executemany(
            "INSERT INTO ledger_snapshots (stream_id, version, shape, state)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (stream_id)"
            " DO UPDATE SET version = excluded.version, shape = excluded.shape, state = excluded.state",
            rows,
        )
    return len(rows)


async def history(desk: Desk) -> tuple[UUID, UUID]:
    """An account with money in every place, and a house market with prices."""
    account_id, market_id = await desk.account(1_000), await desk.market(pricing="house")
    quote = QuoteBody(
        bookmaker=HOUSE, market_id=market_id, selection_id="home", odds=Decimal("2.5"), at=NOW
    )
    await desk.ask(RecordOdds(quotes=[quote]), OPERATOR)
    await desk.bet(account_id, market_id, 100)
    rejected = await desk.withdraw(account_id, 200)
    await desk.withdraw(account_id, 50)
    await desk.ask(RejectWithdrawal(), OPERATOR, target=rejected)
    return account_id, market_id


async def go_on(desk: Desk, account_id: UUID, market_id: UUID) -> None:
    """Only right states lead to these outcomes."""
    with pytest.raises(PriceChanged, match=r"2\.5 now"):
        await desk.bet(account_id, market_id, 1, odds="2.51")
    with pytest.raises(InsufficientFunds, match="850 is available"):
        await desk.bet(account_id, market_id, 851)
    assert (await desk.bet(account_id, market_id, 850))["available_minor"] == 0


async def test_state_comes_back_from_the_log_alone(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await history(desk)
    assert row_counts(database_url)["ledger_snapshots"] == 0
    async with a_desk(database_url) as desk:
        await go_on(desk, account_id, market_id)
    read_log(database_url)


async def test_state_comes_back_from_snapshots_alone(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await history(desk)
    assert write_snapshots(database_url, read_log(database_url)) == 2
    with psycopg.connect(database_url) as connection:
        # What a snapshot covers is not read again: a broken event below it goes unnoticed.
        connection.execute(
            "UPDATE ledger_events SET state = '\\x00' WHERE originator_id = ANY(%s)",
            ([account_id, odds_id(market_id)],),
        )
    async with a_desk(database_url) as desk:
        await go_on(desk, account_id, market_id)


async def test_state_comes_back_from_old_snapshots_and_what_came_after(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account(1_000)
    write_snapshots(database_url, read_log(database_url))
    async with a_desk(database_url) as desk:
        for _ in range(5):
            await desk.deposit(account_id, 1)
    async with a_desk(database_url) as desk:
        assert (await desk.deposit(account_id, 1))["available_minor"] == 1_006
    read_log(database_url)


async def test_snapshots_of_another_shape_are_ignored(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await history(desk)
    write_snapshots(database_url, read_log(database_url), shape="Account.0")
    async with a_desk(database_url) as desk:
        await go_on(desk, account_id, market_id)
    state = read_log(database_url).states[odds_id(market_id)]
    assert isinstance(state, HousePrices)


# ---- several ledgers on one database


async def test_two_ledgers_see_what_the_other_wrote(database_url: str) -> None:
    async with a_desk(database_url) as one, a_desk(database_url) as two:
        account_id, market_id = await one.account(100), await two.market()
        assert (await two.deposit(account_id, 11))["available_minor"] == 111
        assert (await one.bet(account_id, market_id, 111))["available_minor"] == 0
        with pytest.raises(InsufficientFunds):
            await two.bet(account_id, market_id, 1)
        await two.ask(SuspendMarket(), OPERATOR, target=market_id)
        await one.deposit(account_id, 1)
        with pytest.raises(MarketNotOpen):
            await one.bet(account_id, market_id, 1)
        new_id = await two.account(7)
        assert (await one.deposit(new_id, 1))["available_minor"] == 8
    read_log(database_url)


async def test_a_market_closed_by_one_ledger_takes_no_bet_of_the_other(database_url: str) -> None:
    async with a_desk(database_url) as one, a_desk(database_url) as two:
        for _ in range(15):
            account_id, market_id = await two.account(10_000), await one.market()
            await two.bet(account_id, market_id, 1)
            closing = asyncio.create_task(one.ask(CloseMarket(), OPERATOR, target=market_id))
            outcomes = await asyncio.gather(
                *(two.bet(account_id, market_id, 1) for _ in range(5)), return_exceptions=True
            )
            closed = (await closing)["position"]
            for each in outcomes:
                if isinstance(each, dict):
                    assert each["position"] < closed
                else:
                    assert type(each) is MarketNotOpen
            with pytest.raises(MarketNotOpen):
                await two.bet(account_id, market_id, 1)
    read_log(database_url)


async def test_a_key_answered_by_one_ledger_is_answered_again_by_the_other(
    database_url: str,
) -> None:
    async with a_desk(database_url) as one, a_desk(database_url) as two:
        account_id, market_id = await one.account(1_000), await one.market()
        for number in range(20):
            bet_id = uuid4() if number % 2 else None
            command = place_bet(account_id, market_id, 10, bet_id=bet_id)
            receipts: list[Receipt] = await asyncio.gather(
                *(
                    desk.ledger.submit(command, ALICE, key=f"k{number}")
                    for desk in (one, two, one, two)
                )
            )
            assert len({receipt.answer for receipt in receipts}) == 1
            assert sum(not receipt.replayed for receipt in receipts) == 1
    log = read_log(database_url)
    assert log.account(account_id).in_play_minor == 200
    assert len(log.of(BetPlaced)) == 20


async def test_two_ledgers_under_load_never_overspend(database_url: str) -> None:
    async with a_desk(database_url) as one, a_desk(database_url) as two:
        accounts = [await one.account(1_000) for _ in range(3)]
        market_id = await one.market()

        async def spend(desk: Desk, seed: int) -> int:
            random, spent = Random(seed), 0
            for _ in range(12):
                account_id, amount = random.choice(accounts), random.randint(1, 90)
                try:
                    await desk.bet(account_id, market_id, amount)
                    spent += amount
                except InsufficientFunds:
                    await desk.deposit(account_id, 5)
                    spent -= 5
            return spent

        spent = await asyncio.gather(
            *(spend(desk, seed) for seed in range(12) for desk in (one, two))
        )
    log = read_log(database_url)
    left = sum(log.account(each).available_minor for each in accounts)
    assert left == 3_000 - sum(spent)


async def test_one_ledger_catches_up_with_more_than_it_reads_at_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TAIL_LIMIT", 10)
    async with a_desk(database_url) as one, a_desk(database_url) as two:
        account_id = await one.account()
        for rest in (9, 10, 11, 35):
            for _ in range(rest):
                await two.deposit(account_id, 1)
            balance = (await one.deposit(account_id, 1))["available_minor"]
            assert balance == len(read_log(database_url).of(FundsDeposited))


# ---- lost connections


async def test_nothing_is_lost_or_doubled_when_connections_are_killed(database_url: str) -> None:
    kills, done, random = 12, asyncio.Event(), Random(3)
    acknowledged: dict[str, int] = {}
    async with a_desk(database_url) as desk:
        accounts = [await desk.account(10**6) for _ in range(4)]
        market_id = await desk.market()

        async def client(number: int) -> None:
            for turn in count():
                if done.is_set():
                    return
                key, account_id = f"{number}-{turn}", accounts[number % 4]
                while True:
                    try:
                        if turn % 2:
                            answer = await desk.deposit(account_id, 1, key=key)
                        else:
                            answer = await desk.bet(account_id, market_id, 1, key=key)
                    except Unavailable:
                        continue
                    acknowledged[key] = answer["position"]
                    break

        async def killer() -> None:
            killed = 0
            while killed < kills:
                await asyncio.sleep(random.uniform(0.0, 0.06))
                before = len(acknowledged)
                killed += await asyncio.to_thread(kill_writers, database_url)
                while len(acknowledged) == before:  # noqa: ASYNC110  clients tell nobody
                    await asyncio.sleep(0.002)
            done.set()

        async with asyncio.timeout(300):
            await asyncio.gather(killer(), *(client(number) for number in range(12)))
    log = read_log(database_url)
    references = [each.event.reference for each in log.of(FundsDeposited)[4:]]  # type: ignore[attr-defined]
    assert sorted(references) == sorted(k for k in acknowledged if int(k.split("-")[1]) % 2)
    assert len(log.of(BetPlaced)) == len(acknowledged) - len(references)
    assert len(acknowledged) > kills
    assert len(set(acknowledged.values())) == len(acknowledged)
    by_position = {each.position: each for each in log.events}
    assert set(acknowledged.values()) <= set(by_position)


async def test_a_killed_connection_is_noticed_and_replaced(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        for amount in range(1, 6):
            assert kill_writers(database_url) == 1
            answer = await desk.deposit(account_id, 1, key=f"k{amount}")
            assert answer["available_minor"] == amount
            assert kill_writers(database_url) == 1
            with pytest.raises(Refusal):
                await desk.withdraw(account_id, 10**6)


async def test_a_database_that_stays_away_makes_commands_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RECONNECT_SECONDS", 0.3)
    name = database_url.rpartition("/")[2]
    server = psycopg.connect(database_url.replace(name, "postgres"), autocommit=True)
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        with server:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            outcomes = await asyncio.gather(
                *(desk.deposit(account_id, 1, key=f"k{n}") for n in range(30)),
                return_exceptions=True,
            )
            assert {type(each) for each in outcomes} == {Unavailable}
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        for number in range(30):
            await desk.deposit(account_id, 1, key=f"k{number}")
    assert read_log(database_url).account(account_id).available_minor == 30


async def test_a_database_that_takes_no_writes_makes_commands_unavailable_until_it_takes_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RECONNECT_SECONDS", 0.3)
    name = database_url.rpartition("/")[2]
    server = psycopg.connect(database_url.replace(name, "postgres"), autocommit=True)
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        with server:
            server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            kill_writers(database_url)
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await asyncio.wait_for(desk.deposit(account_id, 1, key="k"), 60)
            server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await desk.deposit(account_id, 1, key="k")
    assert read_log(database_url).account(account_id).available_minor == 1


async def test_a_table_that_somebody_keeps_locked_makes_commands_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RECONNECT_SECONDS", 0.3)
    monkeypatch.setattr("adapters.postgres.log._OPTIONS", "-c lock_timeout=100ms")
    async with a_desk(database_url) as desk:
        account_id = await desk.account()
        with psycopg.connect(database_url) as somebody:
            somebody.execute("LOCK TABLE ledger_events IN ACCESS EXCLUSIVE MODE")
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await asyncio.wait_for(desk.deposit(account_id, 1, key="k"), 60)
        await desk.deposit(account_id, 1, key="k")
    assert read_log(database_url).account(account_id).available_minor == 1


async def test_settlement_survives_killed_connections(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(1_000), await desk.market()
        bets = [UUID((await desk.bet(account_id, market_id, 10))["bet_id"]) for _ in range(40)]
        await desk.score(market_id, 1, 0)
        for start in range(0, 40, 4):
            kill_writers(database_url)
            chunk = SettleBets(bet_ids=bets[start : start + 4])
            for _ in range(2):
                await desk.ask(chunk, SETTLER, target=market_id)
        await desk.ask(CompleteSettlement(), SETTLER, target=market_id)
    log = read_log(database_url)
    assert len(log.of(BetSettled)) == 40
    assert log.account(account_id).available_minor == 1_000 + 40 * 15
    assert log.account(account_id).promised_minor == 0
