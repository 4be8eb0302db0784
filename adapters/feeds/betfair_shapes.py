"""What a Betfair market is in fairbook's words: whose fixture, which market, and which selection each runner is."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from adapters.feeds.betfair_book import NO_HANDICAP, RunnerKey
from adapters.feeds.betfair_messages import MarketDefinition, RunnerDefinition
from adapters.feeds.readings import Unusable, read_line, read_name
from adapters.feeds.selections import selections_of
from domain.events.market import MarketType
from domain.quotes import FeedEvent

FEED: Final = "betfair"
SPORTS: Final[Mapping[str, str]] = {
    "1": "football",
    "2": "tennis",
    "3": "golf",
    "4": "cricket",
    "5": "rugby_union",
    "7": "horse_racing",
    "1477": "rugby_league",
    "4339": "greyhounds",
    "6423": "american_football",
    "7511": "baseball",
    "7522": "basketball",
    "7524": "ice_hockey",
}
FOOTBALL: Final = "football"
RACING: Final = frozenset({"horse_racing", "greyhounds"})

# Market types -> ours, and the selections in the order of Betfair's sortPriority.
BY_PRIORITY: Final[Mapping[str, tuple[MarketType, tuple[str, ...]]]] = {
    "MATCH_ODDS": ("1X2", ("home", "away", "draw")),
    "DRAW_NO_BET": ("DNB", ("home", "away")),
    "BOTH_TEAMS_TO_SCORE": ("BTTS", ("yes", "no")),
    "DOUBLE_CHANCE": ("DC", ("home_draw", "draw_away", "home_away")),
}
# What runners of a fixed meaning are called, by the beginning of their names in small letters.
CALLED: Final[Mapping[str, str]] = {
    "draw": "the draw",
    "under": "under",
    "over": "over",
    "yes": "yes",
    "no": "no",
    "home_draw": "home or draw",
    "draw_away": "draw or away",
    "home_away": "home or away",
}
TOTALS: Final = "OVER_UNDER_"
TWO_SIDES: Final = 2
RUNNERS: Final[Mapping[str, MarketType]] = {"WIN": "WIN", "PLACE": "PLACE"}


class Face(Struct, frozen=True):
    """One of our markets, and which runner of Betfair's is which of its selections."""

    type: MarketType
    line: Decimal | None
    selections: tuple[tuple[str, str], ...]
    runners: Mapping[RunnerKey, str]


class Shape(Struct, frozen=True):
    """A Betfair market as fairbook has it; an Asian handicap one has a face for every line."""

    event: FeedEvent
    faces: tuple[Face, ...]


def shape_of(definition: MarketDefinition) -> Shape:
    """Tell what a market is; raises Unusable when fairbook has no such market, or a name is missing."""
    sport = SPORTS.get(definition.event_type_id, f"betfair-{definition.event_type_id}")
    event = _event(definition, sport)
    runners = sorted(definition.runners, key=lambda each: each.sort_priority)
    if definition.market_type in RUNNERS:
        return Shape(event, (_runners_face(RUNNERS[definition.market_type], runners),))
    if event.home is None:
        raise Unusable("market's event does not name two sides")
    if definition.market_type == "ASIAN_HANDICAP":
        return Shape(event, _handicap_faces(event, runners))
    if definition.market_type.startswith(TOTALS):
        line = read_line(_line_of(definition.market_type))
        return Shape(event, (_face(event, "OU", line, ("under", "over"), runners),))
    if definition.market_type not in BY_PRIORITY:
        raise Unusable("market type is not read")
    market_type, order = BY_PRIORITY[definition.market_type]
    if market_type == "1X2" and len(runners) == TWO_SIDES:
        market_type, order = "ML", order[:TWO_SIDES]
    return Shape(event, (_face(event, market_type, None, order, runners),))


def _line_of(market_type: str) -> str:
    """OVER_UNDER_25 -> 2.5, OVER_UNDER_05 -> 0.5, OVER_UNDER_105 -> 10.5."""
    digits = market_type.removeprefix(TOTALS)
    if not (digits.isascii() and digits.isdigit()):
        raise Unusable("market type is not read")
    return f"{digits[:-1] or '0'}.{digits[-1]}"


def _event(definition: MarketDefinition, sport: str) -> FeedEvent:
    if definition.market_time is None:
        raise Unusable("market time is missing")
    starts_at = definition.market_time
    said = definition.event_name or definition.venue
    name = read_name(said, "event's name")
    event_id, home, away = definition.event_id, None, None
    if sport in RACING:
        # Betfair's event is a whole meeting; each of its races is a fixture.
        event_id = f"{event_id}/{starts_at:%Y-%m-%dT%H:%MZ}"
        name = read_name(f"{starts_at:%H:%M} {name}", "event's name")
    elif " v " in name:
        home, _, away = (part.strip() for part in name.partition(" v "))
    elif " @ " in name:  # how American sports name them: the visitors first
        away, _, home = (part.strip() for part in name.partition(" @ "))
    competition = definition.competition_name or definition.country_code or sport
    return FeedEvent(
        feed=FEED,
        event_id=event_id,
        sport=sport,
        competition=read_name(competition, "competition"),
        name=name,
        starts_at=starts_at,
        home=home or None,
        away=away or None,
    )


def _face(
    event: FeedEvent,
    market_type: MarketType,
    line: Decimal | None,
    order: tuple[str, ...],
    runners: list[RunnerDefinition],
) -> Face:
    if len(runners) != len(order):
        raise Unusable("market has another number of runners than its type")
    for runner, selection in zip(runners, order, strict=True):
        # A price under the wrong selection looks like an arbitrage: where names are known they must agree.
        if runner.name and not runner.name.lower().startswith(CALLED.get(selection, "")):
            raise Unusable("runners are in another order than Betfair documents")
    return Face(
        market_type,
        line,
        selections_of(market_type, line, event.home, event.away),
        {_key(runner): selection for runner, selection in zip(runners, order, strict=True)},
    )


def _runners_face(market_type: MarketType, runners: list[RunnerDefinition]) -> Face:
    return Face(
        market_type,
        None,
        tuple(
            (str(runner.id), read_name(runner.name or f"Runner {runner.id}", "runner's name"))
            for runner in runners
        ),
        {_key(runner): str(runner.id) for runner in runners},
    )


def _handicap_faces(event: FeedEvent, runners: list[RunnerDefinition]) -> tuple[Face, ...]:
    """One face for each handicap of the home side, whose runner comes first; the away side's has the opposite sign."""
    lines: dict[Decimal, dict[RunnerKey, str]] = {}
    if not runners:
        raise Unusable("market has another number of runners than its type")
    home_id = runners[0].id
    for runner in runners:
        is_home = runner.id == home_id
        handicap = runner.hc or NO_HANDICAP
        line = read_line(handicap if is_home else -handicap)
        lines.setdefault(line, {})[_key(runner)] = "home" if is_home else "away"
    return tuple(
        Face("AH", line, selections_of("AH", line, event.home, event.away), sides)
        for line, sides in lines.items()
    )


def _key(runner: RunnerDefinition) -> RunnerKey:
    return runner.id, runner.hc or NO_HANDICAP
