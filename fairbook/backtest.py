"""`fairbook backtest`: bet on past matches day by day, as a model would have, and tell what became of the bankroll."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.football_data import FootballDataError
from application.backtest.betting import (
    PRICES,
    STAKINGS,
    BacktestMarket,
    Betting,
    BettingRules,
    Offer,
    Point,
    bet_on,
)
from application.backtest.offers import MARKETS, MODELS, OfferSettings, offers_of
from application.backtest.report import BacktestReport, Drawdown, Summary, report_of
from application.football.forecaster import GoalsSettings
from application.football.matches import SEASON_STARTS_IN, PricedMatch
from domain.events.market import MarketType
from domain.money import MAX_AMOUNT_MINOR, MINOR_DIGITS, check_currency
from domain.prediction.kelly import StakeRule
from domain.prediction.losses import Interval
from domain.refusals import Refusal
from fairbook.football_files import read_matches, season_files
from fairbook.plots import PlotsMissing

DONE, FAILED = 0, 2
WIDTH_IN_FILES: Final = 150
SEED: Final = 20


class Options(Struct, frozen=True, kw_only=True):
    """What a backtest is asked for."""

    files: tuple[str, ...]
    since: datetime | None
    currency: str
    offers: OfferSettings
    rules: BettingRules
    seed: int


class Backtest(Struct, frozen=True, kw_only=True):
    """What a backtest found, as its JSON has it."""

    note: str
    options: Options
    report: BacktestReport
    curve: tuple[Point, ...]
    markets: tuple[BacktestMarket, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="football-data.co.uk season files (default: those of FAIRBOOK_DATA/football)",
    )
    parser.add_argument("--league", nargs="+", default=[], metavar="E0", help="only these leagues")
    parser.add_argument(
        "--since",
        type=day_of,
        metavar="DAY",
        help="bet on matches from this day on, learn from earlier ones (default: the second season)",
    )
    parser.add_argument(
        "--until", type=day_of, metavar="DAY", help="leave out matches from this day on"
    )
    parser.add_argument("--model", choices=MODELS, default="goals", help="whose probabilities")
    parser.add_argument(
        "--markets", nargs="+", choices=MARKETS, default=["1X2"], help="what is bet on"
    )
    price = parser.add_argument_group("price")
    price.add_argument(
        "--price",
        choices=PRICES,
        default="best",
        help="the best opening price, or one bookmaker's opening or closing price (default: best)",
    )
    price.add_argument("--bookmaker", default="pinnacle", help="whose (default: %(default)s)")
    price.add_argument(
        "--commission", type=_number, default=Decimal(0), metavar="SHARE", help="such as 0.02"
    )
    money = parser.add_argument_group("money, in units of the currency such as 1000 or 9.50")
    money.add_argument("--currency", default="EUR", help="ISO 4217 (default: %(default)s)")
    money.add_argument("--bankroll", type=_number, default=Decimal(1000), metavar="AMOUNT")
    money.add_argument("--staking", choices=STAKINGS, default="kelly")
    money.add_argument("--stake", type=_number, default=Decimal(10), help="of flat staking")
    money.add_argument(
        "--fraction", type=float, default=0.25, help="of Kelly's share (default: %(default)s)"
    )
    money.add_argument(
        "--cap", type=float, default=0.02, help="share of the bankroll on a bet, at most"
    )
    money.add_argument("--market-cap", type=float, default=0.04, help="… and on a market")
    money.add_argument("--limit", type=_number, metavar="AMOUNT", help="most on a bet")
    money.add_argument("--least", type=_number, metavar="AMOUNT", help="least on a bet")
    parser.add_argument(
        "--min-edge",
        type=float,
        default=0.02,
        metavar="SHARE",
        help="probability − 1/odds, at least (default: %(default)s)",
    )
    parser.add_argument("--half-life", type=float, default=400.0, metavar="DAYS")
    parser.add_argument("--seed", type=int, default=SEED, help="of the draws (default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything, every bet too")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with plots")


def run(arguments: argparse.Namespace) -> int:
    """Bet and print tables: 0 when done, 2 when it could not be."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_IN_FILES)
    try:
        options = _options(arguments)
        leagues = read_matches(season_files(arguments.files, arguments.league))
        with steps_bar(Console(stderr=True)) as progress:
            found = backtest(leagues, options, arguments.until, progress)
        _show(console, found)
        if arguments.json:
            arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
        if arguments.html:
            from fairbook.report import backtest_page

            arguments.html.write_text(backtest_page(found), encoding="utf-8")
    except (FootballDataError, OSError, PlotsMissing, Refusal) as error:
        field = f" (field {error.field})" if isinstance(error, Refusal) and error.field else ""
        print(f"fairbook backtest: {error}{field}", file=sys.stderr)
        return FAILED
    return DONE


