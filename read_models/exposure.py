"""Exposure: what is staked on each selection of a market, and what the house wins or loses if it wins."""

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from domain.events.bet import BetPlaced, Side
from domain.exposure import (
    Book,
    OpenBets,
    StateProfit,
    book_of,
    can_be_known,
    expected_profit,
    no_vig,
    profits_by_selection,
)
from domain.money import round_half_up
from domain.outcomes import Proposition
from read_models import markets, prices
from read_models.db import Db, query
from read_models.projection import (
    ALTERATIONS,
    SETTLEMENTS,
    Batch,
    Change,
    Group,
    Projection,
    StreamKey,
    columns,
    over,
)


class SettledSums(Struct, frozen=True):
    """Bets that are settled, in minor units; `result_minor` is what the house kept of their stakes."""

    bets: int
    stake_minor: int
    return_minor: int
    result_minor: int


class OutcomeExposure(Struct, frozen=True):
    """One selection as an outcome: open single bets on it, in minor units; lays stake their liability.

    `house_profit_minor` is the least that the house wins (or, negative, loses) on the market's open single bets in the
    states in which this selection wins, wholly or half: all stakes less what they return then.
    `customer_profit_minor` is the customers' side of it.
    """

    selection_id: str
    name: str
    bets: int
    stake_minor: int
    potential_return_minor: int
    lay_bets: int
    lay_stake_minor: int
    lay_potential_return_minor: int
    house_profit_minor: int
    customer_profit_minor: int
    settled: SettledSums


class OtherBets(Struct, frozen=True):
    """Open bets with more than one leg or part, or at the starting price: their sums, which no outcome holds.

    They cost the house at most `potential_return_minor` less `stake_minor`, but for the starting prices: those are not known
    before they are declared, and count as 1.
    """

    bets: int
    stake_minor: int
    potential_return_minor: int


class CurrencyExposure(Struct, frozen=True):
    """A market's exposure in one currency: the house's profit on open single bets, exact in each of `states`.

    `worst_case_minor` and `best_case_minor` are over the states, and `expected_profit_minor` by the consensus of the
    latest prices without its margin (rounded half up; None where that gives no probabilities). The states of some
    types of markets are not known: `states` is then empty, and of the selections one alone wins.
    `worst_case_with_others_minor` is a bound: the worst case, and all `others` won at once.
    """

    currency: str
    bets: int
    stake_minor: int
    worst_case_minor: int
    best_case_minor: int
    expected_profit_minor: int | None
    worst_case_with_others_minor: int
    other_bets: int
    others: OtherBets
    states: list[StateProfit]
    outcomes: list[OutcomeExposure]
    settled: SettledSums


class MarketExposure(Struct, frozen=True):
    """What the open and the settled bets on a market mean for the house and its customers."""

    market_id: UUID
    status: markets.ShownStatus
    currencies: list[CurrencyExposure]


class Line(Struct):
    """A row of the view: bets of one side on one selection in one currency."""

    market_id: UUID
    currency: str
    selection_id: str
    side: Side
    open_bets: int
    open_stake: Decimal
    open_return: Decimal
    settled_bets: int
    settled_stake: Decimal
    settled_return: Decimal
    other_bets: int
    other_stake: Decimal
    other_return: Decimal

    def open_on(self, proposition: Proposition) -> OpenBets:
        """Give its open single bets; `proposition` is the market's."""
        stake, returned = int(self.open_stake), int(self.open_return)
        return OpenBets(proposition, self.selection_id, self.side, stake, returned)


SELECT_LINES: Final = """
SELECT x.market_id, x.currency, x.selection_id, x.side, x.open_bets, x.open_stake_minor, x.open_return_minor,
       x.settled_bets, x.settled_stake_minor, x.settled_return_minor, x.other_bets, x.other_stake_minor, x.other_return_minor
FROM exposure x"""
_OF_MARKET: Final = query(
    SELECT_LINES, ["x.market_id = %(market_id)s"], "ORDER BY x.currency, x.selection_id, x.side"
)


async def of_market(db: Db, market_id: UUID) -> MarketExposure | None:
    """Give the exposure of a market by currency and outcome, None when there is no such market."""
    market = await markets.get(db, market_id)
    if market is None:
        return None
    by_currency: dict[str, list[Line]] = {}
    for line in await db.rows(_OF_MARKET, {"market_id": market_id}, Line):
        by_currency.setdefault(line.currency, []).append(line)
    odds = (await prices.consensus(db, [market_id])).get(market_id, {})
    currencies = await asyncio.to_thread(
        lambda: [_of_currency(lines, market, odds) for lines in by_currency.values()]
    )
    return MarketExposure(market_id, market.status, currencies)


def proposition_of(market: markets.Market) -> Proposition:
    """Give what decides a market."""
    return Proposition(
        market.type, market.line, tuple(each.selection_id for each in market.selections)
    )


def others_of(lines: Iterable[Line]) -> OtherBets:
    """Sum the bets that no outcome holds."""
    lines = list(lines)
    return OtherBets(
        sum(line.other_bets for line in lines),
        int(sum(line.other_stake for line in lines)),
        int(sum(line.other_return for line in lines)),
    )


