"""Outcome states of a fixture, and what a bet on any selection pays in each of them.

A market tells scores apart only as far as it must. The states of a fixture are the classes of final scores that no market
in play tells apart: home, draw, away for 1X2, double chance, draw no bet and handicaps up to a half; goal differences,
totals or single scores as soon as a market needs them. Rules: DOMAIN.md, "Arbitrage" and "Settlement".
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, Self, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from domain.events.bet import Side
from domain.events.market import MarketType, Score
from domain.market import LINE_PLACES, LINE_STEP, MAX_LINE
from domain.money import has_at_most_places
from domain.refusals import InvalidInput, LimitExceeded, NotOffered, SelectionNotInMarket

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int8]
N = TypeVar("N", Fraction, float, Floats)

# A result as a number: 0 won, 1 half won, 2 push, 3 half lost, 4 lost. The bet against has 4 − code.
_LOST: Final = 4
_C0: Final = np.array([0.0, 0.5, 1.0, 0.5, 0.0])
_C1: Final = np.array([1.0, 0.5, 0.0, 0.0, 0.0])

SELECTIONS: Final[dict[MarketType, frozenset[str]]] = {
    "1X2": frozenset({"home", "draw", "away"}),
    "ML": frozenset({"home", "away"}),
    "OU": frozenset({"over", "under"}),
    "BTTS": frozenset({"yes", "no"}),
    "AH": frozenset({"home", "away"}),
    "DC": frozenset({"home_draw", "home_away", "draw_away"}),
    "DNB": frozenset({"home", "away"}),
}
"""Selections of the types that have the same ones always; CS has scores, WIN its runners."""

WITH_LINE: Final = frozenset({"OU", "AH"})
OTHER_SCORES: Final = frozenset({"other", "other_home", "other_draw", "other_away"})
"""Selections of a CS market that win on the scores it does not list: on all of them, or one side's."""

_SCORE: Final = re.compile(r"(0|[1-9]\d?)-(0|[1-9]\d?)", re.ASCII)
_CANDIDATES_MAX: Final = 40_000
_NEAR: Final = 2


class Proposition(Struct, frozen=True):
    """What decides a market: its type, its line (total for OU, home handicap for AH), and all its selections."""

    type: MarketType
    line: Decimal | None
    selections: tuple[str, ...]

    def check(self) -> None:
        """Refuse a market whose payoffs are not known: its type, its line, or a selection."""
        if self.type not in SELECTIONS and self.type not in ("CS", "WIN"):
            raise NotOffered(f"bets on {self.type} markets are not compared with others yet")
        if self.type in WITH_LINE:
            if self.line is None:
                raise InvalidInput(f"a market of type {self.type} needs a line", field="line")
            if (
                not has_at_most_places(self.line, LINE_PLACES)
                or abs(self.line) > MAX_LINE
                or self.line % LINE_STEP
            ):
                raise InvalidInput("a line is a multiple of 0.25", field="line")
        elif self.line is not None:
            raise InvalidInput(f"a market of type {self.type} has no line", field="line")
        for selection_id in self.selections:
            self.check_has(selection_id)

    def check_has(self, selection_id: str) -> None:
        """Refuse a selection that the market does not list, or that its type does not know."""
        if selection_id not in self.selections:
            raise SelectionNotInMarket(f"the market has no selection {selection_id[:100]!r}")
        if self.type == "WIN":
            return
        if self.type == "CS":
            if selection_id not in OTHER_SCORES and not _SCORE.fullmatch(selection_id):
                raise SelectionNotInMarket(
                    f"{selection_id[:100]!r} is no score such as 2-1, nor one of {', '.join(sorted(OTHER_SCORES))}"
                )
        elif selection_id not in SELECTIONS[self.type]:
            known = ", ".join(sorted(SELECTIONS[self.type]))
            raise SelectionNotInMarket(
                f"a {self.type} market has no selection {selection_id[:100]!r}, only {known}"
            )


