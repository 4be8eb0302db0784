"""Read models are a function of the log: the size of the batches, and where they are cut, does not show."""

import asyncio
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.embedded import EmbeddedServers
from adapters.postgres.build import Build
from adapters.postgres.reader import Reader
from adapters.postgres.schema import connect, digest
from adapters.postgres.snapshot_projection import PROJECTIONS
from domain.account import Account
from domain.events.bet import BetPartCashedOut, BetPartsVoided, BetRepriced
from domain.journal import postings
from fairbook.replay import run_replay
from read_models import profit_curve
from read_models.performance import Asked
from tests.application.desk import a_desk, read_log
from tests.read_models.business import Digests, digests, follow, head, positions, run_business
from tests.service import a_database


@pytest.fixture(scope="module", params=[1, 2])
def business_url(servers: EmbeddedServers, request: pytest.FixtureRequest) -> Iterator[str]:
    async def run(url: str) -> None:
        async with a_desk(url) as desk:
            await run_business(desk, seed=request.param, steps=60)

    with a_database(servers.urls.database) as url:
        asyncio.run(run(url))
        follow(url)
        yield url


@pytest.fixture(scope="module")
def live(business_url: str) -> Digests:
    """What the read models hold when they have followed the log."""
    return digests(business_url)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 400), max_size=12))
def test_any_split_of_the_log_gives_the_same_digests(
    business_url: str, live: Digests, cuts: list[int]
) -> None:
    end = head(business_url)
    with Build(business_url, list(PROJECTIONS.values()), "split") as build:
        for cut in sorted({min(cut, end) for cut in cuts} | {end}):
            build.advance(dict.fromkeys(PROJECTIONS, cut), lambda *_: None)
        build.finish()
        with connect(business_url) as connection:
            built = {
                name: digest(connection, each, build.schema_of(each))
                for name, each in PROJECTIONS.items()
            }
    assert built == live


def test_one_event_at_a_time_gives_the_same_digests(business_url: str, live: Digests) -> None:
    end = head(business_url)
    with Build(business_url, list(PROJECTIONS.values()), "split") as build:
        for position in range(1, end + 1):
            build.advance(dict.fromkeys(PROJECTIONS, position), lambda *_: None)
        with connect(business_url) as connection:
            for name, each in PROJECTIONS.items():
                assert digest(connection, each, build.schema_of(each)) == live[name]


def test_models_may_be_at_different_positions(business_url: str, live: Digests) -> None:
    end = head(business_url)
    with Build(business_url, list(PROJECTIONS.values()), "split") as build:
        half = {name: end if place % 2 else end // 2 for place, name in enumerate(PROJECTIONS)}
        build.advance(half, lambda *_: None)
        assert build.positions == half
        build.advance(dict.fromkeys(PROJECTIONS, end), lambda *_: None)
        with connect(business_url) as connection:
            for name, each in PROJECTIONS.items():
                assert digest(connection, each, build.schema_of(each)) == live[name]


def test_a_replay_finds_the_same(business_url: str) -> None:
    report = run_replay(business_url, lambda *_: None)
    assert report.same
    assert report.events == head(business_url) == max(positions(business_url).values())
    assert report.accounts == 3
    assert {model.name for model in report.models} == set(PROJECTIONS)


@pytest.mark.anyio
async def test_both_curves_of_profit_end_where_the_accounts_stand(business_url: str) -> None:
    """Parts of bets that are open, cashed out or made void count in both."""
    log = read_log(business_url)
    accounts = [state for state in log.states.values() if isinstance(state, Account)]
    paid_in = sum(
        entry.amount_minor
        for recorded in log.events
        for entry in postings(recorded.event)
        if entry.book == "external"
    )
    profit = sum(each.available_minor + each.in_play_minor for each in accounts) + paid_in
    assert log.of(BetPartCashedOut)
    assert log.of(BetPartsVoided)
    assert log.of(BetRepriced)
    reader = Reader(business_url)
    await reader.open()
    try:
        for interval in get_args(profit_curve.Interval):
            curve = await profit_curve.of(reader, interval, Asked())
            assert sum(total.profit_minor for total in curve.totals) == profit
    finally:
        await reader.close()
