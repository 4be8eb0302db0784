"""The facts of a market's settlement, step by step."""

from uuid import UUID

from msgspec import Struct

from domain.events.event import Event


class SettlementTotal(Struct, frozen=True, gc=False):
    """Sums over settled bets of one currency, in minor units."""

    currency: str
    bets: int
    stake_minor: int
    return_minor: int


class AccountAmount(Struct, frozen=True, gc=False):
    """An amount of one account, in minor units of its currency."""

    account_id: UUID
    amount_minor: int


class SettlementProgressed(Event, frozen=True, kw_only=True):
    """One transaction's worth of the market's bets was visited, in the order of their placing, up to position `after`.

    `totals` say what it changed: a reopened bet counts -1 with its stake and return, a resettled one 0 with the difference.
    `profits` are changes of the profit, on this market alone, of accounts that pay commission.
    """

    topic = "settlement.progressed"
    version = 3  # of 2: generation, after; of 3: profits
    market_id: UUID
    totals: tuple[SettlementTotal, ...]
    generation: int = 1
    after: int = 0
    profits: tuple[AccountAmount, ...] = ()


class SettlementCompleted(Event, frozen=True, kw_only=True):
    """Every bet that touches the market was visited in this generation; `totals` are of all its settlement so far.

    `commissions` are what was charged here, more or less than before.
    """

    topic = "settlement.completed"
    version = 3  # of 2: generation; of 3: commissions
    market_id: UUID
    totals: tuple[SettlementTotal, ...]
    generation: int = 1
    commissions: tuple[AccountAmount, ...] = ()
