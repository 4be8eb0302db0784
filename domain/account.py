"""An account: funds available and in play, in one currency."""

from decimal import Decimal
from typing import Final, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.actors import Actor
from domain.events.account import (
    AccountLimits,
    AccountLimitsChanged,
    AccountOpened,
    BonusGranted,
    CommissionCharged,
    FreeStakeReserved,
    FundsDeposited,
    FundsPaidOut,
    FundsReleased,
    FundsReserved,
    StakeReopened,
    StakeRepriced,
    StakeReserved,
    StakeResettled,
    StakeSettled,
)
from domain.money import MAX_FUNDS_MINOR, check_currency, has_at_most_places
from domain.refusals import (
    AccountNotFound,
    AccountOverdrawn,
    Forbidden,
    InsufficientFunds,
    InvalidInput,
    LimitExceeded,
)

COMMISSION_PLACES: Final = 4

AccountEvent = (
    AccountOpened
    | FundsDeposited
    | FundsReserved
    | FundsPaidOut
    | FundsReleased
    | StakeReserved
    | StakeSettled
    | StakeResettled
    | StakeReopened
    | StakeRepriced
    | CommissionCharged
    | BonusGranted
    | FreeStakeReserved
    | AccountLimitsChanged
)


class Account(Struct, frozen=True, gc=False):
    """State of an account; money in minor units of `currency`.

    `promised_minor` is the sum of what its open bets can return: with the funds it stays within MAX_FUNDS_MINOR, so
    that no first settlement at the odds taken can overflow a balance. What a starting price or a corrected result adds
    or takes asks for no room: available funds may go above that bound by it, or below zero (the account is overdrawn).
    So does `commission`, a share of the net profit on each market, where the account pays one. `in_play_minor` holds
    bets and, `withdrawing_minor` of it, withdrawals.
    """

    account_id: UUID
    version: int
    owner: str
    currency: str
    available_minor: int = 0
    in_play_minor: int = 0
    promised_minor: int = 0
    commission: Decimal | None = None
    bonus_minor: int = 0
    limits: AccountLimits | None = None
    withdrawing_minor: int = 0

    def check_mover(self, actor: Actor) -> None:
        """Refuse an actor who may not move this account's funds, without telling a trader that it exists."""
        if not actor.may_act_for(self.owner):
            raise (
                AccountNotFound
                if actor.role == "trader"
                else Forbidden("only its owner moves an account's funds")
            )

    def deposit(
        self, transfer_id: UUID, amount_minor: int, method: str, reference: str | None
    ) -> FundsDeposited:
        """Take money in from outside."""
        self._check_room(amount_minor)
        return FundsDeposited(
            transfer_id=transfer_id,
            amount_minor=amount_minor,
            currency=self.currency,
            method=method,
            reference=reference,
        )

    def reserve_funds(self, transfer_id: UUID, amount_minor: int) -> FundsReserved:
        """Hold available money for a withdrawal."""
        self._check_available(amount_minor)
        return FundsReserved(
            transfer_id=transfer_id, amount_minor=amount_minor, currency=self.currency
        )

    def reserve_stake(
        self, bet_id: UUID, stake_minor: int, potential_return_minor: int
    ) -> StakeReserved:
        """Hold available money behind a bet."""
        self._check_available(stake_minor)
        self._check_room(potential_return_minor - stake_minor)
        if self.limits is not None:
            self._check_limits(self.limits, stake_minor, potential_return_minor - stake_minor)
        return StakeReserved(
            bet_id=bet_id,
            amount_minor=stake_minor,
            potential_return_minor=potential_return_minor,
            currency=self.currency,
        )

    def grant_bonus(self, transfer_id: UUID, amount_minor: int, reason: str) -> BonusGranted:
        """Let the account stake this much for free."""
        if self.bonus_minor + amount_minor > MAX_FUNDS_MINOR:
            raise LimitExceeded(f"a bonus is at most {MAX_FUNDS_MINOR} minor units")
        return BonusGranted(
            transfer_id=transfer_id,
            amount_minor=amount_minor,
            currency=self.currency,
            reason=reason,
        )

    def reserve_free_stake(
        self, bet_id: UUID, stake_minor: int, potential_return_minor: int
    ) -> FreeStakeReserved:
        """Put bonus behind a free bet; an overdrawn account takes none."""
        if self.available_minor < 0:
            self._check_available(0)
        if stake_minor > self.bonus_minor:
            raise InsufficientFunds(
                f"{stake_minor} is needed, {self.bonus_minor} of bonus is there (minor units)"
            )
        self._check_room(potential_return_minor)
        if self.limits is not None:
            self._check_limits(self.limits, 0, potential_return_minor)
        return FreeStakeReserved(
            bet_id=bet_id,
            amount_minor=stake_minor,
            potential_return_minor=potential_return_minor,
            currency=self.currency,
        )

    def reprice_stake(self, bet_id: UUID, difference_minor: int) -> StakeRepriced:
        """Let an open bet return more or less than it could."""
        if difference_minor > 0:
            self._check_room(difference_minor)
        return StakeRepriced(
            bet_id=bet_id, difference_minor=difference_minor, currency=self.currency
        )

    def change_limits(self, limits: AccountLimits) -> AccountLimitsChanged | None:
        """Set the account's limits, and lift those that are not named; None when they are so already.

        They hold for bets to come: what is at risk already stays.
        """
        if limits == (self.limits or AccountLimits()):
            return None
        return AccountLimitsChanged(limits=limits)

    def _check_limits(self, limits: AccountLimits, stake_minor: int, profit_minor: int) -> None:
        at_risk = self.in_play_minor - self.withdrawing_minor
        if stake_minor and limits.max_in_play_minor is not None:
            _check_left("max_in_play_minor", limits.max_in_play_minor, at_risk, stake_minor)
        if profit_minor and limits.max_profit_minor is not None:
            _check_left(
                "max_profit_minor",
                limits.max_profit_minor,
                self.promised_minor - at_risk,
                profit_minor,
            )

    def _check_available(self, amount_minor: int) -> None:
        if amount_minor > self.available_minor:
            if self.available_minor < 0:
                raise AccountOverdrawn(
                    f"{-self.available_minor} is owed since a result was corrected (minor units): deposit it first"
                )
            raise InsufficientFunds(
                f"{amount_minor} is needed, {self.available_minor} is available (minor units)"
            )

    def _check_room(self, more_minor: int) -> None:
        if (
            self.available_minor + self.in_play_minor + self.promised_minor + more_minor
            > MAX_FUNDS_MINOR
        ):
            raise LimitExceeded(
                f"an account holds and may win at most {MAX_FUNDS_MINOR} minor units"
            )

    @classmethod
    def start(cls, account_id: UUID, event: AccountOpened) -> Self:
        """Begin the state with the stream's first event."""
        return cls(
            account_id=account_id,
            version=1,
            owner=event.owner,
            currency=event.currency,
            commission=event.commission,
            limits=event.limits,
        )

    def evolve(self, event: AccountEvent) -> "Account":
        """Give the state after `event`; decides nothing."""
        version, available, in_play = self.version + 1, self.available_minor, self.in_play_minor
        match event:
            case StakeReserved():
                amount = event.amount_minor
                return Account(
                    self.account_id,
                    version,
                    self.owner,
                    self.currency,
                    available - amount,
                    in_play + amount,
                    self.promised_minor + event.potential_return_minor,
                    self.commission,
                    self.bonus_minor,
                    self.limits,
                    self.withdrawing_minor,
                )
            case StakeSettled():
                return replace(
                    self,
                    version=version,
                    available_minor=available + event.return_minor,
                    in_play_minor=in_play - event.stake_minor,
                    promised_minor=self.promised_minor - event.potential_return_minor,
                    bonus_minor=self.bonus_minor + event.bonus_minor,
                )
            case StakeResettled():
                return replace(
                    self,
                    version=version,
                    available_minor=available + event.difference_minor,
                    bonus_minor=self.bonus_minor + event.bonus_minor,
                )
            case StakeReopened():
                return replace(
                    self,
                    version=version,
                    available_minor=available - event.return_minor,
                    in_play_minor=in_play + event.stake_minor,
                    promised_minor=self.promised_minor + event.potential_return_minor,
                    bonus_minor=self.bonus_minor - event.bonus_minor,
                )
            case StakeRepriced():
                return replace(
                    self,
                    version=version,
                    promised_minor=self.promised_minor + event.difference_minor,
                )
            case BonusGranted():
                return replace(
                    self, version=version, bonus_minor=self.bonus_minor + event.amount_minor
                )
            case FreeStakeReserved():
                return replace(
                    self,
                    version=version,
                    bonus_minor=self.bonus_minor - event.amount_minor,
                    promised_minor=self.promised_minor + event.potential_return_minor,
                )
            case CommissionCharged():
                return replace(
                    self, version=version, available_minor=available - event.amount_minor
                )
            case FundsDeposited():
                return replace(
                    self, version=version, available_minor=available + event.amount_minor
                )
            case FundsReserved():
                amount = event.amount_minor
                return replace(
                    self,
                    version=version,
                    available_minor=available - amount,
                    in_play_minor=in_play + amount,
                    withdrawing_minor=self.withdrawing_minor + amount,
                )
            case FundsReleased():
                amount = event.amount_minor
                return replace(
                    self,
                    version=version,
                    available_minor=available + amount,
                    in_play_minor=in_play - amount,
                    withdrawing_minor=self.withdrawing_minor - amount,
                )
            case FundsPaidOut():
                return replace(
                    self,
                    version=version,
                    in_play_minor=in_play - event.amount_minor,
                    withdrawing_minor=self.withdrawing_minor - event.amount_minor,
                )
            case AccountLimitsChanged():
                return replace(self, version=version, limits=event.limits)
            case AccountOpened():
                raise ValueError("an account opens once")
            case _:
                assert_never(event)


def open_account(
    actor: Actor,
    owner: str | None,
    currency: str,
    name: str,
    held_at: str | None,
    commission: Decimal | None = None,
    limits: AccountLimits | None = None,
) -> AccountOpened:
    """Decide to open an account for `owner`, by default the actor."""
    owner = owner or actor.user
    if not actor.may_act_for(owner):
        raise Forbidden("traders open accounts for themselves; an admin opens them for anyone")
    check_currency(currency)
    if commission is not None and not (
        has_at_most_places(commission, COMMISSION_PLACES) and 0 < commission < 1
    ):
        raise InvalidInput(
            "a commission is a share of the profit, such as 0.05 for 5%", field="commission"
        )
    return AccountOpened(
        owner=owner,
        currency=currency,
        name=name,
        held_at=held_at,
        commission=commission,
        limits=limits,
    )


def _check_left(name: str, limit: int, used: int, more: int) -> None:
    if used + more > limit:
        left = max(limit - used, 0)
        raise LimitExceeded(
            f"the account's {name} is {limit}: {left} of it is left (minor units)",
            members={"limit": name, "limit_minor": limit, "left_minor": left},
        )
