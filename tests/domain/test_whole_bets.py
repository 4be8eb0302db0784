"""Whole bets of every kind, from placing to their return: properties, and the oracle's word on each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import get_args
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.bet import Bet
from domain.events.bet import BetKind, Leg, Side
from domain.events.event import Event
from domain.events.market import (
    DeadHeat,
    MarketLimits,
    MarketOpened,
    MarketType,
    Result,
    ResultDeclared,
    RunnerWithdrawn,
    Selection,
    SelectionResult,
    StartingPrice,
    Terms,
)
from domain.market import Market
from domain.placing import place_bet
from domain.settlement import Outcome
from domain.systems import FULL_COVERS, LEGS_OF, WITH_SINGLES
from tests import builders
from tests.builders import BET, FIXTURE, NOW, an_id, given_account
from tests.simulation import oracle
from tests.simulation.oracle import BetFacts, LegFacts, MarketFacts, Said, Withdrawn

RUNNERS = ("red", "blue", "green")
WORDS: tuple[Result, ...] = ("won", "placed", "lost", "push", "half_won", "half_lost", "void")
TIES = ((1, 1), (1, 1), (2, 1), (3, 1), (3, 2), (5, 4))

ODDS = st.decimals("1.001", "60", places=3)
SHORT_ODDS = st.decimals("1.1", "2.9", places=1)
BACKED: list[BetKind] = sorted(get_args(BetKind))
COVERS: list[BetKind] = sorted(FULL_COVERS)
ACCOUNT = given_account(funds_minor=10**15)


@dataclass
class Race:
    """A race, with what happened to it after bets were placed, as the ledger and as the oracle know it."""

    market_id: UUID
    opened: MarketOpened
    happened: list[Event]
    facts: MarketFacts

    def before(self) -> Market:
        return self._after([])

    def after(self) -> Market:
        return self._after(self.happened)

    def _after(self, happened: Sequence[Event]) -> Market:
        state = builders.given(self.market_id, self.opened, *happened)
        assert isinstance(state, Market)
        return state


@dataclass
class Taken:
    """A bet of any kind on red in each of some races."""

    kind: BetKind
    races: list[Race]
    odds: list[Decimal | None]
    stake: int
    side: Side = "back"
    each_way: bool = False
    best_odds: bool = False

    def ends(self) -> Outcome | None:
        """What the domain makes of it, from the decision to take it to its end."""
        legs = tuple(
            Leg(market_id=race.market_id, selection_id="red", odds=odds)
            for race, odds in zip(self.races, self.odds, strict=True)
        )
        placed = place_bet(
            ACCOUNT,
            {race.market_id: race.before() for race in self.races},
            legs,
            self.stake,
            NOW,
            kind=self.kind,
            side=self.side,
            each_way=self.each_way and self.kind != "each_way",
            best_odds=self.best_odds,
        )
        assert placed.total_stake_minor == oracle.stake_of(self.facts())
        bet = builders.given(BET, placed)
        assert isinstance(bet, Bet)
        return bet.outcome({race.market_id: race.after() for race in self.races})

    def facts(self) -> BetFacts:
        legs = tuple(
            LegFacts(race.market_id, "red", None if odds is None else Fraction(odds))
            for race, odds in zip(self.races, self.odds, strict=True)
        )
        each_way = self.each_way or self.kind == "each_way"
        return BetFacts(
            ACCOUNT.account_id, self.kind, self.side, legs, self.stake, each_way, self.best_odds
        )

    def ends_by_the_oracle(self) -> oracle.Outcome:
        return oracle.outcome(self.facts(), {race.market_id: race.facts for race in self.races})


MARKET_TYPES: st.SearchStrategy[MarketType] = st.sampled_from(("WIN", "EW"))
PLACES, DIVISORS = st.integers(1, 4), st.sampled_from((4, 5))
RULE_4 = st.sampled_from((None, "traditional/1", "capped_at_75p/1", "waives_5p/1"))
CAPS = st.none() | st.integers(1, 10**6)
GONE = st.lists(st.sampled_from(RUNNERS), unique=True, max_size=2)
HOURS = st.sampled_from((-1, 0, 1))
SOME_ODDS = st.none() | ODDS
FACTORS = st.none() | st.decimals("0", "90", places=1)
DEAD_HEATS = st.sampled_from(TIES)
PRICED = st.sampled_from((RUNNERS, ()))
"""Made once: a strategy that is made anew for every draw costs more than what it draws."""


@cache
def any_of(words: tuple[Result, ...]) -> st.SearchStrategy[Result]:
    return st.sampled_from(words)


@st.composite
def races(
    draw: st.DrawFn, number: int, *, words: tuple[Result, ...] = WORDS, plain: bool = False
) -> Race:
    """A race on any terms; unless it is plain, runners tie or are withdrawn, and starting prices may be known."""
    market_type = draw(MARKET_TYPES)
    places, divisor = draw(PLACES), draw(DIVISORS)
    rule4 = draw(RULE_4)
    cap = None if plain else draw(CAPS)
    facts = MarketFacts(market_type, None, RUNNERS, places, divisor, rule4, cap)
    happened: list[Event] = []
    for runner in [] if plain else draw(GONE):
        hours = draw(HOURS)
        odds = draw(SOME_ODDS) if rule4 else None
        factor = draw(FACTORS) if odds is None else None
        happened.append(
            RunnerWithdrawn(
                selection_id=runner,
                at=NOW + timedelta(hours=hours),
                generation=1,
                odds=odds,
                factor=factor,
            )
        )
        exact = [None if each is None else Fraction(each) for each in (odds, factor)]
        facts.withdrawn.append(Withdrawn(runner, hours, *exact))
    results: list[SelectionResult] = []
    for runner in RUNNERS:
        word = draw(any_of(words))
        tied, shared = (1, 1) if plain else draw(DEAD_HEATS)
        facts.said[runner] = Said(word, tied, shared)
        tie = DeadHeat(tied, shared) if tied > 1 else None
        results.append(SelectionResult(runner, word, tie))
    priced = () if plain else draw(PRICED)
    starting = {runner: draw(ODDS) for runner in priced}
    facts.starting = {runner: Fraction(odds) for runner, odds in starting.items()}
    prices = tuple(StartingPrice(*each) for each in starting.items())
    happened.append(ResultDeclared(results=tuple(results), generation=1, starting_prices=prices))
    opened = MarketOpened(
        fixture=replace(FIXTURE, fixture_id=an_id(f"fixture of race {number}")),
        type=market_type,
        selections=tuple(Selection(each, each) for each in RUNNERS),
        pricing="external",
        terms=Terms(places, divisor, rule4),
        limits=MarketLimits(max_payout_minor=cap) if cap else None,
    )
    return Race(an_id(f"race {number}"), opened, happened, facts)


KINDS = st.sampled_from(BACKED)
LEGS = st.integers(2, 6)
RACES = [races(each) for each in range(max(6, *LEGS_OF.values()))]
STAKES = st.integers(1, 100_000)
YES_OR_NO = st.booleans()


def legs_of(draw: st.DrawFn, kind: BetKind) -> int:
    return draw(LEGS) if kind == "accumulator" else LEGS_OF[kind]


@st.composite
def bets(draw: st.DrawFn) -> Taken:
    """A bet of any kind at any odds, each way or not, on races that end anyhow."""
    kind = draw(KINDS)
    number = legs_of(draw, kind)
    return Taken(
        kind,
        [draw(each) for each in RACES[:number]],
        [draw(SOME_ODDS) for _ in range(number)],
        draw(STAKES),
        each_way=kind == "each_way" or (kind != "single" and draw(YES_OR_NO)),
        best_odds=draw(YES_OR_NO),
    )


@given(bet=bets())
def test_every_bet_ends_as_the_oracle_says(bet: Taken) -> None:
    expected, found = bet.ends_by_the_oracle(), bet.ends()
    if found is None:
        assert expected.status == "open"
    else:
        assert (found.status, found.return_minor) == (expected.status, expected.returned)


@settings(max_examples=40)  # a Goliath is 247 bets
@given(kind=st.sampled_from(COVERS), each_way=st.booleans(), data=st.data())
def test_a_full_cover_returns_what_its_accumulators_return_one_by_one(
    kind: BetKind, each_way: bool, data: st.DataObject
) -> None:
    number = LEGS_OF[kind]
    words: tuple[Result, ...] = ("won", "placed", "lost", "void", "half_won", "half_lost")
    drawn = [data.draw(races(each, words=words, plain=True)) for each in range(number)]
    odds = [data.draw(SHORT_ODDS) for _ in range(number)]
    # So many units that no line leaves anything to round; each way that would be more than a bet may stake.
    stake = 1_000 if each_way else 20**number
    cover = Taken(kind, drawn, list(odds), stake, each_way=each_way).ends()
    returned = lines = 0
    for size in range(1 if kind in WITH_SINGLES else 2, number + 1):
        for line in combinations(range(number), size):
            single: BetKind = "each_way" if each_way else "single"
            part = Taken(
                "accumulator" if size > 1 else single,
                [drawn[each] for each in line],
                [odds[each] for each in line],
                stake,
                each_way=each_way,
            ).ends()
            assert part is not None
            returned += part.return_minor
            lines += 1
    assert cover is not None
    assert abs(cover.return_minor - returned) <= (lines if each_way else 0)


@given(bet=bets(), data=st.data())
def test_better_odds_never_return_less(bet: Taken, data: st.DataObject) -> None:
    bet.odds = [data.draw(ODDS) if odds is None else odds for odds in bet.odds]
    bet.best_odds = False
    worse = bet.ends()
    leg = data.draw(st.integers(0, len(bet.odds) - 1))
    odds = bet.odds[leg]
    assert odds is not None
    bet.odds[leg] = odds + data.draw(st.decimals("0", "10", places=3))
    better = bet.ends()
    assert worse is not None
    assert better is not None
    assert better.return_minor >= worse.return_minor
    assert better.status == worse.status


@given(bet=bets())
def test_when_everything_is_void_every_stake_comes_back(bet: Taken) -> None:
    for race in bet.races:
        # That a race is void which is void already is no news.
        if any(said.word != "void" or said.tied > 1 for said in race.facts.said.values()):
            race.happened.append(race.after().abandon("fog", "void_all"))
    ended = bet.ends()
    assert ended is not None
    assert (ended.status, ended.return_minor) == ("void", oracle.stake_of(bet.facts()))


@given(race=races(1), odds=ODDS, stake=st.integers(1_000, 10**9))
def test_back_and_lay_at_the_same_odds_cancel_to_the_unit(
    race: Race, odds: Decimal, stake: int
) -> None:
    race.opened = replace(race.opened, limits=None)
    back = Taken("single", [race], [odds], stake)
    lay = Taken("single", [race], [odds], stake, side="lay")
    backed, laid = back.ends(), lay.ends()
    assert backed is not None
    assert laid is not None
    liability = oracle.stake_of(lay.facts())
    assert (backed.return_minor - stake) + (laid.return_minor - liability) == 0
    assert laid.return_minor >= 0


def a_race(word: Result, *, withdrawn: Sequence[Event] = (), price: str | None = None) -> Race:
    """A race whose red ends like this, with three places at a quarter of the odds."""
    prices = (StartingPrice("red", Decimal(price)),) if price else ()
    results = (SelectionResult("red", word), SelectionResult("blue", "won"))
    opened = MarketOpened(
        fixture=FIXTURE,
        type="WIN",
        selections=tuple(Selection(each, each) for each in RUNNERS),
        pricing="external",
        terms=Terms(3, 4),
    )
    declared = ResultDeclared(results=results, generation=1, starting_prices=prices)
    facts = MarketFacts("WIN", None, RUNNERS, 3, 4)
    return Race(an_id("a race"), opened, [*withdrawn, declared], facts)


def test_what_pays_nothing_needs_no_starting_price() -> None:
    for word in ("placed", "lost"):
        ended = Taken("single", [a_race(word)], [None], 100).ends()
        assert ended is not None
        assert (ended.status, ended.return_minor) == ("lost", 0)
    assert Taken("single", [a_race("won")], [None], 100).ends() is None
    assert Taken("each_way", [a_race("placed")], [None], 100).ends() is None


def test_best_odds_hold_for_the_place_too_when_a_runner_was_withdrawn() -> None:
    gone = RunnerWithdrawn(
        selection_id="green", at=NOW + timedelta(hours=1), generation=1, factor=Decimal(50)
    )
    race = a_race("placed", withdrawn=[gone], price="9")
    taken, best = (
        Taken("each_way", [race], [Decimal(5)], 100, best_odds=each).ends()
        for each in (False, True)
    )
    assert taken is not None
    assert best is not None
    assert taken.return_minor == 150  # 1 + (5 − 1)/4, of which half the winnings
    assert best.return_minor == 300  # 1 + (9 − 1)/4: nothing is deducted from a starting price
