"""The selections of football's markets, and of other sports' two-way ones, with the names that people see."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from domain.events.market import MarketType

Selections = tuple[tuple[str, str], ...]

_Named = Callable[[str, str], Selections]

_OF_SIDES: Final[Mapping[MarketType, _Named]] = {
    "1X2": lambda home, away: (("home", home), ("draw", "Draw"), ("away", away)),
    "ML": lambda home, away: (("home", home), ("away", away)),
    "DNB": lambda home, away: (("home", home), ("away", away)),
    "DC": lambda home, away: (
        ("home_draw", f"{home} or draw"),
        ("home_away", f"{home} or {away}"),
        ("draw_away", f"Draw or {away}"),
    ),
    "BTTS": lambda _home, _away: (("yes", "Yes"), ("no", "No")),
}


def selections_of(
    market_type: MarketType, line: Decimal | None, home: str | None, away: str | None
) -> Selections:
    """Give (selection_id, name) of every selection that such a market has; ids as DOMAIN.md's words have them.

    Args:
        market_type: any of 1X2, ML, DNB, DC, BTTS, OU, AH and SPREAD.
        line: the total, or the home side's handicap, where the type has one.
        home: the home side's name, where it is known.
        away: the away side's name, where it is known.
    """
    home, away = home or "Home", away or "Away"
    if market_type in _OF_SIDES:
        return _OF_SIDES[market_type](home, away)
    assert line is not None
    if market_type == "OU":
        return (("over", f"Over {line}"), ("under", f"Under {line}"))
    # A handicap of zero has no sign.
    of_home, of_away = (f"{each:+}" if each else "0" for each in (line, -line))
    return (("home", f"{home} {of_home}"), ("away", f"{away} {of_away}"))
