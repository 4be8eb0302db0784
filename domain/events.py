"""The facts of the ledger: past tense, noun first, each with a topic and a version.

An event never changes after it has landed. A new shape is an optional field with a default; when that is not enough,
raise `version` and give the old one an upcast in `domain.upcasts`. Golden files in tests/domain/golden hold one
example of every topic and version.
"""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal
from uuid import UUID

from msgspec import Struct

MarketType = Literal[
    "1X2", "ML", "OU", "BTTS", "AH", "DC", "DNB", "WIN", "PLACE", "EW", "CS", "SPREAD"
]
Pricing = Literal["external", "house"]
Result = Literal["won", "lost", "placed", "push", "half_won", "half_lost", "void"]
BetKind = Literal[
    "single",
    "accumulator",
    "each_way",
    "trixie",
    "patent",
    "yankee",
    "lucky15",
    "canadian",
    "lucky31",
    "heinz",
    "lucky63",
    "super_heinz",
    "goliath",
]
Side = Literal["back", "lay"]
Period = Literal["full_time", "first_half"]
AbandonRule = Literal["void_undecided", "void_all"]
SettledStatus = Literal["won", "lost", "void", "part_won"]
EndStatus = Literal[SettledStatus, "cashed_out"]
ByHand = Literal["void", "cash_out"]
ArbitrageKind = Literal["two_way", "n_way", "back_lay", "cross_market", "middle"]
ArbitrageEnd = Literal["price_moved", "expired", "not_open", "limits"]
ArbitrageWarning = Literal["margin_over_10_percent", "stale_leg", "rules_differ"]
MatchRule = Literal["same_name", "alias", "likeness"]
MatchedBy = Literal[MatchRule, "operator"]
ModelKind = Literal["football.goals", "football.stack", "racing.logit"]
ValueEnd = Literal["price_moved", "prediction_changed", "expired", "not_open", "limits"]


# ---- values that events carry


