"""Deductions from the odds of those who still run when a runner is withdrawn: Rule 4 at a bookmaker, a factor on an exchange.

Formulas and the traditional table: DOMAIN.md, "Settlement". Operators differ, so a table has a name and a version.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final

from msgspec import Struct

from domain.refusals import InvalidInput

PENCE: Final = 100
"""Pence in the pound: what deductions are counted in."""


class Rule4Table(Struct, frozen=True):
    """An operator's Rule 4: pence in the pound by the withdrawn runner's price.

    `bands` are (longest price as odds to one, pence), shortest prices first; longer prices deduct nothing. A price
    between two bands of the printed table counts to the nearer one: 8/13 is still 8/13 when it is written 1.62. The sum of
    several deductions is capped at `cap_pence`; a sum of exactly `waived_pence` is waived where that is set.
    """

    operator: str
    version: int
    bands: tuple[tuple[Fraction, int], ...]
    cap_pence: int = 90
    waived_pence: int | None = None

    def pence(self, odds: Decimal) -> int:
        """Give the deduction for one withdrawn runner by its decimal odds when it was withdrawn."""
        if not odds.is_finite() or odds <= 1:
            raise InvalidInput("the price of a withdrawn runner is above 1", field="odds")
        to_one = Fraction(odds) - 1
        return next((pence for longest, pence in self.bands if to_one <= longest), 0)

    def total_pence(self, deductions: Iterable[int]) -> int:
        """Add up the deductions for several withdrawn runners."""
        total = min(sum(deductions), self.cap_pence)
        return 0 if total == self.waived_pence else total


def _bands(text: str) -> tuple[tuple[Fraction, int], ...]:
    """Read `shortest–longest:pence …`; a band reaches half of the way to the next one, the last one to its longest price."""
    rows = [each.replace("–", ":").split(":") for each in text.split()]
    shortest = [Fraction(row[0]) for row in rows]
    longest = [Fraction(row[1]) for row in rows]
    reach = [(end + begin) / 2 for end, begin in zip(longest, shortest[1:], strict=False)]
    return tuple(
        (limit, int(row[2])) for limit, row in zip([*reach, longest[-1]], rows, strict=True)
    )


TRADITIONAL: Final = Rule4Table(
    operator="traditional",
    version=1,
    bands=_bands(
        "0–1/9:90 2/17–2/11:85 1/5–1/4:80 2/7–3/10:75 1/3–2/5:70 4/9–8/15:65 4/7–8/13:60 4/6–4/5:55 5/6–20/21:50"
        " 1–6/5:45 5/4–6/4:40 13/8–7/4:35 15/8–9/4:30 5/2–3:25 10/3–4:20 9/2–11/2:15 6–9:10 10–14:5"
    ),
)
"""The traditional table (Tattersalls' Rule 4), as DOMAIN.md gives it: capped at 90p, nothing waived."""

TABLES: Final[dict[tuple[str, int], Rule4Table]] = {
    (table.operator, table.version): table
    for table in (
        TRADITIONAL,
        Rule4Table("capped_at_75p", 1, TRADITIONAL.bands, cap_pence=75),
        Rule4Table("waives_5p", 1, TRADITIONAL.bands, waived_pence=5),
    )
}
"""Every table that a market may name, for ever: a changed rule is another version."""


def after_rule4(odds: Fraction, pence: int) -> Fraction:
    """Odds after a deduction from the winnings: o′ = 1 + (o − 1)(1 − d)."""
    return 1 + (odds - 1) * (1 - _share(pence))


def _share(pence: int) -> Fraction:
    if not 0 <= pence <= PENCE:
        raise InvalidInput("a deduction is from 0 to 100 pence in the pound", field="pence")
    return Fraction(pence, PENCE)


def after_reduction(odds: Fraction, factors: Iterable[Decimal], *, place: bool = False) -> Fraction:
    """Odds after an exchange's reduction factors, in percent, one after the other.

    In a win market the whole odds shrink, o′ = o·(1 − RF) but never below 1; in a place market the winnings do,
    o′ = 1 + (o − 1)(1 − RF).
    """
    for factor in factors:
        if not factor.is_finite() or not 0 <= factor <= PENCE:
            raise InvalidInput("a reduction factor is from 0 to 100 percent", field="factor")
        rest = 1 - Fraction(factor) / PENCE
        odds = 1 + (odds - 1) * rest if place else max(odds * rest, Fraction(1))
    return odds


def place_odds(odds: Fraction, divisor: int) -> Fraction:
    """Place odds of an each-way bet: 1 + (o − 1)/k, k the divisor of the terms (4 or 5)."""
    if divisor < 1:
        raise InvalidInput("each-way terms divide by 1 or more", field="each_way_divisor")
    return 1 + (odds - 1) / divisor
