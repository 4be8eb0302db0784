"""Decisions about prices."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from domain.events.bet import Side
from domain.events.odds import OddsSnapshotTaken, Quote
from domain.odds import CLOCK_SKEW, HOUSE, HousePrices, take_snapshot
from domain.refusals import InvalidInput, PriceChanged, Refusal, SelectionNotInMarket
from tests.builders import MARKET, NOW, given_market


def quote(
    odds: str = "2.5",
    selection_id: str = "home",
    *,
    bookmaker: str = HOUSE,
    at: datetime = NOW,
    size: str | None = None,
    side: Side = "back",
    withdrawn: bool = False,
) -> Quote:
    return Quote(
        bookmaker,
        selection_id,
        Decimal(odds),
        at,
        Decimal(size) if size else None,
        side=side,
        withdrawn=withdrawn,
    )


def snapshot(*quotes: Quote) -> OddsSnapshotTaken:
    return OddsSnapshotTaken(market_id=MARKET, quotes=quotes)


def house(*snapshots: OddsSnapshotTaken) -> HousePrices:
    state = HousePrices.start(MARKET, snapshots[0])
    for taken in snapshots[1:]:
        state = state.evolve(taken)
    return state


def offered(prices: HousePrices) -> dict[str, str]:
    return {name: str(odds) for name, (odds, _) in prices.prices.items() if odds is not None}


# ---- taking snapshots


def test_a_snapshot_keeps_every_quote() -> None:
    quotes = (
        quote(),
        quote("1.001", "away", bookmaker="Pinnacle", size="1000.50"),
        quote("2.52", bookmaker="Betfair", side="lay"),
        quote(withdrawn=True),
    )
    assert take_snapshot(given_market(), quotes, NOW) == snapshot(*quotes)


def test_a_quote_may_be_a_little_ahead_of_our_clock() -> None:
    take_snapshot(given_market(), (quote(at=NOW + CLOCK_SKEW),), NOW)


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (quote("1"), InvalidInput),
        (quote("NaN"), InvalidInput),
        (quote("2.5001"), InvalidInput),
        (quote(selection_id="nobody"), SelectionNotInMarket),
        (quote(at=NOW + CLOCK_SKEW + timedelta(seconds=1)), InvalidInput),
        (quote("1", side="lay"), InvalidInput),
        (quote("NaN", withdrawn=True), InvalidInput),
        (quote(selection_id="nobody", withdrawn=True), SelectionNotInMarket),
        (quote(size="NaN"), InvalidInput),
        (quote(size="Infinity"), InvalidInput),
        (quote(size="-1"), InvalidInput),
        (quote(size="1E+400"), InvalidInput),
        (quote(size="1E-400"), InvalidInput),
    ],
)
def test_one_wrong_quote_refuses_the_snapshot(wrong: Quote, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal) as caught:
        take_snapshot(given_market(), (quote(), wrong), NOW)
    assert type(caught.value) is refusal


# ---- the house's prices


def test_the_house_offers_its_latest_price() -> None:
    later = NOW + timedelta(seconds=1)
    prices = house(snapshot(quote("2.5")), snapshot(quote("2.4", at=later)))
    assert offered(prices) == {"home": "2.4"}
    assert prices.version == 2


def test_an_older_quote_that_arrives_late_changes_nothing() -> None:
    earlier = NOW - timedelta(seconds=1)
    assert offered(house(snapshot(quote("2.5")), snapshot(quote("2.4", at=earlier)))) == {
        "home": "2.5"
    }


def test_the_newest_of_two_quotes_in_one_snapshot_counts_whatever_their_order() -> None:
    earlier = NOW - timedelta(seconds=1)
    assert offered(house(snapshot(quote("2.5"), quote("9", at=earlier)))) == {"home": "2.5"}
    assert offered(house(snapshot(quote("9", at=earlier), quote("2.5")))) == {"home": "2.5"}


def test_a_withdrawn_price_is_no_longer_offered() -> None:
    prices = house(snapshot(quote("2.5"), quote("3", "away")), snapshot(quote(withdrawn=True)))
    assert offered(prices) == {"away": "3"}
    with pytest.raises(PriceChanged, match="no price"):
        prices.check_price("home", Decimal("1.5"))


def test_an_older_quote_that_arrives_after_a_withdrawal_does_not_bring_the_price_back() -> None:
    gone = snapshot(quote("2.5", at=NOW, withdrawn=True))
    earlier, later = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    assert offered(house(gone, snapshot(quote("2.4", at=earlier)))) == {}
    assert offered(house(gone, snapshot(quote("2.4", at=later)))) == {"home": "2.4"}


def test_a_withdrawal_that_is_older_than_the_price_takes_nothing_away() -> None:
    earlier = snapshot(quote(at=NOW - timedelta(seconds=1), withdrawn=True))
    assert offered(house(snapshot(quote("2.5")), earlier)) == {"home": "2.5"}


def test_what_the_house_would_lay_is_no_price_for_a_back_bet() -> None:
    assert offered(house(snapshot(quote("2.6", side="lay")))) == {}
    assert offered(house(snapshot(quote("2.5")), snapshot(quote("2.6", side="lay")))) == {
        "home": "2.5"
    }


def test_of_quotes_at_the_same_moment_the_last_one_counts() -> None:
    assert offered(house(snapshot(quote("2.5")), snapshot(quote("2.6")))) == {"home": "2.6"}
    assert offered(house(snapshot(quote("2.5"), quote("2.6")))) == {"home": "2.6"}


def test_other_bookmakers_do_not_change_what_the_house_offers() -> None:
    prices = house(snapshot(quote("9", bookmaker="Pinnacle")), snapshot(quote("2.5", "away")))
    assert offered(prices) == {"away": "2.5"}
    assert prices.version == 2


@pytest.mark.parametrize(("odds", "taken"), [("2.5", True), ("2.499", True), ("2.501", False)])
def test_a_bet_gets_the_offered_price_or_a_worse_one(odds: str, taken: bool) -> None:
    prices = house(snapshot(quote("2.5")))
    if taken:
        prices.check_price("home", Decimal(odds))
    else:
        with pytest.raises(PriceChanged, match=r"2\.5 now"):
            prices.check_price("home", Decimal(odds))


def test_a_selection_without_a_price_takes_no_bet() -> None:
    with pytest.raises(PriceChanged, match="no price"):
        house(snapshot(quote())).check_price("away", Decimal("1.5"))
    with pytest.raises(PriceChanged, match="no price"):
        HousePrices(0).check_price("home", Decimal("1.5"))
