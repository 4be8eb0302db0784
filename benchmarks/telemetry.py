"""What tracing costs: the API with its default sampling beside one that samples nothing, turn by turn.

Three services run side by side on one server, each with a database of its own, and are loaded in turn. The third samples
a fifth of all requests: its difference to none, divided down to the default ratio, is the cost with far less noise. All
of them send what they have over OTLP to a collector that throws it away: nothing is sampled where nobody collects.
"""

import contextlib
import statistics
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from msgspec import Struct

from benchmarks import report, seeding, usage
from benchmarks.place_bets import Loads
from benchmarks.report import Finding, Outcome, beside, say
from benchmarks.service import HOST, Service, embedded_servers, new_database, own_environment
from fairbook.settings import Settings

ACCOUNTS: Final = 2_000
AIM: Final = 0.97
COST_AIM_PERCENT: Final = 3.0
MUCH: Final = 0.2


class Turn(Struct):
    """One turn of one service."""

    bets_per_second: float
    cpu_us_per_bet: float


class _Sink(BaseHTTPRequestHandler):
    """Takes whatever is sent, and says that it is well."""

    protocol_version = "HTTP/1.1"
    bodies = 0

    def do_POST(self) -> None:
        """Take one export."""
        self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/traces"):
            _Sink.bodies += 1
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    """A collector of OTLP on a free port; give its URL."""
    with ThreadingHTTPServer((HOST, 0), _Sink) as server:
        thread = threading.Thread(target=server.serve_forever, name="collector")
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Load all in turn, every other round in the opposite order, so that whatever drifts hits all alike."""
    rounds, seconds = (4, 3.0) if short else (12, 4.0)
    settings: dict[str, dict[str, str]] = {
        "default": {},
        "none": {"FAIRBOOK_TRACE_RATIO": "0"},
        "much": {"FAIRBOOK_TRACE_RATIO": str(MUCH)},
    }
    turns: dict[str, list[Turn]] = {name: [] for name in settings}
    with embedded_servers() as servers, _collector() as endpoint, contextlib.ExitStack() as stack:
        sides = []
        for name, variables in settings.items():
            url = new_database(servers, f"traces_{name}")
            seeds = seeding.seed(url, ACCOUNTS)
            exported = {**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
            service = stack.enter_context(Service(servers, url, exported))
            sides.append((name, service, Loads(service, seeds)))
        for number in range(rounds):
            for name, service, loads in sides if number % 2 == 0 else reversed(sides):
                turns[name].append(_turn(service, loads, seconds))
            said = (
                f"{name} {each[-1].bets_per_second:,.0f}/s {each[-1].cpu_us_per_bet:.0f} µs"
                for name, each in turns.items()
            )
            say(f"  {', '.join(said)}")
    if not _Sink.bodies:
        raise RuntimeError("no trace reached the collector: nothing was measured")
    return Outcome(_findings(turns), {"turns": turns})


def _findings(turns: dict[str, list[Turn]]) -> list[Finding]:
    rates = {
        name: statistics.median(turn.bets_per_second for turn in each)
        for name, each in turns.items()
    }
    costs = {
        name: statistics.median(turn.cpu_us_per_bet for turn in each)
        for name, each in turns.items()
    }
    default_ratio = Settings.from_environment(own_environment()).trace_ratio
    traced_us = (costs["much"] - costs["none"]) / MUCH
    return [
        beside(
            f"bets with default sampling ({default_ratio:.1%})",
            rates["default"],
            "bets/s",
            "no traces:",
            rates["none"],
            at_least=AIM,
        ),
        beside(
            "  processor time of the API", costs["default"], "µs/bet", "no traces:", costs["none"]
        ),
        report.plain("what a traced bet costs the API more", traced_us, "µs"),
        report.at_most(
            f"  at {default_ratio:.1%}, of an untraced bet",
            100 * default_ratio * traced_us / costs["none"],
            "%",
            COST_AIM_PERCENT,
        ),
    ]


def _turn(service: Service, loads: Loads, seconds: float) -> Turn:
    before = usage.cpu_seconds(service.pid("api"))
    figures = loads.single(seconds, warm_up=1.0)
    spent = usage.cpu_seconds(service.pid("api")) - before
    return Turn(figures.accepted_per_second, 1e6 * spent / figures.answers)


if __name__ == "__main__":
    sys.exit(report.main("telemetry", measure))
