"""Lists, pages, freshness, statements and balances as they were."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import monotonic

import pytest

from tests.service import Client, Json, People, Service, a_name, an_id, market_body


def test_a_read_after_a_write_shows_it_at_once(trader: Client, operator: Client) -> None:
    """Two hundred times over, in four views."""
    account, market = trader.account(), operator.market()
    available = 0
    for turn in range(50):
        moved = trader.deposit(account, 100).ok(201)
        available += 100
        read = trader.get(f"/v1/accounts/{account}", after=moved["position"]).ok()
        assert (read["available_minor"], read["position"]) == (available, moved["position"])
        placed = trader.bet(account, market, 7).ok(201)
        available -= 7
        assert trader.get(f"/v1/bets/{placed['bet_id']}", after=placed["position"]).ok()
        statement = trader.get(
            f"/v1/accounts/{account}/statement", after=placed["position"], limit=1
        ).ok()["items"]
        assert statement[0]["available_after_minor"] == available
        bets = trader.get("/v1/bets", after=placed["position"], market_id=market).ok()["items"]
        assert len(bets) == turn + 1


def test_a_view_that_is_behind_says_so_in_time(
    service: Service, trader: Client, operator: Client
) -> None:
    account, market = trader.account(1_000), operator.market()
    shown = trader.deposit(account, 1).ok(201)["position"]
    trader.get(f"/v1/markets/{market}", after=shown).ok()
    os.kill(service.projector.pid, signal.SIGSTOP)
    try:
        last = trader.bet(account, market).ok(201)["position"]
        for path in (
            f"/v1/accounts/{account}",
            f"/v1/markets/{market}/odds",
        ):
            begun = monotonic()
            trader.get(path, after=last).problem(503, "view_behind")
            assert 1.9 < monotonic() - begun < 20  # two seconds, and what a busy machine adds
            trader.get(path).ok()
    finally:
        os.kill(service.projector.pid, signal.SIGCONT)
    assert trader.get("/v1/bets", after=last).ok()["items"]


def test_pages_hold_everything_once(people: People, trader: Client) -> None:
    operator = people.operator
    account, market = trader.account(10_000), operator.market()
    placed = [trader.bet(account, market, 1).ok(201) for _ in range(23)]
    last = placed[-1]["position"]
    newest_first = [bet["bet_id"] for bet in reversed(placed)]
    for limit in (1, 7, 23, 24, 500):
        bets = trader.pages("/v1/bets", limit, after=last)
        assert [bet["bet_id"] for bet in bets] == newest_first
        rows = trader.pages(f"/v1/accounts/{account}/statement", limit, after=last)
        assert len(rows) == 24
        assert all(a["position"] > b["position"] for a, b in pairwise(rows))
        assert rows[0]["available_after_minor"] == 10_000 - 23
        assert sum(row["amount_minor"] for row in rows) == 10_000 - 23
    accounts = [trader.account() for _ in range(7)]
    shown = trader.pages(
        "/v1/accounts", 3, after=trader.deposit(accounts[-1], 1).ok(201)["position"]
    )
    assert {each["account_id"] for each in shown} == {account, *accounts}
    assert len(shown) == 8


def test_pages_hold_everything_once_while_others_write(people: People) -> None:
    trader = people.trader()
    busy = people.trader(trader.user)
    account, market = trader.account(100_000), people.operator.market()
    placed = [trader.bet(account, market, 1).ok(201) for _ in range(30)]
    last = placed[-1]["position"]
    before = [bet["bet_id"] for bet in trader.pages("/v1/bets", 500, after=last)]
    assert len(before) == 30
    stop = False

    def write() -> int:
        written = 0
        while not stop:
            busy.bet(account, market, 1).ok(201)
            written += 1
        return written

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for limit in (3, 4, 11):
                bets = [bet["bet_id"] for bet in trader.pages("/v1/bets", limit, market_id=market)]
                assert len(bets) == len(set(bets))
                assert bets[-30:] == before
        finally:
            stop = True
        assert writing.result() > 3


def test_markets_are_listed_by_their_start_and_filtered(people: People, operator: Client) -> None:
    sport = a_name("sport")
    ids = []
    for day in (3, 1, 2, 2):
        body = market_body()
        body["fixture"] |= {"sport": sport, "starts_at": f"2031-01-0{day}T12:00:00Z"}
        opened = operator.post("/v1/markets", body).ok(201)
        ids.append(opened["market_id"])
    operator.post(f"/v1/markets/{ids[1]}/suspend").ok()
    last = operator.post(f"/v1/markets/{ids[0]}/close").ok()["position"]
    for limit in (1, 2, 500):
        shown = operator.pages("/v1/markets", limit, sport=sport, after=last)
        starts = [market["fixture"]["starts_at"] for market in shown]
        assert starts == sorted(starts)
        assert {market["market_id"] for market in shown} == set(ids)

    def found(**query: str) -> set[str]:
        items = operator.get("/v1/markets", sport=sport, after=last, **query).ok()["items"]
        return {market["market_id"] for market in items}

    assert found(status="open") == {ids[2], ids[3]}
    assert found(status="suspended") == {ids[1]}
    assert found(status="closed") == {ids[0]}
    assert found(starts_after="2031-01-02T12:00:00Z") == {ids[0]}
    assert found(starts_after="2031-01-02T13:59:59+02:00") == {ids[0], ids[2], ids[3]}
    assert found(starts_after="2031-01-01T12:00:00Z", status="open") == {ids[2], ids[3]}


def test_bets_are_filtered_by_account_market_and_status(people: People) -> None:
    trader, operator = people.trader(), people.operator
    accounts = [trader.account(100) for _ in range(2)]
    markets = [operator.market() for _ in range(2)]
    bets = {(a, m): trader.bet(accounts[a], markets[m], 1).ok(201) for a in (0, 1) for m in (0, 1)}
    operator.post(f"/v1/markets/{markets[1]}/result", {"score": {"home": 0, "away": 1}}).ok(202)
    operator.settled(markets[1])
    last = operator.get(f"/v1/markets/{markets[1]}").ok()["position"]

    def found(client: Client = trader, **query: str) -> set[str]:
        items = client.get("/v1/bets", after=last, **query).ok()["items"]
        return {bet["bet_id"] for bet in items}

    def ids(*which: tuple[int, int]) -> set[str]:
        return {bets[each]["bet_id"] for each in which}

    assert found() == ids((0, 0), (0, 1), (1, 0), (1, 1))
    assert found(account_id=accounts[0]) == ids((0, 0), (0, 1))
    assert found(market_id=markets[0]) == ids((0, 0), (1, 0))
    assert found(status="open") == ids((0, 0), (1, 0))
    assert found(status="lost", account_id=accounts[1]) == ids((1, 1))
    assert found(status="won") == set()
    assert found(people.auditor, account_id=accounts[0]) == ids((0, 0), (0, 1))
    assert found(account_id=an_id()) == set()


def test_a_cursor_of_another_list_is_refused_or_harmless(people: People, trader: Client) -> None:
    account = trader.account(100)
    trader.deposit(account, 1).ok(201)
    trader.account()
    last = trader.deposit(account, 1).ok(201)["position"]
    cursors = {
        path: trader.get(path, limit=1, after=last).ok()["next_cursor"]
        for path in ("/v1/accounts", f"/v1/accounts/{account}/statement")
    }
    for path, cursor in cursors.items():
        for other in cursors.keys() - {path}:
            trader.get(other, cursor=cursor).problem(422, "invalid_input")
        trader.get("/v1/markets", cursor=cursor).problem(422, "invalid_input")


# ---- as they were


def _moved(trader: Client, account: str, operator: Client) -> list[Json]:
    """Move money about, and give the balances after each step."""
    market = operator.market()
    steps = [trader.deposit(account, 1_000).ok(201)]
    steps.append(trader.bet(account, market, 300).ok(201))
    body = {"amount_minor": 200, "method": "bank"}
    steps.append(trader.post(f"/v1/accounts/{account}/withdrawals", body).ok(201))
    steps.append(operator.post(f"/v1/withdrawals/{steps[2]['transfer_id']}/complete").ok())
    steps.append(trader.deposit(account, 50).ok(201))
    return steps


BALANCES = [(1_000, 0), (700, 300), (500, 500), (500, 300), (550, 300)]


def test_balances_as_of_a_position_and_a_time(trader: Client, operator: Client) -> None:
    account = trader.account()
    steps = _moved(trader, account, operator)
    last = steps[-1]["position"]
    rows = trader.get(f"/v1/accounts/{account}/statement", after=last).ok()["items"][::-1]
    assert [(r["available_after_minor"], r["in_play_after_minor"]) for r in rows] == BALANCES

    def then(as_of: object) -> tuple[int, int]:
        read = trader.get(f"/v1/accounts/{account}", as_of=as_of).ok()
        return read["available_minor"], read["in_play_minor"]

    for row, following, balances in zip(rows, [*rows[1:], None], BALANCES, strict=True):
        assert then(row["position"]) == balances
        assert then(row["at"]) == balances
        if following:
            assert then(following["position"] - 1) == balances
    assert then(10**18 - 1) == BALANCES[-1]
    assert then("2999-01-01T00:00:00Z") == BALANCES[-1]
    assert then(datetime.now(UTC).isoformat()) == BALANCES[-1]
    begun = datetime.fromisoformat(rows[0]["at"])
    before = trader.get(f"/v1/accounts/{account}", as_of=(begun - timedelta(days=1)).isoformat())
    before.problem(404, "account_not_found")
    trader.get(f"/v1/accounts/{account}", as_of=0).problem(404, "account_not_found")


def test_a_statement_from_and_to(trader: Client, operator: Client) -> None:
    account = trader.account()
    last = _moved(trader, account, operator)[-1]["position"]
    path = f"/v1/accounts/{account}/statement"
    rows = trader.get(path, after=last).ok()["items"]
    times = [row["at"] for row in rows]

    def between(**query: str) -> list[Json]:
        items: list[Json] = trader.get(path, **query).ok()["items"]
        return items

    assert between(from_=times[2]) == rows[:3]
    assert between(to=times[2]) == rows[3:]
    assert between(from_=times[3], to=times[1]) == rows[2:4]
    assert between(from_="2999-01-01T00:00:00Z") == []
    assert between(to="2020-01-01T00:00:00Z") == []
    assert between(from_="2020-01-01T00:00:00 02:00") == rows  # a + that the client forgot to quote
    assert trader.pages(path, 2, from_=times[3]) == rows[:4]


@pytest.mark.parametrize("path", ["/v1/accounts/{}", "/v1/accounts/{}/statement", "/v1/bets/{}"])
def test_what_is_unknown_is_not_found(trader: Client, path: str) -> None:
    trader.get(path.format(an_id())).problem(404)


def test_what_is_unknown_of_a_market_is_not_found(people: People) -> None:
    for part in ("", "/settlement", "/exposure"):
        people.operator.get(f"/v1/markets/{an_id()}{part}").problem(404, "market_not_found")
    for part in ("suspend", "resume", "close"):
        people.operator.post(f"/v1/markets/{an_id()}/{part}").problem(404, "market_not_found")
    for part in ("odds", "odds/history"):
        people.operator.get(f"/v1/markets/{an_id()}/{part}").problem(404, "market_not_found")
