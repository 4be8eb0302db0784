"""The facts of the ledger: past tense, noun first, each with a topic and a version.

An event never changes after it has landed. A new shape is an optional field with a default; when that is not enough,
raise `version` and give the old one an upcast in `domain.upcasts`. Golden files in tests/domain/golden hold one
example of every topic and version.
"""

from domain.events.account import (
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
    WithdrawalCompleted,
    WithdrawalRejected,
    WithdrawalRequested,
)
from domain.events.arbitrage import ArbitrageChanged, ArbitrageClosed, ArbitrageDetected
from domain.events.bet import (
    BetPartCashedOut,
    BetPartsVoided,
    BetPlaced,
    BetReopened,
    BetRepriced,
    BetResettled,
    BetSettled,
    RepricingProposed,
    RepricingRejected,
)
from domain.events.event import Event
from domain.events.feed_name import FeedNameMatched, FeedNameSeen
from domain.events.liability import LiabilityChanged, LiabilityCounted
from domain.events.market import (
    MarketAbandoned,
    MarketClosed,
    MarketLimitsChanged,
    MarketOpened,
    MarketResumed,
    MarketSuspended,
    ResultDeclared,
    ResultRolledBack,
    RunnerReinstated,
    RunnerWithdrawn,
)
from domain.events.model import ModelActivated, ModelEvaluated, ModelTrained
from domain.events.odds import OddsSnapshotTaken
from domain.events.prediction import PredictionMade, PredictionScored
from domain.events.settlement import SettlementCompleted, SettlementProgressed
from domain.events.value import ValueChanged, ValueClosed, ValueDetected

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
EVENT_OF_TOPIC: dict[str, type[Event]] = {event.topic: event for event in ALL_EVENTS}