class Payoff(Struct, frozen=True, eq=False):
    """What a bet returns in each state per unit at risk: c0 + c1·o, o its odds after commission; stake included.

    Won is (0, 1), lost (0, 0), push (1, 0), half won (½, ½), half lost (½, 0). Both have the shape (states,), and
    their values 0, ½ and 1 are exact in floats. At risk is the stake of a back, the liability of a lay.
    Source: DOMAIN.md, "Settlement": a leg's multiplier.
    """

    c0: Floats
    c1: Floats

    def returns(self, odds: Fraction) -> tuple[Fraction, ...]:
        """Give the exact gross returns per unit at risk, at odds after commission."""
        return tuple(
            Fraction(c0) + Fraction(c1) * odds
            for c0, c1 in zip(self.c0.tolist(), self.c1.tolist(), strict=True)
        )


def back_odds(odds: N, commission: N) -> N:
    """Odds of a back after an exchange's commission on its profit: 1 + (o − 1)(1 − c)."""
    return 1 + (odds - 1) * (1 - commission)


def lay_odds(odds: N, commission: N) -> N:
    """Odds per unit of liability that a lay at `odds` gives on the complement: 1 + (1 − c)/(o − 1).

    A lay of stake x risks x(o − 1) to win x(1 − c).
    """
    return 1 + (1 - commission) / (odds - 1)


class Grid:
    """The states of one fixture, the fewest that its markets tell apart.

    `states` names them, `scores` gives a final score that is in each.
    """

    def __init__(
        self, states: tuple[str, ...], scores: tuple[Score, ...], codes: dict["_Bet", Codes]
    ) -> None:
        self.states = states
        self.scores = scores
        self._payoffs: dict[tuple[_Bet, Side], Payoff] = {}
        for bet, code in codes.items():
            self._payoffs[bet, "back"] = Payoff(_C0[code], _C1[code])
            self._payoffs[bet, "lay"] = Payoff(_C0[_LOST - code], _C1[_LOST - code])

    def __len__(self) -> int:
        return len(self.states)

    def payoff(self, proposition: Proposition, selection_id: str, side: Side = "back") -> Payoff:
        """Give what a back of a selection, or a lay of it, pays in each state; raises Refusal for what the grid does not hold."""
        payoff = self._payoffs.get(((proposition, selection_id), side))
        if payoff is None:
            proposition.check()
            proposition.check_has(selection_id)
            raise NotOffered("the states were not made for this market")
        return payoff

    @classmethod
    def of(cls, propositions: Iterable[Proposition]) -> Self:
        """Make the states that these markets of one fixture need; raises Refusal when one of them is not known.

        A WIN market's runners are its selections: one of them wins. With ML in play a drawn score is two states, since
        the winner is then found by extra time or penalties.
        """
        markets = list(dict.fromkeys(propositions))
        for market in markets:
            market.check()
        ends = _Ends.of(markets)
        codes = {
            (market, selection_id): ends.codes(market, selection_id)
            for market in markets
            for selection_id in market.selections
        }
        first, state_of = _classes(list(codes.values()), len(ends))
        return cls(
            states=ends.names(markets, first, state_of),
            scores=tuple(Score(int(ends.home[i]), int(ends.away[i])) for i in first),
            codes={bet: code[first] for bet, code in codes.items()},
        )


_Bet = tuple[Proposition, str]


def _named_goals(market: Proposition) -> list[int]:
    scores = (_SCORE.fullmatch(selection_id) for selection_id in market.selections)
    return [int(goals) for score in scores if score for goals in score.groups()]


def _classes(codes: Sequence[Codes], size: int) -> tuple[Ints, Ints]:
    """Merge the ends that no bet tells apart: the first end of each class, in order, and each end's class."""
    if not codes:
        return np.zeros(1, np.int64), np.zeros(size, np.int64)
    # One void item an end, so that sorting compares whole columns at once.
    columns = np.ascontiguousarray(np.stack(codes).T)
    items = columns.view(np.dtype((np.void, columns.shape[1]))).ravel()
    _, first, inverse = np.unique(items, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse]


