"""What may be asked: imperative, and at the same time the bodies of the HTTP requests.

A command that acts on something which exists is submitted with that thing's id as its target.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from domain.events import (
    AbandonRule,
    ArbitrageEnd,
    BetKind,
    Leg,
    MarketLimits,
    MarketType,
    MatchRule,
    ModelEvaluated,
    ModelTrained,
    Opportunity,
    Period,
    PredictionMade,
    PriceSeen,
    Pricing,
    Result,
    Side,
    StartingPrice,
    ValueEnd,
    ValueSignal,
)
from domain.money import AmountMinor

MAX_BATCH = 8_000
MAX_QUOTES = 10_000

PRINTABLE = r"^[^\x00-\x1f\x7f]+$(?!\n)"
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Slug = Annotated[str, Meta(min_length=1, max_length=100, pattern=PRINTABLE)]
Instant = Annotated[datetime, Meta(tz=True)]
Points = Annotated[int, Meta(ge=0, le=10_000)]


class Command(
    Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """Base of everything that may be asked.

    What was left out stays out when a command is encoded, so that a field added later does not make an old request look
    like another one to the idempotency records.
    """


# ---- accounts


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


# ---- markets


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


# ---- bets


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


# ---- prices


class QuoteBody(Command, frozen=True, kw_only=True):
    """A bookmaker's price for one selection of a market."""

    bookmaker: Slug
    market_id: UUID
    selection_id: Slug
    odds: Decimal
    at: Instant
    size: Decimal | None = None
    closing: bool = False
    side: Side = "back"
    withdrawn: bool = False


class RecordOdds(Command, frozen=True, kw_only=True):
    """Keep a batch of quotes: one snapshot for each market in it."""

    quotes: Annotated[list[QuoteBody], Meta(min_length=1, max_length=MAX_QUOTES)]


# ---- feeds: whose names mean which fixture


class CandidateBody(Command, frozen=True, kw_only=True):
    """A fixture that a feed's name may mean; `likeness` is from 0 to 1, with 3 places at most."""

    fixture_id: UUID
    likeness: Decimal
    swapped: bool = False


class CertainMatchBody(Command, frozen=True, kw_only=True):
    """The fixture that a feed's name means beyond doubt, and the rule that says so."""

    fixture_id: UUID
    by: MatchRule
    swapped: bool = False


class SeeFeedName(Command, frozen=True, kw_only=True):
    """Report an event of a feed: `matched` to its fixture by a rule, or with the `candidates` for an operator."""

    feed: Slug
    sport: Text
    competition: Text
    name: Text
    starts_at: Instant
    home: Text | None = None
    away: Text | None = None
    candidates: Annotated[tuple[CandidateBody, ...], Meta(max_length=10)] = ()
    matched: CertainMatchBody | None = None


class MatchFeedName(Command, frozen=True, kw_only=True):
    """Say which fixture the target name of a feed means."""

    fixture_id: UUID
    swapped: bool = False


# ---- arbitrage: asked by fairbook's own price handler, never over HTTP


class ArbitrageChange(Struct, frozen=True, gc=False):
    """What became of one opportunity: it has this shape now, or (`opportunity` None) it ended for a reason.

    `opens` says that it was not there before, as far as the sender knows: the log need not be asked for it first.
    """

    opportunity_id: UUID
    sequence: int
    opportunity: Opportunity | None = None
    ended: ArbitrageEnd | None = None
    opens: bool = False


class RecordArbitrages(Command, frozen=True, kw_only=True):
    """Keep what became of opportunities, in order; what is known already is passed over."""

    changes: tuple[ArbitrageChange, ...]


# ---- models and predictions: asked by fairbook's own commands and processes, but for activating over HTTP


class RegisterModel(Command, frozen=True, kw_only=True):
    """Keep that a model has learned; the same artefact of the same kind and scope is the same model."""

    trained: ModelTrained


class EvaluateModel(Command, frozen=True, kw_only=True):
    """Keep how good the target model's forecasts were; the same evaluation again changes nothing."""

    evaluation: ModelEvaluated


class ActivateModel(Command, frozen=True, kw_only=True):
    """Let the target model speak for its slot from now on.

    Refused when it is worse than the one that does now, or was not compared with it, unless `force` with a reason.
    """

    force: bool = False
    reason: Text | None = None


class RecordPredictions(Command, frozen=True, kw_only=True):
    """Keep what models say of fixtures; what was said before is passed over."""

    predictions: tuple[PredictionMade, ...]


class PredictedMarket(Struct, frozen=True, gc=False):
    """A market of a fixture as a model has predicted it."""

    model_id: UUID
    fixture_id: UUID
    market_id: UUID


class ScorePredictions(Command, frozen=True, kw_only=True):
    """Score predictions by what the results say now, each once for every generation of its market's result."""

    predicted: tuple[PredictedMarket, ...]


# ---- value signals: asked by fairbook's own value handler, never over HTTP


class ValueChange(Struct, frozen=True, gc=False):
    """What became of one value signal: it has this shape now, or (`signal` None) it ended for a reason.

    `opens` says that it was not there before, as far as the sender knows: the log need not be asked for it first.
    """

    signal_id: UUID
    sequence: int
    signal: ValueSignal | None = None
    ended: ValueEnd | None = None
    opens: bool = False


class RecordValueSignals(Command, frozen=True, kw_only=True):
    """Keep what became of value signals, in order; what is known already is passed over."""

    changes: tuple[ValueChange, ...]


# ---- settlement: asked by fairbook's own process, never over HTTP


class SettleBets(Command, frozen=True, kw_only=True):
    """Bring these bets to what the results say now: settled, settled otherwise, open again, or as they are.

    `generation` is the target market's that the caller works on, `after` the position of the last of these bets. The step
    is refused when the settlement has not come to position `since` yet: an earlier one failed.
    """

    bet_ids: list[UUID]
    generation: int = 1
    after: int = 0
    since: int = 0


class CompleteSettlement(Command, frozen=True, kw_only=True):
    """End the target market's settlement: every bet that touches it was visited in this generation, up to `since`."""

    generation: int = 1
    since: int = 0
