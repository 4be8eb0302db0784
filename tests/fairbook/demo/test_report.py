from io import StringIO

import pytest
from rich.console import Console

from fairbook.demo.book import Purse
from fairbook.demo.report import accounts_table, money


def printed(purses: list[Purse]) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(accounts_table(purses))
    text = console.file
    assert isinstance(text, StringIO)
    return text.getvalue()


@pytest.mark.parametrize(
    ("amount_minor", "digits", "text"),
    [(123456, 2, "1,234.56"), (-5, 2, "-0.05"), (123456, 0, "123,456"), (1, 3, "0.001")],
)
def test_money_is_written_in_major_units(amount_minor: int, digits: int, text: str) -> None:
    assert money(amount_minor, digits) == text


def test_accounts_are_listed_by_currency_and_yield_with_sums() -> None:
    ada = Purse(
        "ada",
        "GBP",
        deposited_minor=10_000,
        available_minor=9_500,
        bets=2,
        turnover_minor=1_000,
        returned_minor=500,
    )
    bob = Purse(
        "bob",
        "GBP",
        deposited_minor=20_000,
        available_minor=20_100,
        bets=1,
        won=1,
        turnover_minor=100,
        returned_minor=200,
    )
    eva = Purse("eva", "EUR", deposited_minor=5_000, available_minor=5_000)
    lines = [line.split() for line in printed([ada, bob, eva]).splitlines()]
    owners = [line[1] for line in lines if len(line) > 1 and line[0] == "│"]
    assert owners == ["eva", "bob", "ada", "all", "all"]
    [sums] = [line for line in lines if len(line) > 1 and line[1] == "all" and "GBP" in line]
    assert "300.00" in sums
    assert "-36.36%" in sums


def test_a_trader_without_bets_has_no_yield() -> None:
    assert "+0.00%" in printed([Purse("eva", "EUR")])
