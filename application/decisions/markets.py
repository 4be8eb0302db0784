"""Decisions about markets and their prices."""

from datetime import datetime
from typing import assert_never
from uuid import UUID

from application import answers
from application.answers import Answer
from application.decisions import liabilities
from application.decisions.context import Context, as_market, odds_id, start
from application.decisions.liabilities import liability_id
from domain import market as markets
from domain import odds
from domain.commands.market import (
    AbandonMarket,
    ChangeMarketLimits,
    CloseMarket,
    DeclareResult,
    OpenMarket,
    ReinstateRunner,
    ResumeMarket,
    RollBackResult,
    ScoreBody,
    SuspendMarket,
    VoidMarket,
    WithdrawRunner,
)
from domain.commands.odds import RecordOdds
from domain.events.market import (
    DeadHeat,
    Fixture,
    ResultDeclared,
    Score,
    Selection,
    SelectionResult,
    Terms,
)
from domain.events.odds import Quote
from domain.market import Market
from domain.refusals import InvalidInput, MarketNotFound, MarketStateConflict


def open_market(command: OpenMarket, ctx: Context) -> Answer:
    """Offer a market under the chosen or a new id."""
    market_id = command.market_id or ctx.new_id()
    body, terms, limits = command.fixture, command.terms, command.limits
    fixture = Fixture(
        fixture_id=body.fixture_id or ctx.new_id(),
        sport=body.sport,
        competition=body.competition,
        name=body.name,
        starts_at=body.starts_at,
        home=body.home,
        away=body.away,
    )
    opened = markets.open_market(
        fixture,
        command.type,
        command.line,
        tuple(
            Selection(selection.selection_id, selection.name) for selection in command.selections
        ),
        command.pricing,
        Terms(terms.each_way_places, terms.each_way_divisor, terms.rule4) if terms else None,
        limits.limits() if limits else None,
        command.period,
    )
    start(market_id, ctx, chosen=command.market_id is not None)
    market = as_market(ctx.book.record(market_id, opened))
    # A bet on it may be in this very batch, and was loaded for before there was a market.
    ctx.book.put_loaded({odds_id(market_id), liability_id(market_id)}, {})
    if market.max_liability_minor is not None:
        liabilities.begin(market, (), ctx)
    assert fixture.fixture_id is not None
    return answers.NewMarket(market_id, fixture.fixture_id, ctx.book.position)


def change_limits(command: ChangeMarketLimits, ctx: Context) -> Answer:
    """Set the target market's limits; asked again it changes nothing.

    A limit on liability begins with the bets that are open, so the market must have been suspended since they were
    looked up.
    """
    market = ctx.find(Market, ctx.target, MarketNotFound)
    changed = market.change_limits(command.limits())
    if changed is not None:
        begins = market.max_liability_minor is None and command.max_liability_minor is not None
        if begins and not (
            market.status == "suspended"
            and command.seen is not None
            and command.seen.market_version == market.version
        ):
            raise MarketStateConflict(
                "suspend the market before its liability is limited: what is open on it is counted first"
            )
        market = as_market(ctx.book.record(market.market_id, changed))
        if begins and command.seen is not None:
            liabilities.begin(market, command.seen.bet_ids, ctx)
    return answers.MarketChanged(market.market_id, market.status, ctx.book.position)


MarketStep = (
    SuspendMarket
    | ResumeMarket
    | CloseMarket
    | DeclareResult
    | RollBackResult
    | WithdrawRunner
    | ReinstateRunner
    | AbandonMarket
    | VoidMarket
)


def change_market(
    command: MarketStep,
    ctx: Context,
) -> Answer:
    """Take the target market a step on."""
    market = ctx.find(Market, ctx.target, MarketNotFound)
    match command:
        case SuspendMarket():
            changed = ctx.book.record(market.market_id, market.suspend(command.reason))
        case ResumeMarket():
            changed = ctx.book.record(market.market_id, market.resume())
        case CloseMarket():
            changed = ctx.book.record(market.market_id, market.close())
        case DeclareResult():
            changed = ctx.book.record(market.market_id, _declared(command, market))
        case RollBackResult():
            changed = ctx.book.record(market.market_id, market.roll_back(command.reason))
        case WithdrawRunner(selection_id=runner, at=at, odds=price, factor=factor):
            withdrawn = market.withdraw(runner, _past(at, ctx.now), price, factor)
            changed = ctx.book.record(market.market_id, withdrawn)
        case ReinstateRunner():
            reinstated = market.reinstate(command.selection_id, command.reason)
            changed = ctx.book.record(market.market_id, reinstated)
        case AbandonMarket():
            changed = ctx.book.record(
                market.market_id, market.abandon(command.reason, command.rule)
            )
        case VoidMarket():
            voided = market.abandon(command.reason, "void_all")
            changed = ctx.book.record(market.market_id, voided)
        case _:
            assert_never(command)
    assert isinstance(changed, Market)
    return answers.MarketChanged(market.market_id, changed.status, ctx.book.position)


def _declared(command: DeclareResult, market: Market) -> ResultDeclared:
    results = None
    if command.results is not None:
        results = tuple(
            SelectionResult(
                selection_id=each.selection_id,
                result=each.result,
                dead_heat=DeadHeat(each.dead_heat.tied, each.dead_heat.places)
                if each.dead_heat
                else None,
                position=each.position,
            )
            for each in command.results
        )
    return market.declare(
        results,
        _score(command.score),
        half_time=_score(command.half_time),
        finish=command.finish,
        starting_prices=command.starting_prices,
        partial=command.partial,
    )


def _score(body: ScoreBody | None) -> Score | None:
    return Score(body.home, body.away) if body else None


def _past(at: datetime | None, now: datetime) -> datetime:
    """Give when something happened, now by default."""
    if at is not None and at > now + odds.CLOCK_SKEW:
        raise InvalidInput("the time lies in the future", field="at")
    return at or now


def record_odds(command: RecordOdds, ctx: Context) -> Answer:
    """Keep quotes: one snapshot for each market that they name."""
    by_market: dict[UUID, list[Quote]] = {}
    for body in command.quotes:
        by_market.setdefault(body.market_id, []).append(
            Quote(
                bookmaker=body.bookmaker,
                selection_id=body.selection_id,
                odds=body.odds,
                at=body.at,
                size=body.size,
                closing=body.closing,
                side=body.side,
                withdrawn=body.withdrawn,
            )
        )
    for market_id, quotes in by_market.items():
        market = ctx.find(Market, market_id, MarketNotFound)
        taken = odds.take_snapshot(market, tuple(quotes), ctx.now)
        ctx.book.record(odds_id(market_id), taken)
    return answers.SnapshotsTaken(len(by_market), len(command.quotes), ctx.book.position)
