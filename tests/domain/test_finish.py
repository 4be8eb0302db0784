"""Finishing orders."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.market import DeadHeat, MarketType, SelectionResult, Terms
from domain.finish import results_from_finish
from domain.refusals import InvalidInput, Refusal, ResultNotDerivable

RUNNERS = ("a", "b", "c", "d", "e", "f", "g")
THREE = Terms(each_way_places=3, each_way_divisor=5)

Order = Sequence[Sequence[str]]


def ends(
    finish: Order,
    market_type: MarketType = "EW",
    terms: Terms | None = THREE,
    withdrawn: tuple[str, ...] = (),
) -> dict[str, tuple[str, DeadHeat | None]]:
    results = results_from_finish(market_type, terms, RUNNERS, withdrawn, finish)
    assert len({each.selection_id for each in results}) == len(results)
    return {each.selection_id: (each.result, each.dead_heat) for each in results}


def test_the_first_wins_as_many_are_placed_as_the_terms_say_and_the_others_lose() -> None:
    found = ends([["c"], ["a"], ["b"], ["d"]])
    assert found == {
        "c": ("won", None),
        "a": ("placed", None),
        "b": ("placed", None),
        **dict.fromkeys("defg", ("lost", None)),
    }


def test_positions_count_all_who_were_before() -> None:
    results = results_from_finish("EW", THREE, RUNNERS, (), [["a", "b"], ["c"], ["d"]])
    assert [each.position for each in results] == [1, 1, 3, 4, None, None, None]


@pytest.mark.parametrize(
    ("finish", "market_type", "runner", "end"),
    [
        pytest.param([["a", "b"]], "EW", "a", ("won", DeadHeat(2, 1)), id="two tie for the win"),
        pytest.param([["a"], ["b", "c"]], "EW", "b", ("placed", None), id="room for both"),
        pytest.param(
            [["a"], ["b"], ["c", "d"]], "EW", "d", ("placed", DeadHeat(2, 1)), id="for the last"
        ),
        pytest.param([["a", "b", "c"], ["d"]], "EW", "d", ("lost", None), id="none is left"),
        pytest.param([["a"], ["b"]], "WIN", "b", ("placed", None), id="a win market pays places"),
        pytest.param([["a"], ["b"]], "PLACE", "a", ("placed", None), id="the first is placed"),
        pytest.param(
            [list("abcdef")], "PLACE", "f", ("placed", DeadHeat(6, 3)), id="six for three places"
        ),
    ],
)
def test_ties_share_the_places_that_are_left(
    finish: Order, market_type: MarketType, runner: str, end: tuple[str, DeadHeat | None]
) -> None:
    assert ends(finish, market_type)[runner] == end


def test_without_terms_only_the_win_counts() -> None:
    assert ends([["a"], ["b"]], "WIN", None)["b"] == ("lost", None)


def test_a_runner_that_was_withdrawn_is_left_to_the_market() -> None:
    assert "g" not in ends([["a"]], withdrawn=("g",))


@pytest.mark.parametrize(
    ("finish", "market_type", "terms", "refusal", "reason"),
    [
        ([["a"], ["a"]], "EW", THREE, InvalidInput, "twice"),
        ([["g"]], "EW", THREE, InvalidInput, "g did not run"),
        ([["a"]], "1X2", None, ResultNotDerivable, "not settled by a finishing order"),
        ([["a"]], "PLACE", None, ResultNotDerivable, "each_way_places"),
    ],
)
def test_an_order_that_cannot_be_is_refused(
    finish: Order,
    market_type: MarketType,
    terms: Terms | None,
    refusal: type[Refusal],
    reason: str,
) -> None:
    with pytest.raises(refusal, match=reason):
        results_from_finish(market_type, terms, RUNNERS, ("g",), finish)


def factor(result: SelectionResult) -> Fraction:
    tie = result.dead_heat
    return Fraction(tie.places, tie.tied) if tie else Fraction(1)


@given(
    st.permutations(RUNNERS), st.lists(st.integers(1, 4), min_size=1, max_size=7), st.integers(1, 5)
)
def test_all_places_are_given_out_however_many_tie(
    order: list[str], sizes: list[int], places: int
) -> None:
    finish, at = [], 0
    for size in sizes:
        if at < len(order):
            finish.append(order[at : at + size])
            at += size
    finishers = sum(map(len, finish))
    results = results_from_finish("PLACE", Terms(places, 4), RUNNERS, (), finish)
    shares = sum(factor(each) for each in results if each.result == "placed")
    assert shares == min(places, finishers)
    won = results_from_finish("EW", Terms(places, 4), RUNNERS, (), finish)
    assert sum(factor(each) for each in won if each.result == "won") == 1
