"""For auditors: every event in order, however many there are, and the books in balance."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.service import Client, Json, People, Service, an_id, bet_body, token

MEMBERS: Final = {"position", "stream", "version", "topic", "actor", "command", "time", "data"}
MANY_BETS: Final = 32_000
HELD_MAX_KIB: Final = 8 * 1024
"""Less than a third of what the events take as text, and as objects they would take more."""
PIECE: Final = 7


def _lines(service: Service, **query: Any) -> Iterator[Json]:
    headers = {"Authorization": f"Bearer {token('auditor', 'aud')}"}
    url = f"{service.url}/v1/audit/events"
    with httpx.stream("GET", url, params=query, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        for line in answer.iter_lines():
            yield json.loads(line)


def _some_history(people: People) -> tuple[str, str]:
    trader, operator = people.trader(), people.operator
    account, market = trader.account(1_000), operator.market()
    body = {"amount_minor": 100, "method": "bank"}
    held = trader.post(f"/v1/accounts/{account}/withdrawals", body).ok(201)
    operator.post(f"/v1/withdrawals/{held['transfer_id']}/complete").ok()
    trader.bet(account, market, 300, odds=3).ok(201)
    trader.bet(account, market, 50, selection_id="away").ok(201)
    operator.post(f"/v1/markets/{market}/result", {"score": {"home": 1, "away": 0}}).ok(202)
    operator.settled(market)
    return account, market


def test_the_feed_holds_every_event_once_in_order(service: Service, people: People) -> None:
    account, market = _some_history(people)
    events = list(_lines(service))
    assert [event["position"] for event in events] == list(range(1, service.head() + 1))
    versions: Counter[str] = Counter()
    for event in events:
        assert event.keys() == MEMBERS
        versions[event["stream"]] += 1
        assert event["version"] == versions[event["stream"]]
    topics = [event["topic"] for event in events if event["stream"] == account]
    assert Counter(topics)["account.stake_settled"] == 2
    assert {event["actor"] for event in events if event["stream"] == market} == {"olga"}


def _in_pieces(service: Service, after: int) -> Iterator[list[Json]]:
    while piece := list(_lines(service, after=after, limit=PIECE)):
        yield piece
        after = piece[-1]["position"]


def test_the_feed_is_read_in_pieces(service: Service, people: People) -> None:
    before = service.head()
    _some_history(people)
    pieces = list(_in_pieces(service, before))
    assert {len(piece) for piece in pieces[:-1]} == {PIECE}
    assert list(chain(*pieces)) == list(_lines(service, after=before))
    # Others have written here before: all of it may be a lot.
    first = list(islice(_in_pieces(service, 0), 3))
    assert list(chain(*first)) == list(_lines(service, limit=3 * PIECE))
    assert list(_lines(service, after=service.head())) == []


def test_the_feed_of_one_stream(service: Service, people: People) -> None:
    before = service.head()
    account, _ = _some_history(people)
    events = [event for event in _lines(service, after=before) if event["stream"] == account]
    assert list(_lines(service, stream=account)) == events
    assert list(_lines(service, stream=account, limit=2)) == events[:2]
    after = events[2]["position"]
    assert list(_lines(service, stream=account, after=after)) == events[3:]
    assert list(_lines(service, stream=an_id())) == []


def _balanced(shown: Json) -> None:
    sums: Counter[str] = Counter()
    for row in shown["rows"]:
        sums[row["currency"]] += row["balance_minor"]
    assert set(shown["check_minor"].values()) <= {0}
    assert dict.fromkeys(sums, 0) == dict(sums) == shown["check_minor"]


def test_the_books_balance_at_every_position_and_time(service: Service, people: People) -> None:
    before = service.head()
    _some_history(people)
    auditor, head = people.auditor, service.head()
    _balanced(auditor.get("/v1/audit/trial-balance", after=head).ok())
    seen = []
    for position in range(before, head + 1):
        shown = auditor.get("/v1/audit/trial-balance", as_of=position).ok()
        _balanced(shown)
        seen.append(shown)
    assert any(one != other for one, other in pairwise(seen))
    assert seen[-1] == auditor.get("/v1/audit/trial-balance").ok()
    for event in _lines(service, after=before):
        _balanced(auditor.get("/v1/audit/trial-balance", as_of=event["time"]).ok())
    nothing: Json = {"rows": [], "check_minor": {}}
    assert auditor.get("/v1/audit/trial-balance", as_of=0).ok() == nothing
    assert auditor.get("/v1/audit/trial-balance", as_of="2000-01-01T00:00:00Z").ok() == nothing


def _memory_kib(service: Service, name: str) -> int:
    status = Path(f"/proc/{service.api.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(name)]
    return int(line.split()[1])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_a_long_history_is_streamed_and_not_held(service: Service, people: People) -> None:
    trader = people.trader()
    account, market = trader.account(MANY_BETS), people.operator.market()
    body = {"bets": [bet_body(account, market, 1)] * 8_000}
    last = 0
    for _ in range(MANY_BETS // 8_000):
        last = trader.post("/v1/bets/batch", body).ok()["position"]
    assert last > 64_000
    before = _memory_kib(service, "VmRSS")
    Path(f"/proc/{service.api.pid}/clear_refs").write_text("5")  # forget the highest so far
    count = size = 0
    for chunk in _chunks(service):
        count += chunk.count(b"\n")
        size += len(chunk)
    assert count >= last
    assert size > 3 * HELD_MAX_KIB * 1024
    assert _memory_kib(service, "VmHWM") - before < HELD_MAX_KIB
    # Who goes away in the middle of it harms nobody.
    for chunk in _chunks(service):
        assert chunk
        break
    people.nobody.get("/health").ok()
    _caught_up(trader, account, last)


def _chunks(service: Service) -> Iterator[bytes]:
    headers = {"Authorization": f"Bearer {token('auditor', 'aud')}"}
    url = f"{service.url}/v1/audit/events"
    with httpx.stream("GET", url, headers=headers, timeout=60) as answer:
        yield from answer.iter_raw()


def _caught_up(client: Client, account: str, last: int) -> None:
    for _ in range(60):
        if client.get(f"/v1/accounts/{account}", after=last).status == 200:
            return
    raise AssertionError("the views do not catch up")
