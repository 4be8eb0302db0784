"""How old a quote may be before its price is no longer believed."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

DEFAULT_SECONDS: Final = 300.0


class MaxAges(Struct, frozen=True):
    """The age up to which a bookmaker's quotes count: its own, else the default; in seconds."""

    default_seconds: float = DEFAULT_SECONDS
    by_bookmaker: Mapping[str, float] = {}

    @classmethod
    def parse(cls, text: str) -> "MaxAges":
        """Read `default=300,betfair=10`; raises ValueError."""
        ages: dict[str, float] = {}
        for part in text.split(","):
            name, equals, seconds = part.partition("=")
            name, age = name.strip().lower(), float(seconds)
            if not (name and equals and math.isfinite(age) and age > 0) or name in ages:
                raise ValueError(part)
            ages[name] = age
        return cls(ages.pop("default", DEFAULT_SECONDS), ages)

    def seconds(self, bookmaker: str) -> float:
        """Give the age up to which this bookmaker's quotes count."""
        return self.by_bookmaker.get(bookmaker.lower(), self.default_seconds)

    def is_stale(self, bookmaker: str, at: datetime, now: datetime) -> bool:
        """Tell whether a quote of this time no longer counts."""
        return (now - at).total_seconds() > self.seconds(bookmaker)
