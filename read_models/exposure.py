"""Exposure: what is staked on each selection of a market, and what the house wins or loses if it wins."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.events import BetPlaced
from read_models import markets
from read_models.db import Db
from read_models.projection import (
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
    """One selection as an outcome: open single back bets on it, in minor units.

    `house_profit_minor` is what the house wins (or, negative, loses) on the market's open bets if this selection wins:
    all stakes less the potential returns on this one; `customer_profit_minor` is the customers' side of it.
    """

    selection_id: str
    name: str
    bets: int
    stake_minor: int
    potential_return_minor: int
    house_profit_minor: int
    customer_profit_minor: int
    settled: SettledSums


class CurrencyExposure(Struct, frozen=True):
    """A market's exposure in one currency; `worst_case_minor` is the house's profit in the worst outcome.

    `other_bets` counts open bets that these figures do not hold: lays, and those with legs on several markets.
    """

    currency: str
    bets: int
    stake_minor: int
    worst_case_minor: int
    other_bets: int
    outcomes: list[OutcomeExposure]
    settled: SettledSums


class MarketExposure(Struct, frozen=True):
    """What the open and the settled bets on a market mean for the house and its customers."""

    market_id: UUID
    status: markets.ShownStatus
    currencies: list[CurrencyExposure]


_SELECT = """
SELECT currency, selection_id, open_bets, open_stake_minor, open_return_minor,
       settled_bets, settled_stake_minor, settled_return_minor, other_bets
FROM exposure WHERE market_id = %(market_id)s ORDER BY currency, selection_id"""


class _Line(Struct):
    currency: str
    selection_id: str
    open_bets: int
    open_stake: Decimal
    open_return: Decimal
    settled_bets: int
    settled_stake: Decimal
    settled_return: Decimal
    other_bets: int


async def of_market(db: Db, market_id: UUID) -> MarketExposure | None:
    """Give the exposure of a market by currency and outcome, None when there is no such market."""
    market = await markets.get(db, market_id)
    if market is None:
        return None
    by_currency: dict[str, dict[str, _Line]] = {}
    for line in await db.rows(_SELECT, {"market_id": market_id}, _Line):
        by_currency.setdefault(line.currency, {})[line.selection_id] = line
    currencies = [_of_currency(currency, lines, market) for currency, lines in by_currency.items()]
    return MarketExposure(market_id, market.status, currencies)


def _of_currency(
    currency: str, lines: dict[str, _Line], market: markets.Market
) -> CurrencyExposure:
    stake = int(sum(line.open_stake for line in lines.values()))
    outcomes = []
    for selection in market.selections:
        line = lines.get(selection.selection_id) or _Line(
            currency, selection.selection_id, 0, _ZERO, _ZERO, 0, _ZERO, _ZERO, 0
        )
        profit = stake - int(line.open_return)
        outcomes.append(
            OutcomeExposure(
                selection.selection_id,
                selection.name,
                line.open_bets,
                int(line.open_stake),
                int(line.open_return),
                profit,
                -profit,
                _settled([line]),
            )
        )
    return CurrencyExposure(
        currency,
        sum(line.open_bets for line in lines.values()),
        stake,
        min(outcome.house_profit_minor for outcome in outcomes),
        sum(line.other_bets for line in lines.values()),
        outcomes,
        _settled(lines.values()),
    )


def _settled(lines: Iterable[_Line]) -> SettledSums:
    lines = list(lines)
    stake = int(sum(line.settled_stake for line in lines))
    returned = int(sum(line.settled_return for line in lines))
    return SettledSums(sum(line.settled_bets for line in lines), stake, returned, stake - returned)


_ZERO = Decimal(0)

# ---- projection

_CREATE = """
CREATE TABLE exposure (
    market_id uuid NOT NULL, selection_id text NOT NULL, currency text NOT NULL,
    open_bets bigint NOT NULL, open_stake_minor numeric NOT NULL, open_return_minor numeric NOT NULL,
    settled_bets bigint NOT NULL, settled_stake_minor numeric NOT NULL, settled_return_minor numeric NOT NULL,
    other_bets bigint NOT NULL, PRIMARY KEY (market_id, selection_id, currency)
) WITH (fillfactor = 60)"""

_ADD = over(
    """
    INSERT INTO exposure AS x SELECT * FROM {}
    ON CONFLICT (market_id, selection_id, currency) DO UPDATE SET
        open_bets = x.open_bets + excluded.open_bets,
        open_stake_minor = x.open_stake_minor + excluded.open_stake_minor,
        open_return_minor = x.open_return_minor + excluded.open_return_minor,
        settled_bets = x.settled_bets + excluded.settled_bets,
        settled_stake_minor = x.settled_stake_minor + excluded.settled_stake_minor,
        settled_return_minor = x.settled_return_minor + excluded.settled_return_minor,
        other_bets = x.other_bets + excluded.other_bets""",
    *(
        "uuid",
        "text",
        "text",
        "bigint",
        "numeric",
        "numeric",
        "bigint",
        "numeric",
        "numeric",
        "bigint",
    ),
)


def _changes(batch: Batch) -> Iterable[Change]:
    rows: dict[tuple[StreamKey, str, str], list[Any]] = {}
    for group in batch.placed_groups:
        _add(rows, group, 1, settled=False)
    for group in batch.settled_groups:
        _add(rows, group, -1, settled=True)
    if rows:
        yield _ADD, columns(rows.values())


def _add(
    rows: dict[tuple[StreamKey, str, str], list[Any]], group: Group, sign: int, *, settled: bool
) -> None:
    """Add a group of bets to the open figures, or move it from them to the settled ones."""
    bet = group.bet
    for leg in bet.legs:
        key = (leg.market_id.int, leg.selection_id, bet.currency)
        row = rows.get(key)
        if row is None:
            rows[key] = row = [leg.market_id, *key[1:], 0, 0, 0, 0, 0, 0, 0]
        if not group.is_single_back:
            row[9] += sign * group.bets
            continue
        row[3] += sign * group.bets
        row[4] += sign * group.stake_minor
        row[5] += sign * group.potential_return_minor
        if settled:
            row[6] += group.bets
            row[7] += group.settled_stake_minor
            row[8] += group.return_minor


PROJECTION = Projection(
    name="exposure",
    tables=("exposure",),
    create=_CREATE,
    follows=(BetPlaced, *SETTLEMENTS),
    changes=_changes,
)
