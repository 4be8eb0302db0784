"""A bet: what was staked on which legs at which odds, and how it ended."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.account import Account
from domain.events.account import StakeReopened, StakeResettled, StakeSettled
from domain.events.bet import (
    BetPartCashedOut,
    BetPartsVoided,
    BetPlaced,
    BetReopened,
    BetRepriced,
    BetResettled,
    BetSettled,
    CashOut,
    Leg,
    RepricingProposed,
    RepricingRejected,
    Standing,
)
from domain.events.market import SelectionResult
from domain.legs import RACES
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR, check_odds, single_return_minor
from domain.placing import staked_minor
from domain.refusals import BetStateConflict, LimitExceeded
from domain.returns import outcome_of
from domain.settlement import Outcome, settle_single

BetEvent = (
    BetPlaced
    | BetSettled
    | BetPartCashedOut
    | BetPartsVoided
    | RepricingProposed
    | RepricingRejected
    | BetRepriced
    | BetResettled
    | BetReopened
)
BetStatus = Literal["open", "won", "lost", "void", "part_won", "cashed_out"]
BetChange = BetSettled | BetResettled | BetReopened
StakeChange = StakeSettled | StakeResettled | StakeReopened


class Bet(Struct, frozen=True):
    """State of a bet: what was `placed`, and how it ended as far as its stream says (`settled`).

    `standing` is the bet as it stands, with corrected odds and without the parts that were cashed out: `placed` itself
    for nearly all bets. Those parts returned `cashed_return_minor` of `cashed_stake_minor`; `settled` tells of the rest.
    `is_voided`: an operator made it void, and void it stays. `repricing` waits for its approval.
    """

    bet_id: UUID
    version: int
    placed: BetPlaced
    standing: BetPlaced
    settled: Outcome | None = None
    is_voided: bool = False
    cashed_stake_minor: int = 0
    cashed_return_minor: int = 0
    repricing: RepricingProposed | None = None

    @property
    def status(self) -> BetStatus:
        """Name how the bet stands."""
        return self.settled.status if self.settled else "open"

    @property
    def return_minor(self) -> int | None:
        """What the bet returns, the parts that were cashed out included; None while it is open."""
        return self.settled.return_minor + self.cashed_return_minor if self.settled else None

    def touches(self, market_id: UUID) -> bool:
        """Tell whether a leg of the bet is on this market."""
        return any(leg.market_id == market_id for leg in self.placed.legs)

    def outcome(self, markets: Mapping[UUID, Market]) -> Outcome | None:
        """Tell how the bet ends by what the markets of its legs say now; None while that is undecided.

        A function of the bet as it was placed, repriced, cashed out or made void, and of the markets as they stand: what was
        settled before plays no part.
        """
        if self.is_voided:
            return self._void_outcome()
        if self.settled is not None and self.settled.status == "cashed_out":
            return self.settled
        placed = self.standing
        leg = placed.legs[0]
        market = markets[leg.market_id]
        if _is_plain(placed, leg, market):
            result = market.results.get(leg.selection_id)
            if result is None:
                return None
            assert leg.odds is not None
            return settle_single(leg.odds, result, placed.total_stake_minor)
        return outcome_of(placed, markets, self.cashed_stake_minor)

    def bring_to(self, outcome: Outcome | None) -> tuple[BetChange, StakeChange | None] | None:
        """Give what happens to the bet and to its account so that it ends like this; None when it does already."""
        before = self.settled
        if outcome is None:
            return None if before is None else self._reopen(before)
        if before is not None and outcome.is_told_by(before):
            return None
        if before is None:
            return self._settle(outcome)
        return self._resettle(before, outcome)

    def void(self, reason: str) -> tuple[BetSettled | BetResettled, StakeChange | None]:
        """Make the bet void for good: its stake is given back, and what it returned is taken back."""
        if self.is_voided:
            raise BetStateConflict("the bet was made void before")
        outcome = self._void_outcome()
        of_bet, of_account = (
            self._settle(outcome) if self.settled is None else self._resettle(self.settled, outcome)
        )
        if of_account is not None:
            of_account = replace(of_account, by_hand="void")
        return replace(of_bet, reason=reason), of_account

    def void_parts(self, reason: str) -> tuple[BetPartsVoided, StakeResettled | None] | None:
        """Let the parts that were cashed out return their stakes, when the bet is made void; None when there are none."""
        if not self.cashed_stake_minor:
            return None
        difference = self.cashed_stake_minor - self.cashed_return_minor
        voided = BetPartsVoided(
            account_id=self.placed.account_id,
            stake_minor=self.cashed_stake_minor,
            difference_minor=difference,
            currency=self.placed.currency,
            reason=reason,
        )
        if not difference:
            return voided, None
        return voided, StakeResettled(
            bet_id=self.bet_id,
            difference_minor=difference,
            currency=self.placed.currency,
            by_hand="void",
        )

    def cash_out(self, return_minor: int, cash_out: CashOut) -> tuple[BetSettled, StakeSettled]:
        """End what is open of the bet with what was offered for it: no result changes it any more."""
        of_bet, of_account = self._settle(Outcome("cashed_out", return_minor, ()))
        return replace(of_bet, cash_out=cash_out), replace(of_account, by_hand="cash_out")

    def _void_outcome(self) -> Outcome:
        results = tuple(SelectionResult(leg.selection_id, "void") for leg in self.standing.legs)
        return Outcome("void", self.standing.total_stake_minor, results)

    def _settle(self, outcome: Outcome) -> tuple[BetSettled, StakeSettled]:
        return BetSettled(
            account_id=self.standing.account_id,
            status=outcome.status,
            results=outcome.results,
            stake_minor=self.standing.total_stake_minor,
            return_minor=outcome.return_minor,
            currency=self.standing.currency,
            standing=self._changed_standing(),
        ), StakeSettled(
            bet_id=self.bet_id,
            stake_minor=self.standing.total_stake_minor,
            return_minor=outcome.return_minor,
            potential_return_minor=self.standing.potential_return_minor,
            currency=self.standing.currency,
            bonus_minor=self._bonus(outcome),
        )

    def _changed_standing(self) -> Standing | None:
        if self.standing is self.placed:
            return None
        odds = tuple(leg.odds for leg in self.standing.legs)
        return Standing(self.standing.potential_return_minor, odds)

    def _bonus(self, outcome: Outcome) -> int:
        """Give the stake of a free bet that comes back as bonus: only a void one's."""
        return staked_minor(self.standing) if self.standing.free and outcome.status == "void" else 0

    def _resettle(
        self, before: Outcome, outcome: Outcome
    ) -> tuple[BetResettled, StakeResettled | None]:
        assert outcome.status != "cashed_out"  # only an open bet is cashed out
        difference = outcome.return_minor - before.return_minor
        resettled = BetResettled(
            account_id=self.standing.account_id,
            status=outcome.status,
            results=outcome.results,
            stake_minor=self.standing.total_stake_minor,
            return_minor=outcome.return_minor,
            difference_minor=difference,
            currency=self.standing.currency,
        )
        bonus = self._bonus(outcome) - self._bonus(before)
        if not difference and not bonus:
            return resettled, None
        return resettled, StakeResettled(
            bet_id=self.bet_id,
            difference_minor=difference,
            currency=self.standing.currency,
            bonus_minor=bonus,
        )

    def _reopen(self, before: Outcome) -> tuple[BetReopened, StakeReopened]:
        return BetReopened(
            account_id=self.standing.account_id,
            stake_minor=self.standing.total_stake_minor,
            return_minor=before.return_minor,
            currency=self.standing.currency,
            standing=self._changed_standing(),
        ), StakeReopened(
            bet_id=self.bet_id,
            stake_minor=self.standing.total_stake_minor,
            return_minor=before.return_minor,
            potential_return_minor=self.standing.potential_return_minor,
            currency=self.standing.currency,
            bonus_minor=self._bonus(before),
        )

    @classmethod
    def start(cls, bet_id: UUID, event: BetPlaced) -> Self:
        """Begin the state with the stream's first event."""
        return cls(bet_id, 1, event, event)

    def evolve(self, event: BetEvent) -> "Bet":
        """Give the state after `event`; decides nothing."""
        match event:
            case BetSettled() | BetResettled():
                settled = Outcome(event.status, event.return_minor, event.results)
                voided = self.is_voided or event.reason is not None
                return replace(self, version=self.version + 1, settled=settled, is_voided=voided)
            case BetReopened():
                return replace(self, version=self.version + 1, settled=None)
            case BetPartCashedOut():
                return replace(
                    self,
                    version=self.version + 1,
                    standing=_without(self.standing, event),
                    cashed_stake_minor=self.cashed_stake_minor + event.stake_minor,
                    cashed_return_minor=self.cashed_return_minor + event.return_minor,
                )
            case BetPartsVoided():
                returned = self.cashed_return_minor + event.difference_minor
                return replace(self, version=self.version + 1, cashed_return_minor=returned)
            case RepricingProposed():
                return replace(self, version=self.version + 1, repricing=event)
            case RepricingRejected():
                return replace(self, version=self.version + 1, repricing=None)
            case BetRepriced():
                standing = replace(
                    self.standing,
                    legs=with_odds(self.standing.legs, event.market_id, event.odds),
                    potential_return_minor=event.potential_return_minor,
                )
                return replace(self, version=self.version + 1, standing=standing, repricing=None)
            case BetPlaced():
                raise ValueError("a bet is placed once")
            case _:
                assert_never(event)


