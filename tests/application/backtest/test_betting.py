"""A backtest knows nothing of its future, keeps its money exactly, and bets as its rules say."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from application.backtest.betting import (
    PRICES,
    Betting,
    BettingRules,
    Offer,
    Point,
    bet_on,
    stakes_on,
)
from application.backtest.offers import OfferSettings, offers_of
from application.backtest.report import drawdown_of, report_of
from application.football.forecaster import GoalsSettings
from application.football.matches import PricedMatch
from domain.money import round_half_up
from domain.prediction.goals_table import FINISHED_AFTER, PlayedMatch
from domain.prediction.kelly import StakeRule
from domain.refusals import InvalidInput
from tests.application.priced_leagues import priced, priced_league
from tests.builders import NOW

QUICK = GoalsSettings(draws=20)
SINCE = NOW - timedelta(days=300)
RULES = BettingRules(bankroll_minor=100_000, edge_min=0.0)
ODDS = {"home": "2.5", "draw": "3.4", "away": "3.1"}


def match(
    day: int = 0,
    score: tuple[int, int] = (1, 0),
    odds: Mapping[str, dict[str, str]] | None = None,
) -> PricedMatch:
    played = PlayedMatch(f"H{day}", f"A{day}", *score, NOW + timedelta(days=day))
    return priced(played, {"pinnacle": ODDS, **(odds or {})})


def offer(
    chances: tuple[float, ...] = (0.5, 0.25, 0.25),
    day: int = 0,
    score: tuple[int, int] = (1, 0),
    before: timedelta = timedelta(hours=20),
) -> Offer:
    of = match(day, score)
    market = of.markets[0]
    return Offer(
        match=of,
        market_id=market.market_id,
        type="1X2",
        line=None,
        known_at=of.played.played_at - before,
        quotes=market.books(closing=False)["pinnacle"],
        probabilities=chances,
        closing=(Decimal("2.4"), None, None),
        fair=(0.4, 0.3, 0.3),
    )


# ---- money


def test_a_kelly_stake_is_a_share_of_the_bankroll_rounded_down() -> None:
    rules = replace(RULES, stake_rule=StakeRule(fraction=1.0))
    # (0.5 · 2.5 − 1) / 1.5 = 1/6 of 1,000.03 = 166.67166…
    assert stakes_on(offer(), rules, 100_003, 100_003) == (16_667, 0, 0)


def test_stakes_keep_the_caps_the_limit_and_the_cash() -> None:
    rules = replace(RULES, stake_rule=StakeRule(fraction=1.0, cap=0.05))
    assert stakes_on(offer(), rules, 100_000, 100_000) == (5_000, 0, 0)
    assert stakes_on(offer(), replace(rules, bet_max_minor=700), 100_000, 100_000) == (700, 0, 0)
    assert stakes_on(offer(), rules, 100_000, 123) == (123, 0, 0)
    assert stakes_on(offer(), replace(rules, bet_min_minor=5_001), 100_000, 100_000) == (0, 0, 0)


def test_flat_staking_backs_every_value_the_same() -> None:
    rules = replace(RULES, staking="flat", flat_stake_minor=1_000)
    both = offer((0.45, 0.2, 0.35))
    assert stakes_on(both, rules, 100_000, 100_000) == (1_000, 0, 1_000)
    assert stakes_on(both, replace(rules, edge_min=0.04), 100_000, 100_000) == (1_000, 0, 0)


def test_kelly_bets_on_outcomes_that_exclude_each_other_at_once() -> None:
    rules = replace(RULES, stake_rule=StakeRule(fraction=1.0))
    home, draw, away = stakes_on(offer((0.45, 0.17, 0.38)), rules, 100_000, 100_000)
    alone = stakes_on(offer((0.45, 0.3, 0.25)), rules, 100_000, 100_000)[0]
    assert home > alone  # the other bet insures it
    assert away > 0
    assert draw == 0


def test_a_bet_is_settled_and_charged_as_the_ledger_does() -> None:
    rules = replace(
        RULES, staking="flat", flat_stake_minor=999, commission=Decimal("0.05"), edge_min=0.0
    )
    [won] = bet_on([offer()], rules).markets
    assert won.bets[0].return_minor == round_half_up(999 * Fraction("2.5")) == 2498
    assert won.commission_minor == round_half_up((2498 - 999) * Fraction("0.05")) == 75
    assert won.profit_minor == 2498 - 999 - 75
    [lost] = bet_on([offer(score=(0, 1))], rules).markets
    assert (lost.bets[0].result, lost.bets[0].return_minor) == ("lost", 0)
    assert (lost.commission_minor, lost.profit_minor) == (0, -999)


def test_closing_line_value_is_that_of_the_same_bookmaker_and_of_the_line_without_margin() -> None:
    [market] = bet_on([offer()], RULES).markets
    assert market.bets[0].clv == Decimal("0.041667")  # 2.5 / 2.4 − 1
    assert market.bets[0].clv_fair == Decimal(0)  # 2.5 · 0.4 − 1


def test_money_on_matches_that_are_not_over_cannot_be_staked_again() -> None:
    rules = replace(RULES, bankroll_minor=1_500, staking="flat", flat_stake_minor=1_000)
    first, second = offer(day=0), offer(day=1, before=timedelta(hours=30))
    assert second.known_at < first.match.played.played_at + FINISHED_AFTER
    stakes = [market.stake_minor for market in bet_on([first, second], rules).markets]
    assert stakes == [1_000, 500]
    later = bet_on([first, offer(day=3)], rules)
    assert [market.stake_minor for market in later.markets] == [1_000, 1_000]
    assert later.markets[1].bankroll_minor == 1_500 + 1_500


@given(
    chances=st.lists(st.floats(0.05, 1), min_size=3, max_size=3),
    scores=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12),
    fraction=st.floats(0, 1),
    commission=st.integers(0, 9999).map(lambda n: Decimal(n) / 10_000),
    bankroll=st.integers(1, 10**9),
    hours=st.integers(1, 200),
)
def test_the_bankroll_is_what_it_was_and_all_profits_and_never_below_nothing(
    chances: list[float],
    scores: list[tuple[int, int]],
    fraction: float,
    commission: Decimal,
    bankroll: int,
    hours: int,
) -> None:
    said = tuple(each / sum(chances) for each in chances)
    rules = BettingRules(
        bankroll_minor=bankroll,
        stake_rule=StakeRule(fraction=fraction),
        commission=commission,
        edge_min=0.0,
    )
    betting = bet_on(
        [offer(said, day, score, timedelta(hours=hours)) for day, score in enumerate(scores)], rules
    )
    left = bankroll + sum(market.profit_minor for market in betting.markets)
    assert left >= 0
    if betting.markets:
        assert betting.curve[-1].bankroll_minor == left
    for market in betting.markets:
        assert 0 < market.stake_minor <= market.bankroll_minor
    moments = [point.at for point in betting.curve]
    assert moments == sorted(set(moments))


# ---- what was known when


@pytest.mark.parametrize("model", ["goals", "stack", "market"])
def test_appended_matches_change_no_earlier_bet(model: str) -> None:
    matches = priced_league()
    cut = matches[-12].played.played_at - timedelta(hours=20)
    known = [each for each in matches if each.played.played_at < cut]
    # What comes later ends differently, too.
    future = [
        replace(each, played=replace(each.played, home_goals=9, away_goals=0))
        for each in matches
        if each.played.played_at >= cut + timedelta(hours=20)
    ]
    alone, followed = (betting_on(each, model) for each in (known, [*future, *known]))
    count = len(alone.markets)
    assert count > 3
    assert followed.markets[:count] == alone.markets


@settings(max_examples=5)
@given(at=st.integers(0, 40))
def test_a_match_that_is_not_over_when_the_price_is_known_changes_nothing(at: int) -> None:
    matches = priced_league()[-45:]
    target = matches[at]
    other = replace(target, played=replace(target.played, home_goals=7, away_goals=7))
    changed = [other if each is target else each for each in matches]
    over = target.played.played_at + FINISHED_AFTER
    before, after = (
        [
            each
            for each in offers(list_of)
            if each.known_at < over and each.match.fixture != target.fixture
        ]
        for list_of in (matches, changed)
    )
    assert [each.probabilities for each in before] == [each.probabilities for each in after]


def offers(matches: list[PricedMatch]) -> list[Offer]:
    return offers_of(matches, SINCE, OfferSettings(model="market"), np.random.default_rng(0))


def betting_on(matches: list[PricedMatch], model: str) -> Betting:
    asked = OfferSettings(model=model, goals=QUICK, known_min=42, markets=("1X2", "OU"))  # type: ignore[arg-type]  # one of Model
    found = offers_of(matches, SINCE - timedelta(days=200), asked, np.random.default_rng(1))
    return bet_on(found, RULES)


def test_forecasts_are_of_when_the_price_was_known_not_of_the_day_of_the_match() -> None:
    matches = priced_league()
    asked = OfferSettings(model="goals", goals=QUICK, known_min=42)
    last = matches[-1]
    # A result between the price and the match: a model of the match's day would know it.
    between = PlayedMatch(
        last.played.home, "T00" if last.played.home != "T00" else "T01", 9, 0,
        last.played.played_at - timedelta(hours=10),
    )  # fmt: skip
    with_it = [*matches, priced(between, {})]
    plain, more = (
        offers_of(each, SINCE, asked, np.random.default_rng(1))[-1] for each in (matches, with_it)
    )
    assert plain.known_at == last.played.played_at - timedelta(hours=20)
    assert plain.probabilities == more.probabilities


def test_an_offer_known_after_the_beginning_is_refused() -> None:
    with pytest.raises(InvalidInput, match="had begun"):
        bet_on([offer(before=timedelta(hours=-1))], RULES)


def test_the_price_taken_is_the_one_asked_for() -> None:
    better = {"home": "2.6", "draw": "3.3", "away": "3.1"}
    closing = {"home": "2.2", "draw": "3.5", "away": "3.3"}
    of = match(odds={"other": better, "pinnacle:close": closing})
    by_price = {
        price: offers_of(
            [of],
            SINCE,
            OfferSettings(model="market", price=price),
            np.random.default_rng(0),
        )[0]
        for price in PRICES
    }
    taken = {p: [(q.bookmaker, str(q.odds)) for q in o.quotes] for p, o in by_price.items()}
    assert taken["open"] == [("pinnacle", "2.5"), ("pinnacle", "3.4"), ("pinnacle", "3.1")]
    assert taken["best"] == [("other", "2.6"), ("pinnacle", "3.4"), ("other", "3.1")]
    assert taken["close"] == [("pinnacle", "2.2"), ("pinnacle", "3.5"), ("pinnacle", "3.3")]
    assert by_price["open"].closing == (Decimal("2.2"), Decimal("3.5"), Decimal("3.3"))
    assert by_price["open"].known_at == of.played.played_at - timedelta(hours=20)
    # A closing price is known at kick-off, and has no later one to be compared with.
    assert by_price["close"].known_at == of.played.played_at
    assert by_price["close"].closing == (None, None, None)
    assert by_price["close"].fair is None


def test_a_match_without_a_price_of_every_selection_is_no_offer() -> None:
    of = priced(PlayedMatch("A", "B", 1, 0, NOW), {"pinnacle": {"home": "2.5", "draw": "3.4"}})
    assert offers([of]) == []


# ---- figures


def test_the_report_adds_up_over_every_way_of_grouping() -> None:
    betting = betting_on(priced_league(), "market")
    report = report_of(betting, RULES.bankroll_minor, np.random.default_rng(0))
    assert report.total.bets > 20
    assert report.final_minor == betting.curve[-1].bankroll_minor
    for groups in (report.by_league, report.by_season, report.by_market):
        for field in ("bets", "won", "turnover_minor", "profit_minor", "commission_minor"):
            assert sum(getattr(each, field) for each in groups) == getattr(report.total, field)
    returns = report.total.returns
    assert returns is not None
    assert returns.low < returns.value < returns.high
    assert returns.value == pytest.approx(report.total.profit_minor / report.total.turnover_minor)
    assert report.total.clv is not None


def test_without_bets_there_are_no_rates() -> None:
    report = report_of(Betting((), ()), 1_000, np.random.default_rng(0))
    assert report.final_minor == 1_000
    assert (report.total.bets, report.total.returns, report.total.clv) == (0, None, None)
    assert report.drawdown.deepest_minor == 0


def test_a_drawdown_is_the_deepest_fall_from_a_peak_and_how_long_it_lasted() -> None:
    curve = [
        Point(NOW + timedelta(days=day), minor)
        for day, minor in enumerate([100, 120, 90, 110, 130, 100, 85, 129, 131])
    ]
    found = drawdown_of(curve)
    assert (found.deepest_minor, found.deepest_share) == (45, 45 / 130)
    assert (found.peak_at, found.bottom_at) == (curve[4].at, curve[6].at)
    assert found.recovered_at == curve[8].at
    assert found.longest == timedelta(days=4)
    assert drawdown_of(curve[:-1]).recovered_at is None
    assert drawdown_of(curve[:2]).deepest_minor == 0


# ---- refusals


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bankroll_minor", 0),
        ("bankroll_minor", 10**16),
        ("bet_max_minor", 0),
        ("bet_min_minor", 0),
        ("commission", Decimal(1)),
        ("commission", Decimal("-0.1")),
        ("commission", Decimal("NaN")),
        ("edge_min", float("nan")),
        ("edge_min", -0.1),
        ("staking", "martingale"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        bet_on([], replace(RULES, **{field: value}))
    assert refused.value.field == field


def test_more_rules_that_make_no_sense() -> None:
    for rules, field in (
        (replace(RULES, staking="flat"), "flat_stake_minor"),
        (replace(RULES, bet_min_minor=10, bet_max_minor=9), "bet_max_minor"),
        (replace(RULES, stake_rule=StakeRule(fraction=2)), "fraction"),
    ):
        with pytest.raises(InvalidInput) as refused:
            rules.check()
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", "oracle"), ("price", "cheapest"), ("markets", ()), ("markets", ("AH",))],
)
def test_offers_that_are_not_known_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        offers_of([], SINCE, replace(OfferSettings(), **{field: value}), np.random.default_rng(0))
    assert refused.value.field == field
