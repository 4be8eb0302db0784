"""Values found the plain way: one quote after the other, everything computed anew from the prices that there are."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from uuid import UUID

from domain.commands.value import ValueChange
from domain.events.value import ValueEnd, ValueSignal
from domain.prediction.kelly import (
    StakeRule,
    kelly_share,
    kelly_share_of_returns,
    kelly_shares,
)
from domain.quotes import QuoteMessage
from domain.value import PricedMarket, ValueRules
from domain.value_signal import signal_id
from tests.application.value.desk import STARTS, THRESHOLDS

Key = tuple[str, str, str]
"""A selection, a side, a bookmaker."""
SIX = Decimal("0.000001")


class Plain:
    """The same answers as the engine's, for markets that all begin at one time."""

    def __init__(self, markets: Iterable[PricedMarket], rules: ValueRules) -> None:
        self._markets = {each.market.market_id: each for each in markets}
        self._rules = rules
        self._quotes: dict[UUID, dict[Key, tuple[Decimal | None, datetime]]] = {}
        self._open: dict[UUID, dict[Key, tuple[UUID, ValueSignal]]] = {}
        self._opened: dict[tuple[UUID, Key], tuple[int, int]] = {}

    def apply(self, message: QuoteMessage, sequence: int, now: datetime) -> list[ValueChange]:
        changes = self.expire(sequence, now)
        quotes = self._quotes.setdefault(message.market_id, {})
        changed = False
        for line in message.quotes:
            key = line.selection_id, line.side, message.bookmaker
            odds, at = quotes.get(key, (None, message.at))
            if message.at >= at:
                quotes[key] = line.odds, message.at
                changed |= odds != line.odds
        changes += self.expire(sequence, now)
        return changes + (self._look(message.market_id, sequence, "price_moved") if changed else [])

    def expire(self, sequence: int, now: datetime) -> list[ValueChange]:
        changes = []
        for market_id in self._markets:
            stale = False
            for key, (odds, at) in self._quotes.get(market_id, {}).items():
                age = timedelta(seconds=THRESHOLDS.max_ages.seconds(key[2]))
                if odds is not None and now - at > age:
                    self._quotes[market_id][key] = None, at
                    stale = True
            if stale:
                changes += self._look(market_id, sequence, "expired")
        return changes

    def signals(self) -> Iterator[tuple[UUID, ValueSignal]]:
        for its in self._open.values():
            yield from its.values()

    def _look(self, market_id: UUID, sequence: int, reason: ValueEnd) -> list[ValueChange]:
        market = self._markets[market_id]
        quotes = self._quotes.get(market_id, {})
        values = {
            key: odds
            for key, (odds, _) in quotes.items()
            if odds is not None and self._is_value(market, key, odds)
        }
        known = self._open.setdefault(market_id, {})
        changes = []
        for key in self._in_order(market, set(known) - set(values)):
            why = reason if quotes[key][0] is None else "price_moved"
            changes.append(ValueChange(known.pop(key)[0], sequence, ended=why))
        for key in self._in_order(market, values):
            signal = self._signal(market, key, values, quotes[key][1], sequence)
            before = known.get(key)
            if before is not None:
                told, most = before[1], self._rules.tolerance
                if (
                    abs(told.expected_value - signal.expected_value) <= most
                    and abs(told.stake_share - signal.stake_share) <= most
                ):
                    continue
            known_id = before[0] if before else self._new_id(market_id, key, sequence)
            known[key] = known_id, signal
            changes.append(ValueChange(known_id, sequence, signal=signal, opens=before is None))
        return changes

    def _in_order(self, market: PricedMarket, keys: Iterable[Key]) -> list[Key]:
        selections = market.market.selections
        return sorted(keys, key=lambda key: (key[1] == "lay", selections.index(key[0]), key[2]))

    def _new_id(self, market_id: UUID, key: Key, sequence: int) -> UUID:
        last, times = self._opened.get((market_id, key), (sequence, 0))
        times = times + 1 if last == sequence else 1
        self._opened[market_id, key] = sequence, times
        selection, side, bookmaker = key
        return signal_id(market_id, selection, side, bookmaker, sequence, times)  # type: ignore[arg-type]

    # ---- one price

    def _earns(self, market: PricedMarket, key: Key, odds: Decimal, bound: str) -> Fraction:
        """What a unit at risk earns: the stake that comes back, and what is won, less the unit."""
        selection, side, bookmaker = key
        chance = market.chances[market.market.selections.index(selection)]
        p = Fraction(chance.probability)
        if bound == "low":
            p = Fraction(chance.low if side == "back" else chance.high)
        kept = 1 - Fraction(THRESHOLDS.terms(bookmaker).commission)
        profit = (Fraction(odds) - 1) * kept if side == "back" else kept / (Fraction(odds) - 1)
        wins = (1 - Fraction(chance.refund)) * (p if side == "back" else 1 - p)
        loses = 1 - wins - Fraction(chance.refund)
        return wins * profit - loses

    def _is_value(self, market: PricedMarket, key: Key, odds: Decimal) -> bool:
        return self._earns(market, key, odds, self._rules.bound) >= self._rules.min_value

    def _after(self, key: Key, odds: Decimal) -> float:
        kept = 1 - Fraction(THRESHOLDS.terms(key[2]).commission)
        profit = (Fraction(odds) - 1) * kept if key[1] == "back" else kept / (Fraction(odds) - 1)
        return float(1 + profit)

    def _signal(
        self,
        market: PricedMarket,
        key: Key,
        values: dict[Key, Decimal],
        quoted_at: datetime,
        sequence: int,
    ) -> ValueSignal:
        selection, side, bookmaker = key
        at = market.market.selections.index(selection)
        chance, odds = market.chances[at], values[key]
        kelly, share = self._kelly(market, key, values)
        edge = Fraction(chance.probability) - 1 / Fraction(odds)
        terms = THRESHOLDS.terms(bookmaker)
        until = (
            quoted_at
            + timedelta(seconds=THRESHOLDS.max_ages.seconds(bookmaker))
            - timedelta(milliseconds=terms.latency_ms)
        )
        return ValueSignal(
            fixture_id=market.market.fixture_id,
            market_id=market.market.market_id,
            selection_id=selection,
            side=side,  # type: ignore[arg-type]
            bookmaker=bookmaker,
            model_id=market.model_id,
            odds=odds,
            probability=chance.probability,
            low=chance.low,
            high=chance.high,
            fair_odds=(1 / chance.probability).quantize(Decimal("0.001")),
            edge=_six(edge if side == "back" else -edge),
            expected_value=_six(self._earns(market, key, odds, "mean")),
            kelly=Decimal(kelly).quantize(SIX, ROUND_DOWN),
            stake_share=Decimal(share).quantize(SIX, ROUND_DOWN),
            quoted_at=quoted_at,
            expires_at=min(until, STARTS),
            sequence=sequence,
        )

    def _kelly(
        self, market: PricedMarket, key: Key, values: dict[Key, Decimal]
    ) -> tuple[float, float]:
        rules = self._rules
        selections = market.market.selections
        at, price = selections.index(key[0]), self._after(key, values[key])
        p = [float(each.probability) for each in market.chances]
        rule = StakeRule(rules.fraction, rules.cap, rules.market_cap)
        if (ends := market.endings[at]) is not None:
            returns = [price, (1 + price) / 2, 1.0, 0.5, 0.0]
            share = kelly_share_of_returns(ends if key[1] == "back" else ends[::-1], returns)
        elif key[1] == "lay":
            share = kelly_share(1 - p[at], price)
        elif market.market.type == "DC" or any(each.refund for each in market.chances):
            share = kelly_share(p[at], price)
        else:
            prices = {at: price}
            for other, odds in values.items():
                if other[1] == "back" and other[0] != key[0]:
                    index = selections.index(other[0])
                    prices[index] = max(prices.get(index, 0.0), self._after(other, odds))
            whole = max(1.0, sum(p[each] for each in prices))
            bets = (
                [p[each] / whole for each in sorted(prices)],
                [prices[each] for each in sorted(prices)],
            )
            place = sorted(prices).index(at)
            return float(kelly_shares(*bets)[place]), float(kelly_shares(*bets, rule)[place])
        return share, min(rules.fraction * share, rules.cap, rules.market_cap)


def _six(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(SIX)
