"""A small betting business at random, the read models brought up to it, and their digests."""

import random
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from adapters.postgres import tracking
from adapters.postgres.codec import encode_event
from adapters.postgres.projector import Projector, Session
from adapters.postgres.schema import TableDigest, connect, digest
from adapters.postgres.snapshot_projection import PROJECTIONS
from domain.actors import Actor
from domain.commands.account import CompleteWithdrawal, RejectWithdrawal
from domain.commands.bet import (
    ApproveRepricing,
    CashOutBet,
    PlaceBet,
    PlaceBets,
    ProposeRepricing,
    RejectRepricing,
    VoidBet,
)
from domain.commands.market import CloseMarket, RollBackResult, SuspendMarket
from domain.commands.odds import QuoteBody, RecordOdds
from domain.commands.settlement import CompleteSettlement, SettleBets
from domain.events.bet import Leg, PriceSeen
from domain.events.event import Event
from domain.refusals import Refusal
from tests.application.desk import Desk
from tests.builders import ADMIN, ALICE, BOB, FIXTURE, NOW, OPERATOR, an_id

Digests = dict[str, tuple[TableDigest, ...]]
BOOKMAKERS = ("house", "Ladder", "Exchange")
SELECTION_IDS = ("home", "draw", "away")


async def run_business(desk: Desk, seed: int, steps: int) -> None:
    """Do a number of things that a betting business does, the same ones for the same seed."""
    rng = random.Random(seed)
    accounts = [(await desk.account(50_000, owner=who), who) for who in (ALICE, BOB, ALICE)]
    markets = [await desk.market() for _ in range(3)]
    open_bets: dict[UUID, list[UUID]] = {market_id: [] for market_id in markets}
    withdrawals: list[UUID] = []
    generations: dict[UUID, int] = {}
    cashed: list[UUID] = []
    by_owner: list[tuple[UUID, PlaceBet, Actor]] = []
    for _ in range(steps):
        account_id, owner = rng.choice(accounts)
        market_id = rng.choice(markets)
        try:
            match rng.choice("bbbbbdwcrqqqesxooovvpp"):
                case "b":
                    bets = [a_bet(rng, account_id, market_id) for _ in range(rng.randint(1, 4))]
                    done = await desk.ask(PlaceBets(bets=bets), owner)
                    placed = [UUID(b["bet_id"]) for b in done["results"] if "bet_id" in b]
                    open_bets[market_id] += placed
                    by_owner += [(*each, owner) for each in zip(placed, bets, strict=False)]
                case "o":
                    bet_id, bet, who = rng.choice(by_owner)
                    await desk.ask(a_cash_out(rng, bet), who, target=bet_id)
                    cashed.append(bet_id)
                case "p":
                    await reprice(desk, rng, *rng.choice(by_owner)[:2])
                case "v":
                    bet_id = rng.choice(cashed)
                    await desk.ask(VoidBet(reason="a mistake"), OPERATOR, target=bet_id)
                case "d":
                    await desk.deposit(account_id, rng.randint(1, 9_999), owner=owner)
                case "w":
                    if owner is ALICE:
                        amount_minor = rng.randint(1, 3_000)
                        withdrawals.append(await desk.withdraw(account_id, amount_minor))
                case "c":
                    await desk.ask(CompleteWithdrawal(), OPERATOR, target=rng.choice(withdrawals))
                case "r":
                    await desk.ask(RejectWithdrawal(), OPERATOR, target=rng.choice(withdrawals))
                case "q":
                    await desk.ask(RecordOdds(quotes=some_quotes(rng, market_id)), OPERATOR)
                case "e":
                    await desk.ask(CloseMarket(), OPERATOR, target=market_id)
                case "s":
                    await desk.ask(SuspendMarket(), OPERATOR, target=market_id)
                    markets.append(await desk.market())
                    open_bets[markets[-1]] = []
                case _:
                    generations[market_id] = await declare(
                        desk, rng, market_id, generations.get(market_id, 0), open_bets[market_id]
                    )
        except (Refusal, IndexError):
            continue


async def declare(
    desk: Desk, rng: random.Random, market_id: UUID, generation: int, bet_ids: list[UUID]
) -> int:
    """Say how a market ended and settle it; again it is a correction or, at times, taken back."""
    if generation and rng.random() < 0.3:
        await desk.ask(RollBackResult(), OPERATOR, target=market_id)
    else:
        await desk.score(market_id, rng.randint(0, 2), rng.randint(0, 2))
    for after, part in enumerate((bet_ids[::2], bet_ids[1::2])):
        due = SettleBets(bet_ids=part, generation=generation + 1, after=after + 1)
        await desk.ask(due, OPERATOR, target=market_id)
    complete = CompleteSettlement(generation=generation + 1)
    await desk.ask(complete, OPERATOR, target=market_id)
    return generation + 1


