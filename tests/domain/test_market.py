"""Decisions of a market."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from domain.events.event import Event
from domain.events.market import (
    DeadHeat,
    MarketClosed,
    MarketLimits,
    MarketLimitsChanged,
    MarketOpened,
    MarketResumed,
    MarketSuspended,
    MarketType,
    ResultDeclared,
    ResultRolledBack,
    Score,
    Selection,
    SelectionResult,
    Terms,
)
from domain.market import Market, open_market
from domain.refusals import (
    InvalidInput,
    LimitExceeded,
    MarketNotOpen,
    MarketStateConflict,
    Refusal,
    ResultAlreadyDeclared,
    ResultNotDerivable,
    SelectionNotInMarket,
)
from tests.builders import FIXTURE, SELECTIONS, given_market, market_opened, results

SUSPENDED, RESUMED, CLOSED = MarketSuspended(reason="injury"), MarketResumed(), MarketClosed()
DECLARED = ResultDeclared(results=results())
AWAY = results(home="lost", away="won")
CORRECTED = ResultDeclared(results=AWAY, generation=2)
BACK_AGAIN = ResultDeclared(results=results(), generation=3)
ROLLED_BACK = ResultRolledBack(generation=2, reason="wrong match")
PART = ResultDeclared(results=results()[1:2], partial=True)
MORE = ResultDeclared(results=results()[:2], generation=2, partial=True)
WHOLE = ResultDeclared(results=results(), generation=3)


# ---- opening


@pytest.mark.parametrize(
    ("market_type", "line"),
    [
        ("1X2", None),
        ("ML", None),
        ("BTTS", None),
        ("CS", None),
        ("WIN", None),
        ("OU", "2.5"),
        ("OU", "2.25"),
        ("OU", "3"),
        ("OU", "1E+1"),
        ("AH", "-0.75"),
        ("AH", "0"),
        ("SPREAD", "-6.5"),
    ],
)
def test_a_market_opens_with_the_line_that_its_type_asks_for(
    market_type: MarketType, line: str | None
) -> None:
    terms, limits = Terms(3, 5), MarketLimits(100, 200)
    number = None if line is None else Decimal(line)
    assert open_market(
        FIXTURE, market_type, number, SELECTIONS, "external", terms, limits
    ) == MarketOpened(
        fixture=FIXTURE,
        type=market_type,
        line=number,
        selections=SELECTIONS,
        pricing="external",
        terms=terms,
        limits=limits,
    )


@pytest.mark.parametrize(
    ("market_type", "line", "field"),
    [
        ("1X2", "2.5", "line"),
        ("OU", None, "line"),
        ("AH", None, "line"),
        ("OU", "2.4", "line"),
        ("OU", "2.2500001", "line"),
        ("OU", "NaN", "line"),
        ("OU", "sNaN", "line"),
        ("OU", "Infinity", "line"),
        ("OU", "-Infinity", "line"),
        ("OU", "1E+400000", "line"),
        ("OU", "1E-400000", "line"),
        ("OU", "10000.25", "line"),
        ("OU", "0." + "1" * 60, "line"),
    ],
)
def test_a_market_does_not_open_with_such_a_line(
    market_type: MarketType, line: str | None, field: str
) -> None:
    number = None if line is None else Decimal(line)
    with pytest.raises(InvalidInput) as caught:
        open_market(FIXTURE, market_type, number, SELECTIONS, "external", None, None)
    assert caught.value.field == field


def test_a_market_names_each_selection_once() -> None:
    twice = (Selection("home", "Arsenal"), Selection("home", "Chelsea"))
    with pytest.raises(InvalidInput, match="named twice"):
        open_market(FIXTURE, "ML", None, twice, "external", None, None)


def test_a_market_opens_once() -> None:
    with pytest.raises(ValueError, match="opens once"):
        given_market(market_opened())


# ---- its life


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        ([], lambda m: m.suspend("injury"), SUSPENDED),
        ([], lambda m: m.suspend(None), MarketSuspended()),
        ([], lambda m: m.close(), CLOSED),
        ([SUSPENDED], lambda m: m.resume(), RESUMED),
        ([SUSPENDED], lambda m: m.close(), CLOSED),
        ([SUSPENDED, RESUMED], lambda m: m.suspend("injury"), SUSPENDED),
        ([SUSPENDED], lambda m: m.suspend("again"), MarketStateConflict),
        ([CLOSED], lambda m: m.suspend("late"), MarketStateConflict),
        ([DECLARED], lambda m: m.suspend("late"), MarketStateConflict),
        ([], lambda m: m.resume(), MarketStateConflict),
        ([CLOSED], lambda m: m.resume(), MarketStateConflict),
        ([DECLARED], lambda m: m.resume(), MarketStateConflict),
        ([CLOSED], lambda m: m.close(), MarketStateConflict),
        ([DECLARED], lambda m: m.close(), MarketStateConflict),
        ([], lambda m: m.declare(results(), None), DECLARED),
        ([SUSPENDED], lambda m: m.declare(results(), None), DECLARED),
        ([CLOSED], lambda m: m.declare(results(), None), DECLARED),
        ([DECLARED], lambda m: m.declare(results(), None), ResultAlreadyDeclared),
        ([DECLARED], lambda m: m.declare(AWAY, None), CORRECTED),
        ([DECLARED, CORRECTED], lambda m: m.declare(results(), None), BACK_AGAIN),
        ([DECLARED], lambda m: m.roll_back("wrong match"), ROLLED_BACK),
        ([DECLARED, ROLLED_BACK], lambda m: m.declare(results(), None), BACK_AGAIN),
        ([DECLARED, ROLLED_BACK], lambda m: m.roll_back(None), MarketStateConflict),
        ([DECLARED, ROLLED_BACK], lambda m: m.resume(), MarketStateConflict),
        ([], lambda m: m.roll_back(None), MarketStateConflict),
        ([], lambda m: m.declare(results()[1:2], None, partial=True), PART),
        ([PART], lambda m: m.declare(results()[1:2], None, partial=True), ResultAlreadyDeclared),
        ([PART], lambda m: m.declare(results()[:1], None, partial=True), MORE),
        ([PART, MORE], lambda m: m.declare(results()[2:], None, partial=True), WHOLE),
        ([PART], lambda m: m.suspend(None), MarketStateConflict),
        ([PART], lambda m: m.roll_back("wrong match"), ROLLED_BACK),
    ],
)
def test_the_steps_of_a_market(
    given: list[Event], when: Callable[[Market], Event], then: Event | type[Refusal]
) -> None:
    market = given_market(*given)
    if isinstance(then, Event):
        assert when(market) == then
        return
    with pytest.raises(then) as caught:
        when(market)
    assert type(caught.value) is then


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "open"),
        ([SUSPENDED], "suspended"),
        ([SUSPENDED, RESUMED], "open"),
        ([CLOSED], "closed"),
        ([CLOSED, DECLARED], "resulted"),
        ([DECLARED, CORRECTED], "resulted"),
        ([DECLARED, ROLLED_BACK], "closed"),
    ],
)
def test_the_status_follows_the_events(events: list[Event], status: str) -> None:
    market = given_market(*events)
    assert (market.status, market.version) == (status, 1 + len(events))
    assert set(market.results) == (set(market.selections) if status == "resulted" else set())


# ---- which bets it takes


def test_an_open_market_takes_bets_on_its_selections() -> None:
    for selection in SELECTIONS:
        given_market().check_takes(selection.selection_id, 10**15, 10**15)


@pytest.mark.parametrize(
    ("given", "limits", "selection", "stake", "returned", "refusal"),
    [
        ([SUSPENDED], None, "home", 1, 2, MarketNotOpen),
        ([CLOSED], None, "home", 1, 2, MarketNotOpen),
        ([DECLARED], None, "home", 1, 2, MarketNotOpen),
        ([], None, "Home", 1, 2, SelectionNotInMarket),
        ([], None, "", 1, 2, SelectionNotInMarket),
        ([], MarketLimits(max_stake_minor=100), "home", 101, 102, LimitExceeded),
        ([], MarketLimits(max_return_minor=100), "home", 50, 101, LimitExceeded),
    ],
)
def test_a_bet_is_not_taken(
    given: list[Event],
    limits: MarketLimits | None,
    selection: str,
    stake: int,
    returned: int,
    refusal: type[Refusal],
) -> None:
    market = given_market(*given, opened=market_opened(limits=limits))
    with pytest.raises(refusal) as caught:
        market.check_takes(selection, stake, returned)
    assert type(caught.value) is refusal


def test_a_bet_at_the_limits_is_taken() -> None:
    market = given_market(opened=market_opened(limits=MarketLimits(100, 250)))
    market.check_takes("home", 100, 250)


# ---- results


def test_a_score_declares_every_selection() -> None:
    declared = given_market().declare(None, Score(home=2, away=1))
    assert declared == ResultDeclared(results=results(), score=Score(home=2, away=1))


@pytest.mark.parametrize(
    ("given_results", "score", "refusal"),
    [
        pytest.param(None, None, InvalidInput, id="neither"),
        pytest.param(results(), Score(1, 0), InvalidInput, id="both"),
        pytest.param(results()[:2], None, ResultNotDerivable, id="one is missing"),
        pytest.param((), None, ResultNotDerivable, id="all are missing"),
        pytest.param((*results(), results()[0]), None, InvalidInput, id="one twice"),
        pytest.param(
            (*results(), SelectionResult("other", "lost")),
            None,
            SelectionNotInMarket,
            id="one that is not in the market",
        ),
        pytest.param(
            results(home="placed"), None, ResultNotDerivable, id="one that no rule settles yet"
        ),
        pytest.param(
            (SelectionResult("home", "won", DeadHeat(tied=2, places=2)), *results()[1:]),
            None,
            InvalidInput,
            id="a dead heat that shares nothing",
        ),
        pytest.param(
            (SelectionResult("home", "won", DeadHeat(tied=2, places=5)), *results()[1:]),
            None,
            InvalidInput,
            id="a dead heat for more places than runners",
        ),
    ],
)
def test_a_result_is_refused(
    given_results: tuple[SelectionResult, ...] | None, score: Score | None, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal) as caught:
        given_market().declare(given_results, score)
    assert type(caught.value) is refusal


def test_a_score_does_not_decide_every_type_of_market() -> None:
    market = given_market(opened=market_opened("ML"))
    with pytest.raises(ResultNotDerivable):
        market.declare(None, Score(1, 0))


@pytest.mark.parametrize(
    ("stake", "returned", "limit"), [(99, 250, "min_stake_minor"), (100, 249, "min_return_minor")]
)
def test_a_bet_below_the_least_is_not_taken(stake: int, returned: int, limit: str) -> None:
    limits = MarketLimits(min_stake_minor=100, min_return_minor=250)
    market = given_market(opened=market_opened(limits=limits))
    market.check_takes("home", 100, 250)
    with pytest.raises(LimitExceeded) as caught:
        market.check_takes("home", stake, returned)
    assert caught.value.members == {
        "limit": limit,
        "limit_minor": {"min_stake_minor": 100, "min_return_minor": 250}[limit],
    }


def test_changed_limits_keep_what_caps_payouts() -> None:
    market = given_market(opened=market_opened(limits=MarketLimits(max_payout_minor=9)))
    changed = market.change_limits(MarketLimits(min_stake_minor=5))
    assert changed == MarketLimitsChanged(
        limits=MarketLimits(max_payout_minor=9, min_stake_minor=5)
    )
    assert market.change_limits(MarketLimits()) is None
