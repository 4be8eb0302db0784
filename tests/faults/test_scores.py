"""The scoring process under fire: every prediction is scored by the last result, and never twice by the same one."""

import asyncio
import random
from collections import Counter
from uuid import UUID

import pytest

from domain.actors import MODELLER
from domain.commands.market import RollBackResult
from domain.commands.model import RecordPredictions
from domain.events.prediction import PredictionScored
from domain.market import Market
from tests.application.desk import Desk, a_desk, read_log
from tests.builders import OPERATOR
from tests.fairbook.handlers import a_handle_process, environment
from tests.faults.price_stage import projecting
from tests.predicting import chances, predicted, register, trained

MARKETS, RESULTS, KILLS = 12, 40, 2
PATIENCE_SECONDS = 60


@pytest.mark.anyio
async def test_the_process_is_killed_again_and_again(database_url: str, nats_url: str) -> None:
    rng = random.Random(7)
    model = trained()
    with projecting(database_url):
        async with a_desk(database_url) as desk:
            markets = [await desk.market() for _ in range(MARKETS)]
            await desk.ask(register(model), MODELLER)
            made = predicted(model, *(chances(market_id=each) for each in markets))
            await desk.ask(RecordPredictions(predictions=(made,)), MODELLER)
            kills = set(rng.sample(range(RESULTS), KILLS))
            with a_handle_process("scores", **environment(database_url, nats_url)) as process:
                for number in range(RESULTS):
                    await declare(desk, rng, rng.choice(markets))
                    await asyncio.sleep(rng.uniform(0, 0.1))
                    if number in kills:
                        process.kill()
                        await asyncio.sleep(rng.uniform(0, 0.3))
                        process.start()
                        await asyncio.sleep(rng.uniform(1.5, 2.5))
                await all_scored(database_url, markets)
                first = Counter(scored(database_url))
                for market_id in markets:  # after the kills, a score is corrected as before them
                    await declare(desk, rng, market_id)
                await all_scored(database_url, markets)
                assert process.is_running
    times = Counter(scored(database_url))
    assert first.keys() < times.keys()
    assert set(times.values()) == {1}


async def declare(desk: Desk, rng: random.Random, market_id: UUID) -> None:
    state = await desk.ledger.state(market_id)
    if isinstance(state, Market) and state.status == "resulted" and rng.random() < 0.4:
        await desk.ask(RollBackResult(), OPERATOR, target=market_id)
        return
    home = state.score.home if isinstance(state, Market) and state.score else -1
    await desk.score(market_id, home + 1, rng.randint(0, 3))


def scored(database_url: str) -> list[tuple[UUID, int]]:
    """Each score's market and generation."""
    events = [recorded.event for recorded in read_log(database_url).of(PredictionScored)]
    return [(e.market_id, e.generation) for e in events if isinstance(e, PredictionScored)]


async def all_scored(database_url: str, markets: list[UUID]) -> None:
    """Wait until each market's last result is scored, or what was scored is taken back with it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            states = read_log(database_url).states
            last: dict[UUID, int] = {}
            for market_id, generation in scored(database_url):
                last[market_id] = max(generation, last.get(market_id, 0))
            waiting = [
                each
                for each in markets
                if isinstance(state := states[each], Market)
                and (state.status == "resulted" or each in last)
                and last.get(each, 0) != state.generation
            ]
            if not waiting:
                return
            await asyncio.sleep(0.2)
