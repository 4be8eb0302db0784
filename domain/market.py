"""A market: a proposition on a fixture, its selections, and whether it takes bets."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.deductions import TABLES
from domain.events.market import (
    AbandonRule,
    Fixture,
    MarketAbandoned,
    MarketClosed,
    MarketLimits,
    MarketLimitsChanged,
    MarketOpened,
    MarketResumed,
    MarketSuspended,
    MarketType,
    Period,
    Pricing,
    ResultDeclared,
    ResultRolledBack,
    RunnerReinstated,
    RunnerWithdrawn,
    Score,
    Selection,
    SelectionResult,
    StartingPrice,
    Terms,
)
from domain.finish import results_from_finish
from domain.money import check_odds, has_at_most_places
from domain.refusals import (
    InvalidInput,
    LimitExceeded,
    MarketNotOpen,
    MarketStateConflict,
    NotOffered,
    ResultAlreadyDeclared,
    ResultNotDerivable,
    SelectionNotInMarket,
)
from domain.scores import results_from_score
from domain.settlement import PLACING, check_settles
from domain.times import check_time

MarketEvent = (
    MarketOpened
    | MarketLimitsChanged
    | MarketSuspended
    | MarketResumed
    | MarketClosed
    | ResultDeclared
    | ResultRolledBack
    | RunnerWithdrawn
    | RunnerReinstated
    | MarketAbandoned
)
MarketStatus = Literal["open", "suspended", "closed", "part_resulted", "resulted"]

LINE_TYPES = ("OU", "AH", "SPREAD")
LINE_STEP = Decimal("0.25")
LINE_PLACES = 3
MAX_LINE = Decimal(10_000)
MAX_FACTOR = Decimal(100)
FACTOR_PLACES = 3
RULE4_TABLES = frozenset(f"{operator}/{version}" for operator, version in TABLES)


class Market(Struct, frozen=True):
    """State of a market; `results` holds the results that stand now, by selection, and `score` where they come from.

    `generation` counts the changes of what its bets are settled by: 0 before the first result. `abandoned`: what its
    results and starting prices leave undecided is void, until another result is declared.
    """

    market_id: UUID
    version: int
    fixture: Fixture
    type: MarketType
    line: Decimal | None
    selections: dict[str, str]
    pricing: Pricing
    limits: MarketLimits | None
    terms: Terms | None = None
    period: Period = "full_time"
    status: MarketStatus = "open"
    results: dict[str, SelectionResult] = {}
    score: Score | None = None
    half_time: Score | None = None
    starting_prices: dict[str, Decimal] = {}
    withdrawals: tuple[RunnerWithdrawn, ...] = ()
    generation: int = 0
    abandoned: bool = False

    def check_takes(self, selection_id: str, stake_minor: int, return_minor: int) -> None:
        """Refuse a bet that this market does not take as it stands."""
        if self.status != "open":
            raise MarketNotOpen(f"market {self.market_id} is {self.status}")
        if selection_id not in self.selections:
            raise SelectionNotInMarket(
                f"market {self.market_id} has no selection {selection_id[:100]!r}"
            )
        if self.withdrawals and self.is_withdrawn(selection_id):
            raise SelectionNotInMarket(f"{selection_id!r} is withdrawn")
        if limits := self.limits:
            if limits.max_stake_minor is not None and stake_minor > limits.max_stake_minor:
                raise _exceeded("max_stake_minor", limits.max_stake_minor, "takes")
            if limits.max_return_minor is not None and return_minor > limits.max_return_minor:
                raise _exceeded("max_return_minor", limits.max_return_minor, "returns")
            if limits.min_stake_minor is not None and stake_minor < limits.min_stake_minor:
                raise _below("min_stake_minor", limits.min_stake_minor, "takes")
            if limits.min_return_minor is not None and return_minor < limits.min_return_minor:
                raise _below("min_return_minor", limits.min_return_minor, "returns")

    def check_returns(self, most_minor: int | None) -> None:
        """Refuse a bet that may return more than the limit by a starting price; None: nobody knows how much it may."""
        limit = self.limits.max_return_minor if self.limits else None
        if limit is not None and (most_minor is None or most_minor > limit):
            raise _exceeded("max_return_minor", limit, "returns")

    @property
    def max_liability_minor(self) -> int | None:
        """The limit on what the house may lose, None while its liability is not followed."""
        return self.limits.max_liability_minor if self.limits else None

    def change_limits(self, limits: MarketLimits) -> MarketLimitsChanged | None:
        """Set the limits on bets to come, and lift those that are None; None when they are so already.

        What caps payouts stays: bets were taken with it.
        """
        before = self.limits or MarketLimits()
        limits = replace(limits, max_payout_minor=before.max_payout_minor)
        if limits == before:
            return None
        self._check_status("open", "suspended")
        return MarketLimitsChanged(limits=limits)

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
        half_time: Score | None = None,
        finish: Sequence[Sequence[str]] | None = None,
        starting_prices: tuple[StartingPrice, ...] = (),
        partial: bool = False,
    ) -> ResultDeclared:
        """Say how the market ended, selection by selection or by what decides it; again, to correct it.

        `finish` is a race's finishing order. The score at half time decides a market on the first half. With `partial` the results may be of some
        selections: the others keep theirs, or stay undecided. Starting prices are kept until others are given.
        """
        by_score = score is not None or half_time is not None
        if (results is not None) + (finish is not None) + by_score > 1:
            raise InvalidInput("give results, a score, or a finishing order", field="results")
        if finish is not None:
            withdrawn = {each.selection_id for each in self.withdrawals}
            results = results_from_finish(self.type, self.terms, self.selections, withdrawn, finish)
        elif results is None:
            results = self._by_score(score, half_time)
        named = [result.selection_id for result in results]
        for selection_id in named:
            if selection_id not in self.selections:
                raise SelectionNotInMarket(f"the market has no selection {selection_id!r}")
        if len(set(named)) != len(named):
            raise InvalidInput("a selection is named twice", field="results")
        for result in results:
            check_settles(result, self.type)
        if partial:
            known = self.results | {result.selection_id: result for result in results}
            results = tuple(known[each] for each in self.selections if each in known)
        named = [result.selection_id for result in results]
        results += tuple(
            SelectionResult(each.selection_id, "void")
            for each in self.withdrawals
            if each.selection_id not in named
        )
        missing = sorted(self.selections.keys() - {result.selection_id for result in results})
        if missing and not partial:
            raise ResultNotDerivable(f"no result for {', '.join(missing)}")
        prices = self._starting_prices(starting_prices)
        declared = ResultDeclared(
            results=results,
            score=score,
            generation=self.generation + 1,
            partial=bool(missing),
            half_time=half_time,
            starting_prices=tuple(StartingPrice(*each) for each in prices.items()),
        )
        if _ends(self) == _ends(self.evolve(declared)):
            raise ResultAlreadyDeclared
        return declared

    def _by_score(
        self, score: Score | None, half_time: Score | None
    ) -> tuple[SelectionResult, ...]:
        deciding = half_time if self.period == "first_half" else score
        if deciding is None:
            needed = "score" if self.period == "full_time" else "half_time"
            raise InvalidInput(f"give results, the {needed}, or a finishing order", field="results")
        return results_from_score(self.type, self.line, self.selections, self.fixture, deciding)

    def _starting_prices(self, given: tuple[StartingPrice, ...]) -> dict[str, Decimal]:
        prices = {price.selection_id: price.odds for price in given}
        if len(prices) != len(given):
            raise InvalidInput("a selection is named twice", field="starting_prices")
        for selection_id, odds in prices.items():
            check_odds(odds, "starting_prices.odds")
            if selection_id not in self.selections:
                raise SelectionNotInMarket(f"the market has no selection {selection_id!r}")
        return self.starting_prices | prices

    @property
    def settled_results(self) -> dict[str, SelectionResult]:
        """The results that bets are settled by: who was withdrawn is void, whatever was declared of it."""
        void = {
            each.selection_id: SelectionResult(each.selection_id, "void")
            for each in self.withdrawals
        }
        return self.results | void

    def is_withdrawn(self, selection_id: str) -> bool:
        """Tell whether this runner was withdrawn."""
        return any(each.selection_id == selection_id for each in self.withdrawals)

    def withdraw(
        self, selection_id: str, at: datetime, odds: Decimal | None, factor: Decimal | None
    ) -> RunnerWithdrawn:
        """Take a runner out: its price when it was withdrawn, or an exchange's factor, says what the others pay less.

        With neither its bets are void, and nothing else changes.
        """
        if self.type not in PLACING:
            raise NotOffered(f"no runner is withdrawn from a {self.type} market")
        if selection_id not in self.selections:
            raise SelectionNotInMarket(f"the market has no selection {selection_id[:100]!r}")
        if self.is_withdrawn(selection_id):
            raise MarketStateConflict(f"{selection_id!r} is withdrawn already")
        if odds is not None and factor is not None:
            raise InvalidInput("give either odds or a factor", field="factor")
        if odds is not None:
            check_odds(odds)
            if self.terms is None or self.terms.rule4 is None:
                raise InvalidInput("the market's terms name no Rule 4 table", field="odds")
        if factor is not None and not (
            has_at_most_places(factor, FACTOR_PLACES) and 0 <= factor <= MAX_FACTOR
        ):
            raise InvalidInput("a reduction factor is from 0 to 100 percent", field="factor")
        check_time(at, "at")
        return RunnerWithdrawn(
            selection_id=selection_id,
            at=at,
            generation=self.generation + 1,
            odds=odds,
            factor=factor,
        )

    def reinstate(self, selection_id: str, reason: str) -> RunnerReinstated:
        """Take a runner's withdrawal back; where that made it void among the results, it is undecided again."""
        if not self.is_withdrawn(selection_id):
            raise MarketStateConflict(f"{selection_id!r} is not withdrawn")
        known = self.results.get(selection_id)
        is_void_by_it = known is not None and known.result == "void" and not self.abandoned
        rest = tuple(each for each in self.results.values() if each != known)
        return RunnerReinstated(
            selection_id=selection_id,
            generation=self.generation + 1,
            reason=reason,
            results=rest if is_void_by_it else None,
        )

    def abandon(self, reason: str, rule: AbandonRule) -> MarketAbandoned:
        """Void what is undecided, or everything, because the fixture was abandoned or postponed.

        Undecided is also what won at a starting price that nobody has returned.
        """
        void = {each: SelectionResult(each, "void") for each in self.selections}
        results = void | self.results if rule == "void_undecided" else void
        if results == self.results and not (rule == "void_undecided" and self._lacks_prices()):
            raise ResultAlreadyDeclared
        return MarketAbandoned(
            reason=reason,
            rule=rule,
            results=tuple(results[each] for each in self.selections),
            generation=self.generation + 1,
        )

    def _lacks_prices(self) -> bool:
        """Tell whether a race has results and no starting prices for some of its runners."""
        return (
            self.type in PLACING
            and not self.abandoned
            and not self.selections.keys() <= self.starting_prices.keys()
        )

    def roll_back(self, reason: str | None) -> ResultRolledBack:
        """Take the result back: the market has none, and stays closed for bets."""
        self._check_status("resulted", "part_resulted")
        return ResultRolledBack(generation=self.generation + 1, reason=reason)

    def _check_status(self, *allowed: MarketStatus) -> None:
        if self.status not in allowed:
            raise MarketStateConflict(f"the market is {self.status}, not {' or '.join(allowed)}")

    def _with_runner(self, event: RunnerReinstated, version: int) -> "Market":
        market = replace(
            self,
            version=version,
            withdrawals=tuple(
                each for each in self.withdrawals if each.selection_id != event.selection_id
            ),
            generation=event.generation,
        )
        if event.results is None:
            return market
        results = {result.selection_id: result for result in event.results}
        return replace(market, status="part_resulted", results=results)

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
            terms=event.terms,
            period=event.period,
        )

    def evolve(self, event: MarketEvent) -> "Market":
        """Give the state after `event`; decides nothing."""
        version = self.version + 1
        match event:
            case MarketLimitsChanged():
                return replace(self, version=version, limits=event.limits)
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
                    half_time=event.half_time,
                    starting_prices={
                        each.selection_id: each.odds for each in event.starting_prices
                    },
                    generation=event.generation,
                    abandoned=False,
                )
            case ResultRolledBack():
                return replace(
                    self,
                    version=version,
                    status="closed",
                    results={},
                    score=None,
                    half_time=None,
                    starting_prices={},
                    generation=event.generation,
                    abandoned=False,
                )
            case RunnerWithdrawn():
                return replace(
                    self,
                    version=version,
                    withdrawals=(*self.withdrawals, event),
                    generation=event.generation,
                )
            case RunnerReinstated():
                return self._with_runner(event, version)
            case MarketAbandoned():
                return replace(
                    self,
                    version=version,
                    status="resulted",
                    results={result.selection_id: result for result in event.results},
                    score=None,
                    half_time=None,
                    generation=event.generation,
                    abandoned=True,
                )
            case MarketOpened():
                raise ValueError("a market opens once")
            case _:
                assert_never(event)