def with_odds(legs: Sequence[Leg], market_id: UUID, odds: Decimal) -> tuple[Leg, ...]:
    """Give the legs with other odds on this market."""
    return tuple(replace(leg, odds=odds) if leg.market_id == market_id else leg for leg in legs)


def _without(standing: BetPlaced, part: BetPartCashedOut) -> BetPlaced:
    """Give what stands when a part is cashed out; only bets of one line have parts."""
    rest = standing.total_stake_minor - part.stake_minor
    potential = standing.potential_return_minor - part.potential_return_minor
    return replace(
        standing, stake_minor=rest, total_stake_minor=rest, potential_return_minor=potential
    )


def _is_plain(placed: BetPlaced, leg: Leg, market: Market) -> bool:
    """Tell whether the result of one selection and the odds taken are all that decides; so it is with nearly all."""
    return (
        placed.kind == "single"
        and placed.side == "back"
        and not placed.free
        and leg.odds is not None
        and market.type not in RACES
        and (market.limits is None or market.limits.max_payout_minor is None)
    )


def place_single(account: Account, market: Market, leg: Leg, stake_minor: int) -> BetPlaced:
    """Decide a plain single back bet: odds, market and limits; the account decides about its funds.

    The short way for nearly all bets; `domain.placing.place_bet` takes every kind.
    """
    assert leg.odds is not None
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
