"""What a decision has in hand, and the steps that several decisions share."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from application.book import Book
from domain import odds, settling
from domain.account import Account
from domain.actors import Actor
from domain.ids import check_chosen
from domain.market import Market
from domain.refusals import IdTaken, Refusal
from domain.streams import State

S = TypeVar("S", bound=State)

odds_id = lru_cache(4096)(odds.odds_id)
settlement_id = lru_cache(4096)(settling.settlement_id)


class Context(Struct, gc=False):
    """What a decision may look at beside its command: who asks, about what, when, and the book.

    `known` holds the first outcomes of those bets of a batch that were answered before, by their place in it.
    """

    actor: Actor
    target: UUID | None
    now: datetime
    new_id: Callable[[], UUID]
    book: Book
    known: Mapping[int, bytes | Refusal]

    def find(self, kind: type[S], stream_id: UUID | None, missing: type[Refusal]) -> S:
        """Give a stream's state, or refuse as `missing` when there is none of that kind."""
        state = self.book.get(stream_id) if stream_id is not None else None
        if not isinstance(state, kind):
            raise missing
        return state


def start(stream_id: UUID, ctx: Context, *, chosen: bool) -> None:
    """Make sure that a new stream has no events; an id that the server made is new by itself."""
    if not chosen:
        ctx.book.put_loaded({stream_id}, {})
        return
    check_chosen(stream_id)
    if ctx.book.is_taken(stream_id):
        raise IdTaken(f"{stream_id} is taken")


def as_account(state: State) -> Account:
    """Tell the type checker what an account's events have made."""
    assert isinstance(state, Account)
    return state


def as_market(state: State) -> Market:
    """Tell the type checker what a market's events have made."""
    assert isinstance(state, Market)
    return state
