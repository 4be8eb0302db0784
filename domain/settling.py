"""The settlement of one market: a stream of its own that counts what has been settled and ends when all is."""

from collections.abc import Iterable
from typing import Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events import BetSettled, SettlementCompleted, SettlementProgressed, SettlementTotal
from domain.ids import derived_id
from domain.refusals import MarketStateConflict

SettlingEvent = SettlementProgressed | SettlementCompleted


def settlement_id(market_id: UUID) -> UUID:
    """Give the id of the market's settlement stream."""
    return derived_id(f"settlement:{market_id}")


class Settling(Struct, frozen=True):
    """State of a market's settlement; version 0 means that nothing has been settled yet."""

    version: int
    totals: tuple[SettlementTotal, ...] = ()
    completed: bool = False

    def progress(self, market_id: UUID, settled: Iterable[BetSettled]) -> SettlementProgressed:
        """Count one transaction's settled bets."""
        if self.completed:
            raise MarketStateConflict("the market's settlement is completed")
        return SettlementProgressed(
            market_id=market_id, totals=add_totals((), _total_each(settled))
        )

    def complete(self, market_id: UUID) -> SettlementCompleted:
        """End the settlement; whoever asks has made sure that no open bet is left."""
        if self.completed:
            raise MarketStateConflict("the market's settlement is completed")
        return SettlementCompleted(market_id=market_id, totals=self.totals)

    @classmethod
    def start(cls, _: UUID, event: SettlingEvent) -> Self:
        """Begin the state with the stream's first event."""
        return cls(version=1, totals=event.totals, completed=isinstance(event, SettlementCompleted))

    def evolve(self, event: SettlingEvent) -> "Settling":
        """Give the state after `event`; decides nothing."""
        match event:
            case SettlementProgressed():
                return replace(
                    self, version=self.version + 1, totals=add_totals(self.totals, event.totals)
                )
            case SettlementCompleted():
                return replace(self, version=self.version + 1, completed=True)
            case _:
                assert_never(event)


def _total_each(settled: Iterable[BetSettled]) -> Iterable[SettlementTotal]:
    for bet in settled:
        yield SettlementTotal(bet.currency, 1, bet.stake_minor, bet.return_minor)


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
