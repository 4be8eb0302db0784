"""Results from a score: by published cases, by tables, and by what one market says of another."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.market import MarketType, Result, Score, Selection, SelectionResult
from domain.refusals import ResultNotDerivable
from domain.scores import SIDES, results_from_score
from domain.settlement import leg_multiplier
from tests.builders import FIXTURE

ODDS = st.decimals("1.001", "1000", places=3)


def derived(
    market_type: MarketType,
    score: tuple[int, int],
    line: str | None = None,
    selections: dict[str, str] | None = None,
) -> dict[str, Result]:
    chosen = selections or {side: side.title() for side in SIDES[market_type]}
    found = results_from_score(
        market_type, Decimal(line) if line else None, chosen, FIXTURE, Score(*score)
    )
    return {each.selection_id: each.result for each in found}


@pytest.mark.parametrize(
    ("score", "winner"),
    [
        ((2, 1), "home"),
        ((0, 0), "draw"),
        ((3, 3), "draw"),
        ((0, 1), "away"),
    ],
)
def test_1x2_goes_to_the_side_with_more_goals(score: tuple[int, int], winner: str) -> None:
    assert derived("1X2", score) == {
        side: "won" if side == winner else "lost" for side in SIDES["1X2"]
    }


@pytest.mark.parametrize(
    ("score", "yes"),
    [((1, 1), True), ((2, 1), True), ((0, 0), False), ((0, 4), False), ((1, 0), False)],
)
def test_btts_asks_whether_both_score(score: tuple[int, int], yes: bool) -> None:
    assert derived("BTTS", score) == (
        {"yes": "won", "no": "lost"} if yes else {"yes": "lost", "no": "won"}
    )


@pytest.mark.parametrize(
    ("line", "goals", "over", "under"),
    [
        ("2.5", 2, "lost", "won"),
        ("2.5", 3, "won", "lost"),
        ("2", 1, "lost", "won"),
        ("2", 2, "push", "push"),
        ("2", 3, "won", "lost"),
        ("2.25", 2, "half_lost", "half_won"),  # vptop
        ("2.25", 3, "won", "lost"),
        ("2.75", 2, "lost", "won"),
        ("2.75", 3, "half_won", "half_lost"),  # vptop
        ("2.75", 4, "won", "lost"),
        ("0", 0, "push", "push"),
        ("0.25", 0, "half_lost", "half_won"),
        ("2.50", 3, "won", "lost"),
    ],
)
def test_a_total_is_compared_with_the_line(
    line: str, goals: int, over: Result, under: Result
) -> None:
    for home in range(goals + 1):
        assert derived("OU", (home, goals - home), line) == {"over": over, "under": under}


@given(
    quarters=st.integers(0, 40),
    score=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    odds=ODDS,
)
def test_a_quarter_line_is_two_half_stakes_on_either_side(
    quarters: int, score: tuple[int, int], odds: Decimal
) -> None:
    line = Decimal(quarters) / 4

    def multiplier(at: Decimal, side: Literal["over", "under"]) -> Fraction:
        return leg_multiplier(odds, SelectionResult(side, derived("OU", score, str(at))[side]))

    near = Decimal("0.25") if quarters % 2 else Decimal(0)
    for side in ("over", "under"):
        halves = (multiplier(line - near, side) + multiplier(line + near, side)) / 2
        assert multiplier(line, side) == halves


@pytest.mark.parametrize(
    ("market_type", "selections"),
    [
        ("1X2", {"1": "Arsenal", "X": "Draw", "2": "Chelsea"}),
        ("1X2", {"H": "Arsenal", "D": "X", "A": "Chelsea"}),
        ("1X2", {"home": "Arsenal", "draw": "The draw", "away": "Chelsea"}),
        ("1X2", {"HOME": "?", "Draw": "?", "aWaY": "?"}),
        ("1X2", {"s-1": "Arsenal", "s-2": "Draw", "s-3": "Chelsea"}),
        ("1X2", {"s-1": "ARSENAL", "s-2": "draw", "s-3": "chelsea"}),
        ("1X2", {"a": "Arsenal", "b": "Draw", "c": "Chelsea"}),  # the name says more than a letter
        ("OU", {"o": "Over", "u": "Under"}),
        ("OU", {"11": "Over 2.5", "12": "Under 2.5"}),
        ("OU", {"over": "2.5 +", "under": "2.5 -"}),
        ("BTTS", {"y": "Yes", "n": "No"}),
        ("BTTS", {"1": "yes both", "2": "no"}),
        ("BTTS", {"yes": "", "no": ""}),
    ],
)
def test_selections_are_understood_by_id_or_by_name(
    market_type: MarketType, selections: dict[str, str]
) -> None:
    line = "2.5" if market_type == "OU" else None
    assert list(derived(market_type, (2, 1), line, selections).values()) == (
        ["won", "lost", "lost"] if market_type == "1X2" else ["won", "lost"]
    )


@pytest.mark.parametrize(
    ("market_type", "selections"),
    [
        pytest.param("1X2", {"s-1": "Liverpool", "s-2": "Draw", "s-3": "Chelsea"}, id="a stranger"),
        pytest.param("1X2", {"1": "Chelsea", "X": "Draw", "2": "Arsenal"}, id="id against name"),
        pytest.param("1X2", {"h": "Home", "1": "Home", "x": "Draw"}, id="one side twice"),
        pytest.param("OU", {"over": "Under 2.5", "under": "Over 2.5"}, id="swapped"),
        pytest.param("OU", {"home": "Home", "away": "Away"}, id="another market's sides"),
        pytest.param("BTTS", {"maybe": "Maybe", "no": "No"}, id="neither yes nor no"),
        pytest.param("WIN", {"home": "Arsenal", "away": "Chelsea"}, id="not decided by a score"),
        pytest.param(
            "DC", {"h": "Home or draw", "12": "Home or away"}, id="a letter for two sides"
        ),
        pytest.param("AH", {"1": "Chelsea", "2": "Arsenal"}, id="handicap, id against name"),
        pytest.param("CS", {"2-1": "2-1", "1-2": "2 - 1", "x": "2-1"}, id="no score"),
        pytest.param("CS", {"a": "2-1", "2-1": "2-1"}, id="one score twice"),
        pytest.param("CS", {"other": "Any other", "other_home": "Home"}, id="others overlap"),
    ],
)
def test_what_is_not_clear_is_not_guessed(
    market_type: MarketType, selections: dict[str, str]
) -> None:
    with pytest.raises(ResultNotDerivable):
        derived(market_type, (2, 1), "2.5", selections)


def test_a_team_may_be_called_draw() -> None:
    selections = (Selection("1", "Arsenal"), Selection("X", "Draw"), Selection("2", "Chelsea"))
    assert derived("1X2", (1, 1), None, {s.selection_id: s.name for s in selections}) == {
        "1": "lost",
        "X": "won",
        "2": "lost",
    }


# ---- handicaps, and the markets that are handicaps by another name


@pytest.mark.parametrize(
    ("line", "lead", "home", "away"),
    [
        ("1.5", -1, "won", "lost"),  # Unibet: +1.5, loses by 1
        ("-0.25", 0, "half_lost", "half_won"),  # vptop: −0.25, draw
        ("-0.75", 1, "half_won", "half_lost"),  # vptop: −0.75, wins by 1
        ("-1", 1, "push", "push"),
        ("-1", 2, "won", "lost"),
        ("0", 0, "push", "push"),
        ("0.25", 0, "half_won", "half_lost"),
        ("0.75", -1, "half_lost", "half_won"),
        ("-2.5", 3, "won", "lost"),
    ],
)
def test_a_handicap_is_added_to_the_home_lead(
    line: str, lead: int, home: Result, away: Result
) -> None:
    score = (lead + 3, 3)
    assert derived("AH", score, line) == {"home": home, "away": away}


SCORES = st.tuples(st.integers(0, 12), st.integers(0, 12))


@given(score=SCORES)
def test_draw_no_bet_is_a_handicap_of_nothing(score: tuple[int, int]) -> None:
    assert derived("DNB", score) == derived("AH", score, "0")


@given(score=SCORES)
def test_a_double_chance_wins_with_either_of_its_outcomes(score: tuple[int, int]) -> None:
    winner = next(side for side, result in derived("1X2", score).items() if result == "won")
    for pair, result in derived("DC", score).items():
        assert (result == "won") == (winner in pair.split("_"))


@given(score=SCORES)
def test_half_a_goal_against_the_favourite_is_a_win_bet(score: tuple[int, int]) -> None:
    assert derived("AH", score, "-0.5")["home"] == derived("1X2", score)["home"]


@given(quarters=st.integers(-20, 20), score=SCORES)
def test_the_sides_of_a_handicap_mirror_each_other(quarters: int, score: tuple[int, int]) -> None:
    line = Decimal(quarters) / 4
    there = derived("AH", score, str(line))
    back = derived("AH", score[::-1], str(-line))
    assert (there["home"], there["away"]) == (back["away"], back["home"])


@pytest.mark.parametrize(("score", "winner"), [((3, 1), "home"), ((0, 1), "away")])
def test_a_two_way_winner_has_more_points(score: tuple[int, int], winner: str) -> None:
    assert derived("ML", score)[winner] == "won"


def test_a_tie_decides_no_two_way_winner() -> None:
    with pytest.raises(ResultNotDerivable):
        derived("ML", (2, 2))


# ---- correct scores


@pytest.mark.parametrize(
    ("selections", "score", "won"),
    [
        ({"2-1": "", "1-1": "", "other": ""}, (2, 1), "2-1"),
        ({"2-1": "", "1-1": "", "other": ""}, (4, 3), "other"),
        ({"2-1": "", "other_home": "", "other_draw": "", "other_away": ""}, (2, 1), "2-1"),
        ({"2-1": "", "other_home": "", "other_draw": "", "other_away": ""}, (5, 0), "other_home"),
        ({"2-1": "", "other_home": "", "other_draw": "", "other_away": ""}, (4, 4), "other_draw"),
        ({"2-1": "", "other_home": "", "other_draw": "", "other_away": ""}, (0, 5), "other_away"),
        ({"s1": "2 - 1", "s2": "1:1"}, (1, 1), "s2"),
        ({"2-1": "", "1-1": ""}, (0, 0), None),
    ],
)
def test_the_score_itself_wins_or_the_other_that_covers_it(
    selections: dict[str, str], score: tuple[int, int], won: str | None
) -> None:
    assert derived("CS", score, None, selections) == {
        each: "won" if each == won else "lost" for each in selections
    }
