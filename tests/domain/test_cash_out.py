"""What cashing a bet out pays."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.bet import Bet
from domain.cash_out import offer_minor
from domain.events.account import StakeSettled
from domain.events.bet import BetPlaced, CashOut, Leg, PriceSeen
from domain.events.event import Event
from domain.events.market import (
    MarketLimits,
    MarketSuspended,
    MarketType,
    ResultDeclared,
    RunnerWithdrawn,
    Selection,
    SelectionResult,
    Terms,
)
from domain.market import Market
from domain.refusals import BetStateConflict, MarketNotOpen, NotOffered, PriceStale, Refusal
from tests.builders import (
    MARKET,
    an_id,
    bet_placed,
    given_account,
    given_bet,
    given_market,
    market_opened,
)
from tests.domain.write_golden import AT

OTHER = an_id("another market")
NO_MARGIN = Decimal(0)


def seen(odds: str, market_id: UUID = MARKET) -> PriceSeen:
    return PriceSeen(market_id, "home", "pinnacle", Decimal(odds), AT)


def worth(
    bet: Bet, *prices: PriceSeen, margin: str = "0", markets: dict[UUID, Market] | None = None
) -> int:
    return offer_minor(
        bet, given_account(), markets or {MARKET: given_market()}, prices, Decimal(margin)
    )


def double() -> Bet:
    legs = tuple(Leg(market_id, "home", Decimal(3)) for market_id in (MARKET, OTHER))
    placed = bet_placed(1_000, 9_000)
    return given_bet(
        placed=BetPlaced(
            account_id=placed.account_id,
            owner=placed.owner,
            kind="accumulator",
            side="back",
            legs=legs,
            stake_minor=1_000,
            total_stake_minor=1_000,
            potential_return_minor=9_000,
            currency="EUR",
        )
    )


def test_ten_at_six_now_at_two_and_a_quarter_is_worth_26_67() -> None:
    bet = given_bet(placed=bet_placed(1_000, 6_000, "6.0"))
    assert worth(bet, seen("2.25")) == 2_667
    assert worth(bet, seen("2.25"), margin="0.05") == 2_533


@pytest.mark.parametrize(("result", "offer"), [("won", 4_500), ("void", 1_500)])
def test_a_decided_leg_counts_what_it_pays(result: str, offer: int) -> None:
    decided = ResultDeclared(
        results=(SelectionResult("home", result),),  # type: ignore[arg-type]
        partial=True,
    )
    markets = {MARKET: given_market(decided), OTHER: given_market()}
    assert worth(double(), seen("2", OTHER), markets=markets) == offer


def test_a_lost_leg_leaves_nothing_to_cash_out() -> None:
    lost = ResultDeclared(results=(SelectionResult("home", "lost"),), partial=True)
    markets = {MARKET: given_market(lost), OTHER: given_market()}
    with pytest.raises(NotOffered):
        worth(double(), seen("2", OTHER), markets=markets)


@pytest.mark.parametrize(
    ("events", "prices", "refusal"),
    [
        ([], [], PriceStale),
        ([], [seen("2", OTHER)], PriceStale),
        ([MarketSuspended()], [seen("2")], MarketNotOpen),
        (
            [ResultDeclared(results=(SelectionResult("home", "won"),), partial=True)],
            [seen("2")],
            BetStateConflict,
        ),
    ],
)
def test_there_is_no_offer(
    events: list[Event], prices: list[PriceSeen], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        worth(given_bet(), *prices, markets={MARKET: given_market(*events)})


def test_an_account_that_pays_commission_cashes_nothing_out() -> None:
    account = replace(given_account(), commission=Decimal("0.05"))
    with pytest.raises(NotOffered):
        offer_minor(given_bet(), account, {MARKET: given_market()}, [seen("2")], NO_MARGIN)


def test_a_cap_on_payouts_caps_the_offer() -> None:
    capped = given_market(opened=market_opened(limits=MarketLimits(max_payout_minor=2_000)))
    assert worth(given_bet(), seen("1.01"), markets={MARKET: capped}) == 2_000


def test_a_bet_that_was_cashed_out_stays_so_and_may_still_be_made_void() -> None:
    bet = given_bet()
    of_bet, of_account = bet.cash_out(1_111, CashOut(Decimal("0.05"), (seen("2.1"),)))
    assert isinstance(of_account, StakeSettled)
    assert of_account.return_minor == 1_111
    bet = bet.evolve(of_bet)
    assert bet.status == "cashed_out"
    won = ResultDeclared(results=(SelectionResult("home", "won"),), partial=True)
    for market in (given_market(), given_market(won)):
        assert bet.bring_to(bet.outcome({MARKET: market})) is None
    with pytest.raises(BetStateConflict):
        worth(bet, seen("2"))
    voided, _ = bet.void("placed by mistake")
    assert (voided.status, voided.return_minor) == ("void", 1_000)


@given(st.integers(1, 10**9), st.integers(1_001, 50_000), st.integers(1_001, 50_000))
def test_the_offer_never_exceeds_what_the_bet_can_return(stake: int, taken: int, now: int) -> None:
    odds = Decimal(taken) / 1000
    bet = given_bet(placed=bet_placed(stake, stake * taken // 1000, str(odds)))
    price = seen(str(Decimal(now) / 1000))
    try:
        offer = worth(bet, price)
    except NotOffered:  # nothing is left after rounding
        return
    assert offer <= (stake * taken + 500) // 1000


def race(*events: Event, market_type: MarketType = "WIN") -> Market:
    runners = tuple(Selection(each, each) for each in ("home", "away", "third"))
    opened = replace(
        market_opened(market_type, selections=runners), terms=Terms(rule4="traditional/1")
    )
    return given_market(*events, opened=opened)


def race_run(home: str, *, generation: int = 1) -> ResultDeclared:
    words = {"home": home, "away": "lost", "third": "lost"}
    return ResultDeclared(
        results=tuple(SelectionResult(each, word) for each, word in words.items()),  # type: ignore[arg-type]
        score=None,
        generation=generation,
    )


def test_a_leg_that_has_won_counts_what_rule_4_has_left_of_its_odds() -> None:
    late = AT + timedelta(minutes=1)
    withdrawn = RunnerWithdrawn(selection_id="away", at=late, generation=1, odds=Decimal(3))  # 30p
    bet = double()
    bet = replace(
        bet, placed=replace(bet.placed, placed_at=AT), standing=replace(bet.placed, placed_at=AT)
    )
    markets = {
        MARKET: race(withdrawn, race_run("won", generation=2)),
        OTHER: given_market(),
    }
    # 1 + 2 × 0.7 = 2.4 of the race, 3 / 1.5 of the match.
    assert worth(bet, seen("1.5", OTHER), markets=markets) == 4_800


def test_a_leg_that_is_placed_in_a_place_market_has_won() -> None:
    markets = {MARKET: race(race_run("placed"), market_type="PLACE"), OTHER: given_market()}
    assert worth(double(), seen("1.5", OTHER), markets=markets) == 6_000
