"""What is done to bets beside their settlement, as a bet shows it: parts that are cashed out, odds that are corrected."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from domain.events.bet import BetPartsVoided, BetRepriced, RepricingProposed, RepricingRejected
from domain.events.event import Event, Recorded
from read_models.projection import Batch, Change, columns, over


class BetPart(Struct, frozen=True):
    """A part of a bet's stake that was cashed out, for `return_minor`."""

    stake_minor: int
    return_minor: int
    at: datetime
    position: int


class Repricing(Struct, frozen=True):
    """A correction of a leg's odds: what one person proposed, and another decided."""

    repricing_id: UUID
    market_id: UUID
    selection_id: str
    odds_before: Decimal
    odds: Decimal
    reason: str
    proposed_by: str
    proposed_at: datetime
    status: Literal["proposed", "approved", "rejected"] = "proposed"
    decided_by: str | None = None
    decided_at: datetime | None = None


class _Decided(Struct, frozen=True):
    repricing_id: UUID
    status: Literal["approved", "rejected"]
    decided_by: str
    decided_at: datetime


def repricings_of(told: str) -> list[Repricing]:
    """Give a bet's repricings from what was told of them, one thing after another."""
    shown: dict[UUID, Repricing] = {}
    for each in msgspec.json.decode(told, type=list[dict[str, Any]]):
        if "odds" in each:
            proposed = msgspec.convert(each, Repricing, strict=False)
            shown[proposed.repricing_id] = proposed
            continue
        decided = msgspec.convert(each, _Decided, strict=False)
        shown[decided.repricing_id] = replace(
            shown[decided.repricing_id],
            status=decided.status,
            decided_by=decided.decided_by,
            decided_at=decided.decided_at,
        )
    return list(shown.values())


def corrected_odds(repricings: Sequence[Repricing]) -> dict[UUID, Decimal]:
    """Give the odds of those legs that have others than were taken, by market: the last that were approved."""
    return {each.market_id: each.odds for each in repricings if each.status == "approved"}


# ---- projection: into the rows of bets


_PART = over(
    """
    UPDATE bets b SET cashed_stake_minor = coalesce(b.cashed_stake_minor, 0) + e.stake,
                      cashed_return_minor = coalesce(b.cashed_return_minor, 0) + e.returned,
                      cashed_at = e.at, parts = coalesce(b.parts, '[]') || e.parts::jsonb
    FROM {} AS e(bet_id, stake, returned, at, parts) WHERE b.bet_id = e.bet_id""",
    *("uuid", "bigint", "bigint", "timestamptz", "text"),
)
REPRICINGS: Final[tuple[type[Event], ...]] = (RepricingProposed, RepricingRejected, BetRepriced)
_CAN_RETURN = over(
    """
    UPDATE bets b SET potential_return_minor = b.potential_return_minor + e.more
    FROM {} AS e(bet_id, more) WHERE b.bet_id = e.bet_id""",
    *("uuid", "bigint"),
)
_REPRICE = over(
    """
    UPDATE bets b SET repricings = coalesce(b.repricings, '[]') || e.told::jsonb
    FROM {} AS e(bet_id, told) WHERE b.bet_id = e.bet_id""",
    *("uuid", "text"),
)


def changes(batch: Batch) -> Iterable[Change]:
    """Give what a batch does to the rows of bets that are there."""
    if batch.alterations:
        yield from _altered(batch)
    if told := batch.of(*REPRICINGS):
        yield _REPRICE, columns(_told(told))


def _altered(batch: Batch) -> Iterable[Change]:
    """Give a row a bet: what its parts in this batch add up to, and how much more or less it can return."""
    parts: dict[UUID, tuple[list[int], list[BetPart], datetime]] = {}
    more: dict[UUID, int] = {}
    for recorded, event, _ in batch.alterations:
        bet_id = recorded.stream_id
        if isinstance(event, BetRepriced):
            difference = event.potential_return_minor - event.potential_return_before_minor
            more[bet_id] = more.get(bet_id, 0) + difference
            continue
        figures, shown, _ = parts.get(bet_id, ([0, 0], [], recorded.at))
        parts[bet_id] = figures, shown, recorded.at
        if isinstance(event, BetPartsVoided):
            figures[1] += event.difference_minor
            continue
        figures[0] += event.stake_minor
        figures[1] += event.return_minor
        more[bet_id] = more.get(bet_id, 0) - event.potential_return_minor
        shown.append(BetPart(event.stake_minor, event.return_minor, recorded.at, recorded.position))
    if more:
        yield _CAN_RETURN, columns(more.items())
    if parts:
        yield (
            _PART,
            columns(
                (bet_id, *figures, at, msgspec.json.encode(shown).decode())
                for bet_id, (figures, shown, at) in parts.items()
            ),
        )


def _told(events: Iterable[Recorded]) -> list[tuple[UUID, str]]:
    """Give a row a bet: what is told of its repricings in this batch, in order."""
    told: dict[UUID, list[Repricing | _Decided]] = {}
    for recorded in events:
        event, at = recorded.event, recorded.at
        entries = told.setdefault(recorded.stream_id, [])
        match event:
            case RepricingProposed():
                entries.append(
                    Repricing(
                        event.repricing_id,
                        event.market_id,
                        event.selection_id,
                        event.odds_before,
                        event.odds,
                        event.reason,
                        event.proposer,
                        at,
                    )
                )
            case BetRepriced():
                entries.append(_Decided(event.repricing_id, "approved", event.approver, at))
            case RepricingRejected():
                entries.append(_Decided(event.repricing_id, "rejected", event.rejecter, at))
            case _:
                continue
    return [(bet_id, msgspec.json.encode(entries).decode()) for bet_id, entries in told.items()]
