"""Performance and the curve of profit, against sums over the log itself."""

import random
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from adapters.postgres.build import Build
from adapters.postgres.reader import Reader
from adapters.postgres.schema import connect, digest
from adapters.postgres.snapshot_projection import PROJECTIONS
from domain.bet import Bet
from domain.commands.account import OpenAccount
from domain.commands.bet import PlaceBet
from domain.commands.market import CloseMarket, DeclareResult, RollBackResult, ScoreBody
from domain.commands.odds import QuoteBody, RecordOdds
from domain.commands.settlement import SettleBets
from domain.events.bet import BetPlaced, Leg
from domain.events.market import MarketOpened
from domain.refusals import InvalidInput
from read_models import bets, performance, profit_curve
from read_models.performance import Asked, Group, Performance
from tests.application.desk import Desk, Log, read_log
from tests.builders import ALICE, BOB, FIXTURE, OPERATOR, open_market
from tests.read_models.business import a_bet, digests, follow, head

pytestmark = pytest.mark.anyio


async def _everything(db: Reader, *by: performance.Dimension, **asked: Any) -> list[Performance]:
    """Walk all pages, small ones."""
    rows: list[Performance] = []
    cursor = None
    while True:
        page = await performance.report(db, by, Asked(**asked), 3, cursor)
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            assert rows == (await performance.report(db, by, Asked(**asked), 500)).items
            return rows


async def _play(desk: Desk, seed: int) -> None:
    """Bets of two people on several markets that are settled, corrected and rolled back at random."""
    rng = random.Random(seed)
    accounts = [(await desk.account(900_000, owner=who), who) for who in (ALICE, BOB, ALICE)]
    for number in range(6):
        offer = open_market()
        sport = rng.choice(("football", "hockey"))
        fixture = replace(offer.fixture, fixture_id=None, sport=sport, competition=f"{number % 2}")
        opened = await desk.ask(replace(offer, fixture=fixture), OPERATOR)
        market_id = UUID(opened["market_id"])
        ids = []
        for _ in range(rng.randint(2, 8)):
            account_id, owner = rng.choice(accounts)
            bet = a_bet(rng, account_id, market_id)
            ids.append(UUID((await desk.ask(bet, owner))["bet_id"]))
        for generation in range(1, rng.randint(1, 4)):
            if generation > 1 and rng.random() < 0.3:
                await desk.ask(RollBackResult(), OPERATOR, target=market_id)
            else:
                score = ScoreBody(home=rng.randint(0, 1) + generation, away=rng.randint(0, 4))
                await desk.ask(DeclareResult(score=score), OPERATOR, target=market_id)
            due = SettleBets(bet_ids=ids, generation=generation, after=number + 1)
            await desk.ask(due, OPERATOR, target=market_id)


def _settled(log: Log) -> list[tuple[BetPlaced, MarketOpened, Bet]]:
    """The bets that are settled as the log ends, each with what was placed and its market."""
    firsts: dict[UUID, Any] = {}
    for recorded in log.events:
        firsts.setdefault(recorded.stream_id, recorded.event)
    return [
        (firsts[id_], firsts[firsts[id_].legs[0].market_id], state)
        for id_, state in log.states.items()
        if isinstance(state, Bet) and state.settled
    ]


def _sums(bets: list[tuple[BetPlaced, MarketOpened, Bet]]) -> dict[str, Any]:
    ends = [bet.settled for _, _, bet in bets if bet.settled]
    counts = {
        name: sum(end.status == name for end in ends)
        for name in ("won", "lost", "void", "part_won")
    }
    staked = sum(placed.total_stake_minor for placed, _, _ in bets)
    returned = sum(end.return_minor for end in ends)
    odds = sum((Fraction(placed.legs[0].odds or 0) for placed, _, _ in bets), Fraction(0))
    decided = len(bets) - counts["void"]
    return counts | {
        "bets": len(bets),
        "turnover_minor": staked,
        "return_minor": returned,
        "profit_minor": returned - staked,
        "yield_": _rounded(Fraction(returned - staked, staked)),
        "win_rate": _rounded(Fraction(counts["won"], decided)) if decided else None,
        "average_odds": _rounded(odds / len(bets)),
    }


def _rounded(exact: Fraction) -> Decimal:
    return Decimal(round(exact * 10**6)) / 10**6


