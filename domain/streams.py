"""Every kind of stream behind one door: fold an event into whatever state its stream has."""

from uuid import UUID

from domain.account import Account
from domain.bet import Bet
from domain.events.account import AccountOpened, WithdrawalRequested
from domain.events.arbitrage import ArbitrageDetected
from domain.events.bet import BetPlaced
from domain.events.event import Event
from domain.events.feed_name import FeedNameSeen
from domain.events.liability import LiabilityChanged, LiabilityCounted
from domain.events.market import MarketOpened
from domain.events.model import ModelActivated, ModelTrained
from domain.events.odds import OddsSnapshotTaken
from domain.events.prediction import PredictionMade
from domain.events.settlement import SettlementCompleted, SettlementProgressed
from domain.events.value import ValueDetected
from domain.feed_name import FeedName
from domain.forecast import Forecast
from domain.liability import Liability
from domain.market import Market
from domain.model import Model, Slot
from domain.odds import HousePrices
from domain.opportunity import Arbitrage
from domain.settling import Settling
from domain.value_signal import Value
from domain.withdrawal import Withdrawal

State = (
    Account
    | Bet
    | Market
    | Withdrawal
    | Settling
    | Liability
    | HousePrices
    | Arbitrage
    | Value
    | Model
    | Slot
    | Forecast
    | FeedName
)

STATE_OF_FIRST_EVENT: dict[type[Event], type[State]] = {
    AccountOpened: Account,
    BetPlaced: Bet,
    MarketOpened: Market,
    WithdrawalRequested: Withdrawal,
    SettlementProgressed: Settling,
    SettlementCompleted: Settling,
    LiabilityCounted: Liability,
    LiabilityChanged: Liability,
    OddsSnapshotTaken: HousePrices,
    ArbitrageDetected: Arbitrage,
    ValueDetected: Value,
    ModelTrained: Model,
    ModelActivated: Slot,
    PredictionMade: Forecast,
    FeedNameSeen: FeedName,
}


def evolve(state: State | None, stream_id: UUID, event: Event) -> State:
    """Give the state of `stream_id` after `event`; `state` is None before its first event."""
    if state is None:
        return STATE_OF_FIRST_EVENT[type(event)].start(stream_id, event)  # type: ignore[arg-type]
    return state.evolve(event)  # type: ignore[arg-type]
