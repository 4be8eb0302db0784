"""Bets of which parts are cashed out: what each pays, and what is left for the result."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.account import Account
from domain.bet import Bet
from domain.cash_out import cash_out, check_taken, offer_minor, stake_of
from domain.events.bet import (
    BetPartCashedOut,
    BetPartsVoided,
    BetReopened,
    BetSettled,
    CashOut,
    PriceSeen,
)
from domain.events.event import Event
from domain.events.market import MarketLimits, Result, ResultDeclared, SelectionResult
from domain.journal import postings
from domain.market import Market
from domain.money import single_return_minor
from domain.refusals import BetStateConflict, InvalidInput, NotOffered, PriceChanged
from domain.streams import evolve
from tests.builders import (
    ACCOUNT,
    BET,
    MARKET,
    bet_placed,
    given_account,
    given_bet,
    given_market,
    market_opened,
)
from tests.domain.write_golden import AT

MARGIN = Decimal("0.05")


class Desk:
    """An account with one bet; every event's postings are added up."""

    def __init__(self, stake: int, odds: str, cap: int | None = None) -> None:
        self.potential = single_return_minor(stake, Decimal(odds))
        self.bet = given_bet(placed=bet_placed(stake, self.potential, odds))
        account = given_account(funds_minor=stake)
        self.account = account.evolve(account.reserve_stake(BET, stake, self.potential))
        limits = None if cap is None else MarketLimits(max_payout_minor=cap)
        self.opened = market_opened(limits=limits)

    def market(self, result: Result | None = None) -> Market:
        if result is None:
            return given_market(opened=self.opened)
        declared = ResultDeclared(results=(SelectionResult("home", result),), partial=True)
        return given_market(declared, opened=self.opened)

    def offer(self, share: str, odds_now: str = "2.0") -> tuple[int, int]:
        stake = stake_of(self.bet, Decimal(share))
        price = PriceSeen(MARKET, "home", "pinnacle", Decimal(odds_now), AT)
        markets = {MARKET: self.market()}
        return stake, offer_minor(self.bet, self.account, markets, [price], MARGIN, stake)

    def cash_out(self, share: str, odds_now: str = "2.0") -> int:
        stake, offer = self.offer(share, odds_now)
        self._record(*cash_out(self.bet, stake, offer, CashOut(MARGIN, ())))
        return offer

    def settle(self, result: Result | None) -> None:
        change = self.bet.bring_to(self.bet.outcome({MARKET: self.market(result)}))
        if change is not None:
            self._record(*change)

    def void(self) -> None:
        before = self.bet
        self._record(*before.void("a mistake"))
        if (parts := before.void_parts("a mistake")) is not None:
            self._record(*parts)

    def _record(self, of_bet: Event, of_account: Event | None) -> None:
        bet = evolve(self.bet, BET, of_bet)
        assert isinstance(bet, Bet)
        self.bet = bet
        if of_account is not None:
            assert sum(entry.amount_minor for entry in postings(of_account)) == 0
            account = evolve(self.account, ACCOUNT, of_account)
            assert isinstance(account, Account)
            self.account = account
        assert min(self.account.in_play_minor, self.account.promised_minor) >= 0


def test_a_part_pays_its_share_of_the_offer_and_the_rest_waits_for_the_result() -> None:
    desk = Desk(1_000, "6.0")
    assert desk.cash_out("0.4", "2.25") == 1_013  # 400 × 6 / 2.25 × 0.95
    assert (desk.bet.status, desk.bet.standing.total_stake_minor) == ("open", 600)
    assert (desk.account.available_minor, desk.account.in_play_minor) == (1_013, 600)
    assert desk.account.promised_minor == 3_600
    desk.settle("won")
    assert (desk.bet.status, desk.account.available_minor) == ("won", 1_013 + 3_600)
    desk.settle(None)
    assert (desk.bet.status, desk.account.available_minor) == ("open", 1_013)
    desk.settle("lost")
    assert (desk.bet.status, desk.account.available_minor) == ("lost", 1_013)
    assert (desk.account.in_play_minor, desk.account.promised_minor) == (0, 0)


def test_what_is_settled_and_reopened_says_how_the_bet_stood() -> None:
    desk = Desk(1_000, "6.0")
    desk.cash_out("0.4")
    settled, _ = desk.bet.bring_to(desk.bet.outcome({MARKET: desk.market("won")})) or (None, None)
    assert isinstance(settled, BetSettled)
    assert (settled.stake_minor, settled.return_minor) == (600, 3_600)
    assert settled.standing is not None
    assert settled.standing.potential_return_minor == 3_600
    reopened, _ = desk.bet.evolve(settled).bring_to(None) or (None, None)
    assert isinstance(reopened, BetReopened)
    assert (reopened.stake_minor, reopened.standing) == (600, settled.standing)
    plain = given_bet()
    settled, _ = plain.bring_to(plain.outcome({MARKET: desk.market("won")})) or (None, None)
    assert isinstance(settled, BetSettled)
    assert settled.standing is None


def test_the_last_part_ends_the_bet() -> None:
    desk = Desk(1_000, "6.0")
    first, second = desk.cash_out("0.5"), desk.cash_out("1")
    assert (desk.bet.status, desk.account.available_minor) == ("cashed_out", first + second)
    desk.settle("won")
    desk.settle(None)
    assert desk.account.available_minor == first + second
    with pytest.raises(BetStateConflict):
        desk.cash_out("1")


@pytest.mark.parametrize("result", [None, "won", "lost"])
def test_a_bet_made_void_takes_back_what_its_parts_paid(result: Result | None) -> None:
    desk = Desk(1_000, "6.0")
    desk.cash_out("0.4")
    desk.settle(result)
    desk.void()
    assert (desk.bet.status, desk.account.available_minor) == ("void", 1_000)
    desk.settle("won")
    assert (desk.account.available_minor, desk.account.in_play_minor) == (1_000, 0)


