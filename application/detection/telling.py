"""What is told of opportunities: that they opened, changed, ended; each under one id for as long as it lasts."""

from uuid import UUID

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from application.detection.group import Group
from application.detection.pricing import FoundBet, price
from application.detection.single import Found
from application.detection.thresholds import Thresholds
from domain.board import Board, BoardQuote
from domain.commands.arbitrage import ArbitrageChange
from domain.events.arbitrage import ArbitrageEnd, Opportunity
from domain.ids import derived_id

Bools = NDArray[np.bool_]


class Open(Struct, frozen=True):
    """An opportunity that was told and has not ended."""

    opportunity_id: UUID
    cells: tuple[tuple[int, int], ...]
    opportunity: Opportunity

    def differs(self, cells: tuple[tuple[int, int], ...], value: float, tolerance: float) -> bool:
        """Tell whether other bets, or what they guarantee per unit at risk, are worth telling.

        Held against what was told, not against what was computed then: so a restart makes no difference.
        """
        told = 1 + float(self.opportunity.margin)
        return set(self.cells) != set(cells) or abs(told - value) > tolerance


class Teller:
    """Compares what groups hold with what was told of them; `open` are the opportunities told and not ended, by proposition."""

    def __init__(self, thresholds: Thresholds, board: Board) -> None:
        self.open: dict[str, Open] = {}
        self._thresholds = thresholds
        self._tolerance = float(thresholds.tolerance)
        self._board = board
        # By proposition: bets that left no profit in whole money, so that they are not priced over and over.
        self._unprofitable: dict[str, tuple[tuple[BoardQuote, ...], float]] = {}
        # By proposition: the sequence at which it last opened, and how often at that one.
        self._opened: dict[str, tuple[int, int]] = {}

    def tell(
        self, group: Group, takes_bets: Bools, sequence: int, reason: ArbitrageEnd
    ) -> list[ArbitrageChange]:
        """Tell what has become of a group's opportunities; `takes_bets`, by row, says which markets are open."""
        holds = {found.key: found for found in group.found()}
        changes: list[ArbitrageChange] = []
        for key in sorted(group.open_keys - holds.keys()):
            closed = not all(takes_bets[row] for row, _ in self.open[key].cells)
            changes.append(self.end(key, sequence, "not_open" if closed else reason))
        for _, found in sorted(holds.items()):
            change = self._tell_one(group, found, sequence)
            if change is not None:
                changes.append(change)
        group.open_keys = {key for key in holds if key in self.open}
        return changes

    def _tell_one(self, group: Group, found: Found, sequence: int) -> ArbitrageChange | None:
        cells = tuple((int(group.rows[row]), column) for row, column in found.cells)
        known = self.open.get(found.key)
        if known is not None and not known.differs(cells, found.value, self._tolerance):
            return None
        quotes = tuple(self._board.quote(*cell) for cell in cells)
        if self._unprofitable.get(found.key) == (quotes, found.value):
            return None
        bets = [
            FoundBet(quote, group.types[row], group.back_payoffs(row))
            for quote, (row, _) in zip(quotes, found.cells, strict=True)
        ]
        priced = price(
            group.fixture_id,
            bets,
            found.shares,
            self._thresholds,
            sequence,
            is_middle=found.kind == "middle",
        )
        self._unprofitable.pop(found.key, None)
        if priced is None:
            self._unprofitable[found.key] = quotes, found.value
            return None if known is None else self.end(found.key, sequence, "limits")
        opportunity_id = known.opportunity_id if known else self._new_id(found.key, sequence)
        self.open[found.key] = Open(opportunity_id, cells, priced)
        return ArbitrageChange(opportunity_id, sequence, opportunity=priced, opens=known is None)

    def end(self, key: str, sequence: int, reason: ArbitrageEnd) -> ArbitrageChange:
        """Tell that an opportunity is gone."""
        return ArbitrageChange(self.open.pop(key).opportunity_id, sequence, ended=reason)

    def _new_id(self, key: str, sequence: int) -> UUID:
        """Name an opportunity after its proposition and the message at which it opened, so that every run names it so."""
        last, times = self._opened.get(key, (sequence, 0))
        times = times + 1 if last == sequence else 1
        self._opened[key] = (sequence, times)
        again = f":{times}" if times > 1 else ""
        return derived_id(f"arbitrage:{key}:{sequence}{again}")
