"""What an arbitrage must be worth, and what one may do about it: the settings of the search."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from domain.freshness import MaxAges
from domain.money import MINOR_DIGITS


class BookmakerTerms(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What is special about one bookmaker.

    `commission` is its share of a market's net profit (exchanges), `latency_ms` how long a bet takes to be accepted, `max_stake_minor` what one bet may stake.
    `same_as` names the bookmaker that this one is under another key: the two never have two legs.
    """

    commission: Decimal = Decimal(0)
    latency_ms: int = 0
    max_stake_minor: int | None = None
    same_as: str | None = None


SAME: Final = {
    "betfairexau": "betfair",
    "betfairexchange": "betfair",
    "betfairexeu": "betfair",
    "betfairexuk": "betfair",
}
"""Feeds' keys of one bookmaker, without the signs between words: these differ too (`williamhill`, `william_hill`)."""


class Thresholds(Struct, frozen=True, forbid_unknown_fields=True):
    """Which opportunities are given out, and how they are priced.

    An opportunity is given out when it pays in every state and its margin is at least `min_margin`. It is told again
    when its legs differ, or its margin moved by more than `tolerance`. With `window_seconds` a quote that is older than
    the newest one of its fixture by more takes no part. Middles are searched only when `max_middle_cost`, a share of the
    outlay, is set. Legs whose quotes are further apart than `stale_leg_seconds` carry a warning. Money in minor units of `currency`.
    """

    currency: str = "EUR"
    min_margin: Decimal = Decimal(0)
    max_outlay_minor: int = 100_000
    step_minor: int = 1
    window_seconds: float | None = None
    tolerance: Decimal = Decimal("0.001")
    max_middle_cost: Decimal | None = None
    stale_leg_seconds: float = 60.0
    max_ages: MaxAges = MaxAges()
    bookmakers: Mapping[str, BookmakerTerms] = {}

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that nobody can mean."""
        if self.currency not in MINOR_DIGITS:
            raise ValueError(f"currency: {self.currency!r} is not known")
        shares = {"min_margin": self.min_margin, "tolerance": self.tolerance}
        if self.max_middle_cost is not None:
            shares["max_middle_cost"] = self.max_middle_cost
        for bookmaker, terms in self.bookmakers.items():
            shares[f"commission of {bookmaker}"] = terms.commission
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name}: {share} is not a share from 0 to below 1")
        if self.step_minor < 1 or self.max_outlay_minor < 1:
            raise ValueError("step_minor and max_outlay_minor are at least 1")

        for bookmaker, terms in self.bookmakers.items():
            other = terms.same_as
            if other is not None and self.terms(other).same_as not in (None, other):
                raise ValueError(
                    f"same_as of {bookmaker}: {other} is said to be another one itself"
                )

    def house(self, bookmaker: str) -> str:
        """Name the bookmaker behind a key: keys of one house never have two legs."""
        said = self.terms(bookmaker).same_as or bookmaker
        if said == self.terms(said).same_as:
            return said  # it is said to be nobody else
        plain = said.replace("_", "").replace("-", "")
        return SAME.get(plain, plain)

    def terms(self, bookmaker: str) -> BookmakerTerms:
        """Give a bookmaker's terms, the usual ones where nothing is said."""
        return self.bookmakers.get(bookmaker, _USUAL)


_USUAL = BookmakerTerms()