def _below(name: str, limit: int, does: str) -> LimitExceeded:
    return LimitExceeded(
        f"the market {does} at least {limit} a bet", members={"limit": name, "limit_minor": limit}
    )


def _exceeded(name: str, limit: int, does: str) -> LimitExceeded:
    return LimitExceeded(
        f"the market {does} at most {limit} a bet",
        members={"limit": name, "limit_minor": limit, "left_minor": limit},
    )


def _ends(market: Market) -> tuple[Any, ...]:
    """Give all that a result says."""
    return (
        market.status,
        market.results,
        market.score,
        market.half_time,
        market.starting_prices,
        market.abandoned,
    )


def open_market(
    fixture: Fixture,
    market_type: MarketType,
    line: Decimal | None,
    selections: tuple[Selection, ...],
    pricing: Pricing,
    terms: Terms | None,
    limits: MarketLimits | None,
    period: Period = "full_time",
) -> MarketOpened:
    """Decide to offer a market."""
    if terms is not None and terms.rule4 is not None and terms.rule4 not in RULE4_TABLES:
        raise InvalidInput(
            f"rule4 is one of {', '.join(sorted(RULE4_TABLES))}", field="terms.rule4"
        )
    if period == "first_half" and market_type in PLACING:
        raise InvalidInput("a race has no halves", field="period")
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
        period=period,
    )
