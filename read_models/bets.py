"""Bets: one row a bet, from its placing to its settlement."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from domain.bet import BetChange, BetStatus
from domain.events.account import AccountOpened
from domain.events.bet import BetKind, BetPlaced, BetReopened, Leg, Side
from domain.events.event import Recorded
from domain.events.market import Result, SelectionResult
from read_models import bet_alterations, closing
from read_models.bet_alterations import BetPart, Repricing
from read_models.closing import LegTaken
from read_models.db import Db, Page, decode_cursor, page_of, query
from read_models.projection import (
    ALTERATIONS,
    SETTLEMENTS,
    Batch,
    Change,
    Projection,
    columns,
    over,
)


class BetLeg(Struct, frozen=True):
    """One selection of a bet at the odds taken, None at the starting price; `result` is None until the bet is settled.

    The rest is None until the market closes, and where no bookmaker offered the selection then: `closing_odds` of the
    bookmaker that holds the account's money or else (`closing_bookmaker` None) the consensus; `fair_odds`, the
    consensus without its margin; and the closing-line value against each. See read_models.closing.LegClosing.
    """

    market_id: UUID
    selection_id: str
    odds: Decimal | None
    result: Result | None = None
    closing_odds: Decimal | None = None
    closing_bookmaker: str | None = None
    fair_odds: Decimal | None = None
    clv: Decimal | None = None
    clv_fair: Decimal | None = None


class Bet(Struct, frozen=True):
    """A bet; money in minor units of `currency`, `position` of its placing.

    `open_stake_minor` is what is still in play of an open bet, and `potential_return_minor` what that can return; once it
    is settled, `return_minor` includes what its `parts` were cashed out for, and a void bet takes that back. `status` is of
    what was left. Its legs have the odds that approved `repricings` gave them.
    """

    bet_id: UUID
    account_id: UUID
    owner: str
    kind: BetKind
    side: Side
    legs: list[BetLeg]
    stake_minor: int
    total_stake_minor: int
    potential_return_minor: int
    currency: str
    status: BetStatus
    return_minor: int | None
    placed_at: datetime
    settled_at: datetime | None
    position: int
    each_way: bool = False
    best_odds: bool = False
    free: bool = False
    open_stake_minor: int = 0
    parts: list[BetPart] = []
    repricings: list[Repricing] = []


_SELECT = """
SELECT b.bet_id, b.account_id, b.owner, b.kind, b.side, b.market_id, b.selection_id, b.odds, b.further_legs::text,
       b.results, b.stake_minor, b.total_stake_minor, b.potential_return_minor, b.currency, b.status,
       b.return_minor + coalesce(b.cashed_return_minor, 0),
       b.placed_at, b.settled_at, b.position, b.options, b.cashed_stake_minor, b.parts::text, b.repricings::text
FROM bets b"""


async def get(db: Db, bet_id: UUID) -> Bet | None:
    """Give a bet, None when there is no such bet."""
    found = await db.rows(query(_SELECT, ["bet_id = %(bet_id)s"], ""), {"bet_id": bet_id}, _bet)
    return (await _with_closings(db, found))[0] if found else None


async def page(
    db: Db,
    owner: str | None = None,
    account_id: UUID | None = None,
    market_id: UUID | None = None,
    status: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Bet]:
    """Give the bets that match, newest first; a bet on several markets matches each of them."""
    before = decode_cursor(cursor, tuple[int])
    where = ["true"]
    if account_id is not None:
        where.append("b.account_id = %(account_id)s")
    if status is not None:
        where.append("b.status = %(status)s")
    if before:
        where.append("b.position < %(before)s")
    if market_id is None and account_id is None and owner is not None:
        sql = _of_owner(where)
    else:
        if owner is not None:
            where.append("b.owner = %(owner)s")
        sql = query(_SELECT, where, _NEWEST) if market_id is None else _on_market(where)
    parameters = {
        "owner": owner,
        "account_id": account_id,
        "market_id": market_id,
        "status": status,
        "before": before and before[0],
        "limit": limit + 1,
    }
    rows = await db.rows(sql, parameters, _bet)
    page = page_of(rows, limit, lambda row: (row.position,))
    return Page(await _with_closings(db, page.items), page.next_cursor)


async def _with_closings(db: Db, bets: Sequence[Bet]) -> list[Bet]:
    """Add how the markets of the bets' legs closed: the rows do not hold it, so that placing a bet costs no more."""
    legs = [(bet, leg) for bet in bets for leg in bet.legs]
    closings = await closing.of_legs(
        db,
        [
            LegTaken(bet.account_id, leg.market_id, leg.selection_id, bet.side, leg.odds)
            for bet, leg in legs
        ],
    )
    if not any(closings):
        return list(bets)
    shown = iter(
        leg
        if closed is None
        else replace(
            leg,
            closing_odds=closed.closing_odds,
            closing_bookmaker=closed.closing_bookmaker,
            fair_odds=closed.fair_odds,
            clv=closed.clv,
            clv_fair=closed.clv_fair,
        )
        for (_, leg), closed in zip(legs, closings, strict=True)
    )
    return [replace(bet, legs=list(islice(shown, len(bet.legs)))) for bet in bets]


