"""Settled by the domain and by the oracle: every price of the seasons' files, and the pools' dead heats."""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from domain.events.bet import BetPlaced
from domain.events.market import (
    DeadHeat,
    MarketType,
    ResultDeclared,
    Score,
    Selection,
    SelectionResult,
)
from domain.market import Market
from tests.builders import ACCOUNT, MARKET, given, given_bet, given_market, leg, market_opened
from tests.simulation.oracle import BetFacts, LegFacts, MarketFacts, outcome

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[2] / "../shared/data"))
SEASONS = sorted((DATA / "football").glob("*.csv"))
DEAD_HEATS = DATA / "racing/hkjc_win_dead_heats.csv"

STAKE_MINOR = 1_237
"""A stake that leaves something to round at almost every price."""

SIDES: dict[MarketType, dict[str, str]] = {
    "AH": {"H": "home", "A": "away"},
    "1X2": {"H": "home", "D": "draw", "A": "away"},
    "OU": {">2.5": "over", "<2.5": "under"},
}
COLUMNS: dict[MarketType, re.Pattern[str]] = {
    "AH": re.compile(r"(B365|P|Max|Avg)(?P<close>C?)AH(?P<side>[HA])"),
    "1X2": re.compile(r"(B365|BW|IW|PS|WH|VC|Max|Avg)(?P<close>C?)(?P<side>[HDA])"),
    "OU": re.compile(r"(B365|P|Max|Avg)(?P<close>C?)(?P<side>[<>]2\.5)"),
}


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def prices(
    row: dict[str, str], market_type: MarketType
) -> Iterator[tuple[str | None, str, Decimal]]:
    """Line, selection and odds of every price that a match's row has for a kind of market."""
    for column, handicap, selection_id in priced_columns(tuple(row), market_type):
        text = row[column]
        if not text or (odds := Decimal(text)) <= 1:
            continue
        line = None if market_type == "1X2" else "2.5"
        if market_type == "AH":
            line = row[handicap]
        if line != "":
            yield line, selection_id, odds


@cache
def priced_columns(
    columns: tuple[str, ...], market_type: MarketType
) -> tuple[tuple[str, str, str], ...]:
    """The columns that are prices of a kind of market, with the column of their handicap and their selection."""
    found = ((column, COLUMNS[market_type].fullmatch(column)) for column in columns)
    return tuple(
        (column, "AHCh" if match["close"] else "AHh", SIDES[market_type][match["side"]])
        for column, match in found
        if match
    )


def resulted(market_type: MarketType, line: str | None, score: Score) -> Market:
    names = SIDES[market_type].values()
    opened = market_opened(
        market_type, line=line, selections=tuple(Selection(name, name) for name in names)
    )
    declared = given_market(opened=opened).declare(None, score)
    return given_market(declared, opened=opened)


def placed(stake_minor: int, odds: Decimal, selection_id: str) -> BetPlaced:
    return BetPlaced(
        account_id=ACCOUNT,
        owner="alice",
        kind="single",
        side="back",
        legs=(leg(str(odds), selection_id),),
        stake_minor=stake_minor,
        total_stake_minor=stake_minor,
        potential_return_minor=round(stake_minor * odds) + 1,
        currency="EUR",
    )


def by_the_domain(market: Market, bet: BetPlaced) -> tuple[str, int]:
    ended = given_bet(placed=bet).outcome({MARKET: market})
    assert ended is not None
    return ended.status, ended.return_minor


def by_the_oracle(facts: MarketFacts, bet: BetPlaced) -> tuple[str, int]:
    [backed] = bet.legs
    assert backed.odds is not None
    legs = (LegFacts(MARKET, backed.selection_id, Fraction(backed.odds)),)
    ended = outcome(BetFacts(ACCOUNT, "single", "back", legs, bet.stake_minor), {MARKET: facts})
    return ended.status, ended.returned


@pytest.mark.skipif(not SEASONS, reason=f"no football data in {DATA}")
@pytest.mark.parametrize("market_type", ["AH", "1X2", "OU"])
def test_every_price_of_the_seasons_settles_as_the_oracle_says(market_type: MarketType) -> None:
    known: dict[tuple[str | None, Score], tuple[Market, MarketFacts]] = {}
    statuses: Counter[str] = Counter()
    bets = returned = 0
    seen: dict[tuple[str | None, Score, str, Decimal], tuple[str, int]] = {}
    for path in SEASONS:
        for row in rows(path):
            score = Score(int(row["FTHG"]), int(row["FTAG"]))
            for line, selection_id, odds in prices(row, market_type):
                bets += 1
                if (key := (line, score, selection_id, odds)) not in seen:
                    if (line, score) not in known:
                        facts = MarketFacts(
                            market_type,
                            None if line is None else Fraction(line),
                            tuple(SIDES[market_type].values()),
                            score=(score.home, score.away),
                        )
                        known[line, score] = resulted(market_type, line, score), facts
                    market, facts = known[line, score]
                    bet = placed(STAKE_MINOR, odds, selection_id)
                    seen[key] = by_the_domain(market, bet)
                    assert seen[key] == by_the_oracle(facts, bet), (path.stem, row, key)
                status, return_minor = seen[key]
                statuses[status] += 1
                returned += return_minor
    # Nothing was left out: twelve seasons of 4,264 matches, with hardly a price missing.
    assert bets > {"AH": 65_000, "1X2": 150_000, "OU": 60_000}[market_type]
    expected = {"won", "lost", "void", "part_won"} if market_type == "AH" else {"won", "lost"}
    assert set(statuses) == expected
    # Bookmakers keep a few percent of what was staked, whatever the match.
    assert 0.9 < returned / (bets * STAKE_MINOR) < 1.05


@pytest.mark.skipif(not DEAD_HEATS.is_file(), reason=f"no dead heats in {DATA}")
def test_a_dead_heat_returns_what_the_pool_paid_within_four_percent() -> None:
    heats = list(rows(DEAD_HEATS))
    assert len(heats) == 14
    for heat in heats:
        tied, odds = int(heat["runners_tied"]), Decimal(heat["win_odds"])
        runners = tuple(Selection(f"runner {number}", "") for number in range(tied + 1))
        opened = market_opened("WIN", selections=runners)
        declared = ResultDeclared(
            results=tuple(
                SelectionResult(
                    runner.selection_id,
                    "won" if number < tied else "lost",
                    DeadHeat(tied, 1) if number < tied else None,
                )
                for number, runner in enumerate(runners)
            )
        )
        market = given(MARKET, opened, declared)
        assert isinstance(market, Market)
        status, return_minor = by_the_domain(market, placed(1_000, odds, "runner 0"))
        paid = Decimal(heat["dividend_hkd_per_10"])
        assert status == "part_won"
        assert abs(return_minor / (paid * 100) - 1) <= Decimal("0.04"), (heat, return_minor)
        assert by_the_domain(market, placed(1_000, odds, f"runner {tied}")) == ("lost", 0)
