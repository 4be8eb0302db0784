"""Processes are killed under load: no acknowledged bet is lost or doubled, and the views are what a replay gives."""

import os
import subprocess
import sys
from collections import Counter
from typing import Final

import psycopg

from adapters.embedded import EmbeddedServers
from tests.faults.load import Load
from tests.service import CHECKOUT, SECRET, People, Service, bet_body, until

KILLS: Final = 5
BETS_TO_SETTLE: Final = 2_000


def _check_replay(service: Service) -> None:
    """Fold the log anew: the digest of every read model is what the live one has."""
    environment = os.environ | {"DATABASE_URL": service.database_url, "FAIRBOOK_SECRET": SECRET}
    done = subprocess.run(
        [sys.executable, "-m", "fairbook", "replay"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_api_is_killed_under_load(service: Service, people: People) -> None:
    with Load(people) as load:
        for _ in range(KILLS):
            load.wait_for_more(30)
            service.api.kill()
            service.start_api()
            until(service.is_alive, 60)
        load.wait_for_more(30)
    assert load.sent_again >= KILLS
    load.check(service)


def test_postgresql_is_killed_under_load(
    own_servers: EmbeddedServers, service: Service, people: People
) -> None:
    with Load(people) as load:
        for _ in range(KILLS):
            load.wait_for_more(30)
            own_servers.kill("postgres")
            own_servers.start_again("postgres")
        load.wait_for_more(30)
    load.check(service)
    service.wait_ready()
    _check_replay(service)


def test_the_projector_is_killed_under_load(service: Service, people: People) -> None:
    with Load(people) as load:
        for _ in range(3):
            load.wait_for_more(100)
            service.projector.kill()
            load.wait_for_more(20)
            service.start_projector()
    load.check(service)


def test_a_settlement_that_is_killed_goes_on_and_settles_each_bet_once(
    service: Service, people: People
) -> None:
    trader, operator = people.trader(), people.operator
    account, market = trader.account(BETS_TO_SETTLE), operator.market()
    bets = [bet_body(account, market, 1, odds=3)] * BETS_TO_SETTLE
    trader.post("/v1/bets/batch", {"bets": bets}).ok()
    operator.post(f"/v1/markets/{market}/result", {"score": {"home": 1, "away": 0}}).ok(202)
    partly = 0
    for _ in range(2):
        # A quick machine may have settled the last of them before it was killed.
        until(
            lambda more=partly: _settled_bets(service, market) >= min(more + 1, BETS_TO_SETTLE),
            60,
        )
        service.api.kill()
        partly = _settled_bets(service, market)
        service.start_api()
        until(service.is_alive, 60)
    settled = operator.settled(market, patience_seconds=60)
    assert (settled["settled_bets"], settled["open_bets"]) == (BETS_TO_SETTLE, 0)
    total = {"currency": "EUR", "bets": BETS_TO_SETTLE, "stake_minor": BETS_TO_SETTLE}
    assert settled["totals"] == [total | {"return_minor": 3 * BETS_TO_SETTLE}]
    assert _settled_bets(service, market) == BETS_TO_SETTLE
    last = operator.get(f"/v1/markets/{market}").ok()["position"]
    shown = trader.get(f"/v1/accounts/{account}", after=last).ok()
    assert (shown["available_minor"], shown["in_play_minor"]) == (3 * BETS_TO_SETTLE, 0)
    with psycopg.connect(service.database_url) as connection:
        rows = connection.execute(
            "SELECT originator_id FROM ledger_events WHERE topic = 'bet.settled'"
        ).fetchall()
    assert set(Counter(rows).values()) == {1}
    _check_replay(service)


def _settled_bets(service: Service, market: str) -> int:
    """Bets that the log says were settled."""
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM ledger_events e JOIN read_models.bets b ON b.bet_id = originator_id"
            " WHERE topic = 'bet.settled' AND b.market_id = %s",
            (market,),
        ).fetchone()
    assert row is not None
    return int(row[0])
