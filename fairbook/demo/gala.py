"""What the demo's last day offers: a cup round with markets of every type, and a race meeting; all from the seed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Final
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from adapters.football_data import Match
from domain.commands.market import (
    DeclareResult,
    FixtureBody,
    OpenMarket,
    ScoreBody,
    SelectionBody,
    TermsBody,
    WithdrawRunner,
)
from domain.events.bet import BetKind, Leg
from domain.events.market import MarketType, Score, StartingPrice
from fairbook.demo.rules import SCORES_UP_TO, VOID, Facts, Wager, by_finish, by_score, deduction

CUP_MATCHES: Final = 8
RACES: Final = 4
RUNNERS: Final = tuple(f"r{number}" for number in range(1, 9))
PLACES, DIVISOR = 3, 5
RULE_4: Final = "traditional/1"
WITHDRAWN: Final = "r8"
WITHDRAWN_ODDS: Final = Decimal("4.0")
TIED_RACE, CORRECTED_RACE, EACH_WAY_RACE = 1, 2, 3
SCORES: Final = tuple(
    f"{home}-{away}" for home in range(SCORES_UP_TO + 1) for away in range(SCORES_UP_TO + 1)
)
FOOTBALL: Final[tuple[tuple[MarketType, tuple[str, ...]], ...]] = (
    ("1X2", ("home", "draw", "away")),
    ("AH", ("home", "away")),
    ("OU", ("over", "under")),
    ("BTTS", ("yes", "no")),
    ("DC", ("home_draw", "home_away", "draw_away")),
    ("DNB", ("home", "away")),
    ("CS", (*SCORES, "other")),
)
KINDS: Final[tuple[tuple[BetKind, int], ...]] = (
    ("accumulator", 2), ("accumulator", 5), ("trixie", 3), ("patent", 3), ("yankee", 4), ("lucky15", 4),
    ("canadian", 5), ("lucky31", 5), ("heinz", 6), ("lucky63", 6), ("super_heinz", 7), ("goliath", 8),
)  # fmt: skip
RACE_KINDS: Final[tuple[tuple[BetKind, int], ...]] = (
    ("each_way", 1), ("accumulator", 2), ("accumulator", 4), ("trixie", 3), ("patent", 3), ("yankee", 4),
    ("lucky15", 4),
)  # fmt: skip
LONGEST_ODDS_CENTS: Final = 900


class Offer(Struct, frozen=True):
    """A market of the day: how it is opened and declared, and what its end means for bets.

    `wrong` is a result that is declared first, and `rolled_back` tells whether it is taken back or corrected.
    """

    opened: OpenMarket
    declared: DeclareResult
    facts: Facts
    withdrawal: WithdrawRunner | None = None
    wrong: DeclareResult | None = None
    rolled_back: bool = False

    @property
    def market_id(self) -> UUID:
        """The market's id."""
        assert self.opened.market_id is not None  # each is opened with an id of this run
        return self.opened.market_id

    @property
    def selections(self) -> list[str]:
        """What can be bet on."""
        return [selection.selection_id for selection in self.opened.selections]


class Gala(Struct, frozen=True):
    """All that is offered: the markets of each cup match, and each race's market."""

    cup: list[list[Offer]]
    races: list[Offer]

    @property
    def offers(self) -> list[Offer]:
        """Every market."""
        return [*(offer for match in self.cup for offer in match), *self.races]


def prepare(matches: Sequence[Match], run_id: UUID, dice: Random) -> Gala:
    """Offer a day: `matches` (with scores) play the cup, the races are run by lot."""
    cup = [
        [
            _football(match, market_type, selections, run_id, dice, again=number == 0)
            for market_type, selections in FOOTBALL
        ]
        for number, match in enumerate(matches[:CUP_MATCHES])
    ]
    return Gala(cup, [_race(number, matches[0], run_id, dice) for number in range(RACES)])


def _football(
    match: Match,
    market_type: MarketType,
    selections: Sequence[str],
    run_id: UUID,
    dice: Random,
    *,
    again: bool,
) -> Offer:
    """Offer one market; `again`: another score is declared first, and taken back."""
    score = match.score
    assert score is not None  # only played matches play the cup
    line = None
    if market_type in ("AH", "OU"):
        # Quarter lines halve a stake, whole ones may push, half ones do neither.
        line = Decimal(dice.randrange(-6, 7) if market_type == "AH" else dice.randrange(6, 15)) / 4
    fixture_id = uuid5(run_id, f"cup/{match.fixture.fixture_id}")
    opened = OpenMarket(
        market_id=uuid5(fixture_id, market_type),
        fixture=FixtureBody(
            fixture_id=fixture_id,
            sport="football",
            competition="Cup",
            name=match.fixture.name,
            starts_at=match.fixture.starts_at,
            home=match.fixture.home,
            away=match.fixture.away,
        ),
        type=market_type,
        line=line,
        selections=[SelectionBody(selection_id=each, name=each) for each in selections],
        pricing="external",
    )
    wrong = Score(score.away + 1, score.home) if again else None
    facts = Facts({each: by_score(market_type, line, each, score) for each in selections})
    return Offer(
        opened,
        DeclareResult(score=ScoreBody(home=score.home, away=score.away)),
        facts,
        wrong=DeclareResult(score=ScoreBody(home=wrong.home, away=wrong.away)) if wrong else None,
        rolled_back=again,
    )


