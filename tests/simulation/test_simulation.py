"""Thousands of random commands, interruptions in between: the ledger ends where the oracle says it must."""

import pytest

from domain.events import BetReopened, BetResettled, BetSettled, StakeReopened, StakeResettled
from tests.simulation.run import Run

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", [3])
async def test_random_commands_end_where_the_oracle_says(database_url: str, seed: int) -> None:
    run = Run(database_url, seed)
    log = await run.go(3_000)
    # A run in which nothing interesting happened would prove nothing.
    for kind in (BetSettled, BetResettled, BetReopened, StakeResettled, StakeReopened):
        assert len(log.of(kind)) > 20, kind
    assert run.interrupted.keys() == {"close", "cut"}
    assert run.refused["account_overdrawn"] > 0
