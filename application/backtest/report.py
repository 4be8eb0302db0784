"""What a backtest's bets were worth: turnover, profit and yield with its interval, closing-line value, drawdown."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
from msgspec import Struct

from application.backtest.betting import BacktestMarket, Betting, Point
from application.football.matches import season_name
from domain.prediction.checks import Floats
from domain.prediction.losses import Interval, bootstrap_mean

RESAMPLES: Final = 2000
LEVEL: Final = 0.95


class Summary(Struct, frozen=True):
    """Sums over the bets of a group, in minor units; `returns` is profit / turnover (the yield).

    Intervals are by bootstrap over matches: bets on one match are no independent evidence. None without bets, or
    without closing prices.
    """

    group: str
    bets: int
    won: int
    turnover_minor: int
    commission_minor: int
    profit_minor: int
    returns: Interval | None
    clv: Interval | None
    clv_fair: Interval | None


class Drawdown(Struct, frozen=True):
    """The deepest fall of the settled bankroll from a peak, and the longest time below one.

    `recovered_at` is None where it never came back to that peak.
    """

    deepest_minor: int
    deepest_share: float
    peak_at: datetime | None
    bottom_at: datetime | None
    recovered_at: datetime | None
    longest: timedelta


class BacktestReport(Struct, frozen=True):
    """A backtest's figures: over all bets, and by league, season and market."""

    bankroll_minor: int
    final_minor: int
    total: Summary
    by_league: tuple[Summary, ...]
    by_season: tuple[Summary, ...]
    by_market: tuple[Summary, ...]
    drawdown: Drawdown


def report_of(betting: Betting, bankroll_minor: int, rng: np.random.Generator) -> BacktestReport:
    """Work the figures out; `rng` draws the bootstrap's resamples."""
    markets = betting.markets
    return BacktestReport(
        bankroll_minor=bankroll_minor,
        final_minor=bankroll_minor + sum(market.profit_minor for market in markets),
        total=summary_of("all", markets, rng),
        by_league=_grouped(((each.league, each) for each in markets), rng),
        by_season=_grouped(((season_name(each.season), each) for each in markets), rng),
        by_market=_grouped(((_market_name(each), each) for each in markets), rng),
        drawdown=drawdown_of(betting.curve),
    )


def summary_of(group: str, markets: Sequence[BacktestMarket], rng: np.random.Generator) -> Summary:
    """Sum up the bets on some markets."""
    bets = [bet for market in markets for bet in market.bets]
    return Summary(
        group=group,
        bets=len(bets),
        won=sum(bet.result == "won" for bet in bets),
        turnover_minor=sum(market.stake_minor for market in markets),
        commission_minor=sum(market.commission_minor for market in markets),
        profit_minor=sum(market.profit_minor for market in markets),
        returns=_returns(markets, rng),
        clv=_mean([bet.clv for bet in bets], rng),
        clv_fair=_mean([bet.clv_fair for bet in bets], rng),
    )


def drawdown_of(curve: Sequence[Point]) -> Drawdown:
    """Find the deepest fall below a peak, and the longest time that the bankroll stayed below one."""
    if not curve:
        return Drawdown(0, 0.0, None, None, None, timedelta())
    peak, deepest = curve[0], 0
    span: tuple[Point, Point] | None = None
    longest, is_below = timedelta(), False
    for point in curve:
        if is_below or point.bankroll_minor < peak.bankroll_minor:
            longest = max(longest, point.at - peak.at)
        is_below = point.bankroll_minor < peak.bankroll_minor
        if not is_below:
            peak = point
        elif peak.bankroll_minor - point.bankroll_minor > deepest:
            deepest, span = peak.bankroll_minor - point.bankroll_minor, (peak, point)
    if span is None:
        return Drawdown(0, 0.0, None, None, None, longest)
    top, bottom = span
    recovered = next(
        (
            point.at
            for point in curve
            if point.at > bottom.at and point.bankroll_minor >= top.bankroll_minor
        ),
        None,
    )
    return Drawdown(deepest, deepest / top.bankroll_minor, top.at, bottom.at, recovered, longest)


def _grouped(
    named: Iterable[tuple[str, BacktestMarket]], rng: np.random.Generator
) -> tuple[Summary, ...]:
    groups: dict[str, list[BacktestMarket]] = defaultdict(list)
    for name, market in named:
        groups[name].append(market)
    return tuple(summary_of(name, markets, rng) for name, markets in sorted(groups.items()))


def _market_name(market: BacktestMarket) -> str:
    return market.type if market.line is None else f"{market.type} {market.line}"


def _returns(markets: Sequence[BacktestMarket], rng: np.random.Generator) -> Interval | None:
    """Give profit / turnover with the interval of resampled matches: a ratio of sums, not a mean of ratios."""
    by_match: dict[object, list[int]] = defaultdict(lambda: [0, 0])
    for market in markets:
        sums = by_match[market.league, market.fixture, market.starts_at]
        sums[0] += market.profit_minor
        sums[1] += market.stake_minor
    if not by_match:
        return None
    amounts: Floats = np.array([*by_match.values()], np.float64)
    drawn = amounts[rng.integers(0, len(amounts), (RESAMPLES, len(amounts)))].sum(1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    profit, turnover = amounts.sum(0)
    return Interval(float(profit / turnover), float(low), float(high), LEVEL)


def _mean(values: Iterable[Decimal | None], rng: np.random.Generator) -> Interval | None:
    known = [float(value) for value in values if value is not None]
    if not known:
        return None
    return bootstrap_mean(known, rng.integers(0, len(known), (RESAMPLES, len(known))), LEVEL)
