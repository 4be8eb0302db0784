"""States of a fixture and what bets pay in them, against rules that are written down another way."""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.market import MarketType, Result, Score, SelectionResult
from domain.outcomes import SELECTIONS, Grid, Payoff, Proposition, back_odds, lay_odds
from domain.refusals import InvalidInput, LimitExceeded, NotOffered, Refusal, SelectionNotInMarket
from domain.scores import results_from_score
from domain.settlement import leg_multiplier
from tests.builders import FIXTURE

ODDS = Decimal("2.4")
MULTIPLIER: dict[Result, tuple[float, float]] = {
    "won": (0, 1),
    "half_won": (0.5, 0.5),
    "push": (1, 0),
    "half_lost": (0.5, 0),
    "lost": (0, 0),
}


def market(kind: MarketType, line: str | None = None, *selections: str) -> Proposition:
    ids = selections or tuple(sorted(SELECTIONS[kind]))
    return Proposition(kind, None if line is None else Decimal(line), ids)


RESULT, MONEYLINE, BTTS = market("1X2"), market("ML"), market("BTTS")
DC, DNB = market("DC"), market("DNB")
SCORES = market("CS", None, "0-0", "1-0", "0-1", "1-1", "2-1", "other")


def by_rules(proposition: Proposition, selection: str, home: int, away: int) -> Result:
    """How a selection ends, said in words: no arithmetic of the grid's."""
    line = proposition.line or Decimal(0)
    outcome = "home" if home > away else "away" if away > home else "draw"
    match proposition.type:
        case "OU" | "AH":
            ahead = home + away - line if proposition.type == "OU" else home - away + line
            if selection in ("under", "away"):
                ahead = -ahead
            if line % Decimal("0.5") == 0:
                return "won" if ahead > 0 else "push" if ahead == 0 else "lost"
            halves = {
                "won" if ahead + step > 0 else "push" if ahead + step == 0 else "lost"
                for step in (Decimal("0.25"), Decimal("-0.25"))
            }
            if halves == {"won", "push"}:
                return "half_won"
            return (
                "half_lost"
                if halves == {"push", "lost"}
                else "won"
                if halves == {"won"}
                else "lost"
            )
        case "DNB":
            return "push" if outcome == "draw" else "won" if selection == outcome else "lost"
        case "DC":
            return "won" if outcome in selection.split("_") else "lost"
        case "BTTS":
            return "won" if (min(home, away) > 0) == (selection == "yes") else "lost"
        case "CS":
            score = f"{home}-{away}"
            listed = score in proposition.selections
            if "other" not in selection:
                return "won" if score == selection else "lost"
            return "won" if not listed and selection in ("other", f"other_{outcome}") else "lost"
        case _:
            return "won" if selection == outcome else "lost"


ALL_SCORES = tuple(product(range(24), repeat=2))


@lru_cache(maxsize=2_000)
def ends(proposition: Proposition, selection: str) -> tuple[tuple[float, float], ...]:
    """What a selection comes to at every score."""
    return tuple(MULTIPLIER[by_rules(proposition, selection, *score)] for score in ALL_SCORES)


def column(
    grid: Grid, propositions: list[Proposition], state: int
) -> tuple[tuple[float, float], ...]:
    payoffs = [grid.payoff(p, s) for p in propositions for s in p.selections]
    return tuple((float(p.c0[state]), float(p.c1[state])) for p in payoffs)


QUARTERS = st.integers(-40, 40).map(lambda n: str(Decimal(n) / 4))
PROPOSITIONS = st.one_of(
    st.sampled_from([RESULT, BTTS, DC, DNB, SCORES]),
    QUARTERS.map(lambda line: market("AH", line)),
    QUARTERS.map(lambda line: market("OU", line)),
    st.lists(
        st.builds(lambda h, a: f"{h}-{a}", st.integers(0, 6), st.integers(0, 6)),
        min_size=1,
        max_size=8,
        unique=True,
    ).map(lambda scores: market("CS", None, *scores, "other_home", "other_draw", "other_away")),
)


# ---- the states


@given(st.lists(PROPOSITIONS, min_size=1, max_size=5, unique=True))
def test_the_states_are_exactly_the_classes_of_all_scores(propositions: list[Proposition]) -> None:
    grid = Grid.of(propositions)
    ways = set(
        zip(*(ends(p, selection) for p in propositions for selection in p.selections), strict=True)
    )
    columns = [column(grid, propositions, state) for state in range(len(grid))]
    assert set(columns) == ways
    assert len(columns) == len(set(columns)) == len(grid.states) == len(set(grid.states))


@given(st.lists(PROPOSITIONS, min_size=1, max_size=5, unique=True))
def test_every_state_pays_what_its_score_pays(propositions: list[Proposition]) -> None:
    grid = Grid.of(propositions)
    for state, score in enumerate(grid.scores):
        assert column(grid, propositions, state) == tuple(
            MULTIPLIER[by_rules(p, selection, score.home, score.away)]
            for p in propositions
            for selection in p.selections
        )


