"""What open bets on a market may cost the house: by its ends, in races without cover, and never less than it turns out."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from domain.bet import Bet
from domain.events.bet import BetKind, BetPlaced, Leg, Side
from domain.events.event import Event
from domain.events.liability import Held, LiabilityChanged, LiabilityCounted
from domain.events.market import (
    DeadHeat,
    MarketLimits,
    MarketOpened,
    MarketType,
    ResultDeclared,
    RunnerWithdrawn,
    Selection,
    SelectionResult,
    Terms,
)
from domain.exposure import OpenBets, book_of
from domain.liability import (
    EMPTY,
    Liability,
    LiabilityBook,
    added_up,
    check_limit,
    counted,
    held_by,
    liability_minor,
)
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR, single_return_minor
from domain.outcomes import Proposition
from domain.placing import place_bet
from domain.refusals import LimitExceeded
from tests.builders import (
    FIXTURE,
    MARKET,
    NOW,
    an_id,
    given,
    given_account,
    given_market,
    market_opened,
)

ACCOUNT = given_account(funds_minor=10**12)
OTHER = an_id("another market")
RUNNERS = tuple(Selection(each, each) for each in ("ada", "bob", "cid", "dot"))
SHAPES: dict[MarketType, tuple[str | None, tuple[str, ...]]] = {
    "1X2": (None, ("home", "draw", "away")),
    "ML": (None, ("home", "away")),
    "OU": ("2.25", ("over", "under")),
    "AH": ("-0.75", ("home", "away")),
    "DNB": (None, ("home", "away")),
    "DC": (None, ("home_draw", "home_away", "draw_away")),
    "BTTS": (None, ("yes", "no")),
    "CS": (None, ("0-0", "1-0", "1-1", "other")),
}


def a_market(market_type: MarketType = "1X2", **limits: int) -> Market:
    line, names = SHAPES[market_type]
    selections = tuple(Selection(each, each) for each in names)
    opened = market_opened(
        market_type, line=line, selections=selections, limits=MarketLimits(**limits)
    )
    return given_market(opened=opened)


def a_race(market_type: MarketType = "WIN", *events: Event, **limits: int) -> Market:
    opened = MarketOpened(
        fixture=FIXTURE,
        type=market_type,
        selections=RUNNERS,
        pricing="external",
        terms=Terms(each_way_places=2, each_way_divisor=4, rule4="traditional/1"),
        limits=MarketLimits(**limits),
    )
    return given_market(*events, opened=opened)


def single(selection_id: str, stake_minor: int, odds: str = "3.0", side: Side = "back") -> Held:
    returned = single_return_minor(stake_minor, Decimal(odds))
    at_risk = returned - stake_minor if side == "lay" else stake_minor
    return Held(
        "EUR", 1, at_risk, at_risk + stake_minor if side == "lay" else returned, selection_id, side
    )


def book(*held: Held) -> LiabilityBook:
    total = EMPTY
    for each in held:
        total = total.plus(each)
    return total


# ---- by the ends of a market


def test_a_back_costs_what_it_wins_and_what_loses_beside_it_covers() -> None:
    market = a_market()
    home, away = single("home", 1_000), single("away", 500, "4.0")
    assert liability_minor(market, book(home)) == 2_000
    assert liability_minor(market, book(home, away)) == 1_500
    assert liability_minor(market, book(home, away, single("draw", 1_500, "1.5"))) == 0


def test_a_lay_costs_the_stake_against_it_where_its_selection_does_not_win() -> None:
    market = a_market()
    lay = single("home", 1_000, "3.0", "lay")
    assert (lay.stake_minor, lay.return_minor) == (2_000, 3_000)
    assert liability_minor(market, book(lay)) == 1_000
    assert liability_minor(market, book(lay, single("home", 1_000))) == 0


def test_where_two_selections_win_together_both_cost() -> None:
    market = a_market("DC")
    both = book(single("home_draw", 1_000, "1.5"), single("home_away", 1_000, "1.5"))
    assert liability_minor(market, both) == 1_000


def test_half_results_count_to_the_half() -> None:
    market = a_market("AH")
    assert liability_minor(market, book(single("home", 1_001, "2.0"))) == 1_001
    assert (
        liability_minor(market, book(single("home", 999, "2.0"), single("away", 1_001, "1.5"))) == 0
    )


def test_other_bets_count_with_all_they_may_win_on_every_outcome() -> None:
    market = a_market()
    other = Held("EUR", 1, 100, 5_100)
    assert liability_minor(market, book(other)) == 5_000
    assert liability_minor(market, book(other, single("home", 1_000))) == 7_000


def test_in_a_race_nothing_covers_another_runner() -> None:
    market = a_race()
    ada, bob = single("ada", 1_000), single("bob", 5_000, "1.5")
    assert liability_minor(market, book(ada, bob)) == 2_500
    lay = single("cid", 700, "2.0", "lay")
    assert liability_minor(market, book(ada, bob, lay)) == 2_500 + 700
    assert (
        liability_minor(market, book(single("ada", 1_000), single("ada", 900, "3", "lay"))) == 2_000
    )


def test_where_more_than_one_may_be_placed_all_may() -> None:
    market = a_race("PLACE")
    lay = single("cid", 700, "2.0", "lay")
    assert liability_minor(market, book(single("ada", 1_000), single("bob", 500), lay)) == 3_700


def test_a_market_whose_ends_are_not_known_is_bounded_too() -> None:
    opened = market_opened("1X2", selections=(Selection("x", "x"), Selection("y", "y")))
    market = given_market(opened=opened)
    assert liability_minor(market, book(single("x", 1_000), single("y", 1_000, "2.0"))) == 3_000


# ---- the state


def test_the_state_holds_each_currency_on_its_own_and_lets_go_exactly() -> None:
    held = (single("home", 1_000), Held("GBP", 1, 5, 50), single("away", 7, "2.0", "lay"))
    state = given(MARKET, LiabilityCounted(market_id=MARKET, held=held[:1]))
    state = state.evolve(LiabilityChanged(market_id=MARKET, held=held[1:]))  # type: ignore[arg-type]
    assert isinstance(state, Liability)
    assert (state.version, state.book("EUR").bets, state.book("GBP").bets) == (2, 2, 1)
    gone = added_up((-1, each) for each in held)
    state = state.evolve(LiabilityChanged(market_id=MARKET, held=gone))
    assert state.books == {}
    assert state.book("EUR") == EMPTY


def test_counting_again_forgets_what_was_counted_before() -> None:
    first = LiabilityCounted(market_id=MARKET, held=(single("home", 1_000),))
    again = LiabilityCounted(market_id=MARKET, held=(single("away", 5),))
    state = given(MARKET, first, again)
    assert isinstance(state, Liability)
    assert set(state.book("EUR").backs) == {"away"}


def test_sums_that_come_to_nothing_are_left_out() -> None:
    held = single("home", 1_000)
    assert added_up([(1, held), (-1, held)]) == ()
    assert added_up([(-1, held), (-1, held)]) == (Held("EUR", -2, -2_000, -6_000, "home"),)


# ---- the limit


def refused(market: Market, held: Held, *before: Held) -> LimitExceeded | None:
    state = Liability(MARKET, 1).evolve(LiabilityCounted(market_id=MARKET, held=before))
    after = state.evolve(LiabilityChanged(market_id=MARKET, held=(held,)))
    try:
        check_limit(market, state, after, held)
    except LimitExceeded as refusal:
        return refusal
    return None


def test_a_refusal_says_which_limit_it_is_and_what_is_left() -> None:
    market = a_market(max_liability_minor=2_500)
    refusal = refused(market, single("home", 300), single("home", 1_000))
    assert refusal is not None
    assert refusal.members == {
        "limit": "max_liability_minor",
        "limit_minor": 2_500,
        "left_minor": 500,
    }
    assert refused(market, single("home", 250), single("home", 1_000)) is None


def test_a_bet_that_costs_no_more_is_taken_above_the_limit_too() -> None:
    market = a_market(max_liability_minor=100)
    over = single("home", 1_000)
    assert refused(market, single("away", 500, "3.0"), over) is None
    assert refused(market, single("home", 1), over) is not None


def test_without_a_limit_nothing_is_refused() -> None:
    assert refused(a_market(), single("home", 10**9)) is None


def test_starting_prices_count_with_the_cap_on_payouts_and_are_refused_without_one() -> None:
    leg = Leg(MARKET, "ada", None)
    capped = {MARKET: a_race(max_liability_minor=1, max_payout_minor=9_000)}
    placed = place_bet(ACCOUNT, capped, (leg,), 1_000, NOW)
    assert held_by(placed, capped) == Held("EUR", 1, 1_000, 9_000)
    best = place_bet(
        ACCOUNT, capped, (Leg(MARKET, "ada", Decimal(20)),), 1_000, NOW, best_odds=True
    )
    assert held_by(best, capped) == Held("EUR", 1, 1_000, 9_000)
    high = place_bet(ACCOUNT, capped, (leg,), 10_000, NOW)
    assert held_by(high, capped) == Held("EUR", 1, 10_000, 10_000)
    open_ended = {MARKET: a_race(max_liability_minor=1)}
    with pytest.raises(LimitExceeded) as caught:
        held_by(placed, open_ended)
    assert caught.value.members == {"limit": "max_liability_minor"}


# ---- never less than it turns out


@st.composite
def known_books(draw: st.DrawFn) -> tuple[Market, list[Held]]:
    market_type = draw(st.sampled_from(sorted(SHAPES)))
    selections = st.sampled_from(SHAPES[market_type][1])
    bets = st.builds(
        single,
        selections,
        st.integers(1, 5_000),
        st.sampled_from(["1.01", "1.5", "2.375", "3.0", "26.0"]),
        st.sampled_from(["back", "lay"]),
    )
    return a_market(market_type), draw(st.lists(bets, max_size=6))


@hypothesis_given(known_books())
def test_singles_cost_what_exposure_says_of_the_worst_end(drawn: tuple[Market, list[Held]]) -> None:
    market, held = drawn
    proposition = Proposition(market.type, market.line, tuple(market.selections))
    open_bets = [
        OpenBets(
            proposition, each.selection_id or "", each.side, each.stake_minor, each.return_minor
        )
        for each in held
    ]
    worst = book_of(open_bets).worst_minor
    assert liability_minor(market, book(*held)) == max(0, -worst)


Wish = tuple[BetKind, Side, str, str, int, bool]


@st.composite
def races(draw: st.DrawFn) -> tuple[MarketType, list[Wish], list[Event]]:
    """A race, bets on it, and any way in which it ends: runners withdrawn, dead heats, void ones."""
    types: list[MarketType] = ["WIN", "PLACE", "EW"]
    market_type = draw(st.sampled_from(types))
    runner = st.sampled_from([each.selection_id for each in RUNNERS])
    kinds: list[BetKind] = ["single", "accumulator"]
    kinds += [] if market_type == "PLACE" else ["each_way"]
    sides: list[Side] = ["back", "lay"]
    wishes = st.tuples(
        st.sampled_from(kinds),
        st.sampled_from(sides),
        runner,
        st.sampled_from(["1.2", "2.0", "4.5", "13.0"]),
        st.integers(10, 2_000),
        st.booleans(),
    )
    bets = draw(st.lists(wishes, min_size=1, max_size=8))
    out = draw(st.lists(runner, max_size=2, unique=True))
    events: list[Event] = [
        RunnerWithdrawn(
            selection_id=each,
            at=NOW + timedelta(hours=1),
            generation=number + 1,
            odds=Decimal(draw(st.sampled_from(["1.5", "3.0", "9.0"]))),
        )
        for number, each in enumerate(out)
    ]
    run = draw(
        st.permutations([each.selection_id for each in RUNNERS if each.selection_id not in out])
    )
    ends: dict[str, SelectionResult] = {each: SelectionResult(each, "void") for each in out}
    ends |= {each: SelectionResult(each, "lost") for each in run}
    tie = draw(st.integers(1, 2))
    for each in run[:tie]:
        ends[each] = SelectionResult(each, "won", DeadHeat(2, 1) if tie == 2 else None)
    if draw(st.booleans()) and len(run) > tie:
        ends[run[tie]] = SelectionResult(run[tie], "placed")
    if market_type == "PLACE":  # any number may be placed
        for each in run:
            ends[each] = SelectionResult(each, draw(st.sampled_from(["placed", "lost", "void"])))
    events.append(ResultDeclared(results=tuple(ends.values()), generation=len(out) + 1))
    return market_type, bets, events


@hypothesis_given(races(), st.sampled_from(["won", "lost", "void"]))
def test_no_race_costs_more_than_was_counted(
    drawn: tuple[MarketType, list[Wish], list[Event]], elsewhere: Any
) -> None:
    market_type, wishes, ends = drawn
    other_fixture = MarketOpened(
        fixture=type(FIXTURE)("racing", "c", "n", FIXTURE.starts_at, an_id("another fixture")),
        type="WIN",
        selections=RUNNERS,
        pricing="external",
    )
    other = given(OTHER, other_fixture)
    assert isinstance(other, Market)
    before = {MARKET: a_race(market_type), OTHER: other}
    result = ResultDeclared(
        results=tuple(SelectionResult(each.selection_id, elsewhere) for each in RUNNERS)
    )
    after = {MARKET: a_race(market_type, *ends), OTHER: other.evolve(result)}
    placed = [_placed(wish, before) for wish in wishes]
    counted = liability_minor(before[MARKET], book(*(held_by(each, before) for each in placed)))
    lost = sum(_cost(each, after) for each in placed)
    assert lost <= counted


@hypothesis_given(
    st.lists(
        st.tuples(
            st.sampled_from(["single", "accumulator"]),
            st.sampled_from(["back", "lay"]),
            st.sampled_from(["home", "draw", "away"]),
            st.sampled_from(["1.2", "2.0", "4.5", "13.0"]),
            st.integers(10, 2_000),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["home", "draw", "away", None]),
    st.sampled_from(["won", "lost", "void"]),
)
def test_no_match_costs_more_than_was_counted(
    wishes: Sequence[Wish], winner: str | None, elsewhere: Any
) -> None:
    other_fixture = type(FIXTURE)("racing", "c", "n", FIXTURE.starts_at, an_id("another fixture"))
    other = given(
        OTHER,
        MarketOpened(fixture=other_fixture, type="WIN", selections=RUNNERS, pricing="external"),
    )
    assert isinstance(other, Market)
    before = {MARKET: a_market(), OTHER: other}
    results = tuple(
        SelectionResult(each, "void" if winner is None else "won" if each == winner else "lost")
        for each in ("home", "draw", "away")
    )
    there = tuple(SelectionResult(each.selection_id, elsewhere) for each in RUNNERS)
    after = {
        MARKET: before[MARKET].evolve(ResultDeclared(results=results)),
        OTHER: other.evolve(ResultDeclared(results=there)),
    }
    placed = [_placed(wish, before) for wish in wishes]
    counted = liability_minor(before[MARKET], book(*(held_by(each, before) for each in placed)))
    assert sum(_cost(each, after) for each in placed) <= counted


def _placed(wish: Wish, markets: dict[UUID, Market]) -> BetPlaced:
    kind, side, selection_id, odds, stake_minor, free = wish
    legs = [Leg(MARKET, selection_id, Decimal(odds))]
    if kind == "accumulator":
        legs.append(Leg(OTHER, "ada", Decimal("2.5")))
    if kind != "single":
        side = "back"
    return place_bet(
        ACCOUNT,
        markets,
        tuple(legs),
        stake_minor,
        NOW,
        kind=kind,
        side=side,
        free=free and side == "back",
    )


def _cost(placed: BetPlaced, markets: dict[UUID, Market]) -> int:
    """What the house pays for a bet beyond what the bet had in play; negative for what it keeps."""
    bet = given(an_id("bet"), placed)
    assert isinstance(bet, Bet)
    outcome = bet.outcome(markets)
    assert outcome is not None
    return outcome.return_minor - placed.total_stake_minor


def test_a_limit_begins_with_bets_that_may_cost_more_than_64_bits_hold() -> None:
    held = [Held("EUR", 1, 1, MAX_FUNDS_MINOR, "home")] * 2_101
    begun = counted(MARKET, held)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(begun), type=LiabilityCounted) == begun
    (home,) = Liability(MARKET, 0).evolve(begun).book("EUR").backs.values()
    assert (home.bets, home.stake_minor) == (2_101, 2_101)
    assert home.return_minor == 2_101 * MAX_FUNDS_MINOR > 2**64
