"""A small league in a ledger: matches with declared scores, and fixtures to come."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.commands import DeclareResult, FixtureBody, OpenMarket, ScoreBody, SelectionBody
from domain.events import MarketType
from tests.application.desk import Desk
from tests.builders import OPERATOR, an_id

COMPETITION = "Premier League"
TEAMS = ("Arsenal", "Chelsea", "Wolves", "Man United")
BEGIN = datetime(2023, 8, 5, 15, 0, tzinfo=UTC)
SIDES: dict[MarketType, tuple[str, ...]] = {
    "1X2": ("home", "draw", "away"),
    "BTTS": ("yes", "no"),
    "WIN": ("red", "green"),
}


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


async def play_season(desk: Desk, rounds: int = 24, seed: int = 1, begin: datetime = BEGIN) -> None:
    """Play two matches a week; the first teams are better than the last ones."""
    rng = random.Random(seed)
    for number in range(rounds):
        order = rng.sample(range(len(TEAMS)), len(TEAMS))
        for home, away in zip(order[::2], order[1::2], strict=True):
            at = begin + timedelta(days=7 * number)
            name = f"{seed}/{number}/{home}"
            market_id = await open_match(desk, name, TEAMS[home], TEAMS[away], at)
            goals = [
                rng.randint(0, 2) + (side < other) for side, other in ((home, away), (away, home))
            ]
            score = ScoreBody(home=goals[0], away=goals[1])
            await desk.ask(DeclareResult(score=score), OPERATOR, target=market_id)
