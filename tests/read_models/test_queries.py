"""What the read models answer, against what was done."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from adapters.postgres.reader import Reader
from domain.account import Account
from domain.actors import SETTLER
from domain.commands.account import CompleteWithdrawal, OpenAccount, Withdraw
from domain.commands.bet import PlaceBet, PlaceBets
from domain.commands.market import (
    DeclareResult,
    FixtureBody,
    OpenMarket,
    RollBackResult,
    SelectionBody,
    SelectionResultBody,
)
from domain.commands.odds import QuoteBody, RecordOdds
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.events.account import AccountLimits
from domain.events.bet import Leg
from domain.events.market import StartingPrice
from domain.journal import postings
from domain.money import MAX_FUNDS_MINOR
from domain.refusals import InvalidInput
from domain.streams import State, evolve
from read_models import (
    balances,
    bets,
    betting_totals,
    exposure,
    journal,
    markets,
    prices,
    statement,
)
from tests.application.desk import Desk, read_log
from tests.builders import ALICE, BOB, FIXTURE, NOW, OPERATOR
from tests.read_models.business import faults, follow, run_business

pytestmark = pytest.mark.anyio

NOBODY = UUID(int=0)


async def test_a_balance_is_what_was_moved(desk: Desk, db: Reader, database_url: str) -> None:
    account_id = await desk.account(10_000)
    placed = await desk.bet(account_id, await desk.market(), 1_000)
    follow(database_url)
    found = await balances.get(db, account_id)
    assert found == balances.Balance(
        account_id,
        "alice",
        "EUR",
        "main",
        None,
        9_000,
        1_000,
        3,
        placed["position"],
        overdrawn=False,
        bonus_minor=0,
        limits=AccountLimits(),
    )
    assert await balances.get(db, NOBODY) is None


async def test_accounts_come_in_pages(desk: Desk, db: Reader, database_url: str) -> None:
    mine = [await desk.account() for _ in range(5)]
    await desk.account(owner=BOB)
    follow(database_url)
    first = await balances.page(db, "alice", limit=3)
    second = await balances.page(db, "alice", limit=3, cursor=first.next_cursor)
    assert [row.account_id for row in (*first.items, *second.items)] == sorted(mine)
    assert second.next_cursor is None
    assert len((await balances.page(db)).items) == 6
    for cursor in ("", "!", "AAAA", "kgYB", "é"):
        with pytest.raises(InvalidInput):
            await balances.page(db, cursor=cursor)


async def test_a_statement_runs_on(desk: Desk, db: Reader, database_url: str) -> None:
    account_id = await desk.account(10_000)
    market_id = await desk.market()
    bet_id = UUID((await desk.bet(account_id, market_id, 1_000, odds="2.5"))["bet_id"])
    request = Withdraw(amount_minor=500, method="bank", reference="rent")
    asked = await desk.ask(request, target=account_id)
    await desk.ask(CompleteWithdrawal(), OPERATOR, target=UUID(asked["transfer_id"]))
    await desk.score(market_id, 1, 0)
    await desk.ask(SettleBets(bet_ids=[bet_id]), OPERATOR, target=market_id)
    follow(database_url)
    rows = (await statement.page(db, account_id)).items
    shown = [(r.kind, r.amount_minor, r.available_after_minor, r.in_play_after_minor) for r in rows]
    assert shown == [
        ("settlement", 2_500, 11_000, 0),
        ("withdrawal_completed", 0, 8_500, 1_000),
        ("withdrawal_requested", -500, 8_500, 1_500),
        ("stake", -1_000, 9_000, 1_000),
        ("deposit", 10_000, 10_000, 0),
    ]
    assert [r.reference for r in rows[:3]] == [str(bet_id), "rent", "rent"]
    for end in range(len(rows)):
        assert rows[end].available_after_minor == sum(r.amount_minor for r in rows[end:])


async def test_a_statement_comes_in_pages_and_by_time(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id = await desk.account()
    for amount_minor in range(1, 8):
        await desk.deposit(account_id, amount_minor)
    follow(database_url)
    everything = (await statement.page(db, account_id)).items
    assert [row.amount_minor for row in everything] == [7, 6, 5, 4, 3, 2, 1]
    first = await statement.page(db, account_id, limit=4)
    second = await statement.page(db, account_id, limit=4, cursor=first.next_cursor)
    assert (*first.items, *second.items) == tuple(everything)
    start, end = everything[5].at, everything[1].at
    between = await statement.page(db, account_id, start=start, end=end)
    assert [row.amount_minor for row in between.items] == [5, 4, 3, 2]
    later = datetime.now(UTC) + timedelta(days=1)
    assert (await statement.page(db, account_id, start=later)).items == []
    assert (await statement.page(db, account_id, end=start - timedelta(days=1))).items == []


async def test_balances_at_every_moment(desk: Desk, db: Reader, database_url: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    other = await desk.account(1)
    await run_business(desk, seed=5, steps=25)
    follow(database_url)
    log = read_log(database_url)
    assert await statement.balance_as_of(db, other, 0) is None
    assert await statement.balance_as_of(db, other, before) is None
    assert await statement.balance_as_of(db, other, 1) == statement.BalanceAsOf(0, 0, 1, 1)
    states: dict[UUID, State] = {}
    for recorded in log.events:
        state = evolve(states.get(recorded.stream_id), recorded.stream_id, recorded.event)
        states[recorded.stream_id] = state
        if isinstance(state, Account):
            funds = (state.available_minor, state.in_play_minor, state.version)
            expected = statement.BalanceAsOf(*funds, recorded.position)
            then = await statement.balance_as_of(db, recorded.stream_id, recorded.position)
            assert then == expected
            at_that_time = await statement.balance_as_of(db, recorded.stream_id, recorded.at)
            assert at_that_time is not None  # several events of a batch share their time
            assert at_that_time.position >= recorded.position
    for account_id, state in log.states.items():
        shown = await balances.get(db, account_id)
        if shown is not None:
            account = log.account(account_id)
            assert (shown.available_minor, shown.in_play_minor, shown.version) == (
                account.available_minor,
                account.in_play_minor,
                state.version,
            )


async def test_bets_are_found_by_all_that_names_them(
    desk: Desk, db: Reader, database_url: str
) -> None:
    mine, his = await desk.account(10_000), await desk.account(10_000, owner=BOB)
    one, two = await desk.market(), await desk.market()
    placed = [await desk.bet(mine, one, 100 + n) for n in range(3)]
    placed.append(await desk.bet(mine, two, 200))
    placed.append(await desk.bet(his, one, 300, owner=BOB))
    ids = [UUID(each["bet_id"]) for each in placed]
    await desk.score(two, 0, 1)
    await desk.ask(SettleBets(bet_ids=[ids[3]]), OPERATOR, target=two)
    follow(database_url)

    async def found(**filters: object) -> list[UUID]:
        page = await bets.page(db, **filters)  # type: ignore[arg-type]
        return [bet.bet_id for bet in page.items]

    newest_first = ids[::-1]
    assert await found() == newest_first
    assert await found(owner="alice") == newest_first[1:]
    assert await found(account_id=his) == [ids[4]]
    assert await found(market_id=one) == [ids[4], *ids[2::-1]]
    assert await found(market_id=one, owner="bob") == [ids[4]]
    assert await found(status="lost") == [ids[3]]
    assert await found(status="open", market_id=two) == []
    first = await bets.page(db, market_id=one, limit=2)
    second = await bets.page(db, market_id=one, limit=2, cursor=first.next_cursor)
    assert [b.bet_id for b in (*first.items, *second.items)] == [ids[4], *ids[2::-1]]
    settled = await bets.get(db, ids[3])
    assert settled is not None
    assert (settled.status, settled.return_minor, settled.settled_at is None) == ("lost", 0, False)
    assert settled.legs == [bets.BetLeg(two, "home", Decimal("2.5"), "lost")]
    open_bet = await bets.get(db, ids[0])
    assert open_bet is not None
    assert (open_bet.return_minor, open_bet.legs[0].result) == (None, None)
    assert await bets.get(db, NOBODY) is None


async def test_an_owner_with_many_accounts_has_their_bets_in_one_order(
    desk: Desk, db: Reader, database_url: str
) -> None:
    mine = [await desk.account(10_000) for _ in range(4)]
    await desk.account()  # and one that never bets
    his, market_id = await desk.account(10_000, owner=BOB), await desk.market()
    turns = (0, 1, 1, 2, 0, 3, 3, 3, 1, 0)
    ids = []
    for turn in turns:
        ids.append(UUID((await desk.bet(mine[turn], market_id, 100))["bet_id"]))
        await desk.bet(his, market_id, 100, owner=BOB)
    follow(database_url)
    shown: list[UUID] = []
    cursor = None
    for _ in range(0, len(turns), 2):  # pages shorter than there are accounts
        page = await bets.page(db, owner="alice", limit=2, cursor=cursor)
        shown += [bet.bet_id for bet in page.items]
        cursor = page.next_cursor
    assert shown == ids[::-1]
    assert cursor is None
    assert len((await bets.page(db, owner="bob", status="open")).items) == len(turns)
    assert (await bets.page(db, owner="bob", status="lost")).items == []
    assert (await bets.page(db, owner="nobody")).items == []


async def test_bets_to_visit_are_paged_in_the_order_in_which_they_were_placed(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id, market_id = await desk.account(10_000), await desk.market()
    ids = [UUID((await desk.bet(account_id, market_id, 1))["bet_id"]) for _ in range(5)]
    follow(database_url)
    first = await bets.to_visit(db, market_id, 0, 0, 3)
    assert [(bet_id, alone) for bet_id, _, alone in first] == [(each, True) for each in ids[:3]]
    rest = await bets.to_visit(db, market_id, 0, first[-1][1], 3)
    assert [bet_id for bet_id, _, _ in rest] == ids[3:]
    declared = (await desk.score(market_id, 1, 0))["position"]
    await desk.ask(SettleBets(bet_ids=ids[1:4]), OPERATOR, target=market_id)
    follow(database_url)
    left = await bets.to_visit(db, market_id, declared)
    assert [bet_id for bet_id, _, _ in left] == [ids[0], ids[4]]
    corrected = (await desk.score(market_id, 0, 1))["position"]
    assert await bets.to_visit(db, market_id, corrected) == [*first, *rest]
    assert await bets.to_visit(db, NOBODY, corrected) == []


async def test_a_market_from_opening_to_settlement(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id, market_id = await desk.account(10_000), await desk.market()
    await desk.market()
    bet_ids = [
        UUID((await desk.bet(account_id, market_id, 100, selection_id=side))["bet_id"])
        for side in ("home", "away")
    ]
    follow(database_url)
    market = await markets.get(db, market_id)
    assert market is not None
    assert market.fixture == FIXTURE
    assert (market.status, market.score) == ("open", None)
    assert [s.result for s in market.selections] == [None, None, None]
    assert await markets.unsettled(db) == []
    declared = await desk.score(market_id, 2, 1)
    await desk.ask(SettleBets(bet_ids=bet_ids[:1]), OPERATOR, target=market_id)
    follow(database_url)
    assert await markets.unsettled(db) == [(market_id, declared["position"], 1, 0)]
    halfway = await markets.settlement(db, market_id)
    assert halfway is not None
    assert (halfway.open_bets, halfway.settled_bets, halfway.progress) == (1, 1, 0.5)
    await desk.ask(SettleBets(bet_ids=bet_ids[1:]), OPERATOR, target=market_id)
    done = await desk.ask(CompleteSettlement(), OPERATOR, target=market_id)
    follow(database_url)
    market = await markets.get(db, market_id)
    assert market is not None
    assert [s.result for s in market.selections] == ["won", "lost", "lost"]
    assert (market.status, market.position) == ("settled", done["position"])
    assert market.settlement.completed
    assert [(t.bets, t.stake_minor, t.return_minor) for t in market.settlement.totals] == [
        (2, 200, 250)
    ]
    assert await markets.unsettled(db) == []
    settlement = await markets.settlement(db, market_id)
    assert settlement is not None
    assert (settlement.completed, settlement.open_bets, settlement.progress) == (True, 0, 1.0)
    assert await markets.settlement(db, NOBODY) is None


async def test_a_corrected_result_shows_everywhere_by_its_difference(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id, market_id = await desk.account(1_000), await desk.market()
    placed = await desk.bet(account_id, market_id, 100)
    bet_id, position = UUID(placed["bet_id"]), placed["position"]

    async def settle(generation: int) -> markets.SettlementRow:
        due = SettleBets(bet_ids=[bet_id], generation=generation, after=position)
        await desk.ask(due, OPERATOR, target=market_id)
        follow(database_url)
        started = await markets.unsettled(db)
        assert [(each[0], *each[2:]) for each in started] == [(market_id, generation, position)]
        done = CompleteSettlement(generation=generation)
        await desk.ask(done, OPERATOR, target=market_id)
        follow(database_url)
        assert await markets.unsettled(db) == []
        found = await markets.settlement(db, market_id)
        assert found is not None
        assert (found.completed, found.generation) == (True, generation)
        return found

    await desk.score(market_id, 1, 0)
    assert [t.return_minor for t in (await settle(1)).totals] == [250]
    await desk.ask(
        Withdraw(amount_minor=1_100, method="bank"), target=account_id
    )  # what it won, and more
    await desk.score(market_id, 0, 1)
    assert [(t.bets, t.stake_minor, t.return_minor) for t in (await settle(2)).totals] == [
        (1, 100, 0)
    ]
    balance = await balances.get(db, account_id)
    assert balance is not None
    assert (balance.available_minor, balance.overdrawn) == (-200, True)
    owing = await balances.page(db, overdrawn=True)
    assert [each.account_id for each in owing.items] == [account_id]
    assert account_id not in [
        e.account_id for e in (await balances.page(db, overdrawn=False)).items
    ]
    bet = await bets.get(db, bet_id)
    assert bet is not None
    assert (bet.status, bet.return_minor, bet.legs[0].result) == ("lost", 0, "lost")
    await desk.ask(RollBackResult(reason="wrong match"), OPERATOR, target=market_id)
    assert (await settle(3)).totals == []
    market = await markets.get(db, market_id)
    assert market is not None
    assert (market.status, market.score, market.selections[0].result) == ("closed", None, None)
    bet = await bets.get(db, bet_id)
    assert bet is not None
    assert (bet.status, bet.return_minor, bet.settled_at, bet.legs[0].result) == (
        "open",
        None,
        None,
        None,
    )
    rows = (await statement.page(db, account_id)).items
    assert [(row.kind, row.amount_minor, row.in_play_after_minor) for row in rows[:4]] == [
        ("settlement_rolled_back", 0, 1_200),
        ("resettlement", -250, 1_100),
        ("withdrawal_requested", -1_100, 1_100),
        ("settlement", 250, 0),
    ]
    assert (await journal.trial_balance(db)).check_minor == {"EUR": 0}
    shown = await exposure.of_market(db, market_id)
    assert shown is not None
    (euros,) = shown.currencies
    assert (euros.bets, euros.stake_minor, euros.settled.bets, euros.settled.return_minor) == (
        1,
        100,
        0,
        0,
    )
    (day,) = (await betting_totals.page(db)).items
    assert (day.bets, day.settled_bets, day.settled_stake_minor, day.returned_minor) == (1, 0, 0, 0)


async def test_a_market_may_be_settled_in_parts(desk: Desk, db: Reader, database_url: str) -> None:
    account_id, market_id = await desk.account(1_000), await desk.market()
    ids = [
        UUID((await desk.bet(account_id, market_id, 100, selection_id=side))["bet_id"])
        for side in ("home", "draw")
    ]
    lost = [SelectionResultBody(selection_id="draw", result="lost")]
    await desk.ask(DeclareResult(results=lost, partial=True), OPERATOR, target=market_id)
    await desk.ask(SettleBets(bet_ids=ids), OPERATOR, target=market_id)
    await desk.ask(CompleteSettlement(), OPERATOR, target=market_id)
    follow(database_url)
    settlement = await markets.settlement(db, market_id)
    assert settlement is not None
    assert (settlement.status, settlement.completed, settlement.open_bets) == (
        "part_resulted",
        True,
        1,
    )
    assert settlement.progress == 0.5
    shown = await markets.get(db, market_id)
    assert shown is not None
    assert [each.result for each in shown.selections] == [None, "lost", None]


async def test_markets_are_listed_and_found(desk: Desk, db: Reader, database_url: str) -> None:
    ids = sorted([await desk.market() for _ in range(3)])
    await desk.score(ids[1], 0, 0)
    follow(database_url)
    first = await markets.page(db, sport="football", limit=2)
    second = await markets.page(db, sport="football", limit=2, cursor=first.next_cursor)
    assert [m.market_id for m in (*first.items, *second.items)] == ids
    assert [m.market_id for m in (await markets.page(db, status="resulted")).items] == [ids[1]]
    assert (await markets.page(db, sport="chess")).items == []
    assert (await markets.page(db, starts_after=FIXTURE.starts_at)).items == []
    assert FIXTURE.fixture_id is not None
    assert await markets.find(db, FIXTURE.fixture_id, "1X2") in ids
    assert await markets.find(db, FIXTURE.fixture_id, "OU", Decimal("2.5")) is None


async def test_exposure_is_what_each_outcome_costs(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id, market_id = await desk.account(10_000), await desk.market()
    home = await desk.bet(account_id, market_id, 100, odds="3", selection_id="home")
    await desk.bet(account_id, market_id, 50, odds="2", selection_id="away")
    follow(database_url)
    found = await exposure.of_market(db, market_id)
    assert found is not None
    (euro,) = found.currencies
    profits = {o.selection_id: o.house_profit_minor for o in euro.outcomes}
    assert profits == {"home": 150 - 300, "draw": 150, "away": 150 - 100}
    assert (euro.bets, euro.stake_minor, euro.worst_case_minor) == (2, 150, -150)
    await desk.score(market_id, 1, 0)
    await desk.ask(SettleBets(bet_ids=[UUID(home["bet_id"])]), OPERATOR, target=market_id)
    follow(database_url)
    found = await exposure.of_market(db, market_id)
    assert found is not None
    (euro,) = found.currencies
    assert (euro.bets, euro.stake_minor) == (1, 50)
    assert euro.settled == exposure.SettledSums(1, 100, 300, -200)
    assert await exposure.of_market(db, NOBODY) is None


async def test_totals_of_a_day(desk: Desk, db: Reader, database_url: str) -> None:
    account_id, market_id = await desk.account(10_000), await desk.market()
    placed = [await desk.bet(account_id, market_id, 100, odds="3") for _ in range(3)]
    await desk.score(market_id, 1, 0)
    bet_ids = [UUID(each["bet_id"]) for each in placed[:2]]
    await desk.ask(SettleBets(bet_ids=bet_ids), OPERATOR, target=market_id)
    follow(database_url)
    (day,) = (await betting_totals.page(db)).items
    today = datetime.now(UTC).date()
    key = (today, "EUR", "football", "1X2")
    assert day == betting_totals.DayTotals(*key, 3, 300, 2, 200, 600, -400)
    assert (await betting_totals.page(db, start=today + timedelta(days=2))).items == []


async def test_the_trial_balance_is_zero_at_every_position_and_time(
    desk: Desk, db: Reader, database_url: str
) -> None:
    await run_business(desk, seed=3, steps=25)
    follow(database_url)
    log = read_log(database_url)
    now = await journal.trial_balance(db)
    assert now.check_minor == {"EUR": 0}
    assert await journal.trial_balance(db, log.events[-1].position) == now
    assert await journal.trial_balance(db, log.events[-1].at) == now
    assert (await journal.trial_balance(db, 0)).rows == []
    assert (await journal.trial_balance(db, log.events[0].at - timedelta(seconds=1))).rows == []
    for recorded in log.events:
        then = await journal.trial_balance(db, recorded.position)
        assert set(then.check_minor.values()) <= {0}
        entry = await journal.entry(db, recorded.position)
        assert {(x.book, x.amount_minor, x.currency, x.detail) for x in entry} == {
            (x.book, x.amount_minor, x.currency, x.detail) for x in postings(recorded.event)
        }
    account_id = next(r.stream_id for r in log.events if r.event.topic == "account.opened")
    first = await journal.entries(db, account_id, limit=3)
    second = await journal.entries(db, account_id, limit=500, cursor=first.next_cursor)
    lines = [*first.items, *second.items]
    assert {line.account_id for line in lines} == {account_id}
    assert [(x.position, x.line) for x in lines] == sorted({(x.position, x.line) for x in lines})
    everything = await journal.entries(db, limit=10_000)
    assert len(everything.items) > len(lines)


async def test_prices_latest_and_past(desk: Desk, db: Reader, database_url: str) -> None:
    market_id, at = await desk.market(), datetime.now(UTC)

    async def quote(odds: str, seconds: int) -> None:
        body = QuoteBody(
            bookmaker="Ladder",
            market_id=market_id,
            selection_id="home",
            odds=Decimal(odds),
            at=at - timedelta(seconds=seconds),
            closing=odds == "2.2",
        )
        await desk.ask(RecordOdds(quotes=[body]), OPERATOR)

    await quote("2.1", 10)
    await quote("2.2", 5)
    await quote("2.3", 7)  # came late
    follow(database_url)
    (price,) = await prices.latest(db, market_id)
    assert (price.odds, price.closing, price.at) == (
        Decimal("2.2"),
        True,
        at - timedelta(seconds=5),
    )
    everything = prices.QuoteFilter(market_id)
    past = await prices.history(db, everything)
    assert [quote.odds for quote in past.items] == [Decimal("2.1"), Decimal("2.3"), Decimal("2.2")]
    first = await prices.history(db, everything, limit=1)
    second = await prices.history(db, everything, limit=2, cursor=first.next_cursor)
    assert (*first.items, *second.items) == tuple(past.items)
    between = prices.QuoteFilter(market_id, start=at - timedelta(seconds=7), end=at)
    since = await prices.history(db, between)
    assert [quote.odds for quote in since.items] == [Decimal("2.3"), Decimal("2.2")]
    assert await prices.latest(db, NOBODY) == []


async def test_an_account_may_win_more_than_64_bits_hold(
    desk: Desk, db: Reader, database_url: str
) -> None:
    """Nobody knows what bets at starting prices return, so nothing refuses them: the views show it all the same."""
    bets_at_once, stake = 2_100, 10**12
    opened = OpenAccount(currency="EUR", name="lucky", commission=Decimal("0.9"))
    account_id = UUID((await desk.ask(opened, ALICE))["account_id"])
    funds = bets_at_once * stake
    for part in (10**15, 10**15, funds - 2 * 10**15):
        await desk.deposit(account_id, part)
    runners = [SelectionBody(selection_id=each, name=each) for each in ("red", "blue")]
    race = OpenMarket(
        fixture=FixtureBody(sport="racing", competition="Ascot", name="Derby", starts_at=NOW),
        type="WIN",
        selections=runners,
        pricing="external",
    )
    market_id = UUID((await desk.ask(race, OPERATOR))["market_id"])
    bet = PlaceBet(account_id=account_id, legs=(Leg(market_id, "red", None),), stake_minor=stake)
    placed = await desk.ask(PlaceBets(bets=[bet] * bets_at_once))
    ids = [UUID(each["bet_id"]) for each in placed["results"]]
    ended = DeclareResult(
        finish=[["red"], ["blue"]], starting_prices=(StartingPrice("red", Decimal(10_000)),)
    )
    await desk.ask(ended, OPERATOR, target=market_id)
    for start in range(0, bets_at_once, 500):
        page = ids[start : start + 500]
        step = SettleBets(bet_ids=page, generation=1, since=start, after=start + len(page))
        await desk.ask(step, SETTLER, target=market_id)
    completed = CompleteSettlement(generation=1, since=bets_at_once)
    await desk.ask(completed, SETTLER, target=market_id)
    follow(database_url)
    assert not faults(database_url)
    held = bets_at_once * MAX_FUNDS_MINOR - MAX_FUNDS_MINOR  # less what one event takes at most
    assert held > 2**64
    shown = await balances.get(db, account_id)
    assert shown is not None
    assert (shown.available_minor, shown.in_play_minor) == (held, 0)
    newest = (await statement.page(db, account_id, limit=1)).items[0]
    assert (newest.kind, newest.available_after_minor) == ("commission", held)
    then = await statement.balance_as_of(db, account_id, newest.position)
    assert then is not None
    assert type(then.available_minor) is int
    assert then.available_minor == held
    assert read_log(database_url).account(account_id).available_minor == held
    row = await markets.settlement(db, market_id)
    assert row is not None
    assert row.completed
    assert row.totals[0].return_minor == bets_at_once * MAX_FUNDS_MINOR
