"""Double entry: the balanced postings of every event that moves money."""

from typing import Literal

from msgspec import Struct

from domain.events.account import (
    CommissionCharged,
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

Book = Literal["customer_available", "customer_in_play", "house_result", "external"]


class Posting(Struct, frozen=True, gc=False):
    """One side of an entry: `amount_minor` is added to `book` (owed to customers positive, `external` negative).

    `detail` splits a book: the method of an external payment.
    """

    book: Book
    amount_minor: int
    currency: str
    detail: str = ""


def postings(event: Event) -> tuple[Posting, ...]:
    """Give the postings of `event`: they sum to zero, and there are none if it moves no money.

    All of them concern the account in whose stream the event stands.
    """
    match event:
        case StakeReserved():  # nearly all of them
            return _to_play(event.amount_minor, event.currency)
        case FundsDeposited(amount_minor=amount, currency=currency, method=method):
            return (
                Posting("customer_available", amount, currency),
                Posting("external", -amount, currency, method),
            )
        case FundsReserved(amount_minor=amount, currency=currency):
            return _to_play(amount, currency)
        case FundsReleased(amount_minor=amount, currency=currency):
            return _to_play(-amount, currency)
        case FundsPaidOut(amount_minor=amount, currency=currency, method=method):
            return (
                Posting("customer_in_play", -amount, currency),
                Posting("external", amount, currency, method),
            )
        case StakeSettled(stake_minor=stake, return_minor=returned, currency=currency):
            return _settled(stake, returned, currency)
        case CommissionCharged(amount_minor=amount, currency=currency):
            return (
                Posting("customer_available", -amount, currency),
                Posting("house_result", amount, currency),
            )
        case StakeResettled(difference_minor=difference, currency=currency) if difference:
            return (
                Posting("customer_available", difference, currency),
                Posting("house_result", -difference, currency),
            )
        case StakeReopened(stake_minor=stake, return_minor=returned, currency=currency):
            return _settled(-stake, -returned, currency)
        case _:
            return ()


def _to_play(amount_minor: int, currency: str) -> tuple[Posting, Posting]:
    return (
        Posting("customer_available", -amount_minor, currency),
        Posting("customer_in_play", amount_minor, currency),
    )


def _settled(stake_minor: int, return_minor: int, currency: str) -> tuple[Posting, ...]:
    in_play = Posting("customer_in_play", -stake_minor, currency)
    if return_minor == 0:
        return in_play, Posting("house_result", stake_minor, currency)
    available = Posting("customer_available", return_minor, currency)
    if return_minor == stake_minor:
        return in_play, available
    return in_play, available, Posting("house_result", stake_minor - return_minor, currency)
