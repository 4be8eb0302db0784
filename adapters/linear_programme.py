"""The linear programme of the arbitrage search, solved by HiGHS."""

import threading
from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray

from application.arbitrage import Floats, ProgrammeError, Solution

_TOLERANCE: Final = 1e-9
_PRIMAL_SIMPLEX: Final = 4
_COLUMNWISE: Final = int(highspy.MatrixFormat.kColwise)
_MAXIMISE: Final = int(highspy.ObjSense.kMaximize)


class HighsSolver:
    """Solves with one HiGHS object a thread, which is used again: making one costs more than a small programme."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def solve(self, returns: Floats, caps: Floats | None = None) -> Solution:
        """Maximise t − Σs subject to Pᵀs ≥ t·1, 0 ≤ s ≤ caps, and Σs = 1 (with caps ≤ 1).

        `returns` P is (bets, states), `caps` (bets,). What is answered is computed from the stakes and prices that came
        back, not read from the solver: the profit is earned by these stakes, the bound is proved by these prices.
        Raises ProgrammeError.
        """
        if not np.isfinite(returns).all():
            raise ProgrammeError("a return is not a finite number")
        highs = self._highs()
        bets, states = returns.shape
        # Columns: a stake for each bet, and t. Rows: one for each state, and the total.
        values = np.empty((bets + 1, states + 1))
        values[:bets, :states] = returns
        values[bets, :states] = -1.0
        values[:bets, states] = 1.0
        values[bets, states] = 0.0
        infinity = highspy.kHighsInf
        gain = np.full(bets + 1, -1.0)
        gain[bets] = 1.0
        lower = np.zeros(bets + 1)
        lower[bets] = -infinity
        upper = np.full(bets + 1, infinity)
        if caps is not None:
            upper[:bets] = caps
        least, most = np.zeros(states + 1), np.full(states + 1, infinity)
        least[states] = 1.0 if caps is None else -infinity
        most[states] = 1.0
        highs.passModel(
            bets + 1,
            states + 1,
            values.size,
            _COLUMNWISE,
            _MAXIMISE,
            0.0,
            gain,
            lower,
            upper,
            least,
            most,
            np.arange(0, values.size + 1, states + 1, dtype=np.int32),
            np.tile(np.arange(states + 1, dtype=np.int32), bets + 1),
            values.ravel(),
            np.zeros(bets + 1, dtype=np.int32),
        )
        highs.run()
        status = highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise ProgrammeError(
                f"{bets} bets, {states} states: {highs.modelStatusToString(status)}"
            )
        solution = highs.getSolution()
        stakes = np.maximum(np.array(solution.col_value[:bets]), 0.0)
        prices = np.abs(np.array(solution.row_dual[:states]))
        return _checked(returns, stakes, prices, spend_all=caps is None)

    def _highs(self) -> highspy.Highs:
        highs: highspy.Highs | None = getattr(self._of_thread, "highs", None)
        if highs is None:
            highs = highspy.Highs()  # type: ignore[no-untyped-call]
            for option, value in (
                ("output_flag", False),
                ("threads", 1),
                # These programmes are small and dense: presolving costs more than it saves.
                ("presolve", "off"),
                ("solver", "simplex"),
                ("simplex_strategy", _PRIMAL_SIMPLEX),
                ("primal_feasibility_tolerance", _TOLERANCE),
                ("dual_feasibility_tolerance", _TOLERANCE),
            ):
                highs.setOptionValue(option, value)
            self._of_thread.highs = highs
        return highs


def _checked(
    returns: Floats, stakes: Floats, prices: NDArray[np.float64], *, spend_all: bool
) -> Solution:
    """Make the answer true in itself: shares that sum to 1, prices that sum to 1, and what follows from them."""
    if spend_all:
        stakes /= stakes.sum()
    prices /= prices.sum()
    profit = float((stakes @ returns).min() - stakes.sum())
    return Solution(stakes, profit, prices, float((returns @ prices).max() - 1))