@pytest.mark.parametrize(
    "propositions",
    [
        [RESULT],
        [RESULT, DC, DNB],
        [
            RESULT,
            market("AH", "-0.25"),
            market("AH", "0.25"),
            market("AH", "0.5"),
            market("AH", "0"),
        ],
        [market("AH", "-0.5"), DC],
    ],
)
def test_handicaps_up_to_a_half_need_only_home_draw_away(propositions: list[Proposition]) -> None:
    assert Grid.of(propositions).states == ("home", "draw", "away")[:3]


@pytest.mark.parametrize(
    ("propositions", "states"),
    [
        ([MONEYLINE], ("home wins", "away wins")),
        ([market("AH", "-0.5")], ("home", "draw or away")),
        ([market("OU", "2.5")], ("0 to 2 goals", "3 or more goals")),
        ([market("OU", "2.25")], ("0 to 1 goals", "2 goals", "3 or more goals")),
        ([RESULT, market("AH", "-1.25")], ("home by 1", "home by 2 or more", "draw", "away")),
        ([market("WIN", None, "17", "4", "9")], ("17", "4", "9")),
        ([BTTS], ("both score", "not both score")),
        ([], ("any end",)),
    ],
)
def test_states_have_names(propositions: list[Proposition], states: tuple[str, ...]) -> None:
    assert set(Grid.of(propositions).states) == set(states)


def test_lines_of_basketball_need_no_more_states_than_those_of_football() -> None:
    grid = Grid.of([market("OU", "220.5"), market("AH", "-5.5")])
    assert len(grid) == 4
    assert len(Grid.of([market("OU", "10000"), market("AH", "9999.75"), market("OU", "0")])) < 12


def test_a_draw_may_be_won_by_either_side_after_it() -> None:
    grid = Grid.of([RESULT, MONEYLINE])
    assert grid.states == (
        "home, home wins",
        "draw, home wins",
        "draw, away wins",
        "away, away wins",
    )
    assert grid.payoff(MONEYLINE, "home").c1.tolist() == [1, 1, 0, 0]


def test_one_runner_wins() -> None:
    race = market("WIN", None, "17", "4", "9")
    grid = Grid.of([race])
    assert grid.payoff(race, "4").c1.tolist() == [0, 1, 0]
    assert grid.payoff(race, "4", "lay").c1.tolist() == [1, 0, 1]


# ---- payoffs


@pytest.mark.parametrize("kind", ["1X2", "OU", "AH", "BTTS", "DC", "DNB"])
@given(quarters=st.integers(-12, 32), home=st.integers(0, 9), away=st.integers(0, 9))
def test_payoffs_agree_with_settlement(
    kind: MarketType, quarters: int, home: int, away: int
) -> None:
    line = Decimal(quarters) / 4 if kind in ("OU", "AH") else None
    proposition = Proposition(kind, line, tuple(sorted(SELECTIONS[kind])))
    grid, states = scores_and(proposition)
    names = {selection: selection for selection in proposition.selections}
    for result in results_from_score(kind, line, names, FIXTURE, Score(home, away)):
        returned = in_state(grid.payoff(proposition, result.selection_id), states[home, away])
        assert returned == leg_multiplier(ODDS, result)


# Each score is a state of its own.
EVERY = market("CS", None, *(f"{h}-{a}" for h in range(10) for a in range(10)))


@lru_cache(maxsize=200)
def scores_and(proposition: Proposition) -> tuple[Grid, dict[tuple[int, int], int]]:
    """A grid of every score and a market, with the state that each score is."""
    grid = Grid.of([EVERY, proposition])
    names = [name.split(",")[0] for name in grid.states]
    shown = [(home, away) for home in range(10) for away in range(10)]
    return grid, {(home, away): names.index(f"{home}-{away}") for home, away in shown}


def in_state(payoff: Payoff, state: int) -> Fraction:
    """What a bet returns in one state."""
    [returned] = Payoff(payoff.c0[[state]], payoff.c1[[state]]).returns(Fraction(ODDS))
    return returned


@given(home=st.integers(0, 6), away=st.integers(0, 6), others=st.booleans())
def test_correct_scores_agree_with_settlement(home: int, away: int, *, others: bool) -> None:
    rest = ("other_home", "other_draw", "other_away") if others else ("other",)
    proposition = market("CS", None, "0-0", "1-0", "2-1", "1-1", *rest)
    grid, states = scores_and(proposition)
    names = {selection: selection for selection in proposition.selections}
    for result in results_from_score("CS", None, names, FIXTURE, Score(home, away)):
        returned = in_state(grid.payoff(proposition, result.selection_id), states[home, away])
        assert returned == leg_multiplier(ODDS, result)


