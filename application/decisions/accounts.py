"""Decisions about accounts and the money that goes in and out."""

from typing import assert_never

from application import answers
from application.answers import Answer
from application.decisions.context import Context, as_account, start
from domain import account as accounts
from domain.account import Account
from domain.commands.account import (
    AccountLimitsBody,
    ChangeAccountLimits,
    CompleteWithdrawal,
    Deposit,
    GrantBonus,
    OpenAccount,
    RejectWithdrawal,
    Withdraw,
)
from domain.events.account import AccountLimits, WithdrawalRequested
from domain.events.event import Event
from domain.refusals import AccountNotFound, WithdrawalNotFound
from domain.withdrawal import Withdrawal


def open_account(command: OpenAccount, ctx: Context) -> Answer:
    """Open an account under the chosen or a new id."""
    account_id = command.account_id or ctx.new_id()
    opened = accounts.open_account(
        ctx.actor,
        command.owner,
        command.currency,
        command.name,
        command.held_at,
        command.commission,
        _limits(command.limits) if command.limits else None,
    )
    start(account_id, ctx, chosen=command.account_id is not None)
    ctx.book.record(account_id, opened)
    return answers.NewAccount(account_id, ctx.book.position)


def deposit(command: Deposit, ctx: Context) -> Answer:
    """Put money into the target account."""
    account = ctx.find(Account, ctx.target, AccountNotFound)
    account.check_mover(ctx.actor)
    transfer_id = command.transfer_id or ctx.new_id()
    deposited = account.deposit(
        transfer_id, command.amount_minor, command.method, command.reference
    )
    account = as_account(ctx.book.record(account.account_id, deposited))
    return answers.Transferred(transfer_id, "completed", account.available_minor, ctx.book.position)


def grant_bonus(command: GrantBonus, ctx: Context) -> Answer:
    """Let the target account stake an amount for free."""
    account = ctx.find(Account, ctx.target, AccountNotFound)
    transfer_id = command.transfer_id or ctx.new_id()
    granted = account.grant_bonus(transfer_id, command.amount_minor, command.reason)
    account = as_account(ctx.book.record(account.account_id, granted))
    return answers.Transferred(transfer_id, "completed", account.available_minor, ctx.book.position)


def change_limits(command: ChangeAccountLimits, ctx: Context) -> Answer:
    """Set the target account's limits; asked again it changes nothing."""
    account = ctx.find(Account, ctx.target, AccountNotFound)
    changed = account.change_limits(_limits(command))
    if changed is not None:
        ctx.book.record(account.account_id, changed)
    return answers.AccountChanged(account.account_id, ctx.book.position)


def _limits(body: AccountLimitsBody) -> AccountLimits:
    return AccountLimits(body.max_in_play_minor, body.max_profit_minor)


def withdraw(command: Withdraw, ctx: Context) -> Answer:
    """Hold money of the target account: a withdrawal begins."""
    account = ctx.find(Account, ctx.target, AccountNotFound)
    account.check_mover(ctx.actor)
    transfer_id = command.transfer_id or ctx.new_id()
    reserved = account.reserve_funds(transfer_id, command.amount_minor)
    start(transfer_id, ctx, chosen=command.transfer_id is not None)
    ctx.book.record(
        transfer_id,
        WithdrawalRequested(
            account_id=account.account_id,
            amount_minor=command.amount_minor,
            currency=account.currency,
            method=command.method,
            reference=command.reference,
        ),
    )
    account = as_account(ctx.book.record(account.account_id, reserved))
    return answers.Transferred(transfer_id, "pending", account.available_minor, ctx.book.position)


def finish_withdrawal(command: CompleteWithdrawal | RejectWithdrawal, ctx: Context) -> Answer:
    """End the target withdrawal, and pay out or release what it holds."""
    withdrawal = ctx.find(Withdrawal, ctx.target, WithdrawalNotFound)
    match command:
        case CompleteWithdrawal():
            completed, paid_out = withdrawal.complete()
            return _moved(withdrawal, "completed", completed, paid_out, ctx)
        case RejectWithdrawal():
            rejected, released = withdrawal.reject(command.reason)
            return _moved(withdrawal, "rejected", rejected, released, ctx)
        case _:
            assert_never(command)


def _moved(
    withdrawal: Withdrawal, status: str, finished: Event, moved: Event, ctx: Context
) -> Answer:
    ctx.book.record(withdrawal.transfer_id, finished)
    account = as_account(ctx.book.record(withdrawal.account_id, moved))
    return answers.Transferred(
        withdrawal.transfer_id, status, account.available_minor, ctx.book.position
    )
