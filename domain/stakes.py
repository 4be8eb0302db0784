"""Stakes in whole money: what the bets of a book risk and earn in every state, exactly.

No float decides anything here. A bet is settled as the ledger settles it: its return is rounded once, half up; a lay earns
what the back loses; an exchange takes its commission from the profit on the market. Source: DOMAIN.md, "Settlement".
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import Final

from msgspec import Struct

from domain.events.bet import Side
from domain.money import round_half_up, round_ratio

_ROUNDS_MAX: Final = 30
_PAIRS_MAX: Final = 6
_DENOMINATOR_MAX: Final = 10**8


class PricedBet(Struct, frozen=True):
    """A bet that a book may hold.

    `multipliers` are the gross returns per unit staked of the back in each state, stake included, before commission
    (domain.settlement.leg_multiplier), also for a lay, which is against it. `step_minor` is the step of its stake,
    `cap_minor` the most it may risk: the stake of a back, the liability of a lay. Money in minor units.
    """

    bookmaker: str
    odds: Decimal
    multipliers: tuple[Fraction, ...]
    side: Side = "back"
    commission: Decimal = Decimal(0)
    step_minor: int = 1
    cap_minor: int | None = None

    def at_risk_minor(self, stake_minor: int) -> int:
        """Money that a stake holds: itself, or for a lay its liability stake·(odds − 1), rounded up."""
        if self.side == "back":
            return stake_minor
        odds, one = self.odds.as_integer_ratio()
        return -(stake_minor * (one - odds) // one)

    def profits_minor(self, stake_minor: int) -> tuple[int, ...]:
        """Profit of a stake in each state, after commission."""
        if self.side == "back" and not self.commission:
            # Positive, so that half up is halves added and rounded down.
            ratios = [each.as_integer_ratio() for each in self.multipliers]
            return tuple([(2 * stake_minor * n + d) // (2 * d) - stake_minor for n, d in ratios])
        return tuple([self._profit(stake_minor, multiplier) for multiplier in self.multipliers])

    def _profit(self, stake_minor: int, multiplier: Fraction) -> int:
        profit = (
            round_ratio(stake_minor * multiplier.numerator, multiplier.denominator) - stake_minor
        )
        if self.side == "lay":
            profit = -profit
        if profit > 0 and self.commission:
            return round_half_up(profit * (1 - Fraction(self.commission)))
        return profit

    def returns(self) -> tuple[Fraction, ...]:
        """Gross returns per unit at risk in each state, after commission, before any rounding."""
        if self.side == "back" and not self.commission:
            return self.multipliers
        if self.side == "back":
            profits = [multiplier - 1 for multiplier in self.multipliers]
        else:
            profits = [(1 - m) / (Fraction(self.odds) - 1) for m in self.multipliers]
        kept = 1 - Fraction(self.commission)
        return tuple(1 + (profit * kept if profit > 0 else profit) for profit in profits)


class Book(Struct, frozen=True):
    """Bets with whole stakes: what they hold (`outlay_minor`), and what they earn in each state."""

    stakes_minor: tuple[int, ...]
    outlay_minor: int
    profits_minor: tuple[int, ...]

    @property
    def guaranteed_minor(self) -> int:
        """What the book earns whatever happens; negative for a loss."""
        return min(self.profits_minor)


def to_shares(shares: Sequence[float]) -> tuple[Fraction, ...]:
    """Give shares that a linear programme found as exact ones that sum to 1.

    Simple fractions come out as themselves, so that a margin of 5% is not one of 4.9999…%.
    """
    exact = [
        Fraction(share).limit_denominator(_DENOMINATOR_MAX) or Fraction(share) for share in shares
    ]
    total = sum(exact)
    return tuple(share / total for share in exact)


def unrounded_margin(bets: Sequence[PricedBet], shares: Sequence[Fraction]) -> Fraction:
    """Guaranteed profit per unit at risk when money at risk has these shares and nothing is rounded."""
    returns = [bet.returns() for bet in bets]
    paid = [
        sum((s * r for s, r in zip(shares, state, strict=True)), Fraction(0))
        for state in zip(*returns, strict=True)
    ]
    return min(paid) - 1


def make_book(
    bets: Sequence[PricedBet], shares: Sequence[Fraction], total_minor: int
) -> Book | None:
    """Choose whole stakes near these shares of the money at risk, which is at most `total_minor`.

    Every stake is a positive number of its steps and risks no more than its cap; None when that leaves nothing. The
    shares, which have no zero among them, are kept and the total lowered where a cap binds: R ≤ min(capᵢ·oᵢ)
    (DOMAIN.md). The best of stakes rounded down, to the nearest, and up from a total that leaves room for it
    (which guarantees R(1 − K) − Σδᵢ), improved step by step.
    """
    total = Fraction(total_minor)
    for bet, share in zip(bets, shares, strict=True):
        if bet.cap_minor is not None:
            total = min(total, bet.cap_minor / share)
    room = total - sum(_most_by_rounding_up(bet) for bet in bets)
    search = _Search(bets, total_minor)
    best: Book | None = None
    for aim, halves in ((total, 0), (total, 1), (room, 2)):
        steps = [_steps(bet, aim * share, halves) for bet, share in zip(bets, shares, strict=True)]
        book = search.climb(tuple(max(1, n) for n in steps))
        if book is not None and (best is None or _rank(book) > _rank(best)):
            best = book
    return best


def _most_by_rounding_up(bet: PricedBet) -> Fraction | int:
    """Give how much more a stake may risk that is rounded up to its step; a lay's liability is rounded up, too."""
    if bet.side == "back":
        return bet.step_minor
    return bet.step_minor * (Fraction(bet.odds) - 1) + 1


