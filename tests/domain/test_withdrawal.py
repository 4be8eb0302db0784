"""Decisions of a withdrawal."""

import pytest

from domain.events.account import (
    FundsPaidOut,
    FundsReleased,
    WithdrawalCompleted,
    WithdrawalRejected,
    WithdrawalRequested,
)
from domain.refusals import WithdrawalNotPending
from domain.withdrawal import Withdrawal, WithdrawalEvent
from tests.builders import ACCOUNT, TRANSFER, given

REQUESTED = WithdrawalRequested(
    account_id=ACCOUNT, amount_minor=300, currency="EUR", method="bank", reference="rent"
)
COMPLETED = WithdrawalCompleted(account_id=ACCOUNT)
REJECTED = WithdrawalRejected(account_id=ACCOUNT, reason="no such bank")


def withdrawal(*events: WithdrawalEvent) -> Withdrawal:
    state = given(TRANSFER, REQUESTED, *events)
    assert isinstance(state, Withdrawal)
    return state


def test_a_requested_withdrawal_is_pending() -> None:
    assert withdrawal() == Withdrawal(
        transfer_id=TRANSFER,
        version=1,
        account_id=ACCOUNT,
        amount_minor=300,
        currency="EUR",
        method="bank",
    )


def test_completing_pays_the_money_out_by_the_requested_method() -> None:
    assert withdrawal().complete() == (
        COMPLETED,
        FundsPaidOut(transfer_id=TRANSFER, amount_minor=300, currency="EUR", method="bank"),
    )


def test_rejecting_releases_the_money() -> None:
    assert withdrawal().reject("no such bank") == (
        REJECTED,
        FundsReleased(transfer_id=TRANSFER, amount_minor=300, currency="EUR"),
    )


@pytest.mark.parametrize(("ended", "status"), [(COMPLETED, "completed"), (REJECTED, "rejected")])
def test_a_withdrawal_ends_once(ended: WithdrawalEvent, status: str) -> None:
    state = withdrawal(ended)
    assert (state.status, state.version) == (status, 2)
    with pytest.raises(WithdrawalNotPending, match=status):
        state.complete()
    with pytest.raises(WithdrawalNotPending, match=status):
        state.reject("again")


def test_a_withdrawal_is_requested_once() -> None:
    with pytest.raises(ValueError, match="requested once"):
        withdrawal(REQUESTED)