def _of_currency(
    lines: list[Line], market: markets.Market, odds: Mapping[str, Decimal]
) -> CurrencyExposure:
    proposition = proposition_of(market)
    open_bets = [line.open_on(proposition) for line in lines if line.open_bets]
    if can_be_known(proposition):
        profits = profits_by_selection(proposition, open_bets)
        book = book_of(open_bets)
    else:
        stake = sum(bet.stake_minor for bet in open_bets)
        profits = {
            each: stake - sum(bet.return_minor for bet in open_bets if _wins(bet, each))
            for each in proposition.selections
        }
        book = Book((), min(profits.values()), max(profits.values()))
    chances = no_vig(proposition, odds)
    expected = round_half_up(expected_profit(open_bets, chances)) if chances else None
    others = others_of(lines)
    return CurrencyExposure(
        lines[0].currency,
        sum(line.open_bets for line in lines),
        sum(bet.stake_minor for bet in open_bets),
        book.worst_minor,
        book.best_minor,
        expected,
        book.worst_minor - (others.potential_return_minor - others.stake_minor),
        others.bets,
        others,
        list(book.states),
        [_outcome(each, lines, profits[each.selection_id]) for each in market.selections],
        _settled(lines),
    )


def _wins(bet: OpenBets, winner: str) -> bool:
    return (bet.selection_id == winner) == (bet.side == "back")


def _outcome(
    selection: markets.MarketSelection, lines: Iterable[Line], profit: int
) -> OutcomeExposure:
    own = [line for line in lines if line.selection_id == selection.selection_id]
    backs = [line for line in own if line.side == "back"]
    lays = [line for line in own if line.side == "lay"]
    return OutcomeExposure(
        selection_id=selection.selection_id,
        name=selection.name,
        bets=sum(line.open_bets for line in backs),
        stake_minor=int(sum(line.open_stake for line in backs)),
        potential_return_minor=int(sum(line.open_return for line in backs)),
        lay_bets=sum(line.open_bets for line in lays),
        lay_stake_minor=int(sum(line.open_stake for line in lays)),
        lay_potential_return_minor=int(sum(line.open_return for line in lays)),
        house_profit_minor=profit,
        customer_profit_minor=-profit,
        settled=_settled(own),
    )


def _settled(lines: Iterable[Line]) -> SettledSums:
    lines = list(lines)
    stake = int(sum(line.settled_stake for line in lines))
    returned = int(sum(line.settled_return for line in lines))
    return SettledSums(sum(line.settled_bets for line in lines), stake, returned, stake - returned)


# ---- projection

_CREATE = """
CREATE TABLE exposure (
    market_id uuid NOT NULL, selection_id text NOT NULL, currency text NOT NULL, side text NOT NULL,
    open_bets bigint NOT NULL, open_stake_minor numeric NOT NULL, open_return_minor numeric NOT NULL,
    settled_bets bigint NOT NULL, settled_stake_minor numeric NOT NULL, settled_return_minor numeric NOT NULL,
    other_bets bigint NOT NULL, other_stake_minor numeric NOT NULL, other_return_minor numeric NOT NULL,
    PRIMARY KEY (market_id, selection_id, currency, side)
) WITH (fillfactor = 60)"""

_ADD = over(
    """
    INSERT INTO exposure AS x SELECT * FROM {}
    ON CONFLICT (market_id, selection_id, currency, side) DO UPDATE SET
        open_bets = x.open_bets + excluded.open_bets,
        open_stake_minor = x.open_stake_minor + excluded.open_stake_minor,
        open_return_minor = x.open_return_minor + excluded.open_return_minor,
        settled_bets = x.settled_bets + excluded.settled_bets,
        settled_stake_minor = x.settled_stake_minor + excluded.settled_stake_minor,
        settled_return_minor = x.settled_return_minor + excluded.settled_return_minor,
        other_bets = x.other_bets + excluded.other_bets,
        other_stake_minor = x.other_stake_minor + excluded.other_stake_minor,
        other_return_minor = x.other_return_minor + excluded.other_return_minor""",
    *("uuid", "text", "text", "text", "bigint", "numeric", "numeric"),
    *("bigint", "numeric", "numeric", "bigint", "numeric", "numeric"),
)


def _changes(batch: Batch) -> Iterable[Change]:
    rows: dict[_Key, list[Any]] = {}
    for group in batch.placed_groups:
        _add(rows, group, 1, settled=False)
    for group in batch.settled_groups:
        _add(rows, group, -1, settled=True)
    if rows:
        yield _ADD, columns(rows.values())


_Key = tuple[StreamKey, str, str, str]


def _add(rows: dict[_Key, list[Any]], group: Group, sign: int, *, settled: bool) -> None:
    """Add a group of bets to the open figures, or move it from them to the settled ones."""
    bet = group.bet
    for leg in bet.legs:  # each on another market
        key = (leg.market_id.int, leg.selection_id, bet.currency, bet.side)
        row = rows.get(key)
        if row is None:
            rows[key] = row = [leg.market_id, *key[1:], 0, 0, 0, 0, 0, 0, 0, 0, 0]
        if bet.kind != "single" or leg.odds is None:
            row[10] += sign * group.bets
            row[11] += sign * group.stake_minor
            row[12] += sign * group.potential_return_minor
            continue
        row[4] += sign * group.bets
        row[5] += sign * group.stake_minor
        row[6] += sign * group.potential_return_minor
        if settled:
            row[7] += group.bets
            row[8] += group.settled_stake_minor
            row[9] += group.return_minor


PROJECTION = Projection(
    name="exposure",
    tables=("exposure",),
    create=_CREATE,
    follows=(BetPlaced, *SETTLEMENTS, *ALTERATIONS),
    changes=_changes,
)
