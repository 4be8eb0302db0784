"""Limits in a running ledger: after restarts and in little memory, settled step by step, begun later, and without a trace elsewhere."""

import asyncio
from typing import Any
from uuid import UUID

import psycopg
import pytest

from application.decisions.liabilities import liability_id
from domain.actors import SETTLER
from domain.commands.bet import PlaceBet, PlaceBets
from domain.commands.market import (
    BetsSeen,
    ChangeMarketLimits,
    DeclareResult,
    FixtureBody,
    LimitsBody,
    OpenMarket,
    ResumeMarket,
    RollBackResult,
    SelectionBody,
    SelectionResultBody,
    SuspendMarket,
)
from domain.commands.settlement import SettleBets
from domain.events.bet import Leg
from domain.events.liability import Held, LiabilityChanged, LiabilityCounted
from domain.liability import EMPTY, NOTHING, Liability, liability_minor
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR
from domain.refusals import LimitExceeded, MarketStateConflict, PriceChanged
from tests.application.desk import Desk, Log, a_desk, read_log
from tests.builders import NOW, OPERATOR, an_id, open_market, place_bet
from tests.read_models.business import follow

pytestmark = pytest.mark.anyio

LIMITS = LimitsBody(max_liability_minor=30_000)
RUNNERS = ("red", "blue")


def liability(log: Log, market_id: UUID) -> Liability:
    state = log.states[liability_id(market_id)]
    assert isinstance(state, Liability)
    return state


async def exceeded(
    desk: Desk, account_id: UUID, market_id: UUID, stake_minor: int, selection_id: str = "home"
) -> Any:
    """The members of the refusal of a bet."""
    with pytest.raises(LimitExceeded) as caught:
        await desk.bet(account_id, market_id, stake_minor, selection_id=selection_id)
    return caught.value.members


async def a_race(desk: Desk) -> UUID:
    fixture = FixtureBody(sport="racing", competition="Ascot", name="Derby", starts_at=NOW)
    runners = [SelectionBody(selection_id=each, name=each) for each in RUNNERS]
    command = OpenMarket(fixture=fixture, type="WIN", selections=runners, pricing="external")
    return UUID((await desk.ask(command, OPERATOR))["market_id"])


async def test_a_limit_holds_in_little_memory_and_after_a_restart(database_url: str) -> None:
    async with a_desk(database_url, capacity=4) as desk:
        account_id, market_id = await desk.account(10**6), await desk.market(limits=LIMITS)
        others = [await desk.market(limits=LIMITS) for _ in range(6)]
        for number in range(150):
            await desk.bet(account_id, market_id, 100)
            await desk.bet(account_id, others[number % 6], 1)
        assert desk.ledger.streams_in_memory < 30
    follow(database_url, ["snapshots"])
    with psycopg.connect(database_url) as connection:
        kept = connection.execute(
            "SELECT version FROM ledger_snapshots WHERE stream_id = %s", (liability_id(market_id),)
        ).fetchone()
    assert kept == (128,)
    async with a_desk(database_url) as desk:
        members = await exceeded(desk, account_id, market_id, 10_000)
        assert members["left_minor"] == 30_000 - 150 * 150
        await desk.bet(account_id, market_id, 5_000)
        assert (await exceeded(desk, account_id, market_id, 1))["left_minor"] == 0
    book = liability(read_log(database_url), market_id).book("EUR")
    assert (book.bets, book.backs["home"].stake_minor) == (151, 20_000)


