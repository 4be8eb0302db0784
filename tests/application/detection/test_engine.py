from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.detection.thresholds import BookmakerTerms, Thresholds
from domain.board import MarketDescription
from domain.events.bet import Side
from domain.freshness import MaxAges
from domain.ids import derived_id
from domain.refusals import InvalidInput, MarketNotFound, Refusal, SelectionNotInMarket
from tests.application.detection.brute_force import Price, exhaustive_portfolio, returns
from tests.application.detection.desk import (
    FIXTURE,
    NOW,
    Desk,
    assert_pays,
    assert_same,
    board_rows,
    brute_values,
    engine_of,
    market,
    message,
    prices_on,
    put,
    values_of,
)

X2 = market("1X2")
OU = market("OU", "2.5")
BTTS = market("BTTS")


def test_two_bookmakers_who_disagree_are_a_two_way_arbitrage_priced_in_whole_money() -> None:
    desk = Desk(engine_of([OU]))
    assert desk.quote(OU, "a", {"over": "2.10", "under": "1.70"}) == []
    [told] = desk.quote(OU, "b", {"over": "1.70", "under": "2.10"})
    opportunity = told.opportunity
    assert opportunity is not None
    assert opportunity.kind == "two_way"
    assert opportunity.margin == Decimal("0.05")
    assert [leg.stake_minor for leg in opportunity.legs] == [50_000, 50_000]
    assert (opportunity.outlay_minor, opportunity.guaranteed_profit_minor) == (100_000, 5_000)
    assert opportunity.warnings == ()
    assert opportunity.expires_at == NOW + timedelta(seconds=300)
    assert told.opportunity_id == derived_id(f"arbitrage:market:{OU.market_id}:2")


def test_one_bookmaker_alone_is_no_arbitrage_however_good_its_prices() -> None:
    desk = Desk(engine_of([OU]))
    assert desk.quote(OU, "a", {"over": "2.5", "under": "2.5"}) == []
    assert desk.engine.holds() == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("betfair", "betfair_ex_uk"),
        ("betfair_ex_eu", "betfair_exchange"),
        ("williamhill", "william_hill"),
        ("mine", "yours"),
    ],
)
def test_one_bookmaker_under_two_keys_has_one_leg(one: str, other: str) -> None:
    desk = Desk(engine_of([OU], Thresholds(bookmakers={"mine": BookmakerTerms(same_as="yours")})))
    desk.quote(OU, one, {"over": "2.2", "under": "1.7"})
    assert desk.quote(OU, other, {"over": "1.7", "under": "2.2"}) == []
    [change] = desk.quote(OU, "another", {"under": "2.1"})
    assert change.opportunity is not None
    legs = {(leg.bookmaker, leg.selection_id) for leg in change.opportunity.legs}
    assert legs == {(one, "over"), ("another", "under")}
    # The better of its two keys has the leg.
    [change] = desk.quote(OU, other, {"over": "2.3"})
    assert change.opportunity is not None
    assert {leg.bookmaker for leg in change.opportunity.legs} == {other, "another"}


def test_an_operator_may_say_that_keys_are_not_of_one_bookmaker() -> None:
    apart = {"betfair_ex_uk": BookmakerTerms(same_as="betfair_ex_uk")}
    desk = Desk(engine_of([OU], Thresholds(bookmakers=apart)))
    desk.quote(OU, "betfair", {"over": "2.2"})
    assert len(desk.quote(OU, "betfair_ex_uk", {"under": "2.2"})) == 1
    with pytest.raises(ValueError, match="same_as of a: b is said"):
        Thresholds(bookmakers={"a": BookmakerTerms(same_as="b"), "b": BookmakerTerms(same_as="c")})


def test_an_opportunity_opens_changes_and_closes_as_one() -> None:
    desk = Desk(engine_of([OU]))
    desk.quote(OU, "a", {"over": "2.10", "under": "1.70"})
    [opened] = desk.quote(OU, "b", {"under": "2.10"})
    assert desk.quote(OU, "c", {"under": "2.05"}) == []
    [changed] = desk.quote(OU, "c", {"under": "2.20"})
    [closed] = desk.quote(OU, "a", {"over": "1.50"})
    assert opened.opportunity_id == changed.opportunity_id == closed.opportunity_id
    assert changed.opportunity is not None
    assert {leg.bookmaker for leg in changed.opportunity.legs} == {"a", "c"}
    assert closed.ended == "price_moved"
    assert [each.sequence for each in desk.told] == [2, 4, 5]


