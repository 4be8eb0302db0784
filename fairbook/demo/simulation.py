"""A simulated season: a double round robin with Poisson goals, priced by bookmakers who learn as kick-off nears.

Everything follows from the seed. Floats live here only as a model of chance; prices leave as exact decimals.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from uuid import UUID

from msgspec import Struct

from adapters.football_data import Match, PricedMarket, fixture_id, market_id
from adapters.football_data_columns import LINES
from domain.events.market import Fixture, MarketType, Score
from domain.events.odds import Quote

SEASON_STARTS_AT = datetime(2024, 8, 17, 14, 0, tzinfo=UTC)
ROUND = timedelta(days=7)
KICK_OFF_GAP = timedelta(minutes=150)
KICK_OFFS = 4
DIVISION = "SIM"
TOWNS = (
    "Ashcombe", "Brackwater", "Coldharbour", "Dunmere", "Eastwick", "Farrowby", "Gallowgate", "Hexley",
    "Inverlock", "Jarrowby", "Kingsferry", "Lowestone", "Marshgate", "Northcliff", "Oakhaven", "Penwith",
    "Quarrydale", "Ravensby", "Saltmarsh", "Thornbury",
)  # fmt: skip
TEAMS = len(TOWNS)

# Bookmaker -> margin over a fair book, and how far its opinion strays from the truth a week before kick-off.
BOOKMAKERS: Mapping[str, tuple[float, float]] = {
    "harbour": (0.022, 0.05),
    "meridian": (0.035, 0.07),
    "lantern": (0.045, 0.08),
    "cobalt": (0.050, 0.10),
    "juniper": (0.060, 0.12),
    "old_mill": (0.075, 0.14),
}
# How long before kick-off prices are seen, and how much of the error is left by then.
MOVES = (
    (timedelta(days=6), 1.0),
    (timedelta(days=2), 0.7),
    (timedelta(hours=3), 0.45),
    (timedelta(0), 0.3),
)

HOME_GOALS = 1.45
AWAY_GOALS = 1.15
STRENGTH_SPREAD = 0.28
GOALS_MAX = 12
ODDS_MIN = Decimal("1.01")
ODDS_MAX = Decimal(501)
FINE_ODDS = 2
CENT, MIL = Decimal("0.01"), Decimal("0.005")


class Team(Struct, frozen=True):
    """A side with its logarithmic strengths."""

    name: str
    attack: float
    defence: float


def simulate_season(seed: int, teams: int = TEAMS) -> list[Match]:
    """Play a season of `teams` (an even number, at most 20) sides, everyone twice against everyone, home and away."""
    return list(simulate_matches(seed, teams))


def simulate_matches(seed: int, teams: int = TEAMS) -> Iterator[Match]:
    """Play the matches of that season one after the other, each when it is asked for."""
    if teams not in range(2, TEAMS + 1, 2):
        raise ValueError(f"an even number of teams from 2 to {TEAMS} plays, not {teams}")
    dice = Random(seed)  # noqa: S311  chance that must be repeatable, not secret
    sides = [
        Team(name, dice.gauss(0, STRENGTH_SPREAD), dice.gauss(0, STRENGTH_SPREAD))
        for name in TOWNS[:teams]
    ]
    line_numbers = count(1)
    for number, pairs in enumerate(_schedule(sides)):
        round_starts_at = SEASON_STARTS_AT + number * ROUND
        for place, (home, away) in enumerate(pairs):
            starts_at = round_starts_at + (place % KICK_OFFS) * KICK_OFF_GAP
            yield _match(dice, next(line_numbers), starts_at, home, away, round_starts_at)


def _schedule(sides: list[Team]) -> Iterator[list[tuple[Team, Team]]]:
    """The circle method: one side stays, the others turn; then the same with the grounds swapped."""
    half = len(sides) // 2
    turning = sides[1:]
    rounds = []
    for number in range(len(sides) - 1):
        ring = [sides[0], *turning]
        pairs = list(zip(ring[:half], reversed(ring[half:]), strict=True))
        # The side that stays would be at home for half a year.
        rounds.append([(b, a) if number % 2 else (a, b) for a, b in pairs])
        turning = [turning[-1], *turning[:-1]]
    yield from rounds
    yield from ([(away, home) for home, away in pairs] for pairs in rounds)


def _match(
    dice: Random,
    number: int,
    starts_at: datetime,
    home: Team,
    away: Team,
    round_starts_at: datetime,
) -> Match:
    home_goals = HOME_GOALS * math.exp(home.attack - away.defence)
    away_goals = AWAY_GOALS * math.exp(away.attack - home.defence)
    identity = fixture_id(DIVISION, starts_at.date(), home.name, away.name)
    quotes: dict[MarketType, list[Quote]] = {market_type: [] for market_type in LINES}
    for bookmaker, (margin, error) in BOOKMAKERS.items():
        bias_home, bias_away = dice.gauss(0, error), dice.gauss(0, error)
        for before, left in MOVES:
            at = round_starts_at - before if before else starts_at
            opinion = chances(
                home_goals * math.exp(bias_home * left), away_goals * math.exp(bias_away * left)
            )
            for market_type, selections in opinion.items():
                quotes[market_type].extend(
                    Quote(bookmaker, selection_id, price(chance, margin), at, closing=not before)
                    for selection_id, chance in selections.items()
                )
    return Match(
        line_number=number,
        fixture=Fixture(
            sport="football",
            competition="Simulated League",
            name=f"{home.name} v {away.name}",
            starts_at=starts_at,
            fixture_id=identity,
            home=home.name,
            away=away.name,
        ),
        score=Score(_poisson(dice, home_goals), _poisson(dice, away_goals)),
        markets=_markets(identity, quotes),
    )


def _markets(fixture: UUID, quotes: Mapping[MarketType, list[Quote]]) -> tuple[PricedMarket, ...]:
    return tuple(
        PricedMarket(
            market_id(fixture, market_type, line),
            market_type,
            line,
            tuple(sorted(quotes[market_type], key=lambda quote: quote.at)),
        )
        for market_type, line in LINES.items()
    )


def chances(home_goals: float, away_goals: float) -> dict[MarketType, dict[str, float]]:
    """Give each selection's probability when both sides' goals are Poisson with these means."""
    home_of, away_of = _poisson_weights(home_goals), _poisson_weights(away_goals)
    outcome = {"home": 0.0, "draw": 0.0, "away": 0.0}
    total = {"over": 0.0, "under": 0.0}
    for h, home_weight in enumerate(home_of):
        for a, away_weight in enumerate(away_of):
            outcome["home" if h > a else "away" if a > h else "draw"] += home_weight * away_weight
            total["over" if h + a > (LINES["OU"] or 0) else "under"] += home_weight * away_weight
    return {"1X2": outcome, "OU": total}


def price(chance: float, margin: float) -> Decimal:
    """Price a chance with a bookmaker's margin: decimal odds in the steps that bookmakers use."""
    odds = Decimal(1 / (chance * (1 + margin)))
    step = MIL if odds < FINE_ODDS else CENT
    odds = (odds / step).to_integral_value() * step
    return min(max(odds, ODDS_MIN), ODDS_MAX)


def _poisson_weights(mean: float) -> list[float]:
    weights = [
        math.exp(-mean) * mean**goals / math.factorial(goals) for goals in range(GOALS_MAX + 1)
    ]
    total = sum(weights)
    return [weight / total for weight in weights]


def _poisson(dice: Random, mean: float) -> int:
    return dice.choices(range(GOALS_MAX + 1), _poisson_weights(mean))[0]
