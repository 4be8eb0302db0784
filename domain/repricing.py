"""Palpable errors: the odds of a bet's leg are corrected when one operator proposes it and another approves.

Until then nothing changes. Source: DOMAIN.md, "palpable error"; published case: 5 at 18/1 settled again at Evens returns
10.00.
"""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from msgspec.structs import replace

from domain.account import Account
from domain.bet import Bet, with_odds
from domain.events.account import StakeRepriced
from domain.events.bet import BetRepriced, Leg, RepricingProposed, RepricingRejected
from domain.market import Market
from domain.money import MAX_FUNDS_MINOR, check_odds
from domain.placing import potential_return_minor
from domain.refusals import (
    BetStateConflict,
    InvalidInput,
    LimitExceeded,
    NotOffered,
    RepricingNotFound,
    SecondApproverNeeded,
    SelectionNotInMarket,
)


def propose(
    bet: Bet,
    repricing_id: UUID,
    market_id: UUID | None,
    selection_id: str,
    odds: Decimal,
    reason: str,
    proposer: str,
) -> RepricingProposed:
    """Propose that a leg of the bet has these odds; a leg on `selection_id`, of which `market_id` may tell which one."""
    if bet.repricing is not None:
        raise BetStateConflict("a repricing of this bet waits for its approval")
    _check_open_to_repricing(bet)
    leg = _leg(bet, market_id, selection_id)
    if leg.odds is None:
        raise NotOffered("a leg at the starting price has no odds to correct", field="selection_id")
    check_odds(odds)
    if odds == leg.odds:
        raise InvalidInput("the leg has these odds", field="odds")
    return RepricingProposed(
        account_id=bet.placed.account_id,
        repricing_id=repricing_id,
        market_id=leg.market_id,
        selection_id=selection_id,
        odds_before=leg.odds,
        odds=odds,
        reason=reason,
        proposer=proposer,
    )


def approve(
    bet: Bet, account: Account, markets: Mapping[UUID, Market], repricing_id: UUID, approver: str
) -> tuple[BetRepriced, StakeRepriced | None]:
    """Correct the odds as it was proposed; what a settled bet returns more or less by that is its settlement's to say."""
    proposed = _proposed(bet, repricing_id, approver)
    _check_open_to_repricing(bet)
    legs = with_odds(bet.standing.legs, proposed.market_id, proposed.odds)
    before = bet.standing.potential_return_minor
    after = potential_return_minor(replace(bet.standing, legs=legs), markets)
    if after > MAX_FUNDS_MINOR:
        raise LimitExceeded(f"a bet returns at most {MAX_FUNDS_MINOR} minor units")
    repriced = BetRepriced(
        account_id=bet.placed.account_id,
        repricing_id=repricing_id,
        market_id=proposed.market_id,
        selection_id=proposed.selection_id,
        odds_before=proposed.odds_before,
        odds=proposed.odds,
        potential_return_before_minor=before,
        potential_return_minor=after,
        is_settled=bet.settled is not None,
        reason=proposed.reason,
        proposer=proposed.proposer,
        approver=approver,
    )
    if bet.settled is not None:  # the account has no stake in play
        return repriced, None
    return repriced, account.reprice_stake(bet.bet_id, after - before)


def reject(bet: Bet, repricing_id: UUID, rejecter: str, reason: str | None) -> RepricingRejected:
    """Leave the odds as they are."""
    proposed = _proposed(bet, repricing_id, rejecter)
    return RepricingRejected(
        account_id=bet.placed.account_id,
        repricing_id=repricing_id,
        proposer=proposed.proposer,
        rejecter=rejecter,
        reason=reason,
    )


def _check_open_to_repricing(bet: Bet) -> None:
    if bet.is_voided:
        raise BetStateConflict("the bet was made void")
    if bet.status == "cashed_out":
        raise BetStateConflict("the bet was cashed out at a price that its owner was offered")
    if bet.placed.side == "lay":
        raise NotOffered("a lay holds its liability by its odds: make it void instead")


def _leg(bet: Bet, market_id: UUID | None, selection_id: str) -> Leg:
    legs = [
        leg
        for leg in bet.standing.legs
        if leg.selection_id == selection_id and market_id in (None, leg.market_id)
    ]
    if not legs:
        raise SelectionNotInMarket("no leg of the bet is on this selection", field="selection_id")
    if len(legs) > 1:
        raise InvalidInput("several legs are on such a selection: say which", field="market_id")
    return legs[0]


def _proposed(bet: Bet, repricing_id: UUID, decider: str) -> RepricingProposed:
    proposed = bet.repricing
    if proposed is None or proposed.repricing_id != repricing_id:
        raise RepricingNotFound
    if decider == proposed.proposer:
        raise SecondApproverNeeded
    return proposed
