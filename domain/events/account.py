"""The facts of accounts and withdrawals: money in, held, in play and out."""

from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.events.event import Event

ByHand = Literal["void", "cash_out"]


class AccountLimits(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What an account may have at risk in open bets at once, and what these may win together, in minor units."""

    max_in_play_minor: int | None = None
    max_profit_minor: int | None = None


class AccountOpened(Event, frozen=True, kw_only=True):
    """An account of one owner in one currency exists; `commission` is an exchange's, as a share of a market's net profit."""

    topic = "account.opened"
    version = 3  # of 2: commission; of 3: limits
    owner: str
    currency: str
    name: str
    held_at: str | None = None
    commission: Decimal | None = None
    limits: AccountLimits | None = None


class AccountLimitsChanged(Event, frozen=True, kw_only=True):
    """The account has these limits from now on, and no others."""

    topic = "account.limits_changed"
    limits: AccountLimits


class FundsDeposited(Event, frozen=True, kw_only=True):
    """Money came in from outside and is available."""

    topic = "account.funds_deposited"
    transfer_id: UUID
    amount_minor: int
    currency: str
    method: str
    reference: str | None = None


class FundsReserved(Event, frozen=True, kw_only=True):
    """Available money is held for a requested withdrawal."""

    topic = "account.funds_reserved"
    transfer_id: UUID
    amount_minor: int
    currency: str


class FundsPaidOut(Event, frozen=True, kw_only=True):
    """Held money left the book by `method`."""

    topic = "account.funds_paid_out"
    transfer_id: UUID
    amount_minor: int
    currency: str
    method: str


class FundsReleased(Event, frozen=True, kw_only=True):
    """Held money is available again because its withdrawal was rejected."""

    topic = "account.funds_released"
    transfer_id: UUID
    amount_minor: int
    currency: str


class StakeReserved(Event, frozen=True, kw_only=True):
    """A bet's stake moved from available to in play; the bet can return `potential_return_minor`."""

    topic = "account.stake_reserved"
    bet_id: UUID
    amount_minor: int
    potential_return_minor: int
    currency: str


class StakeSettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A bet's stake left play and its return, if any, became available; `bonus_minor` of a void free bet is bonus again.

    `by_hand` says what did it, if no result did: an operator's void, or its owner's cash-out.
    """

    topic = "account.stake_settled"
    version = 3  # of 2: bonus_minor; of 3: by_hand
    bet_id: UUID
    stake_minor: int
    return_minor: int
    potential_return_minor: int
    currency: str
    bonus_minor: int = 0
    by_hand: ByHand | None = None


class StakeResettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A settled bet returns another amount: `difference_minor` is added to what is available, or taken from it.

    Only this and StakeReopened may take the available funds below zero. `by_hand`: an operator made the bet void.
    """

    topic = "account.stake_resettled"
    version = 3  # of 2: bonus_minor; of 3: by_hand
    bet_id: UUID
    difference_minor: int
    currency: str
    bonus_minor: int = 0
    by_hand: ByHand | None = None


class StakeReopened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A settlement was rolled back: the bet's stake is in play again, and its return is taken back."""

    topic = "account.stake_reopened"
    version = 2  # of 2: bonus_minor
    bet_id: UUID
    stake_minor: int
    return_minor: int
    potential_return_minor: int
    currency: str
    bonus_minor: int = 0


class StakeRepriced(Event, frozen=True, kw_only=True):
    """An open bet can return `difference_minor` more, or less, by its corrected odds. No money moves."""

    topic = "account.stake_repriced"
    bet_id: UUID
    difference_minor: int
    currency: str


class BonusGranted(Event, frozen=True, kw_only=True):
    """The account may stake this much for free. No money moves: a bonus becomes money when a free bet wins."""

    topic = "account.bonus_granted"
    transfer_id: UUID
    amount_minor: int
    currency: str
    reason: str


class FreeStakeReserved(Event, frozen=True, kw_only=True):
    """Bonus went into a free bet, which can return `potential_return_minor`."""

    topic = "account.free_stake_reserved"
    bet_id: UUID
    amount_minor: int
    potential_return_minor: int
    currency: str


class CommissionCharged(Event, frozen=True, kw_only=True):
    """Commission on the account's net profit on a market; negative gives back what a corrected result charged too much."""

    topic = "account.commission_charged"
    market_id: UUID
    amount_minor: int
    currency: str


class WithdrawalRequested(Event, frozen=True, kw_only=True):
    """The owner of an account asked for money to be paid out."""

    topic = "withdrawal.requested"
    account_id: UUID
    amount_minor: int
    currency: str
    method: str
    reference: str | None = None


class WithdrawalCompleted(Event, frozen=True, kw_only=True):
    """An operator confirmed that the money was paid."""

    topic = "withdrawal.completed"
    account_id: UUID


class WithdrawalRejected(Event, frozen=True, kw_only=True):
    """An operator refused to pay the money out."""

    topic = "withdrawal.rejected"
    account_id: UUID
    reason: str
