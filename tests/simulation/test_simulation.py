"""Thousands of random commands, interruptions in between: the ledger ends where the oracle says it must."""

from collections import Counter

import pytest

from domain.events import (
    BetPartCashedOut,
    BetReopened,
    BetRepriced,
    BetResettled,
    BetSettled,
    CommissionCharged,
    FreeStakeReserved,
    MarketAbandoned,
    RunnerReinstated,
    RunnerWithdrawn,
    StakeReopened,
    StakeResettled,
    StakeSettled,
)
from tests.simulation.run import Run

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", [3])
async def test_random_commands_end_where_the_oracle_says(database_url: str, seed: int) -> None:
    run = Run(database_url, seed)
    log = await run.go(5_000)
    # A run in which nothing interesting happened would prove nothing.
    for kind in (BetSettled, BetResettled, BetReopened, StakeResettled, StakeReopened):
        assert len(log.of(kind)) > 20, kind
    for kind in (FreeStakeReserved, CommissionCharged, RunnerWithdrawn, MarketAbandoned):
        assert len(log.of(kind)) > 10, kind
    for kind in (BetPartCashedOut, BetRepriced, RunnerReinstated):
        assert len(log.of(kind)) > 3, kind
    by_hand = Counter(
        each.event.by_hand
        for each in log.events
        if isinstance(each.event, StakeSettled | StakeResettled)
    )
    assert min(by_hand["void"], by_hand["cash_out"]) > 5
    assert run.interrupted.keys() == {"close", "cut"}
    assert run.refused["account_overdrawn"] > 0
