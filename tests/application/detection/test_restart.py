"""The engine begun anew anywhere: it tells the rest as if nothing had happened."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.board import BoardQuote
from domain.commands.arbitrage import ArbitrageChange
from domain.events.arbitrage import Opportunity
from tests.application.detection.desk import NOW, board_rows, engine_of, market, wandering

MARKETS = [market("1X2"), market("OU", "2.5"), market("DNB"), market("BTTS")]
BOOKMAKERS = "abcde"
MESSAGES = 50


def told_by(changes: list[ArbitrageChange]) -> list[tuple[object, ...]]:
    return [(each.opportunity_id, each.sequence, each.ended, each.opportunity) for each in changes]


@given(
    seed=st.integers(0, 10_000),
    crash=st.integers(1, MESSAGES),
    kept=st.integers(0, MESSAGES),
)
@settings(max_examples=25)
def test_wherever_an_engine_ends_the_next_one_tells_the_rest_as_if_nothing_had_happened(
    seed: int, crash: int, kept: int
) -> None:
    messages = wandering(
        MARKETS, BOOKMAKERS, MESSAGES, seed, lambda number: NOW + timedelta(milliseconds=number)
    )
    undisturbed = engine_of(MARKETS)
    expected = [
        undisturbed.apply(message, number, NOW) for number, message in enumerate(messages, 1)
    ]

    kept = min(kept, crash)  # prices are kept only after what they did is recorded
    before = engine_of(MARKETS)
    told: list[ArbitrageChange] = []
    prices: list[BoardQuote] = []
    for number, message in enumerate(messages[:crash], 1):
        if number == kept + 1:
            prices = board_rows(before)
        told += before.apply(message, number, NOW)
    if kept == crash:
        prices = board_rows(before)
    is_open: dict[object, Opportunity] = {}
    for change in told:
        is_open.pop(change.opportunity_id, None)
        if change.opportunity is not None:
            is_open[change.opportunity_id] = change.opportunity

    after = engine_of(MARKETS)
    random.Random(seed).shuffle(prices)
    after.restore(prices, is_open, max((each.sequence for each in told), default=0))  # type: ignore[arg-type]
    for number, message in enumerate(messages[kept:], kept + 1):
        told += after.apply(message, number, NOW)
    told += after.settle(len(messages))
    assert told_by(told) == told_by([change for each in expected for change in each])
