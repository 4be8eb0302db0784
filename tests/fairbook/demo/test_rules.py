"""The demo's own rules: published cases of DOMAIN.md, and the oracle of the simulation on whole days of bets."""

from decimal import Decimal
from fractions import Fraction
from itertools import islice
from random import Random
from uuid import UUID, uuid4

import pytest

from adapters.football_data import Match
from domain.events.bet import BetKind, Leg
from domain.events.market import MarketType, Score, SelectionResult, Terms
from domain.finish import results_from_finish
from fairbook.demo.gala import (
    DIVISOR,
    PLACES,
    RULE_4,
    RUNNERS,
    Gala,
    Offer,
    late_wagers,
    prepare,
    wagers,
)
from fairbook.demo.rules import (
    VOID,
    Ended,
    Facts,
    Share,
    Wager,
    by_finish,
    by_score,
    deduction,
    end,
    lines,
)
from fairbook.demo.simulation import simulate_matches
from tests.simulation import oracle

MARKET, ACCOUNT, RUN = uuid4(), uuid4(), uuid4()
WON, LOST = Share(win=Fraction(1), place=Fraction(1)), Share()


def single(odds: str, stake_minor: int, facts: Facts, kind: BetKind = "single") -> Ended:
    wager = Wager(uuid4(), ACCOUNT, kind, (Leg(MARKET, "a", Decimal(odds)),), stake_minor)
    return end(wager, {MARKET: facts})


@pytest.mark.parametrize(
    ("kind", "legs", "count"),
    [
        ("trixie", 3, 4), ("patent", 3, 7), ("yankee", 4, 11), ("lucky15", 4, 15), ("canadian", 5, 26),
        ("lucky31", 5, 31), ("heinz", 6, 57), ("lucky63", 6, 63), ("super_heinz", 7, 120), ("goliath", 8, 247),
        ("single", 1, 1), ("accumulator", 5, 1),
    ],
)  # fmt: skip
def test_each_kind_has_the_lines_that_are_known_of_it(kind: BetKind, legs: int, count: int) -> None:
    assert len(lines(kind, legs)) == count


@pytest.mark.parametrize(
    ("odds", "stake_minor", "tied", "places", "return_minor"),
    [("11", 1_000, 2, 1, 5_500), ("6", 6_000, 4, 2, 18_000), ("4", 2_000, 3, 1, 2_667)],
    ids=["Betfair", "Betdaq", "Smarkets"],
)
def test_a_dead_heat_pays_a_share(
    odds: str, stake_minor: int, tied: int, places: int, return_minor: int
) -> None:
    facts = Facts({"a": Share(win=Fraction(places, tied))})
    assert single(odds, stake_minor, facts).return_minor == return_minor


@pytest.mark.parametrize(
    ("pence_of", "odds", "stake_minor", "each_way", "return_minor"),
    [("1.25", "2.25", 1_000, False, 1_250), ("5", "6", 1_000, False, 5_000), (None, "2.75", 1_000, True, 4_188)],
    ids=["Unibet", "The Punters Page", "Betfair"],
)  # fmt: skip
def test_rule_4_and_place_terms_pay_as_published(
    pence_of: str | None, odds: str, stake_minor: int, each_way: bool, return_minor: int
) -> None:
    deducted = deduction(Decimal(pence_of)) if pence_of else Fraction(0)
    facts = Facts({"a": WON}, deducted=deducted, divisor=4)
    ended = single(odds, stake_minor, facts, "each_way" if each_way else "single")
    assert ended.return_minor == return_minor


@pytest.mark.parametrize(("share", "return_minor"), [(WON, 1_500), (LOST, 0), (VOID, 0)])
def test_a_free_bet_pays_its_winnings_alone(share: Share, return_minor: int) -> None:
    legs = (Leg(MARKET, "a", Decimal("2.5")),)
    wager = Wager(uuid4(), ACCOUNT, "single", legs, 1_000, free=True)
    assert wager.at_risk_minor == 0
    assert end(wager, {MARKET: Facts({"a": share})}).return_minor == return_minor


@pytest.mark.parametrize(
    ("market_type", "line", "selection_id", "score", "share"),
    [
        ("AH", "-0.25", "home", Score(1, 1), Share(Fraction(1, 2))),
        ("AH", "-0.75", "home", Score(2, 1), Share(Fraction(1, 2), Fraction(1, 2), Fraction(1, 2))),
        ("AH", "1.5", "home", Score(0, 1), WON),
        ("OU", "2.25", "over", Score(1, 1), Share(Fraction(1, 2))),
        ("DNB", None, "away", Score(2, 2), VOID),
        ("CS", None, "other", Score(4, 0), WON),
        ("CS", None, "2-1", Score(2, 1), WON),
        ("DC", None, "home_away", Score(0, 0), LOST),
    ],
)
def test_a_score_ends_a_selection(
    market_type: MarketType, line: str | None, selection_id: str, score: Score, share: Share
) -> None:
    assert by_score(market_type, Decimal(line) if line else None, selection_id, score) == share


