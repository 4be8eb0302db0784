"""Exposure: what the bets that are open on a fixture make for the house in each state in which it can end.

Sums of bets are enough: a bet returns c0·stake + c1·potential return, and c0 and c1 are the same for all bets on a
selection (domain.outcomes). What is staked by a lay is its liability, and it potentially returns that and what it wins.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
from msgspec import Struct

from domain.events.bet import Side
from domain.events.market import Score
from domain.odds import WINNERS
from domain.outcomes import Grid, Payoff, Proposition
from domain.refusals import Refusal


class OpenBets(Struct, frozen=True):
    """Single bets of one side on one selection: sums of what they hold in play and what they return if they win."""

    proposition: Proposition
    selection_id: str
    side: Side
    stake_minor: int
    return_minor: int


class StateProfit(Struct, frozen=True):
    """What the house wins (or, negative, loses) on the open bets if the fixture ends like this, in minor units.

    `score` is a final score of the state. Exact where bets win, lose or are pushed; where some are half won or half
    lost, rounded down, and each of those is rounded on its own when it is settled (within one minor unit each).
    """

    state: str
    score: Score
    profit_minor: int


class Book(Struct, frozen=True):
    """The house's profit on open bets in every state, its worst and its best; a book without bets has no states."""

    states: tuple[StateProfit, ...] = ()
    worst_minor: int = 0
    best_minor: int = 0


def book_of(bets: Sequence[OpenBets]) -> Book:
    """Give the profit in every state that the markets of these bets tell apart; raises Refusal for an unknown market."""
    if not bets:
        return Book()
    grid = Grid.of(bet.proposition for bet in bets)
    profits = [doubled // 2 for doubled in _doubled(grid, bets)]
    states = tuple(map(StateProfit, grid.states, grid.scores, profits))
    return Book(states, min(profits), max(profits))


def profits_by_selection(proposition: Proposition, bets: Sequence[OpenBets]) -> dict[str, int]:
    """Give the least that the house makes on bets on one market where a selection wins, wholly or half; rounded down."""
    grid = Grid.of([proposition])
    doubled = _doubled(grid, bets)
    least: dict[str, int] = {}
    for selection in proposition.selections:
        wins = grid.payoff(proposition, selection).c1.tolist()
        here = [profit // 2 for profit, share in zip(doubled, wins, strict=True) if share]
        least[selection] = min(here, default=min(doubled) // 2)
    return least


def range_for_bettor(bets: Sequence[OpenBets]) -> tuple[int, int]:
    """Give the least and the most that these bets can make for who placed them, rounded down; raises Refusal as book_of."""
    if not bets:
        return 0, 0
    grid = Grid.of(bet.proposition for bet in bets)
    profits = [-doubled // 2 for doubled in _doubled(grid, bets)]
    return min(profits), max(profits)


def _doubled(grid: Grid, bets: Sequence[OpenBets]) -> list[int]:
    """Give twice the house's profit in each state: halves are whole then, and whole numbers of any size are exact."""
    profits = np.full(len(grid), 2 * sum(bet.stake_minor for bet in bets), dtype=object)
    for bet in bets:
        payoff = grid.payoff(bet.proposition, bet.selection_id, bet.side)
        profits -= _whole(payoff.c0) * bet.stake_minor + _whole(payoff.c1) * bet.return_minor
    return [int(profit) for profit in profits]


def _whole(
    halves: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.object_]]":
    return (2 * halves).astype(np.int64).astype(object)


def can_be_known(proposition: Proposition) -> bool:
    """Tell whether the states of a market are known: its type, its line and its selections."""
    try:
        Grid.of([proposition])
    except Refusal:
        return False
    return True


# ---- expectation


def no_vig(proposition: Proposition, odds: Mapping[str, Decimal]) -> dict[str, Fraction] | None:
    """Give each selection's probability by these odds without their margin; None where they do not say it.

    The implied probabilities 1/o are scaled to add up to the number of selections that win. Needed are odds of all
    selections, of a market in which each selection wins or loses in every state (no pushes, no halves): odds of others
    say nothing about how likely a push is. Source: DOMAIN.md, "no-vig odds" (multiplicative).
    """
    winners = WINNERS.get(proposition.type)
    if winners is None or any(selection not in odds for selection in proposition.selections):
        return None
    try:
        grid = Grid.of([proposition])
    except Refusal:
        return None
    payoffs = [grid.payoff(proposition, selection) for selection in proposition.selections]
    if any(payoff.c0.any() for payoff in payoffs) or not _always(winners, payoffs):
        return None
    implied = {selection: 1 / Fraction(odds[selection]) for selection in proposition.selections}
    whole = sum(implied.values())
    return {selection: winners * each / whole for selection, each in implied.items()}


def _always(winners: int, payoffs: Sequence[Payoff]) -> bool:
    return bool((np.sum([payoff.c1 for payoff in payoffs], axis=0) == winners).all())


def expected_profit(bets: Iterable[OpenBets], chances: Mapping[str, Fraction]) -> Fraction:
    """Give the house's expected profit on bets on one market, by each selection's chance to win.

    Expectation is linear: the sum over the markets of a fixture is the expectation over its joint states, however its
    markets depend on each other.
    """
    total = Fraction(0)
    for bet in bets:
        chance = chances[bet.selection_id]
        wins = chance if bet.side == "back" else 1 - chance
        total += bet.stake_minor - wins * bet.return_minor
    return total
