"""The tables at the end of a demo."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby

from rich.console import Console
from rich.table import Table

from domain.money import MINOR_DIGITS
from fairbook.demo.book import Purse, Tally
from fairbook.demo.checks import Findings
from fairbook.demo.gala_play import PUNTERS, STRATEGY
from fairbook.demo.run import Played
from fairbook.demo.traders import TRADERS

TOPICS_SHOWN = 20


def show(console: Console, played: Played, findings: Findings) -> None:
    """Print who won and lost, what happened how fast, and whether everything agrees."""
    console.print(accounts_table(played.book.purses.values()))
    console.print(kinds_table(played.book.kinds))
    console.print(figures_table(played, findings))
    console.print(trial_balance_table(findings))
    for check in findings.checks:
        mark = "[green]agrees[/]" if check.agrees else "[bold red]DISAGREES[/]"
        console.print(mark, end=" ")
        console.print(check.said, markup=False, highlight=False)


def accounts_table(purses: Iterable[Purse]) -> Table:
    """Lay out each trader's account, the best yield first, and the sums of each currency."""
    table = Table(title="Accounts", title_justify="left")
    for column in ("owner", "strategy"):
        table.add_column(column)
    numbers = (
        "deposits", "withdrawn", "bets", "won", "refused", "turnover", "profit", "yield", "balance",
    )  # fmt: skip
    table.add_column("")
    for column in numbers:
        table.add_column(column, justify="right")
    strategies = {trader.name: trader.strategy for trader in TRADERS}
    strategies |= dict.fromkeys(PUNTERS, STRATEGY)
    ranked = sorted(purses, key=lambda purse: (purse.currency, -_yield(purse), purse.owner))
    for purse in ranked:
        table.add_row(purse.owner, strategies.get(purse.owner, ""), *_cells(purse))
    for currency in sorted({purse.currency for purse in ranked}):
        table.add_section()
        table.add_row("all", "", *_cells(_sum(currency, ranked)))
    return table


def _cells(purse: Purse) -> list[str]:
    digits = MINOR_DIGITS[purse.currency]
    return [
        purse.currency,
        money(purse.deposited_minor, digits),
        money(purse.withdrawn_minor, digits),
        f"{purse.bets:,}",
        f"{purse.won:,}",
        f"{purse.refusals.total():,}",
        money(purse.turnover_minor, digits),
        money(purse.profit_minor, digits),
        f"{100 * _yield(purse):+.2f}%",
        money(purse.available_minor, digits),
    ]


def _sum(currency: str, purses: Sequence[Purse]) -> Purse:
    total = Purse("all", currency)
    for purse in purses:
        if purse.currency == currency:
            for name in (
                "available_minor", "in_play_minor", "deposited_minor", "withdrawn_minor", "bets", "won",
                "turnover_minor", "returned_minor",
            ):  # fmt: skip
                setattr(total, name, getattr(total, name) + getattr(purse, name))
            total.refusals += purse.refusals
    return total


def _yield(purse: Purse) -> Decimal:
    if not purse.turnover_minor:
        return Decimal(0)
    return Decimal(purse.profit_minor) / purse.turnover_minor


def money(amount_minor: int, digits: int) -> str:
    """Write minor units in major ones, with `digits` decimals and thousands separated."""
    return f"{Decimal(amount_minor).scaleb(-digits):,.{digits}f}"


def kinds_table(kinds: Mapping[tuple[str, str], Tally]) -> Table:
    """Lay out bets by kind in each currency, the most frequent first."""
    table = Table(title="Bets by kind", title_justify="left")
    for column in ("", "kind"):
        table.add_column(column)
    for column in ("bets", "turnover", "profit", "yield"):
        table.add_column(column, justify="right")
    ranked = sorted(kinds.items(), key=lambda item: (item[0][0], -item[1].bets, item[0][1]))
    for currency, rows in groupby(ranked, key=lambda item: item[0][0]):
        digits = MINOR_DIGITS[currency]
        for (_, kind), tally in rows:
            share = Decimal(tally.profit_minor) / (tally.turnover_minor or 1)
            table.add_row(
                currency,
                kind,
                f"{tally.bets:,}",
                money(tally.turnover_minor, digits),
                money(tally.profit_minor, digits),
                f"{100 * share:+.2f}%" if tally.turnover_minor else "",
            )
        table.add_section()
    return table


def figures_table(played: Played, findings: Findings) -> Table:
    """Lay out how much was played, and how fast."""
    book = played.book
    wagers = [wager for wager, _ in played.gala.ended.values()]
    table = Table(title="Figures", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows: list[tuple[str, object]] = [
        ("matches", f"{played.matches:,}"),
        ("markets", f"{len(played.markets):,}"),
        ("prices recorded", f"{played.quotes:,}"),
        ("bets accepted", f"{book.bets:,}"),
        ("  asked one by one", f"{played.singles:,}"),
        ("  asked in batches", f"{played.batched:,} in {played.batches:,}"),
        *((f"bets refused: {kind}", f"{count:,}") for kind, count in book.refusals.most_common()),
        ("bets of many kinds, on the last day", f"{len(wagers):,}"),
        ("  at a starting price", f"{sum(wager.at_starting_price for wager in wagers):,}"),
        ("  with best odds guaranteed", f"{sum(wager.best_odds for wager in wagers):,}"),
        ("elapsed", f"{played.elapsed_seconds:.1f} s"),
        ("  placing bets", f"{played.betting_seconds:.1f} s"),
        ("  declaring and settling", f"{played.settling_seconds:.1f} s"),
        ("  the last day: bets of every kind", f"{played.gala_seconds:.1f} s"),
        (
            "bets a second while betting",
            f"{(book.bets - len(played.gala.ended)) / played.betting_seconds:,.0f}",
        ),
        ("events", f"{findings.topics.total():,}"),
        *(
            (f"  {topic}", f"{count:,}")
            for topic, count in findings.topics.most_common(TOPICS_SHOWN)
        ),
        ("events a second over all", f"{findings.topics.total() / played.elapsed_seconds:,.0f}"),
    ]
    for name, value in rows:
        table.add_row(name, str(value))
    return table


def trial_balance_table(findings: Findings) -> Table:
    """Lay out the balance of every book; each currency's balances sum to zero."""
    table = Table(title="Trial balance", title_justify="left")
    for column in ("", "book", "detail"):
        table.add_column(column)
    table.add_column("balance", justify="right")
    balance = findings.trial_balance
    for currency in sorted(balance.check_minor):
        digits = MINOR_DIGITS[currency]
        for row in balance.rows:
            if row.currency == currency:
                table.add_row(currency, row.book, row.detail, money(row.balance_minor, digits))
        table.add_row(currency, "sum", "", money(balance.check_minor[currency], digits))
        table.add_section()
    return table
