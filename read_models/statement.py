"""Statements: every movement of an account, with the balances right after it."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal, assert_never
from uuid import UUID

from msgspec import Struct

from domain.account import AccountEvent
from domain.events.account import (
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
    WithdrawalRequested,
)
from read_models.clock import Clock
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import ACCOUNT_EVENTS, Batch, Change, Projection, columns, over

Kind = Literal[
    "deposit",
    "withdrawal_requested",
    "withdrawal_completed",
    "withdrawal_rejected",
    "stake",
    "settlement",
    "resettlement",
    "settlement_rolled_back",
    "void",
    "cash_out",
    "repricing",
    "commission",
    "bonus",
    "free_stake",
]


class StatementRow(Struct, frozen=True):
    """One movement; `amount_minor` is the signed change of the available funds.

    So the amounts up to a row add up to its `available_after_minor`: a deposit +a, a withdrawal requested -a (it is
    held in play), completed 0 (what was held leaves), rejected +a, a stake -s (it is held in play), a settlement +r,
    the bet's return; a resettlement the difference by which a corrected result changed that return, a settlement rolled
    back -r (the stake is held in play again), a cash-out what was paid, a bet made void its stake or the difference to what it had returned, commission -c; bonus, free stakes and the repricing of an open bet 0. `reference` is what the client called the transfer, else the id of the transfer, the bet or the market.
    """

    position: int
    at: datetime
    kind: Kind
    amount_minor: int
    available_after_minor: int
    in_play_after_minor: int
    reference: str


class BalanceAsOf(Struct, frozen=True):
    """What an account held at some moment, in minor units; `position` and `version` of its last event then."""

    available_minor: int
    in_play_minor: int
    version: int
    position: int


_SELECT = """
SELECT position, at, kind, amount_minor, available_after_minor, in_play_after_minor,
       coalesce(reference, subject_id::text)
FROM statement"""
_SELECT_AS_OF = """
SELECT available_after_minor, in_play_after_minor, version, position FROM statement"""
_clock = Clock("statement_clock")


async def page(
    db: Db,
    account_id: UUID,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[StatementRow]:
    """Give an account's movements from `start` to before `end`, newest first."""
    before = decode_cursor(cursor, tuple[int])
    where = ["account_id = %(account_id)s", "kind NOT IN ('opened', 'limits_changed')"]
    if before:
        where.append("position < %(before)s")
    if start:
        where.append(f"at >= %(start)s AND position >= {_clock.since('start')}")
    if end:
        where.append(f"at < %(end)s AND position < {_clock.before('end')}")
    sql = query(_SELECT, where, "ORDER BY position DESC LIMIT %(limit)s")
    parameters = {
        "account_id": account_id,
        "before": before and before[0],
        "start": start,
        "end": end,
        "limit": limit + 1,
    }
    rows = await db.rows(sql, parameters, _row)
    return page_of(rows, limit, lambda row: (row.position,))


async def balance_as_of(db: Db, account_id: UUID, at: datetime | int) -> BalanceAsOf | None:
    """Give what an account held at a time or right after a position; None before it was opened."""
    where = ["account_id = %(account_id)s"]
    if isinstance(at, int):
        where.append("position <= %(at)s")
    else:
        where.append(f"at <= %(at)s AND position < {_clock.before('at')}")
    sql = query(_SELECT_AS_OF, where, "ORDER BY position DESC LIMIT 1")
    found = await db.rows(sql, {"account_id": account_id, "at": at}, _as_of)
    return found[0] if found else None


def _row(  # the columns of _SELECT
    position: int,
    at: datetime,
    kind: Kind,
    amount: int,
    available_after: Decimal,
    in_play_after: Decimal,
    reference: str,
) -> StatementRow:
    return StatementRow(
        position, at, kind, amount, int(available_after), int(in_play_after), reference
    )


def _as_of(available: Decimal, in_play: Decimal, version: int, position: int) -> BalanceAsOf:
    return BalanceAsOf(int(available), int(in_play), version, position)


# ---- projection

_CREATE = """
CREATE TABLE statement (
    account_id uuid NOT NULL, position bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL,
    amount_minor bigint NOT NULL, available_after_minor numeric NOT NULL, in_play_after_minor numeric NOT NULL,
    version bigint NOT NULL, subject_id uuid NOT NULL, reference text
);
"""

