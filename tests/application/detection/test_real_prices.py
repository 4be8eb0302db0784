"""On recorded prices the engine finds exactly what trying everything finds."""

import csv
import gzip
import os
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from application.detection.engine import Engine
from domain.board import MarketDescription
from domain.commands.arbitrage import ArbitrageChange
from domain.events.bet import Side
from tests.application.detection.brute_force import Price
from tests.application.detection.desk import (
    NAMESPACE,
    assert_pays,
    assert_same,
    brute_values,
    engine_of,
    market,
    put,
    values_of,
)

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[3] / "../shared/data"))
WORLD_CUP = DATA / "odds" / "world_cup_2026_20_books.csv.gz"
# Every league and every season once; all twelve files agree too, but trying everything takes its time.
SEASONS = sorted((DATA / "football").glob("*.csv"))[::3]
LEAST_PROFITABLE = 2e-4
"""A margin that a thousand euros in cents always turn into money, whatever the rounding of a few legs."""


def assert_told(
    engine: Engine, told: list[ArbitrageChange], markets: dict[UUID, MarketDescription]
) -> None:
    """What is open is what is held, but for what leaves no profit in whole money; and all that was told pays."""
    holds = values_of(engine)
    assert engine.open.keys() <= holds.keys()
    assert all(holds[key] < 1 + LEAST_PROFITABLE for key in holds.keys() - engine.open.keys())
    for change in told:
        if change.opportunity is not None:
            assert_pays(change.opportunity, markets)


def world_cup() -> dict[datetime, list[Price]]:
    """Prices by snapshot; of a price that is there twice the last one counts."""
    snapshots: dict[datetime, dict[tuple[object, ...], Price]] = defaultdict(dict)
    markets: dict[tuple[str, str, str], MarketDescription] = {}
    with gzip.open(WORLD_CUP, "rt", newline="") as file:
        for row in csv.DictReader(file):
            if Decimal(row["price"]) <= 1:
                continue
            at = datetime.fromisoformat(row["ts_utc"]).replace(tzinfo=UTC)
            kind = {"totals": "OU", "btts": "BTTS"}.get(row["market"], "1X2")
            fixture = uuid5(NAMESPACE, row["match"])
            of = markets.setdefault(
                (row["match"], kind, row["point"]), market(kind, row["point"] or None, fixture)
            )
            home, _, away = row["match"].partition(" v ")
            names = {home: "home", away: "away", "Draw": "draw"}
            selection = names.get(row["outcome"], row["outcome"].lower())
            side: Side = "lay" if row["market"] == "h2h_lay" else "back"
            price = Price(of, selection, side, row["bookmaker"], float(row["price"]))
            snapshots[at][of.market_id, selection, side, row["bookmaker"]] = price
    return {at: list(snapshots[at].values()) for at in sorted(snapshots)}


@pytest.mark.skipif(not WORLD_CUP.is_file(), reason=f"no {WORLD_CUP}")
def test_in_every_snapshot_of_the_world_cup_exactly_the_arbitrages_of_a_scan_are_held() -> None:
    snapshots = world_cup()
    engine = engine_of(
        {p.market.market_id: p.market for each in snapshots.values() for p in each}.values()
    )
    markets = {each.market_id: each for each in engine.board.markets}
    kinds: Counter[str] = Counter()
    before: list[Price] = []
    for sequence, (at, prices) in enumerate(snapshots.items(), 1):
        cells = {(p.market.market_id, p.selection_id, p.side, p.bookmaker) for p in prices}
        gone = [
            (p, None)
            for p in before
            if (p.market.market_id, p.selection_id, p.side, p.bookmaker) not in cells
        ]
        told = put(engine, [*gone, *prices], sequence, at)
        assert_same(values_of(engine), brute_values(prices))
        assert_told(engine, told, markets)
        kinds.update(found.kind for found in engine.holds().values())
        before = prices
    assert kinds == {"n_way": 60, "back_lay": 83, "two_way": 5}


CLOSING = {
    "B365C": "bet365",
    "BWC": "bwin",
    "IWC": "interwetten",
    "PSC": "pinnacle",
    "PC": "pinnacle",
    "VCC": "vc_bet",
    "WHC": "william_hill",
}
OUTCOMES = {
    "H": ("1X2", "home"),
    "D": ("1X2", "draw"),
    "A": ("1X2", "away"),
    ">2.5": ("OU", "over"),
    "<2.5": ("OU", "under"),
    "AHH": ("AH", "home"),
    "AHA": ("AH", "away"),
}


def closing_prices(row: dict[str, str]) -> list[Price]:
    fixture = uuid5(NAMESPACE, "/".join(row[name] for name in ("Date", "HomeTeam", "AwayTeam")))
    lines = {"OU": "2.5", "AH": row.get("AHCh") or None}
    prices = []
    for prefix, bookmaker in CLOSING.items():
        for suffix, (kind, selection) in OUTCOMES.items():
            odds = row.get(prefix + suffix)
            if odds and float(odds) > 1 and (kind != "AH" or lines["AH"]):
                of = market(kind, lines.get(kind), fixture)
                prices.append(Price(of, selection, "back", bookmaker, float(odds)))
    return prices


@pytest.mark.skipif(not SEASONS, reason=f"no season files in {DATA / 'football'}")
def test_at_the_close_of_every_match_of_the_seasons_exactly_the_arbitrages_of_a_scan_are_held() -> (
    None
):
    kinds: Counter[str] = Counter()
    matches = 0
    for season in SEASONS:
        with season.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["HomeTeam"]]
        prices = [price for row in rows for price in closing_prices(row)]
        engine = engine_of({p.market.market_id: p.market for p in prices}.values())
        told = put(engine, prices, 1)
        assert_same(values_of(engine), brute_values(prices))
        assert_told(engine, told, {each.market_id: each for each in engine.board.markets})
        kinds.update(found.kind for found in engine.holds().values())
        matches += len(rows)
    assert matches == 1372
    assert kinds == {"n_way": 65, "cross_market": 36, "two_way": 15}
