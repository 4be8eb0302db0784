"""Exposure by state, against the settlement rules applied to every score."""

from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.bet import Side
from domain.events.market import Result, Score, SelectionResult
from domain.exposure import (
    OpenBets,
    book_of,
    can_be_known,
    expected_profit,
    no_vig,
    range_for_bettor,
)
from domain.outcomes import Proposition
from domain.refusals import NotOffered
from domain.settlement import leg_multiplier
from tests.domain.test_outcomes import BTTS, DC, DNB, PROPOSITIONS, RESULT, by_rules, market

SCORES = [Score(home, away) for home, away in product(range(13), repeat=2)]


class _Single:
    """One bet as it was placed: odds with a return in whole minor units, so that no rounding is in the way."""

    def __init__(
        self, on: Proposition, selection_id: str, side: Side, stake: int, odds: Decimal
    ) -> None:
        self.on, self.selection_id, self.side = on, selection_id, side
        self.matched, self.odds = stake * 4_000, odds
        self._profits: dict[Result, Fraction] = {}

    @property
    def at_risk(self) -> int:
        return self.matched if self.side == "back" else int(self.matched * (self.odds - 1))

    @property
    def open(self) -> OpenBets:
        potential = int(self.matched * self.odds)
        return OpenBets(self.on, self.selection_id, self.side, self.at_risk, potential)

    def profit_of_the_house(self, score: Score) -> Fraction:
        """By the multiplier of the leg: what a back wins, a lay loses."""
        result = by_rules(self.on, self.selection_id, score.home, score.away)
        if result not in self._profits:
            multiplier = leg_multiplier(self.odds, SelectionResult(self.selection_id, result))
            profit_of_a_back = self.matched * (multiplier - 1)
            self._profits[result] = -profit_of_a_back if self.side == "back" else profit_of_a_back
        return self._profits[result]


@st.composite
def _singles(
    draw: st.DrawFn, propositions: st.SearchStrategy[Proposition] = PROPOSITIONS
) -> list[_Single]:
    markets = draw(st.lists(propositions, min_size=1, max_size=4, unique=True))
    return [
        _Single(
            on,
            draw(st.sampled_from(on.selections)),
            draw(st.sampled_from(("back", "lay"))),
            draw(st.integers(1, 10**6)),
            Decimal(draw(st.integers(1_001, 20_000))) / 1000,
        )
        for on in draw(st.lists(st.sampled_from(markets), min_size=1, max_size=6))
    ]


@given(_singles())
def test_worst_and_best_are_those_of_all_scores(bets: list[_Single]) -> None:
    book = book_of([bet.open for bet in bets])
    profits = [sum(bet.profit_of_the_house(score) for bet in bets) for score in SCORES]
    assert (book.worst_minor, book.best_minor) == (min(profits), max(profits))
    assert {state.profit_minor for state in book.states} == set(profits)
    assert range_for_bettor([bet.open for bet in bets]) == (-max(profits), -min(profits))


@given(_singles())
def test_each_state_pays_what_its_score_pays(bets: list[_Single]) -> None:
    for state in book_of([bet.open for bet in bets]).states:
        profit = sum(bet.profit_of_the_house(state.score) for bet in bets)
        assert state.profit_minor == profit


@given(_singles())
def test_sums_of_bets_are_enough(bets: list[_Single]) -> None:
    summed: dict[tuple[Proposition, str, Side], list[int]] = {}
    for bet in bets:
        sums = summed.setdefault((bet.on, bet.selection_id, bet.side), [0, 0])
        sums[0] += bet.open.stake_minor
        sums[1] += bet.open.return_minor
    together = [OpenBets(*key, *sums) for key, sums in summed.items()]
    one_by_one = book_of([bet.open for bet in bets])
    assert sorted(s.profit_minor for s in book_of(together).states) == sorted(
        s.profit_minor for s in one_by_one.states
    )