async def reprice(desk: Desk, rng: random.Random, bet_id: UUID, bet: PlaceBet) -> None:
    """Propose other odds for a bet, and decide about it."""
    selection_id = bet.legs[0].selection_id
    odds = Decimal(rng.randint(1_001, 9_999)) / 1000
    asked = ProposeRepricing(selection_id=selection_id, odds=odds, reason="a slip")
    proposed = await desk.ask(asked, OPERATOR, target=bet_id)
    this = UUID(proposed["repricing_id"])
    decision = rng.choice((ApproveRepricing, ApproveRepricing, RejectRepricing))
    await desk.ask(decision(repricing_id=this), ADMIN, target=bet_id)


def a_bet(rng: random.Random, account_id: UUID, market_id: UUID) -> PlaceBet:
    odds = Decimal(rng.randint(1_001, 9_999)) / 1000
    leg = Leg(market_id, rng.choice(SELECTION_IDS), odds)
    return PlaceBet(account_id=account_id, legs=(leg,), stake_minor=rng.randint(1, 900))


def a_cash_out(rng: random.Random, bet: PlaceBet) -> CashOutBet:
    leg = bet.legs[0]
    odds = Decimal(rng.randint(1_001, 9_999)) / 1000
    return CashOutBet(
        offer_minor=1,
        share=Decimal(rng.choice(("0.25", "0.5", "1"))),
        prices=(PriceSeen(leg.market_id, leg.selection_id, "Ladder", odds, NOW),),
    )


def some_quotes(rng: random.Random, market_id: UUID) -> list[QuoteBody]:
    return [
        QuoteBody(
            bookmaker=rng.choice(BOOKMAKERS),
            market_id=market_id,
            selection_id=rng.choice(SELECTION_IDS),
            odds=Decimal(rng.randint(1_001, 9_999)) / 1000,
            at=rng.choice((FIXTURE.starts_at, datetime.now(UTC)))
            - timedelta(seconds=rng.randint(-3, 3)),
            size=rng.choice((None, Decimal("12.50"))),
            closing=rng.random() < 0.2,
            side=rng.choice(("back", "back", "lay")),
            withdrawn=rng.random() < 0.2,
        )
        for _ in range(rng.randint(1, 4))
    ]


# ---- following the log


def follow(database_url: str, names: Iterable[str] = PROJECTIONS) -> None:
    """Bring read models up to the end of the log, as a worker does."""
    projector = Projector(database_url, [PROJECTIONS[name] for name in names])
    with projector.session() as session:
        follow_with(session)


def follow_with(session: Session) -> None:
    session.take_over()
    while session.round():
        pass


def digests(database_url: str, names: Iterable[str] = PROJECTIONS) -> Digests:
    """Give the digests of the live read models."""
    with closing(connect(database_url)) as connection:
        found = {name: PROJECTIONS[name] for name in names}
        return {name: digest(connection, p, p.schema) for name, p in found.items()}


def positions(database_url: str) -> dict[str, int]:
    with closing(connect(database_url)) as connection:
        return dict(tracking.positions(connection))


def head(database_url: str) -> int:
    with closing(connect(database_url)) as connection:
        row = connection.execute("SELECT max(notification_id) FROM ledger_events").fetchone()
        assert row is not None
        return int(row[0])


# ---- events that no ledger would write


def append(database_url: str, name: str, event: Event) -> int:
    """Append an event to a new stream as it is; give its position."""
    state = encode_event(event, NOW, "somebody", an_id("command"), None)
    return append_raw(database_url, name, event.topic, state)


def append_raw(database_url: str, name: str, topic: str, state: bytes = b"") -> int:
    sql = """
        INSERT INTO ledger_events (originator_id, originator_version, topic, state, notification_id)
        SELECT %s, 1, %s, %s, max(notification_id) + 1 FROM ledger_events RETURNING notification_id"""
    with closing(connect(database_url)) as connection:
        row = connection.execute(sql, (an_id(name), topic, state)).fetchone()
        connection.execute("NOTIFY ledger_events")
        assert row is not None
        return int(row[0])


def faults(database_url: str) -> dict[str, int]:
    """Give the models that are stopped, with the position at which."""
    with closing(connect(database_url)) as connection:
        return dict(
            connection.execute("SELECT model, position FROM public.projection_faults").fetchall()
        )
