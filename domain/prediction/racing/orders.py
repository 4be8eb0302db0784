"""Chances of orders of finish from chances of winning: Harville's formula, with powers for the places behind.

Harville 1973: once the winner is known, the rest runs for second place as if it were a race of its own, so
P(i, j) = p_i · p_j / (1 − p_i). That makes favourites second too often. Henery 1981 and Stern 1990 give other running
times; Lo and Bacon-Shone 1994 found that powers of p come close to both: the race for second is run with p^λ, the race
for third with p^μ, and so on, each scaled to 1. λ = μ = 1 is Harville; about 0.76 and 0.62 is Henery, 0.88 and 0.81 Stern.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from domain.prediction.checks import Bools, Floats, check_number, to_floats, to_probabilities
from domain.prediction.conditional_logit import Contests, fit_logit
from domain.refusals import InvalidInput

HARVILLE: Final = (1.0, 1.0)
HENERY: Final = (0.76, 0.62)
STERN: Final = (0.88, 0.81)
PLACES: Final = 3
_LEAST: Final = 1e-12


def trifecta_chances(win: ArrayLike, powers: tuple[float, float] = HARVILLE) -> Floats:
    """Give the chance of each order of the first three (…, runners, runners, runners): first, second, third.

    `win` (…, runners) sums to 1, three runners or more; `powers` are those of second and third place. Source: the module.
    """
    chances = _win(win, PLACES)
    first_two = exacta_chances(chances, powers)
    third = _powered(chances, powers[1])
    left = 1 - third[..., :, None] - third[..., None, :]
    orders: Floats = (first_two / np.where(left > _LEAST, left, 1))[..., None] * third[
        ..., None, None, :
    ]
    same = np.eye(chances.shape[-1], dtype=np.bool_)
    orders = np.where(same[:, None, :] | same[None, :, :] | same[:, :, None], 0.0, orders)
    # Rounding only: every pair of leaders has its share of thirds.
    return _shared_out(orders, first_two)


def exacta_chances(win: ArrayLike, powers: tuple[float, float] = HARVILLE) -> Floats:
    """Give the chance of each order of the first two (…, runners, runners): first, second; a quinella is both orders."""
    chances = _win(win, 2)
    second = _powered(chances, powers[0])
    orders = (chances / np.maximum(1 - second, _LEAST))[..., :, None] * second[..., None, :]
    orders = np.where(np.eye(chances.shape[-1], dtype=np.bool_), 0.0, orders)
    return _shared_out(orders, chances)


def quinella_chances(win: ArrayLike, powers: tuple[float, float] = HARVILLE) -> Floats:
    """Give the chance that two are the first two in any order (…, runners, runners), symmetric, its diagonal 0."""
    orders = exacta_chances(win, powers)
    both: Floats = orders + orders.swapaxes(-1, -2)
    return both


def place_chances(win: ArrayLike, places: int, powers: tuple[float, float] = HARVILLE) -> Floats:
    """Give each runner's chance to be among the first `places`, 1 to 3 (…, runners); they sum to `places`."""
    if places not in {1, 2, 3}:
        raise InvalidInput("places are 1, 2 or 3", field="places")
    chances = _win(win, 2)
    if places >= chances.shape[-1]:
        return np.ones(chances.shape)
    placed = chances.copy()
    if places > 1:
        placed += exacta_chances(chances, powers).sum(-2)
    if places == PLACES:
        placed += trifecta_chances(chances, powers).sum((-3, -2))
    return placed


def fit_powers(win: ArrayLike, present: Bools, places: ArrayLike) -> tuple[float, float]:
    """Find the likeliest powers of second and third place from forecasts and results.

    `win` (races, runners) are chances, 0 where nobody is `present` (races, runners); `places` (races, runners) are places,
    0 for none. Races in which a place is shared are left out for it. Their prior is Stern's; raises NoMatches.
    """
    chances = to_floats(win, "win", dimensions=2)
    ended = to_floats(places, "places", dimensions=2)
    logs = np.log(np.maximum(chances, _LEAST))
    found = []
    for ahead, usual in zip((1, 2), STERN, strict=True):
        left = present & ((ended == 0) | (ended > ahead))
        won = (left & (ended == ahead + 1)).astype(np.float64)
        counted = (won.sum(1) == 1) & (left.sum(1) > 1) & ((present & ~left).sum(1) == ahead)
        fit = fit_logit(
            Contests.of(logs[counted][..., None], left[counted], won[counted]),
            centre=[usual],
            ridge=100.0,
        )
        found.append(float(np.clip(fit.coefficients[0], 0.1, 2)))
    return found[0], found[1]


def _win(win: ArrayLike, least: int) -> Floats:
    chances = to_probabilities(win, "win")
    if chances.shape[-1] < least:
        raise InvalidInput(f"{least} places need {least} runners or more", field="win")
    return chances


def _powered(chances: Floats, power: float) -> Floats:
    check_number(power, "powers", 0.05, 3)
    raised = np.where(chances > 0, np.maximum(chances, _LEAST) ** power, 0.0)
    scaled: Floats = raised / raised.sum(-1, keepdims=True)
    return scaled


def _shared_out(orders: Floats, wholes: Floats) -> Floats:
    """Scale the last axis to sum to `wholes`."""
    sums = orders.sum(-1)
    scaled: Floats = (
        orders * np.divide(wholes, sums, out=np.zeros_like(sums), where=sums > 0)[..., None]
    )
    return scaled
