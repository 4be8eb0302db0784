"""Bets of several markets while the settlements of all of them are killed: each ends where the last results alone end it."""

import itertools
from fractions import Fraction
from typing import Final
from uuid import UUID

import psycopg
import pytest

from adapters.embedded import EmbeddedServers
from domain.bet import Bet
from tests.application.desk import Log, read_log
from tests.service import Client, Json, People, Service, market_body, until
from tests.simulation import oracle
from tests.simulation.oracle import BetFacts, LegFacts, MarketFacts, Said
from tests.simulation.run import ended

BETS: Final = 3_000
A_REQUEST: Final = 1_000
STAKE: Final = 3
ODDS: Final = ("1.5", "2.875", "7")
SIDES: Final = ("home", "draw", "away")
KINDS: Final = (("accumulator", 2), ("accumulator", 3), ("trixie", 3), ("accumulator", 4))


@pytest.mark.parametrize("killed", ["api", "postgres"])
def test_accumulators_over_markets_that_are_killed_end_where_their_last_results_end_them(
    service: Service, people: People, own_servers: EmbeddedServers, killed: str
) -> None:
    trader, operator = people.trader(), people.operator
    account = trader.account(BETS * STAKE * 4)
    markets = [a_market(operator, f"Reds v Blues {number}") for number in range(4)]
    placed = place(trader, account, markets)

    open_at_kills: list[int] = []

    def kill() -> None:
        if killed == "api":
            service.api.kill()
            service.start_api()
        else:
            own_servers.kill("postgres")
            own_servers.start_again("postgres")
        until(service.is_alive, 60)

    def changed(*winners: tuple[int, str | None]) -> None:
        """Let markets end like this, or take their results back, and kill while bets follow them."""
        before, completed = count(service, "progressed"), count(service, "completed")
        for number, winner in winners:
            path = f"/v1/markets/{markets[number]}/result"
            if winner is None:
                operator.ask("DELETE", path, reason="the wrong match").ok(202)
            else:
                operator.post(path, a_result(winner)).ok(202)
        until(lambda: count(service, "progressed") > before, 60)
        open_at_kills.append(completed + len(winners) - count(service, "completed"))
        kill()

    changed((0, "home"), (1, "home"))
    changed((0, "away"), (1, None), (2, "draw"))
    changed((1, "draw"), (3, "home"))
    generations = dict(zip(markets, (2, 3, 1, 1), strict=True))
    until(lambda: all(is_completed(operator, *each) for each in generations.items()), 90)
    assert any(open_at_kills), "every settlement was over before it was killed: take more bets"
    winners = dict(zip(markets, ("away", "draw", "draw", "home"), strict=True))
    check(read_log(service.database_url), account, placed, winners)


def a_market(operator: Client, name: str) -> str:
    return operator.market(fixture=market_body()["fixture"] | {"name": name})


def place(trader: Client, account: str, markets: list[str]) -> dict[UUID, BetFacts]:
    """Place bets of two to four legs; gives what the oracle needs of them."""
    orders = itertools.cycle(itertools.permutations(markets))
    sides, odds = itertools.cycle(SIDES), itertools.cycle(ODDS)
    facts: list[BetFacts] = []
    for _, (kind, legs) in zip(range(BETS), itertools.cycle(KINDS), strict=False):
        # Four sides in a row are not a multiple of three: all combinations come.
        chosen = tuple(
            LegFacts(UUID(market), next(sides), Fraction(next(odds)))
            for market in next(orders)[:legs]
        )
        facts.append(BetFacts(UUID(account), kind, "back", chosen, STAKE))
        next(odds)
    placed = {}
    for start in range(0, BETS, A_REQUEST):
        request = facts[start : start + A_REQUEST]
        answer = trader.post("/v1/bets/batch", {"bets": [body(each) for each in request]}).ok()
        for bet, each in zip(request, answer["results"], strict=True):
            placed[UUID(each["bet_id"])] = bet
    return placed


def body(bet: BetFacts) -> Json:
    legs = [
        {"market_id": str(leg.market), "selection_id": leg.selection, "odds": float(leg.odds or 0)}
        for leg in bet.legs
    ]
    return {
        "account_id": str(bet.account),
        "kind": bet.kind,
        "legs": legs,
        "stake_minor": bet.stake,
    }


def a_result(winner: str) -> Json:
    words = {side: "won" if side == winner else "lost" for side in SIDES}
    return {"results": [{"selection_id": each, "result": word} for each, word in words.items()]}


def count(service: Service, what: str) -> int:
    """Count the steps, or the ends, of all settlements."""
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM ledger_events WHERE topic = %s", (f"settlement.{what}",)
        ).fetchone()
    assert row is not None
    return int(row[0])


def is_completed(operator: Client, market: str, generation: int) -> bool:
    shown = operator.get(f"/v1/markets/{market}/settlement").ok()
    return bool(shown["completed"] and shown["generation"] == generation)


def check(log: Log, account: str, placed: dict[UUID, BetFacts], winners: dict[str, str]) -> None:
    facts = {
        UUID(market): MarketFacts(
            "1X2",
            None,
            SIDES,
            said={side: Said("won" if side == winner else "lost") for side in SIDES},
        )
        for market, winner in winners.items()
    }
    expected = {bet_id: oracle.outcome(bet, facts) for bet_id, bet in placed.items()}
    bets = {key: log.states[key] for key in placed}
    found = {key: ended(bet) for key, bet in bets.items() if isinstance(bet, Bet)}
    assert found == expected
    assert {each.status for each in found.values()} >= {"won", "lost", "part_won"}
    funds = log.account(UUID(account))
    returned = sum(each.returned for each in expected.values())
    staked = sum(map(oracle.stake_of, placed.values()))
    assert (funds.available_minor, funds.in_play_minor) == (
        BETS * STAKE * 4 - staked + returned,
        0,
    )
