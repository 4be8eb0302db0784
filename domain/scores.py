"""From a score to every selection's result, for the markets that a score decides. Rules: DOMAIN.md, "Settlement"."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from domain.events.market import Fixture, MarketType, Result, Score, SelectionResult
from domain.refusals import ResultNotDerivable

SIDES: Final[dict[MarketType, tuple[str, ...]]] = {
    "1X2": ("home", "draw", "away"),
    "ML": ("home", "away"),
    "DNB": ("home", "away"),
    "AH": ("home", "away"),
    "DC": ("home_draw", "home_away", "draw_away"),
    "OU": ("over", "under"),
    "BTTS": ("yes", "no"),
}
"""Outcomes that a market's selections stand for; CS has scores."""

_OTHERS: Final = {"other_home": "home", "other_draw": "draw", "other_away": "away"}
_SCORE: Final = re.compile(r"(\d{1,3})\s*[-–:]\s*(\d{1,3})", re.ASCII)
_QUARTER: Final = Decimal("0.25")


def results_from_score(
    market_type: MarketType,
    line: Decimal | None,
    selections: Mapping[str, str],
    fixture: Fixture,
    score: Score,
) -> tuple[SelectionResult, ...]:
    """Derive every selection's result from the score; `selections` are names by id.

    Raises ResultNotDerivable where the market is not decided by a score, or a selection is not understood.
    """
    if market_type == "CS":
        results = _correct_score(selections, score)
    elif market_type in SIDES:
        sides = {
            selection_id: _side(market_type, selection_id, name, fixture)
            for selection_id, name in selections.items()
        }
        if len(set(sides.values())) < len(sides):
            raise _twice()
        results = {
            selection_id: _result(market_type, side, line or Decimal(0), score)
            for selection_id, side in sides.items()
        }
    else:
        raise ResultNotDerivable(f"a {market_type} market is settled by results, not by a score")
    return tuple(SelectionResult(selection_id, result) for selection_id, result in results.items())


def _twice() -> ResultNotDerivable:
    return ResultNotDerivable(
        "two selections seem to be the same outcome: name their results in `results`"
    )


def winner(score: Score) -> str:
    """Name the side with more goals: `home`, `draw` or `away`."""
    if score.home == score.away:
        return "draw"
    return "home" if score.home > score.away else "away"


def against_line(margin: Decimal) -> Result:
    """Name the result of a bet that ends `margin` above its line; a quarter line is two half stakes a quarter apart."""
    if margin == 0:
        return "push"
    if abs(margin) == _QUARTER:
        return "half_won" if margin > 0 else "half_lost"
    return "won" if margin > 0 else "lost"


def _result(market_type: MarketType, side: str, line: Decimal, score: Score) -> Result:
    goals, lead = score.home + score.away, score.home - score.away
    match market_type:
        case "OU":
            return against_line(goals - line if side == "over" else line - goals)
        case "AH":
            return against_line(lead + line if side == "home" else -lead - line)
        case "DNB":
            return against_line(Decimal(lead if side == "home" else -lead))
        case "ML" if lead == 0:
            raise ResultNotDerivable("a tie decides no two-way winner: name the results")
        case "BTTS":
            won = (side == "yes") == bool(score.home and score.away)
        case "DC":
            won = winner(score) in side.split("_")
        case _:
            won = side == winner(score)
    return "won" if won else "lost"


def _correct_score(selections: Mapping[str, str], score: Score) -> dict[str, Result]:
    """The score itself wins; where it is not listed, the `other` that covers it does."""
    listed: dict[tuple[int, int], str] = {}
    others: dict[str, str] = {}
    for selection_id, name in selections.items():
        key = selection_id.lower()
        if found := _SCORE.fullmatch(key) or _SCORE.fullmatch(name.strip()):
            goals = int(found[1]), int(found[2])
            if goals in listed:
                raise _twice()
            listed[goals] = selection_id
        elif key == "other" or key in _OTHERS:
            others[_OTHERS.get(key, "any")] = selection_id
        else:
            raise ResultNotDerivable(
                f"selection {selection_id!r} ({name}) is no score such as 2-1, nor `other`: name its result in `results`"
            )
    if "any" in others and len(others) > 1:
        raise _twice()
    won = listed.get((score.home, score.away)) or others.get("any") or others.get(winner(score))
    return {each: "won" if each == won else "lost" for each in selections}


def _side(market_type: MarketType, selection_id: str, name: str, fixture: Fixture) -> str:
    """Tell which outcome a selection names: by its id, by its name, or by the name of the side that plays.

    Where they contradict each other nothing is guessed; a single letter of the id gives way to the name.
    """
    sides = SIDES[market_type]
    words = {side: side for side in sides}
    letters = {} if market_type == "DC" else {side[0]: side for side in sides}
    if "home" in sides:
        words |= {"1": "home", "2": "away"} | ({"x": "draw"} if "draw" in sides else {})
        words |= {
            team.lower(): side
            for team, side in ((fixture.home, "home"), (fixture.away, "away"))
            if team
        }
    elif market_type == "DC":
        words |= {"1x": "home_draw", "12": "home_away", "x2": "draw_away"}
    key, title = selection_id.lower(), name.lower()
    by_id = words.get(key)
    by_name = words.get(title) or words.get(title.split(" ")[0])
    side = by_id or by_name or letters.get(key) or letters.get(title)
    if side is None or (by_id and by_name and by_id != by_name):
        raise ResultNotDerivable(
            f"selection {selection_id!r} ({name}) is none of {', '.join(sides)}: name its result in `results`"
        )
    return side