def _steps(bet: PricedBet, at_risk: Fraction, halves: int) -> int:
    """Steps of a stake that risks this much, rounded down (0 halves), to the nearest (1), or up (2)."""
    stake = at_risk if bet.side == "back" else at_risk / (Fraction(bet.odds) - 1)
    whole, part = stake.numerator, stake.denominator * bet.step_minor
    return -(-whole // part) if halves == 2 else (2 * whole + halves * part) // (2 * part)  # noqa: PLR2004


def _rank(book: Book) -> tuple[int, int]:
    """Order by what is certain, then by what else there is to win."""
    return book.guaranteed_minor, sum(book.profits_minor)


class _Search:
    """Looks for better stakes a step away, keeping what it has found out: searches from several starts meet."""

    def __init__(self, bets: Sequence[PricedBet], total_minor: int) -> None:
        # A state that no bet tells from another is looked at once.
        columns = dict.fromkeys(zip(*(bet.multipliers for bet in bets), strict=True))
        self._bets = bets
        self._narrow = [
            PricedBet(b.bookmaker, b.odds, multipliers, b.side, b.commission, b.step_minor)
            for b, multipliers in zip(bets, zip(*columns, strict=True), strict=True)
        ]
        self._total_minor = total_minor
        # By bet and steps: the money at risk, and what is earned in each state; None where it does not fit.
        self._paid: dict[tuple[int, int], tuple[int, tuple[int, ...]] | None] = {}
        self._values: dict[tuple[int, ...], tuple[int, int] | None] = {}

    def climb(self, steps: tuple[int, ...]) -> Book | None:
        """Improve stakes, given in steps, until no neighbour is better; None when they do not fit."""
        best = self._known(steps)
        if best is None:
            return None
        for _ in range(_ROUNDS_MAX):
            better = max(
                ((value, near) for near in self._near(steps) if (value := self._known(near))),
                default=None,
            )
            if better is None or better[0] <= best:
                break
            best, steps = better
        stakes = tuple(n * bet.step_minor for n, bet in zip(steps, self._bets, strict=True))
        paid = [b.profits_minor(stake) for b, stake in zip(self._bets, stakes, strict=True)]
        outlay = sum(b.at_risk_minor(stake) for b, stake in zip(self._bets, stakes, strict=True))
        return Book(stakes, outlay, tuple(sum(state) for state in zip(*paid, strict=True)))

    def _known(self, steps: tuple[int, ...]) -> tuple[int, int] | None:
        if steps not in self._values:
            self._values[steps] = self._value(steps)
        return self._values[steps]

    def _value(self, steps: tuple[int, ...]) -> tuple[int, int] | None:
        """Guaranteed profit, then the sum of all states': the greater the better. None for stakes that do not fit."""
        outlay = 0
        paid = []
        for at in enumerate(steps):
            if at not in self._paid:
                self._paid[at] = self._pay(*at)
            one = self._paid[at]
            if one is None:
                return None
            outlay += one[0]
            paid.append(one[1])
        if outlay > self._total_minor:
            return None
        profits = list(map(sum, zip(*paid, strict=True)))
        return min(profits), sum(profits)

    def _pay(self, i: int, n: int) -> tuple[int, tuple[int, ...]] | None:
        bet = self._bets[i]
        stake_minor = n * bet.step_minor
        at_risk = bet.at_risk_minor(stake_minor)
        if n < 1 or (bet.cap_minor is not None and at_risk > bet.cap_minor):
            return None
        return at_risk, self._narrow[i].profits_minor(stake_minor)

    @staticmethod
    def _near(steps: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Stakes with one bet a step more or less, or (of few bets) one more and another less."""
        for i, n in enumerate(steps):
            yield (*steps[:i], n + 1, *steps[i + 1 :])
            yield (*steps[:i], n - 1, *steps[i + 1 :])
        if len(steps) <= _PAIRS_MAX:
            for more, less in permutations(range(len(steps)), 2):
                yield tuple(n + (i == more) - (i == less) for i, n in enumerate(steps))
