"""Decisions of an account."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from domain.account import Account, open_account
from domain.actors import Actor
from domain.events.account import (
    AccountOpened,
    BonusGranted,
    FundsDeposited,
    FundsPaidOut,
    FundsReleased,
    FundsReserved,
    StakeReopened,
    StakeReserved,
    StakeResettled,
    StakeSettled,
)
from domain.events.event import Event
from domain.money import MAX_FUNDS_MINOR
from domain.refusals import (
    AccountNotFound,
    AccountOverdrawn,
    Forbidden,
    InsufficientFunds,
    InvalidInput,
    LimitExceeded,
    Refusal,
)
from tests.builders import (
    ADMIN,
    ALICE,
    AUDITOR,
    BET,
    BOB,
    OPERATOR,
    TRANSFER,
    account_opened,
    deposited,
    given_account,
)


def reserved(stake: int, potential: int) -> StakeReserved:
    return StakeReserved(
        bet_id=BET, amount_minor=stake, potential_return_minor=potential, currency="EUR"
    )


def settled(stake: int, returned: int, potential: int) -> StakeSettled:
    return StakeSettled(
        bet_id=BET,
        stake_minor=stake,
        return_minor=returned,
        potential_return_minor=potential,
        currency="EUR",
    )


def resettled(difference: int) -> StakeResettled:
    return StakeResettled(bet_id=BET, difference_minor=difference, currency="EUR")


def reopened(returned: int) -> StakeReopened:
    return StakeReopened(
        bet_id=BET,
        stake_minor=200,
        return_minor=returned,
        potential_return_minor=700,
        currency="EUR",
    )


def granted(amount: int) -> BonusGranted:
    return BonusGranted(transfer_id=TRANSFER, amount_minor=amount, currency="EUR", reason="hello")


def held(amount: int) -> FundsReserved:
    return FundsReserved(transfer_id=TRANSFER, amount_minor=amount, currency="EUR")


PAID_OUT = FundsPaidOut(transfer_id=TRANSFER, amount_minor=500, currency="EUR", method="bank")
OVERDRAWN: tuple[Event, ...] = (
    deposited(500),
    reserved(200, 700),
    settled(200, 700, 700),
    held(500),
    PAID_OUT,
    resettled(-700),
)


# ---- opening


def test_a_trader_opens_an_account_for_himself_by_default() -> None:
    assert open_account(ALICE, None, "EUR", "main", None) == AccountOpened(
        owner="alice", currency="EUR", name="main", held_at=None
    )


def test_an_admin_opens_an_account_for_anyone() -> None:
    event = open_account(ADMIN, "alice", "GBP", "at the exchange", "Betfair")
    assert event == AccountOpened(
        owner="alice", currency="GBP", name="at the exchange", held_at="Betfair"
    )


@pytest.mark.parametrize(
    ("actor", "owner", "currency", "refusal"),
    [
        (BOB, "alice", "EUR", Forbidden),
        (OPERATOR, None, "EUR", Forbidden),
        (OPERATOR, "alice", "EUR", Forbidden),
        (AUDITOR, None, "EUR", Forbidden),
        (ALICE, None, "XXX", InvalidInput),
        (ALICE, None, "eur", InvalidInput),
        (ALICE, None, "EUR\n", InvalidInput),
        (ALICE, None, "", InvalidInput),
    ],
)
def test_opening_is_refused(
    actor: Actor, owner: str | None, currency: str, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        open_account(actor, owner, currency, "main", None)


@pytest.mark.parametrize("commission", ["0", "1", "-0.05", "NaN", "0.00001", "Infinity"])
def test_a_commission_is_a_share_of_the_profit(commission: str) -> None:
    with pytest.raises(InvalidInput):
        open_account(ALICE, None, "EUR", "main", None, Decimal(commission))
    opened = open_account(ALICE, None, "EUR", "main", "Betfair", Decimal("0.05"))
    assert opened.commission == Decimal("0.05")


# ---- who moves funds


@pytest.mark.parametrize(
    ("actor", "refusal"),
    [
        (ALICE, None),
        (ADMIN, None),
        (BOB, AccountNotFound),
        (OPERATOR, Forbidden),
        (AUDITOR, Forbidden),
    ],
)
def test_only_the_owner_or_an_admin_moves_funds(
    actor: Actor, refusal: type[Refusal] | None
) -> None:
    if refusal is None:
        given_account().check_mover(actor)
        return
    with pytest.raises(refusal) as caught:
        given_account().check_mover(actor)
    assert type(caught.value) is refusal


# ---- decisions: given events, when, then


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(
            [],
            lambda a: a.deposit(TRANSFER, 500, "card", "ref 1"),
            FundsDeposited(
                transfer_id=TRANSFER,
                amount_minor=500,
                currency="EUR",
                method="card",
                reference="ref 1",
            ),
            id="a deposit",
        ),
        pytest.param(
            [],
            lambda a: a.deposit(TRANSFER, MAX_FUNDS_MINOR, "card", None),
            deposited(MAX_FUNDS_MINOR),
            id="the largest deposit",
        ),
        pytest.param(
            [deposited(500)],
            lambda a: a.reserve_funds(TRANSFER, 500),
            held(500),
            id="a withdrawal of everything",
        ),
        pytest.param(
            [deposited(500)],
            lambda a: a.reserve_stake(BET, 500, 1_250),
            reserved(500, 1_250),
            id="a stake of everything",
        ),
        pytest.param(
            [deposited(500), reserved(500, 1_000), settled(500, 1_000, 1_000)],
            lambda a: a.reserve_stake(BET, 1_000, 2_000),
            reserved(1_000, 2_000),
            id="winnings are staked again",
        ),
        pytest.param(
            [deposited(500)],
            lambda a: a.reserve_stake(BET, 500, MAX_FUNDS_MINOR),
            reserved(500, MAX_FUNDS_MINOR),
            id="a bet that can win the most an account holds",
        ),
    ],
)
def test_a_decision_gives_its_event(
    given: list[Event], when: Callable[[Account], Event], then: Event
) -> None:
    assert when(given_account(*given)) == then


@pytest.mark.parametrize(
    ("given", "when", "refusal"),
    [
        pytest.param(
            [deposited(500)],
            lambda a: a.reserve_funds(TRANSFER, 501),
            InsufficientFunds,
            id="withdraw more than available",
        ),
        pytest.param(
            [deposited(500)],
            lambda a: a.reserve_stake(BET, 501, 1_000),
            InsufficientFunds,
            id="stake more than available",
        ),
        pytest.param(
            [deposited(500), reserved(400, 900)],
            lambda a: a.reserve_stake(BET, 101, 200),
            InsufficientFunds,
            id="stake what is in play",
        ),
        pytest.param(
            [deposited(500), held(400)],
            lambda a: a.reserve_funds(TRANSFER, 101),
            InsufficientFunds,
            id="withdraw what is held for a withdrawal",
        ),
        pytest.param(
            [deposited(1_000), granted(500)],
            lambda a: a.reserve_free_stake(BET, 501, 2),
            InsufficientFunds,
            id="a free bet of more than the bonus",
        ),
        pytest.param(
            [*OVERDRAWN, granted(500)],
            lambda a: a.reserve_free_stake(BET, 1, 2),
            AccountOverdrawn,
            id="a free bet while overdrawn",
        ),
        pytest.param(
            OVERDRAWN,
            lambda a: a.reserve_stake(BET, 1, 2),
            AccountOverdrawn,
            id="bet while overdrawn",
        ),
        pytest.param(
            OVERDRAWN,
            lambda a: a.reserve_funds(TRANSFER, 1),
            AccountOverdrawn,
            id="withdraw while overdrawn",
        ),
        pytest.param(
            [deposited(1)],
            lambda a: a.deposit(TRANSFER, MAX_FUNDS_MINOR, "card", None),
            LimitExceeded,
            id="deposit more than an account holds",
        ),
        pytest.param(
            [deposited(500), reserved(500, 1_000)],
            lambda a: a.deposit(TRANSFER, MAX_FUNDS_MINOR - 1_000, "card", None),
            LimitExceeded,
            id="deposit so much that winnings would not fit",
        ),
        pytest.param(
            [deposited(500)],
            lambda a: a.reserve_stake(BET, 500, MAX_FUNDS_MINOR + 1),
            LimitExceeded,
            id="a bet that wins more than an account holds",
        ),
        pytest.param(
            [deposited(500), reserved(250, MAX_FUNDS_MINOR - 250)],
            lambda a: a.reserve_stake(BET, 250, 1_000),
            LimitExceeded,
            id="two bets that together win more than an account holds",
        ),
    ],
)
def test_a_decision_is_refused(
    given: list[Event], when: Callable[[Account], Event], refusal: type[Refusal]
) -> None:
    account = given_account(*given)
    with pytest.raises(refusal) as caught:
        when(account)
    assert type(caught.value) is refusal


# ---- state


@pytest.mark.parametrize(
    ("events", "available", "in_play", "promised"),
    [
        ([], 0, 0, 0),
        ([deposited(500)], 500, 0, 0),
        ([deposited(500), held(200)], 300, 200, 0),
        (
            [
                deposited(500),
                held(200),
                FundsReleased(transfer_id=TRANSFER, amount_minor=200, currency="EUR"),
            ],
            500,
            0,
            0,
        ),
        (
            [
                deposited(500),
                held(200),
                FundsPaidOut(transfer_id=TRANSFER, amount_minor=200, currency="EUR", method="bank"),
            ],
            300,
            0,
            0,
        ),
        ([deposited(500), reserved(200, 700)], 300, 200, 700),
        ([deposited(500), reserved(200, 700), settled(200, 700, 700)], 1_000, 0, 0),
        ([deposited(500), reserved(200, 700), settled(200, 0, 700)], 300, 0, 0),
        ([deposited(500), reserved(200, 700), settled(200, 200, 700)], 500, 0, 0),
        ([deposited(500), reserved(200, 700), settled(200, 700, 700), resettled(-700)], 300, 0, 0),
        ([*OVERDRAWN], -200, 0, 0),
        ([deposited(500), reserved(200, 700), settled(200, 0, 700), reopened(0)], 300, 200, 700),
    ],
)
def test_events_move_the_balances(
    events: list[Event], available: int, in_play: int, promised: int
) -> None:
    account = given_account(*events)
    assert (account.available_minor, account.in_play_minor, account.promised_minor) == (
        available,
        in_play,
        promised,
    )
    assert account.version == 1 + len(events)
    assert (account.owner, account.currency) == ("alice", "EUR")


def test_an_account_opens_once() -> None:
    with pytest.raises(ValueError, match="opens once"):
        given_account(account_opened())
