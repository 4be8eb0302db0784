"""500 clients of live streams on one API process while 1,000 prices a second change: how late do they hear of it?"""

import subprocess
import sys
import time
from random import Random
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
import numpy as np

from benchmarks import report
from benchmarks.live_load import Heard, Listening, Published, Publishing
from benchmarks.report import Finding, Outcome, at_most, plain, say, true
from benchmarks.service import (
    HOST,
    Service,
    embedded_servers,
    new_database,
    own_environment,
)
from benchmarks.usage import Others, cpu_seconds, resident_mib
from fairbook.program import CHECKOUT

CLIENTS: Final = 500
MARKETS: Final = 100
MARKETS_OF_CLIENT: Final = 5
PRICES_A_SECOND: Final = 1_000
AIM_P99_MILLISECONDS: Final = 200.0
GROWTH_MIB: Final = 16.0
"""What a steady stream may add to the API's memory: caches that fill, no queue that grows."""
_WARM_UP_SECONDS: Final = 3.0


def measure(short: bool) -> Outcome:  # noqa: FBT001  the one switch that every benchmark has
    """Publish and listen for a while, each in a process of its own."""
    seconds = 8.0 if short else 20.0
    with (
        embedded_servers() as servers,
        Service(servers, new_database(servers, "live"), programs=("api", "project")) as service,
    ):
        markets = [(uuid4(), uuid4()) for _ in range(MARKETS)]
        listener = _start(
            "listen",
            Listening(
                HOST, service.port, _subscriptions(service, markets), seconds, _WARM_UP_SECONDS
            ),
        )
        publisher = _start(
            "publish",
            Publishing(servers.urls.nats, markets, PRICES_A_SECOND, seconds + _WARM_UP_SECONDS + 1),
        )
        time.sleep(_WARM_UP_SECONDS)
        api = service.pid("api")
        before, busy, others = resident_mib(api)[0], cpu_seconds(api), Others()
        time.sleep(seconds - 0.5)
        after, used = resident_mib(api)[0], (cpu_seconds(api) - busy) / (seconds - 0.5)
        elsewhere = others.cores()
        heard = _finish(listener, Heard)
        published = _finish(publisher, Published)
    delays = np.array(heard.delays)
    p50, p99 = (float(np.percentile(delays, share)) for share in (50, 99))
    say(f"  {len(delays):,} prices heard; p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return Outcome(
        _findings(heard, published, delays, seconds, (before, after), used, elsewhere),
        {"published": published.prices, "late_seconds": published.late_seconds},
    )


def _findings(
    heard: Heard,
    published: Published,
    delays: Any,
    seconds: float,
    memory: tuple[float, float],
    used: float,
    elsewhere: float,
) -> list[Finding]:
    p50, p99 = (float(np.percentile(delays, share)) for share in (50, 99))
    whole = heard.connected == CLIENTS and not heard.ended and not heard.resyncs
    return [
        at_most(
            f"{CLIENTS} SSE clients, {PRICES_A_SECOND:,} price changes/s: delivery p99",
            p99,
            "ms",
            AIM_P99_MILLISECONDS,
        ),
        plain("  p50", p50, "ms"),
        plain("  slowest", float(delays.max()), "ms"),
        plain("  prices heard, all clients", heard.prices / seconds, "/s"),
        plain("  events heard, all clients", heard.events / seconds, "/s"),
        plain("  published", published.prices / (seconds + _WARM_UP_SECONDS + 1), "/s"),
        plain("  publisher behind its time at most", published.late_seconds * 1_000, "ms"),
        true("  all clients connected to the end, none told to resync", holds=whole),
        at_most("  growth of the API's memory", memory[1] - memory[0], "MiB", GROWTH_MIB),
        plain("  memory of the API at the end", memory[1], "MiB"),
        plain("  processor of the API", used, "cores"),
        plain("  processor of everybody else meanwhile", elsewhere, "cores"),
    ]


def _subscriptions(service: Service, markets: list[tuple[UUID, UUID]]) -> list[tuple[str, str]]:
    random = Random(2)
    return [
        (
            service.token(f"listener-{number}", "trader"),
            ",".join(f"odds.{market}" for market, _ in random.sample(markets, MARKETS_OF_CLIENT)),
        )
        for number in range(CLIENTS)
    ]


def _start(half: str, wanted: Any) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.live_load", half],
        cwd=CHECKOUT,
        env=own_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(wanted))
    process.stdin.close()
    process.stdin = None
    return process


def _finish(process: "subprocess.Popen[bytes]", shape: Any) -> Any:
    answer, _ = process.communicate(timeout=120)
    if process.returncode:
        raise RuntimeError(f"a half of the load exited with status {process.returncode}")
    return msgspec.json.decode(answer, type=shape)


if __name__ == "__main__":
    sys.exit(report.main("live_clients", measure))