@pytest.mark.parametrize("seed", [3, 4])
async def test_reports_are_what_the_bets_of_the_log_add_up_to(
    desk: Desk, db: Reader, database_url: str, seed: int
) -> None:
    await _play(desk, seed)
    follow(database_url)
    log = read_log(database_url)
    settled = _settled(log)
    assert len(settled) > 5
    keys: dict[performance.Dimension, Callable[[BetPlaced, MarketOpened], Group]] = {
        "account": lambda placed, _: Group(account_id=placed.account_id),
        "owner": lambda placed, _: Group(owner=placed.owner),
        "sport": lambda _, market: Group(sport=market.fixture.sport),
        "competition": lambda _, market: Group(competition=market.fixture.competition),
        "market_type": lambda _, market: Group(market_type=market.type),
        "kind": lambda placed, _: Group(kind=placed.kind),
    }
    for by, key in keys.items():
        groups: dict[Group, list[tuple[BetPlaced, MarketOpened, Bet]]] = defaultdict(list)
        for each in settled:
            groups[key(each[0], each[1])].append(each)
        rows = await _everything(db, by)
        assert {row.group for row in rows} == set(groups)
        for row in rows:
            expected = _sums(groups[row.group])
            assert {name: getattr(row, name) for name in expected} == expected
    by_two = await _everything(db, "owner", "account")
    assert {(row.group.owner, row.group.account_id) for row in by_two} == {
        (placed.owner, placed.account_id) for placed, _, _ in settled
    }
    (mine,) = await _everything(db, "kind", owner="alice")
    assert mine.bets == sum(placed.owner == "alice" for placed, _, _ in settled)
    assert await _everything(db, "sport", sport="chess") == []


