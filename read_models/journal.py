"""The journal: every posting of every entry, and the trial balance now or at any moment."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, get_args
from uuid import UUID

from msgspec import Struct

from domain.events.event import Recorded
from domain.journal import Book, Posting, postings
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

# A row of the table is an entry with a column for each book; here its postings come apart again, in the books' order.
_LINES = """
CROSS JOIN LATERAL (VALUES
    (1::smallint, 'customer_available', '', j.customer_available), (2::smallint, 'customer_in_play', '', j.customer_in_play),
    (3::smallint, 'house_result', '', j.house_result), (4::smallint, 'external', j.method, j.external)
) AS p(line, book, detail, amount_minor)"""
_SELECT = """
SELECT j.position, p.line, j.at, p.book, j.account_id, j.currency, p.detail, p.amount_minor FROM journal j"""
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
    SELECT p.book, p.detail, j.currency, p.amount_minor FROM (
        SELECT currency, method, sum(customer_available) AS customer_available,
               sum(customer_in_play) AS customer_in_play, sum(house_result) AS house_result, sum(external) AS external
        FROM journal WHERE position >= (SELECT stretch FROM bound) * 65536 AND UPTO GROUP BY currency, method
    ) AS j LINES WHERE p.amount_minor IS NOT NULL
) AS p GROUP BY book, detail, currency ORDER BY currency, book, detail""".replace("LINES", _LINES)
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
    where = ["p.amount_minor IS NOT NULL"]
    if after:
        # The first condition bounds the scan of the index.
        where.append(
            "j.position >= %(position)s AND (j.position, p.line) > (%(position)s, %(line)s)"
        )
    select = _SELECT
    if account_id is not None:
        # All postings of an event concern the account in whose stream it stands, and the log has an index by stream.
        select += _OF_STREAM
        where.append("e.originator_id = %(account_id)s")
    sql = query(select + _LINES, where, "ORDER BY j.position, p.line LIMIT %(limit)s")
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
    where = ["j.position = %(position)s", "p.amount_minor IS NOT NULL"]
    sql = query(_SELECT + _LINES, where, "ORDER BY p.line")
    return await db.rows(sql, {"position": position}, JournalRow)


# ---- projection: one row an entry, with a column for each book; the table itself refuses what does not balance

_CREATE = """
CREATE TABLE journal (
    position bigint NOT NULL, at timestamptz NOT NULL, account_id uuid NOT NULL, currency text NOT NULL,
    customer_available bigint, customer_in_play bigint, house_result bigint, external bigint, method text NOT NULL,
    CHECK (coalesce(customer_available, 0) + coalesce(customer_in_play, 0) + coalesce(house_result, 0)
           + coalesce(external, 0) = 0)
);
CREATE TABLE journal_totals (
    stretch bigint NOT NULL, book text NOT NULL, detail text NOT NULL, currency text NOT NULL,
    amount_minor numeric NOT NULL, PRIMARY KEY (stretch, book, detail, currency)
) WITH (fillfactor = 50);"""

_INDEX = "ALTER TABLE journal ADD PRIMARY KEY (position)"

_POST = over(
    """
    INSERT INTO journal (position, at, account_id, currency,
                         customer_available, customer_in_play, house_result, external, method)
    SELECT e.a, e.b, e.c, e.d, nullif(e.e, 0), nullif(e.f, 0), nullif(e.g, 0), nullif(e.h, 0), e.i
    FROM {} AS e(a, b, c, d, e, f, g, h, i)""",
    *("bigint", "timestamptz", "uuid", "text", "bigint", "bigint", "bigint", "bigint", "text"),
)
_BOOKS: Final[tuple[Book, ...]] = get_args(Book)
_TOTAL = over(
    """
    INSERT INTO journal_totals AS t SELECT * FROM {}
    ON CONFLICT (stretch, book, detail, currency) DO UPDATE SET amount_minor = t.amount_minor + excluded.amount_minor""",
    *("bigint", "text", "text", "text", "numeric"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    moves = batch.account_events
    entries = [(recorded, lines) for recorded in moves if (lines := postings(recorded.event))]
    if entries:
        yield from _post(entries)
    yield from _clock.changes(moves)


def _post(entries: list[tuple[Recorded, tuple[Posting, ...]]]) -> Iterable[Change]:
    amounts: dict[Book, list[int]] = {book: [0] * len(entries) for book in _BOOKS}
    methods = [""] * len(entries)
    groups: dict[tuple[int, str, str], list[int]] = {}
    for place, (recorded, lines) in enumerate(entries):
        for posting in lines:
            amounts[posting.book][place] = posting.amount_minor
            if posting.detail:
                methods[place] = posting.detail
        key = (recorded.position // STRETCH, posting.currency, methods[place])
        group = groups.get(key)
        if group is None:
            groups[key] = [place]
        else:
            group.append(place)
    yield (
        _POST,
        [
            [recorded.position for recorded, _ in entries],
            [recorded.at for recorded, _ in entries],
            [recorded.stream_id for recorded, _ in entries],
            [lines[0].currency for _, lines in entries],
            *amounts.values(),
            methods,
        ],
    )
    totals: dict[tuple[int, str, str, str], int] = {}
    for (stretch, currency, method), places in groups.items():
        for book, column in amounts.items():
            added = [amount for place in places if (amount := column[place])]
            if added:  # a book that was touched has a total, be it zero
                total = (stretch, book, method if book == "external" else "", currency)
                totals[total] = totals.get(total, 0) + sum(added)
    yield _TOTAL, columns([(*key, amount) for key, amount in totals.items()])


PROJECTION = Projection(
    name="journal",
    tables=("journal", "journal_totals", "journal_clock"),
    create=_CREATE + _clock.create,
    index=_INDEX,
    follows=ACCOUNT_EVENTS,
    changes=_changes,
)
