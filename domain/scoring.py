"""How a prediction of a market turned out: its losses, the lower the better."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct

from domain.events.market import SelectionResult
from domain.events.prediction import Chance, MarketChances
from domain.model import PLACES
from domain.scores import SIDES

RETURNED: Final = frozenset({"void", "push"})
"""Results that give all of the stake back: nothing was decided."""
YES_OR_NO: Final = frozenset({"DC", "PLACE"})
"""Markets with several winners: each selection is a forecast of its own."""
LEAST: Final = 5e-7
"""What was written as 0 may have been nearly this."""


class Losses(Struct, frozen=True):
    """The selections that won, and what the forecast lost: None where nothing was decided.

    `log_loss` in nats. `rps`, from 0 to 1, where the selections have an order: 1X2.
    """

    winners: tuple[str, ...]
    log_loss: Decimal | None = None
    brier: Decimal | None = None
    rps: Decimal | None = None


def losses_of(market: MarketChances, results: Mapping[str, SelectionResult]) -> Losses:
    """Give what a prediction of a market lost by the results of its selections.

    Half results count as whole ones: the chances are of what was not refunded. Selections whose stake comes back are
    left out, and the others' chances made to sum to 1. A dead heat shares the win. Sources: Brier 1950; Epstein 1969.
    """
    decided = [each for each in market.chances if _is_decided(each, results)]
    won = tuple(each.selection_id for each in decided if _won(market, results[each.selection_id]))
    if market.type in YES_OR_NO:
        return _yes_or_no(decided, won)
    total = math.fsum(float(each.probability) for each in decided)
    if not won or total <= 0:
        return Losses(won)
    chances = [float(each.probability) / total for each in decided]
    shares = [(each.selection_id in won) / len(won) for each in decided]
    log_loss = -math.fsum(
        share * math.log(max(chance, LEAST))
        for share, chance in zip(shares, chances, strict=True)
        if share
    )
    brier = math.fsum((chance - share) ** 2 for share, chance in zip(shares, chances, strict=True))
    names = [each.selection_id for each in decided]
    rps = None
    if market.type == "1X2" and set(names) == set(SIDES["1X2"]):
        order = [names.index(side) for side in SIDES["1X2"]]
        rps = _rank_probability_score([chances[at] for at in order], [shares[at] for at in order])
    return Losses(won, _rounded(log_loss), _rounded(brier), None if rps is None else _rounded(rps))


def _yes_or_no(decided: Sequence[Chance], won: tuple[str, ...]) -> Losses:
    """Give the mean losses of forecasts that stand each for itself."""
    if not decided:
        return Losses(won)
    happened = [
        float(each.probability) if each.selection_id in won else 1 - float(each.probability)
        for each in decided
    ]
    log_loss = -math.fsum(math.log(max(chance, LEAST)) for chance in happened) / len(decided)
    brier = math.fsum((1 - chance) ** 2 for chance in happened) / len(decided)
    return Losses(won, _rounded(log_loss), _rounded(brier))


def _rank_probability_score(chances: Sequence[float], shares: Sequence[float]) -> float:
    gap = total = 0.0
    for chance, share in zip(chances[:-1], shares[:-1], strict=True):
        gap += chance - share
        total += gap * gap
    return total / (len(chances) - 1)


def _is_decided(chance: Chance, results: Mapping[str, SelectionResult]) -> bool:
    found = results.get(chance.selection_id)
    return found is not None and found.result not in RETURNED


def _won(market: MarketChances, found: SelectionResult) -> bool:
    if found.result == "placed":
        return market.type == "PLACE"
    return found.result in {"won", "half_won"}


def _rounded(value: float) -> Decimal:
    return Decimal(round(value, PLACES)).quantize(Decimal(1).scaleb(-PLACES))