def test_a_move_within_the_tolerance_is_not_told() -> None:
    desk = Desk(engine_of([OU], Thresholds(tolerance=Decimal("0.02"))))
    desk.quote(OU, "a", {"over": "2.10"})
    desk.quote(OU, "b", {"under": "2.10"})
    assert desk.quote(OU, "b", {"under": "2.12"}) == []
    assert len(desk.quote(OU, "b", {"under": "2.30"})) == 1


def test_a_margin_below_the_minimum_is_not_told_and_one_that_reaches_it_is() -> None:
    desk = Desk(engine_of([OU], Thresholds(min_margin=Decimal("0.05"))))
    desk.quote(OU, "a", {"over": "2.10"})
    assert desk.quote(OU, "b", {"under": "2.09"}) == []
    assert len(desk.quote(OU, "b", {"under": "2.10"})) == 1


def test_commission_decides_whether_back_and_lay_pay() -> None:
    terms = {"exchange": BookmakerTerms(commission=Decimal("0.05"))}
    desk = Desk(engine_of([X2], Thresholds(bookmakers=terms)))
    desk.quote(X2, "book", {"home": "3.0"})
    assert desk.quote(X2, "exchange", {"home": "2.9"}, side="lay") == []
    [told] = desk.quote(X2, "exchange", {"home": "2.7"}, side="lay")
    assert told.opportunity is not None
    assert told.opportunity.kind == "back_lay"
    assert_pays(told.opportunity, {X2.market_id: X2}, {"exchange": Decimal("0.05")})


def test_home_draw_and_a_handicap_are_a_cross_market_arbitrage() -> None:
    ah = market("AH", "-0.5")
    desk = Desk(engine_of([X2, ah]))
    desk.quote(X2, "a", {"home": "2.10", "draw": "3.0", "away": "3.5"})
    [told] = desk.quote(ah, "b", {"home": "1.8", "away": "2.10"})
    assert told.opportunity is not None
    assert told.opportunity.kind == "cross_market"
    assert told.opportunity.margin == Decimal("0.05")


def test_laying_every_selection_at_different_exchanges_is_found_too() -> None:
    desk = Desk(engine_of([X2]))
    for bookmaker, selection in (("a", "home"), ("b", "draw"), ("c", "away")):
        desk.quote(X2, bookmaker, {selection: "2.9"}, side="lay")
    [told] = desk.told
    assert told.opportunity is not None
    assert told.opportunity.kind == "n_way"
    assert_pays(told.opportunity, {X2.market_id: X2})


def test_a_size_limits_the_stake_and_a_tiny_one_leaves_nothing() -> None:
    desk = Desk(engine_of([OU]))
    desk.quote(OU, "a", {"over": "2.10"}, size="10")
    [told] = desk.quote(OU, "b", {"under": "2.10"})
    assert told.opportunity is not None
    assert [leg.stake_minor for leg in told.opportunity.legs] == [1_000, 1_000]
    [ended] = desk.quote(OU, "c", {"over": "2.2"}, size="0.001")
    assert ended.ended == "limits"
    assert desk.quote(OU, "c", {"over": "2.2"}, size="0.001") == []
    [again] = desk.quote(OU, "c", {"over": "2.2"}, size="20")
    assert again.opportunity is not None


def test_what_expires_ends_as_expired_and_what_is_heard_again_opens_anew() -> None:
    desk = Desk(engine_of([OU], Thresholds(max_ages=MaxAges(300, {"a": 60}))))
    desk.quote(OU, "a", {"over": "2.10"})
    desk.quote(OU, "b", {"under": "2.10"})
    assert desk.engine.expire(2, NOW + timedelta(seconds=60)) == []
    [ended] = desk.engine.expire(2, NOW + timedelta(seconds=61))
    assert ended.ended == "expired"
    [again] = desk.quote(OU, "a", {"over": "2.10"}, at=NOW + timedelta(seconds=30))
    assert again.opportunity_id != ended.opportunity_id


