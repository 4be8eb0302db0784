"""Thousands of random commands, interruptions in between: the ledger ends where the oracle says it must."""

from collections import Counter
from typing import Final

import pytest

from domain.events.account import (
    CommissionCharged,
    FreeStakeReserved,
    StakeReopened,
    StakeResettled,
    StakeSettled,
)
from domain.events.bet import BetPartCashedOut, BetReopened, BetRepriced, BetResettled, BetSettled
from domain.events.event import Event
from domain.events.market import MarketAbandoned, RunnerReinstated, RunnerWithdrawn
from tests.simulation.run import Run

pytestmark = pytest.mark.anyio

AT_LEAST: Final[dict[type[Event], int]] = {
    BetSettled: 20,
    BetResettled: 20,
    BetReopened: 20,
    StakeResettled: 20,
    StakeReopened: 20,
    FreeStakeReserved: 10,
    CommissionCharged: 10,
    RunnerWithdrawn: 10,
    MarketAbandoned: 10,
    BetPartCashedOut: 4,
    BetRepriced: 4,
    RunnerReinstated: 4,
}


@pytest.mark.parametrize("seed", [3])
async def test_random_commands_end_where_the_oracle_says(database_url: str, seed: int) -> None:
    run = Run(database_url, seed)
    log = await run.go(5_000)
    # A run in which nothing interesting happened would prove nothing.
    for kind, least in AT_LEAST.items():
        assert len(log.of(kind)) >= least, kind
    by_hand = Counter(
        each.event.by_hand
        for each in log.events
        if isinstance(each.event, StakeSettled | StakeResettled)
    )
    assert min(by_hand["void"], by_hand["cash_out"]) > 5
    assert run.interrupted.keys() == {"close", "cut"}
    assert run.refused["account_overdrawn"] > 0
