"""What the simulation asks for: one line for each kind of bet and each kind of market that the ledger takes."""

from dataclasses import dataclass
from typing import Final

from domain.events import BetKind, MarketType, Result, Side


@dataclass(frozen=True)
class BetOffer:
    """A kind of bet, with how many legs it may have."""

    kind: BetKind
    legs: tuple[int, int] = (1, 1)
    side: Side = "back"


@dataclass(frozen=True)
class MarketOffer:
    """A kind of market: its selections, the lines it is offered at, and whether a score decides it."""

    type: MarketType
    selections: tuple[str, ...]
    lines: tuple[str | None, ...] = (None,)
    by_score: bool = True


BETS: Final = (BetOffer("single"),)

_HANDICAPS: Final = ("-1.75", "-1.5", "-1.25", "-1", "-0.75", "-0.5", "-0.25", "0", "0.25", "1.5")
_TOTALS: Final = ("1.5", "1.75", "2", "2.25", "2.5", "2.75", "3", "3.5")

MARKETS: Final = (
    MarketOffer("1X2", ("home", "draw", "away")),
    MarketOffer("ML", ("home", "away")),
    MarketOffer("DNB", ("home", "away")),
    MarketOffer("DC", ("home_draw", "home_away", "draw_away")),
    MarketOffer("BTTS", ("yes", "no")),
    MarketOffer("AH", ("home", "away"), _HANDICAPS),
    MarketOffer("OU", ("over", "under"), _TOTALS),
    MarketOffer("CS", ("0-0", "1-0", "0-1", "1-1", "2-1", "other")),
    MarketOffer("WIN", ("red", "blue", "green", "black", "white"), by_score=False),
)

WORDS: Final[tuple[Result, ...]] = (
    "won",
    "lost",
    "lost",
    "lost",
    "push",
    "half_won",
    "half_lost",
    "void",
)
TIES: Final = ((2, 1), (3, 1), (3, 2), (6, 3))
