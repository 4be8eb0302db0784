"""What an arbitrage is called, what is told of it, and middles."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.arbitrage import (
    Offer,
    Situation,
    balance,
    is_middle,
    kind_of,
    price_arbitrage,
    price_middle,
    to_margin,
)
from domain.events.arbitrage import Opportunity
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.freshness import MaxAges
from domain.outcomes import Grid, Proposition
from domain.stakes import PricedBet, make_book
from tests.builders import NOW, an_id

SITUATION = Situation(
    fixture_id=an_id("fixture"),
    total_minor=100_000,
    currency="EUR",
    now=NOW,
    max_ages=MaxAges(default_seconds=30, by_bookmaker={"slow": 300}),
    expires_at=NOW + timedelta(seconds=30),
    sequence=7,
)


def proposition(kind: MarketType, line: str | None, *selections: str) -> Proposition:
    return Proposition(kind, None if line is None else Decimal(line), selections)


RESULT = proposition("1X2", None, "home", "draw", "away")
DNB = proposition("DNB", None, "home", "away")
OVER_UNDER = {line: proposition("OU", line, "over", "under") for line in ("2", "2.5", "3", "3.5")}
HANDICAP = {
    line: proposition("AH", line, "home", "away") for line in ("-1.5", "-0.5", "0.5", "1.5")
}
GRID = Grid.of([RESULT, DNB, *OVER_UNDER.values(), *HANDICAP.values()])


def offer(
    market: Proposition,
    selection: str,
    odds: str,
    bookmaker: str,
    *,
    side: Side = "back",
    age_seconds: float = 1,
    rules: frozenset[str] = frozenset(),
) -> Offer:
    bet = PricedBet(
        bookmaker,
        Decimal(odds),
        GRID.payoff(market, selection).returns(Fraction(odds)),
        side=side,
    )
    quoted_at = NOW - timedelta(seconds=age_seconds)
    return Offer(an_id(str(market)), selection, quoted_at, bet, rules)


def even(*offers: Offer) -> tuple[Fraction, ...]:
    weights = [1 / max(each.bet.returns()) for each in offers]
    return tuple(weight / sum(weights) for weight in weights)


def priced(*offers: Offer) -> Opportunity:
    found = price_arbitrage(offers, even(*offers), SITUATION)
    assert found is not None
    return found


# ---- arbitrages


def test_an_opportunity_says_what_to_bet_and_what_is_certain() -> None:
    market = OVER_UNDER["2.5"]
    found = priced(offer(market, "over", "2.1", "a"), offer(market, "under", "2.1", "b"))
    assert (found.kind, found.outlay_minor, found.guaranteed_profit_minor) == (
        "two_way",
        100_000,
        5_000,
    )
    assert found.margin == Decimal("0.05")
    assert [(leg.bookmaker, leg.selection_id, leg.stake_minor) for leg in found.legs] == [
        ("a", "over", 50_000),
        ("b", "under", 50_000),
    ]
    assert (found.currency, found.sequence, found.warnings) == ("EUR", 7, ())
    assert found.expires_at == NOW + timedelta(seconds=30)
    assert found.legs[0].quoted_at == NOW - timedelta(seconds=1)


def test_two_bets_whose_stakes_may_both_come_back_are_no_arbitrage() -> None:
    offers = (offer(DNB, "home", "2.1", "a"), offer(DNB, "away", "2.1", "b"))
    assert price_arbitrage(offers, even(*offers), SITUATION) is None


def test_what_rounding_or_the_least_profit_eats_is_not_reported() -> None:
    market = OVER_UNDER["2.5"]
    offers = (offer(market, "over", "2.001", "a"), offer(market, "under", "2.001", "b"))
    assert priced(*offers).guaranteed_profit_minor == 50
    for change in ({"total_minor": 900}, {"least_profit_minor": 51}):
        assert price_arbitrage(offers, even(*offers), replace(SITUATION, **change)) is None


def test_what_only_rounding_earns_is_no_arbitrage() -> None:
    market = OVER_UNDER["2.5"]
    offers = (offer(market, "over", "1.98", "a"), offer(market, "under", "1.98", "b"))
    book = make_book([each.bet for each in offers], even(*offers), 60)
    assert book is not None
    assert price_arbitrage(offers, even(*offers), replace(SITUATION, total_minor=60)) is None
    tiny = make_book([offer(market, s, "1.5", s).bet for s in ("over", "under")], even(*offers), 2)
    assert tiny is not None
    assert tiny.guaranteed_minor == 0  # 1.5 is rounded to 2


def test_a_bookmaker_may_not_have_two_legs() -> None:
    market = OVER_UNDER["2.5"]
    offers = (offer(market, "over", "2.1", "a"), offer(market, "under", "2.1", "a"))
    with pytest.raises(ValueError, match="two legs"):
        price_arbitrage(offers, even(*offers), SITUATION)
    with pytest.raises(ValueError, match="two legs"):
        price_middle(offers, SITUATION)


def test_kinds() -> None:
    over, under = (offer(OVER_UNDER["2.5"], s, "2.1", s) for s in ("over", "under"))
    home, draw, away = (offer(RESULT, s, "3.3", s) for s in ("home", "draw", "away"))
    lay = offer(RESULT, "home", "3.0", "exchange", side="lay")
    assert kind_of([over, under]) == "two_way"
    assert kind_of([home, draw, away]) == "n_way"
    assert kind_of([home, lay]) == "back_lay"
    assert kind_of([home, offer(HANDICAP["-0.5"], "away", "1.9", "b")]) == "cross_market"


# ---- warnings


def test_what_is_doubtful_is_said() -> None:
    market = OVER_UNDER["2.5"]
    over = offer(market, "over", "2.3", "a")
    old = offer(market, "under", "2.3", "b", age_seconds=31)
    slow = offer(market, "under", "2.1", "slow", age_seconds=299)
    other = offer(market, "under", "2.1", "b", rules=frozenset({"extra_time"}))
    assert priced(over, old).warnings == ("margin_over_10_percent", "stale_leg")
    assert priced(over, slow).warnings == ()
    assert priced(over, other).warnings == ("rules_differ",)


def test_ten_percent_is_not_over_ten_percent() -> None:
    market = OVER_UNDER["2.5"]
    found = priced(offer(market, "over", "2.2", "a"), offer(market, "under", "2.2", "b"))
    assert (found.margin, found.warnings) == (Decimal("0.1"), ())


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        (Fraction(1, 20), "0.050000"),
        (Fraction(2, 3), "0.666666"),
        (Fraction(1, 10**7), "0.000000"),
        (Fraction(-1, 3), "-0.333334"),
        (Fraction(99_999), "99999.000000"),
    ],
)
def test_a_margin_is_never_better_than_it_is(exact: Fraction, shown: str) -> None:
    assert str(to_margin(exact)) == shown


# ---- middles


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("over", "2.5"), ("under", "3.5"), True),
        (("over", "3.5"), ("under", "2.5"), False),  # a Polish middle: both lose at 3
        (("over", "2.5"), ("under", "2.5"), False),
        (
            ("over", "2"),
            ("under", "3"),
            False,
        ),  # one stake comes back at 2 and at 3, both never win
        (("over", "2"), ("under", "3.5"), True),
        (("over", "2.5"), ("over", "2"), False),
    ],
)
def test_a_middle_is_two_bets_that_can_both_win(
    one: tuple[str, str], other: tuple[str, str], *, expected: bool
) -> None:
    bets = [
        offer(OVER_UNDER[line], side, "1.95", bookmaker).bet
        for (side, line), bookmaker in ((one, "a"), (other, "b"))
    ]
    assert is_middle(*bets) == is_middle(*bets[::-1]) == expected


def test_handicaps_make_a_middle_too() -> None:
    home = offer(HANDICAP["-0.5"], "home", "1.95", "a").bet
    away = offer(HANDICAP["-1.5"], "away", "1.95", "b").bet
    assert is_middle(home, away)  # both win when home wins by one
    assert not is_middle(
        offer(HANDICAP["-1.5"], "home", "1.95", "a").bet,
        offer(HANDICAP["-0.5"], "away", "1.95", "b").bet,
    )


def test_a_middle_loses_little_outside_and_wins_much_inside() -> None:
    over = offer(OVER_UNDER["2.5"], "over", "1.9", "a")
    under = offer(OVER_UNDER["3.5"], "under", "2", "b")
    found = price_middle((over, under), SITUATION)
    assert found is not None
    opportunity, book = found
    assert opportunity.kind == "middle"
    cost = 1 / Fraction("1.9") + Fraction(1, 2)
    assert opportunity.margin == to_margin(1 / cost - 1)
    assert abs(opportunity.guaranteed_profit_minor - 100_000 * (1 / cost - 1)) <= 2
    assert abs(max(book.profits_minor) - 100_000 * (2 / cost - 1)) <= 4
    assert set(book.profits_minor) <= {
        max(book.profits_minor),
        *range(opportunity.guaranteed_profit_minor, opportunity.guaranteed_profit_minor + 4),
    }


def test_a_polish_middle_is_none() -> None:
    over = offer(OVER_UNDER["3.5"], "over", "2.4", "a")
    under = offer(OVER_UNDER["2.5"], "under", "2.4", "b")
    assert price_middle((over, under), SITUATION) is None


RETURNS = st.fractions(0, 5, max_denominator=20)


@given(st.lists(st.tuples(RETURNS, RETURNS), min_size=1, max_size=6), st.fractions(0, 1))
def test_no_other_share_is_better_in_the_worst_state(
    states: list[tuple[Fraction, Fraction]], other: Fraction
) -> None:
    one, two = zip(*states, strict=True)

    def worst(share: Fraction) -> Fraction:
        return min(share * a + (1 - share) * b for a, b in states)

    assert worst(balance(one, two)) >= worst(other)
