"""Every published worked case of DOMAIN.md, as a bet that is placed and settled; what the desk cannot settle is said so."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from domain.bet import Bet
from domain.events.bet import BetPlaced, Leg
from domain.events.market import DeadHeat, MarketType, Score, Selection, SelectionResult, Terms
from domain.market import Market, open_market
from domain.placing import place_bet
from domain.repricing import approve, propose
from tests.builders import BET, FIXTURE, NOW, an_id, given, given_account

RUNNERS = (Selection("x", "The pick"), Selection("y", "Another"))
SIDES = (Selection("home", "Home"), Selection("away", "Away"))
TOTALS = (Selection("over", "Over"), Selection("under", "Under"))


@dataclass
class Case:
    """A bet on one market, and how that ended; money in pence."""

    publisher: str
    returned: int
    odds: str
    stake: int
    type: MarketType = "WIN"
    selection: str = "x"
    result: str | None = None
    tie: tuple[int, int] | None = None
    line: str | None = None
    score: tuple[int, int] | None = None
    terms: Terms | None = None
    withdrawn: dict[str, Any] = field(default_factory=dict)
    bet: dict[str, Any] = field(default_factory=dict)
    corrected: str | None = None


def each_way(divisor: int, rule4: str | None = None) -> Terms:
    return Terms(each_way_places=3, each_way_divisor=divisor, rule4=rule4)


EW: dict[str, Any] = {"kind": "each_way"}
RULE4 = Terms(rule4="traditional/1")
CASES = [
    Case("Unibet: AH +1.5, 10 @ 2.05, loses by 1", 2_050, "2.05", 1_000, "AH", "away", line="-1.5", score=(2, 1)),
    Case("vptop: AH -0.25, draw", 500, "1.9", 1_000, "AH", "home", line="-0.25", score=(1, 1)),
    Case("vptop: AH -0.75, wins by 1", 1_450, "1.9", 1_000, "AH", "home", line="-0.75", score=(1, 0)),
    Case("vptop: over 2.25, 2 goals", 500, "1.95", 1_000, "OU", "over", line="2.25", score=(1, 1)),
    Case("vptop: over 2.75, 3 goals", 1_475, "1.95", 1_000, "OU", "over", line="2.75", score=(2, 1)),
    Case("Betfair: dead heat of 2 to win, 10 @ 10/1", 5_500, "11", 1_000, result="won", tie=(2, 1)),
    Case("Betdaq: 4 tie for 2 places, 60 @ 6.0", 18_000, "6", 6_000, "PLACE", result="placed", tie=(4, 2)),
    Case("Smarkets: dead heat of 3, back 20 @ 4.0", 2_667, "4", 2_000, result="won", tie=(3, 1)),
    Case("Smarkets: the same, laid, loses 6.67 of 60.00", 6_000 - 667, "4", 2_000, result="won", tie=(3, 1), bet={"side": "lay"}),
    Case("DraftKings: dead heat, 6 for 3 places, 50 @ 3.0", 7_500, "3", 5_000, "PLACE", result="placed", tie=(6, 3)),
    Case("OddsMonkey: each-way 1/5, 5 e/w @ 10/1, won", 7_000, "11", 500, result="won", terms=each_way(5), bet=EW),
    Case("Betfair: each-way 1/4, 10 e/w @ 7/4, won", 4_188, "2.75", 1_000, result="won", terms=each_way(4), bet=EW),
    Case("Betfair: the same, placed", 1_438, "2.75", 1_000, result="placed", terms=each_way(4), bet=EW),
    Case("DAZN Bet: each-way 1/4, 20 e/w @ 16/1, third", 10_000, "17", 2_000, result="placed", terms=each_way(4), bet=EW),
    Case("DAZN Bet: the same, tied third", 5_000, "17", 2_000, result="placed", tie=(2, 1), terms=each_way(4), bet=EW),
    Case("Betfair: each-way 1/5, 10 e/w @ 7/4, won", 4_100, "2.75", 1_000, result="won", terms=each_way(5), bet=EW),
    Case("Betfair: the same with 35p", 3_365, "2.75", 1_000, result="won", terms=each_way(5, "traditional/1"), withdrawn={"odds": "2.7"}, bet=EW),
    Case("Unibet: Rule 4 80p, 10 @ 2.25", 1_250, "2.25", 1_000, result="won", terms=RULE4, withdrawn={"odds": "1.25"}),
    Case("The Punters Page: Rule 4 20p, 10 @ 5/1, a 4/1 withdrawn: wins 40", 5_000, "6", 1_000, result="won", terms=RULE4, withdrawn={"odds": "5"}),
    Case("Betfair: exchange RF 25%, 8.0 becomes 6.0", 6_000, "8", 1_000, result="won", withdrawn={"factor": "25"}),
    Case("onlinebetfairbot: exchange place RF 40%, 3.0 becomes 2.2", 2_200, "3", 1_000, "PLACE", result="placed", withdrawn={"factor": "40"}),
    Case("betting-offers.com: palpable error, 5 @ 18/1 settled again at Evens", 1_000, "19", 500, result="won", corrected="2"),
]  # fmt: skip


def a_market(case: Case) -> Market:
    selections = {"AH": SIDES, "OU": TOTALS}.get(case.type, RUNNERS)
    line = Decimal(case.line) if case.line else None
    state = given(
        an_id(case.publisher),
        open_market(FIXTURE, case.type, line, selections, "external", case.terms, None),
    )
    assert isinstance(state, Market)
    return state


def bet_on(market: Market, odds: str, stake: int, selection: str, **options: Any) -> Bet:
    leg = Leg(market.market_id, selection, Decimal(odds))
    placed = place_bet(given_account(), {market.market_id: market}, (leg,), stake, NOW, **options)
    return bet_of(placed)


def bet_of(placed: BetPlaced) -> Bet:
    state = given(BET, placed)
    assert isinstance(state, Bet)
    return state


def ended(market: Market, case: Case) -> Market:
    if case.withdrawn:
        odds, factor = (
            Decimal(value) if (value := case.withdrawn.get(name)) else None
            for name in ("odds", "factor")
        )
        market = market.evolve(market.withdraw("y", NOW + timedelta(hours=1), odds, factor))
    if case.score is not None:
        return market.evolve(market.declare(None, Score(*case.score)))
    tie = DeadHeat(*case.tie) if case.tie else None
    result = SelectionResult(case.selection, case.result, tie)  # type: ignore[arg-type]
    return market.evolve(market.declare((result,), None, partial=True))


def settled_and_repriced(bet: Bet, markets: dict[UUID, Market], odds: Decimal) -> Bet:
    settled = bet.bring_to(bet.outcome(markets))
    assert settled is not None
    bet = bet.evolve(settled[0])
    this = an_id("repricing")
    bet = bet.evolve(propose(bet, this, None, "x", odds, "palpable error", "olga"))
    return bet.evolve(approve(bet, given_account(), markets, this, "oscar")[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.publisher)
def test_a_published_case_comes_out_as_published(case: Case) -> None:
    market = a_market(case)
    bet = bet_on(market, case.odds, case.stake, case.selection, **case.bet)
    markets = {market.market_id: ended(market, case)}
    if case.corrected is not None:
        bet = settled_and_repriced(bet, markets, Decimal(case.corrected))
    outcome = bet.outcome(markets)
    assert outcome is not None
    assert outcome.return_minor == case.returned


@pytest.mark.parametrize(
    ("first", "returned"),
    [((2, 0), 75_348), ((1, 0), 56_994)],
    ids=["knoqnoq: accumulator 1.95 × 1.84 × 2.10", "knoqnoq: the same, first leg half won"],
)
def test_a_published_accumulator_comes_out_as_published(
    first: tuple[int, int], returned: int
) -> None:
    markets: dict[UUID, Market] = {}
    legs = []
    for number, odds in enumerate(("1.95", "1.84", "2.10")):
        fixture = replace(FIXTURE, fixture_id=an_id(f"fixture {number}"))
        market_id = an_id(f"leg {number}")
        state = given(
            market_id,
            open_market(fixture, "AH", Decimal("-0.75"), SIDES, "external", None, None),
        )
        assert isinstance(state, Market)
        markets[market_id] = state
        legs.append(Leg(market_id, "home", Decimal(odds)))
    placed = place_bet(given_account(), markets, tuple(legs), 10_000, NOW, kind="accumulator")
    assert placed.potential_return_minor == 75_348
    for score, market_id in zip((first, (3, 0), (2, 0)), list(markets), strict=True):
        market = markets[market_id]
        markets[market_id] = market.evolve(market.declare(None, Score(*score)))
    outcome = bet_of(placed).outcome(markets)
    assert outcome is not None
    assert outcome.return_minor == returned
    assert outcome.status == ("won" if first == (2, 0) else "part_won")
