"""Times that come from outside."""

from datetime import datetime
from typing import Final

from domain.refusals import InvalidInput

YEARS: Final = range(1800, 3000)
"""Far from the ends of the calendar, where a time has no equivalent in another offset."""


def check_time(at: datetime, field: str) -> None:
    """Refuse a time that nobody can mean."""
    if at.year not in YEARS:
        raise InvalidInput(f"a time from {YEARS[0]} to {YEARS[-1]}", field=field)
