from decimal import Decimal
from random import Random
from uuid import uuid4

import pytest

from adapters.football_data import PricedMarket
from domain.events.market import MarketType
from fairbook.demo.book import Purse
from fairbook.demo.season import rounds
from fairbook.demo.simulation import simulate_season
from fairbook.demo.tickets import Quota
from fairbook.demo.traders import TRADERS, Desk, Pick, Prices, Trader, prices

BY_NAME = {trader.name: trader for trader in TRADERS}
EVEN: dict[str, dict[str, str]] = {
    "home": {"a": "1.9", "b": "1.95"},
    "draw": {"a": "3.4", "b": "3.6"},
    "away": {"a": "4.2", "b": "5"},
}
GOALS: dict[str, dict[str, str]] = {
    "over": {"a": "1.8", "b": "1.85"},
    "under": {"a": "2", "b": "2.02"},
}


def table(offers: dict[str, dict[str, str]]) -> Prices:
    return {s: {b: Decimal(odds) for b, odds in offer.items()} for s, offer in offers.items()}


def desk(
    now: dict[str, dict[str, str]],
    before: dict[str, dict[str, str]] | None = None,
    market_type: MarketType = "1X2",
    losing_rounds: int = 0,
) -> Desk:
    market = PricedMarket(uuid4(), market_type, None, ())
    purse = Purse("someone", "GBP", available_minor=1_000_000, losing_rounds=losing_rounds)
    return Desk(market, table(now), table(before or {}), purse, Random(1))


def picked(name: str, at: Desk) -> list[tuple[str, str]]:
    return [(pick.selection_id, str(pick.odds)) for pick in BY_NAME[name].picks(at)]


def test_a_dozen_traders_with_names_of_their_own_bet_in_both_ways() -> None:
    assert len(BY_NAME) == len(TRADERS) == 12
    assert {trader.sends for trader in TRADERS} == {"singly", "batches"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ada", [("home", "1.9"), ("home", "1.95")]),
        ("basil", [("away", "4.2"), ("away", "5")]),
        ("chloe", [("home", "1.9"), ("home", "1.95")]),
        ("dmitri", [("draw", "3.4"), ("draw", "3.6")]),
        ("elena", []),
        ("greta", [("away", "5")]),  # 5 is 8.7% above 4.6; 3.6 only 2.9% above 3.5
        ("hiro", [("draw", "3.6"), ("away", "5")]),
        ("ines", []),
        ("lola", [("home", "1.95")]),
    ],
)
def test_strategies_on_a_match_market(name: str, expected: list[tuple[str, str]]) -> None:
    assert picked(name, desk(EVEN)) == expected


def test_strategies_on_goals() -> None:
    at = desk(GOALS, market_type="OU")
    assert picked("elena", at) == [("over", "1.8"), ("over", "1.85")]
    assert picked("femi", at) == [("under", "2"), ("under", "2.02")]
    assert picked("ada", at) == picked("chloe", at) == picked("lola", at) == []


def test_steam_and_drift_take_opposite_sides_of_a_move() -> None:
    before = EVEN | {"home": {"a": "2.1", "b": "1.95"}, "away": {"a": "4.2", "b": "4.5"}}
    assert picked("ines", desk(EVEN, before)) == [("home", "1.9")]
    assert picked("jonas", desk(EVEN, before)) == [("away", "5")]


def test_kelly_stakes_a_quarter_of_the_edge_in_whole_minor_units() -> None:
    # Averages 2 and 2 are a fair book, so p = 1/2; at 2.1 Kelly is (1/2 x 2.1 - 1) / 1.1 = 1/22.
    at = desk({"over": {"a": "2.1", "b": "1.9"}, "under": {"a": "2", "b": "2"}}, market_type="OU")
    [pick] = BY_NAME["hiro"].picks(at)
    assert pick.stake_minor == 1_000_000 // 88


def test_the_chaser_doubles_after_each_losing_round_up_to_a_bound() -> None:
    stakes = [
        next(BY_NAME["lola"].picks(desk(EVEN, losing_rounds=lost))).stake_minor
        for lost in (0, 1, 2, 12, 50)
    ]
    assert stakes == [2_000, 4_000, 8_000, 8_192_000, 8_192_000]


def test_no_strategy_trips_over_a_market_without_prices() -> None:
    for trader in TRADERS:
        assert list(trader.picks(desk({}))) == []


def test_strategies_only_back_what_is_offered() -> None:
    for round_ in rounds(simulate_season(seed=2, teams=4)):
        for snapshot in round_.phases()[0]:
            now = prices(snapshot.market)
            at = Desk(snapshot.market, now, {}, Purse("x", "GBP", available_minor=10**6), Random(1))
            for trader in TRADERS:
                for pick in trader.picks(at):
                    assert pick.odds in now[pick.selection_id].values()
                    assert pick.market_id == snapshot.market.market_id


def picks(count: int) -> list[tuple[Trader, Pick]]:
    return [(TRADERS[0], Pick(uuid4(), "home", Decimal(2), 1_000)) for _ in range(count)]


@pytest.mark.parametrize("per_phase", [[3, 3, 3, 3], [50, 1, 0, 20], [0, 0, 0, 5]])
def test_a_quota_is_met_whatever_the_phases_offer(per_phase: list[int]) -> None:
    quota = Quota(bets=101, phases=4)
    tickets = [ticket for count in per_phase for ticket in quota.plan(picks(count), Random(1))]
    assert len(tickets) == quota.planned == 101


def test_a_split_pick_keeps_its_stake_but_for_the_rounding() -> None:
    tickets = Quota(bets=7, phases=1).plan(picks(1), Random(1))
    assert [ticket.stake_minor for ticket in tickets] == [142] * 7


def test_a_phase_of_many_picks_is_thinned_by_lot_repeatably() -> None:
    offered = picks(100)
    first = Quota(bets=10, phases=1).plan(offered, Random(4))
    assert first == Quota(bets=10, phases=1).plan(offered, Random(4))
    assert len({ticket.pick.market_id for ticket in first}) == 10
