"""What the simulation asks for: one line for each kind of bet and each kind of market that the ledger takes."""

from dataclasses import dataclass
from typing import Final

from domain.events.bet import BetKind, Side
from domain.events.market import MarketType, Period, Result


@dataclass(frozen=True)
class BetOffer:
    """A kind of bet, with how many legs it may have; each way it needs races."""

    kind: BetKind
    legs: tuple[int, int] = (1, 1)
    side: Side = "back"
    each_way: bool = False


@dataclass(frozen=True)
class MarketOffer:
    """A kind of market: its selections, the lines it is offered at, and whether it is a race, which no score decides."""

    type: MarketType
    selections: tuple[str, ...]
    lines: tuple[str | None, ...] = (None,)
    race: bool = False
    period: Period = "full_time"


BETS: Final = (
    BetOffer("single"),
    BetOffer("single"),
    BetOffer("single"),
    BetOffer("single", side="lay"),
    BetOffer("each_way", each_way=True),
    BetOffer("accumulator", (2, 5)),
    BetOffer("accumulator", (2, 10)),
    BetOffer("accumulator", (2, 4), each_way=True),
    BetOffer("trixie", (3, 3)),
    BetOffer("patent", (3, 3)),
    BetOffer("patent", (3, 3), each_way=True),
    BetOffer("yankee", (4, 4)),
    BetOffer("lucky15", (4, 4)),
    BetOffer("lucky15", (4, 4), each_way=True),
    BetOffer("canadian", (5, 5)),
    BetOffer("lucky31", (5, 5)),
    BetOffer("heinz", (6, 6)),
    BetOffer("lucky63", (6, 6)),
    BetOffer("super_heinz", (7, 7)),
    BetOffer("goliath", (8, 8)),
)

_HANDICAPS: Final = ("-1.75", "-1.5", "-1.25", "-1", "-0.75", "-0.5", "-0.25", "0", "0.25", "1.5")
_TOTALS: Final = ("1.5", "1.75", "2", "2.25", "2.5", "2.75", "3", "3.5")
_RUNNERS: Final = ("red", "blue", "green", "black", "white", "brown")

MARKETS: Final = (
    MarketOffer("1X2", ("home", "draw", "away")),
    MarketOffer("1X2", ("home", "draw", "away"), period="first_half"),
    MarketOffer("ML", ("home", "away")),
    MarketOffer("DNB", ("home", "away")),
    MarketOffer("DC", ("home_draw", "home_away", "draw_away")),
    MarketOffer("BTTS", ("yes", "no")),
    MarketOffer("AH", ("home", "away"), _HANDICAPS),
    MarketOffer("AH", ("home", "away"), _HANDICAPS, period="first_half"),
    MarketOffer("OU", ("over", "under"), _TOTALS),
    MarketOffer("CS", ("0-0", "1-0", "0-1", "1-1", "2-1", "other")),
    MarketOffer("WIN", _RUNNERS, race=True),
    MarketOffer("WIN", _RUNNERS, race=True),
    MarketOffer("EW", _RUNNERS, race=True),
    MarketOffer("PLACE", _RUNNERS, race=True),
)
EACH_WAY_TYPES: Final[tuple[MarketType, ...]] = ("WIN", "EW")
RULE_4: Final = (None, "traditional/1", "capped_at_75p/1", "waives_5p/1")

WORDS: Final[tuple[Result, ...]] = ("won", "lost", "lost", "push", "half_won", "half_lost", "void")
RACE_WORDS: Final[tuple[Result, ...]] = ("won", "placed", "placed", "lost", "lost", "lost", "void")
TIES: Final = ((2, 1), (3, 1), (3, 2), (6, 3))
