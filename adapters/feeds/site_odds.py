"""Odds as pages print them, turned into decimal odds exactly: by fractions, never through a float."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from adapters.feeds.readings import Unusable, read_odds
from adapters.feeds.site_description import OddsFormat
from domain.money import ODDS_PLACES

_STEPS: Final = 10**ODDS_PLACES
_FRACTION: Final = re.compile(r"(\d{1,6})\s*[/\N{FRACTION SLASH}-]\s*(\d{1,6})", re.ASCII)
_AMERICAN: Final = re.compile(r"([+-]?)(\d{3,7})", re.ASCII)
_DECIMAL_COMMA: Final = re.compile(r"(\d{1,6}),(\d{1,3})", re.ASCII)
_EVENS: Final = frozenset({"evens", "even", "evs", "ev"})
_MINUSES: Final = str.maketrans(dict.fromkeys("\N{MINUS SIGN}\N{EN DASH}", "-"))


def odds_of(text: str, odds_format: OddsFormat) -> Decimal:
    """Read printed odds; raises Unusable.

    Fractional n/d is 1 + n/d; American +a is 1 + a/100 and -a is 1 + 100/a. What has more than three places is cut:
    a price is never made better than what was offered.
    """
    plain = text.strip().translate(_MINUSES)
    if odds_format != "decimal" and plain.lower() in _EVENS:
        return Decimal(2)
    match odds_format:
        case "decimal":
            return read_odds(_DECIMAL_COMMA.sub(r"\1.\2", plain))
        case "fractional":
            found = _FRACTION.fullmatch(plain)
            if found is None or not int(found[2]):
                raise Unusable("odds are not a fraction")
            return _decimal(1 + Fraction(int(found[1]), int(found[2])))
        case "american":
            found = _AMERICAN.fullmatch(plain)
            if found is None or int(found[2]) < 100:  # noqa: PLR2004  less is not printed
                raise Unusable("odds are not American")
            stake = int(found[2])
            return _decimal(1 + (Fraction(100, stake) if found[1] == "-" else Fraction(stake, 100)))


def line_text(text: str) -> str:
    """Give a printed line as a number: "+0.5" and "−0.25" are how pages print them."""
    return _DECIMAL_COMMA.sub(r"\1.\2", text.strip().translate(_MINUSES)).removeprefix("+")


def _decimal(odds: Fraction) -> Decimal:
    thousandths = odds.numerator * _STEPS // odds.denominator
    return read_odds(Decimal(thousandths).scaleb(-ODDS_PLACES))
