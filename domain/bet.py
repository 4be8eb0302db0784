"""A bet: what was staked on which legs at which odds, and how it ended."""

from typing import Literal, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.account import Account
from domain.events import BetPlaced, BetSettled, Leg, SelectionResult, StakeSettled
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR, check_odds, single_return_minor
from domain.refusals import BetAlreadySettled, LimitExceeded
from domain.settlement import settle_single

BetEvent = BetPlaced | BetSettled
BetStatus = Literal["open", "won", "lost", "void", "part_won", "cashed_out"]


class Bet(Struct, frozen=True):
    """State of a bet; money in minor units of `currency`."""

    bet_id: UUID
    version: int
    account_id: UUID
    legs: tuple[Leg, ...]
    total_stake_minor: int
    potential_return_minor: int
    currency: str
    status: BetStatus = "open"

    def settle(self, results: tuple[SelectionResult, ...]) -> tuple[BetSettled, StakeSettled]:
        """Settle the bet by its legs' results: what happens to the bet, and to its account."""
        if self.status != "open":
            raise BetAlreadySettled(f"the bet is already {self.status}")
        status, return_minor = settle_single(self.legs[0], results[0], self.total_stake_minor)
        return BetSettled(
            account_id=self.account_id,
            status=status,
            results=results,
            stake_minor=self.total_stake_minor,
            return_minor=return_minor,
            currency=self.currency,
        ), StakeSettled(
            bet_id=self.bet_id,
            stake_minor=self.total_stake_minor,
            return_minor=return_minor,
            potential_return_minor=self.potential_return_minor,
            currency=self.currency,
        )

    @classmethod
    def start(cls, bet_id: UUID, event: BetPlaced) -> Self:
        """Begin the state with the stream's first event."""
        return cls(
            bet_id=bet_id,
            version=1,
            account_id=event.account_id,
            legs=event.legs,
            total_stake_minor=event.total_stake_minor,
            potential_return_minor=event.potential_return_minor,
            currency=event.currency,
        )

    def evolve(self, event: BetEvent) -> "Bet":
        """Give the state after `event`; decides nothing."""
        match event:
            case BetSettled():
                return replace(self, version=self.version + 1, status=event.status)
            case BetPlaced():
                raise ValueError("a bet is placed once")
            case _:
                assert_never(event)


def place_single(account: Account, market: Market, leg: Leg, stake_minor: int) -> BetPlaced:
    """Decide a single back bet: odds, market and limits; the account decides about its funds."""
    check_odds(leg.odds, "legs[0].odds")
    return_minor = single_return_minor(stake_minor, leg.odds)
    market.check_takes(leg.selection_id, stake_minor, return_minor)
    if return_minor > MAX_FUNDS_MINOR:
        raise LimitExceeded(f"a bet returns at most {MAX_FUNDS_MINOR} minor units")
    return BetPlaced(
        account_id=account.account_id,
        owner=account.owner,
        kind="single",
        side="back",
        legs=(leg,),
        stake_minor=stake_minor,
        total_stake_minor=stake_minor,
        potential_return_minor=return_minor,
        currency=account.currency,
    )
