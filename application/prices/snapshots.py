"""Which prices are worth keeping: those that changed, and now and then those that still hold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from application.ledger import Ledger
from application.prices.ports import KeptPrice
from domain.actors import PRICE_HANDLER
from domain.commands.odds import MAX_QUOTES, QuoteBody, RecordOdds
from domain.events.bet import Side
from domain.events.odds import Quote
from domain.quotes import QuoteLine, QuoteMessage
from domain.refusals import Refusal

Seller = tuple[UUID, str]
"""A market and a bookmaker."""
Line = tuple[str, Side]
"""A selection and a side."""


class _Last(Struct, frozen=True, gc=False):
    """The price that was kept last; `odds` None when there was no offer, `was` then what had been offered."""

    odds: Decimal | None
    at: datetime
    was: Decimal


class Gathered(Struct, frozen=True):
    """Prices to keep together: `bodies` for the ledger, and the `latest` of every line for the shared board."""

    bodies: Sequence[QuoteBody]
    latest: Mapping[UUID, Sequence[Quote]]

    @property
    def quotes(self) -> int:
        """How many go into the ledger."""
        return len(self.bodies)

    async def record(self, ledger: Ledger) -> dict[UUID, str]:
        """Keep them durably; gives, by market, why the ledger refuses its prices."""
        refused: dict[UUID, str] = {}
        for start in range(0, len(self.bodies), MAX_QUOTES):
            some = self.bodies[start : start + MAX_QUOTES]
            try:
                await ledger.submit(RecordOdds(quotes=list(some)), PRICE_HANDLER)
            except Refusal:
                refused |= await _record_one_by_one(ledger, some)
        return refused


async def _record_one_by_one(ledger: Ledger, bodies: Iterable[QuoteBody]) -> dict[UUID, str]:
    """One market's prices are refused: the others' must not be."""
    by_market: dict[UUID, list[QuoteBody]] = {}
    for body in bodies:
        by_market.setdefault(body.market_id, []).append(body)
    refused = {}
    for market_id, mine in by_market.items():
        try:
            await ledger.submit(RecordOdds(quotes=mine), PRICE_HANDLER)
        except Refusal as refusal:
            refused[market_id] = f"{refusal.type}: {refusal.detail}"
    return refused


class Snapshots:
    """Gathers prices until they are taken.

    A price that is only repeated is kept again once half of its bookmaker's maximum age has gone by: so it stays fresh
    for who reads the ledger's views alone.
    """

    def __init__(self, max_age: Callable[[str], timedelta]) -> None:
        self._max_age = max_age
        self._last: dict[UUID, dict[str, dict[Line, _Last]]] = {}
        self._bodies: list[QuoteBody] = []
        self._latest: dict[Seller, dict[Line, Quote]] = {}

    def __len__(self) -> int:
        return len(self._bodies)

    def restore(self, prices: Iterable[KeptPrice]) -> None:
        """Begin with what the ledger holds."""
        for price in prices:
            lines = self._lines(price.market_id, price.bookmaker)
            odds = None if price.withdrawn else price.odds
            lines[price.selection_id, price.side] = _Last(odds, price.at, price.odds)

    def add(self, message: QuoteMessage) -> int:
        """Take a message's prices; gives how many were older than what is known and are passed over."""
        lines = self._lines(message.market_id, message.bookmaker)
        latest = self._latest.setdefault((message.market_id, message.bookmaker), {})
        repeat_after = self._max_age(message.bookmaker) / 2
        late = 0
        for line in message.quotes:
            key = line.selection_id, line.side
            last = lines.get(key)
            if last is None:
                if line.odds is None:
                    continue
            elif message.at < last.at:
                late += 1
                continue
            elif line.odds is None and last.odds is None:
                continue
            odds = line.odds if line.odds is not None else last.was  # type: ignore[union-attr]
            latest[key] = _quote(message, line, odds)
            if last is None or line.odds != last.odds or message.at >= last.at + repeat_after:
                lines[key] = _Last(line.odds, message.at, odds)
                self._bodies.append(_body(message, line, odds))
        return late

    def forget(self, market_id: UUID) -> None:
        """Forget what was kept of a market that is over; what is gathered of it is still given."""
        self._last.pop(market_id, None)

    def _lines(self, market_id: UUID, bookmaker: str) -> dict[Line, _Last]:
        return self._last.setdefault(market_id, {}).setdefault(bookmaker, {})

    def take(self) -> Gathered:
        """Give what was gathered, and begin again."""
        by_market: dict[UUID, list[Quote]] = {}
        for (market_id, _), latest in self._latest.items():
            if latest:  # else there was nothing new in what was said
                by_market.setdefault(market_id, []).extend(latest.values())
        taken = Gathered(self._bodies, by_market)
        self._bodies, self._latest = [], {}
        return taken


def _quote(message: QuoteMessage, line: QuoteLine, odds: Decimal) -> Quote:
    return Quote(
        bookmaker=message.bookmaker,
        selection_id=line.selection_id,
        odds=odds,
        at=message.at,
        size=line.size,
        closing=message.closing,
        side=line.side,
        withdrawn=line.odds is None,
    )


def _body(message: QuoteMessage, line: QuoteLine, odds: Decimal) -> QuoteBody:
    return QuoteBody(
        bookmaker=message.bookmaker,
        market_id=message.market_id,
        selection_id=line.selection_id,
        odds=odds,
        at=message.at,
        size=line.size,
        closing=message.closing,
        side=line.side,
        withdrawn=line.odds is None,
    )
