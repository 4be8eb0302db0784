"""Bets of every kind: which are taken, what they hold and promise, and how they end."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.bet import Bet
from domain.events.account import StakeResettled, StakeSettled
from domain.events.bet import BetKind, BetPlaced, BetSettled, Leg
from domain.events.market import (
    DeadHeat,
    MarketLimits,
    MarketType,
    Pricing,
    Result,
    Score,
    Selection,
    SelectionResult,
    StartingPrice,
    Terms,
)
from domain.market import Market, open_market
from domain.placing import place_bet
from domain.refusals import (
    InvalidInput,
    LimitExceeded,
    MarketNotOpen,
    MarketStateConflict,
    NotOffered,
    Refusal,
    RelatedContingency,
    ResultAlreadyDeclared,
    SelectionNotInMarket,
)
from domain.settlement import Outcome
from domain.systems import FULL_COVERS, LEGS_OF
from tests import builders
from tests.builders import BET, FIXTURE, NOW, an_id, given_account

LATER = NOW + timedelta(hours=1)
RUNNERS = (Selection("x", "X"), Selection("y", "Y"), Selection("z", "Z"))
TERMS = Terms(each_way_places=3, each_way_divisor=4, rule4="traditional/1")
ODDS = st.decimals("1.01", 20, places=2)


def race(
    number: int = 0,
    market_type: MarketType = "WIN",
    *,
    terms: Terms | None = TERMS,
    limits: MarketLimits | None = None,
    pricing: Pricing = "external",
    fixture: str | None = None,
) -> Market:
    at = replace(FIXTURE, fixture_id=an_id(fixture or f"race {number}"))
    opened = open_market(at, market_type, None, RUNNERS, pricing, terms, limits)
    state = builders.given(an_id(f"market {number}"), opened)
    assert isinstance(state, Market)
    return state


def by_id(*markets: Market) -> dict[UUID, Market]:
    return {market.market_id: market for market in markets}


def leg(market: Market, odds: str | None = "3", selection_id: str = "x") -> Leg:
    return Leg(market.market_id, selection_id, None if odds is None else Decimal(odds))


def place(markets: list[Market], legs: list[Leg], stake: int = 100, **options: Any) -> BetPlaced:
    return place_bet(given_account(), by_id(*markets), tuple(legs), stake, NOW, **options)


def bet(placed: BetPlaced) -> Bet:
    state = builders.given(BET, placed)
    assert isinstance(state, Bet)
    return state


def resulted(market: Market, result: Result, tie: tuple[int, int] | None = None) -> Market:
    ended = SelectionResult("x", result, DeadHeat(*tie) if tie else None)
    return market.evolve(market.declare((ended,), None, partial=True))


def outcome(placed: BetPlaced, *markets: Market) -> Outcome:
    ended = bet(placed).outcome(by_id(*markets))
    assert ended is not None
    return ended


# ---- what is taken


@pytest.mark.parametrize(
    ("kind", "legs", "each_way", "total"),
    [
        ("single", 1, False, 100),
        ("each_way", 1, False, 200),
        ("accumulator", 2, False, 100),
        ("accumulator", 4, True, 200),
        ("trixie", 3, False, 400),
        ("patent", 3, True, 1_400),
        ("yankee", 4, False, 1_100),
        ("lucky15", 4, False, 1_500),
        ("canadian", 5, False, 2_600),
        ("lucky31", 5, True, 6_200),
        ("heinz", 6, False, 5_700),
        ("lucky63", 6, False, 6_300),
        ("super_heinz", 7, False, 12_000),
        ("goliath", 8, True, 49_400),
    ],
)
def test_a_bet_stakes_on_each_of_its_lines(
    kind: BetKind, legs: int, each_way: bool, total: int
) -> None:
    markets = [race(n) for n in range(legs)]
    placed = place(markets, [leg(each) for each in markets], kind=kind, each_way=each_way)
    assert (placed.stake_minor, placed.total_stake_minor) == (100, total)
    won = outcome(placed, *(resulted(each, "won") for each in markets))
    assert won.return_minor == placed.potential_return_minor
    assert won.status == "won"


def test_a_lay_holds_what_the_back_would_win() -> None:
    market = race()
    placed = place([market], [leg(market, "3.5")], 33, side="lay")
    assert (placed.total_stake_minor, placed.potential_return_minor) == (116 - 33, 116)
    assert outcome(placed, resulted(market, "lost")) == Outcome(
        "won", 116, (SelectionResult("x", "lost"),)
    )
    assert outcome(placed, resulted(market, "won")).status == "lost"


@dataclass
class Refused:
    """A bet that is not taken."""

    why: str
    markets: list[Market]
    refusal: type[Refusal]
    legs: list[Leg] | None = None
    options: dict[str, Any] | None = None


DOUBLE: dict[str, Any] = {"kind": "accumulator"}
CLOSED = race().evolve(race().close())
OUT = race().evolve(race().withdraw("x", NOW, None, None))
RETURNING = race(limits=MarketLimits(max_return_minor=2_000))
PAYING = race(1, limits=MarketLimits(max_payout_minor=2_001))
REFUSED = [
    Refused("one leg of two", [race()], InvalidInput, options=DOUBLE),
    Refused("two legs of a single", [race(), race(1)], InvalidInput),
    Refused("the same market twice", [race()], RelatedContingency, [leg(race()), leg(race(), "4", "y")], DOUBLE),
    Refused("the same fixture twice", [race(fixture="f"), race(1, fixture="f")], RelatedContingency, options=DOUBLE),
    Refused("a closed market", [CLOSED, race(1)], MarketNotOpen, options=DOUBLE),
    Refused("a runner that is out", [OUT, race(1)], SelectionNotInMarket, options=DOUBLE),
    Refused("odds of 1", [race(), race(1)], InvalidInput, [leg(race()), leg(race(1), "1")], DOUBLE),
    Refused("a single each way", [race()], InvalidInput, options={"each_way": True}),
    Refused("each way without terms", [race(terms=None)], NotOffered, options={"kind": "each_way"}),
    Refused("each way on the places", [race(0, "PLACE")], NotOffered, options={"kind": "each_way"}),
    Refused("a laid double", [race(), race(1)], NotOffered, options=DOUBLE | {"side": "lay"}),
    Refused("a lay at the starting price", [race()], NotOffered, [leg(race(), None)], {"side": "lay"}),
    Refused("a lay against the house", [race(pricing="house")], NotOffered, options={"side": "lay"}),
    Refused("a lay with best odds", [race()], NotOffered, options={"side": "lay", "best_odds": True}),
    Refused("a free lay", [race()], NotOffered, options={"side": "lay", "free": True}),
    Refused("a lay of nothing", [race()], InvalidInput, [leg(race(), "1.001")], {"side": "lay"}),
    Refused("over the market's stake", [race(limits=MarketLimits(max_stake_minor=99)), race(1)], LimitExceeded, options=DOUBLE),
    Refused("what nobody knows the return of", [RETURNING, race(1)], LimitExceeded, [leg(RETURNING, None), leg(race(1))], DOUBLE),
    Refused("a starting price elsewhere", [RETURNING, race(1)], LimitExceeded, [leg(RETURNING), leg(race(1), None)], DOUBLE),
    Refused("best odds without a bound", [RETURNING], LimitExceeded, options={"best_odds": True}),
    Refused("best odds up to too much", [RETURNING, PAYING], LimitExceeded, options=DOUBLE | {"best_odds": True}),
    Refused("over the market's return", [race(limits=MarketLimits(max_return_minor=899)), race(1)], LimitExceeded, options=DOUBLE),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.why)
def test_a_bet_is_refused(case: Refused) -> None:
    legs = case.legs or [leg(market) for market in case.markets]
    with pytest.raises(case.refusal) as caught:
        place(case.markets, legs, **(case.options or {}))
    assert type(caught.value) is case.refusal


@pytest.mark.parametrize("odds", [None, "3"])
def test_a_limit_on_returns_takes_starting_prices_where_payouts_are_capped(
    odds: str | None,
) -> None:
    capped = race(limits=MarketLimits(max_return_minor=900, max_payout_minor=900))
    placed = place([capped], [leg(capped, odds)], best_odds=odds is not None)
    ended = replace(resulted(capped, "won"), starting_prices={"x": Decimal(50)})
    assert outcome(placed, ended).return_minor == 900


def test_a_bet_returns_no_more_than_an_account_can_hold() -> None:
    markets = [race(n) for n in range(4)]
    with pytest.raises(LimitExceeded):
        place(markets, [leg(each, "100000") for each in markets], **DOUBLE)


# ---- how it ends


@pytest.mark.parametrize(
    ("first", "second", "status", "returned"),
    [
        ("won", "won", "won", 900),
        ("won", "lost", "lost", 0),
        ("won", "void", "won", 300),
        ("void", "void", "void", 100),
        ("placed", "won", "lost", 0),
    ],
)
def test_a_double_ends_by_its_legs(
    first: Result, second: Result, status: str, returned: int
) -> None:
    markets = [race(), race(1)]
    placed = place(markets, [leg(each) for each in markets], **DOUBLE)
    ended = outcome(placed, resulted(markets[0], first), resulted(markets[1], second))
    assert (ended.status, ended.return_minor) == (status, returned)
    halfway = bet(placed).outcome(by_id(resulted(markets[0], first), markets[1]))
    # A leg to win that is only placed has lost the double, whatever becomes of the other.
    assert (halfway is None) == (first != "placed")


@pytest.mark.parametrize(
    ("result", "tie", "status", "returned"),
    [
        ("won", None, "won", 300 + 150),
        ("placed", None, "part_won", 150),
        ("placed", (2, 1), "part_won", 75),
        ("won", (2, 1), "part_won", 150 + 150),  # both have a whole place: three are paid
        ("lost", None, "lost", 0),
        ("void", None, "void", 200),
    ],
)
def test_each_way_is_a_bet_to_win_and_one_for_a_place(
    result: Result, tie: tuple[int, int] | None, status: str, returned: int
) -> None:
    market = race()
    placed = place([market], [leg(market)], kind="each_way")
    ended = outcome(placed, resulted(market, result, tie))
    assert (ended.status, ended.return_minor) == (status, returned)


def test_a_withdrawn_runner_voids_its_bets_and_costs_the_earlier_ones_on_others() -> None:
    market = race()
    on_it, before = place([market], [leg(market, "5", "y")]), place([market], [leg(market)])
    out = market.evolve(market.withdraw("y", LATER, Decimal(5), None))
    assert outcome(on_it, out).status == "void"
    assert bet(before).outcome(by_id(out)) is None
    after = place_bet(given_account(), by_id(out), (leg(out),), 100, LATER)
    won = resulted(out, "won")
    assert outcome(before, won).return_minor == 100 + 160
    assert outcome(after, won).return_minor == 300
    assert set(won.results) == {"x", "y"}
    with pytest.raises(MarketStateConflict):
        out.withdraw("y", LATER, None, None)


def test_a_bet_that_knows_of_a_withdrawal_is_after_it_though_the_clock_was_set_back() -> None:
    market = race()
    out = market.evolve(market.withdraw("y", LATER, Decimal(5), None))
    placed = place([out], [leg(out)])
    assert placed.placed_at == LATER
    assert outcome(placed, resulted(out, "won")).return_minor == 300
    assert place([race(1)], [leg(race(1))]).placed_at == NOW


def test_a_bet_at_the_starting_price_waits_for_it() -> None:
    market = race()
    placed = place([market], [leg(market, None)])
    assert placed.potential_return_minor == 100
    won = resulted(market, "won")
    assert bet(placed).outcome(by_id(won)) is None
    assert outcome(placed, resulted(market, "lost")).status == "lost"
    priced = won.evolve(
        won.declare(
            (SelectionResult("x", "won"),),
            None,
            starting_prices=(StartingPrice("x", Decimal("4.5")),),
            partial=True,
        )
    )
    assert outcome(placed, priced).return_minor == 450


@pytest.mark.parametrize(("taken", "returned"), [("3", 450), ("6", 600)])
def test_best_odds_are_the_better_of_taken_and_starting_price(taken: str, returned: int) -> None:
    market = race()
    placed = place([market], [leg(market, taken)], best_odds=True)
    prices = (StartingPrice("x", Decimal("4.5")),)
    won = (SelectionResult("x", "won"),)
    ended = market.evolve(market.declare(won, None, starting_prices=prices, partial=True))
    assert outcome(placed, ended).return_minor == returned


@pytest.mark.parametrize(
    ("result", "returned", "bonus"), [("won", 200, 0), ("lost", 0, 0), ("void", 0, 100)]
)
def test_a_free_bet_returns_its_winnings_and_its_bonus_when_it_is_void(
    result: Result, returned: int, bonus: int
) -> None:
    market = race()
    placed = place([market], [leg(market)], free=True)
    assert (placed.total_stake_minor, placed.potential_return_minor) == (0, 200)
    change = bet(placed).bring_to(outcome(placed, resulted(market, result)))
    assert change is not None
    settled = change[1]
    assert isinstance(settled, StakeSettled)
    assert (settled.stake_minor, settled.return_minor, settled.bonus_minor) == (0, returned, bonus)


def test_a_free_full_cover_pays_the_winnings_of_its_lines() -> None:
    markets = [race(n) for n in range(3)]
    placed = place(markets, [leg(each, "2") for each in markets], kind="trixie", free=True)
    done = [resulted(*each) for each in zip(markets, ("won", "won", "lost"), strict=True)]  # type: ignore[arg-type]
    assert outcome(placed, *done).return_minor == 300
    again = bet(placed).evolve(settled_event(placed, outcome(placed, *done)))
    void = [resulted(each, "void") for each in markets]
    change = again.bring_to(outcome(placed, *void))
    assert change is not None
    assert isinstance(change[1], StakeResettled)
    assert (change[1].difference_minor, change[1].bonus_minor) == (-300, 400)


def settled_event(placed: BetPlaced, ended: Outcome) -> BetSettled:
    change = bet(placed).bring_to(ended)
    assert change is not None
    assert isinstance(change[0], BetSettled)
    return change[0]


def test_a_payout_is_capped_but_never_below_the_stake() -> None:
    market = race(limits=MarketLimits(max_payout_minor=250))
    placed = place([market], [leg(market)])
    assert outcome(placed, resulted(market, "won")).return_minor == 250
    large = place([market], [leg(market)], 1_000)
    assert outcome(large, resulted(market, "void")).return_minor == 1_000


# ---- markets: halves, abandonment


def test_a_market_on_the_first_half_ends_by_the_score_at_half_time() -> None:
    opened = open_market(
        FIXTURE, "1X2", None, builders.SELECTIONS, "external", None, None, "first_half"
    )
    market = builders.given(an_id("half"), opened)
    assert isinstance(market, Market)
    with pytest.raises(InvalidInput, match="half_time"):
        market.declare(None, Score(2, 1))
    declared = market.declare(None, Score(2, 1), half_time=Score(0, 1))
    assert [each.result for each in declared.results] == ["lost", "lost", "won"]


def test_an_abandoned_market_voids_what_is_undecided_or_everything() -> None:
    market = resulted(race(), "won")
    rest = market.abandon("fog", "void_undecided")
    assert [each.result for each in rest.results] == ["won", "void", "void"]
    everything = market.abandon("fog", "void_all")
    assert {each.result for each in everything.results} == {"void"}
    abandoned = market.evolve(rest)
    assert (abandoned.status, abandoned.generation) == ("resulted", 2)
    with pytest.raises(ResultAlreadyDeclared):
        abandoned.abandon("fog", "void_undecided")


def test_a_winner_at_a_starting_price_that_nobody_returned_is_void_when_its_race_is_abandoned() -> (
    None
):
    market = race()
    at_start, fixed = (place([market], [leg(market, odds)]) for odds in (None, "3"))
    loser = place([market], [leg(market, None, "y")])
    words: dict[str, Result] = {"x": "won", "y": "lost", "z": "lost"}
    run = market.evolve(
        market.declare(tuple(SelectionResult(*each) for each in words.items()), None)
    )
    assert bet(at_start).outcome(by_id(run)) is None
    abandoned = run.evolve(run.abandon("no prices were returned", "void_undecided"))
    assert (outcome(at_start, abandoned).status, outcome(at_start, abandoned).return_minor) == (
        "void",
        100,
    )
    assert outcome(fixed, abandoned).return_minor == 300
    assert outcome(loser, abandoned).status == "lost"
    prices = (StartingPrice("x", Decimal(5)),)
    priced = abandoned.evolve(
        abandoned.declare(tuple(run.results.values()), None, starting_prices=prices)
    )
    assert outcome(at_start, priced).return_minor == 500


def test_a_race_whose_runners_all_have_results_and_prices_leaves_nothing_to_abandon() -> None:
    market = race()
    words = tuple(SelectionResult(each, "lost") for each in "xyz")
    prices = tuple(StartingPrice(each, Decimal(5)) for each in "xyz")
    run = market.evolve(market.declare(words, None, starting_prices=prices))
    with pytest.raises(ResultAlreadyDeclared):
        run.abandon("fog", "void_undecided")


def test_a_runner_that_was_withdrawn_by_mistake_runs_after_all() -> None:
    market = race()
    placed = place([market], [leg(market, "3")])
    out = market.evolve(market.withdraw("y", LATER, Decimal(3), None))
    won = resulted(out, "won")
    assert outcome(placed, won).return_minor == 240  # 30p of the winnings
    back = won.evolve(won.reinstate("y", "the wrong number"))
    assert (back.status, set(back.results)) == ("part_resulted", {"x"})
    assert outcome(placed, back).return_minor == 300
    with pytest.raises(MarketStateConflict):
        back.reinstate("y", "again")
    before = market.evolve(market.withdraw("y", NOW, None, None)).evolve(
        out.reinstate("y", "the wrong number")
    )
    assert before.status == "open"
    place([before], [leg(before, "3", "y")])


def test_the_void_result_of_a_withdrawn_runner_goes_with_its_withdrawal() -> None:
    market = race()
    on_it = place([market], [leg(market, "3", "y")])
    out = market.evolve(market.withdraw("y", LATER, None, None))
    words = (SelectionResult("x", "won"), SelectionResult("z", "lost"))
    run = out.evolve(out.declare(words, None))
    assert (run.status, outcome(on_it, run).status) == ("resulted", "void")
    back = run.evolve(run.reinstate("y", "the wrong number"))
    assert (back.status, bet(on_it).outcome(by_id(back))) == ("part_resulted", None)
    whole = back.evolve(back.declare((SelectionResult("y", "lost"),), None, partial=True))
    assert (whole.status, outcome(on_it, whole).status) == ("resulted", "lost")


def test_an_abandoned_race_keeps_what_it_made_void_of_a_runner_that_runs_after_all() -> None:
    out = race()
    out = out.evolve(out.withdraw("y", LATER, None, None))
    abandoned = out.evolve(out.abandon("fog", "void_all"))
    back = abandoned.evolve(abandoned.reinstate("y", "the wrong number"))
    assert (back.status, back.results) == ("resulted", abandoned.results)


@pytest.mark.parametrize(
    ("market", "odds", "factor", "refusal"),
    [
        (race(terms=None), "5", None, InvalidInput),
        (race(), "5", "10", InvalidInput),
        (race(), "1", None, InvalidInput),
        (race(), None, "101", InvalidInput),
        (race(), None, "NaN", InvalidInput),
        (builders.given_market(), None, None, NotOffered),
    ],
)
def test_a_withdrawal_is_refused(
    market: Market, odds: str | None, factor: str | None, refusal: type[Refusal]
) -> None:
    numbers = [None if each is None else Decimal(each) for each in (odds, factor)]
    with pytest.raises(refusal):
        market.withdraw("x", NOW, numbers[0], numbers[1])


def test_a_rule_4_table_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidInput, match="traditional/1"):
        race(terms=Terms(rule4="traditional/9"))


# ---- what holds of all bets

ENDS: st.SearchStrategy[Result] = st.sampled_from(["won", "lost", "void", "placed"])
KINDS = st.sampled_from(sorted(FULL_COVERS - {"accumulator"}))


@given(kind=KINDS, data=st.data(), each_way=st.booleans())
def test_a_full_cover_is_the_sum_of_its_accumulators(
    kind: BetKind, data: st.DataObject, each_way: bool
) -> None:
    count = LEGS_OF[kind]
    odds = data.draw(st.lists(st.integers(2, 9), min_size=count, max_size=count))
    ends = data.draw(st.lists(ENDS, min_size=count, max_size=count))
    markets = [race(n, terms=Terms(3, 1)) for n in range(count)]
    legs = [leg(*each) for each in zip(markets, map(str, odds), strict=True)]
    done = [resulted(market, end) for market, end in zip(markets, ends, strict=True)]
    cover = outcome(place(markets, legs, 1, kind=kind, each_way=each_way), *done)
    parts = 0
    for size in range(1, count + 1):
        for chosen in combinations(legs, size):
            if size == 1 and kind in (
                "trixie",
                "yankee",
                "canadian",
                "heinz",
                "super_heinz",
                "goliath",
            ):
                continue
            part: BetKind = ("each_way" if each_way else "single") if size == 1 else "accumulator"
            options = {"each_way": each_way and size > 1}
            parts += outcome(
                place(markets, list(chosen), 1, kind=part, **options), *done
            ).return_minor
    assert cover.return_minor == parts


@given(
    odds=st.tuples(ODDS, ODDS),
    stake=st.integers(1, 10**6),
    end=ENDS,
    kind=st.sampled_from(["single", "each_way"]),
)
def test_better_odds_never_return_less(
    odds: tuple[Decimal, Decimal], stake: int, end: Result, kind: BetKind
) -> None:
    market = race()
    worse, better = (
        outcome(place([market], [leg(market, str(each))], stake, kind=kind), resulted(market, end))
        for each in sorted(odds)
    )
    assert worse.return_minor <= better.return_minor


@given(kind=KINDS, stake=st.integers(1, 10**6), each_way=st.booleans())
def test_a_void_of_everything_returns_every_stake(
    kind: BetKind, stake: int, each_way: bool
) -> None:
    markets = [race(n) for n in range(LEGS_OF[kind])]
    placed = place(markets, [leg(m) for m in markets], stake, kind=kind, each_way=each_way)
    ended = outcome(placed, *(resulted(each, "void") for each in markets))
    assert (ended.status, ended.return_minor) == ("void", placed.total_stake_minor)


@given(
    odds=st.decimals("1.6", 20, places=2),
    stake=st.integers(1, 10**6),
    end=ENDS,
    tie=st.none() | st.sampled_from([(2, 1), (3, 1)]),
    out=st.none() | st.decimals("1.1", 20, places=1),
)
def test_a_lay_and_a_back_at_equal_odds_cancel(
    odds: Decimal, stake: int, end: Result, tie: tuple[int, int] | None, out: Decimal | None
) -> None:
    market = race()
    back = place([market], [leg(market, str(odds))], stake)
    lay = place([market], [leg(market, str(odds))], stake, side="lay")
    done = market.evolve(market.withdraw("y", LATER, out, None)) if out else market
    done = resulted(done, end, tie if end == "won" else None)
    profits = [
        outcome(placed, done).return_minor - placed.total_stake_minor for placed in (back, lay)
    ]
    assert sum(profits) == 0


@given(odds=ODDS, out=st.decimals("1.1", 20, places=1), divisor=st.integers(1, 5))
def test_rule_4_commutes_with_the_place_terms(odds: Decimal, out: Decimal, divisor: int) -> None:
    terms = Terms(3, divisor, "traditional/1")
    market = race(terms=terms)
    placed = place([market], [leg(market, str(odds))], 10**6, kind="each_way")
    done = resulted(market.evolve(market.withdraw("y", LATER, out, None)), "placed")
    won = resulted(market.evolve(market.withdraw("y", LATER, out, None)), "won")
    single = place([market], [leg(market, str(odds))], 10**6)
    win = outcome(single, won).return_minor - 10**6
    assert abs((outcome(placed, done).return_minor - 10**6) * divisor - win) <= divisor