_NEWEST = "ORDER BY position DESC LIMIT %(limit)s"


def _on_market(where: list[str]) -> str:
    """Give two index scans in the order of the answer; nearly all bets are found by their first leg."""
    first = query(_SELECT, [*where, "b.market_id = %(market_id)s"], _NEWEST)
    further = query(_SELECT + _JOIN_FURTHER, [*where, "f.market_id = %(market_id)s"], _NEWEST)
    return f"({first}) UNION ALL ({further}) {_NEWEST}"


def _of_owner(where: list[str]) -> str:
    """Give the newest bets of an owner's accounts, from the index by account.

    Only as many accounts matter as there are rows to give: those with the newest bets. A trader has a few accounts, and
    an index by owner would cost every bet more than all of this.
    """
    of_account = [*where, "b.account_id = a.account_id"]
    newest = query("SELECT b.position FROM bets b", of_account, "ORDER BY position DESC LIMIT 1")
    return _OF_OWNER.replace("NEWEST", newest).replace("BETS", query(_SELECT, of_account, _NEWEST))


_OF_OWNER = """
SELECT b.* FROM (
    SELECT a.account_id FROM bets_accounts a CROSS JOIN LATERAL (NEWEST) n
    WHERE a.owner = %(owner)s ORDER BY n.position DESC LIMIT %(limit)s
) a CROSS JOIN LATERAL (BETS) b
ORDER BY position DESC LIMIT %(limit)s"""


_TO_VISIT = """
(SELECT b.bet_id, b.position, b.further_legs IS NULL FROM bets b
 WHERE b.market_id = %(market_id)s AND b.position > %(after)s AND coalesce(b.settled_position, 0) <= %(changed_at)s
 ORDER BY b.position LIMIT %(limit)s)
UNION ALL
(SELECT f.bet_id, f.position, false FROM bets_further_legs f JOIN bets b USING (bet_id)
 WHERE f.market_id = %(market_id)s AND f.position > %(after)s AND coalesce(b.settled_position, 0) <= %(changed_at)s
 ORDER BY f.position LIMIT %(limit)s)
ORDER BY 2 LIMIT %(limit)s"""


async def to_visit(
    db: Db, market_id: UUID, changed_at: int, after: int = 0, limit: int = 500
) -> list[tuple[UUID, int, bool]]:
    """Give the bets with a leg on this market that were placed after a position, in order, open or settled.

    Each with its own position, and whether that is its only leg. Those that were settled, or opened again, after
    position `changed_at` are left out: that was by the results that stand since then.
    """
    parameters = {"market_id": market_id, "changed_at": changed_at, "after": after, "limit": limit}
    return await db.rows(_TO_VISIT, parameters, _columns)


_COUNT_VISITED = """
SELECT (SELECT count(*) FROM bets WHERE market_id = %(market_id)s AND position <= %(after)s)
     + (SELECT count(*) FROM bets_further_legs WHERE market_id = %(market_id)s AND position <= %(after)s)"""


async def count_visited(db: Db, market_id: UUID, after: int) -> int:
    """Count the bets with a leg on this market that were placed up to a position."""
    rows = await db.rows(_COUNT_VISITED, {"market_id": market_id, "after": after}, _columns)
    return int(rows[0][0])


