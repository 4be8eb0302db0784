"""What may be asked of accounts and withdrawals."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from domain.commands.command import Command, Text
from domain.money import AmountMinor


class AccountLimitsBody(Command, frozen=True, kw_only=True):
    """What an account may have at risk in open bets at once (stakes and the liabilities of lays), and what they may win."""

    max_in_play_minor: AmountMinor | None = None
    max_profit_minor: AmountMinor | None = None


class OpenAccount(Command, frozen=True, kw_only=True):
    """Open an account for `owner` (by default who asks) in one currency; `held_at` is who holds the money.

    `commission` is an exchange's: a share (0.05 for 5%) of the account's net profit on each market.
    """

    account_id: UUID | None = None
    owner: Text | None = None
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]
    name: Text
    held_at: Text | None = None
    commission: Decimal | None = None
    limits: AccountLimitsBody | None = None


class ChangeAccountLimits(AccountLimitsBody, frozen=True, kw_only=True):
    """Set the target account's limits on bets to come; one that is not named is lifted."""


class Transfer(Command, frozen=True, kw_only=True):
    """What deposits and withdrawals have in common."""

    transfer_id: UUID | None = None
    amount_minor: AmountMinor
    method: Text
    reference: Text | None = None


class Deposit(Transfer, frozen=True, kw_only=True):
    """Put money into the target account."""


class Withdraw(Transfer, frozen=True, kw_only=True):
    """Hold money of the target account until an operator completes or rejects the withdrawal."""


class GrantBonus(Command, frozen=True, kw_only=True):
    """Let the target account stake an amount for free."""

    transfer_id: UUID | None = None
    amount_minor: AmountMinor
    reason: Text


class CompleteWithdrawal(Command, frozen=True, kw_only=True):
    """Confirm that the target withdrawal was paid."""


class RejectWithdrawal(Command, frozen=True, kw_only=True):
    """Refuse to pay the target withdrawal: its money is available again."""

    reason: Text = "rejected by an operator"
