"""Metrics as Prometheus reads them, and logs as lines of JSON."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from adapters.embedded import EmbeddedServers
from adapters.telemetry import JsonLines
from tests.service import FRAMEWORK, SECRET, Client, People, Service, a_name, a_service, an_id

SECONDS: Final = "fairbook_http_request_seconds"


@pytest.fixture(scope="module")
def service(
    servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with a_service(tmp_path_factory.mktemp("telemetry"), servers) as running:
        yield running


@pytest.fixture(scope="module")
def people(service: Service) -> Iterator[People]:
    people = People(service.url)
    yield people
    people.close()


def _families(client: Client) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.content.decode()
    assert text.endswith("\n")
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a metric is told twice"
    return {family.name: family for family in families}


def _requests(client: Client) -> dict[tuple[str, str, str], float]:
    """Count the requests so far by method, route and status."""
    return {
        (each.labels["method"], each.labels["route"], each.labels["status"]): each.value
        for each in _families(client)[SECONDS].samples
        if each.name == f"{SECONDS}_count"
    }


def test_requests_are_counted_by_route_and_status(people: People) -> None:
    trader, operator = people.trader(), people.operator
    account, market = trader.account(10_000), operator.market()
    before = _requests(people.nobody)
    for _ in range(5):
        trader.bet(account, market).ok(201)
    for _ in range(3):
        trader.bet(account, market, lane=FRAMEWORK).ok(201)
    for _ in range(2):
        trader.bet(account, market, 10**9).problem(422)
    trader.bet(account, an_id()).problem(404)
    trader.ask("POST", "/v1/bets", content=b"{").problem(400)
    trader.ask("POST", FRAMEWORK, content=b"{").problem(400)
    people.nobody.post("/v1/bets", {}).problem(401)
    operator.post("/v1/bets", {}).problem(403)
    for _ in range(4):
        trader.get(f"/v1/accounts/{account}").ok()
    trader.get(f"/v1/accounts/{an_id()}").problem(404)
    trader.get(f"/v1/{a_name()}").problem(404)
    trader.ask("DELETE", "/v1/bets").problem(405)
    after = _requests(people.nobody)
    counted = {key: after[key] - before.get(key, 0) for key in after}
    counted = {key: value for key, value in counted.items() if value}
    counted.pop(("GET", "/metrics", "200"))
    assert counted == {
        ("POST", "/v1/bets", "201"): 8,
        ("POST", "/v1/bets", "422"): 2,
        ("POST", "/v1/bets", "404"): 1,
        ("POST", "/v1/bets", "400"): 2,
        ("POST", "/v1/bets", "403"): 1,
        # Before anything is routed: who asks is not known.
        ("POST", "unknown", "401"): 1,
        ("GET", "/v1/accounts/{account_id}", "200"): 4,
        ("GET", "/v1/accounts/{account_id}", "404"): 1,
        ("GET", "unknown", "404"): 1,
        ("DELETE", "unknown", "405"): 1,
    }


def test_addresses_that_exist_nowhere_make_no_metrics_of_their_own(people: People) -> None:
    trader = people.trader()
    for _ in range(3):
        trader.get(f"/v1/{a_name()}").problem(404)
        trader.get(f"/v1/accounts/{a_name()}").problem(404)
    routes = {route for _, route, _ in _requests(people.nobody)}
    assert all(route == "unknown" or route.startswith("/") for route in routes)
    assert not any("user-" in route for route in routes)


def test_histograms_grow_from_bucket_to_bucket(people: People) -> None:
    people.trader().account(1)
    families = _families(people.nobody)
    histograms = [family for family in families.values() if family.type == "histogram"]
    assert {"fairbook_batch_commands", "fairbook_decide_seconds", "fairbook_commit_seconds"} <= {
        family.name for family in histograms
    }
    for family in histograms:
        series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        counts: dict[tuple[tuple[str, str], ...], float] = {}
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            key = tuple(sorted(labels.items()))
            if sample.name.endswith("_bucket"):
                series.setdefault(key, []).append((float(sample.labels["le"]), sample.value))
            elif sample.name.endswith("_count"):
                counts[key] = sample.value
        assert series.keys() == counts.keys()
        for key, buckets in series.items():
            assert [bound for bound, _ in buckets] == sorted(bound for bound, _ in buckets)
            values = [value for _, value in buckets]
            assert values == sorted(values)
            assert buckets[-1] == (float("inf"), counts[key])


def test_what_the_ledger_does_is_counted(service: Service, people: People) -> None:
    def appended() -> float:
        (sample,) = _families(people.nobody)["fairbook_events_appended"].samples
        return float(sample.value)

    trader, market = people.trader(), people.operator.market()
    account = trader.account(1_000)
    before, head = appended(), service.head()
    for _ in range(4):
        trader.bet(account, market).ok(201)
    assert appended() - before == service.head() - head == 8
    families = _families(people.nobody)
    assert families["fairbook_queue"].samples[0].value == 0
    assert families["fairbook_streams_in_memory"].samples[0].value > 0


def test_the_service_logs_json_without_secrets(service: Service, people: People) -> None:
    trader = people.trader()
    trader.ask("POST", "/v1/bets", content=b"\xff").problem(400)
    people.nobody.ask("GET", "/v1/bets", headers={"Authorization": f"Bearer {trader.token}x"})
    for line in service.logs.splitlines():
        record = json.loads(line)
        assert {"time", "level", "service", "logger", "message"} <= record.keys()
    password = service.database_url.split("@")[0].rpartition(":")[2]
    for secret in (SECRET, password, str(trader.token), str(people.operator.token), "Bearer"):
        assert secret not in service.logs


# ---- the pieces


def _line(**more: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": "hello %s", "args": ("there",), "name": "x"} | more)
    text = JsonLines("tests").format(record)
    assert "\n" not in text
    line: dict[str, object] = json.loads(text)
    return line


def test_a_record_is_one_line_with_what_the_caller_added() -> None:
    line = _line(model="bets", position=5)
    assert (line["message"], line["service"]) == ("hello there", "tests")
    assert (line["model"], line["position"]) == ("bets", 5)
    assert _line(msg="a\nb\u2028c", args=())["message"] == "a\nb\u2028c"
    assert _line(odd=Path("x"))["odd"] == "x"


def test_an_exception_is_in_its_line() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        line = _line(exc_info=sys.exc_info())
    assert "ValueError: why" in str(line["exception"])


def test_telemetry_is_set_up_once_in_a_process(tmp_path: Path) -> None:
    """With an endpoint that nobody listens at, a process starts, works, and ends."""
    program = (
        "from adapters.telemetry import set_up\n"
        "from application import meters\n"
        "text = set_up('tests')\n"
        "meters.request_seconds.observe(0.1, ('GET', '/x', '200'))\n"
        "print(text().decode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f'{SECONDS}_count{{method="GET",route="/x",status="200"}} 1.0' in done.stdout
