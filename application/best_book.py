"""The best book that given bets allow, in whole money: an arbitrage, or the least loss."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from msgspec import Struct

from application.arbitrage import SMALLEST_STAKE, Floats, Search, Solution, Solver, search
from domain.arbitrage import DOUBTFUL_MARGIN, to_margin
from domain.stakes import Book, PricedBet, make_book, to_shares, unrounded_margin

SolveWarning = Literal[
    "margin_over_10_percent",
    "rounding_eats_the_profit",
    "stakes_do_not_fit",
    "only_with_two_bets_of_one_bookmaker",
    "search_cut_short",
]
_NO_PROFIT: Final = 1e-12


class BestBook(Struct, frozen=True):
    """What the best choice of bets comes to.

    `used` are places in the list of bets, in its order, with the stakes of `book` (None when no whole stakes fit).
    `margin` is the guaranteed profit per unit at risk before rounding, `prices` are the state prices that prove how much
    is possible at the most.
    """

    used: tuple[int, ...]
    book: Book | None
    margin: Fraction
    prices: tuple[float, ...]
    warnings: tuple[SolveWarning, ...]

    @property
    def is_arbitrage(self) -> bool:
        """Whether it earns in every state, before rounding and after."""
        return self.margin > 0 and self.book is not None and self.book.guaranteed_minor > 0


def find_best_book(solver: Solver, bets: Sequence[PricedBet], total_minor: int) -> BestBook:
    """Find the book that earns the most, or loses the least, with at most `total_minor` at risk and a bet a bookmaker.

    Where limits bind, an arbitrage may fill up with the next best prices. All bets know the same states.
    """
    returns = np.array([[float(paid) for paid in bet.returns()] for bet in bets])
    names = [bet.bookmaker.casefold() for bet in bets]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    bookmakers = [numbers[name] for name in names]
    found = search(solver, returns, bookmakers)
    assert found.best is not None  # there is no floor, and a single bet is a book
    best = _in_whole_money(bets, found.best, total_minor)
    complete = found.complete
    caps = _caps(bets, total_minor)
    if found.best.profit > _NO_PROFIT and caps is not None:
        limited = search(solver, returns, bookmakers, caps=caps, floor=0.0)
        complete &= limited.complete
        if limited.best is not None:
            filled = _in_whole_money(bets, limited.best, total_minor)
            best = max(best, filled, key=_worth)
    used, book, margin = best
    return BestBook(
        used=used,
        book=book,
        margin=margin,
        prices=tuple(found.relaxed.prices.tolist()),
        warnings=_warnings(found, book, margin, complete=complete),
    )


_Whole = tuple[tuple[int, ...], Book | None, Fraction]


def _in_whole_money(bets: Sequence[PricedBet], solution: Solution, total_minor: int) -> _Whole:
    used = tuple(np.flatnonzero(solution.stakes > SMALLEST_STAKE).tolist())
    chosen = [bets[i] for i in used]
    shares = to_shares([float(solution.stakes[i]) for i in used])
    return used, make_book(chosen, shares, total_minor), unrounded_margin(chosen, shares)


def _worth(whole: _Whole) -> tuple[bool, int]:
    book = whole[1]
    return (book is not None, book.guaranteed_minor if book else 0)


def _caps(bets: Sequence[PricedBet], total_minor: int) -> Floats | None:
    """Give limits as shares of the total; None when nothing is limited."""
    caps = [1.0 if bet.cap_minor is None else min(1.0, bet.cap_minor / total_minor) for bet in bets]
    return np.array(caps) if min(caps) < 1 else None


def _warnings(
    found: Search, book: Book | None, margin: Fraction, *, complete: bool
) -> tuple[SolveWarning, ...]:
    warnings: list[SolveWarning] = []
    if to_margin(margin) > DOUBTFUL_MARGIN:
        warnings.append("margin_over_10_percent")
    if book is None:
        warnings.append("stakes_do_not_fit")
    elif margin > 0 and book.guaranteed_minor <= 0:
        warnings.append("rounding_eats_the_profit")
    if margin <= 0 and found.relaxed.profit > _NO_PROFIT:
        warnings.append("only_with_two_bets_of_one_bookmaker")
    if not complete:
        warnings.append("search_cut_short")
    return tuple(warnings)