@given(_singles())
def test_a_back_and_a_lay_of_the_same_cancel(bets: list[_Single]) -> None:
    both = []
    for bet in bets:
        for side in ("back", "lay"):
            other = _Single(bet.on, bet.selection_id, side, bet.matched // 4_000, bet.odds)
            both.append(other.open)
    book = book_of(both)
    assert book.worst_minor == book.best_minor == 0


def test_a_half_is_rounded_down_for_the_house_and_for_the_bettor() -> None:
    bets = [OpenBets(market("AH", "0.25"), "home", "back", 5, 11)]
    by_score = {
        (s.score.home > s.score.away) - (s.score.home < s.score.away): s.profit_minor
        for s in book_of(bets).states
    }
    assert by_score == {1: -6, 0: -3, -1: 5}  # half won: 5 − (2½ + 5½)
    odd = [OpenBets(market("AH", "0.25"), "home", "back", 5, 12)]
    assert sorted(s.profit_minor for s in book_of(odd).states) == [-7, -4, 5]  # −3½, for the house
    assert range_for_bettor(odd) == (-5, 7)
    halved = [
        OpenBets(market("AH", "-0.25"), "home", "back", 5, 12),
        OpenBets(RESULT, "draw", "back", 1, 1),
    ]
    assert range_for_bettor(halved) == (-6, 6)


def test_no_bets_have_no_exposure_and_unknown_markets_are_refused() -> None:
    assert book_of([]).states == ()
    assert range_for_bettor([]) == (0, 0)
    place = Proposition("PLACE", None, ("a", "b"))
    assert not can_be_known(place)
    assert not can_be_known(Proposition("1X2", None, ("a", "b", "c")))
    assert can_be_known(RESULT)
    with pytest.raises(NotOffered):
        book_of([OpenBets(place, "a", "back", 1, 2)])


# ---- expectation


def _fair(proposition: Proposition, weights: dict[Score, int]) -> dict[str, Fraction]:
    whole = sum(weights.values())
    return {
        selection: Fraction(
            sum(
                weight
                for score, weight in weights.items()
                if by_rules(proposition, selection, score.home, score.away) == "won"
            ),
            whole,
        )
        for selection in proposition.selections
    }


_CLEAR = st.sampled_from(
    [RESULT, BTTS, DC, market("OU", "2.5"), market("AH", "-1.5"), market("AH", "0.5")]
)


@given(_singles(_CLEAR), st.lists(st.integers(1, 50), min_size=49, max_size=49))
def test_the_sum_over_markets_is_the_expectation_over_joint_states(
    bets: list[_Single], weights: list[int]
) -> None:
    joint = dict(zip((Score(h, a) for h, a in product(range(7), repeat=2)), weights, strict=True))
    by_market = Fraction(0)
    for on in {bet.on for bet in bets}:
        of_market = [bet.open for bet in bets if bet.on == on]
        by_market += expected_profit(of_market, _fair(on, joint))
    over_states = sum(
        weight * bet.profit_of_the_house(score) for score, weight in joint.items() for bet in bets
    )
    assert by_market == over_states / sum(weights)


@given(_CLEAR, st.data())
def test_probabilities_without_the_margin_add_up_and_keep_their_proportions(
    on: Proposition, data: st.DataObject
) -> None:
    odds = {s: Decimal(data.draw(st.integers(1_001, 50_000))) / 1000 for s in on.selections}
    chances = no_vig(on, odds)
    assert chances is not None
    assert sum(chances.values()) == (2 if on.type == "DC" else 1)
    assert len({chance * Fraction(odds[name]) for name, chance in chances.items()}) == 1


@pytest.mark.parametrize(
    ("on", "odds"),
    [
        (DNB, {"home": 2, "away": 2}),
        (market("AH", "0"), {"home": 2, "away": 2}),
        (market("OU", "2.25"), {"over": 2, "under": 2}),
        (RESULT, {"home": 2, "draw": 3}),
        (market("CS", None, "0-0", "1-0"), {"0-0": 2, "1-0": 3}),
        (Proposition("ML", None, ("home",)), {"home": 2}),
        (Proposition("SPREAD", None, ("home", "away")), {"home": 2, "away": 2}),
    ],
    ids=["draw no bet", "push", "quarter", "a price is missing", "scores", "one side", "unknown"],
)
def test_odds_that_say_no_probabilities_give_none(on: Proposition, odds: dict[str, int]) -> None:
    assert no_vig(on, {name: Decimal(each) for name, each in odds.items()}) is None
