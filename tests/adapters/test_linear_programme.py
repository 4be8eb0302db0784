"""The linear programme against closed forms, its own dual, and exact arithmetic."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.linear_programme import HighsSolver
from application.arbitrage import SMALLEST_STAKE, Floats, ProgrammeError
from domain.arbitrage import Offer, Situation, price_arbitrage
from domain.closed_forms import (
    home_and_away_half_cost,
    home_and_away_quarter_cost,
    home_draw_and_away_level_cost,
    lay_stake,
    n_way_cost,
)
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.freshness import MaxAges
from domain.outcomes import Grid, Proposition, back_odds, lay_odds
from domain.stakes import PricedBet, to_shares, unrounded_margin
from tests.builders import NOW, an_id

SOLVER = HighsSolver()
CLOSE = 1e-9

RESULT = Proposition("1X2", None, ("home", "draw", "away"))
HANDICAPS = {
    line: Proposition("AH", Decimal(line), ("home", "away"))
    for line in ("-0.5", "-0.25", "0", "0.25", "0.5")
}
GRID = Grid.of([RESULT, *HANDICAPS.values()])

ODDS = st.decimals("1.01", "50", places=2).map(Fraction)


def returns(
    market: Proposition, selection: str, odds: Fraction, side: Side = "back"
) -> list[float]:
    payoff = GRID.payoff(market, selection, side)
    return [float(c0 + c1 * float(odds)) for c0, c1 in zip(payoff.c0, payoff.c1, strict=True)]


def matrix(*bets: list[float]) -> Floats:
    return np.array(bets)


def away(line: str, odds: Fraction) -> list[float]:
    """The away side at a handicap, which is the home side's with its sign turned."""
    return returns(HANDICAPS[str(-Decimal(line)) if Decimal(line) else "0"], "away", odds)


# ---- closed forms


@given(st.lists(ODDS, min_size=1, max_size=12))
def test_n_way(odds: list[Fraction]) -> None:
    solution = SOLVER.solve(np.diag([float(o) for o in odds]))
    cost = float(n_way_cost(odds))
    assert solution.profit == pytest.approx(1 / cost - 1, abs=CLOSE)
    assert solution.stakes == pytest.approx([1 / float(o) / cost for o in odds], abs=CLOSE)


@given(ODDS, ODDS, ODDS)
def test_home_draw_and_away_at_level(home: Fraction, draw: Fraction, level: Fraction) -> None:
    bets = matrix(returns(RESULT, "home", home), returns(RESULT, "draw", draw), away("0", level))
    cost = home_draw_and_away_level_cost(home, draw, level)
    assert SOLVER.solve(bets).profit == pytest.approx(float(1 / cost - 1), abs=CLOSE)


@given(ODDS, ODDS)
def test_home_and_away_with_a_quarter(home: Fraction, quarter: Fraction) -> None:
    bets = matrix(returns(RESULT, "home", home), away("0.25", quarter))
    cost = home_and_away_quarter_cost(home, quarter)
    assert SOLVER.solve(bets).profit == pytest.approx(float(1 / cost - 1), abs=CLOSE)


@given(ODDS, ODDS)
def test_home_and_away_with_a_half(home: Fraction, half: Fraction) -> None:
    bets = matrix(returns(RESULT, "home", home), away("0.5", half))
    cost = home_and_away_half_cost(home, half)
    assert SOLVER.solve(bets).profit == pytest.approx(float(1 / cost - 1), abs=CLOSE)


@given(ODDS, ODDS, st.decimals("0", "0.1", places=3).map(Fraction))
def test_back_and_lay_with_commission(back: Fraction, lay: Fraction, commission: Fraction) -> None:
    bets = matrix(
        returns(RESULT, "home", back),
        returns(RESULT, "home", lay_odds(lay, commission), "lay"),
    )
    stake, liability = SOLVER.solve(bets).stakes
    laid = lay_stake(Fraction(1), back, lay, commission)
    assert liability / stake == pytest.approx(float(laid * (lay - 1)), rel=1e-6)


