"""Times in addresses."""

from datetime import datetime
from typing import Annotated, Final

from litestar.params import QueryParameter

from domain.refusals import InvalidInput

LENGTH_MAX: Final = 40
_FORMAT: Final = {"format": "date-time"}

AsOf = Annotated[
    str | None,
    QueryParameter(
        max_length=LENGTH_MAX,
        description="A time (RFC 3339) or a position: balances as they were then",
    ),
]
From = Annotated[
    str | None, QueryParameter(name="from", max_length=LENGTH_MAX, schema_extra=_FORMAT)
]
StartsAfter = Annotated[str | None, QueryParameter(max_length=LENGTH_MAX, schema_extra=_FORMAT)]
To = Annotated[str | None, QueryParameter(name="to", max_length=LENGTH_MAX, schema_extra=_FORMAT)]


def instant(text: str | None, field: str) -> datetime | None:
    """Read a time with its offset, None when there is none; raises InvalidInput."""
    if text is None:
        return None
    try:
        # In an address + is a blank, and many clients forget it.
        time = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise InvalidInput("a time such as 2026-11-22T12:00:00Z", field=field) from error
    if time.tzinfo is None:
        raise InvalidInput("a time needs its offset, such as Z", field=field)
    return time


def moment(as_of: str) -> datetime | int:
    """Read a position or a time; raises InvalidInput."""
    if as_of.isascii() and as_of.isdigit() and len(as_of) < 19:  # noqa: PLR2004  what fits a bigint
        return int(as_of)
    time = instant(as_of, "as_of")
    assert time is not None
    return time
