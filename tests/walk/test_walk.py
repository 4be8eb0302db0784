"""The whole way once: HTTP, event, read model, statement, result, settlement, balances, books, audit, replay."""

import json
import os
import secrets
import subprocess
import sys
from itertools import pairwise
from typing import Any, Final

from tests.service import CHECKOUT, SECRET, People, Service, bet_body, until
from tests.walk.conftest import TracedService

SPANS: Final = ("PlaceBet queue", "PlaceBet decide", "PlaceBet commit", "project")


def test_a_bet_from_its_request_to_its_return(  # noqa: PLR0915  one story
    service: TracedService, people: People
) -> None:
    trader, operator, auditor = people.trader(), people.operator, people.auditor

    # An account, money in it, a market.
    opened = trader.post("/v1/accounts", {"currency": "EUR", "name": "main"}).ok(201)
    account = opened["account_id"]
    path = f"/v1/accounts/{account}"
    transfer = {"amount_minor": 10_000, "method": "card", "reference": "payday"}
    trader.post(f"{path}/deposits", transfer).ok(201)
    market = operator.market()

    # Bets, alone and together.
    won = trader.bet(account, market, 1_000, odds=2.375).ok(201)
    assert (won["status"], won["potential_return_minor"]) == ("open", 2_375)
    lost = [bet_body(account, market, 100, selection_id="away", odds=3)] * 2
    placed = trader.post("/v1/bets/batch", {"bets": lost}).ok()
    after = placed["position"]

    # The read models show them.
    shown = trader.get(path, after=after).ok()
    assert (shown["available_minor"], shown["in_play_minor"]) == (8_800, 1_200)
    bets = trader.get("/v1/bets", account_id=account, after=after).ok()["items"]
    assert [bet["status"] for bet in bets] == ["open"] * 3
    statement = trader.get(f"{path}/statement", after=after).ok()["items"]
    assert [row["amount_minor"] for row in statement] == [-100, -100, -1_000, 10_000]
    exposure = operator.get(f"/v1/markets/{market}/exposure", after=after).ok()["currencies"]
    assert exposure[0]["worst_case_minor"] == 1_200 - 2_375

    # The result, the settlement, the balances.
    operator.post(f"/v1/markets/{market}/close").ok()
    operator.post(f"/v1/markets/{market}/result", {"score": {"home": 2, "away": 0}}).ok(202)
    settled = operator.settled(market)
    total = {"currency": "EUR", "bets": 3, "stake_minor": 1_200, "return_minor": 2_375}
    assert settled["totals"] == [total]
    after = service.head()
    shown = trader.get(path, after=after).ok()
    assert (shown["available_minor"], shown["in_play_minor"]) == (8_800 + 2_375, 0)
    bet = trader.get(f"/v1/bets/{won['bet_id']}", after=after).ok()
    assert (bet["status"], bet["return_minor"], bet["legs"][0]["result"]) == ("won", 2_375, "won")
    statement = trader.get(f"{path}/statement", after=after).ok()["items"]
    assert statement[0]["available_after_minor"] == shown["available_minor"]
    for newer, older in pairwise(statement):
        moved = newer["available_after_minor"] - older["available_after_minor"]
        assert moved == newer["amount_minor"]

    # A withdrawal.
    body = {"amount_minor": 1_175, "method": "bank"}
    held = trader.post(f"{path}/withdrawals", body).ok(201)
    after = operator.post(f"/v1/withdrawals/{held['transfer_id']}/complete").ok()["position"]
    assert trader.get(path, after=after).ok()["available_minor"] == 10_000

    # The books, in balance.
    books = auditor.get("/v1/audit/trial-balance", after=after).ok()
    assert books["check_minor"] == {"EUR": 0}
    by_book = {(row["book"], row["detail"]): row["balance_minor"] for row in books["rows"]}
    assert by_book["customer_available", ""] == 10_000
    assert by_book["external", "card"] == -10_000
    assert by_book["external", "bank"] == 1_175

    # The audit feed: who did what, by which command.
    lines = auditor.get("/v1/audit/events").content.splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [event["position"] for event in events] == list(range(1, after + 1))
    story = [event for event in events if event["stream"] == won["bet_id"]]
    assert [(e["topic"], e["actor"]) for e in story] == [
        ("bet.placed", trader.user),
        ("bet.settled", "fairbook-settlement"),
    ]
    together = [e["topic"] for e in events if e["command"] == story[0]["command"]]
    assert together == ["bet.placed", "account.stake_reserved"]

    # And a replay of the log gives what the read models show.
    replayed = _fairbook(service, "replay")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def _fairbook(service: Service, command: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"DATABASE_URL": service.database_url, "FAIRBOOK_SECRET": SECRET}
    return subprocess.run(
        [sys.executable, "-m", "fairbook", command],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# ---- one trace


def _spans(service: TracedService, trace: str) -> dict[str, dict[str, Any]]:
    lines = service.spans_file.read_text().splitlines() if service.spans_file.exists() else []
    spans = [json.loads(line) for line in lines]
    return {span["name"]: span for span in spans if span["trace"] == trace}


def test_one_trace_follows_a_bet_from_the_request_to_the_read_models(
    service: TracedService, people: People
) -> None:
    trader, market = people.trader(), people.operator.market()
    account = trader.account(1_000)
    trace, caller = secrets.token_hex(16), secrets.token_hex(8)
    headers = {"traceparent": f"00-{trace}-{caller}-01"}
    placed = trader.bet(account, market, headers=headers).ok(201)
    trader.get(f"/v1/bets/{placed['bet_id']}", after=placed["position"]).ok()
    until(lambda: {"POST /v1/bets", *SPANS} <= _spans(service, trace).keys(), 60)
    spans = _spans(service, trace)
    request = spans["POST /v1/bets"]
    assert request["parent"] == caller
    assert request["attributes"] == {"http.route": "/v1/bets", "http.response.status_code": 201}
    for name in SPANS:
        assert spans[name]["parent"] == request["span"], name
    queue, decide, commit, project = (spans[name] for name in SPANS)
    times = [request["start"], queue["start"], queue["end"], decide["end"], commit["end"]]
    assert times == sorted(times)
    assert decide["start"] == queue["end"]
    assert commit["start"] == decide["end"]
    assert project["end"] > commit["start"]
    assert "bets" in project["attributes"]["models"]
    event = json.loads(
        people.auditor.get("/v1/audit/events", stream=placed["bet_id"]).content.splitlines()[0]
    )
    assert event["position"] == placed["position"] - 1


def test_what_the_caller_does_not_sample_leaves_no_trace(
    service: TracedService, people: People
) -> None:
    trader, trace = people.trader(), secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-00"}
    body = {"currency": "EUR", "name": "main"}
    trader.post("/v1/accounts", body, headers=headers).ok(201)
    assert _spans(service, trace) == {}


def test_a_broken_traceparent_harms_no_request(service: TracedService, people: People) -> None:
    body = {"currency": "EUR", "name": "main"}
    for value in (
        b"garbage-01",
        b"00-xyz-01",
        b"\xff\xfe-01",
        b"-01",
        b"00-" + b"0" * 32 + b"-0-01",
    ):
        people.trader().post("/v1/accounts", body, headers={"traceparent": value}).ok(201)