def test_parts_that_paid_their_stake_are_made_void_without_a_movement() -> None:
    part = BetPartCashedOut(
        account_id=ACCOUNT,
        stake_minor=400,
        return_minor=400,
        potential_return_minor=1_000,
        currency="EUR",
        cash_out=CashOut(MARGIN, ()),
    )
    voided = given_bet(part).void_parts("a mistake")
    assert voided is not None
    assert isinstance(voided[0], BetPartsVoided)
    assert voided[1] is None
    assert given_bet().void_parts("a mistake") is None


@pytest.mark.parametrize("share", ["0", "-0.5", "1.1", "NaN", "Infinity", "0.0000001", "1E-999999"])
def test_a_share_lies_between_nothing_and_all(share: str) -> None:
    with pytest.raises(InvalidInput, match="share"):
        stake_of(given_bet(), Decimal(share))


def test_a_share_is_of_what_is_open_and_leaves_whole_minor_units() -> None:
    bet = given_bet(placed=bet_placed(3, 8))
    assert [stake_of(bet, share) for share in (None, Decimal(1), Decimal("0.5"))] == [3, 3, 2]
    for share, says in (("0.1", "rounds to nothing"), ("0.9", "leaves nothing open")):
        with pytest.raises(InvalidInput, match=says):
            stake_of(bet, Decimal(share))


def test_an_offer_may_be_lower_than_what_was_asked_for_by_the_tolerance_only() -> None:
    check_taken(1_000, 1_000, Decimal(0))
    check_taken(2_000, 1_000, Decimal(0))
    check_taken(990, 1_000, Decimal("0.01"))
    for offer, tolerance in ((999, "0"), (989, "0.01")):
        with pytest.raises(PriceChanged) as refused:
            check_taken(offer, 1_000, Decimal(tolerance))
        assert refused.value.members == {"offer_minor": offer}


def test_a_cap_on_payouts_is_shared_by_the_parts() -> None:
    desk = Desk(1_000, "6.0", cap=3_001)
    assert desk.cash_out("0.5", "1.1") == 1_500
    desk.settle("won")
    assert desk.account.available_minor == 3_001
    desk.settle("void")
    assert desk.account.available_minor == 2_000


def test_a_part_that_the_rest_leaves_nothing_to_return_is_not_offered() -> None:
    desk = Desk(4, "1.1")  # returns 4; 3 alone return 3, and 1 alone 1
    with pytest.raises(NotOffered):
        desk.cash_out("0.25", "100")


shares = st.lists(st.integers(1, 999_999).map(lambda n: str(Decimal(n) / 10**6)), max_size=4)
odds = st.integers(1_001, 30_000).map(lambda n: str(Decimal(n) / 1_000))


@given(
    st.integers(1, 10**7),
    odds,
    shares,
    st.lists(odds, min_size=4, max_size=4),
    st.none() | st.integers(1, 10**7),
    st.lists(st.sampled_from(["won", "lost", "void", "half_won", None]), min_size=1, max_size=4),
)
def test_any_parts_and_results_return_the_sum_of_the_parts_and_no_more_than_the_bet_could(
    stake: int,
    taken: str,
    sequence: list[str],
    now: list[str],
    cap: int | None,
    results: list[Result | None],
) -> None:
    desk = Desk(stake, taken, cap)
    paid = 0
    for share, odds_now in zip(sequence, now, strict=False):
        try:
            paid += desk.cash_out(share, odds_now)
        except (InvalidInput, NotOffered):
            continue
    rest = desk.bet.standing.total_stake_minor
    assert desk.bet.cashed_stake_minor + rest == stake
    for result in results:
        desk.settle(result)
    settled = desk.bet.settled.return_minor if desk.bet.settled else 0
    open_stake = 0 if desk.bet.settled else rest
    assert desk.account.available_minor == paid + settled
    assert desk.account.in_play_minor == open_stake
    assert paid + settled <= max(desk.potential, stake)
    if cap is not None:
        assert paid + settled <= max(cap, stake)
    if results[-1] == "void":
        assert settled == rest
    if results[-1] == "won" and cap is None:
        assert settled == single_return_minor(rest, Decimal(taken))
    if desk.bet.settled:
        assert desk.account.promised_minor == 0
    desk.void()
    assert desk.account.available_minor == stake


@given(st.integers(1, 10**7), odds, odds)
def test_a_share_of_one_is_the_whole(stake: int, taken: str, now: str) -> None:
    part, whole = Desk(stake, taken), Desk(stake, taken)
    price = PriceSeen(MARKET, "home", "pinnacle", Decimal(now), AT)
    try:
        offer = offer_minor(whole.bet, whole.account, {MARKET: whole.market()}, [price], MARGIN)
    except NotOffered:
        return
    assert part.cash_out("1", now) == offer
    assert part.bet.status == "cashed_out"


@pytest.mark.parametrize("odds_now", ["2.0", "3.7"])
def test_a_bet_cut_into_the_smallest_parts_pays_no_more_than_it_is_worth(odds_now: str) -> None:
    """Half up, a unit worth 0.51 would pay 1: a thousand requests would take a losing bet's whole stake back."""
    desk = Desk(1_000, "2.0")
    paid = 0
    while (left := desk.bet.standing.total_stake_minor) > 1:
        share = str(round(Decimal(1) / left, 6))
        try:
            paid += desk.cash_out(share, odds_now)
        except NotOffered:
            break
    paid += desk.cash_out("1", odds_now)
    assert paid <= 1_000 * 2 / Decimal(odds_now) * (1 - MARGIN) + 1
