"""Double entry: what each event posts."""

import pytest

from domain.events import ALL_EVENTS
from domain.events.account import (
    CommissionCharged,
    FundsPaidOut,
    FundsReleased,
    FundsReserved,
    StakeReopened,
    StakeReserved,
    StakeResettled,
    StakeSettled,
)
from domain.events.event import Event
from domain.events.market import MarketClosed
from domain.journal import Posting, postings
from tests.builders import BET, MARKET, TRANSFER, account_opened, bet_placed, deposited
from tests.domain.write_golden import EXAMPLES

AVAILABLE, IN_PLAY, HOUSE, EXTERNAL = (
    "customer_available",
    "customer_in_play",
    "house_result",
    "external",
)


def settled(stake: int, returned: int) -> StakeSettled:
    return StakeSettled(
        bet_id=BET,
        stake_minor=stake,
        return_minor=returned,
        potential_return_minor=stake * 3,
        currency="EUR",
    )


def reopened(stake: int, returned: int) -> StakeReopened:
    return StakeReopened(
        bet_id=BET,
        stake_minor=stake,
        return_minor=returned,
        potential_return_minor=stake * 3,
        currency="EUR",
    )


@pytest.mark.parametrize(
    ("event", "entries"),
    [
        (deposited(500), [(AVAILABLE, 500, ""), (EXTERNAL, -500, "card")]),
        (
            FundsReserved(transfer_id=TRANSFER, amount_minor=500, currency="EUR"),
            [(AVAILABLE, -500, ""), (IN_PLAY, 500, "")],
        ),
        (
            FundsReleased(transfer_id=TRANSFER, amount_minor=500, currency="EUR"),
            [(AVAILABLE, 500, ""), (IN_PLAY, -500, "")],
        ),
        (
            FundsPaidOut(transfer_id=TRANSFER, amount_minor=500, currency="EUR", method="bank"),
            [(IN_PLAY, -500, ""), (EXTERNAL, 500, "bank")],
        ),
        (
            StakeReserved(bet_id=BET, amount_minor=5, potential_return_minor=9, currency="EUR"),
            [(AVAILABLE, -5, ""), (IN_PLAY, 5, "")],
        ),
        (settled(100, 0), [(IN_PLAY, -100, ""), (HOUSE, 100, "")]),
        (settled(100, 100), [(IN_PLAY, -100, ""), (AVAILABLE, 100, "")]),
        (settled(100, 250), [(IN_PLAY, -100, ""), (AVAILABLE, 250, ""), (HOUSE, -150, "")]),
        (settled(100, 50), [(IN_PLAY, -100, ""), (AVAILABLE, 50, ""), (HOUSE, 50, "")]),
        (
            StakeResettled(bet_id=BET, difference_minor=-250, currency="EUR"),
            [(AVAILABLE, -250, ""), (HOUSE, 250, "")],
        ),
        (
            CommissionCharged(market_id=MARKET, amount_minor=5, currency="EUR"),
            [(AVAILABLE, -5, ""), (HOUSE, 5, "")],
        ),
        (reopened(100, 250), [(IN_PLAY, 100, ""), (AVAILABLE, -250, ""), (HOUSE, 150, "")]),
        (reopened(100, 0), [(IN_PLAY, 100, ""), (HOUSE, -100, "")]),
        (reopened(100, 100), [(IN_PLAY, 100, ""), (AVAILABLE, -100, "")]),
        (account_opened(), []),
        (bet_placed(), []),
        (MarketClosed(), []),
    ],
)
def test_an_event_posts_these_entries(event: Event, entries: list[tuple[str, int, str]]) -> None:
    assert list(postings(event)) == [
        Posting(book, amount, "EUR", detail)  # type: ignore[arg-type]
        for book, amount, detail in entries
    ]


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.topic)
def test_every_kind_of_event_posts_entries_that_sum_to_zero(kind: type[Event]) -> None:
    entries = postings(EXAMPLES[kind])
    assert sum(entry.amount_minor for entry in entries) == 0
    assert all(entry.amount_minor for entry in entries), "an entry of nothing says nothing"
