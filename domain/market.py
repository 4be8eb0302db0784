"""A market: a proposition on a fixture, its selections, and whether it takes bets."""

from decimal import Decimal
from typing import Literal, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events import (
    Fixture,
    MarketClosed,
    MarketLimits,
    MarketOpened,
    MarketResumed,
    MarketSuspended,
    MarketType,
    Pricing,
    ResultDeclared,
    ResultRolledBack,
    Score,
    Selection,
    SelectionResult,
    Terms,
)
from domain.money import has_at_most_places
from domain.refusals import (
    InvalidInput,
    LimitExceeded,
    MarketNotOpen,
    MarketStateConflict,
    ResultAlreadyDeclared,
    ResultNotDerivable,
    SelectionNotInMarket,
)
from domain.scores import results_from_score
from domain.settlement import check_settles
from domain.times import check_time

MarketEvent = (
    MarketOpened
    | MarketSuspended
    | MarketResumed
    | MarketClosed
    | ResultDeclared
    | ResultRolledBack
)
MarketStatus = Literal["open", "suspended", "closed", "part_resulted", "resulted"]

LINE_TYPES = ("OU", "AH", "SPREAD")
LINE_STEP = Decimal("0.25")
LINE_PLACES = 3
MAX_LINE = Decimal(10_000)


class Market(Struct, frozen=True):
    """State of a market; `results` holds the results that stand now, by selection, and `score` where they come from.

    `generation` counts the changes of what its bets are settled by: 0 before the first result.
    """

    market_id: UUID
    version: int
    fixture: Fixture
    type: MarketType
    line: Decimal | None
    selections: dict[str, str]
    pricing: Pricing
    limits: MarketLimits | None
    status: MarketStatus = "open"
    results: dict[str, SelectionResult] = {}
    score: Score | None = None
    generation: int = 0

    def check_takes(self, selection_id: str, stake_minor: int, return_minor: int) -> None:
        """Refuse a bet that this market does not take as it stands."""
        if self.status != "open":
            raise MarketNotOpen(f"market {self.market_id} is {self.status}")
        if selection_id not in self.selections:
            raise SelectionNotInMarket(
                f"market {self.market_id} has no selection {selection_id[:100]!r}"
            )
        if limits := self.limits:
            if limits.max_stake_minor is not None and stake_minor > limits.max_stake_minor:
                raise LimitExceeded(f"the market takes at most {limits.max_stake_minor} a bet")
            if limits.max_return_minor is not None and return_minor > limits.max_return_minor:
                raise LimitExceeded(f"the market returns at most {limits.max_return_minor} a bet")

    def suspend(self, reason: str | None) -> MarketSuspended:
        """Stop taking bets for now."""
        self._check_status("open")
        return MarketSuspended(reason=reason)

    def resume(self) -> MarketResumed:
        """Take bets again."""
        self._check_status("suspended")
        return MarketResumed()

    def close(self) -> MarketClosed:
        """Take no more bets."""
        self._check_status("open", "suspended")
        return MarketClosed()

    def declare(
        self,
        results: tuple[SelectionResult, ...] | None,
        score: Score | None,
        *,
        partial: bool = False,
    ) -> ResultDeclared:
        """Say how the market ended, selection by selection or by the score that decides it; again, to correct it.

        With `partial` the results may be of some selections: the others keep theirs, or stay undecided.
        """
        if score is not None and results is None:
            results = results_from_score(self.type, self.line, self.selections, self.fixture, score)
        elif results is None or score is not None:
            raise InvalidInput("give either results or a score", field="results")
        named = [result.selection_id for result in results]
        for selection_id in named:
            if selection_id not in self.selections:
                raise SelectionNotInMarket(f"the market has no selection {selection_id!r}")
        if len(set(named)) != len(named):
            raise InvalidInput("a selection is named twice", field="results")
        for result in results:
            check_settles(result)
        if partial:
            known = self.results | {result.selection_id: result for result in results}
            results = tuple(known[each] for each in self.selections if each in known)
        missing = sorted(self.selections.keys() - {result.selection_id for result in results})
        if missing and not partial:
            raise ResultNotDerivable(f"no result for {', '.join(missing)}")
        if {result.selection_id: result for result in results} == self.results and (
            score == self.score
        ):
            raise ResultAlreadyDeclared
        return ResultDeclared(
            results=results, score=score, generation=self.generation + 1, partial=bool(missing)
        )

    def roll_back(self, reason: str | None) -> ResultRolledBack:
        """Take the result back: the market has none, and stays closed for bets."""
        self._check_status("resulted", "part_resulted")
        return ResultRolledBack(generation=self.generation + 1, reason=reason)

    def _check_status(self, *allowed: MarketStatus) -> None:
        if self.status not in allowed:
            raise MarketStateConflict(f"the market is {self.status}, not {' or '.join(allowed)}")

    @classmethod
    def start(cls, market_id: UUID, event: MarketOpened) -> Self:
        """Begin the state with the stream's first event."""
        return cls(
            market_id=market_id,
            version=1,
            fixture=event.fixture,
            type=event.type,
            line=event.line,
            selections={s.selection_id: s.name for s in event.selections},
            pricing=event.pricing,
            limits=event.limits,
        )

    def evolve(self, event: MarketEvent) -> "Market":
        """Give the state after `event`; decides nothing."""
        version = self.version + 1
        match event:
            case MarketSuspended():
                return replace(self, version=version, status="suspended")
            case MarketResumed():
                return replace(self, version=version, status="open")
            case MarketClosed():
                return replace(self, version=version, status="closed")
            case ResultDeclared():
                return replace(
                    self,
                    version=version,
                    status="part_resulted" if event.partial else "resulted",
                    results={result.selection_id: result for result in event.results},
                    score=event.score,
                    generation=event.generation,
                )
            case ResultRolledBack():
                return replace(
                    self,
                    version=version,
                    status="closed",
                    results={},
                    score=None,
                    generation=event.generation,
                )
            case MarketOpened():
                raise ValueError("a market opens once")
            case _:
                assert_never(event)


def open_market(
    fixture: Fixture,
    market_type: MarketType,
    line: Decimal | None,
    selections: tuple[Selection, ...],
    pricing: Pricing,
    terms: Terms | None,
    limits: MarketLimits | None,
) -> MarketOpened:
    """Decide to offer a market."""
    check_time(fixture.starts_at, "fixture.starts_at")
    ids = [selection.selection_id for selection in selections]
    if len(set(ids)) != len(ids):
        raise InvalidInput("a selection is named twice", field="selections")
    if (market_type in LINE_TYPES) != (line is not None):
        needs = "needs" if market_type in LINE_TYPES else "has no"
        raise InvalidInput(f"a market of type {market_type} {needs} line", field="line")
    if line is not None and not (
        has_at_most_places(line, LINE_PLACES) and abs(line) <= MAX_LINE and line % LINE_STEP == 0
    ):
        raise InvalidInput("a line is a multiple of 0.25", field="line")
    return MarketOpened(
        fixture=fixture,
        type=market_type,
        line=line,
        selections=selections,
        pricing=pricing,
        terms=terms,
        limits=limits,
    )
