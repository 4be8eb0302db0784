"""`POST /v1/arbitrage/solve`: price any given set of bets, wherever their odds come from."""

import asyncio
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta, Struct

from api.desk import Desk
from api.problems import responses_to_body
from application.arbitrage import ProgrammeError
from application.best_book import BestBook, SolveWarning, find_best_book
from application.writer import Overloaded
from domain.arbitrage import to_margin
from domain.commands.command import Command, Slug
from domain.events.bet import Side
from domain.events.market import MarketType
from domain.money import (
    MAX_FUNDS_MINOR,
    AmountMinor,
    check_currency,
    check_odds,
    has_at_most_places,
)
from domain.outcomes import OTHER_SCORES, SELECTIONS, Grid, Proposition
from domain.refusals import InvalidInput, LimitExceeded, Refusal
from domain.stakes import PricedBet

BETS_MAX: Final = 200
STATES_MAX: Final = 500
CELLS_MAX: Final = 20_000
"""Bets times states: what is solved in a second or so at the most."""

COMMISSION_PLACES: Final = 6
_NO_COMMISSION: Final = Decimal(0)
_WAITING_MAX: Final = 32


class BetIn(Command, frozen=True, kw_only=True):
    """A price. Say what it pays by `type`, `line` and `selection_id`, or by `payoffs`.

    `payoffs` are gross returns per unit staked in each state, null for the odds: a back of the draw is
    `[0, null, 0]`; for a lay they are those of the back that it is against. `commission` is the exchange's share of
    the profit, such as 0.05. `max_stake_minor` is the most it may risk: its stake, or a lay's liability.
    """

    bookmaker: Slug
    odds: Decimal
    side: Side = "back"
    commission: Decimal | None = None
    max_stake_minor: AmountMinor | None = None
    step_minor: AmountMinor | None = None
    type: MarketType | None = None
    line: Decimal | None = None
    selection_id: Slug | None = None
    payoffs: (
        Annotated[
            list[Annotated[float, Meta(ge=0, le=100_000)] | None],
            Meta(min_length=1, max_length=STATES_MAX),
        ]
        | None
    ) = None


class SolveIn(Command, frozen=True, kw_only=True):
    """Bets on one fixture, and the most to risk on them together: back stakes and lay liabilities.

    `step_minor` is the step of stakes (1 by default). `runners` are all that can win where WIN is bet on, `scores` all
    that a correct-score market lists where `other` is bet on. `states` names the states of `payoffs`.
    """

    bets: Annotated[list[BetIn], Meta(min_length=1, max_length=BETS_MAX)]
    total_stake_minor: AmountMinor
    step_minor: AmountMinor = 1
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217")] | None = None
    runners: Annotated[tuple[Slug, ...], Meta(max_length=BETS_MAX)] = ()
    scores: Annotated[tuple[Slug, ...], Meta(max_length=BETS_MAX)] = ()
    states: Annotated[tuple[Slug, ...], Meta(max_length=STATES_MAX)] = ()


class SolvedLeg(Struct, frozen=True):
    """A bet to place: `index` is its place in the request, `at_risk_minor` its stake, or a lay's liability."""

    index: int
    bookmaker: str
    side: Side
    odds: Decimal
    stake_minor: int
    at_risk_minor: int


class SolvedState(Struct, frozen=True):
    """How the fixture may end, and what all legs together earn then."""

    name: str
    profit_minor: int


class Solved(Struct, frozen=True):
    """The best book of the bets, one a bookmaker: an arbitrage, or, when there is none, the one that loses the least.

    `margin` is the guaranteed profit per unit at risk before stakes are rounded (down to 6 decimals): negative, it says
    how far the bets are from an arbitrage. `state_prices` are in the order of `states`: they sum to 1, and at them no
    bet returns more than it costs, unless an arbitrage exists.
    """

    is_arbitrage: bool
    margin: Decimal
    guaranteed_profit_minor: int
    outlay_minor: int
    currency: str | None
    legs: list[SolvedLeg]
    states: list[SolvedState]
    state_prices: list[float]
    warnings: list[SolveWarning]


class _Turns:
    """Lets one request solve at a time, in a thread: it may take a processor, but only one, and no other request waits."""

    def __init__(self) -> None:
        self._free = asyncio.Lock()
        self._waiting = 0

    async def solve(self, desk: Desk, body: SolveIn) -> Solved:
        """Solve when it is this request's turn; raises Overloaded when too many wait."""
        if self._waiting >= _WAITING_MAX:
            raise Overloaded
        self._waiting += 1
        try:
            async with self._free:
                return await asyncio.to_thread(_solve, desk, body)
        finally:
            self._waiting -= 1


_TURNS: Final = _Turns()


@post("/arbitrage/solve", status_code=200, responses=responses_to_body(422))
async def solve_arbitrage(data: JSONBody[SolveIn], desk: NamedDependency[Desk]) -> Solved:
    """Find the stakes that earn the most whatever happens, or lose the least."""
    return await _TURNS.solve(desk, data)