async def test_a_correction_counts_by_its_difference_and_a_rollback_takes_all_back(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id, market_id = await desk.account(1_000), await desk.market()
    bet_id = UUID((await desk.bet(account_id, market_id, 100))["bet_id"])

    async def settle(generation: int) -> list[Performance]:
        due = SettleBets(bet_ids=[bet_id], generation=generation, after=1)
        await desk.ask(due, OPERATOR, target=market_id)
        follow(database_url)
        return await _everything(db, "account", "day")

    follow(database_url)
    assert await _everything(db, "account") == []
    await desk.score(market_id, 1, 0)
    (row,) = await settle(1)
    assert (row.bets, row.won, row.turnover_minor, row.profit_minor) == (1, 1, 100, 150)
    rates = (row.yield_, row.win_rate, row.average_odds)
    assert rates == (Decimal("1.5"), Decimal(1), Decimal("2.5"))
    assert (row.clv, row.clv_bets) == (None, 0)
    await desk.score(market_id, 0, 1)
    (row,) = await settle(2)
    assert (row.bets, row.won, row.lost, row.profit_minor) == (1, 0, 1, -100)
    assert row.win_rate == Decimal(0)
    await desk.ask(RollBackResult(), OPERATOR, target=market_id)
    assert await settle(3) == []
    curve = await profit_curve.of(db, "day", Asked())
    assert [(point.bets, point.profit_minor) for point in curve.items] == [(0, 0)]
    assert (await profit_curve.of(db, "bet", Asked())).items == []


async def test_every_kind_of_bet_counts_once_however_the_log_is_cut(
    desk: Desk, db: Reader, database_url: str
) -> None:
    account_id = await desk.account(10_000)
    one, two = [
        UUID((await desk.ask(replace(offer, fixture=fixture), OPERATOR))["market_id"])
        for offer in (open_market(), open_market())
        for fixture in (replace(offer.fixture, fixture_id=None),)
    ]
    legs = (Leg(one, "home", Decimal(2)), Leg(two, "home", Decimal(3)))
    at_start = (Leg(one, "home", None),)
    taken = [
        PlaceBet(account_id=account_id, legs=legs, stake_minor=10, kind="accumulator"),
        PlaceBet(account_id=account_id, legs=legs[:1], stake_minor=100, side="lay"),
        PlaceBet(account_id=account_id, legs=legs[:1], stake_minor=20),
        PlaceBet(account_id=account_id, legs=at_start, stake_minor=7),
    ]
    ids = [UUID((await desk.ask(bet))["bet_id"]) for bet in taken]
    for market_id in (one, two):
        await desk.score(market_id, 0, 1)
        await desk.ask(SettleBets(bet_ids=ids, after=9), OPERATOR, target=market_id)
    follow(database_url)
    rows = await _everything(db, "kind", "market_type")
    shown = [(row.group.kind, row.group.market_type, row.bets, row.profit_minor) for row in rows]
    assert shown == [("accumulator", "accumulator", 1, -10), ("single", "1X2", 3, 100 - 20 - 7)]
    assert rows[0].average_odds is None
    assert rows[1].average_odds == Decimal(2)
    assert rows[1].turnover_minor == 100 + 20 + 7
    names = ("performance", "exposure", "betting_totals")
    with Build(database_url, [PROJECTIONS[name] for name in names], "split") as build:
        for position in range(1, head(database_url) + 1):
            build.advance(dict.fromkeys(names, position), lambda *_: None)
        with connect(database_url) as connection:
            for name in names:
                built = digest(connection, PROJECTIONS[name], build.schema_of(PROJECTIONS[name]))
                assert built == digests(database_url, [name])[name]


async def test_closing_line_values_are_means_of_what_the_bets_show(
    desk: Desk, db: Reader, database_url: str
) -> None:
    rng = random.Random(1)
    market_id = await desk.market()
    accounts = [await desk.account(100_000)]
    for held_at in ("Blue Bet", "Nobody's"):
        opened = await desk.ask(OpenAccount(currency="EUR", name="x", held_at=held_at), ALICE)
        accounts.append(UUID(opened["account_id"]))
        await desk.deposit(accounts[-1], 100_000)
    await desk.ask(
        RecordOdds(
            quotes=[
                QuoteBody(
                    bookmaker=bookmaker,
                    market_id=market_id,
                    selection_id=selection_id,
                    odds=Decimal(odds) + Decimal(place) / 10,
                    at=FIXTURE.starts_at.replace(year=2020),
                )
                for place, bookmaker in enumerate(("blue_bet", "house", "third"))
                for selection_id, odds in (("home", "1.9"), ("draw", "3.3"), ("away", "4.1"))
            ]
        ),
        OPERATOR,
    )
    ids = []
    for _ in range(12):
        odds = str(Decimal(rng.randint(1_500, 4_500)) / 1000)
        selection_id = rng.choice(("home", "draw", "away"))
        account_id = rng.choice(accounts)
        placed = await desk.bet(account_id, market_id, 10, odds=odds, selection_id=selection_id)
        ids.append(UUID(placed["bet_id"]))
    await desk.ask(CloseMarket(), OPERATOR, target=market_id)
    await desk.score(market_id, 2, 2)
    await desk.ask(SettleBets(bet_ids=ids), OPERATOR, target=market_id)
    follow(database_url)
    rows = await _everything(db, "bookmaker")
    assert {row.group.bookmaker for row in rows} == {None, "Blue Bet", "Nobody's"}
    by_account = await _everything(db, "account")
    for row in by_account:
        legs = [b.legs[0] for b in (await bets.page(db, account_id=row.group.account_id)).items]
        assert row.clv_bets == row.clv_fair_bets == row.bets == len(legs)
        for shown, single in ((row.clv, "clv"), (row.clv_fair, "clv_fair")):
            # Each bet's own value is rounded to 6 decimals, the mean is rounded once.
            mean = sum(getattr(leg, single) for leg in legs) / len(legs)
            assert abs(shown - mean) <= Decimal("0.000001")
        values = [Fraction(leg.odds or 0) / Fraction(leg.closing_odds or 0) - 1 for leg in legs]
        assert row.clv == _rounded(sum(values, Fraction(0)) / len(legs))


@pytest.mark.parametrize("seed", [6, 7])
async def test_the_curve_runs_on_and_falls_from_its_peak(
    desk: Desk, db: Reader, database_url: str, seed: int
) -> None:
    await _play(desk, seed)
    follow(database_url)
    settled = _settled(read_log(database_url))
    for owner in ("alice", "bob", None):
        profits = [
            bet.settled.return_minor - placed.total_stake_minor
            for placed, _, bet in settled
            if bet.settled and owner in (None, placed.owner)
        ]
        by_bet = await profit_curve.of(db, "bet", Asked(owner=owner), 500)
        assert sorted(point.profit_minor for point in by_bet.items) == sorted(profits)
        by_day = await profit_curve.of(db, "day", Asked(owner=owner), 500)
        assert sum(total.profit_minor for total in by_day.totals) == sum(profits)
        for curve in (by_bet, by_day):
            running = peak = deepest = 0
            for point in curve.items:
                running += point.profit_minor
                peak = max(peak, running)
                deepest = max(deepest, peak - running)
                shown = (point.running_minor, point.peak_minor, point.drawdown_minor)
                assert shown == (running, peak, peak - running)
            (total,) = curve.totals
            assert (total.profit_minor, total.peak_minor) == (running, peak)
            assert (total.points, total.max_drawdown_minor) == (len(curve.items), deepest)
        pages: list[profit_curve.CurvePoint] = []
        cursor = None
        while True:
            page = await profit_curve.of(db, "bet", Asked(owner=owner), 4, cursor)
            pages += page.items
            assert page.totals == by_bet.totals
            cursor = page.next_cursor
            if cursor is None:
                break
        assert pages == by_bet.items


async def test_what_is_no_cursor_of_a_report_is_refused(db: Reader) -> None:
    asked = Asked()
    for cursor in ("", "!", "AAAA", "kgYB"):
        with pytest.raises(InvalidInput):
            await performance.report(db, ["sport"], asked, cursor=cursor)
        with pytest.raises(InvalidInput):
            await profit_curve.of(db, "day", asked, cursor=cursor)