_ON_MARKET = """
SELECT bet_id FROM bets WHERE market_id = %(market_id)s
UNION ALL
SELECT bet_id FROM bets_further_legs WHERE market_id = %(market_id)s
LIMIT %(limit)s"""


async def on_market(db: Db, market_id: UUID, limit: int) -> list[UUID]:
    """Give the bets with a leg on this market, open or settled, in no order."""
    rows = await db.rows(_ON_MARKET, {"market_id": market_id, "limit": limit}, _columns)
    return [bet_id for (bet_id,) in rows]


def _columns(*values: Any) -> tuple[Any, ...]:
    return values


def _bet(  # the columns of _SELECT
    bet_id: UUID,
    account_id: UUID,
    owner: str,
    kind: BetKind,
    side: Side,
    market_id: UUID,
    selection_id: str,
    odds: Decimal | None,
    further_legs: str | None,
    results: list[Result | None] | None,
    *rest: Any,
) -> Bet:
    legs = [Leg(market_id, selection_id, odds)]
    if further_legs:
        legs += msgspec.json.decode(further_legs, type=list[Leg])
    decided: list[Result | None] = list(results) if results else [None] * len(legs)
    shown = [
        BetLeg(leg.market_id, leg.selection_id, leg.odds, result)
        for leg, result in zip(legs, decided, strict=True)
    ]
    *figures, options, cashed_stake, parts, repricings = rest
    set_options = (options or "").split()
    flags = [each in set_options for each in ("each_way", "best_odds", "free")]
    bet = Bet(bet_id, account_id, owner, kind, side, shown, *figures, *flags)
    if bet.status == "open":
        left = bet.total_stake_minor - (cashed_stake or 0)
        bet = replace(bet, open_stake_minor=left)
    if parts:
        bet = replace(bet, parts=msgspec.json.decode(parts, type=list[BetPart]))
    if repricings:
        shown_repricings = bet_alterations.repricings_of(repricings)
        by_market = bet_alterations.corrected_odds(shown_repricings)
        corrected = [replace(leg, odds=by_market.get(leg.market_id, leg.odds)) for leg in bet.legs]
        bet = replace(bet, legs=corrected, repricings=shown_repricings)
    return bet


# ---- projection: the row of a bet has its first leg in columns, which is all that a single needs. No index holds the
# status: settling a bet changes its row and no index.

_CREATE = """
CREATE TABLE bets (
    bet_id uuid PRIMARY KEY, account_id uuid NOT NULL, owner text NOT NULL, kind text NOT NULL, side text NOT NULL,
    market_id uuid NOT NULL, selection_id text NOT NULL, odds numeric, further_legs json, results text[],
    stake_minor bigint NOT NULL, total_stake_minor bigint NOT NULL, potential_return_minor bigint NOT NULL,
    currency text NOT NULL, status text NOT NULL, return_minor bigint,
    placed_at timestamptz NOT NULL, settled_at timestamptz, position bigint NOT NULL, options text,
    settled_position bigint,
    cashed_stake_minor bigint, cashed_return_minor bigint, cashed_at timestamptz, parts jsonb,
    repricings jsonb
) WITH (fillfactor = 85);
CREATE TABLE bets_further_legs (
    market_id uuid NOT NULL, position bigint NOT NULL, bet_id uuid NOT NULL,
    PRIMARY KEY (market_id, position, bet_id)
);
CREATE TABLE bets_accounts (owner text NOT NULL, account_id uuid NOT NULL)"""

_INDEX = """
CREATE INDEX ON bets (position);
CREATE INDEX ON bets (account_id, position);
CREATE INDEX ON bets (market_id, position);
ALTER TABLE bets_accounts ADD PRIMARY KEY (owner, account_id)"""

_JOIN_FURTHER = " JOIN bets_further_legs f ON f.bet_id = b.bet_id AND f.position = b.position"

