from collections import Counter
from uuid import uuid4

import pytest

from fairbook.demo.book import Book
from fairbook.demo.checks import check_books, check_log, check_owed
from fairbook.demo.run import Played
from read_models.journal import TrialBalance, TrialBalanceRow


def books(available: int, external: int, said: int | None = None) -> TrialBalance:
    rows = [
        TrialBalanceRow("customer_available", "", "GBP", available),
        TrialBalanceRow("external", "bank transfer", "GBP", external),
    ]
    return TrialBalance(rows, {"GBP": available + external if said is None else said})


def played(available_minor: int) -> Played:
    book = Book()
    account_id = uuid4()
    book.open(account_id, "ada", "GBP")
    book.deposit(account_id, available_minor)
    return Played(book, uuid4())


@pytest.mark.parametrize(
    ("trial_balance", "agrees"),
    [
        (books(100, -100), True),
        (books(100, -99), False),
        (books(100, -99, said=0), False),
        (books(100, -100, said=1), False),
        (TrialBalance([], {}), True),
    ],
    ids=["balanced", "one unit off", "a sum that lies", "a sum that is wrong", "empty"],
)
def test_books_must_balance_by_our_own_sum(trial_balance: TrialBalance, agrees: bool) -> None:
    assert check_books(trial_balance).agrees is agrees


@pytest.mark.parametrize(("available_minor", "agrees"), [(100, True), (99, False), (101, False)])
def test_the_books_must_owe_what_the_accounts_hold(available_minor: int, agrees: bool) -> None:
    assert check_owed(books(100, -100), played(available_minor)).agrees is agrees


def test_the_log_must_hold_each_accepted_bet_once() -> None:
    topics = Counter({"account.opened": 1})
    assert check_log(topics, played(1)).agrees
    doubled = check_log(topics + Counter({"bet.placed": 1}), played(1))
    assert not doubled.agrees
    assert "bet.placed: 1 events, 0 expected" in doubled.said