def test_a_market_that_takes_no_bets_has_no_part_until_it_is_open_again() -> None:
    desk = Desk(engine_of([OU]))
    desk.quote(OU, "a", {"over": "2.10"})
    desk.quote(OU, "b", {"under": "2.10"})
    [ended] = desk.engine.close(OU.market_id, 2)
    assert ended.ended == "not_open"
    assert desk.quote(OU, "c", {"under": "2.4"}) == []
    [again] = desk.engine.reopen(OU.market_id, 3)
    assert again.opportunity is not None
    assert again.opportunity.margin > Decimal("0.1")
    assert again.opportunity.warnings == ("margin_over_10_percent",)
    assert desk.engine.close(FIXTURE, 4) == []


def test_with_a_window_only_quotes_of_about_the_same_time_are_set_against_each_other() -> None:
    desk = Desk(engine_of([OU], Thresholds(window_seconds=10)))
    old = NOW - timedelta(seconds=30)
    desk.quote(OU, "a", {"over": "2.10"}, at=old)
    assert desk.quote(OU, "b", {"under": "2.10"}) == []
    assert len(desk.quote(OU, "a", {"over": "2.10"}, at=NOW - timedelta(seconds=5))) == 1
    [ended] = desk.quote(OU, "c", {"over": "1.5"}, at=NOW + timedelta(seconds=20))
    assert ended.ended == "price_moved"


def test_middles_are_found_only_when_asked_for_and_when_they_are_cheap() -> None:
    low, high = market("OU", "2.5"), market("OU", "3.5")
    for cost in (None, Decimal("0.01"), Decimal("0.03")):
        desk = Desk(engine_of([low, high], Thresholds(max_middle_cost=cost)))
        desk.quote(low, "a", {"over": "1.95"})
        told = desk.quote(high, "b", {"under": "1.95"})
        if cost != Decimal("0.03"):
            assert told == []
            continue
        [opened] = told
        assert opened.opportunity is not None
        assert opened.opportunity.kind == "middle"
        assert opened.opportunity.margin == Decimal("-0.025")


def test_legs_of_different_times_carry_a_warning() -> None:
    desk = Desk(engine_of([OU]))
    desk.quote(OU, "a", {"over": "2.10"}, at=NOW - timedelta(seconds=90))
    [told] = desk.quote(OU, "b", {"under": "2.10"})
    assert told.opportunity is not None
    assert told.opportunity.warnings == ("stale_leg",)


def test_a_restored_engine_goes_on_under_the_same_ids_and_tells_nothing_twice() -> None:
    desk = Desk(engine_of([OU, X2]))
    desk.quote(OU, "a", {"over": "2.10"})
    [opened] = desk.quote(OU, "b", {"under": "2.10"})
    assert opened.opportunity is not None
    again = engine_of([OU, X2])
    again.restore(board_rows(desk.engine), {opened.opportunity_id: opened.opportunity}, 2)
    assert again.apply(message(OU, "b", {"under": "2.10"}), 2, NOW) == []
    assert again.settle(2) == []
    [ended] = again.apply(message(OU, "b", {"under": "1.5"}), 3, NOW)
    assert (ended.opportunity_id, ended.ended) == (opened.opportunity_id, "price_moved")


@pytest.mark.parametrize(("of", "side"), [(market("DC"), "back"), (X2, "lay")])
def test_a_portfolio_within_one_market_is_the_same_one_after_a_restart(
    of: MarketDescription, side: Side
) -> None:
    desk = Desk(engine_of([of]))
    for bookmaker, selection in zip("abc", of.selections, strict=True):
        desk.quote(of, bookmaker, {selection: "1.6" if side == "back" else "2.9"}, side=side)
    [opened] = desk.told
    assert opened.opportunity is not None
    assert opened.opportunity.kind == "n_way"
    again = engine_of([of])
    again.restore(board_rows(desk.engine), {opened.opportunity_id: opened.opportunity}, 3)
    assert again.settle(3) == []
    assert again.open.keys() == desk.engine.open.keys()


