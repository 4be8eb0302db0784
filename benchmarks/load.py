"""Load for the API from a process of its own: keep-alive connections in a closed loop.

Takes a Spec as JSON on standard input, prints Figures as JSON. Requests are rendered before the clock starts and
answers are scanned as bytes, so that it takes little of the cores that it shares with what it measures.
"""

import asyncio
import resource
import subprocess
import sys
from array import array
from collections.abc import Iterator
from time import perf_counter
from typing import Final, cast

import msgspec
import uvloop
from msgspec import Struct

from fairbook.program import CHECKOUT

PATIENCE_SECONDS: Final = 60.0
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


class Spec(Struct, kw_only=True):
    """What to send: bodies in turn, each with the token of that place and an Idempotency-Key of its own.

    `accepted` is the mark that an answer carries once for each bet that was accepted. `requests` ends the load after so
    many, whatever the clock says.
    """

    host: str = "127.0.0.1"
    port: int
    path: str
    connections: int
    warm_up_seconds: float
    seconds: float
    requests: int | None = None
    key_prefix: str
    expected_status: int
    accepted: str
    tokens: list[str]
    bodies: list[str]


class Figures(Struct, kw_only=True):
    """What came back; times in milliseconds. `accepted` and `answers` count all, `timed` what the clock saw."""

    seconds: float
    timed: int
    timed_accepted: int
    answers: int
    accepted: int
    unexpected: dict[str, int]
    first_unexpected: str
    p50: float
    p95: float
    p99: float
    max: float
    generator_cpu_seconds: float
    generator_core_share: float

    @property
    def accepted_per_second(self) -> float:
        """Bets accepted while the clock ran."""
        return self.timed_accepted / self.seconds


class _Run:
    """The state that all connections share."""

    def __init__(self, spec: Spec) -> None:
        self.requests = [_render(spec, token, body) for token, body in _pairs(spec)]
        self.left = spec.requests if spec.requests is not None else sys.maxsize
        self.expected = str(spec.expected_status).encode()
        self.accepted_mark = spec.accepted.encode()
        self.number = 0
        self.begin = self.end = 0.0
        self.latencies = array("d")
        self.answers = self.accepted = self.timed_accepted = 0
        self.unexpected: dict[str, int] = {}
        self.first_unexpected = ""

    def next_request(self) -> bytes:
        head, tail = self.requests[self.number % len(self.requests)]
        self.number += 1
        self.left -= 1
        return b"%b%012d%b" % (head, self.number, tail)

    def answered(self, answer: bytes, sent_at: float, now: float) -> None:
        self.answers += 1
        if answer[9:12] != self.expected:
            status = answer[9:12].decode(errors="replace")
            self.unexpected[status] = self.unexpected.get(status, 0) + 1
            self.first_unexpected = self.first_unexpected or answer[:600].decode(errors="replace")
            return
        accepted = answer.count(self.accepted_mark)
        self.accepted += accepted
        if self.begin <= now < self.end:
            self.latencies.append(now - sent_at)
            self.timed_accepted += accepted


def _pairs(spec: Spec) -> Iterator[tuple[str, str]]:
    return zip(spec.tokens, spec.bodies, strict=True)


def _render(spec: Spec, token: str, body: str) -> tuple[bytes, bytes]:
    """Give what comes before the running number in the key, and what comes after it."""
    payload = body.encode()
    head = (
        f"POST {spec.path} HTTP/1.1\r\nhost: {spec.host}:{spec.port}\r\n"
        f"authorization: Bearer {token}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(payload)}\r\nidempotency-key: {spec.key_prefix}"
    )
    return head.encode(), _HEAD_END + payload


class _Connection(asyncio.Protocol):
    """One keep-alive connection: the next request goes out when the answer is in."""

    def __init__(self, run: _Run, done: "asyncio.Future[None]") -> None:
        self._run = run
        self._done = done
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; sending begins when all connections stand."""
        self._transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        """Send the next request."""
        assert self._transport is not None
        request = self._run.next_request()
        self._sent_at = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Scan for the end of the answer."""
        answer = self._received + data if self._received else data
        head_end = answer.find(_HEAD_END)
        if head_end >= 0:
            at = answer.find(_LENGTH, 0, head_end) + len(_LENGTH)
            length = int(answer[at : answer.find(b"\r", at)])
            if len(answer) >= head_end + len(_HEAD_END) + length:
                now = perf_counter()
                self._received = b""
                self._run.answered(answer, self._sent_at, now)
                if now < self._run.end and self._run.left > 0:
                    self.send()
                elif not self._done.done():
                    self._done.set_result(None)
                return
        self._received = answer

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends before its time fails the run."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed a connection"))


async def _drive(spec: Spec) -> Figures:
    run = _Run(spec)
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []
    ends: list[asyncio.Future[None]] = []
    for _ in range(spec.connections):
        done: asyncio.Future[None] = loop.create_future()
        connection = _Connection(run, done)
        await loop.create_connection(lambda each=connection: each, spec.host, spec.port)  # type: ignore[misc]
        connections.append(connection)
        ends.append(done)
    run.begin = perf_counter() + spec.warm_up_seconds
    run.end = run.begin + spec.seconds
    cpu, wall = _cpu_seconds(), perf_counter()
    for connection in connections:
        connection.send()
    async with asyncio.timeout(spec.warm_up_seconds + spec.seconds + PATIENCE_SECONDS):
        await asyncio.gather(*ends)
    cpu, wall = _cpu_seconds() - cpu, perf_counter() - wall
    times = sorted(run.latencies) or [0.0]

    def quantile(share_below: float) -> float:
        return 1_000 * times[min(len(times) - 1, int(len(times) * share_below))]

    return Figures(
        seconds=spec.seconds,
        timed=len(run.latencies),
        timed_accepted=run.timed_accepted,
        answers=run.answers,
        accepted=run.accepted,
        unexpected=run.unexpected,
        first_unexpected=run.first_unexpected,
        p50=quantile(0.5),
        p95=quantile(0.95),
        p99=quantile(0.99),
        max=quantile(1),
        generator_cpu_seconds=cpu,
        generator_core_share=cpu / wall,
    )


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def drive(spec: Spec) -> Figures:
    """Run the load in a process of its own; raises when an answer was not the expected one."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=msgspec.json.encode(spec),
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
        check=True,
        timeout=spec.warm_up_seconds + spec.seconds + 2 * PATIENCE_SECONDS,
    )
    figures = msgspec.json.decode(done.stdout, type=Figures)
    if figures.unexpected:
        raise RuntimeError(
            f"unexpected answers {figures.unexpected}; the first: {figures.first_unexpected}"
        )
    return figures


if __name__ == "__main__":
    _spec = msgspec.json.decode(sys.stdin.buffer.read(), type=Spec)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_drive(_spec))))
