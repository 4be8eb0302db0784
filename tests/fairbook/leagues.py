"""A small league in a ledger: matches with declared scores, and fixtures to come."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.commands.market import DeclareResult, FixtureBody, OpenMarket, ScoreBody, SelectionBody
from domain.events.market import MarketType
from domain.prediction.goals_table import PlayedMatch
from tests.application.desk import Desk
from tests.builders import OPERATOR, an_id

COMPETITION = "Premier League"
TEAMS = ("Arsenal", "Chelsea", "Wolves", "Man United")
BEGIN = datetime(2023, 8, 5, 15, 0, tzinfo=UTC)
SIDES: dict[MarketType, tuple[str, ...]] = {"1X2": ("home", "draw", "away"), "BTTS": ("yes", "no")}


async def open_match(
    desk: Desk, name: str, home: str, away: str, at: datetime, market_type: MarketType = "1X2"
) -> UUID:
    """Open a market on the fixture of this name."""
    command = OpenMarket(
        fixture=FixtureBody(
            fixture_id=an_id(name),
            sport="football",
            competition=COMPETITION,
            name=f"{home} v {away}",
            starts_at=at,
            home=home,
            away=away,
        ),
        type=market_type,
        selections=[SelectionBody(selection_id=s, name=s) for s in SIDES[market_type]],
        pricing="external",
    )
    return UUID((await desk.ask(command, OPERATOR))["market_id"])


def a_season(
    rounds: int = 24, seed: int = 1, begin: datetime = BEGIN, edge: int = 1
) -> list[PlayedMatch]:
    """Two matches a week; the first teams score `edge` goals more (below 0: fewer) than the last ones."""
    rng = random.Random(seed)
    played = []
    for number in range(rounds):
        order = rng.sample(range(len(TEAMS)), len(TEAMS))
        for home, away in zip(order[::2], order[1::2], strict=True):
            goals = [rng.randint(0, 2), rng.randint(0, 2)]
            goals[(home < away) == (edge < 0)] += abs(edge)
            at = begin + timedelta(days=7 * number)
            played.append(PlayedMatch(TEAMS[home], TEAMS[away], goals[0], goals[1], at))
    return played


async def play(desk: Desk, matches: Iterable[PlayedMatch]) -> None:
    """Open a market on each match and declare its score."""
    for match in matches:
        name = f"{match.played_at}/{match.home}"
        market_id = await open_match(desk, name, match.home, match.away, match.played_at)
        score = ScoreBody(home=match.home_goals, away=match.away_goals)
        await desk.ask(DeclareResult(score=score), OPERATOR, target=market_id)
