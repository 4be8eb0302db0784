"""Exposure over all markets of a fixture, by the states in which it can end, and over all fixtures of an account."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events.bet import Side
from domain.events.market import MarketType, Period, Selection
from domain.exposure import (
    Book,
    OpenBets,
    StateProfit,
    book_of,
    can_be_known,
    expected_profit,
    no_vig,
    range_for_bettor,
)
from domain.money import round_half_up
from domain.outcomes import Proposition
from domain.refusals import LimitExceeded
from read_models import markets, prices
from read_models.db import Db, query
from read_models.exposure import SELECT_LINES, Line, OtherBets, others_of, proposition_of

STATES_MAX: Final = 500
_MARKETS_MAX: Final = 500


class MarketPart(Struct, frozen=True):
    """One market's share of a fixture's exposure, in minor units; its cases are None where its states are not known."""

    market_id: UUID
    type: MarketType
    line: Decimal | None
    bets: int
    stake_minor: int
    worst_case_minor: int | None
    best_case_minor: int | None
    expected_profit_minor: int | None


class FixtureCurrency(Struct, frozen=True):
    """A fixture's exposure in one currency: the house's profit on open single bets on all of its markets.

    `joint`: the cases are over the states that the markets tell apart together, and are met there; else (too many
    lines, or markets on the first half beside others) they are sums over parts, which bound them. `states` come worst first, at most 500.
    `expected_profit_minor` sums the markets whose latest prices give probabilities without their margin, over
    `expected_bets` of `bets`: the expectation over the joint states, since it is linear; None when no market has them.
    `left_out` sums the bets on markets whose states are not known: they, and `others` (more than one leg or part, or
    the starting price), cost at most what they return less
    what they stake. `worst_case_with_others_minor` is the bound with all of that lost at once.
    """

    currency: str
    bets: int
    stake_minor: int
    joint: bool
    worst_case_minor: int
    best_case_minor: int
    expected_profit_minor: int | None
    expected_bets: int
    left_out: OtherBets
    others: OtherBets
    worst_case_with_others_minor: int
    states: list[StateProfit]
    markets: list[MarketPart]


class FixtureExposure(Struct, frozen=True):
    """What the open bets on a fixture mean for the house."""

    fixture_id: UUID
    currencies: list[FixtureCurrency]


class AccountExposure(Struct, frozen=True):
    """What an account's open bets mean for who placed them, in minor units.

    The cases sum those of each fixture (and of its first half) over its states; what they do not hold (several legs, states not known) loses
    its stake in the worst case and returns all that it can in the best: the true ones lie between.
    """

    account_id: UUID
    currency: str
    bets: int
    open_stake_minor: int
    potential_return_minor: int
    worst_case_minor: int
    best_case_minor: int


_OF_FIXTURE = query(
    SELECT_LINES,
    ["x.market_id = ANY(%(market_ids)s)", "(x.open_bets <> 0 OR x.other_bets <> 0)"],
    "ORDER BY x.currency, x.market_id, x.selection_id, x.side",
)


async def of_fixture(db: Db, fixture_id: UUID) -> FixtureExposure | None:
    """Give a fixture's exposure by currency, None when no market is on it."""
    found = await markets.page(db, fixture_id=fixture_id, limit=_MARKETS_MAX)
    on_it = list(found.items)
    while found.next_cursor is not None:
        found = await markets.page(
            db, fixture_id=fixture_id, limit=_MARKETS_MAX, cursor=found.next_cursor
        )
        on_it += found.items
    if not on_it:
        return None
    market_ids = [market.market_id for market in on_it]
    by_currency: dict[str, list[Line]] = {}
    for line in await db.rows(_OF_FIXTURE, {"market_ids": market_ids}, Line):
        by_currency.setdefault(line.currency, []).append(line)
    odds = await prices.consensus(db, market_ids)
    # Many lines make many states: meanwhile others are served.
    currencies = await asyncio.to_thread(
        lambda: [_of_currency(lines, on_it, odds) for lines in by_currency.values()]
    )
    return FixtureExposure(fixture_id, currencies)