async def test_bets_at_the_same_time_never_exceed_a_limit_together(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        accounts = [await desk.account(10**6) for _ in range(5)]
        market_id = await desk.market(limits=LIMITS)
        wishes = [desk.bet(accounts[number % 5], market_id, 100) for number in range(400)]
        done = await asyncio.gather(*wishes, return_exceptions=True)
    refused = [each for each in done if isinstance(each, LimitExceeded)]
    assert len(done) - len(refused) == 200
    assert all(isinstance(each, dict | LimitExceeded) for each in done)
    log = read_log(database_url)
    market = log.states[market_id]
    assert isinstance(market, Market)
    assert liability_minor(market, liability(log, market_id).book("EUR")) == 30_000


async def test_a_settlement_lets_go_step_by_step_and_a_rollback_holds_again(
    database_url: str,
) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(10**6), await desk.market(limits=LIMITS)
        batch = PlaceBets(bets=[place_bet(account_id, market_id, 10 + n) for n in range(120)])
        placed = await desk.ask(batch)
        bets = [UUID(each["bet_id"]) for each in placed["results"]]
        before = after = liability(read_log(database_url), market_id)
        await desk.score(market_id, 0, 2)
        for generation in (1, 2):
            for start in range(0, 120, 40):
                step = SettleBets(
                    bet_ids=bets[start : start + 40],
                    generation=generation,
                    since=start,
                    after=start + 40,
                )
                await desk.ask(step, SETTLER, target=market_id)
                await desk.ask(step, SETTLER, target=market_id)  # again: it changes nothing
            after = liability(read_log(database_url), market_id)
            if generation == 1:
                assert after.book("EUR") == EMPTY
                await desk.ask(RollBackResult(), OPERATOR, target=market_id)
        assert after.books == before.books
    changes = read_log(database_url).stream(liability_id(market_id))
    assert [type(each) for each in changes] == [LiabilityCounted] + [LiabilityChanged] * (120 + 6)


async def test_a_limit_begins_with_what_the_ledger_says_is_open(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id, market_id = await desk.account(10**6), await desk.market()
        elsewhere = await desk.bet(account_id, await desk.market(), 7)
        bets = [await desk.bet(account_id, market_id, 100) for _ in range(3)]
        ids = tuple(UUID(each["bet_id"]) for each in (*bets, elsewhere))

        async def change(version: int) -> None:
            seen = BetsSeen(version, ids)
            command = ChangeMarketLimits(max_liability_minor=500, seen=seen)
            await desk.ask(command, OPERATOR, target=market_id)

        with pytest.raises(MarketStateConflict):  # it is open
            await change(1)
        await desk.ask(SuspendMarket(), OPERATOR, target=market_id)
        await desk.ask(ResumeMarket(), OPERATOR, target=market_id)
        await desk.bet(account_id, market_id, 1)
        await desk.ask(SuspendMarket(), OPERATOR, target=market_id)
        with pytest.raises(MarketStateConflict):  # it has taken bets since they were looked up
            await change(2)
        await change(4)
        await desk.ask(ResumeMarket(), OPERATOR, target=market_id)
        assert (await exceeded(desk, account_id, market_id, 100))["left_minor"] == 50
    (counted,) = read_log(database_url).stream(liability_id(market_id))
    assert counted == LiabilityCounted(
        market_id=market_id, held=(Held("EUR", 3, 300, 750, "home"),)
    )


async def test_a_market_without_the_limit_has_no_such_stream(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account(10**6)
        market_id = await desk.market(limits=LimitsBody(max_stake_minor=500))
        for _ in range(3):
            await desk.bet(account_id, market_id, 100)
    log = read_log(database_url)
    assert liability_id(market_id) not in log.states
    assert not log.of(LiabilityChanged)


async def test_a_market_may_be_opened_and_bet_on_in_one_batch(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        account_id = await desk.account(10**6)
    async with a_desk(database_url) as desk:  # what it is asked first is decided in one batch
        limited, house = an_id("limited"), an_id("house")
        done = await asyncio.gather(
            desk.ask(open_market(limited, limits=LIMITS), OPERATOR),
            desk.bet(account_id, limited, 20_000),
            desk.bet(account_id, limited, 1),
            desk.ask(open_market(house, pricing="house"), OPERATOR),
            desk.bet(account_id, house, 1),
            return_exceptions=True,
        )
    assert [type(each) for each in done] == [dict, dict, LimitExceeded, dict, PriceChanged]


async def test_a_correction_opens_a_bet_again_that_no_limit_would_take(database_url: str) -> None:
    """It was over when the limit began; its end would never be settled if the limit refused it now."""
    async with a_desk(database_url) as desk:
        account_id = await desk.account(1_000)
        over, limited = [await a_race(desk) for _ in range(2)]
        legs = tuple(Leg(market_id, "red", None) for market_id in (over, limited))
        double = PlaceBet(account_id=account_id, kind="accumulator", legs=legs, stake_minor=100)
        bet_id = UUID((await desk.ask(double))["bet_id"])

        async def settle(generation: int) -> None:
            command = SettleBets(bet_ids=[bet_id], generation=generation, after=1)
            await desk.ask(command, SETTLER, target=over)

        lost = [SelectionResultBody(selection_id=each, result="lost") for each in RUNNERS]
        await desk.ask(DeclareResult(results=lost), OPERATOR, target=over)
        await settle(1)
        await desk.ask(SuspendMarket(), OPERATOR, target=limited)
        seen = BetsSeen(2, (bet_id,))
        begin = ChangeMarketLimits(max_liability_minor=500, seen=seen)
        await desk.ask(begin, OPERATOR, target=limited)
        await desk.ask(ResumeMarket(), OPERATOR, target=limited)
        await desk.ask(RollBackResult(), OPERATOR, target=over)
        await settle(2)
        log = read_log(database_url)
        assert log.bet(bet_id).status == "open"
        held = Held("EUR", 1, 100, MAX_FUNDS_MINOR)
        assert log.stream(liability_id(limited))[-1] == LiabilityChanged(
            market_id=limited, held=(held,)
        )
        assert (await exceeded(desk, account_id, limited, 1, "red"))["left_minor"] == 0
        await desk.ask(DeclareResult(results=lost), OPERATOR, target=over)
        await settle(3)
        await desk.bet(account_id, limited, 1, selection_id="red")
    assert liability(read_log(database_url), limited).book("EUR").others == NOTHING