def _solve(desk: Desk, body: SolveIn) -> Solved:
    if body.currency is not None:
        check_currency(body.currency)
    for i, bet in enumerate(body.bets):
        check_odds(bet.odds, f"bets[{i}].odds")
        commission = bet.commission or _NO_COMMISSION
        if not (has_at_most_places(commission, COMMISSION_PLACES) and 0 <= commission < 1):
            raise InvalidInput(
                f"a commission is from 0 to below 1, with at most {COMMISSION_PLACES} decimals",
                field=f"bets[{i}].commission",
            )
    names, multipliers = _by_payoffs(body) if body.bets[0].payoffs else _by_market(body)
    if len(names) > STATES_MAX or len(names) * len(body.bets) > CELLS_MAX:
        raise LimitExceeded(
            f"{len(body.bets)} bets on {len(names)} states are more than is solved at once: "
            f"at most {STATES_MAX} states, and {CELLS_MAX} of both multiplied",
            field="bets",
        )
    bets = [
        PricedBet(
            bookmaker=bet.bookmaker,
            odds=bet.odds,
            multipliers=pays,
            side=bet.side,
            commission=bet.commission or _NO_COMMISSION,
            step_minor=bet.step_minor or body.step_minor,
            cap_minor=bet.max_stake_minor,
        )
        for bet, pays in zip(body.bets, multipliers, strict=True)
    ]
    try:
        best = find_best_book(desk.solver, bets, body.total_stake_minor)
    except ProgrammeError as error:
        raise InvalidInput(f"these bets cannot be solved: {error}", field="bets") from error
    return _answer(body, bets, names, best)


_Multipliers = list[tuple[Fraction, ...]]


def _by_payoffs(body: SolveIn) -> tuple[tuple[str, ...], _Multipliers]:
    """Read payoffs that are given as such."""
    size = len(body.bets[0].payoffs or ())
    multipliers = []
    for i, bet in enumerate(body.bets):
        if bet.payoffs is None or bet.type or bet.selection_id or bet.line is not None:
            raise InvalidInput(
                "give payoffs for every bet, or type and selection_id for every bet",
                field=f"bets[{i}].payoffs",
            )
        if len(bet.payoffs) != size:
            raise InvalidInput(
                f"the first bet has {size} states, this one {len(bet.payoffs)}",
                field=f"bets[{i}].payoffs",
            )
        odds = Fraction(bet.odds)
        # A float's own text is the number that was sent: nobody types a binary fraction.
        pays = tuple(odds if paid is None else Fraction(str(paid)) for paid in bet.payoffs)
        if bet.side == "lay" and max(pays) > odds:
            raise InvalidInput(
                "the back of a lay pays at most its odds", field=f"bets[{i}].payoffs"
            )
        multipliers.append(pays)
    if body.states and len(body.states) != size:
        raise InvalidInput(f"the bets have {size} states", field="states")
    return body.states or tuple(f"state {n + 1}" for n in range(size)), multipliers


def _by_market(body: SolveIn) -> tuple[tuple[str, ...], _Multipliers]:
    """Find out what bets on markets pay in the states that these markets need."""
    if body.states:
        raise InvalidInput("states are named by the markets here", field="states")
    propositions = []
    for i, bet in enumerate(body.bets):
        if bet.payoffs is not None or bet.type is None or bet.selection_id is None:
            missing = (
                "payoffs"
                if bet.payoffs is not None
                else "type"
                if bet.type is None
                else "selection_id"
            )
            raise InvalidInput(
                "give type and selection_id for every bet, or payoffs for every bet",
                field=f"bets[{i}].{missing}",
            )
        proposition = Proposition(bet.type, bet.line, _selections(body, bet.type, bet.selection_id))
        try:
            proposition.check()
            proposition.check_has(bet.selection_id)
        except Refusal as refusal:
            place = refusal.field or ("type" if not proposition.selections else "selection_id")
            refusal.field = f"bets[{i}].{place}"
            raise
        propositions.append(proposition)
    grid = Grid.of(propositions)
    multipliers = [
        grid.payoff(proposition, bet.selection_id or "").returns(Fraction(bet.odds))
        for proposition, bet in zip(propositions, body.bets, strict=True)
    ]
    return grid.states, multipliers


def _selections(body: SolveIn, kind: MarketType, selection_id: str) -> tuple[str, ...]:
    """Give all selections of a market of this type: the ones that it has always, or those that the request lists."""
    if kind == "WIN":
        if not body.runners:
            raise InvalidInput("list all runners of the race", field="runners")
        return tuple(dict.fromkeys(body.runners))
    if kind == "CS":
        if selection_id in OTHER_SCORES and not body.scores:
            raise InvalidInput("list all scores that are not `other`", field="scores")
        return tuple(dict.fromkeys([*body.scores, selection_id]))
    return tuple(sorted(SELECTIONS.get(kind, ())))


def _answer(body: SolveIn, bets: list[PricedBet], names: tuple[str, ...], best: BestBook) -> Solved:
    book = best.book
    profits = book.profits_minor if book else (0,) * len(names)
    if max(map(abs, profits)) > MAX_FUNDS_MINOR:
        raise LimitExceeded("stakes so large win more than can be told", field="total_stake_minor")
    legs = [
        SolvedLeg(
            index=i,
            bookmaker=bets[i].bookmaker,
            side=bets[i].side,
            odds=bets[i].odds,
            stake_minor=stake,
            at_risk_minor=bets[i].at_risk_minor(stake),
        )
        for i, stake in zip(best.used, book.stakes_minor if book else (), strict=bool(book))
    ]
    return Solved(
        is_arbitrage=best.is_arbitrage,
        margin=to_margin(best.margin),
        guaranteed_profit_minor=min(profits),
        outlay_minor=book.outlay_minor if book else 0,
        currency=body.currency,
        legs=legs,
        states=[SolvedState(n, p) for n, p in zip(names, profits, strict=True)],
        state_prices=[round(price, 9) for price in best.prices],
        warnings=list(best.warnings),
    )


ROUTES = [solve_arbitrage]
