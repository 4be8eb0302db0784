from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.market import Score
from domain.money import single_return_minor
from fairbook.demo.book import Bet, Book, Settled, returned_minor, winner

ACCOUNT, MARKET = uuid4(), uuid4()


def book_with(amount_minor: int) -> Book:
    book = Book()
    book.open(ACCOUNT, "ada", "GBP")
    book.deposit(ACCOUNT, amount_minor)
    return book


def bet(selection_id: str, odds: str, stake_minor: int, market_id: UUID = MARKET) -> Bet:
    return Bet(uuid4(), ACCOUNT, market_id, selection_id, Decimal(odds), stake_minor)


def test_a_stake_is_in_play_until_its_market_is_settled() -> None:
    book = book_with(1_000)
    book.accept(bet("home", "2.5", 300))
    purse = book.purses[ACCOUNT]
    assert (purse.available_minor, purse.in_play_minor, purse.profit_minor) == (700, 300, 0)
    book.settle(MARKET, "home")
    assert (purse.available_minor, purse.in_play_minor, purse.profit_minor) == (1_450, 0, 450)


def test_a_lost_bet_returns_nothing_and_other_markets_stay_open() -> None:
    book = book_with(1_000)
    other = uuid4()
    book.accept(bet("away", "2.5", 300))
    book.accept(bet("over", "1.9", 100, other))
    book.settle(MARKET, "home")
    assert book.settled == {(MARKET, "GBP"): Settled(1, 300, 0)}
    purse = book.purses[ACCOUNT]
    assert (purse.available_minor, purse.in_play_minor, purse.profit_minor) == (600, 100, -300)
    assert (purse.bets, purse.won) == (2, 0)


def test_refusals_are_counted_by_reason() -> None:
    book = book_with(0)
    book.refuse(bet("home", "2", 1), "insufficient_funds")
    book.refuse(bet("home", "2", 1), "insufficient_funds")
    assert book.refusals == {"insufficient_funds": 2}
    assert book.bets == 0


def test_rounds_lost_in_a_row_are_counted() -> None:
    book = book_with(1_000)
    lost_in_a_row = []
    for selection_id in ("away", "away", "home", "away"):
        book.accept(bet(selection_id, "2", 10))
        book.settle(MARKET, "home")
        book.end_round()
        lost_in_a_row.append(book.purses[ACCOUNT].losing_rounds)
    book.end_round()
    assert lost_in_a_row == [1, 2, 0, 1]
    assert book.purses[ACCOUNT].losing_rounds == 1


@pytest.mark.parametrize(
    ("stake_minor", "odds", "return_minor"),
    [(1000, "2.05", 2050), (1, "1.5", 2), (1, "1.499", 1), (3, "1.5", 5), (333, "1.333", 444)],
)
def test_returns_round_half_up_to_the_minor_unit(
    stake_minor: int, odds: str, return_minor: int
) -> None:
    assert returned_minor(stake_minor, Decimal(odds)) == return_minor


@given(st.integers(1, 10**12), st.integers(1_001, 10**8))
def test_two_independent_arithmetics_agree(stake_minor: int, thousandths: int) -> None:
    odds = Decimal(thousandths) / 1000
    assert returned_minor(stake_minor, odds) == single_return_minor(stake_minor, odds)


@pytest.mark.parametrize(
    ("score", "outcome", "total"),
    [
        (Score(0, 0), "draw", "under"),
        (Score(2, 0), "home", "under"),
        (Score(1, 2), "away", "over"),
        (Score(3, 3), "draw", "over"),
    ],
)
def test_the_score_decides_both_markets(score: Score, outcome: str, total: str) -> None:
    assert winner("1X2", score) == outcome
    assert winner("OU", score) == total


def test_a_market_that_the_demo_does_not_play_is_refused() -> None:
    with pytest.raises(ValueError, match="BTTS"):
        winner("BTTS", Score(1, 1))