def _of_currency(
    lines: list[Line],
    on_it: Sequence[markets.Market],
    odds: Mapping[UUID, Mapping[str, Decimal]],
) -> FixtureCurrency:
    parts: list[MarketPart] = []
    known: dict[Period, list[list[OpenBets]]] = {}
    left_out = [0, 0, 0]
    expected, expected_bets = Fraction(0), 0
    for market in on_it:
        own = [line for line in lines if line.market_id == market.market_id and line.open_bets]
        if not own:
            continue
        proposition = proposition_of(market)
        bets = [line.open_on(proposition) for line in own]
        count, stake = sum(line.open_bets for line in own), sum(bet.stake_minor for bet in bets)
        book = None
        if can_be_known(proposition):
            book = book_of(bets)
            known.setdefault(market.period, []).append(bets)
        else:
            returned = sum(bet.return_minor for bet in bets)
            left_out = [a + b for a, b in zip(left_out, (count, stake, returned), strict=True)]
        chances = no_vig(proposition, odds.get(market.market_id, {}))
        profit = expected_profit(bets, chances) if chances else None
        if profit is not None:
            expected += profit
            expected_bets += count
        parts.append(
            MarketPart(
                market_id=market.market_id,
                type=market.type,
                line=market.line,
                bets=count,
                stake_minor=stake,
                worst_case_minor=None if book is None else book.worst_minor,
                best_case_minor=None if book is None else book.best_minor,
                expected_profit_minor=None if profit is None else round_half_up(profit),
            )
        )
    book, joint = _together(known)
    others, unknown = others_of(lines), OtherBets(*left_out)
    lost = sum(each.potential_return_minor - each.stake_minor for each in (others, unknown))
    worst_first = sorted(book.states, key=lambda state: state.profit_minor)
    return FixtureCurrency(
        currency=lines[0].currency,
        bets=sum(part.bets for part in parts),
        stake_minor=sum(part.stake_minor for part in parts),
        joint=joint,
        worst_case_minor=book.worst_minor,
        best_case_minor=book.best_minor,
        expected_profit_minor=round_half_up(expected) if expected_bets else None,
        expected_bets=expected_bets,
        left_out=unknown,
        others=others,
        worst_case_with_others_minor=book.worst_minor - lost,
        states=worst_first[:STATES_MAX],
        markets=parts,
    )


def _together(by_period: Mapping[Period, Sequence[Sequence[OpenBets]]]) -> tuple[Book, bool]:
    """Give the book of several markets and whether it is over their joint states."""
    if len(by_period) <= 1:
        (by_market,) = by_period.values() or ((),)
        try:
            return book_of([bet for bets in by_market for bet in bets]), True
        except LimitExceeded:
            books = [book_of(bets) for bets in by_market]
    else:  # the scores of two periods are not compared
        books = [_together({period: by_period[period]})[0] for period in by_period]
    sums = sum(book.worst_minor for book in books), sum(book.best_minor for book in books)
    return Book((), *sums), False


# ---- accounts


_OF_ACCOUNT = """
SELECT m.fixture_id, m.market_id, m.period, m.type, m.line, m.selections::text, b.selection_id, b.side,
       b.kind = 'single' AND b.odds IS NOT NULL AS is_single, count(*), sum(b.total_stake_minor - coalesce(b.cashed_stake_minor, 0)), sum(b.potential_return_minor)
FROM bets b LEFT JOIN markets m ON m.market_id = b.market_id
WHERE b.account_id = %(account_id)s AND b.status = 'open'
GROUP BY m.market_id, b.selection_id, b.side, is_single"""


class _Held(Struct):
    """Open bets of an account that are alike; the market is None where its view has not seen it yet."""

    fixture_id: UUID | None
    market_id: UUID | None
    period: Period | None
    type: MarketType | None
    line: Decimal | None
    selections: str | None
    selection_id: str
    side: Side
    is_single: bool
    bets: int
    stake: Decimal
    returned: Decimal

    def open(self) -> OpenBets | None:
        """Give them as single bets on a market whose states are known, else None."""
        if not self.is_single or self.type is None or self.selections is None:
            return None
        listed = msgspec.json.decode(self.selections, type=list[Selection])
        proposition = Proposition(self.type, self.line, tuple(each.selection_id for each in listed))
        if not can_be_known(proposition):
            return None
        return OpenBets(
            proposition, self.selection_id, self.side, int(self.stake), int(self.returned)
        )


async def of_account(db: Db, account_id: UUID, currency: str) -> AccountExposure:
    """Give the exposure of an account, which is in this currency."""
    held = await db.rows(_OF_ACCOUNT, {"account_id": account_id}, _Held)
    worst, best = await asyncio.to_thread(_range, held)
    return AccountExposure(
        account_id,
        currency,
        sum(each.bets for each in held),
        int(sum(each.stake for each in held)),
        int(sum(each.returned for each in held)),
        worst,
        best,
    )


def _range(held: Iterable[_Held]) -> tuple[int, int]:
    by_fixture: dict[Any, list[OpenBets]] = {}
    worst = best = 0
    for each in held:
        bets = each.open()
        if bets is None:
            worst -= int(each.stake)
            best += int(each.returned - each.stake)
        else:
            by_fixture.setdefault((each.fixture_id or each.market_id, each.period), []).append(bets)
    for together in by_fixture.values():
        for least, most in _ranges(together):
            worst += least
            best += most
    return worst, best


def _ranges(together: Sequence[OpenBets]) -> list[tuple[int, int]]:
    try:
        return [range_for_bettor(together)]
    except LimitExceeded:  # too many lines to be compared: each market on its own
        by_market: dict[Proposition, list[OpenBets]] = {}
        for bets in together:
            by_market.setdefault(bets.proposition, []).append(bets)
        return [range_for_bettor(bets) for bets in by_market.values()]