def _race(number: int, match: Match, run_id: UUID, dice: Random) -> Offer:
    """Offer a race: the first has a withdrawn runner, the second a dead heat to win, the third a wrong result at first."""
    fixture_id = uuid5(run_id, f"race/{number}")
    running = [each for each in RUNNERS if number or each != WITHDRAWN]
    order = dice.sample(running, len(running))
    finish = [[each] for each in order]
    if number == TIED_RACE:
        finish = [order[:2], *finish[2:]]
    elif number == EACH_WAY_RACE:
        finish = [*finish[:2], order[2:4], *finish[4:]]
    starting = {each: _odds(dice) for each in running}
    shares = by_finish(running, finish, PLACES)
    facts = Facts(
        shares, {each: Fraction(odds) for each, odds in starting.items()}, divisor=DIVISOR
    )
    withdrawal = None
    if number == 0:
        facts.shares[WITHDRAWN] = VOID
        facts.deducted = deduction(WITHDRAWN_ODDS)
        withdrawal = WithdrawRunner(selection_id=WITHDRAWN, odds=WITHDRAWN_ODDS)
    opened = OpenMarket(
        market_id=uuid5(fixture_id, "race"),
        fixture=FixtureBody(
            fixture_id=fixture_id,
            sport="horse racing",
            competition="Demo meeting",
            name=f"Race {number + 1}",
            starts_at=match.fixture.starts_at + timedelta(minutes=30 * number),
        ),
        type="EW" if number == EACH_WAY_RACE else "WIN",
        selections=[
            SelectionBody(selection_id=each, name=f"Runner {each[1:]}") for each in RUNNERS
        ],
        pricing="external",
        terms=TermsBody(each_way_places=PLACES, each_way_divisor=DIVISOR, rule4=RULE_4),
    )
    declared = _declare(finish, starting)
    wrong = _declare(finish[::-1], starting) if number == CORRECTED_RACE else None
    return Offer(opened, declared, facts, withdrawal, wrong)


def _declare(finish: Sequence[Sequence[str]], starting: Mapping[str, Decimal]) -> DeclareResult:
    """Say a race's result."""
    prices = tuple(StartingPrice(each, odds) for each, odds in starting.items())
    return DeclareResult(finish=[list(group) for group in finish], starting_prices=prices)


def _odds(dice: Random) -> Decimal:
    return Decimal(dice.randrange(110, LONGEST_ODDS_CENTS)).scaleb(-2)


def wagers(gala: Gala, accounts: Mapping[str, UUID], run_id: UUID, dice: Random) -> list[Wager]:
    """Let each account place every kind of bet: on football alone, on races alone, and across both."""
    made: list[Wager] = []

    def leg(offer: Offer, *, starting: bool = False) -> Leg:
        selection_id = dice.choice(offer.selections)
        return Leg(offer.market_id, selection_id, None if starting else _odds(dice))

    for account, account_id in accounts.items():

        def add(wager: Wager, account: str = account, account_id: UUID = account_id) -> None:
            bet_id = uuid5(run_id, f"wager/{account}/{len(made)}")
            made.append(replace(wager, bet_id=bet_id, account_id=account_id))

        def draft(kind: BetKind, legs: Sequence[Leg], account_id: UUID = account_id) -> Wager:
            return Wager(account_id, account_id, kind, tuple(legs), dice.randrange(10, 500))

        # Two of three outcomes win a double chance: among four, some free bets pay.
        chances = [offer for match in gala.cup for offer in match if offer.opened.type == "DC"]
        for offer in chances[:4]:
            add(replace(draft("single", [leg(offer)]), free=True))
        add(replace(draft("accumulator", [leg(offer) for offer in chances[4:6]]), free=True))
        for match in gala.cup:
            add(draft("single", [leg(dice.choice(match))]))
            add(replace(draft("single", [leg(dice.choice(match))]), side="lay"))
        for race in gala.races:
            kind: BetKind = "each_way" if race.opened.type == "EW" else "single"
            add(draft(kind, [leg(race)]))
            add(draft(kind, [leg(race, starting=True)]))
            add(replace(draft(kind, [leg(race)]), best_odds=True))
        for kind, count in KINDS:
            fixtures = [*gala.cup, *([race] for race in gala.races if race.opened.type == "WIN")]
            if count <= len(fixtures):
                chosen = dice.sample(fixtures, count)
                add(draft(kind, [leg(dice.choice(offers)) for offers in chosen]))
        for kind, count in RACE_KINDS:
            chosen_races = dice.sample(gala.races, count)
            each_way = kind != "each_way"
            add(replace(draft(kind, [leg(race) for race in chosen_races]), each_way=each_way))
            best = draft(kind, [leg(race, starting=dice.random() < 1 / 3) for race in chosen_races])
            add(replace(best, each_way=each_way, best_odds=True))
    return made


def late_wagers(
    gala: Gala, accounts: Mapping[str, UUID], run_id: UUID, dice: Random
) -> list[Wager]:
    """Bets on the race with the withdrawn runner that come after it: nothing is deducted from them."""
    race = gala.races[0]
    return [
        Wager(
            uuid5(run_id, f"late/{account}"),
            account_id,
            "each_way",
            (
                Leg(
                    race.market_id,
                    dice.choice([each for each in RUNNERS if each != WITHDRAWN]),
                    _odds(dice),
                ),
            ),
            dice.randrange(10, 500),
            late=True,
        )
        for account, account_id in accounts.items()
    ]
