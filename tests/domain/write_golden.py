"""Golden files: one example of every topic and version, in the bytes that the log holds.

`python -m tests.domain.write_golden` writes those that are missing and never changes one that exists: what the log
holds stays as it is for ever, so what reads it must go on reading it.
"""

import json
import sys
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from adapters.postgres.codec import encode_event
from domain.events import ALL_EVENTS
from domain.events.account import (
    AccountLimits,
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
from domain.events.arbitrage import (
    ArbitrageChanged,
    ArbitrageClosed,
    ArbitrageDetected,
    ArbitrageLeg,
    Opportunity,
)
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
    PriceSeen,
    RepricingProposed,
    RepricingRejected,
    Standing,
)
from domain.events.event import Event
from domain.events.feed_name import FeedNameMatched, FeedNameSeen, FixtureCandidate
from domain.events.liability import Held, LiabilityChanged, LiabilityCounted
from domain.events.market import (
    DeadHeat,
    MarketAbandoned,
    MarketClosed,
    MarketLimits,
    MarketLimitsChanged,
    MarketOpened,
    MarketResumed,
    MarketSuspended,
    ResultDeclared,
    ResultRolledBack,
    RunnerReinstated,
    RunnerWithdrawn,
    Score,
    SelectionResult,
    StartingPrice,
    Terms,
)
from domain.events.model import Estimate, ModelActivated, ModelEvaluated, ModelTrained, TrainingData
from domain.events.odds import OddsSnapshotTaken, Quote
from domain.events.prediction import (
    Chance,
    ExpectedGoals,
    MarketChances,
    PredictionMade,
    PredictionScored,
)
from domain.events.settlement import (
    AccountAmount,
    SettlementCompleted,
    SettlementProgressed,
    SettlementTotal,
)
from domain.events.value import ValueChanged, ValueClosed, ValueDetected, ValueSignal
from tests.builders import ACCOUNT, BET, FIXTURE, MARKET, SELECTIONS, TRANSFER, an_id, leg

