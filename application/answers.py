"""What an accepted command answers; every answer carries the position of the command's last event."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events.bet import PriceSeen
from domain.events.feed_name import MatchedBy
from domain.feed_name import NameStatus
from domain.refusals import Refusal


class NewAccount(Struct, frozen=True, gc=False):
    """An account was opened."""

    account_id: UUID
    position: int


class AccountChanged(Struct, frozen=True, gc=False):
    """An account has other terms."""

    account_id: UUID
    position: int


class NewMarket(Struct, frozen=True, gc=False):
    """A market was opened."""

    market_id: UUID
    fixture_id: UUID
    position: int


class Transferred(Struct, frozen=True, gc=False):
    """Money was deposited, or reserved for a withdrawal."""

    transfer_id: UUID
    status: str
    available_minor: int
    position: int


class MarketChanged(Struct, frozen=True, gc=False):
    """A market's status changed."""

    market_id: UUID
    status: str
    position: int


class BetAccepted(Struct, frozen=True, gc=False):
    """A bet was placed; money in minor units of the account's currency."""

    bet_id: UUID
    status: str
    total_stake_minor: int
    potential_return_minor: int
    available_minor: int
    position: int


class BetChanged(Struct, frozen=True, gc=False):
    """A bet was changed by hand; money in minor units of the account's currency."""

    bet_id: UUID
    status: str
    return_minor: int
    available_minor: int
    position: int


class BetCashedOut(Struct, frozen=True, gc=False):
    """A bet, or a part of it, was cashed out; money in minor units of the account's currency.

    `return_minor` was paid for `stake_minor`; `open_stake_minor` is left, of a bet that is still open.
    """

    bet_id: UUID
    status: str
    return_minor: int
    available_minor: int
    position: int
    stake_minor: int
    open_stake_minor: int


class BetRepricing(Struct, frozen=True, gc=False):
    """A repricing of a bet was proposed, approved or rejected; money in minor units of the bet's currency.

    `return_minor` is what a settled bet returns now, and `difference_minor` what it returns more, or less, than before.
    """

    bet_id: UUID
    repricing_id: UUID
    repricing: str
    status: str
    odds_before: Decimal
    odds: Decimal
    return_minor: int | None
    difference_minor: int
    position: int


class CashOutOffer(Struct, frozen=True, gc=False):
    """What cashing `stake_minor` of a bet out pays now; `margin` is the share of its worth that the book keeps.

    An offer that is lower by at most the share `tolerance` than what is asked for is paid all the same.
    """

    bet_id: UUID
    stake_minor: int
    offer_minor: int
    currency: str
    margin: Decimal
    tolerance: Decimal
    prices: tuple[PriceSeen, ...]
    position: int


class BetRefused(Struct, frozen=True, gc=False):
    """A bet of a batch was refused, with the problem that a single bet would have got."""

    error: dict[str, Any]


class BatchDone(Struct, frozen=True, gc=False):
    """What became of each bet of a batch, in order: BetAccepted or BetRefused."""

    results: list[Any]
    position: int


class SnapshotsTaken(Struct, frozen=True, gc=False):
    """Quotes were kept: one snapshot for each market."""

    snapshots: int
    quotes: int
    position: int


class ArbitragesRecorded(Struct, frozen=True, gc=False):
    """How many opportunities opened, changed and closed; what was known already is not counted."""

    detected: int
    changed: int
    closed: int
    position: int


class ValueSignalsRecorded(Struct, frozen=True, gc=False):
    """How many value signals opened, changed and closed; what was known already is not counted."""

    detected: int
    changed: int
    closed: int
    position: int


class ModelKept(Struct, frozen=True, gc=False):
    """A model, or its evaluation, is kept; `is_new` is false when the same was before."""

    model_id: UUID
    is_new: bool
    position: int


class ModelInUse(Struct, frozen=True, gc=False):
    """A model speaks for its slot; `before` is the one that did, None when nothing has changed."""

    model_id: UUID
    before: UUID | None
    forced: bool
    position: int


class PredictionsRecorded(Struct, frozen=True, gc=False):
    """How many predictions said something new."""

    predictions: int
    position: int


class PredictionsScored(Struct, frozen=True, gc=False):
    """How many markets of predictions were scored; what was scored already is not counted."""

    scores: int
    position: int


class BetsSettled(Struct, frozen=True, gc=False):
    """How many bets of one market this step settled."""

    settled: int
    position: int


class NameSeen(Struct, frozen=True, gc=False):
    """A feed's name was reported or matched: the fixture that it means, if that is known, and who or what said so."""

    name_id: UUID
    status: NameStatus
    fixture_id: UUID | None
    swapped: bool
    by: MatchedBy | None
    position: int


Answer = (
    NewAccount
    | AccountChanged
    | NewMarket
    | Transferred
    | MarketChanged
    | BetAccepted
    | BetChanged
    | BetCashedOut
    | BetRepricing
    | CashOutOffer
    | BatchDone
    | SnapshotsTaken
    | ArbitragesRecorded
    | ValueSignalsRecorded
    | ModelKept
    | ModelInUse
    | PredictionsRecorded
    | PredictionsScored
    | BetsSettled
    | NameSeen
)


def problem(refusal: Refusal) -> dict[str, Any]:
    """Give a refusal as the members of an RFC 9457 problem, without the request's `instance`."""
    members: dict[str, Any] = {
        "type": refusal.type,
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
    }
    if refusal.field is not None:
        members["errors"] = [{"field": refusal.field, "message": refusal.detail}]
    return members | (refusal.members or {})


to_json = msgspec.json.Encoder(decimal_format="number").encode
"""Encode an answer, money and odds as exact JSON numbers."""


class RefusalRecord(Struct, frozen=True, gc=False, omit_defaults=True):
    """A refusal as the idempotency record keeps it."""

    type: str
    detail: str
    field: str | None = None
    members: dict[str, str | int] | None = None

    @classmethod
    def of(cls, refusal: Refusal) -> "RefusalRecord":
        """Keep what the first answer said."""
        return cls(refusal.type, refusal.detail, refusal.field, refusal.members)

    def refusal(self) -> Refusal:
        """Make the first refusal again."""
        kind = Refusal.by_type.get(self.type, Refusal)
        return kind(self.detail, field=self.field, members=self.members)
