"""From a command to events: find the state, let the domain decide, record what it says.

One module a noun. A decision records nothing before every check has passed, or lets the caller rewind.
"""

from application.answers import Answer
from application.decisions import (
    accounts,
    bets,
    cash_outs,
    feeds,
    markets,
    models,
    repricings,
    settlement,
    signals,
    voids,
)
from application.decisions.context import Context
from domain.commands.account import (
    ChangeAccountLimits,
    CompleteWithdrawal,
    Deposit,
    GrantBonus,
    OpenAccount,
    RejectWithdrawal,
    Withdraw,
)
from domain.commands.arbitrage import RecordArbitrages
from domain.commands.bet import (
    ApproveRepricing,
    CashOutBet,
    OfferCashOut,
    PlaceBet,
    PlaceBets,
    ProposeRepricing,
    RejectRepricing,
    VoidBet,
)
from domain.commands.command import Command
from domain.commands.feed_name import MatchFeedName, SeeFeedName
from domain.commands.market import (
    AbandonMarket,
    ChangeMarketLimits,
    CloseMarket,
    DeclareResult,
    OpenMarket,
    ReinstateRunner,
    ResumeMarket,
    RollBackResult,
    SuspendMarket,
    VoidMarket,
    WithdrawRunner,
)
from domain.commands.model import (
    ActivateModel,
    EvaluateModel,
    RecordPredictions,
    RegisterModel,
    ScorePredictions,
)
from domain.commands.odds import RecordOdds
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.commands.value import RecordValueSignals


def decide(command: Command, ctx: Context) -> Answer:
    """Decide one command against the book; raises a Refusal.

    A refusal may leave events of the command in the book: rewind to the mark taken before.
    """
    match command:
        case PlaceBet():
            return bets.place_bet(command, ctx)
        case PlaceBets():
            return bets.place_bets(command, ctx)
        case CashOutBet():
            return cash_outs.cash_out_bet(command, ctx)
        case OfferCashOut():
            return cash_outs.offer_cash_out(command, ctx)
        case ProposeRepricing():
            return repricings.propose_repricing(command, ctx)
        case ApproveRepricing():
            return repricings.approve_repricing(command, ctx)
        case RejectRepricing():
            return repricings.reject_repricing(command, ctx)
        case VoidBet():
            return voids.void_bet(command, ctx)
        case Deposit():
            return accounts.deposit(command, ctx)
        case GrantBonus():
            return accounts.grant_bonus(command, ctx)
        case Withdraw():
            return accounts.withdraw(command, ctx)
        case CompleteWithdrawal() | RejectWithdrawal():
            return accounts.finish_withdrawal(command, ctx)
        case OpenAccount():
            return accounts.open_account(command, ctx)
        case ChangeAccountLimits():
            return accounts.change_limits(command, ctx)
        case OpenMarket():
            return markets.open_market(command, ctx)
        case ChangeMarketLimits():
            return markets.change_limits(command, ctx)
        case (
            SuspendMarket()
            | ResumeMarket()
            | CloseMarket()
            | DeclareResult()
            | RollBackResult()
            | WithdrawRunner()
            | ReinstateRunner()
            | AbandonMarket()
            | VoidMarket()
        ):
            return markets.change_market(command, ctx)
        case RecordOdds():
            return markets.record_odds(command, ctx)
        case RecordArbitrages():
            return signals.record_arbitrages(command, ctx)
        case RecordValueSignals():
            return signals.record_value_signals(command, ctx)
        case RecordPredictions():
            return models.record_predictions(command, ctx)
        case ScorePredictions():
            return models.score_predictions(command, ctx)
        case RegisterModel():
            return models.register_model(command, ctx)
        case EvaluateModel():
            return models.evaluate_model(command, ctx)
        case ActivateModel():
            return models.activate_model(command, ctx)
        case SeeFeedName():
            return feeds.see_feed_name(command, ctx)
        case MatchFeedName():
            return feeds.match_feed_name(command, ctx)
        case SettleBets():
            return settlement.settle_bets(command, ctx)
        case CompleteSettlement():
            return settlement.complete_settlement(command, ctx)
        case _:
            raise TypeError(f"no decision for {type(command).__name__}")
