"""A settlement, its correction and its rollback are killed again and again: each bet ends where one right result ends it."""

import itertools
from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

import psycopg
import pytest

from adapters.embedded import EmbeddedServers
from domain.bet import Bet
from domain.events.settlement import SettlementCompleted, SettlementProgressed
from domain.settling import settlement_id
from tests.application.desk import Log, read_log
from tests.service import People, Service, bet_body, until

BETS: Final = 2_400
A_REQUEST: Final = 1_200
KILLS: Final = 2
"""In each of four generations: eight of each kind."""
ODDS: Final = 3
SIDES: Final = ("home", "draw", "away")


@pytest.fixture(params=["api", "postgres"])
def kill(
    request: pytest.FixtureRequest, service: Service, own_servers: EmbeddedServers
) -> Callable[[], None]:
    """Kill one of the two that a settlement needs, and start it again."""

    def kill_api() -> None:
        service.api.kill()
        service.start_api()

    def kill_postgres() -> None:
        own_servers.kill("postgres")
        own_servers.start_again("postgres")

    return kill_api if request.param == "api" else kill_postgres


def test_a_settlement_that_is_killed_ends_where_one_right_result_ends_it(
    service: Service, people: People, kill: Callable[[], None]
) -> None:
    trader, operator = people.trader(), people.operator
    account, market = trader.account(BETS), operator.market()
    sides = itertools.cycle(SIDES)
    for _ in range(BETS // A_REQUEST):
        bets = [
            bet_body(account, market, 1, odds=ODDS, selection_id=next(sides))
            for _ in range(A_REQUEST)
        ]
        trader.post("/v1/bets/batch", {"bets": bets}).ok()
    scores: list[tuple[int, int] | None] = [(1, 0), (1, 1), None, (0, 4)]
    for generation, score in enumerate(scores, 1):
        path = f"/v1/markets/{market}/result"
        if score:
            answer = operator.post(path, {"score": {"home": score[0], "away": score[1]}})
        else:
            answer = operator.ask("DELETE", path, reason="the wrong match")
        answer.ok(202)
        for kills in range(1, KILLS + 1):
            until(lambda at=kills, g=generation: _steps(service, market, g) >= at, 60)
            kill()
            until(service.is_alive, 60)
        until(lambda g=generation: _completed(service, market, g), 90)
    log = read_log(service.database_url)
    _check_steps(log, UUID(market))
    bets_of_market = [
        state
        for state in log.states.values()
        if isinstance(state, Bet) and state.touches(UUID(market))
    ]
    assert len(bets_of_market) == BETS
    for number, bet in enumerate(bets_of_market):
        side = SIDES[number % 3]
        # The correction from home to a draw changed nothing for who backed away.
        assert (bet.status, bet.version) == (("won", 4) if side == "away" else ("lost", 5))
    first = [event.topic for event in log.stream(bets_of_market[0].bet_id)]
    assert first == ["bet.placed", "bet.settled", "bet.resettled", "bet.reopened", "bet.settled"]
    won = sum(1 for number in range(BETS) if SIDES[number % 3] == "away")
    funds = log.account(UUID(account))
    assert (funds.available_minor, funds.in_play_minor) == (ODDS * won, 0)
    shown = operator.settled(market, patience_seconds=60)
    assert (shown["settled_bets"], shown["open_bets"], shown["progress"]) == (BETS, 0, 1.0)
    total = {"currency": "EUR", "bets": BETS, "stake_minor": BETS, "return_minor": ODDS * won}
    assert shown["totals"] == [total]


def _settlement(service: Service, market: str, topic: str) -> Iterator[tuple[int]]:
    with psycopg.connect(service.database_url) as connection:
        yield from connection.execute(
            "SELECT originator_version FROM ledger_events WHERE originator_id = %s AND topic = %s"
            " ORDER BY 1",
            (settlement_id(UUID(market)), topic),
        ).fetchall()


def _completed(service: Service, market: str, generation: int) -> bool:
    return len(list(_settlement(service, market, "settlement.completed"))) >= generation


def _steps(service: Service, market: str, generation: int) -> int:
    """Steps of this generation that the log holds; more than any once it is completed."""
    ends = [version for (version,) in _settlement(service, market, "settlement.completed")]
    if len(ends) >= generation:
        return BETS
    before = ends[-1] if ends else 0
    steps = _settlement(service, market, "settlement.progressed")
    return sum(1 for (version,) in steps if version > before)


def _check_steps(log: Log, market_id: UUID) -> None:
    """Every generation goes on from where it was, to the last bet, and is completed once."""
    placings = [each.position for each in log.events if each.event.topic == "bet.placed"]
    at, generation, steps = 0, 1, 0
    for event in log.stream(settlement_id(market_id)):
        assert isinstance(event, SettlementProgressed | SettlementCompleted)
        assert event.generation == generation
        if isinstance(event, SettlementProgressed):
            assert event.after > at
            at, steps = event.after, steps + 1
        else:
            assert at in placings
            at, generation = 0, generation + 1
    assert generation == 5
    assert steps >= 4 * KILLS
