"""Balances: one row an account, as it stands now."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.events.account import AccountLimits, AccountLimitsChanged, AccountOpened
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import ACCOUNT_EVENTS, Batch, Change, Projection, columns, over


class Balance(Struct, frozen=True):
    """An account; money in minor units of `currency`, `position` and `version` of its last event.

    `overdrawn`: a corrected result has taken what is available below zero; it takes no bets and no withdrawals.
    """

    account_id: UUID
    owner: str
    currency: str
    name: str
    held_at: str | None
    available_minor: int
    in_play_minor: int
    version: int
    position: int
    overdrawn: bool
    bonus_minor: int
    limits: AccountLimits


_SELECT = """
SELECT account_id, owner, currency, name, held_at, available_minor, in_play_minor, version, position,
       available_minor < 0, bonus_minor, max_in_play_minor, max_profit_minor
FROM balances"""


async def get(db: Db, account_id: UUID) -> Balance | None:
    """Give an account's balances, None when there is no such account."""
    sql = query(_SELECT, ["account_id = %(account_id)s"], "")
    found = await db.rows(sql, {"account_id": account_id}, _balance)
    return found[0] if found else None


async def page(
    db: Db,
    owner: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    *,
    overdrawn: bool | None = None,
) -> Page[Balance]:
    """Give the accounts of an owner, or of all, in the order of their ids; those that are `overdrawn`, or are not."""
    after = decode_cursor(cursor, tuple[UUID])
    where = ["true"]
    if owner is not None:
        where.append("owner = %(owner)s")
    if (
        overdrawn is not None
    ):  # no index: it would have to hear of every movement, and this is a rare question
        where.append("(available_minor < 0) = %(overdrawn)s")
    if after:
        where.append("account_id > %(after)s")
    sql = query(_SELECT, where, "ORDER BY account_id LIMIT %(limit)s")
    parameters = {"owner": owner, "after": after and after[0], "limit": limit + 1}
    parameters["overdrawn"] = overdrawn
    rows = await db.rows(sql, parameters, _balance)
    return page_of(rows, limit, lambda row: (row.account_id.bytes,))


def _balance(  # the columns of _SELECT
    account_id: UUID,
    owner: str,
    currency: str,
    name: str,
    held_at: str | None,
    available: Decimal,
    in_play: Decimal,
    version: int,
    position: int,
    overdrawn: bool,  # noqa: FBT001  a column
    bonus: Decimal,
    max_in_play: int | None,
    max_profit: int | None,
) -> Balance:
    return Balance(
        account_id,
        owner,
        currency,
        name,
        held_at,
        int(available),
        int(in_play),
        version,
        position,
        overdrawn,
        int(bonus),
        AccountLimits(max_in_play, max_profit),
    )


# ---- projection: balances are numeric, because what bets at starting prices return, or corrections, has no bound

_CREATE = """
CREATE TABLE balances (
    account_id uuid PRIMARY KEY, owner text NOT NULL, currency text NOT NULL, name text NOT NULL, held_at text,
    available_minor numeric NOT NULL, in_play_minor numeric NOT NULL, version bigint NOT NULL, position bigint NOT NULL,
    bonus_minor numeric NOT NULL, max_in_play_minor bigint, max_profit_minor bigint
) WITH (fillfactor = 60)"""  # room for an update to stay on its page, where no index has to hear of it

_INDEX = "CREATE INDEX ON balances (owner, account_id)"

_OPEN = over(
    """
    INSERT INTO balances (account_id, owner, currency, name, held_at,
                          available_minor, in_play_minor, version, position, bonus_minor) SELECT * FROM {}""",
    *("uuid", "text", "text", "text", "text", "numeric", "numeric", "bigint", "bigint", "numeric"),
)
_MOVE = over(
    """
    UPDATE balances b
    SET available_minor = e.available, in_play_minor = e.in_play, version = e.version, position = e.position,
        bonus_minor = e.bonus
    FROM {} AS e(account_id, available, in_play, version, position, bonus) WHERE b.account_id = e.account_id""",
    *("uuid", "numeric", "numeric", "bigint", "bigint", "numeric"),
)
_LIMIT = over(
    """
    UPDATE balances b SET max_in_play_minor = e.in_play::bigint, max_profit_minor = e.profit::bigint
    FROM {} AS e(account_id, in_play, profit) WHERE b.account_id = e.account_id""",
    *("uuid", "text", "text"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    opened = {
        r.stream_id.int: r.event
        for r in batch.of(AccountOpened)
        if isinstance(r.event, AccountOpened)
    }
    new: list[tuple[Any, ...]] = []
    moved: list[tuple[Any, ...]] = []
    for key, (last, state) in batch.last_of_accounts.items():
        account_id = last.stream_id
        figures = (
            *(state.available_minor, state.in_play_minor, state.version, last.position),
            state.bonus_minor,
        )
        if event := opened.get(key):
            new.append(
                (account_id, event.owner, event.currency, event.name, event.held_at, *figures)
            )
        else:
            moved.append((account_id, *figures))
    if new:
        yield _OPEN, columns(new)
    if moved:
        yield _MOVE, columns(moved)
    limited = _limits(batch)
    if limited:
        yield _LIMIT, columns(limited)


def _limits(batch: Batch) -> list[tuple[UUID, str | None, str | None]]:
    """Give the limits of the accounts that got other ones; as text, because a column of numbers may not lack any."""
    limits: dict[UUID, AccountLimits] = {}
    for recorded in batch.of(AccountOpened, AccountLimitsChanged):
        event = recorded.event
        if isinstance(event, AccountOpened | AccountLimitsChanged) and event.limits is not None:
            limits[recorded.stream_id] = event.limits
    return [
        (account_id, _text(each.max_in_play_minor), _text(each.max_profit_minor))
        for account_id, each in limits.items()
    ]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


PROJECTION = Projection(
    name="balances",
    tables=("balances",),
    create=_CREATE,
    index=_INDEX,
    follows=ACCOUNT_EVENTS,
    changes=_changes,
)