FOLDER: Final = Path(__file__).parent / "golden"
AT: Final = datetime(2024, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
ACTOR: Final = "alice"
COMMAND: Final = an_id("command")
TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

_totals = (SettlementTotal("EUR", 2, 3_000, 2_500), SettlementTotal("GBP", 1, 100, 0))
_held = (
    Held("EUR", 3, 3_000, 7_500, "home", "lay"),
    Held("GBP", -1, -100, -2_500),
)
_amounts = (AccountAmount(ACCOUNT, -1_500),)
_results = (
    SelectionResult("home", "won", DeadHeat(tied=2, places=1), 1),
    SelectionResult("away", "half_lost"),
)
_cash_out = CashOut(
    Decimal("0.05"),
    (PriceSeen(MARKET, "home", "Pinnacle", Decimal("2.25"), AT),),
    asked_minor=450,
    tolerance=Decimal("0.02"),
)
_standing = Standing(1_500, (Decimal("2.50"), None))

_opportunity = Opportunity(
    kind="back_lay",
    fixture_id=an_id("fixture"),
    legs=(
        ArbitrageLeg("Pinnacle", MARKET, "home", "back", Decimal("2.10"), 10_000, AT),
        ArbitrageLeg("Betfair", MARKET, "home", "lay", Decimal("2.02"), 10_448, AT),
    ),
    currency="EUR",
    outlay_minor=20_657,
    guaranteed_profit_minor=343,
    margin=Decimal("0.016605"),
    warnings=("stale_leg", "rules_differ"),
    expires_at=AT,
    sequence=6,
)

_signal = ValueSignal(
    fixture_id=an_id("fixture"),
    market_id=MARKET,
    selection_id="home",
    side="back",
    bookmaker="pinnacle",
    model_id=an_id("model"),
    odds=Decimal("2.10"),
    probability=Decimal("0.512345"),
    low=Decimal("0.48"),
    high=Decimal("0.545"),
    fair_odds=Decimal("1.952"),
    edge=Decimal("0.036155"),
    expected_value=Decimal("0.075925"),
    kelly=Decimal("0.069022"),
    stake_share=Decimal("0.017256"),
    quoted_at=AT,
    expires_at=AT,
    sequence=6,
)
_difference = Estimate(Decimal("-0.0012"), Decimal("-0.004"), Decimal("0.0016"))

EXAMPLES: Final[dict[type[Event], Event]] = {
    type(event): event
    for event in (
        AccountOpened(
            owner="alice",
            currency="EUR",
            name="Ålice’s main",
            held_at="Betfair",
            commission=Decimal("0.05"),
            limits=AccountLimits(max_in_play_minor=50_000, max_profit_minor=2**53 - 1),
        ),
        AccountLimitsChanged(limits=AccountLimits(max_in_play_minor=50_000, max_profit_minor=7)),
        FundsDeposited(
            transfer_id=TRANSFER,
            method="card",
            reference="R-1",
            amount_minor=12_345,
            currency="EUR",
        ),
        FundsReserved(transfer_id=TRANSFER, amount_minor=12_345, currency="EUR"),
        FundsPaidOut(transfer_id=TRANSFER, method="bank", amount_minor=12_345, currency="EUR"),
        FundsReleased(transfer_id=TRANSFER, amount_minor=12_345, currency="EUR"),
        StakeReserved(
            bet_id=BET, potential_return_minor=30_863, amount_minor=12_345, currency="EUR"
        ),
        StakeSettled(
            bet_id=BET,
            stake_minor=12_345,
            return_minor=30_863,
            potential_return_minor=30_863,
            currency="EUR",
            bonus_minor=5,
            by_hand="cash_out",
        ),
        StakeResettled(
            bet_id=BET, difference_minor=-18_518, currency="EUR", bonus_minor=-5, by_hand="void"
        ),
        BonusGranted(transfer_id=TRANSFER, amount_minor=500, currency="EUR", reason="welcome"),
        FreeStakeReserved(
            bet_id=BET, amount_minor=500, potential_return_minor=1_500, currency="EUR"
        ),
        StakeReopened(
            bet_id=BET,
            stake_minor=12_345,
            return_minor=30_863,
            potential_return_minor=30_863,
            currency="EUR",
            bonus_minor=5,
        ),
        StakeRepriced(bet_id=BET, difference_minor=-8_500, currency="EUR"),
        CommissionCharged(market_id=MARKET, amount_minor=-75, currency="EUR"),
        WithdrawalRequested(
            account_id=ACCOUNT, method="bank", reference="R-2", amount_minor=12_345, currency="EUR"
        ),
        WithdrawalCompleted(account_id=ACCOUNT),
        WithdrawalRejected(account_id=ACCOUNT, reason="no such bank"),
        BetPlaced(
            account_id=ACCOUNT,
            owner="alice",
            kind="single",
            side="back",
            legs=(leg("2.50"), Leg(MARKET, "away", None)),
            stake_minor=1_000,
            total_stake_minor=1_000,
            potential_return_minor=2_500,
            currency="EUR",
            each_way=True,
            best_odds=True,
            placed_at=AT,
            free=True,
        ),
        BetSettled(
            account_id=ACCOUNT,
            status="part_won",
            results=_results,
            stake_minor=1_000,
            return_minor=1_250,
            currency="EUR",
            reason="palpable error",
            cash_out=_cash_out,
            standing=_standing,
        ),
        BetPartCashedOut(
            account_id=ACCOUNT,
            stake_minor=400,
            return_minor=444,
            potential_return_minor=1_000,
            currency="EUR",
            cash_out=_cash_out,
        ),
        BetPartsVoided(
            account_id=ACCOUNT,
            stake_minor=400,
            difference_minor=-44,
            currency="EUR",
            reason="placed by mistake",
        ),
        RepricingProposed(
            account_id=ACCOUNT,
            repricing_id=TRANSFER,
            market_id=MARKET,
            selection_id="home",
            odds_before=Decimal("19.0"),
            odds=Decimal("2.00"),
            reason="palpable error",
            proposer="olga",
        ),
        RepricingRejected(
            account_id=ACCOUNT,
            repricing_id=TRANSFER,
            proposer="olga",
            rejecter="oscar",
            reason="it was offered",
        ),
        BetRepriced(
            account_id=ACCOUNT,
            repricing_id=TRANSFER,
            market_id=MARKET,
            selection_id="home",
            odds_before=Decimal("19.0"),
            odds=Decimal("2.00"),
            potential_return_before_minor=9_500,
            potential_return_minor=1_000,
            is_settled=True,
            reason="palpable error",
            proposer="olga",
            approver="oscar",
        ),
        BetResettled(
            account_id=ACCOUNT,
            status="lost",
            results=_results,
            stake_minor=1_000,
            return_minor=0,
            difference_minor=-1_250,
            currency="EUR",
            reason="palpable error",
        ),
        BetReopened(
            account_id=ACCOUNT,
            stake_minor=1_000,
            return_minor=1_250,
            currency="EUR",
            standing=_standing,
        ),
        MarketOpened(
            fixture=FIXTURE,
            type="OU",
            selections=SELECTIONS,
            pricing="house",
            line=Decimal("2.25"),
            terms=Terms(each_way_places=3, each_way_divisor=5, rule4="traditional/1"),
            limits=MarketLimits(
                max_stake_minor=100_000,
                max_return_minor=2**53 - 1,
                max_payout_minor=5_000_000,
                max_liability_minor=250_000,
            ),
            period="first_half",
        ),
        MarketLimitsChanged(
            limits=MarketLimits(
                max_stake_minor=100_000,
                max_return_minor=2**53 - 1,
                max_payout_minor=5_000_000,
                max_liability_minor=250_000,
            )
        ),
        MarketSuspended(reason="injury"),
        MarketResumed(),
        MarketClosed(),
        ResultDeclared(
            results=_results,
            score=Score(home=2, away=1),
            generation=3,
            partial=True,
            half_time=Score(home=1, away=0),
            starting_prices=(StartingPrice("home", Decimal("3.25")),),
        ),
        RunnerWithdrawn(
            selection_id="away", at=AT, generation=5, odds=Decimal("5.0"), factor=Decimal("12.5")
        ),
        RunnerReinstated(selection_id="away", generation=7, reason="a slip", results=_results[:1]),
        MarketAbandoned(reason="fog", rule="void_undecided", results=_results, generation=6),
        ResultRolledBack(generation=4, reason="wrong match"),
        SettlementProgressed(
            market_id=MARKET, totals=_totals, generation=3, after=1_234, profits=_amounts
        ),
        SettlementCompleted(market_id=MARKET, totals=_totals, generation=3, commissions=_amounts),
        LiabilityCounted(market_id=MARKET, held=_held),
        LiabilityChanged(market_id=MARKET, held=_held),
        OddsSnapshotTaken(
            market_id=MARKET,
            quotes=(
                Quote("Pinnacle", "home", Decimal("2.345"), AT, Decimal("1000.50"), closing=True),
                Quote("house", "away", Decimal("1E+2"), AT, side="lay", withdrawn=True),
            ),
        ),
        ArbitrageDetected(opportunity=_opportunity),
        ArbitrageChanged(opportunity=_opportunity),
        ArbitrageClosed(reason="price_moved", best_margin=Decimal("0.012345"), sequence=7),
        ValueDetected(signal=_signal),
        ValueChanged(signal=_signal),
        ValueClosed(
            reason="prediction_changed", best_expected_value=Decimal("0.081234"), sequence=7
        ),
        ModelTrained(
            kind="football.goals",
            scope="E0",
            artefact="ab" * 32,
            artefact_bytes=12_345,
            code_version="1.2.3",
            data=TrainingData(source="ledger", rows=380, since=AT, until=AT, digest="cd" * 32),
            parameters={"half_life_days": "400"},
            metrics={"log_loss": Decimal("0.963125")},
        ),
        ModelEvaluated(
            since=AT,
            until=AT,
            matches=380,
            metrics={"rps": Decimal("0.1977")},
            against=an_id("other model"),
            difference=_difference,
        ),
        ModelActivated(
            model_id=an_id("model"),
            before=an_id("other model"),
            forced=True,
            reason="the data of the other one were wrong",
        ),
        PredictionMade(
            model_id=an_id("model"),
            fixture_id=an_id("fixture"),
            as_of=AT,
            markets=(
                MarketChances(
                    market_id=MARKET,
                    type="OU",
                    line=Decimal("2.25"),
                    chances=(
                        Chance(
                            "over",
                            Decimal("0.541234"),
                            Decimal("0.5"),
                            Decimal("0.58"),
                            Decimal("0.125"),
                        ),
                    ),
                ),
            ),
            expected_goals=ExpectedGoals(
                Estimate(Decimal("1.71"), Decimal("1.5"), Decimal("1.9")),
                Estimate(Decimal("1.05"), Decimal("0.9"), Decimal("1.2")),
            ),
        ),
        PredictionScored(
            market_id=MARKET,
            generation=3,
            winners=("over",),
            log_loss=Decimal("0.613904"),
            brier=Decimal("0.420932"),
            rps=Decimal("0.210466"),
        ),
        FeedNameSeen(
            feed="betfair",
            sport="football",
            competition="Premier League",
            name="Arsenal v Chelsea",
            starts_at=AT,
            home="Arsenal",
            away="Chelsea",
            candidates=(FixtureCandidate(an_id("fixture"), Decimal("0.75"), swapped=True),),
        ),
        FeedNameMatched(fixture_id=an_id("fixture"), by="operator", swapped=True),
    )
}


def golden_path(event: type[Event]) -> Path:
    """Where the example of an event's current version lies."""
    return FOLDER / f"{event.topic}.v{event.version}.json"


def encoded(event: Event) -> bytes:
    """The event in the envelope that the log holds."""
    return encode_event(event, AT, ACTOR, COMMAND, TRACE)


def shape(kind: Any) -> Any:
    """Describe a type: structs as mappings by field, choices as lists, everything else by name."""
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return {
            field.name + ("" if field.required else "?"): shape(get_type_hints(kind)[field.name])
            for field in msgspec.structs.fields(kind)
        }
    if origin is Literal:
        return sorted(get_args(kind))
    if origin in (Union, types.UnionType):
        return {"any of": [shape(each) for each in get_args(kind)]}
    if origin is tuple:
        return {"many": shape(get_args(kind)[0])}
    return "nil" if kind is type(None) else kind.__name__


def golden(event: Event) -> str:
    """The golden file of an example."""
    state = encoded(event)
    number, *_, data = msgspec.msgpack.decode(state)
    content = {
        "topic": event.topic,
        "version": number,
        "shape": shape(type(event)),
        "data": json.loads(msgspec.json.encode({k: _readable(v) for k, v in data.items()})),
        "hex": state.hex(),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _readable(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {key: _readable(each) for key, each in value.items()}
        case list():
            return [_readable(each) for each in value]
        case _:
            return value


def write_missing() -> Iterator[Path]:
    """Write the golden files that are missing."""
    FOLDER.mkdir(exist_ok=True)
    for kind in ALL_EVENTS:
        path = golden_path(kind)
        if not path.exists():
            path.write_text(golden(EXAMPLES[kind]), encoding="utf-8")
            yield path


if __name__ == "__main__":
    for written in write_missing():
        print(f"wrote {written.name}", file=sys.stderr)
