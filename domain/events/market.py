"""The facts of markets and their fixtures: what is offered, and how it ended."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.events.event import Event

MarketType = Literal[
    "1X2", "ML", "OU", "BTTS", "AH", "DC", "DNB", "WIN", "PLACE", "EW", "CS", "SPREAD"
]
Pricing = Literal["external", "house"]
Result = Literal["won", "lost", "placed", "push", "half_won", "half_lost", "void"]
Period = Literal["full_time", "first_half"]
AbandonRule = Literal["void_undecided", "void_all"]


class Fixture(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A sporting event; `home` and `away` name the sides where it has sides."""

    sport: str
    competition: str
    name: str
    starts_at: datetime
    fixture_id: UUID | None = None
    home: str | None = None
    away: str | None = None


class Selection(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One priced side of a market."""

    selection_id: str
    name: str


class Terms(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Each-way terms (places paid, and the divisor of the win odds) and the Rule 4 table, as `operator/version`."""

    each_way_places: int | None = None
    each_way_divisor: int | None = None
    rule4: str | None = None


class MarketLimits(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What one bet on this market may stake and return, in minor units of the bet's currency.

    `min_return_minor` and `max_return_minor` refuse a bet that could return less or more, `max_payout_minor` takes it and
    caps what it returns.
    `max_liability_minor` is what all open bets of one currency together may cost the house on any outcome
    (domain.liability).
    """

    max_stake_minor: int | None = None
    max_return_minor: int | None = None
    max_payout_minor: int | None = None
    max_liability_minor: int | None = None
    min_stake_minor: int | None = None
    min_return_minor: int | None = None


class Score(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Goals (or points) of the two sides."""

    home: int
    away: int


class DeadHeat(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """`tied` runners share `places` places: the factor is places / tied."""

    tied: int
    places: int


class SelectionResult(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How one selection ended; `position` is the finishing position, where there is one."""

    selection_id: str
    result: Result
    dead_heat: DeadHeat | None = None
    position: int | None = None


class StartingPrice(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The decimal odds of a selection when its race began."""

    selection_id: str
    odds: Decimal


class MarketOpened(Event, frozen=True, kw_only=True):
    """A proposition on a fixture is offered; `line` is the total for OU, the home handicap for AH."""

    topic = "market.opened"
    version = 4  # of 2: types DC and DNB; of 3: rule4, max_payout_minor, period; of 4: other limits
    fixture: Fixture
    type: MarketType
    selections: tuple[Selection, ...]
    pricing: Pricing
    line: Decimal | None = None
    terms: Terms | None = None
    limits: MarketLimits | None = None
    period: Period = "full_time"


class MarketLimitsChanged(Event, frozen=True, kw_only=True):
    """The market has these limits from now on, and no others."""

    topic = "market.limits_changed"
    limits: MarketLimits


class MarketSuspended(Event, frozen=True, kw_only=True):
    """The market takes no bets for now."""

    topic = "market.suspended"
    reason: str | None = None


class MarketResumed(Event, frozen=True, kw_only=True):
    """The market takes bets again."""

    topic = "market.resumed"


class MarketClosed(Event, frozen=True, kw_only=True):
    """The market takes no more bets."""

    topic = "market.closed"


class ResultDeclared(Event, frozen=True, kw_only=True):
    """How the market's selections ended, all that is known; `score` is what it was derived from, if it was.

    A later one takes the place of an earlier one. `partial`: selections without a result are undecided. `generation`
    counts the changes of what the market's bets are settled by.
    """

    topic = "market.result_declared"
    version = 3  # of 2: generation, partial; of 3: half_time, starting_prices
    results: tuple[SelectionResult, ...]
    score: Score | None = None
    generation: int = 1
    partial: bool = False
    half_time: Score | None = None
    starting_prices: tuple[StartingPrice, ...] = ()


class RunnerWithdrawn(Event, frozen=True, kw_only=True):
    """A runner does not run: bets on it are void, and those placed before `at` on the others pay less.

    `odds` is its price then, for Rule 4, `factor` an exchange's reduction factor in percent.
    """

    topic = "market.runner_withdrawn"
    selection_id: str
    at: datetime
    generation: int
    odds: Decimal | None = None
    factor: Decimal | None = None


class MarketAbandoned(Event, frozen=True, kw_only=True):
    """What the market is on was abandoned or postponed: by `rule` all is void, or what was undecided; `results` say so."""

    topic = "market.abandoned"
    reason: str
    rule: AbandonRule
    results: tuple[SelectionResult, ...]
    generation: int


class RunnerReinstated(Event, frozen=True, kw_only=True):
    """A runner was withdrawn by mistake: it runs after all.

    `results` are those that stand now where its withdrawal had made it void among them, else None: nothing changed.
    """

    topic = "market.runner_reinstated"
    selection_id: str
    generation: int
    reason: str
    results: tuple[SelectionResult, ...] | None = None


class ResultRolledBack(Event, frozen=True, kw_only=True):
    """The market has no result any more, and stays closed for bets: what it settled is undecided again."""

    topic = "market.result_rolled_back"
    generation: int
    reason: str | None = None


RESULT_EVENTS: tuple[type[Event], ...] = (
    ResultDeclared,
    ResultRolledBack,
    RunnerWithdrawn,
    RunnerReinstated,
    MarketAbandoned,
)
"""Each begins a generation of its market: bets on it have to be visited."""
