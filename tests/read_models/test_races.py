"""A race as the view shows it, whatever happened to it and wherever the log was cut, is the race as the ledger has it."""

import random
from decimal import Decimal
from uuid import UUID

import pytest
from msgspec.structs import replace

from adapters.postgres.build import Build
from adapters.postgres.reader import Reader
from adapters.postgres.schema import connect, digest
from adapters.postgres.snapshot_projection import PROJECTIONS
from domain.commands.command import Command
from domain.commands.market import (
    AbandonMarket,
    DeclareResult,
    ReinstateRunner,
    RollBackResult,
    SelectionResultBody,
    VoidMarket,
    WithdrawRunner,
)
from domain.events.market import StartingPrice
from domain.market import Market
from domain.refusals import Refusal
from read_models import markets
from tests.application.desk import Desk
from tests.builders import OPERATOR, open_market
from tests.read_models.business import digests, follow, head

pytestmark = pytest.mark.anyio

RUNNERS = ("home", "draw", "away")


def a_change(rng: random.Random) -> Command:
    """Something that may happen to a race."""
    runner = rng.choice(RUNNERS)
    some = rng.sample(RUNNERS, rng.randint(1, 3))
    return rng.choice(
        (
            WithdrawRunner(selection_id=runner, factor=rng.choice((None, Decimal(10)))),
            ReinstateRunner(selection_id=runner, reason="a slip"),
            DeclareResult(
                results=[
                    SelectionResultBody(
                        selection_id=each, result=rng.choice(("won", "lost", "void"))
                    )
                    for each in some
                ],
                starting_prices=(StartingPrice(runner, Decimal(rng.randint(2, 9))),),
                partial=len(some) < len(RUNNERS),
            ),
            AbandonMarket(reason="fog", rule=rng.choice(("void_undecided", "void_all"))),
            VoidMarket(reason="listed twice"),
            RollBackResult(),
        )
    )


async def test_a_view_of_a_race_is_the_race(desk: Desk, db: Reader, database_url: str) -> None:
    rng, taken, refused = random.Random(1), 0, 0
    ids = [
        UUID((await desk.ask(replace(open_market(), type="WIN"), OPERATOR))["market_id"])
        for _ in range(4)
    ]
    for _ in range(160):
        try:
            await desk.ask(a_change(rng), OPERATOR, target=rng.choice(ids))
            taken += 1
        except Refusal:
            refused += 1  # such as what is said already
        if rng.random() < 0.1:
            follow(database_url, ["markets"])
            for market_id in ids:
                await check(desk, db, market_id)
    assert min(taken, refused) > 20
    follow(database_url, ["markets"])
    with Build(database_url, [PROJECTIONS["markets"]], "split") as build:
        for position in range(1, head(database_url) + 1):
            build.advance({"markets": position}, lambda *_: None)
        with connect(database_url) as connection:
            one_by_one = digest(
                connection, PROJECTIONS["markets"], build.schema_of(PROJECTIONS["markets"])
            )
    assert one_by_one == digests(database_url, ["markets"])["markets"]


async def check(desk: Desk, db: Reader, market_id: UUID) -> None:
    shown = await markets.get(db, market_id)
    state = await desk.ledger.state(market_id)
    assert isinstance(state, Market)
    assert shown is not None
    assert shown.status == state.status
    assert (shown.abandoned is not None) == state.abandoned
    for each in shown.selections:
        known = state.results.get(each.selection_id)
        assert each.result == (known and known.result)
        assert each.starting_price == state.starting_prices.get(each.selection_id)
        assert (each.withdrawn is not None) == state.is_withdrawn(each.selection_id)