def test_commission_on_both_sides_of_domain_md() -> None:
    commission = Fraction("0.05")
    bets = matrix(
        returns(RESULT, "home", back_odds(Fraction(3), commission)),
        returns(RESULT, "home", lay_odds(Fraction(3), commission), "lay"),
    )
    assert -0.05 < SOLVER.solve(bets).profit < 0


# ---- the dual

VALUES = st.one_of(
    st.just(0.0),
    st.just(1.0),
    st.just(0.5),
    st.decimals("1.01", "1000", places=2).map(float),
    st.integers(1001, 100_000_000).map(lambda n: n / 1000),
)


@st.composite
def matrices(draw: st.DrawFn, bets: int = 14, states: int = 8) -> Floats:
    width = draw(st.integers(1, states))
    rows = st.lists(VALUES, min_size=width, max_size=width)
    return np.array(draw(st.lists(rows, min_size=1, max_size=bets)))


@given(matrices())
def test_the_profit_meets_the_bound_that_the_prices_prove(bets: Floats) -> None:
    solution = SOLVER.solve(bets)
    assert (solution.stakes >= 0).all()
    assert solution.stakes.sum() == pytest.approx(1)
    assert (solution.prices >= 0).all()
    assert solution.prices.sum() == pytest.approx(1)
    assert solution.profit == pytest.approx((solution.stakes @ bets).min() - 1, abs=CLOSE)
    assert solution.bound == pytest.approx((bets @ solution.prices).max() - 1, abs=CLOSE)
    assert solution.bound == pytest.approx(solution.profit, rel=1e-6, abs=1e-6)


@given(matrices(), st.data())
def test_under_limits_no_other_stakes_earn_more(bets: Floats, data: st.DataObject) -> None:
    size = len(bets)
    shares = st.lists(st.floats(0, 1), min_size=size, max_size=size)
    caps = np.array(data.draw(shares))
    solution = SOLVER.solve(bets, caps)
    assert (solution.stakes <= caps + CLOSE).all()
    assert solution.stakes.sum() <= 1 + CLOSE
    assert solution.profit >= -CLOSE
    other = np.minimum(np.array(data.draw(shares)), caps)
    other /= max(1.0, other.sum())
    assert (other @ bets).min() - other.sum() <= solution.profit + 1e-6


def test_a_limit_is_filled_by_the_next_best_price() -> None:
    bets = matrix([2.2, 0.0], [2.1, 0.0], [0.0, 2.1])
    solution = SOLVER.solve(bets, np.array([0.1, 1.0, 1.0]))
    assert solution.stakes[0] == pytest.approx(0.1)
    assert solution.stakes[1] > 0.3


def test_no_limit_is_wide_enough_for_a_loss() -> None:
    assert SOLVER.solve(matrix([1.9, 0.0], [0.0, 1.9]), np.ones(2)).stakes.sum() == 0


def test_what_cannot_be_solved_is_said() -> None:
    with pytest.raises(ProgrammeError):
        SOLVER.solve(matrix([np.nan, 1.0]))
    assert SOLVER.solve(matrix([2.0, 2.0])).profit == pytest.approx(1)


def test_threads_do_not_disturb_each_other() -> None:
    def profit(odds: float) -> float:
        return SOLVER.solve(np.diag([odds, odds])).profit

    odds = [2 + n / 100 for n in range(200)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(profit, odds)) == pytest.approx([o / 2 - 1 for o in odds])


# ---- merged states

EVERY_SCORE = Proposition("CS", None, tuple(f"{h}-{a}" for h in range(7) for a in range(7)))
MARKETS = [
    RESULT,
    Proposition("BTTS", None, ("yes", "no")),
    Proposition("DNB", None, ("home", "away")),
    *(Proposition("OU", Decimal(n) / 4, ("over", "under")) for n in range(2, 14)),
    *(Proposition("AH", Decimal(n) / 4, ("home", "away")) for n in range(-8, 9)),
]


