"""What may be asked of bets: placing, voiding, repricing, cashing out."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from domain.commands.command import Command, Slug, Text
from domain.events.bet import BetKind, Leg, PriceSeen, Side
from domain.money import AmountMinor

MAX_BATCH = 8_000


class PlaceBet(Command, frozen=True, kw_only=True):
    """Stake `stake_minor` (per line, where the kind has lines) on the legs at their odds, or at the starting price.

    For a lay it is what the backer stakes. `each_way` makes two bets of each line of an accumulator or full cover, win
    and place; a single of that sort is of kind `each_way`. `best_odds` settles at the starting price where it is better. A
    `free` bet stakes bonus and returns its winnings alone.
    """

    bet_id: UUID | None = None
    account_id: UUID
    kind: BetKind = "single"
    side: Side = "back"
    legs: Annotated[tuple[Leg, ...], Meta(min_length=1, max_length=30)]
    stake_minor: AmountMinor
    each_way: bool = False
    best_odds: bool = False
    free: bool = False


class PlaceBets(Command, frozen=True, kw_only=True):
    """Place many bets in order, each on its own or, when `atomic`, all or none."""

    bets: Annotated[list[PlaceBet], Meta(min_length=1, max_length=MAX_BATCH)]
    atomic: bool = False


class VoidBet(Command, frozen=True, kw_only=True):
    """Give the stake of the target bet back, for good: no result changes it any more."""

    reason: Text


class ProposeRepricing(Command, frozen=True, kw_only=True):
    """Say that the odds of the target bet's leg on this selection were a palpable error, and what they should be.

    `market_id` tells which leg, where several are on a selection of that name. Somebody else must approve.
    """

    selection_id: Slug
    odds: Decimal
    reason: Text
    market_id: UUID | None = None


class ApproveRepricing(Command, frozen=True, kw_only=True):
    """Correct the target bet's odds as it was proposed; whoever proposed it may not."""

    repricing_id: UUID


class RejectRepricing(Command, frozen=True, kw_only=True):
    """Leave the target bet's odds as they are; whoever proposed otherwise may not say so."""

    repricing_id: UUID
    reason: Text | None = None


class OfferCashOut(Command, frozen=True, kw_only=True):
    """Ask what cashing a share of the target bet's open stake out, or all of it, would pay at these prices.

    `margin` is the share of its worth that the book keeps; an offer that is lower by at most the share `tolerance` than
    what is asked for is taken. The API adds prices, margin and tolerance: clients send none of them.
    """

    share: Decimal | None = None
    prices: tuple[PriceSeen, ...] = ()
    margin: Decimal = Decimal(0)
    tolerance: Decimal = Decimal(0)


class CashOutBet(OfferCashOut, frozen=True, kw_only=True):
    """Take the offer for the target bet as it stands, unless that is too far below `offer_minor`."""

    offer_minor: AmountMinor
