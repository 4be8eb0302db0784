"""From a finishing order to every runner's result. Rules: DOMAIN.md, "Settlement"."""

from collections.abc import Collection, Sequence
from itertools import chain

from domain.events.market import DeadHeat, MarketType, SelectionResult, Terms
from domain.refusals import InvalidInput, ResultNotDerivable
from domain.settlement import PLACING


def results_from_finish(
    market_type: MarketType,
    terms: Terms | None,
    selections: Collection[str],
    withdrawn: Collection[str],
    finish: Sequence[Sequence[str]],
) -> tuple[SelectionResult, ...]:
    """Derive every selection's result from the order in which they finished, groups that tied together.

    Places are those of the market's terms. Who ties for the win is `won` in a dead heat for one place, who ties for the
    last places is `placed` in a dead heat for those that are left; who is not named did not finish, and lost. Raises
    ResultNotDerivable for markets that are no race, InvalidInput for an order that cannot be.
    """
    if market_type not in PLACING:
        raise ResultNotDerivable(f"a {market_type} market is not settled by a finishing order")
    places = (terms and terms.each_way_places) or 1
    if market_type == "PLACE" and not (terms and terms.each_way_places):
        raise ResultNotDerivable("the market's terms name no each_way_places: give results")
    named = list(chain.from_iterable(finish))
    if len(set(named)) < len(named):
        raise InvalidInput("a runner is named twice", field="finish")
    if runners := sorted(set(named) & set(withdrawn)):
        raise InvalidInput(f"{', '.join(runners)} did not run", field="finish")
    results: list[SelectionResult] = []
    before = 0
    for group in finish:
        wins = not before and market_type != "PLACE"
        results += [_result(each, before, len(group), places, wins) for each in group]
        before += len(group)
    left = [each for each in selections if each not in named and each not in withdrawn]
    return (*results, *(SelectionResult(each, "lost") for each in left))


def _result(
    runner: str,
    before: int,
    tied: int,
    places: int,
    wins: bool,  # noqa: FBT001  whether this is the winner's place
) -> SelectionResult:
    """Tell how a runner ended, one of some that tied behind `before` others."""
    left = (1 if wins else places) - before
    if left <= 0:
        return SelectionResult(runner, "lost", position=before + 1)
    tie = DeadHeat(tied, left) if left < tied else None
    return SelectionResult(runner, "won" if wins else "placed", tie, before + 1)
