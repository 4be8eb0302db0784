"""Money and odds: integer minor units, exact decimals, one rounding."""

from decimal import Context, Decimal, Inexact, InvalidOperation, Rounded
from fractions import Fraction
from typing import Annotated, Final

from msgspec import Meta

from domain.refusals import InvalidInput

MAX_AMOUNT_MINOR: Final = 10**15
"""Largest amount that one command may name, in minor units."""

MAX_FUNDS_MINOR: Final = 2**53 - 1
"""Most that an account may hold and win, in minor units: every JSON reader still reads it exactly."""

MAX_ODDS: Final = Decimal(100_000)
ODDS_PLACES: Final = 3
DIGITS_MAX: Final = 15
_THOUSAND: Final = Decimal(1000)
_HALF: Final = Decimal("0.5")
# Rounded as well: 2.000… with thousands of zeros loses nothing by it, but no database keeps so many digits.
_EXACT: Final = Context(prec=28, traps=[Inexact, Rounded, InvalidOperation])

AmountMinor = Annotated[
    int, Meta(gt=0, le=MAX_AMOUNT_MINOR, description="Money in minor units of its currency")
]

MINOR_DIGITS: Final[dict[str, int]] = {
    "AUD": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CLP": 0, "CNY": 2, "CZK": 2, "DKK": 2, "EUR": 2,
    "GBP": 2, "HKD": 2, "HUF": 2, "ILS": 2, "INR": 2, "ISK": 0, "JPY": 0, "KES": 2, "KRW": 0, "KWD": 3,
    "MXN": 2, "MYR": 2, "NGN": 2, "NOK": 2, "NZD": 2, "PEN": 2, "PHP": 2, "PLN": 2, "RON": 2, "SEK": 2,
    "SGD": 2, "THB": 2, "TND": 3, "TRY": 2, "UAH": 2, "USD": 2, "UYU": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip
"""Digits after the decimal point by ISO 4217 code; a currency that is not listed is unknown here."""


def check_currency(code: str) -> None:
    """Refuse a currency that is not an ISO 4217 code of this book."""
    if code not in MINOR_DIGITS:
        raise InvalidInput(
            "unknown currency; use an ISO 4217 code such as EUR or GBP", field="currency"
        )


def check_odds(odds: Decimal, field: str = "odds") -> None:
    """Refuse odds that are not decimal odds above 1 with at most three decimals."""
    try:
        if not 1 < odds <= MAX_ODDS:
            raise InvalidInput(f"odds must be above 1 and at most {MAX_ODDS}", field=field)
        thousandths = _EXACT.multiply(odds, _THOUSAND)
    except (Inexact, Rounded):
        thousandths = _HALF
    except InvalidOperation as error:
        raise InvalidInput("odds must be a finite number", field=field) from error
    if thousandths != int(thousandths):
        raise InvalidInput(f"odds have at most {ODDS_PLACES} decimals", field=field)


def has_at_most_places(number: Decimal, places: int) -> bool:
    """Tell whether a number is finite and written in a few digits, with so many of them after the point.

    A zero can be written with a million digits: comparing its value with a bound is not enough.
    """
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and -places <= exponent <= DIGITS_MAX


def round_half_up(amount: Fraction) -> int:
    """Round to a whole minor unit, halves away from zero: the only rounding of money in fairbook."""
    return round_ratio(amount.numerator, amount.denominator)


def round_ratio(numerator: int, denominator: int) -> int:
    """Round a ratio, of positive denominator, as `round_half_up` does; it need not be in lowest terms."""
    whole, rest = divmod(abs(numerator), denominator)
    if 2 * rest >= denominator:
        whole += 1
    return whole if numerator >= 0 else -whole


def single_return_minor(stake_minor: int, odds: Decimal) -> int:
    """Return of a won single at checked odds, stake included, in minor units rounded half up."""
    return (2 * stake_minor * int(odds * _THOUSAND) + 1000) // 2000
