"""Settlement rules: from results to leg multipliers to returns. Pure, exact, rounded once.

Formulas and their published cases are in DOMAIN.md, "Settlement". The rules still to come (accumulators, full cover,
Rule 4, each-way, lay) have their place here: a bet's return is its stake times a product of leg multipliers.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Literal

from domain.events import (
    Fixture,
    Leg,
    MarketType,
    Result,
    Score,
    SelectionResult,
    SettledStatus,
)
from domain.money import round_half_up
from domain.refusals import InvalidInput, ResultNotDerivable

VOID_FACTOR: dict[Result, Fraction] = {
    "won": Fraction(0),
    "lost": Fraction(0),
    "push": Fraction(1),
    "void": Fraction(1),
    "half_won": Fraction(1, 2),
    "half_lost": Fraction(1, 2),
}
WINNING: frozenset[Result] = frozenset({"won", "half_won"})
Outcome = Literal["home", "draw", "away", "over", "under", "yes", "no"]
SIDES: dict[MarketType, tuple[Outcome, ...]] = {
    "1X2": ("home", "draw", "away"),
    "OU": ("over", "under"),
    "BTTS": ("yes", "no"),
}


def check_settles(result: SelectionResult) -> None:
    """Refuse a result that the rules cannot turn into a multiplier."""
    if result.result not in VOID_FACTOR:
        raise ResultNotDerivable(f"a leg is not settled by {result.result!r} yet")
    if (tie := result.dead_heat) and tie.places >= tie.tied:
        raise InvalidInput("a dead heat has more runners than places", field="results.dead_heat")


def leg_multiplier(odds: Decimal, result: SelectionResult) -> Fraction:
    """Return per unit staked on one leg: m = v + (1 − v)·r·f·o.

    v is the share refunded, r whether it won, f the dead-heat factor places / tied, o the decimal odds.
    Source: DOMAIN.md, "Settlement".
    """
    void = VOID_FACTOR[result.result]
    if result.result not in WINNING:
        return void
    tie = result.dead_heat
    factor = Fraction(tie.places, tie.tied) if tie else Fraction(1)
    return void + (1 - void) * factor * Fraction(odds)


def settle_single(leg: Leg, result: SelectionResult, stake_minor: int) -> tuple[SettledStatus, int]:
    """Settle a single back bet: its status and its return in minor units, stake included, rounded half up."""
    return _status(result), round_half_up(stake_minor * leg_multiplier(leg.odds, result))


def _status(result: SelectionResult) -> SettledStatus:
    """Name the result, not the amount: a dead heat that happens to return the stake voided nothing."""
    if VOID_FACTOR[result.result] == 1:
        return "void"
    if result.result == "lost":
        return "lost"
    return "won" if result.result == "won" and result.dead_heat is None else "part_won"


def results_from_score(
    market_type: MarketType,
    line: Decimal | None,
    selections: dict[str, str],
    fixture: Fixture,
    score: Score,
) -> tuple[SelectionResult, ...]:
    """Derive every selection's result from the score, for 1X2, OU and BTTS."""
    if market_type not in SIDES:
        raise ResultNotDerivable(
            f"a {market_type} market is settled by results, not by a score, for now"
        )
    sides = {
        selection_id: _side(market_type, selection_id, name, fixture)
        for selection_id, name in selections.items()
    }
    if len(set(sides.values())) < len(sides):
        raise ResultNotDerivable(
            "two selections seem to be the same outcome: name their results in `results`"
        )
    results = []
    for selection_id, side in sides.items():
        if side in ("over", "under"):
            result = _total_result(side, score, line or Decimal(0))
        else:
            result = "won" if side in _winning_sides(score) else "lost"
        results.append(SelectionResult(selection_id=selection_id, result=result))
    return tuple(results)


def _winning_sides(score: Score) -> set[Outcome]:
    winner: Outcome = (
        "home" if score.home > score.away else "away" if score.away > score.home else "draw"
    )
    return {winner, "yes" if score.home and score.away else "no"}


def _total_result(side: Outcome, score: Score, line: Decimal) -> Result:
    """Over/under against a line; a quarter line is two half stakes at the lines a quarter away on either side."""
    total = score.home + score.away
    margin = total - line if side == "over" else line - total
    if margin == 0:
        return "push"
    if abs(margin) == Decimal("0.25"):
        return "half_won" if margin > 0 else "half_lost"
    return "won" if margin > 0 else "lost"


def _side(market_type: MarketType, selection_id: str, name: str, fixture: Fixture) -> Outcome:
    """Tell which outcome a selection names: by its id, by its name, or by the name of the side that plays.

    Where they contradict each other nothing is guessed; a single letter of the id gives way to the name.
    """
    sides = SIDES[market_type]
    words: dict[str, Outcome] = {side: side for side in sides}
    letters: dict[str, Outcome] = {side[0]: side for side in sides}
    if market_type == "1X2":
        words |= {"1": "home", "x": "draw", "2": "away"}
        words |= {
            team.lower(): side
            for team, side in ((fixture.home, sides[0]), (fixture.away, sides[2]))
            if team
        }
    key, title = selection_id.lower(), name.lower()
    by_id = words.get(key)
    by_name = words.get(title) or words.get(title.split(" ")[0])
    side = by_id or by_name or letters.get(key) or letters.get(title)
    if side is None or (by_id and by_name and by_id != by_name):
        raise ResultNotDerivable(
            f"selection {selection_id!r} ({name}) is none of {', '.join(sides)}: name its result in `results`"
        )
    return side