class Fixture(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A sporting event; `home` and `away` name the sides where it has sides."""

    sport: str
    competition: str
    name: str
    starts_at: datetime
    fixture_id: UUID | None = None
    home: str | None = None
    away: str | None = None


class Selection(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One priced side of a market."""

    selection_id: str
    name: str


class Terms(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Each-way terms (places paid, and the divisor of the win odds) and the Rule 4 table, as `operator/version`."""

    each_way_places: int | None = None
    each_way_divisor: int | None = None
    rule4: str | None = None


class MarketLimits(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What one bet on this market may stake and return, in minor units of the bet's currency.

    `min_return_minor` and `max_return_minor` refuse a bet that could return less or more, `max_payout_minor` takes it and
    caps what it returns.
    `max_liability_minor` is what all open bets of one currency together may cost the house on any outcome
    (domain.liability).
    """

    max_stake_minor: int | None = None
    max_return_minor: int | None = None
    max_payout_minor: int | None = None
    max_liability_minor: int | None = None
    min_stake_minor: int | None = None
    min_return_minor: int | None = None


class AccountLimits(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What an account may have at risk in open bets at once, and what these may win together, in minor units."""

    max_in_play_minor: int | None = None
    max_profit_minor: int | None = None


class Held(Struct, frozen=True, gc=False, omit_defaults=True):
    """Sums of open bets of one currency: what they hold in play, and what they return at the most.

    Plain singles are held by selection and side. Of all others (`selection_id` None) nobody asks on which outcome.
    """

    currency: str
    bets: int
    stake_minor: int
    return_minor: int
    selection_id: str | None = None
    side: Side = "back"


class Leg(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One selection of a bet, at the decimal odds that were taken; None: at the starting price."""

    market_id: UUID
    selection_id: str
    odds: Decimal | None


class Score(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Goals (or points) of the two sides."""

    home: int
    away: int


class DeadHeat(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """`tied` runners share `places` places: the factor is places / tied."""

    tied: int
    places: int


class SelectionResult(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How one selection ended; `position` is the finishing position, where there is one."""

    selection_id: str
    result: Result
    dead_heat: DeadHeat | None = None
    position: int | None = None


class StartingPrice(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The decimal odds of a selection when its race began."""

    selection_id: str
    odds: Decimal


class Quote(Struct, frozen=True, gc=False):
    """A bookmaker's price for one selection at one moment; `size` is what may be staked at it, as the bookmaker gives it.

    A `withdrawn` quote says that the price `odds`, the last one known, is no longer offered.
    """

    bookmaker: str
    selection_id: str
    odds: Decimal
    at: datetime
    size: Decimal | None = None
    closing: bool = False
    side: Side = "back"
    withdrawn: bool = False


class ArbitrageLeg(Struct, frozen=True, gc=False):
    """One bet of an arbitrage: `stake_minor` is what the back stakes or the lay is asked to match (not its liability)."""

    bookmaker: str
    market_id: UUID
    selection_id: str
    side: Side
    odds: Decimal
    stake_minor: int
    quoted_at: datetime


class Opportunity(Struct, frozen=True, gc=False):
    """A priced arbitrage: its legs, the outlay (back stakes and lay liabilities), and what it pays at the least.

    `margin` is the guaranteed profit over the outlay before stakes are rounded; money in minor units of `currency`.
    `sequence` is the place in the price stream of the message that made it so.
    """

    kind: ArbitrageKind
    fixture_id: UUID
    legs: tuple[ArbitrageLeg, ...]
    currency: str
    outlay_minor: int
    guaranteed_profit_minor: int
    margin: Decimal
    warnings: tuple[ArbitrageWarning, ...]
    expires_at: datetime
    sequence: int


class FixtureCandidate(Struct, frozen=True, gc=False):
    """A fixture that a feed's name may mean; `likeness` is from 0 to 1, `swapped` when the sides are named in reverse."""

    fixture_id: UUID
    likeness: Decimal
    swapped: bool = False


class SettlementTotal(Struct, frozen=True, gc=False):
    """Sums over settled bets of one currency, in minor units."""

    currency: str
    bets: int
    stake_minor: int
    return_minor: int


class AccountAmount(Struct, frozen=True, gc=False):
    """An amount of one account, in minor units of its currency."""

    account_id: UUID
    amount_minor: int


class PriceSeen(Struct, frozen=True, gc=False):
    """A bookmaker's price that a decision went by, as it stood at `at`."""

    market_id: UUID
    selection_id: str
    bookmaker: str
    odds: Decimal
    at: datetime


class CashOut(Struct, frozen=True, gc=False):
    """What an offer to cash out was made of: the prices of the open legs then, and the share kept as a margin.

    `asked_minor` is what its owner asked for; it was paid as it stood, which may be less by the share `tolerance`.
    """

    margin: Decimal
    prices: tuple[PriceSeen, ...]
    asked_minor: int | None = None
    tolerance: Decimal = Decimal(0)


class Standing(Struct, frozen=True, gc=False):
    """What a bet can return and the odds of its legs, where that is no longer what was placed."""

    potential_return_minor: int
    odds: tuple[Decimal | None, ...]


class Estimate(Struct, frozen=True, gc=False):
    """A number with the interval that holds it with probability 95%."""

    mean: Decimal
    low: Decimal
    high: Decimal


class TrainingData(Struct, frozen=True, gc=False):
    """What a model has learned from: `rows` results that were known from `since` on and before `until`.

    `digest` is the SHA-256 of them, `source` says where they came from: `ledger`, or the names of files.
    """

    source: str
    rows: int
    since: datetime
    until: datetime
    digest: str


class Chance(Struct, frozen=True, gc=False):
    """What a model gives a selection: `probability` = 1 / (fair odds) with its 95% interval over the model's draws.

    `refund` is the share of a back's stake that comes back on average (pushes, halves); a unit at odds o returns
    refund + (1 − refund) · probability · o.
    """

    selection_id: str
    probability: Decimal
    low: Decimal
    high: Decimal
    refund: Decimal = Decimal(0)


class MarketChances(Struct, frozen=True, gc=False):
    """What a model gives the selections of a market."""

    market_id: UUID
    type: MarketType
    line: Decimal | None
    chances: tuple[Chance, ...]


class ExpectedGoals(Struct, frozen=True, gc=False):
    """How many goals each side scores on average."""

    home: Estimate
    away: Estimate


class ValueSignal(Struct, frozen=True, gc=False):
    """A price that beats what a model says it should be.

    `edge` is probability − 1/odds, `expected_value` what a unit earns on average after commission, `kelly` the share of
    a bankroll that grows it fastest beside the market's other selections, `stake_share` what is left of it after
    fraction and caps. `sequence` is the place in the price stream of the message that made it so.
    """

    fixture_id: UUID
    market_id: UUID
    selection_id: str
    side: Side
    bookmaker: str
    model_id: UUID
    odds: Decimal
    probability: Decimal
    low: Decimal
    high: Decimal
    fair_odds: Decimal
    edge: Decimal
    expected_value: Decimal
    kelly: Decimal
    stake_share: Decimal
    quoted_at: datetime
    expires_at: datetime
    sequence: int


# ---- events


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """Base of every fact; the shape's `topic` and `version` are class constants."""

    topic: ClassVar[str]
    version: ClassVar[int] = 1


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


class BetPlaced(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A bet was accepted; `stake_minor` is per line, `total_stake_minor` what it holds in play.

    `best_odds`: settled at the starting price where that is better. `placed_at` is set on races, whose runners may be
    withdrawn after it. A `free` bet holds no money in play: its stake is bonus and is not returned. What most bets leave
    at its default is not written.
    """

    topic = "bet.placed"
    version = 3  # of 2: each_way, best_odds, placed_at; legs at the starting price; of 3: free
    account_id: UUID
    owner: str
    kind: BetKind
    side: Side
    legs: tuple[Leg, ...]
    stake_minor: int
    total_stake_minor: int
    potential_return_minor: int
    currency: str
    each_way: bool = False
    best_odds: bool = False
    placed_at: datetime | None = None
    free: bool = False


class BetSettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Every leg of a bet is decided, or one that loses it whatever becomes of the others.

    `results` are in the order of its legs, None for those that are not decided yet. With a `reason` an operator made the bet void, whatever its markets say. With `cash_out` its owner took that offer
    instead: `results` are then empty. Stake and return are of what was left of the bet, `standing` says how it stood.
    """

    topic = "bet.settled"
    # of 2: reason; of 3: cash_out; of 4: standing, what was asked for a cash-out, and results that are None
    version = 4
    account_id: UUID
    status: EndStatus
    results: tuple[SelectionResult | None, ...]
    stake_minor: int
    return_minor: int
    currency: str
    reason: str | None = None
    cash_out: CashOut | None = None
    standing: Standing | None = None


class BetPartCashedOut(Event, frozen=True, kw_only=True):
    """A part of an open bet's stake was settled at an offer; the rest stays open.

    The part could have returned `potential_return_minor`.
    """

    topic = "bet.part_cashed_out"
    account_id: UUID
    stake_minor: int
    return_minor: int
    potential_return_minor: int
    currency: str
    cash_out: CashOut


class BetPartsVoided(Event, frozen=True, kw_only=True):
    """An operator made a bet void of which parts were cashed out: they return their stake, `difference_minor` more or less."""

    topic = "bet.parts_voided"
    account_id: UUID
    stake_minor: int
    difference_minor: int
    currency: str
    reason: str


class BetResettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A settled bet ended otherwise, by a corrected result: `difference_minor` is what it returns more, or less.

    With a `reason` an operator made the bet void, whatever its markets say.
    """

    topic = "bet.resettled"
    version = 3  # of 2: reason; of 3: results that are None
    account_id: UUID
    status: SettledStatus
    results: tuple[SelectionResult | None, ...]
    stake_minor: int
    return_minor: int
    difference_minor: int
    currency: str
    reason: str | None = None


class RepricingProposed(Event, frozen=True, kw_only=True):
    """An operator says that a leg's odds were a palpable error; nothing changes until another one approves."""

    topic = "bet.repricing_proposed"
    account_id: UUID
    repricing_id: UUID
    market_id: UUID
    selection_id: str
    odds_before: Decimal
    odds: Decimal
    reason: str
    proposer: str


class RepricingRejected(Event, frozen=True, kw_only=True):
    """A proposed repricing was not approved: the bet stays as it was."""

    topic = "bet.repricing_rejected"
    account_id: UUID
    repricing_id: UUID
    proposer: str
    rejecter: str
    reason: str | None = None


class BetRepriced(Event, frozen=True, kw_only=True):
    """A leg has other odds than were taken, as `proposer` said and `approver` agreed.

    A bet that `is_settled` is settled again by what follows; the rest of an open one can return another amount.
    """

    topic = "bet.repriced"
    account_id: UUID
    repricing_id: UUID
    market_id: UUID
    selection_id: str
    odds_before: Decimal
    odds: Decimal
    potential_return_before_minor: int
    potential_return_minor: int
    is_settled: bool
    reason: str
    proposer: str
    approver: str


class BetReopened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A settled bet is undecided again, because a result was rolled back; `return_minor` is taken back.

    It stands as `standing` says where parts were cashed out or its odds corrected.
    """

    topic = "bet.reopened"
    version = 2  # of 2: standing
    account_id: UUID
    stake_minor: int
    return_minor: int
    currency: str
    standing: Standing | None = None


class MarketOpened(Event, frozen=True, kw_only=True):
    """A proposition on a fixture is offered; `line` is the total for OU, the home handicap for AH."""

    topic = "market.opened"
    version = 4  # of 2: types DC and DNB; of 3: rule4, max_payout_minor, period; of 4: other limits
    fixture: Fixture
    type: MarketType
    selections: tuple[Selection, ...]
    pricing: Pricing
    line: Decimal | None = None
    terms: Terms | None = None
    limits: MarketLimits | None = None
    period: Period = "full_time"


class MarketLimitsChanged(Event, frozen=True, kw_only=True):
    """The market has these limits from now on, and no others."""

    topic = "market.limits_changed"
    limits: MarketLimits


class MarketSuspended(Event, frozen=True, kw_only=True):
    """The market takes no bets for now."""

    topic = "market.suspended"
    reason: str | None = None


class MarketResumed(Event, frozen=True, kw_only=True):
    """The market takes bets again."""

    topic = "market.resumed"


class MarketClosed(Event, frozen=True, kw_only=True):
    """The market takes no more bets."""

    topic = "market.closed"


class ResultDeclared(Event, frozen=True, kw_only=True):
    """How the market's selections ended, all that is known; `score` is what it was derived from, if it was.

    A later one takes the place of an earlier one. `partial`: selections without a result are undecided. `generation`
    counts the changes of what the market's bets are settled by.
    """

    topic = "market.result_declared"
    version = 3  # of 2: generation, partial; of 3: half_time, starting_prices
    results: tuple[SelectionResult, ...]
    score: Score | None = None
    generation: int = 1
    partial: bool = False
    half_time: Score | None = None
    starting_prices: tuple[StartingPrice, ...] = ()


class RunnerWithdrawn(Event, frozen=True, kw_only=True):
    """A runner does not run: bets on it are void, and those placed before `at` on the others pay less.

    `odds` is its price then, for Rule 4, `factor` an exchange's reduction factor in percent.
    """

    topic = "market.runner_withdrawn"
    selection_id: str
    at: datetime
    generation: int
    odds: Decimal | None = None
    factor: Decimal | None = None


class MarketAbandoned(Event, frozen=True, kw_only=True):
    """What the market is on was abandoned or postponed: by `rule` all is void, or what was undecided; `results` say so."""

    topic = "market.abandoned"
    reason: str
    rule: AbandonRule
    results: tuple[SelectionResult, ...]
    generation: int


class RunnerReinstated(Event, frozen=True, kw_only=True):
    """A runner was withdrawn by mistake: it runs after all.

    `results` are those that stand now where its withdrawal had made it void among them, else None: nothing changed.
    """

    topic = "market.runner_reinstated"
    selection_id: str
    generation: int
    reason: str
    results: tuple[SelectionResult, ...] | None = None


class ResultRolledBack(Event, frozen=True, kw_only=True):
    """The market has no result any more, and stays closed for bets: what it settled is undecided again."""

    topic = "market.result_rolled_back"
    generation: int
    reason: str | None = None


class SettlementProgressed(Event, frozen=True, kw_only=True):
    """One transaction's worth of the market's bets was visited, in the order of their placing, up to position `after`.

    `totals` say what it changed: a reopened bet counts -1 with its stake and return, a resettled one 0 with the difference.
    `profits` are changes of the profit, on this market alone, of accounts that pay commission.
    """

    topic = "settlement.progressed"
    version = 3  # of 2: generation, after; of 3: profits
    market_id: UUID
    totals: tuple[SettlementTotal, ...]
    generation: int = 1
    after: int = 0
    profits: tuple[AccountAmount, ...] = ()


class SettlementCompleted(Event, frozen=True, kw_only=True):
    """Every bet that touches the market was visited in this generation; `totals` are of all its settlement so far.

    `commissions` are what was charged here, more or less than before.
    """

    topic = "settlement.completed"
    version = 3  # of 2: generation; of 3: commissions
    market_id: UUID
    totals: tuple[SettlementTotal, ...]
    generation: int = 1
    commissions: tuple[AccountAmount, ...] = ()


class LiabilityCounted(Event, frozen=True, kw_only=True):
    """From now on the market's liability is followed; `held` is all that is open on it at this moment."""

    topic = "liability.counted"
    market_id: UUID
    held: tuple[Held, ...]


class LiabilityChanged(Event, frozen=True, kw_only=True):
    """Bets on the market were taken, ended, opened again or changed: `held` are the differences, negative for what was let go."""

    topic = "liability.changed"
    market_id: UUID
    held: tuple[Held, ...]


class OddsSnapshotTaken(Event, frozen=True, kw_only=True):
    """A batch of quotes for one market was seen."""

    topic = "odds.snapshot_taken"
    version = 2  # of 2: the side of a quote, and quotes that were withdrawn
    market_id: UUID
    quotes: tuple[Quote, ...]


class ArbitrageDetected(Event, frozen=True, kw_only=True):
    """An arbitrage exists in the prices that are offered now."""

    topic = "arbitrage.detected"
    opportunity: Opportunity


class ArbitrageChanged(Event, frozen=True, kw_only=True):
    """An open arbitrage has other legs, or pays materially more or less."""

    topic = "arbitrage.changed"
    opportunity: Opportunity


class ArbitrageClosed(Event, frozen=True, kw_only=True):
    """The arbitrage is gone; `best_margin` is the best that it showed."""

    topic = "arbitrage.closed"
    reason: ArbitrageEnd
    best_margin: Decimal
    sequence: int


class ValueDetected(Event, frozen=True, kw_only=True):
    """A price beats what the active model says it should be."""

    topic = "value.detected"
    signal: ValueSignal


class ValueChanged(Event, frozen=True, kw_only=True):
    """An open value signal has another price, or is worth materially more or less."""

    topic = "value.changed"
    signal: ValueSignal


class ValueClosed(Event, frozen=True, kw_only=True):
    """The value is gone; `best_expected_value` is the best that it showed."""

    topic = "value.closed"
    reason: ValueEnd
    best_expected_value: Decimal
    sequence: int


class ModelTrained(Event, frozen=True, kw_only=True):
    """A model has learned; `artefact` is the SHA-256 of the file that holds it, `scope` what it speaks of (`E0`, `HK`)."""

    topic = "model.trained"
    kind: ModelKind
    scope: str
    artefact: str
    artefact_bytes: int
    code_version: str
    data: TrainingData
    parameters: dict[str, str]
    metrics: dict[str, Decimal]


class ModelEvaluated(Event, frozen=True, kw_only=True):
    """How good the model's forecasts were of matches from `since` to before `until` that it had not seen.

    `difference` is of the log loss to that of the model `against` on the same matches: below 0 this one is better.
    """

    topic = "model.evaluated"
    since: datetime
    until: datetime
    matches: int
    metrics: dict[str, Decimal]
    against: UUID | None = None
    difference: Estimate | None = None


class ModelActivated(Event, frozen=True, kw_only=True):
    """From now on this model speaks for its slot; `forced`: whether or not it is worse than the one `before`."""

    topic = "model.activated"
    model_id: UUID
    before: UUID | None = None
    forced: bool = False
    reason: str | None = None


class PredictionMade(Event, frozen=True, kw_only=True):
    """What a model says of a fixture's markets, knowing nothing of `as_of` or later."""

    topic = "prediction.made"
    model_id: UUID
    fixture_id: UUID
    as_of: datetime
    markets: tuple[MarketChances, ...]
    expected_goals: ExpectedGoals | None = None


class PredictionScored(Event, frozen=True, kw_only=True):
    """How a prediction of a market turned out by its result of this generation.

    Losses are None where there is nothing to lose: all was void or refunded, or the result was rolled back (no `winners`).
    """

    topic = "prediction.scored"
    market_id: UUID
    generation: int
    winners: tuple[str, ...]
    log_loss: Decimal | None
    brier: Decimal | None
    rps: Decimal | None


class FeedNameSeen(Event, frozen=True, kw_only=True):
    """A feed names an event that matches no fixture beyond doubt; `candidates` come best first."""

    topic = "feed_name.seen"
    feed: str
    sport: str
    competition: str
    name: str
    starts_at: datetime
    home: str | None = None
    away: str | None = None
    candidates: tuple[FixtureCandidate, ...] = ()


class FeedNameMatched(Event, frozen=True, kw_only=True):
    """What the feed names is this fixture; `swapped` when the feed names its sides in reverse."""

    topic = "feed_name.matched"
    fixture_id: UUID
    by: MatchedBy
    swapped: bool = False


ALL_EVENTS: tuple[type[Event], ...] = (
    AccountOpened,
    AccountLimitsChanged,
    FundsDeposited,
    FundsReserved,
    FundsPaidOut,
    FundsReleased,
    StakeReserved,
    StakeSettled,
    StakeResettled,
    StakeReopened,
    StakeRepriced,
    BonusGranted,
    FreeStakeReserved,
    CommissionCharged,
    WithdrawalRequested,
    WithdrawalCompleted,
    WithdrawalRejected,
    BetPlaced,
    BetSettled,
    BetPartCashedOut,
    BetPartsVoided,
    RepricingProposed,
    RepricingRejected,
    BetRepriced,
    BetResettled,
    BetReopened,
    MarketOpened,
    MarketLimitsChanged,
    MarketSuspended,
    MarketResumed,
    MarketClosed,
    ResultDeclared,
    ResultRolledBack,
    RunnerWithdrawn,
    RunnerReinstated,
    MarketAbandoned,
    SettlementProgressed,
    SettlementCompleted,
    LiabilityCounted,
    LiabilityChanged,
    OddsSnapshotTaken,
    ArbitrageDetected,
    ArbitrageChanged,
    ArbitrageClosed,
    ValueDetected,
    ValueChanged,
    ValueClosed,
    ModelTrained,
    ModelEvaluated,
    ModelActivated,
    PredictionMade,
    PredictionScored,
    FeedNameSeen,
    FeedNameMatched,
)
RESULT_EVENTS: tuple[type[Event], ...] = (
    ResultDeclared,
    ResultRolledBack,
    RunnerWithdrawn,
    RunnerReinstated,
    MarketAbandoned,
)
"""Each begins a generation of its market: bets on it have to be visited."""

EVENT_OF_TOPIC: dict[str, type[Event]] = {event.topic: event for event in ALL_EVENTS}


class Recorded(Struct, frozen=True, gc=False):
    """An event as the log holds it: what, where in which stream, when, who, by which command.

    `position` is its place in the whole log (1, 2, 3 … without gaps), `version` its place in its stream, `trace` a
    W3C traceparent when the command was traced.
    """

    position: int
    stream_id: UUID
    version: int
    at: datetime
    actor: str
    command_id: UUID
    trace: str | None
    event: Event