class _Ends(Struct, frozen=True, eq=False):
    """Ways in which a fixture can end, one item each: enough of them that every class of scores has one."""

    home: Ints
    away: Ints
    home_wins: NDArray[np.bool_]
    runner: Ints
    runners: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.home)

    @classmethod
    def of(cls, markets: Sequence[Proposition]) -> Self:
        """Choose scores: total and difference near a line of a market, near 0, or beyond all of them.

        Why it is enough: a market sees intervals of the total t and of the difference d, whether a side has no goals,
        and single scores. Of any interval the two numbers nearest to each of its ends are here, and of either parity,
        so the pair (d nearest to 0, t farthest) of an interval of each exists whenever any does. All scores of totals
        up to beyond twice the highest named score are here themselves.
        """
        lines = [abs(m.line) for m in markets if m.line is not None]
        goals = [goal for m in markets if m.type == "CS" for goal in _named_goals(m)]
        near = {
            int(line) + step for line in {Decimal(0), *lines} for step in range(-_NEAR, _NEAR + 2)
        }
        near |= set(range(2 * max(goals) + 5)) if goals else set()
        near |= {max(near) + 3, max(near) + 4}
        totals = np.array(sorted(n for n in near if n >= 0))
        differences = np.unique(np.concatenate([-totals, totals]))
        total, difference = (each.ravel() for each in np.meshgrid(totals, differences))
        possible = (abs(difference) <= total) & ((total + difference) % 2 == 0)
        total, difference = total[possible], difference[possible]
        order = np.lexsort((abs(difference), total, -np.sign(difference)))
        total, difference = total[order], difference[order]
        home, away = (total + difference) // 2, (total - difference) // 2
        draw = np.flatnonzero(difference == 0)
        # A draw with the home side as the winner after it, and all draws again with the away side.
        at = np.insert(np.arange(len(home)), draw[-1] + 1, draw)
        home_wins = np.insert(difference >= 0, draw[-1] + 1, np.zeros(len(draw), np.bool_))
        runners = tuple(dict.fromkeys(s for m in markets if m.type == "WIN" for s in m.selections))
        width = max(1, len(runners))
        if len(at) * width > _CANDIDATES_MAX:
            raise LimitExceeded("these markets have too many lines and runners to be compared")
        return cls(
            home=np.tile(home[at], width),
            away=np.tile(away[at], width),
            home_wins=np.tile(home_wins, width),
            runner=np.repeat(np.arange(width), len(at)),
            runners=runners,
        )

    def codes(self, market: Proposition, selection_id: str) -> Codes:
        """Give the result of a selection in each end."""
        difference, total = self.home - self.away, self.home + self.away
        sides = {"home": difference > 0, "draw": difference == 0, "away": difference < 0}
        if market.line is not None:
            quarters = int(market.line * 4)
            margin = 4 * total - quarters if market.type == "OU" else 4 * difference + quarters
            if selection_id in ("under", "away"):
                margin = -margin
            # A quarter line is two half stakes a quarter away on either side: a margin of ±¼ is half a result.
            halves: Codes = (2 - np.clip(margin, -2, 2)).astype(np.int8)
            return halves
        match market.type:
            case "1X2":
                won = sides[selection_id]
            case "DC":
                one, other = selection_id.split("_")
                won = sides[one] | sides[other]
            case "DNB":
                return np.where(sides["draw"], 2, np.where(sides[selection_id], 0, 4)).astype(
                    np.int8
                )
            case "ML":
                won = self.home_wins == (selection_id == "home")
            case "BTTS":
                won = ((self.home > 0) & (self.away > 0)) == (selection_id == "yes")
            case "WIN":
                won = self.runner == self.runners.index(selection_id)
            case _:
                won = self._scored(market, selection_id, sides)
        return np.where(won, 0, _LOST).astype(np.int8)

    def _scored(
        self, market: Proposition, selection_id: str, sides: dict[str, NDArray[np.bool_]]
    ) -> NDArray[np.bool_]:
        """Tell where a correct score wins; the others are the scores that this very market does not list."""
        if score := _SCORE.fullmatch(selection_id):
            hit: NDArray[np.bool_] = (self.home == int(score[1])) & (self.away == int(score[2]))
            return hit
        won: NDArray[np.bool_] = np.ones(len(self), np.bool_)
        for listed in market.selections:
            if score := _SCORE.fullmatch(listed):
                won &= (self.home != int(score[1])) | (self.away != int(score[2]))
        _, _, side = selection_id.partition("_")
        if side:
            won &= sides[side]
        return won

    def names(self, markets: Sequence[Proposition], first: Ints, state_of: Ints) -> tuple[str, ...]:
        """Name each state by what its scores have in common, as far as the markets ask for it."""
        asked = {m.type for m in markets}
        names: list[str] = []
        for state in range(len(first)):
            here = state_of == state
            home, away = self.home[here], self.away[here]
            parts = []
            if "WIN" in asked:
                parts.append(self.runners[self.runner[here][0]])
            if "CS" in asked and len(set(zip(home.tolist(), away.tolist(), strict=True))) == 1:
                parts.append(f"{home[0]}-{away[0]}")
            else:
                if asked & {"1X2", "DC", "DNB", "AH", "CS"}:
                    parts.append(self._difference_name(home - away))
                if "OU" in asked:
                    parts.append(f"{self._range(home + away)} goals")
                if "BTTS" in asked:
                    both = (home > 0) & (away > 0)
                    parts.append("both score" if both.all() else "not both score")
            if "ML" in asked and len(set(self.home_wins[here].tolist())) == 1:
                parts.append("home wins" if self.home_wins[here][0] else "away wins")
            name = ", ".join(parts) or "any end"
            again = sum(known == name or known.startswith(f"{name} (") for known in names)
            names.append(f"{name} ({again + 1})" if again else name)
        return tuple(names)

    def _difference_name(self, difference: Ints) -> str:
        low, high = int(difference.min()), int(difference.max())
        sides = [
            s
            for s, has in (("home", high > 0), ("draw", (difference == 0).any()), ("away", low < 0))
            if has
        ]
        if len(sides) != 1 or sides == ["draw"]:
            return " or ".join(sides)
        by = self._range(abs(difference))
        return sides[0] if by == "1 or more" else f"{sides[0]} by {by}"

    def _range(self, numbers: Ints) -> str:
        low, high = int(numbers.min()), int(numbers.max())
        # The highest totals lie beyond every line, the two last ones and the one before them.
        if high >= int((self.home + self.away).max()) - 4:
            return f"{low} or more"
        return str(low) if low == high else f"{low} to {high}"


def payoff_by_score(market: Proposition, selection_id: str, goals_max: int) -> Payoff:
    """Give what a back of a selection pays at every score up to `goals_max` a side, shapes (goals, goals), home first.

    The rules are those of the grids above, so chances of scores price a market as it is settled. Raises Refusal, also
    for markets that scores do not decide: WIN, and ML, whose draw goes to extra time.
    """
    market.check()
    market.check_has(selection_id)
    if market.type in {"ML", "WIN"}:
        raise NotOffered(f"a {market.type} market is not decided by a score")
    home, away = np.divmod(np.arange((goals_max + 1) ** 2), goals_max + 1)
    ends = _Ends(home, away, home_wins=home > away, runner=np.zeros_like(home), runners=())
    code = ends.codes(market, selection_id).reshape(goals_max + 1, goals_max + 1)
    return Payoff(_C0[code], _C1[code])
