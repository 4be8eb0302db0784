"""A bet: what was staked on which legs at which odds, and how it ended."""

from collections.abc import Mapping
from typing import Literal, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.account import Account
from domain.events import (
    BetPlaced,
    BetReopened,
    BetResettled,
    BetSettled,
    Leg,
    StakeReopened,
    StakeResettled,
    StakeSettled,
)
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR, check_odds, single_return_minor
from domain.refusals import LimitExceeded
from domain.settlement import Outcome, settle_single

BetEvent = BetPlaced | BetSettled | BetResettled | BetReopened
BetStatus = Literal["open", "won", "lost", "void", "part_won", "cashed_out"]
BetChange = BetSettled | BetResettled | BetReopened
StakeChange = StakeSettled | StakeResettled | StakeReopened


class Bet(Struct, frozen=True):
    """State of a bet; money in minor units of `currency`, `settled` how it ended as far as its stream says."""

    bet_id: UUID
    version: int
    account_id: UUID
    legs: tuple[Leg, ...]
    total_stake_minor: int
    potential_return_minor: int
    currency: str
    settled: Outcome | None = None

    @property
    def status(self) -> BetStatus:
        """Name how the bet stands."""
        return self.settled.status if self.settled else "open"

    def touches(self, market_id: UUID) -> bool:
        """Tell whether a leg of the bet is on this market."""
        return any(leg.market_id == market_id for leg in self.legs)

    def outcome(self, markets: Mapping[UUID, Market]) -> Outcome | None:
        """Tell how the bet ends by what the markets of its legs say now; None while that is undecided.

        A function of the bet as it was placed and of the markets as they stand: what was settled before plays no part.
        """
        leg = self.legs[0]
        result = markets[leg.market_id].results.get(leg.selection_id)
        if result is None:
            return None
        status, return_minor = settle_single(leg, result, self.total_stake_minor)
        return Outcome(status, return_minor, (result,))

    def bring_to(self, outcome: Outcome | None) -> tuple[BetChange, StakeChange | None] | None:
        """Give what happens to the bet and to its account so that it ends like this; None when it does already."""
        before = self.settled
        if outcome == before:
            return None
        if outcome is None:
            assert before is not None
            return self._reopen(before)
        if before is None:
            return self._settle(outcome)
        return self._resettle(before, outcome)

    def _settle(self, outcome: Outcome) -> tuple[BetSettled, StakeSettled]:
        return BetSettled(
            account_id=self.account_id,
            status=outcome.status,
            results=outcome.results,
            stake_minor=self.total_stake_minor,
            return_minor=outcome.return_minor,
            currency=self.currency,
        ), StakeSettled(
            bet_id=self.bet_id,
            stake_minor=self.total_stake_minor,
            return_minor=outcome.return_minor,
            potential_return_minor=self.potential_return_minor,
            currency=self.currency,
        )

    def _resettle(
        self, before: Outcome, outcome: Outcome
    ) -> tuple[BetResettled, StakeResettled | None]:
        difference = outcome.return_minor - before.return_minor
        resettled = BetResettled(
            account_id=self.account_id,
            status=outcome.status,
            results=outcome.results,
            stake_minor=self.total_stake_minor,
            return_minor=outcome.return_minor,
            difference_minor=difference,
            currency=self.currency,
        )
        if not difference:
            return resettled, None
        return resettled, StakeResettled(
            bet_id=self.bet_id, difference_minor=difference, currency=self.currency
        )

    def _reopen(self, before: Outcome) -> tuple[BetReopened, StakeReopened]:
        return BetReopened(
            account_id=self.account_id,
            stake_minor=self.total_stake_minor,
            return_minor=before.return_minor,
            currency=self.currency,
        ), StakeReopened(
            bet_id=self.bet_id,
            stake_minor=self.total_stake_minor,
            return_minor=before.return_minor,
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
            case BetSettled() | BetResettled():
                settled = Outcome(event.status, event.return_minor, event.results)
                return replace(self, version=self.version + 1, settled=settled)
            case BetReopened():
                return replace(self, version=self.version + 1, settled=None)
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
