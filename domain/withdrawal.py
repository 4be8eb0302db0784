"""A withdrawal: requested, then completed or rejected by an operator."""

from typing import Literal, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events.account import (
    FundsPaidOut,
    FundsReleased,
    WithdrawalCompleted,
    WithdrawalRejected,
    WithdrawalRequested,
)
from domain.refusals import WithdrawalNotPending

WithdrawalEvent = WithdrawalRequested | WithdrawalCompleted | WithdrawalRejected


class Withdrawal(Struct, frozen=True, gc=False):
    """State of a withdrawal; money in minor units of `currency`."""

    transfer_id: UUID
    version: int
    account_id: UUID
    amount_minor: int
    currency: str
    method: str
    status: Literal["pending", "completed", "rejected"] = "pending"

    def complete(self) -> tuple[WithdrawalCompleted, FundsPaidOut]:
        """Confirm that the money was paid: what happens to the withdrawal, and to its account."""
        self._check_pending()
        return WithdrawalCompleted(account_id=self.account_id), FundsPaidOut(
            transfer_id=self.transfer_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            method=self.method,
        )

    def reject(self, reason: str) -> tuple[WithdrawalRejected, FundsReleased]:
        """Refuse to pay: what happens to the withdrawal, and to its account."""
        self._check_pending()
        return WithdrawalRejected(account_id=self.account_id, reason=reason), FundsReleased(
            transfer_id=self.transfer_id, amount_minor=self.amount_minor, currency=self.currency
        )

    def _check_pending(self) -> None:
        if self.status != "pending":
            raise WithdrawalNotPending(f"the withdrawal is already {self.status}")

    @classmethod
    def start(cls, transfer_id: UUID, event: WithdrawalRequested) -> Self:
        """Begin the state with the stream's first event."""
        return cls(
            transfer_id=transfer_id,
            version=1,
            account_id=event.account_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
            method=event.method,
        )

    def evolve(self, event: WithdrawalEvent) -> "Withdrawal":
        """Give the state after `event`; decides nothing."""
        match event:
            case WithdrawalCompleted():
                return replace(self, version=self.version + 1, status="completed")
            case WithdrawalRejected():
                return replace(self, version=self.version + 1, status="rejected")
            case WithdrawalRequested():
                raise ValueError("a withdrawal is requested once")
            case _:
                assert_never(event)
