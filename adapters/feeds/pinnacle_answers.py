"""What Pinnacle's API answers, as far as fairbook reads it; each part is checked when it is read, not all at once.

Source: Pinnacle API documentation, "Lines API", fixtures and odds; DOMAIN.md, "Feed shapes".
"""

from decimal import Decimal
from typing import Any

from msgspec import Struct


class FixtureEvent(Struct, frozen=True, rename="camel"):
    """A match's names; `parent_id` and `live_status` 1 mark its copy for betting in running."""

    id: int
    starts: str
    home: str
    away: str
    parent_id: int | None = None
    live_status: int = 0
    status: str = "O"
    resulting_unit: str = "Regular"


class FixtureLeague(Struct, frozen=True):
    """A competition with its matches."""

    id: int
    name: str = ""
    events: tuple[Any, ...] = ()


class FixturesAnswer(Struct, frozen=True, rename="camel"):
    """The answer of /fixtures."""

    sport_id: int
    last: int
    league: tuple[FixtureLeague, ...] = ()


class Spread(Struct, frozen=True):
    """A handicap of the home side; `max` is the most that it takes where it differs from the period's."""

    hdp: Decimal
    home: Decimal
    away: Decimal
    max: Decimal | None = None


class Moneyline(Struct, frozen=True):
    """Who wins; three-way where there is a draw."""

    home: Decimal | None = None
    away: Decimal | None = None
    draw: Decimal | None = None


class Total(Struct, frozen=True):
    """A line over or under which the points fall."""

    points: Decimal
    over: Decimal
    under: Decimal
    max: Decimal | None = None


class Period(Struct, frozen=True, rename="camel"):
    """The prices of one period, 0 the whole match; `status` 1 is open. What is absent is not offered."""

    number: int
    cutoff: str | None = None
    status: int = 1
    spreads: tuple[Any, ...] = ()
    totals: tuple[Any, ...] = ()
    moneyline: Any = None
    max_spread: Decimal | None = None
    max_moneyline: Decimal | None = None
    max_total: Decimal | None = None


class OddsEvent(Struct, frozen=True):
    """A match's prices."""

    id: int
    periods: tuple[Any, ...] = ()


class OddsLeague(Struct, frozen=True):
    """A competition with its matches' prices."""

    id: int
    events: tuple[Any, ...] = ()


class OddsAnswer(Struct, frozen=True, rename="camel"):
    """The answer of /odds; `last` is given as `since` in the next question."""

    sport_id: int
    last: int
    leagues: tuple[OddsLeague, ...] = ()