def test_places_left_are_shared_among_those_who_tie_for_them() -> None:
    shares = by_finish(["a", "b", "c", "d", "e"], [["a"], ["b"], ["c", "d"], ["e"]], 3)
    assert [shares[each].win for each in "abcde"] == [1, 0, 0, 0, 0]
    assert [shares[each].place for each in "abcde"] == [1, 1, Fraction(1, 2), Fraction(1, 2), 0]


def words(offer: Offer) -> tuple[SelectionResult, ...]:
    """How a race's runners ended; none for what a score decides."""
    if offer.declared.finish is None:
        return ()
    withdrawn = [offer.withdrawal.selection_id] if offer.withdrawal else []
    terms = Terms(PLACES, DIVISOR)
    return results_from_finish(
        offer.opened.type, terms, offer.selections, withdrawn, offer.declared.finish
    )


def known(gala: Gala) -> dict[UUID, oracle.MarketFacts]:
    """What the oracle is told of a day: the words that are declared, not the shares that the demo works with."""
    facts = {}
    for offer in gala.offers:
        opened, declared = offer.opened, offer.declared
        race = opened.terms is not None
        facts[offer.market_id] = oracle.MarketFacts(
            opened.type,
            None if opened.line is None else Fraction(opened.line),
            tuple(offer.selections),
            places=PLACES if race else 1,
            divisor=DIVISOR if race else 1,
            rule_4=RULE_4 if race else None,
            score=(declared.score.home, declared.score.away) if declared.score else None,
            said={
                each.selection_id: oracle.Said(
                    each.result,
                    each.dead_heat.tied if each.dead_heat else 1,
                    each.dead_heat.places if each.dead_heat else 1,
                )
                for each in words(offer)
            },
            starting={each.selection_id: Fraction(each.odds) for each in declared.starting_prices},
            withdrawn=[
                oracle.Withdrawn(each.selection_id, 1, Fraction(each.odds or 0))
                for each in [offer.withdrawal]
                if each is not None
            ],
        )
    return facts


def some_matches(seed: int) -> list[Match]:
    return list(islice(simulate_matches(seed), 8))


@pytest.mark.parametrize("seed", range(6))
def test_whole_days_end_as_the_oracle_says(seed: int) -> None:
    dice = Random(seed)
    gala = prepare(some_matches(seed), RUN, dice)
    accounts = {"maya": ACCOUNT}
    placed = wagers(gala, accounts, RUN, dice) + late_wagers(gala, accounts, RUN, dice)
    facts, said = {offer.market_id: offer.facts for offer in gala.offers}, known(gala)
    for wager in (each for each in placed if not each.free):
        bet = oracle.BetFacts(
            wager.account_id,
            wager.kind,
            wager.side,
            tuple(
                oracle.LegFacts(
                    leg.market_id,
                    leg.selection_id,
                    None if leg.odds is None else Fraction(leg.odds),
                )
                for leg in wager.legs
            ),
            wager.stake_minor,
            each_way=wager.is_each_way,
            best_odds=wager.best_odds,
            placed_at=2 if wager.late else 0,
        )
        outcome = oracle.outcome(bet, said)
        assert end(wager, facts) == Ended(outcome.status, outcome.returned)
        assert wager.at_risk_minor == oracle.stake_of(bet)


def test_a_day_has_every_kind_of_bet_each_type_of_market_and_every_turn_of_results() -> None:
    dice = Random(1)
    gala = prepare(some_matches(1), RUN, dice)
    placed = wagers(gala, {"maya": ACCOUNT}, RUN, dice)
    assert {wager.kind for wager in placed} == {
        "single", "accumulator", "each_way", "trixie", "patent", "yankee", "lucky15", "canadian", "lucky31",
        "heinz", "lucky63", "super_heinz", "goliath",
    }  # fmt: skip
    assert {offer.opened.type for offer in gala.offers} == {
        "1X2", "AH", "OU", "BTTS", "DC", "DNB", "CS", "WIN", "EW",
    }  # fmt: skip
    assert any(wager.side == "lay" for wager in placed)
    assert any(wager.best_odds for wager in placed)
    assert any(wager.at_starting_price for wager in placed)
    assert any(offer.withdrawal for offer in gala.offers)
    assert {offer.rolled_back for offer in gala.offers if offer.wrong} == {True, False}
    tied = [each for race in gala.races for each in words(race) if each.dead_heat]
    assert {each.result for each in tied} == {"won", "placed"}
    assert len({wager.bet_id for wager in placed}) == len(placed)
    assert {each.selection_id for each in words(gala.races[0])} < set(RUNNERS)
