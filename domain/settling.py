"""The settlement of one market: a stream of its own that says how far each generation of results has been settled."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Self, assert_never, cast
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.bet import BetChange
from domain.events.bet import BetReopened, BetResettled, BetSettled
from domain.events.settlement import (
    AccountAmount,
    SettlementCompleted,
    SettlementProgressed,
    SettlementTotal,
)
from domain.ids import derived_id
from domain.money import MAX_FUNDS_MINOR, round_half_up
from domain.refusals import MarketStateConflict

SettlingEvent = SettlementProgressed | SettlementCompleted


NONE: Final[Mapping[UUID, Any]] = {}
_EVENT_BOUND: Final = 2**63
"""Integers of an event are below this: MessagePack holds no larger ones of either sign."""


def settlement_id(market_id: UUID) -> UUID:
    """Give the id of the market's settlement stream."""
    return derived_id(f"settlement:{market_id}")


class Settling(Struct, frozen=True):
    """State of a market's settlement; version 0 means that nothing has been settled yet.

    `generation` is the market's that is or was settled last, `after` the position of the last bet that was visited in
    it. `totals` are of all generations: what the bets that this settlement has settled return as they stand now.
    `profits` are the accounts' that pay commission, `charged` what they have paid on this market.
    """

    version: int
    totals: tuple[SettlementTotal, ...] = ()
    completed: bool = False
    generation: int = 0
    after: int = 0
    profits: dict[UUID, int] = {}
    charged: dict[UUID, int] = {}

    def check_reached(self, generation: int, since: int) -> None:
        """Refuse a step that would pass over bets, because one before it failed."""
        reached = self.after if generation == self.generation else 0
        if reached < since:
            raise MarketStateConflict(f"the settlement has come to {reached}, not to {since}")

    def progress(
        self,
        market_id: UUID,
        changed: Iterable[BetChange],
        generation: int,
        after: int,
        profits: Mapping[UUID, int] = NONE,
    ) -> SettlementProgressed | None:
        """Count one transaction's bets; None when it changed nothing and went no further."""
        totals = add_totals((), (_total(bet) for bet in changed))
        known = self.after if generation == self.generation else 0
        if self.completed and generation == self.generation:
            if totals:
                raise MarketStateConflict("this generation of the market's settlement is completed")
            return None
        if not totals and after <= known:
            return None
        return SettlementProgressed(
            market_id=market_id,
            totals=totals,
            generation=generation,
            after=max(after, known),
            profits=_amounts(profits),
        )

    def complete(
        self, market_id: UUID, generation: int, rates: Mapping[UUID, Decimal] = NONE
    ) -> SettlementCompleted | None:
        """End a generation; whoever asks has visited every bet. None when it has ended already.

        Totals that an event cannot hold are left out of it: the steps have told them part by part. Commission is a share (`rates`, by account) of a positive net profit on the market, rounded half up; what was
        charged for it before is taken into account.
        """
        if self.completed and generation == self.generation:
            return None
        due = {
            account_id: commission_minor(profit, rates[account_id])
            - self.charged.get(account_id, 0)
            for account_id, profit in self.profits.items()
            if account_id in rates
        }
        return SettlementCompleted(
            market_id=market_id,
            totals=tuple(each for each in self.totals if _fits(each)),
            generation=generation,
            commissions=_amounts(due),
        )

    def adjust(
        self,
        market_id: UUID,
        changed: BetChange,
        generation: int,
        account_id: UUID,
        rate: Decimal | None,
    ) -> tuple[SettlingEvent, ...]:
        """Count what an operator changed of a bet on this market alone; commission follows at once if all is settled.

        `rate` is the commission of the bet's account, if it pays one.
        """
        same = generation == self.generation
        change = profit_change(changed) if rate is not None else 0
        progressed = SettlementProgressed(
            market_id=market_id,
            totals=add_totals((), (_total(changed),)),
            generation=generation,
            after=self.after if same else 0,
            profits=_amounts({account_id: change}),
        )
        if not (same and self.completed):
            return (progressed,)
        rates = {account_id: rate} if rate is not None else NONE
        completed = self.evolve(progressed).complete(market_id, generation, rates)
        return (progressed, completed) if completed else (progressed,)

    @classmethod
    def start(cls, _: UUID, event: SettlingEvent) -> Self:
        """Begin the state with the stream's first event."""
        before = cls(version=0)
        return cast("Self", before.evolve(event))

    def evolve(self, event: SettlingEvent) -> "Settling":
        """Give the state after `event`; decides nothing."""
        match event:
            case SettlementProgressed():
                return Settling(
                    version=self.version + 1,
                    totals=add_totals(self.totals, event.totals),
                    generation=event.generation,
                    after=event.after,
                    profits=_added(self.profits, event.profits),
                    charged=self.charged,
                )
            case SettlementCompleted():
                return replace(
                    self,
                    version=self.version + 1,
                    completed=True,
                    generation=event.generation,
                    charged=_added(self.charged, event.commissions),
                )
            case _:
                assert_never(event)


def commission_minor(profit_minor: int, rate: Decimal) -> int:
    """Give the commission on a market's net profit: a share of what is positive, rounded half up.

    Like everything that one event moves it is at most MAX_FUNDS_MINOR.
    """
    return min(round_half_up(max(profit_minor, 0) * Fraction(rate)), MAX_FUNDS_MINOR)


def profit_change(bet: BetChange) -> int:
    """Give by how much a change of a bet changes its account's profit."""
    match bet:
        case BetSettled():
            return bet.return_minor - bet.stake_minor
        case BetResettled():
            return bet.difference_minor
        case BetReopened():
            return bet.stake_minor - bet.return_minor
        case _:
            assert_never(bet)


def _fits(total: SettlementTotal) -> bool:
    return max(abs(total.stake_minor), abs(total.return_minor)) < _EVENT_BOUND


def _amounts(amounts: Mapping[UUID, int]) -> tuple[AccountAmount, ...]:
    return tuple(AccountAmount(*each) for each in sorted(amounts.items()) if each[1])


def _added(amounts: dict[UUID, int], more: Iterable[AccountAmount]) -> dict[UUID, int]:
    if not more:
        return amounts
    added = dict(amounts)
    for each in more:
        added[each.account_id] = added.get(each.account_id, 0) + each.amount_minor
    return added


def _total(bet: BetChange) -> SettlementTotal:
    match bet:
        case BetSettled():
            return SettlementTotal(bet.currency, 1, bet.stake_minor, bet.return_minor)
        case BetResettled():
            return SettlementTotal(bet.currency, 0, 0, bet.difference_minor)
        case BetReopened():
            return SettlementTotal(bet.currency, -1, -bet.stake_minor, -bet.return_minor)
        case _:
            assert_never(bet)


def add_totals(
    totals: Iterable[SettlementTotal], more: Iterable[SettlementTotal]
) -> tuple[SettlementTotal, ...]:
    """Add totals up per currency, in the order of the currency codes."""
    sums: dict[str, list[int]] = {}
    for total in (*totals, *more):
        entry = sums.setdefault(total.currency, [0, 0, 0])
        entry[0] += total.bets
        entry[1] += total.stake_minor
        entry[2] += total.return_minor
    return tuple(SettlementTotal(currency, *entry) for currency, entry in sorted(sums.items()))