@pytest.mark.parametrize(
    ("line", "home", "draw"),
    [
        ("-0.25", "won", "half_lost"),
        ("0", "won", "push"),
        ("0.25", "won", "half_won"),
        ("0.5", "won", "won"),
    ],
)
def test_handicaps_of_domain_md(line: str, home: Result, draw: Result) -> None:
    handicap = market("AH", line)
    grid = Grid.of([RESULT, handicap])
    paid = grid.payoff(handicap, "home").returns(Fraction(ODDS))
    assert paid == tuple(
        leg_multiplier(ODDS, SelectionResult("home", result)) for result in (home, draw, "lost")
    )


def stakes_and_odds() -> st.SearchStrategy[tuple[Fraction, Fraction, Fraction]]:
    def fractions(low: str, high: str) -> st.SearchStrategy[Fraction]:
        return st.decimals(low, high, places=3).map(Fraction)

    return st.tuples(fractions("0.01", "1000"), fractions("1.01", "100"), fractions("0", "0.1"))


@given(stakes_and_odds(), PROPOSITIONS, st.data())
def test_a_lay_is_the_back_with_its_sign_turned_and_commission_on_its_profit(
    terms: tuple[Fraction, Fraction, Fraction], proposition: Proposition, data: st.DataObject
) -> None:
    stake, odds, commission = terms
    selection = data.draw(st.sampled_from(proposition.selections))
    grid = Grid.of([proposition])
    liability = stake * (odds - 1)
    lay = grid.payoff(proposition, selection, "lay").returns(lay_odds(odds, commission))
    back = grid.payoff(proposition, selection).returns(odds)
    for multiplier, returned in zip(back, lay, strict=True):
        profit = -(stake * multiplier - stake)
        if profit > 0:
            profit *= 1 - commission
        assert liability * returned - liability == profit


@given(stakes_and_odds(), PROPOSITIONS, st.data())
def test_commission_is_taken_of_a_backs_profit_alone(
    terms: tuple[Fraction, Fraction, Fraction], proposition: Proposition, data: st.DataObject
) -> None:
    stake, odds, commission = terms
    payoff = Grid.of([proposition]).payoff(
        proposition, data.draw(st.sampled_from(proposition.selections))
    )
    net = payoff.returns(back_odds(odds, commission))
    for gross, after in zip(payoff.returns(odds), net, strict=True):
        profit = stake * gross - stake
        assert stake * after - stake == (profit * (1 - commission) if profit > 0 else profit)


def test_odds_of_whole_arrays_at_once() -> None:
    odds, commission = np.array([2.0, 3.0]), np.array([0.0, 0.05])
    assert back_odds(odds, commission).tolist() == pytest.approx([2.0, 2.9])
    assert lay_odds(odds, commission).tolist() == pytest.approx([2.0, 1.475])
    assert Payoff(np.array([0.5, 1.0]), np.array([0.5, 0.0])).returns(Fraction(3)) == (
        Fraction(2),
        Fraction(1),
    )


# ---- refusals


@pytest.mark.parametrize(
    ("proposition", "refusal"),
    [
        (market("PLACE", None, "a"), NotOffered),
        (market("EW", None, "a"), NotOffered),
        (market("SPREAD", "-3.5", "home", "away"), NotOffered),
        (Proposition("AH", None, ("home", "away")), InvalidInput),
        (market("OU", "2.3"), InvalidInput),
        (market("OU", "NaN"), InvalidInput),
        (market("OU", "10000.25"), InvalidInput),
        (market("1X2", "0.5"), InvalidInput),
        (market("1X2", None, "home", "x"), SelectionNotInMarket),
        (market("OU", "2.5", "over", "home"), SelectionNotInMarket),
        (market("CS", None, "2:1"), SelectionNotInMarket),
        (market("CS", None, "02-1"), SelectionNotInMarket),
        (market("CS", None, "100-0"), SelectionNotInMarket),
        (market("CS", None, "any"), SelectionNotInMarket),
    ],
)
def test_what_is_not_known_is_refused(proposition: Proposition, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        Grid.of([proposition])


def test_a_payoff_that_the_grid_does_not_hold_is_refused() -> None:
    grid = Grid.of([RESULT])
    with pytest.raises(SelectionNotInMarket):
        grid.payoff(RESULT, "nobody")
    with pytest.raises(NotOffered):
        grid.payoff(BTTS, "yes")
    with pytest.raises(InvalidInput):
        grid.payoff(Proposition("OU", None, ("over",)), "over")


def test_more_than_can_be_compared_is_refused() -> None:
    lines = [market("AH", str(n)) for n in range(0, 400, 8)]
    runners = market("WIN", None, *(str(n) for n in range(200)))
    with pytest.raises(LimitExceeded):
        Grid.of([*lines, runners])
