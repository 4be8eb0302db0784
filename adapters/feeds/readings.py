"""Values of feeds, read strictly: each either becomes a value of the domain or says why it cannot."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Final

import msgspec

from domain.events.bet import Side
from domain.market import LINE_STEP, MAX_LINE
from domain.money import MAX_ODDS, ODDS_PLACES
from domain.odds import CLOCK_SKEW, MAX_SIZE
from domain.times import YEARS

NAME_CHARACTERS_MAX: Final = 200
KEY_CHARACTERS_MAX: Final = 50
# As much as a market's stream of prices keeps; no stake has more.
SIZE_STEP: Final = Decimal("0.00000001")
_ODDS_STEP: Final = Decimal(1).scaleb(-ODDS_PLACES)
_NUMBER: Final = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_UNFIT_IN_KEY: Final = re.compile(r"[^a-z0-9_-]+")

decode_json: Final = msgspec.json.Decoder(float_hook=Decimal).decode
"""Decode JSON of any shape, its fractions as exact Decimals. Raises what NOT_JSON names."""
NOT_JSON: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidOperation)


class Unusable(ValueError):  # noqa: N818  a verdict on what was read, not a fault of the program
    """What a feed says cannot be used; `reason` is one of a few phrases, fit for counting."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_number(value: object, what: str) -> Decimal:
    """Read an exact number from a JSON number or its text."""
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    raise Unusable(f"{what} is not a number")


def read_odds(value: object, side: Side = "back") -> Decimal:
    """Read decimal odds above 1.

    More than three decimals are cut, for a lay raised: a price is never made better than what was offered.
    """
    odds = read_number(value, "odds")
    # Compared before anything is computed: 1e999999 has no neighbours to round to.
    if not 1 < odds <= MAX_ODDS:
        raise Unusable(f"odds are not above 1 and at most {MAX_ODDS}")
    odds = odds.quantize(_ODDS_STEP, ROUND_FLOOR if side == "back" else ROUND_CEILING).normalize()
    if odds <= 1:
        raise Unusable("odds are not above 1 by a thousandth")
    return plain(odds)


def read_size(value: object) -> Decimal | None:
    """Read what may be staked at a price; None where nothing is said."""
    if value is None:
        return None
    size = read_number(value, "size")
    if not 0 <= size <= MAX_SIZE:
        raise Unusable("size is negative or absurd")
    return plain(size.quantize(SIZE_STEP, ROUND_FLOOR).normalize())


def read_line(value: object) -> Decimal:
    """Read a total or a handicap: a multiple of a quarter."""
    line = read_number(value, "line")
    if abs(line) > MAX_LINE or line % LINE_STEP != 0:
        raise Unusable("line is not a multiple of 0.25")
    return plain(line.normalize())


def plain(number: Decimal) -> Decimal:
    """Write a number without exponent, and zero without a sign."""
    if number == 0:
        return Decimal(0)
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def read_name(value: object, what: str) -> str:
    """Read a name that people see: composed (NFC), one line, not empty, at most 200 characters."""
    if not isinstance(value, str):
        raise Unusable(f"{what} is missing")
    name = " ".join(unicodedata.normalize("NFC", value).split())
    if not name:
        raise Unusable(f"{what} is missing")
    if len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise Unusable(f"{what} is too long or not printable")
    return name


def read_key(value: object, what: str) -> str:
    """Read a key such as a bookmaker's: `[a-z0-9_-]`, other characters as underscores, at most 50."""
    plain_text = unicodedata.normalize("NFKD", read_name(value, what).lower())
    letters = "".join(each for each in plain_text if not unicodedata.combining(each))
    key = _UNFIT_IN_KEY.sub("_", letters).strip("_-")
    if not key or len(key) > KEY_CHARACTERS_MAX:
        raise Unusable(f"{what} is not a key")
    return key


def read_time(value: object, what: str) -> datetime:
    """Read a time (RFC 3339; a space for the T and a missing zone, meaning UTC, are taken)."""
    if not isinstance(value, str):
        raise Unusable(f"{what} is missing")
    try:
        at = datetime.fromisoformat(value.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unusable(f"{what} is not a time") from None
    if at.year not in YEARS:
        raise Unusable(f"{what} is of another age")
    return at


def read_past(value: object, what: str, now: datetime) -> datetime:
    """Read a time at which something was seen; refuse one in the future, beyond what clocks differ by."""
    at = read_time(value, what)
    check_past(at, what, now)
    return at


def check_past(at: datetime, what: str, now: datetime) -> None:
    """Refuse a time of something seen that lies in the future."""
    if at - now > CLOCK_SKEW:
        raise Unusable(f"{what} lies in the future")


def from_milliseconds(value: int, what: str) -> datetime:
    """Read milliseconds since 1970."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    except OverflowError:
        raise Unusable(f"{what} is not a time") from None
