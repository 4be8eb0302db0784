"""What is told of a price that is a value: its signal, until when it can be had, and under which id."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from application.detection.thresholds import Thresholds
from domain.board import BoardQuote
from domain.events.bet import Side
from domain.events.value import ValueSignal
from domain.value import PricedMarket, ValueRules, size
from domain.value_signal import signal_id

_FOREVER: Final = datetime.max.replace(tzinfo=UTC)

Line = tuple[UUID, str, Side, str]
"""A market, a selection, a side and a bookmaker."""


class Teller:
    """Makes signals; of the thresholds the bookmakers' terms and ages count."""

    def __init__(self, rules: ValueRules, thresholds: Thresholds) -> None:
        self._rules = rules
        self._thresholds = thresholds
        self._taken: frozenset[UUID] = frozenset()
        # By line: the sequence at which it last opened, and how often at that one.
        self._opened: dict[Line, tuple[int, int]] = {}

    def signal(
        self,
        quote: BoardQuote,
        priced: PricedMarket,
        others: Mapping[int, float],
        starts_at: datetime,
        sequence: int,
    ) -> ValueSignal:
        """Say what a price is worth; `others` as in `domain.value.size`, `starts_at` is the kick-off."""
        selection = priced.market.selections.index(quote.selection_id)
        chance = priced.chances[selection]
        commission = self._thresholds.terms(quote.bookmaker).commission
        sized = size(priced, selection, quote.side, quote.odds, commission, others, self._rules)
        return ValueSignal(
            fixture_id=priced.market.fixture_id,
            market_id=quote.market_id,
            selection_id=quote.selection_id,
            side=quote.side,
            bookmaker=quote.bookmaker,
            model_id=priced.model_id,
            odds=quote.odds,
            probability=chance.probability,
            low=chance.low,
            high=chance.high,
            fair_odds=sized.fair_odds,
            edge=sized.edge,
            expected_value=sized.expected_value,
            kelly=sized.kelly,
            stake_share=sized.stake_share,
            quoted_at=quote.at,
            expires_at=self.expiry(quote, starts_at),
            sequence=sequence,
        )

    def is_news(self, told: ValueSignal, found: ValueSignal) -> bool:
        """Tell whether what was found is worth telling.

        Held against what was told, not against what was found then: so a restart makes no difference.
        """
        tolerance = self._rules.tolerance
        return (
            told.model_id != found.model_id
            or abs(told.expected_value - found.expected_value) > tolerance
            or abs(told.stake_share - found.stake_share) > tolerance
        )

    def expiry(self, quote: BoardQuote, starts_at: datetime) -> datetime:
        """Tell until when the price can be had: its bookmaker takes a while to accept a bet, and none after the kick-off."""
        age = timedelta(seconds=self._thresholds.max_ages.seconds(quote.bookmaker))
        latency = timedelta(milliseconds=self._thresholds.terms(quote.bookmaker).latency_ms)
        # An age that is no end reaches beyond the times that there are.
        until = quote.at + age if age < _FOREVER - quote.at else _FOREVER
        return min(until - latency, starts_at)

    def avoid(self, taken: Iterable[UUID]) -> None:
        """Note ids that new signals must not have."""
        self._taken = frozenset(taken)

    def new_id(self, quote: BoardQuote, sequence: int) -> UUID:
        """Name a signal after its price and the message at which it opened, so that every run names it so."""
        line = quote.market_id, quote.selection_id, quote.side, quote.bookmaker
        last, times = self._opened.get(line, (sequence, 0))
        times = times + 1 if last == sequence else 1
        while (found := signal_id(*line, sequence, times)) in self._taken:
            times += 1
        self._opened[line] = (sequence, times)
        return found