_INDEX = "ALTER TABLE statement ADD PRIMARY KEY (account_id, position)"

_ADD = over(
    """
    INSERT INTO statement (account_id, position, at, kind, amount_minor, available_after_minor, in_play_after_minor,
                           version, subject_id, reference)
    SELECT * FROM {}""",
    *("uuid", "bigint", "timestamptz", "text", "bigint", "numeric", "numeric", "bigint", "uuid"),
    "text",
)


def _changes(batch: Batch) -> Iterable[Change]:
    if not batch.accounts:
        return
    asked = _references(batch)
    moved = [
        ("stake", -event.amount_minor, event.bet_id, None)
        if type(event) is StakeReserved  # nearly all of them
        else _movement(event, recorded.stream_id, asked)
        for recorded, event, _ in batch.accounts
    ]
    kinds, amounts, subjects, references = columns(moved)
    events = [recorded for recorded, _, _ in batch.accounts]
    yield (
        _ADD,
        [
            [recorded.stream_id for recorded in events],
            [recorded.position for recorded in events],
            [recorded.at for recorded in events],
            kinds,
            amounts,
            [state.available_minor for _, _, state in batch.accounts],
            [state.in_play_minor for _, _, state in batch.accounts],
            [recorded.version for recorded in events],
            subjects,
            references,
        ],
    )
    yield from _clock.changes(events)


def _movement(
    event: AccountEvent, account_id: UUID, asked: dict[UUID, str | None]
) -> tuple[str, int, UUID, str | None]:
    """Give kind, amount, the id of what moved the money, and the client's name for it."""
    match event:
        case FundsDeposited(transfer_id=transfer_id, amount_minor=amount, reference=reference):
            return "deposit", amount, transfer_id, reference
        case FundsReserved(transfer_id=transfer_id, amount_minor=amount):
            return "withdrawal_requested", -amount, transfer_id, asked.get(transfer_id)
        case FundsPaidOut(transfer_id=transfer_id):
            return "withdrawal_completed", 0, transfer_id, asked.get(transfer_id)
        case FundsReleased(transfer_id=transfer_id, amount_minor=amount):
            return "withdrawal_rejected", amount, transfer_id, asked.get(transfer_id)
        case StakeReserved(bet_id=bet_id, amount_minor=amount):
            return "stake", -amount, bet_id, None
        case StakeSettled(bet_id=bet_id, return_minor=returned, by_hand=by_hand):
            return by_hand or "settlement", returned, bet_id, None
        case StakeResettled(bet_id=bet_id, difference_minor=difference, by_hand=by_hand):
            return by_hand or "resettlement", difference, bet_id, None
        case StakeReopened(bet_id=bet_id, return_minor=returned):
            return "settlement_rolled_back", -returned, bet_id, None
        case StakeRepriced(bet_id=bet_id):
            return "repricing", 0, bet_id, None
        case CommissionCharged(market_id=market_id, amount_minor=amount):
            return "commission", -amount, market_id, None
        case BonusGranted(transfer_id=transfer_id):
            return "bonus", 0, transfer_id, None
        case FreeStakeReserved(bet_id=bet_id):
            return "free_stake", 0, bet_id, None
        case AccountOpened():
            # Not shown in a statement: it says from when on the balances are zero.
            return "opened", 0, account_id, None
        case AccountLimitsChanged():
            # Nor is this: it moves nothing.
            return "limits_changed", 0, account_id, None
        case _:
            assert_never(event)


def _references(batch: Batch) -> dict[UUID, str | None]:
    """Give what clients called their withdrawals: only the request says so."""
    moved = {
        r.event.transfer_id.int: r.event.transfer_id
        for r in batch.of(FundsReserved, FundsPaidOut, FundsReleased)
        if isinstance(r.event, FundsReserved | FundsPaidOut | FundsReleased)
    }
    asked = batch.first_events(WithdrawalRequested, moved)
    return {moved[key]: event.reference for key, event in asked.items()}


PROJECTION = Projection(
    name="statement",
    tables=("statement", "statement_clock"),
    create=_CREATE + _clock.create,
    index=_INDEX,
    follows=ACCOUNT_EVENTS,
    changes=_changes,
)