def test_a_restored_opportunity_that_the_prices_do_not_hold_any_more_is_ended() -> None:
    desk = Desk(engine_of([OU]))
    desk.quote(OU, "a", {"over": "2.10"})
    [opened] = desk.quote(OU, "b", {"under": "2.10"})
    assert opened.opportunity is not None
    for markets, reason in (([OU], "price_moved"), ([], "not_open")):
        again = engine_of(markets)
        again.restore([], {opened.opportunity_id: opened.opportunity}, 2)
        [ended] = again.settle(2)
        assert (ended.opportunity_id, ended.ended) == (opened.opportunity_id, reason)


def test_what_comes_again_after_a_crash_in_the_middle_ends_as_if_there_had_been_none() -> None:
    first = Desk(engine_of([OU]))
    moves = [
        ("a", "over", "2.10"),
        ("b", "under", "2.10"),
        ("b", "under", "1.5"),
        ("b", "under", "2.2"),
    ]
    for number, (bookmaker, selection, odds) in enumerate(moves):
        first.quote(OU, bookmaker, {selection: odds}, at=NOW + timedelta(seconds=number))
    last = first.told[-1]
    assert last.opportunity is not None
    again = engine_of([OU])  # whose prices were kept only up to the first message
    again.restore([], {last.opportunity_id: last.opportunity}, 4)
    for number, (bookmaker, selection, odds) in enumerate(moves):
        quote = message(OU, bookmaker, {selection: odds}, at=NOW + timedelta(seconds=number))
        assert again.apply(quote, number + 1, NOW) == []
    assert again.settle(4) == []
    assert {each.opportunity_id for each in again.open.values()} == {last.opportunity_id}


def test_a_market_whose_bets_cannot_be_compared_has_prices_only() -> None:
    odd = market("1X2", None, FIXTURE, ("Arsenal", "draw", "Chelsea"))
    desk = Desk(engine_of([odd, OU]))
    assert desk.quote(odd, "a", {"Arsenal": "9", "draw": "9"}) == []
    assert "Arsenal" in desk.engine.not_compared[odd.market_id]
    assert len(desk.engine.board.quotes(odd.market_id)) == 2


def test_a_race_is_an_assignment_of_bookmakers_to_runners() -> None:
    race = market("WIN", None, FIXTURE, tuple("pqrst"))
    desk = Desk(engine_of([race]))
    desk.quote(race, "a", dict.fromkeys("pqrst", "6.0"))
    for bookmaker, runner in zip("bcd", "qrs", strict=True):
        assert desk.quote(race, bookmaker, {runner: "5.5"}) == []
    [told] = desk.quote(race, "e", {"t": "5.5", "p": "5.5"})
    assert told.opportunity is not None
    assert told.opportunity.kind == "n_way"
    assert len({leg.bookmaker for leg in told.opportunity.legs}) == 5


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"odds": {"over": "0.5"}}, InvalidInput),
        ({"odds": {"over": "1"}}, InvalidInput),
        ({"odds": {"over": "1000000000"}}, InvalidInput),
        ({"odds": {"over": "NaN"}}, InvalidInput),
        ({"odds": {"over": "sNaN"}}, InvalidInput),
        ({"odds": {"over": "Infinity"}}, InvalidInput),
        ({"odds": {"over": "-2"}}, InvalidInput),
        ({"odds": {"over": "2.0001"}}, InvalidInput),
        ({"odds": {"under": "2", "draw": "2"}}, SelectionNotInMarket),
        ({"size": "-1"}, InvalidInput),
        ({"size": "NaN"}, InvalidInput),
        ({"at": NOW + timedelta(seconds=61)}, InvalidInput),
        ({"at": NOW.replace(tzinfo=None)}, InvalidInput),
        ({"at": NOW.replace(year=1)}, InvalidInput),
        ({"of": X2}, MarketNotFound),
    ],
)
def test_a_quote_that_nobody_can_mean_is_refused_and_changes_nothing(
    change: dict[str, object], refusal: type[Refusal]
) -> None:
    desk = Desk(engine_of([OU]))
    arguments: dict[str, object] = {"of": OU, "bookmaker": "a", "odds": {"under": "2", "over": "2"}}
    with pytest.raises(refusal):
        desk.quote(**(arguments | change))  # type: ignore[arg-type]
    assert desk.engine.board.quotes(OU.market_id) == []