@given(st.lists(st.sampled_from(MARKETS), min_size=1, max_size=5, unique=True), st.data())
def test_merging_states_changes_nothing(markets: list[Proposition], data: st.DataObject) -> None:
    merged, every = Grid.of(markets), Grid.of([*markets, EVERY_SCORE])
    assert len(merged) < len(every)
    bets = [
        (market, selection, data.draw(ODDS))
        for market in markets
        for selection in market.selections
    ]
    profits = []
    for grid in (merged, every):
        payoffs = [
            (grid.payoff(market, selection), float(odds)) for market, selection, odds in bets
        ]
        profits.append(SOLVER.solve(np.array([p.c0 + p.c1 * odds for p, odds in payoffs])).profit)
    assert profits[0] == pytest.approx(profits[1], abs=CLOSE)


# ---- from proposed shares to whole money

SELECTIONS: list[tuple[MarketType, str | None, str]] = [
    *(("1X2", None, s) for s in RESULT.selections),
    *(("AH", line, s) for line in HANDICAPS for s in ("home", "away")),
]


@st.composite
def quotes(draw: st.DrawFn) -> list[PricedBet]:
    bets = []
    for number in range(draw(st.integers(2, 12))):
        kind, line, selection = draw(st.sampled_from(SELECTIONS))
        market = RESULT if kind == "1X2" else HANDICAPS[line or ""]
        odds = draw(st.decimals("1.2", "9", places=2))
        bets.append(
            PricedBet(
                f"bookmaker {number}",
                odds,
                GRID.payoff(market, selection).returns(Fraction(odds)),
                side=draw(st.sampled_from(["back", "back", "lay"])),
                commission=draw(st.sampled_from([Decimal(0), Decimal("0.05")])),
                step_minor=draw(st.sampled_from([1, 10, 100])),
            )
        )
    return bets


def profit_in_words(bet: PricedBet, stake: int, multiplier: Fraction) -> Decimal:
    """What a bet earns, by decimals and without the domain's rounding."""
    exact = Decimal(stake) * multiplier.numerator / multiplier.denominator
    returned = int(exact) + (exact - int(exact) >= Decimal("0.5"))
    profit = returned - stake if bet.side == "back" else stake - returned
    kept = profit * (1 - bet.commission) if profit > 0 else Decimal(profit)
    return Decimal(int(kept) + (kept > 0 and kept - int(kept) >= Decimal("0.5")))


@given(quotes(), st.integers(1_000, 10**8))
@settings(max_examples=150)
def test_what_is_reported_pays_in_every_state_and_nothing_is_where_prices_say_none(
    bets: list[PricedBet], total: int
) -> None:
    exact = [bet.returns() for bet in bets]
    solution = SOLVER.solve(np.array([[float(r) for r in state] for state in exact]))
    used = [i for i, stake in enumerate(solution.stakes) if stake > SMALLEST_STAKE]
    chosen = [bets[i] for i in used]
    shares = to_shares([solution.stakes[i] for i in used])
    margin = unrounded_margin(chosen, shares)
    # The certificate, in exact arithmetic: at these state prices no bet is worth more than it costs.
    prices = [Fraction(q) for q in solution.prices.tolist()]
    worth = max(sum(q * r for q, r in zip(prices, each, strict=True)) for each in exact) / sum(
        prices
    )
    assert margin <= worth - 1
    assert float(margin) == pytest.approx(solution.profit, abs=CLOSE)
    market_id = an_id("market")
    offers = [Offer(market_id, str(i), NOW, bets[i]) for i in used]
    situation = Situation(
        fixture_id=an_id("fixture"),
        total_minor=total,
        currency="EUR",
        now=NOW,
        max_ages=MaxAges(),
        expires_at=NOW,
        sequence=1,
    )
    found = price_arbitrage(offers, shares, situation)
    if worth <= 1:
        assert found is None
    if found is None:
        return
    assert found.guaranteed_profit_minor > 0
    assert found.outlay_minor <= total
    for state in range(len(GRID)):
        paid = sum(
            profit_in_words(bet, leg.stake_minor, bet.multipliers[state])
            for bet, leg in zip(chosen, found.legs, strict=True)
        )
        assert paid >= found.guaranteed_profit_minor
