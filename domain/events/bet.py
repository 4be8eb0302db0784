"""The facts of bets, from their placing to their last correction."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.events.event import Event
from domain.events.market import SelectionResult

BetKind = Literal[
    "single",
    "accumulator",
    "each_way",
    "trixie",
    "patent",
    "yankee",
    "lucky15",
    "canadian",
    "lucky31",
    "heinz",
    "lucky63",
    "super_heinz",
    "goliath",
]
Side = Literal["back", "lay"]
SettledStatus = Literal["won", "lost", "void", "part_won"]
EndStatus = Literal[SettledStatus, "cashed_out"]


class Leg(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One selection of a bet, at the decimal odds that were taken; None: at the starting price."""

    market_id: UUID
    selection_id: str
    odds: Decimal | None


class PriceSeen(Struct, frozen=True, gc=False):
    """A bookmaker's price that a decision went by, as it stood at `at`."""

    market_id: UUID
    selection_id: str
    bookmaker: str
    odds: Decimal
    at: datetime


class CashOut(Struct, frozen=True, gc=False):
    """What an offer to cash out was made of: the prices of the open legs then, and the share kept as a margin.

    `asked_minor` is what its owner asked for; it was paid as it stood, which may be less by the share `tolerance`.
    """

    margin: Decimal
    prices: tuple[PriceSeen, ...]
    asked_minor: int | None = None
    tolerance: Decimal = Decimal(0)


class Standing(Struct, frozen=True, gc=False):
    """What a bet can return and the odds of its legs, where that is no longer what was placed."""

    potential_return_minor: int
    odds: tuple[Decimal | None, ...]


class BetPlaced(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A bet was accepted; `stake_minor` is per line, `total_stake_minor` what it holds in play.

    `best_odds`: settled at the starting price where that is better. `placed_at` is set on races, whose runners may be
    withdrawn after it. A `free` bet holds no money in play: its stake is bonus and is not returned. What most bets leave
    at its default is not written.
    """

    topic = "bet.placed"
    version = 3  # of 2: each_way, best_odds, placed_at; legs at the starting price; of 3: free
    account_id: UUID
    owner: str
    kind: BetKind
    side: Side
    legs: tuple[Leg, ...]
    stake_minor: int
    total_stake_minor: int
    potential_return_minor: int
    currency: str
    each_way: bool = False
    best_odds: bool = False
    placed_at: datetime | None = None
    free: bool = False


class BetSettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Every leg of a bet is decided, or one that loses it whatever becomes of the others.

    `results` are in the order of its legs, None for those that are not decided yet. With a `reason` an operator made the bet void, whatever its markets say. With `cash_out` its owner took that offer
    instead: `results` are then empty. Stake and return are of what was left of the bet, `standing` says how it stood.
    """

    topic = "bet.settled"
    # of 2: reason; of 3: cash_out; of 4: standing, what was asked for a cash-out, and results that are None
    version = 4
    account_id: UUID
    status: EndStatus
    results: tuple[SelectionResult | None, ...]
    stake_minor: int
    return_minor: int
    currency: str
    reason: str | None = None
    cash_out: CashOut | None = None
    standing: Standing | None = None


class BetPartCashedOut(Event, frozen=True, kw_only=True):
    """A part of an open bet's stake was settled at an offer; the rest stays open.

    The part could have returned `potential_return_minor`.
    """

    topic = "bet.part_cashed_out"
    account_id: UUID
    stake_minor: int
    return_minor: int
    potential_return_minor: int
    currency: str
    cash_out: CashOut


class BetPartsVoided(Event, frozen=True, kw_only=True):
    """An operator made a bet void of which parts were cashed out: they return their stake, `difference_minor` more or less."""

    topic = "bet.parts_voided"
    account_id: UUID
    stake_minor: int
    difference_minor: int
    currency: str
    reason: str


class BetResettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A settled bet ended otherwise, by a corrected result: `difference_minor` is what it returns more, or less.

    With a `reason` an operator made the bet void, whatever its markets say.
    """

    topic = "bet.resettled"
    version = 3  # of 2: reason; of 3: results that are None
    account_id: UUID
    status: SettledStatus
    results: tuple[SelectionResult | None, ...]
    stake_minor: int
    return_minor: int
    difference_minor: int
    currency: str
    reason: str | None = None


class RepricingProposed(Event, frozen=True, kw_only=True):
    """An operator says that a leg's odds were a palpable error; nothing changes until another one approves."""

    topic = "bet.repricing_proposed"
    account_id: UUID
    repricing_id: UUID
    market_id: UUID
    selection_id: str
    odds_before: Decimal
    odds: Decimal
    reason: str
    proposer: str


class RepricingRejected(Event, frozen=True, kw_only=True):
    """A proposed repricing was not approved: the bet stays as it was."""

    topic = "bet.repricing_rejected"
    account_id: UUID
    repricing_id: UUID
    proposer: str
    rejecter: str
    reason: str | None = None


class BetRepriced(Event, frozen=True, kw_only=True):
    """A leg has other odds than were taken, as `proposer` said and `approver` agreed.

    A bet that `is_settled` is settled again by what follows; the rest of an open one can return another amount.
    """

    topic = "bet.repriced"
    account_id: UUID
    repricing_id: UUID
    market_id: UUID
    selection_id: str
    odds_before: Decimal
    odds: Decimal
    potential_return_before_minor: int
    potential_return_minor: int
    is_settled: bool
    reason: str
    proposer: str
    approver: str


class BetReopened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A settled bet is undecided again, because a result was rolled back; `return_minor` is taken back.

    It stands as `standing` says where parts were cashed out or its odds corrected.
    """

    topic = "bet.reopened"
    version = 2  # of 2: standing
    account_id: UUID
    stake_minor: int
    return_minor: int
    currency: str
    standing: Standing | None = None