def backtest(
    leagues: dict[str, list[PricedMatch]],
    options: Options,
    until: datetime | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Backtest:
    """Forecast each league by itself, then bet on all of them with one bankroll. Raises Refusal."""
    options.rules.check()
    check_currency(options.currency)
    offers: list[Offer] = []
    for number, (league, every) in enumerate(sorted(leagues.items())):
        matches = [match for match in every if until is None or match.played.played_at < until]
        if not matches:
            continue
        since = options.since or second_season(matches)
        on_time = share_done(matches, league, progress)
        # A generator of its own, so that another league changes no forecast of this one.
        rng = np.random.default_rng([options.seed, number])
        offers += offers_of(matches, since, options.offers, rng, on_time)
    betting = bet_on(offers, options.rules)
    return _found(options, betting)


def second_season(matches: Sequence[PricedMatch]) -> datetime:
    """Give the day on which a league's second season begins: the first one is only learned from."""
    return datetime(min(match.season for match in matches) + 1, SEASON_STARTS_IN, 1, tzinfo=UTC)


@contextmanager
def steps_bar(console: Console) -> Iterator[Callable[[str, float], None]]:
    """Show a bar a step; the function given out takes a step's name and the share that is done.

    Where no bar can move, such as in a log, each step is a line when it begins.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks: dict[str, TaskID] = {}
    with bar:

        def show(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=1.0)
                if not console.is_terminal:
                    console.print(f"{step} …", highlight=False, markup=False)
            bar.update(tasks[step], completed=share)

        yield show
        for task in tasks.values():
            bar.update(task, completed=1.0)


def share_done(
    matches: Sequence[PricedMatch], league: str, progress: Callable[[str, float], None] | None
) -> Callable[[datetime], None] | None:
    """Show how far a walk through a league's matches has come."""
    if progress is None:
        return None
    first, last = matches[0].played.played_at, matches[-1].played.played_at

    def show(at: datetime) -> None:
        progress(league, (at - first) / max(last - first, last.resolution))

    return show


def _found(options: Options, betting: Betting) -> Backtest:
    rng = np.random.default_rng(options.seed)
    report = report_of(betting, options.rules.bankroll_minor, rng)
    return Backtest(
        note=note_of(options),
        options=options,
        report=report,
        curve=betting.curve,
        markets=betting.markets,
    )


def note_of(options: Options) -> str:
    """Say which prices were taken, and when they were known."""
    offers = options.offers
    match offers.price:
        case "open":
            price = f"{offers.bookmaker}'s opening prices, known when they were collected (Tuesday or Friday afternoon)"
        case "best":
            price = "the best opening prices, known when they were collected (Tuesday or Friday afternoon)"
        case _:
            price = f"{offers.bookmaker}'s closing prices: final odds, known only at kick-off and hardly to be had"
    return f"model {offers.model}, {price}; forecasts know nothing later than the prices"


def _options(arguments: argparse.Namespace) -> Options:
    currency = arguments.currency.upper()
    check_currency(currency)

    def minor(amount: Decimal | None, name: str) -> int | None:
        if amount is None:
            return None
        scaled = amount.scaleb(MINOR_DIGITS[currency])
        if not 0 < scaled <= MAX_AMOUNT_MINOR or scaled != int(scaled):
            raise FootballDataError(f"--{name} {amount} is no amount of {currency}")
        return int(scaled)

    markets: tuple[MarketType, ...] = tuple(dict.fromkeys(arguments.markets))
    bankroll = minor(arguments.bankroll, "bankroll")
    assert bankroll is not None
    return Options(
        files=tuple(map(str, arguments.files)),
        since=arguments.since,
        currency=currency,
        offers=OfferSettings(
            model=arguments.model,
            price=arguments.price,
            bookmaker=arguments.bookmaker,
            markets=markets,
            goals=GoalsSettings(half_life_days=arguments.half_life),
        ),
        rules=BettingRules(
            bankroll_minor=bankroll,
            staking=arguments.staking,
            flat_stake_minor=minor(arguments.stake, "stake") or 0,
            stake_rule=StakeRule(arguments.fraction, arguments.cap, arguments.market_cap),
            edge_min=arguments.min_edge,
            commission=arguments.commission,
            bet_max_minor=minor(arguments.limit, "limit"),
            bet_min_minor=minor(arguments.least, "least") or 1,
        ),
        seed=arguments.seed,
    )


def day_of(text: str) -> datetime:
    """Read a day such as 2022-07-01 (UTC); for argparse."""
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2022-07-01") from None


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise argparse.ArgumentTypeError(f"{text!r} is no number such as 9.50")
    return number


# ---- tables


def _show(console: Console, found: Backtest) -> None:
    report, currency = found.report, found.options.currency
    console.print(found.note, highlight=False)
    table = Table(title="bets", title_justify="left")
    for column in summary_columns(currency):
        table.add_column(column, justify="left" if column == "group" else "right")
    for group in (report.by_league, report.by_season, report.by_market, (report.total,)):
        for summary in group:
            table.add_row(*summary_cells(summary, currency))
        table.add_section()
    console.print(table)
    for line in outcome_lines(found):
        console.print(line, highlight=False)


def summary_columns(currency: str) -> tuple[str, ...]:
    """Name the columns of `summary_cells`."""
    return (
        "group",
        "bets",
        "won",
        f"turnover {currency}",
        f"profit {currency}",
        "yield [95%]",
        "CLV [95%]",
        "CLV, no margin [95%]",
    )


def summary_cells(summary: Summary, currency: str) -> tuple[str, ...]:
    """Write a summary as text."""
    return (
        summary.group,
        f"{summary.bets:,}",
        f"{summary.won:,}",
        amount(summary.turnover_minor, currency),
        amount(summary.profit_minor, currency),
        _percent(summary.returns),
        _percent(summary.clv),
        _percent(summary.clv_fair),
    )


def outcome_lines(found: Backtest) -> tuple[str, ...]:
    """Say what became of the bankroll, and how deep it fell on the way."""
    report, currency = found.report, found.options.currency
    became = f"bankroll {amount(report.bankroll_minor, currency)} became {amount(report.final_minor, currency)} {currency}"
    return became, _drawdown(report.drawdown, currency)


def amount(minor: int, currency: str) -> str:
    """Write an amount in units of its currency."""
    return f"{Decimal(minor).scaleb(-MINOR_DIGITS[currency]):,}"


def _percent(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return f"{interval.value:+.1%} [{interval.low:+.1%}, {interval.high:+.1%}]"


def _drawdown(drawdown: Drawdown, currency: str) -> str:
    if drawdown.peak_at is None or drawdown.bottom_at is None:
        return "no drawdown"
    ended = (
        f"recovered {drawdown.recovered_at:%Y-%m-%d}"
        if drawdown.recovered_at
        else "not recovered by the end"
    )
    return (
        f"drawdown {amount(drawdown.deepest_minor, currency)} {currency} ({drawdown.deepest_share:.1%}) "
        f"from {drawdown.peak_at:%Y-%m-%d} to {drawdown.bottom_at:%Y-%m-%d}, {ended}; "
        f"longest time below a peak {drawdown.longest.days} days"
    )
