"""The journal: every posting of every entry, and the trial balance now or at any moment."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from domain.journal import Book, postings
from read_models.clock import Clock
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import (
    ACCOUNT_EVENTS,
    Batch,
    Change,
    Projection,
    columns,
    over,
)

STRETCH: Final = 65_536
"""Totals are kept for each stretch of so many positions: a trial balance reads totals and postings of one stretch."""


class JournalRow(Struct, frozen=True):
    """One posting: `amount_minor` was added to `book`; the lines of one position sum to zero."""

    position: int
    line: int
    at: datetime
    book: Book
    account_id: UUID
    currency: str
    detail: str
    amount_minor: int


class TrialBalanceRow(Struct, frozen=True):
    """The balance of one book in minor units; `detail` is the method of an external payment."""

    book: Book
    detail: str
    currency: str
    balance_minor: int


class TrialBalance(Struct, frozen=True):
    """All books; `check_minor` is the sum of all balances by currency and must be zero in each."""

    rows: list[TrialBalanceRow]
    check_minor: dict[str, int]


_clock = Clock("journal_clock")

_SELECT = """
SELECT j.position, j.line, j.at, j.book, j.account_id, j.currency, j.detail, j.amount_minor FROM journal j"""
_OF_STREAM = " JOIN ledger_events e ON e.notification_id = j.position"

_NOW = """
SELECT book, detail, currency, sum(amount_minor) FROM journal_totals
GROUP BY book, detail, currency ORDER BY currency, book, detail"""
_AS_OF = """
WITH bound AS (SELECT LOW / 65536 AS stretch)
SELECT book, detail, currency, sum(amount_minor) FROM (
    SELECT book, detail, currency, amount_minor FROM journal_totals
    WHERE stretch < (SELECT stretch FROM bound)
    UNION ALL
    SELECT book, detail, currency, amount_minor FROM journal
    WHERE position >= (SELECT stretch FROM bound) * 65536 AND UPTO
) AS p GROUP BY book, detail, currency ORDER BY currency, book, detail"""
_AS_OF_POSITION = _AS_OF.replace("LOW", "%(at)s::bigint").replace("UPTO", "position <= %(at)s")
_AS_OF_TIME = _AS_OF.replace("LOW", _clock.since("at")).replace(
    "UPTO", f"at <= %(at)s AND position < {_clock.before('at')}"
)


async def trial_balance(db: Db, as_of: datetime | int | None = None) -> TrialBalance:
    """Give the balance of every book now, at a time, or right after a position."""
    sql = _NOW if as_of is None else _AS_OF_POSITION if isinstance(as_of, int) else _AS_OF_TIME
    rows = await db.rows(sql, {"at": as_of}, _balance)
    check: dict[str, int] = {}
    for row in rows:
        check[row.currency] = check.get(row.currency, 0) + row.balance_minor
    return TrialBalance(rows, check)


def _balance(book: Book, detail: str, currency: str, balance: Decimal) -> TrialBalanceRow:
    return TrialBalanceRow(book, detail, currency, int(balance))


async def entries(
    db: Db, account_id: UUID | None = None, limit: int = 100, cursor: str | None = None
) -> Page[JournalRow]:
    """Give the postings of an account, or all, in the order of the log."""
    after = decode_cursor(cursor, tuple[int, int])
    where = ["true"]
    if after:
        where.append("(j.position, j.line) > (%(position)s, %(line)s)")
    select = _SELECT
    if account_id is not None:
        # All postings of an event concern the account in whose stream it stands, and the log has an index by stream.
        select += _OF_STREAM
        where.append("e.originator_id = %(account_id)s")
    sql = query(select, where, "ORDER BY j.position, j.line LIMIT %(limit)s")
    position, line = after or (0, 0)
    parameters = {
        "account_id": account_id,
        "position": position,
        "line": line,
        "limit": limit + 1,
    }
    rows = await db.rows(sql, parameters, JournalRow)
    return page_of(rows, limit, lambda row: (row.position, row.line))


async def entry(db: Db, position: int) -> list[JournalRow]:
    """Give the postings of one event, none if it moved no money."""
    sql = query(_SELECT, ["j.position = %(position)s"], "ORDER BY j.line")
    return await db.rows(sql, {"position": position}, JournalRow)


# ---- projection

_CREATE = """
CREATE TABLE journal (
    position bigint NOT NULL, line smallint NOT NULL, at timestamptz NOT NULL, book text NOT NULL,
    account_id uuid NOT NULL, currency text NOT NULL, detail text NOT NULL, amount_minor bigint NOT NULL
);
CREATE TABLE journal_totals (
    stretch bigint NOT NULL, book text NOT NULL, detail text NOT NULL, currency text NOT NULL,
    amount_minor numeric NOT NULL, PRIMARY KEY (stretch, book, detail, currency)
) WITH (fillfactor = 50);"""

_INDEX = "ALTER TABLE journal ADD PRIMARY KEY (position, line)"

_POST = over(
    """
    INSERT INTO journal (position, line, at, book, account_id, currency, detail, amount_minor)
    SELECT * FROM {}""",
    *("bigint", "bigint", "timestamptz", "text", "uuid", "text", "text", "bigint"),
)
_TOTAL = over(
    """
    INSERT INTO journal_totals AS t SELECT * FROM {}
    ON CONFLICT (stretch, book, detail, currency) DO UPDATE SET amount_minor = t.amount_minor + excluded.amount_minor""",
    *("bigint", "text", "text", "text", "numeric"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    events = batch.of(*ACCOUNT_EVENTS)
    rows: list[tuple[Any, ...]] = []
    totals: dict[tuple[int, str, str, str], int] = {}
    for recorded in events:
        position, at, account_id = recorded.position, recorded.at, recorded.stream_id
        stretch = position // STRETCH
        for line, posting in enumerate(postings(recorded.event), 1):
            book, currency, detail = posting.book, posting.currency, posting.detail
            amount = posting.amount_minor
            rows.append((position, line, at, book, account_id, currency, detail, amount))
            key = (stretch, book, detail, currency)
            totals[key] = totals.get(key, 0) + amount
    if rows:
        yield _POST, columns(rows)
        yield _TOTAL, columns([(*key, amount) for key, amount in totals.items()])
    yield from _clock.changes(events)


PROJECTION = Projection(
    name="journal",
    tables=("journal", "journal_totals", "journal_clock"),
    create=_CREATE + _clock.create,
    index=_INDEX,
    follows=ACCOUNT_EVENTS,
    changes=_changes,
)
