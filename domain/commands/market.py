"""What may be asked of markets, from opening to abandoning."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from domain.commands.command import Command, Instant, Slug, Text
from domain.events.market import (
    AbandonRule,
    MarketLimits,
    MarketType,
    Period,
    Pricing,
    Result,
    StartingPrice,
)
from domain.money import AmountMinor

Points = Annotated[int, Meta(ge=0, le=10_000)]


class FixtureBody(Command, frozen=True, kw_only=True):
    """A sporting event; the server gives it an id when the client does not."""

    fixture_id: UUID | None = None
    sport: Text
    competition: Text
    name: Text
    starts_at: Instant
    home: Text | None = None
    away: Text | None = None


class SelectionBody(Command, frozen=True, kw_only=True):
    """One side of a market."""

    selection_id: Slug
    name: Text


class TermsBody(Command, frozen=True, kw_only=True):
    """Each-way terms, and the Rule 4 table (`operator/version`) that says what a withdrawn runner deducts."""

    each_way_places: Annotated[int, Meta(ge=1, le=20)] | None = None
    each_way_divisor: Annotated[int, Meta(ge=1, le=20)] | None = None
    rule4: Slug | None = None


class LimitsBody(Command, frozen=True, kw_only=True):
    """What one bet on the market may stake and return, in minor units of the bet's currency.

    A bet that could return more than `max_return_minor`, or less than `min_return_minor`, is refused;
    `max_payout_minor` caps what a bet returns.
    `max_liability_minor` is the most that all open bets together may cost the house on any outcome of the market.
    """

    max_stake_minor: AmountMinor | None = None
    max_return_minor: AmountMinor | None = None
    max_payout_minor: AmountMinor | None = None
    max_liability_minor: AmountMinor | None = None
    min_stake_minor: AmountMinor | None = None
    min_return_minor: AmountMinor | None = None

    def limits(self) -> MarketLimits:
        """Give them as a market has them."""
        return MarketLimits(
            self.max_stake_minor,
            self.max_return_minor,
            self.max_payout_minor,
            self.max_liability_minor,
            self.min_stake_minor,
            self.min_return_minor,
        )


class BetsSeen(Struct, frozen=True, gc=False, omit_defaults=True):
    """All bets with a leg on a suspended market, open or settled; its stream stood at this version then."""

    market_version: int
    bet_ids: tuple[UUID, ...]


class MarketLimitsIn(Command, frozen=True, kw_only=True):
    """Limits on bets to come; one that is not named is lifted. What caps payouts was set when the market was opened."""

    max_stake_minor: AmountMinor | None = None
    max_return_minor: AmountMinor | None = None
    max_liability_minor: AmountMinor | None = None
    min_stake_minor: AmountMinor | None = None
    min_return_minor: AmountMinor | None = None

    def limits(self) -> MarketLimits:
        """Give them as a market has them, without what caps its payouts."""
        return MarketLimits(
            self.max_stake_minor,
            self.max_return_minor,
            None,
            self.max_liability_minor,
            self.min_stake_minor,
            self.min_return_minor,
        )


class ChangeMarketLimits(MarketLimitsIn, frozen=True, kw_only=True):
    """Set the target market's limits.

    The API adds `seen` where the liability was not followed before.
    """

    seen: BetsSeen | None = None


class OpenMarket(Command, frozen=True, kw_only=True):
    """Offer a market on a fixture."""

    market_id: UUID | None = None
    fixture: FixtureBody
    type: MarketType
    line: Decimal | None = None
    selections: Annotated[list[SelectionBody], Meta(min_length=1, max_length=500)]
    pricing: Pricing
    terms: TermsBody | None = None
    limits: LimitsBody | None = None
    period: Period = "full_time"


class SuspendMarket(Command, frozen=True, kw_only=True):
    """Take no bets on the target market for now."""

    reason: Text | None = None


class ResumeMarket(Command, frozen=True, kw_only=True):
    """Take bets on the target market again."""


class CloseMarket(Command, frozen=True, kw_only=True):
    """Take no more bets on the target market."""


class ScoreBody(Command, frozen=True, kw_only=True):
    """Goals (or points) of the two sides."""

    home: Points
    away: Points


class DeadHeatBody(Command, frozen=True, kw_only=True):
    """`tied` runners share `places` places."""

    tied: Annotated[int, Meta(ge=2, le=100)]
    places: Annotated[int, Meta(ge=1, le=100)]


class SelectionResultBody(Command, frozen=True, kw_only=True):
    """How one selection ended."""

    selection_id: Slug
    result: Result
    dead_heat: DeadHeatBody | None = None
    position: Annotated[int, Meta(ge=1, le=1000)] | None = None


DeadHeaters = Annotated[list[Slug], Meta(min_length=1, max_length=500)]
"""Runners that passed the post together, usually one."""


class DeclareResult(Command, frozen=True, kw_only=True):
    """Say how the target market ended: by selection, by the score that decides it, or by a race's finishing order.

    `finish` names runners in the order in which they finished, those that tied together; who is missing lost. Asked again it corrects what was said before. `partial`: some selections only; the others keep what they have. The
    score at half time decides markets on the first half. `starting_prices` are kept until others are given.
    """

    results: Annotated[list[SelectionResultBody], Meta(min_length=1, max_length=500)] | None = None
    score: ScoreBody | None = None
    half_time: ScoreBody | None = None
    finish: Annotated[list[DeadHeaters], Meta(min_length=1, max_length=500)] | None = None
    starting_prices: Annotated[tuple[StartingPrice, ...], Meta(max_length=500)] = ()
    partial: bool = False


class RollBackResult(Command, frozen=True, kw_only=True):
    """Take the target market's result back: what it settled is open again, and the market stays closed for bets."""

    reason: Text | None = None


class WithdrawRunner(Command, frozen=True, kw_only=True):
    """Take a runner out of the target market: its bets are void, and bets placed before `at` on the others pay less.

    How much less, its price when it was withdrawn says (`odds`, by the market's Rule 4 table) or an exchange's reduction
    `factor` in percent; with neither, nothing. `at` is now by default.
    """

    selection_id: Slug
    at: Instant | None = None
    odds: Decimal | None = None
    factor: Decimal | None = None


class ReinstateRunner(Command, frozen=True, kw_only=True):
    """Let a runner run after all that was withdrawn from the target market by mistake."""

    selection_id: Slug
    reason: Text


class AbandonMarket(Command, frozen=True, kw_only=True):
    """Void what the target market leaves undecided, or all of it: its fixture was abandoned or postponed."""

    reason: Text
    rule: AbandonRule = "void_undecided"


class VoidMarket(Command, frozen=True, kw_only=True):
    """Void every selection of the target market."""

    reason: Text