# ---- any prices


MARKETS = [
    market("1X2"),
    market("OU", "2.5"),
    market("OU", "2.25"),
    market("AH", "-0.5"),
    market("AH", "0.25"),
    market("AH", "0"),
    market("DC"),
    market("DNB"),
    market("BTTS"),
]
COMMISSIONS = {"c": 0.02}
TERMS = Thresholds(
    bookmakers={
        "c": BookmakerTerms(commission=Decimal("0.02")),
        "e": BookmakerTerms(same_as="a"),
    }
)
some_prices = st.lists(
    st.builds(
        lambda of, selection, side, bookmaker, odds: Price(
            of, of.selections[selection % len(of.selections)], side, bookmaker, odds / 100
        ),
        st.sampled_from(MARKETS),
        st.integers(0, 2),
        st.sampled_from(["back", "back", "back", "lay"]),
        st.sampled_from("abcde"),
        st.integers(101, 420),
    ),
    min_size=1,
    max_size=25,
)


@given(some_prices, st.data())
@settings(max_examples=60)
def test_after_every_quote_exactly_the_arbitrages_of_a_scan_are_held(
    quotes: list[Price], data: st.DataObject
) -> None:
    desk = Desk(engine_of(MARKETS, TERMS))
    markets = {each.market_id: each for each in MARKETS}
    for quote in quotes:
        withdrawn = data.draw(st.integers(0, 9)) == 0
        odds = None if withdrawn else str(quote.odds)
        told = desk.quote(
            quote.market, quote.bookmaker, {quote.selection_id: odds}, side=quote.side
        )
        assert_same(values_of(desk.engine), brute_values(prices_on(desk.engine), COMMISSIONS))
        for change in told:
            if change.opportunity is not None:
                assert_pays(change.opportunity, markets, {"c": Decimal("0.02")})


@given(some_prices)
@settings(max_examples=40)
def test_when_the_state_prices_say_that_nothing_pays_no_choice_of_bets_pays(
    quotes: list[Price],
) -> None:
    desk = Desk(engine_of(MARKETS, TERMS))
    for quote in quotes[:7]:
        desk.quote(
            quote.market, quote.bookmaker, {quote.selection_id: str(quote.odds)}, side=quote.side
        )
    prices = prices_on(desk.engine)
    payoffs = [returns(price, COMMISSIONS.get(price.bookmaker, 0.0)) for price in prices]
    best = exhaustive_portfolio(prices, payoffs)
    holds = values_of(desk.engine)
    assert max([1.0, *holds.values()]) == pytest.approx(max(1.0, best), abs=1e-8)


@given(some_prices, st.lists(st.integers(1, 6), min_size=25, max_size=25))
@settings(max_examples=60)
def test_a_batch_ends_as_if_its_quotes_had_come_one_by_one(
    quotes: list[Price], sizes: list[int]
) -> None:
    one, many = Desk(engine_of(MARKETS, TERMS)), engine_of(MARKETS, TERMS)
    rest = list(quotes)
    for number, size in enumerate(sizes, 1):
        batch, rest = rest[:size], rest[size:]
        for quote in batch:
            odds: dict[str, str | None] = {quote.selection_id: str(quote.odds)}
            one.quote(quote.market, quote.bookmaker, odds, side=quote.side)
        if batch:
            put(many, batch, number)
        assert_same(values_of(many), values_of(one.engine))
        assert many.open.keys() == one.engine.open.keys()


lines = st.decimals(allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(lines, st.none() | lines), max_size=3), st.datetimes())
@settings(max_examples=80)
def test_no_numbers_break_the_engine(
    quotes: list[tuple[Decimal, Decimal | None]], at: object
) -> None:
    desk = Desk(engine_of([OU]))
    side: Side = "lay"
    refused: list[str] = []
    for odds, size in quotes:
        for when in (NOW, at):
            try:
                desk.quote(
                    OU,
                    "a",
                    {"over": str(odds)},
                    side=side,
                    at=when,  # type: ignore[arg-type]
                    size=None if size is None else str(size),
                )
            except Refusal as refusal:
                refused.append(refusal.detail)
    assert all(refused)