_PLACE = over(
    """
    INSERT INTO bets (bet_id, account_id, owner, kind, side, market_id, selection_id, odds, further_legs,
                      stake_minor, total_stake_minor, potential_return_minor, currency, status, placed_at, position, options)
    SELECT e.a, e.b, e.c, e.d, e.e, e.f, e.g, e.h::numeric, e.i::json, e.j, e.k, e.l, e.m, 'open', e.n, e.o, e.p
    FROM {} AS e(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)""",
    *("uuid", "uuid", "text", "text", "text", "uuid", "text", "text", "text"),
    *("bigint", "bigint", "bigint", "text", "timestamptz", "bigint", "text"),
)
_PLACE_FURTHER = over(
    "INSERT INTO bets_further_legs (market_id, position, bet_id) SELECT * FROM {}",
    *("uuid", "bigint", "uuid"),
)
_OPEN_ACCOUNT = over(
    "INSERT INTO bets_accounts (owner, account_id) SELECT * FROM {}", "text", "uuid"
)
_SETTLE = over(
    """
    UPDATE bets b SET status = e.status, return_minor = e.returned::bigint, settled_at = e.at::timestamptz,
                      results = string_to_array(e.results, ' ', '-'), settled_position = e.position
    FROM {} AS e(bet_id, status, returned, at, results, position) WHERE b.bet_id = e.bet_id""",
    *("uuid", "text", "text", "text", "text", "bigint"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    opened = [
        (r.event.owner, r.stream_id)
        for r in batch.of(AccountOpened)
        if isinstance(r.event, AccountOpened)
    ]
    if opened:
        yield _OPEN_ACCOUNT, columns(opened)
    if batch.placed:
        yield from _place(batch)
    if batch.settled:
        last = {recorded.stream_id.int: (recorded, event) for recorded, event, _ in batch.settled}
        yield _SETTLE, columns([_settled(*each) for each in last.values()])
    yield from bet_alterations.changes(batch)


def _place(batch: Batch) -> Iterable[Change]:
    placed = [recorded for recorded, _ in batch.placed]
    bets = [bet for _, bet in batch.placed]
    firsts = [bet.legs[0] for bet in bets]
    yield (
        _PLACE,
        [
            [recorded.stream_id for recorded in placed],
            [bet.account_id for bet in bets],
            [bet.owner for bet in bets],
            [bet.kind for bet in bets],
            [bet.side for bet in bets],
            [leg.market_id for leg in firsts],
            [leg.selection_id for leg in firsts],
            [None if leg.odds is None else str(leg.odds) for leg in firsts],
            [None if len(bet.legs) == 1 else _further(bet.legs) for bet in bets],
            [bet.stake_minor for bet in bets],
            [bet.total_stake_minor for bet in bets],
            [bet.potential_return_minor for bet in bets],
            [bet.currency for bet in bets],
            [recorded.at for recorded in placed],
            [recorded.position for recorded in placed],
            [_options(bet) for bet in bets],
        ],
    )
    further = {
        (leg.market_id, recorded.position, recorded.stream_id)
        for recorded, bet in batch.placed
        if len(bet.legs) > 1
        for leg in bet.legs[1:]
        if leg.market_id != bet.legs[0].market_id
    }
    if further:
        yield _PLACE_FURTHER, columns(further)


def _options(bet: BetPlaced) -> str | None:
    each_way = bet.kind == "each_way" or bet.each_way
    if not (each_way or bet.best_odds or bet.free):
        return None  # as of nearly all
    options = {"each_way": each_way, "best_odds": bet.best_odds, "free": bet.free}
    return " ".join(name for name, is_set in options.items() if is_set)


def _further(legs: Sequence[Leg]) -> str:
    return msgspec.json.encode(legs[1:]).decode()


def _settled(recorded: Recorded, event: BetChange) -> tuple[Any, ...]:
    if isinstance(event, BetReopened):
        return recorded.stream_id, "open", None, None, None, recorded.position
    words, returned = _words(event.results), str(event.return_minor)
    return recorded.stream_id, event.status, returned, str(recorded.at), words, recorded.position


def _words(results: Iterable[SelectionResult | None]) -> str:
    return " ".join(["-" if result is None else result.result for result in results])


PROJECTION = Projection(
    name="bets",
    tables=("bets", "bets_further_legs", "bets_accounts"),
    create=_CREATE,
    index=_INDEX,
    follows=(BetPlaced, *SETTLEMENTS, *ALTERATIONS, *bet_alterations.REPRICINGS),
    glances_at=(AccountOpened,),
    changes=_changes,
)
